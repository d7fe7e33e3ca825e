package benchmark

import (
	"fmt"
	"strconv"
	"strings"
)

// aime reads a problem whose answer is an integer from 0 to 999, which editions
// write as 33, "033", 33.0 or "33^\circ".
func aime(r row) (item, error) {
	it, err := question(r, "problem", "question")
	if err != nil {
		return it, err
	}
	name, v, err := r.column("answer")
	if err != nil {
		return it, err
	}
	digits, ok := whole(v)
	if s, isText := v.(string); isText {
		digits, ok = strings.TrimSpace(s), true
		for _, degrees := range []string{`^\circ`, `^{\circ}`} {
			digits = strings.TrimSuffix(digits, degrees)
		}
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if !ok || err != nil || n > 999 {
		return it, r.fault(name, "found %s, want an integer from 0 to 999", kind(v))
	}
	it.answer = strconv.FormatUint(n, 10)
	return it, nil
}

// amc reads a problem whose answer is a number, mostly a whole one in a column
// of floats (27.0).
func amc(r row) (item, error) {
	it, err := question(r, "problem", "question")
	if err != nil {
		return it, err
	}
	it.answer, err = number(r, "answer")
	return it, err
}

// number is a column with a number, or text.
func number(r row, names ...string) (string, error) {
	name, v, err := r.column(names...)
	if err != nil {
		return "", err
	}
	if digits, ok := whole(v); ok {
		return digits, nil
	}
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case string:
		s := strings.TrimSpace(v)
		if f, err := strconv.ParseFloat(s, 64); err == nil {
			if digits, ok := whole(f); ok {
				return digits, nil
			}
		}
		if s != "" {
			return s, nil
		}
	}
	return "", r.fault(name, "found %s, want a number or text", kind(v))
}

// latex reads a problem whose answer is mathematics.
func latex(r row) (item, error) {
	it, err := question(r, "problem", "question")
	if err != nil {
		return it, err
	}
	it.answer, err = r.text("answer", "solution")
	return it, err
}

// olympiad reads a problem whose gold answer is one text in a list; where
// several values are asked for, that text has them all. A tolerance ("error")
// is kept as metadata and not used, as in the study.
func olympiad(r row) (item, error) {
	it, err := question(r, "question", "problem")
	if err != nil {
		return it, err
	}
	if context := r.optional("context"); context != "" {
		it.question = context + "\n" + it.question
	}
	parts, err := texts(r, "final_answer", "answer")
	if err != nil {
		return it, err
	}
	it.answer = strings.Join(parts, ", ")
	return it, nil
}

// gsm8k reads a problem whose answer is worked text that ends in "#### 1,450".
func gsm8k(r row) (item, error) {
	it, err := question(r, "question", "problem")
	if err != nil {
		return it, err
	}
	worked, err := r.text("answer")
	if err != nil {
		return it, err
	}
	at := strings.LastIndex(worked, "####")
	if at < 0 {
		return it, r.fault("answer", `no "####" before the final number in %q`, short(worked))
	}
	it.answer = strings.ReplaceAll(strings.TrimSpace(worked[at+len("####"):]), ",", "")
	if it.answer == "" {
		return it, r.fault("answer", `nothing after "####"`)
	}
	it.solution = worked
	return it, nil
}

// gpqa reads a question with one right and three wrong options.
func gpqa(r row) (item, error) {
	it, err := question(r, "Question", "question")
	if err != nil {
		return it, err
	}
	it.meta = map[string]string{}
	for i, name := range []string{"Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3"} {
		option, err := r.text(name)
		if err != nil {
			return it, err
		}
		it.choices = append(it.choices, option)
		it.meta[fmt.Sprintf("option %d", i)] = option
	}
	it.answer = letter(0)
	it.solution = r.optional("Explanation")
	return it, nil
}

// question begins an item: its text and its worked solution.
func question(r row, columns ...string) (item, error) {
	q, err := r.text(columns...)
	return item{question: q, solution: r.optional("solution")}, err
}

// texts is a column with text or with a list of texts, none of them blank.
func texts(r row, names ...string) ([]string, error) {
	name, v, err := r.column(names...)
	if err != nil {
		return nil, err
	}
	list, isList := v.([]any)
	if !isList {
		list = []any{v}
	}
	if len(list) == 0 {
		return nil, r.fault(name, "an empty list, want text or a list of texts")
	}
	var out []string
	for _, x := range list {
		s, ok := x.(string)
		if digits, isNumber := whole(x); isNumber {
			s, ok = digits, true
		}
		if s = strings.TrimSpace(s); !ok || s == "" {
			return nil, r.fault(name, "found %s, want text or a list of texts", kind(x))
		}
		out = append(out, s)
	}
	return out, nil
}
