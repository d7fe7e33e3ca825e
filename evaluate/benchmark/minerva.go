package benchmark

import (
	"encoding/json"
	"regexp"
	"strings"

	"openrs/score/answer"
)

// minerva reads a problem of MIT courses, whose column of answers is not to be
// trusted alone. It is a list: the same value in several writings, now and then
// with another rounding. And where the question is the second part of an exercise
// and quotes the first with its solution, the edition that most people have
// gives the first part's answer, in 31 of 272 rows.
//
// Answers are judged by the element of the list that the worked solution has in
// its box; by the box itself where the list is an earlier part's; by the first
// element otherwise. open-rs judged by the solution. The list is kept as
// metadata "answers".
func minerva(r row) (item, error) {
	it, err := question(r, "problem", "question")
	if err != nil {
		return it, err
	}
	if it.golds, err = texts(r, "answer", "solution"); err != nil {
		return it, err
	}
	it.answer = it.golds[0]
	if gold, ok := solved(it); ok {
		it.answer = gold
	} else if boxes := boxed(it.solution); len(boxes) > 0 && quoted(it) {
		it.answer = boxes[len(boxes)-1]
		it.note = "its gold answers are of an earlier part of the question: that of the solution is used"
	}
	it.answer = powers(it.answer)
	if len(it.golds) > 1 || it.note != "" {
		all, err := json.Marshal(it.golds)
		if err != nil {
			return it, r.fault("answer", "%v", err)
		}
		it.meta = map[string]string{"answers": string(all)}
	}
	return it, nil
}

// solved finds the gold answer that the worked solution comes to.
func solved(it item) (string, bool) {
	for _, gold := range it.golds {
		if v, err := answer.Verify(powers(gold), it.solution, answer.Benchmark()); err == nil && v.Equal {
			return gold, true
		}
	}
	return "", false
}

// quoted reports whether a gold answer is one that the question has in a box.
func quoted(it item) bool {
	for _, box := range boxed(it.question) {
		for _, gold := range it.golds {
			if v, err := answer.Equal(powers(gold), powers(box), answer.Benchmark()); err == nil && v.Equal {
				return true
			}
		}
	}
	return false
}

// boxed returns what is in the boxes of a text, from the first to the last.
func boxed(s string) []string {
	const mark = `\boxed{`
	var out []string
	for {
		at := strings.Index(s, mark)
		if at < 0 {
			return out
		}
		s = s[at+len(mark):]
		depth := 1
		for i := 0; i < len(s) && depth > 0; i++ {
			switch s[i] {
			case '\\':
				i++ // an escaped brace is a sign of the text
			case '{':
				depth++
			case '}':
				if depth--; depth == 0 {
					out = append(out, s[:i])
				}
			}
		}
	}
}

// scientific is a number such as 1e-8, which as mathematics could be Euler's
// number less 8.
var scientific = regexp.MustCompile(`^(-?[0-9]+(?:\.[0-9]+)?)e([+-]?[0-9]+)$`)

// powers writes such a number with a power of ten.
func powers(s string) string {
	return scientific.ReplaceAllString(strings.TrimSpace(s), `$1 \times 10^{$2}`)
}
