package answer

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"unicode/utf8"
)

// MaxAnswer is the most bytes that an answer may have to be read.
const MaxAnswer = 4096

// ErrGold marks a gold answer that can't be read, which no prediction can be judged by: empty, longer
// than MaxAnswer, not UTF-8, or with braces that don't match.
var ErrGold = errors.New("answer: unreadable gold answer")

// Reasons of a [Verdict].
const (
	ReasonEqualValue     = "equal value"
	ReasonEqualText      = "equal text"
	ReasonDifferentValue = "different value"
	ReasonDifferentText  = "different text"
	ReasonNotNumber      = "one is a number, the other is not"
	ReasonNoAnswer       = "no answer found"
	ReasonUnreadable     = "answer unreadable"
)

// Verdict says whether a prediction has the gold answer, and why.
type Verdict struct {
	Equal            bool
	Reason           string // one of the Reason constants
	Extracted        string // the answer as written in the prediction; "" if there is none
	GoldParsed       string // what the gold answer was read as: a fraction in lowest terms, or text
	PredictionParsed string // what the extracted answer was read as; "" if there is none
}

// Verify extracts the final answer of a prediction, such as a whole completion, and compares it with
// the gold answer: a bare answer, one in $…$ or \boxed{…}, or a worked solution that ends in a box or
// in "#### answer". The only error is [ErrGold], wrapped.
func Verify(gold, prediction string) (Verdict, error) {
	g, err := readGold(gold)
	if err != nil {
		return Verdict{}, err
	}
	extracted, ok := Extract(prediction)
	if !ok {
		return Verdict{Reason: ReasonNoAnswer, GoldParsed: g.String()}, nil
	}
	return compare(g, extracted), nil
}

// Equal compares an answer, as it was extracted, with the gold answer. The only error is [ErrGold],
// wrapped.
func Equal(gold, answer string) (Verdict, error) {
	g, err := readGold(gold)
	if err != nil {
		return Verdict{}, err
	}
	return compare(g, answer), nil
}

func compare(gold reading, answer string) Verdict {
	v := Verdict{Extracted: answer, GoldParsed: gold.String()}
	if !readable(answer) {
		v.Reason = ReasonUnreadable
		return v
	}
	p := read(answer)
	v.PredictionParsed = p.String()
	v.Equal, v.Reason = gold.equal(p)
	return v
}

// readGold reads the gold answer.
func readGold(gold string) (reading, error) {
	s := gold
	if strings.Contains(s, `\boxed`) || strings.Contains(s, `\fbox`) || strings.Contains(s, "####") {
		var ok bool
		if s, ok = Extract(s); !ok {
			return reading{}, fmt.Errorf("%w: %q has no complete box", ErrGold, short(gold))
		}
	}
	if !readable(s) {
		return reading{}, fmt.Errorf("%w: %q, expected up to %d bytes of text with matching braces", ErrGold, short(s), MaxAnswer)
	}
	r := read(s)
	if r.text == "" {
		return reading{}, fmt.Errorf("%w: %q is empty", ErrGold, short(gold))
	}
	return r, nil
}

func readable(s string) bool {
	return len(s) <= MaxAnswer && utf8.ValidString(s) && balanced(s)
}

// short cuts a text for a message.
func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// reading is what an answer was read as.
type reading struct {
	value *big.Rat // nil: no number
	text  string   // the key of the whole
	name  string   // of an assignment "x = …", whose value this is; else ""
	left  string   // brackets of a list
	right string
	items []reading // elements of a list; nil: none
}

func read(s string) reading {
	s = normalize(s)
	r := reading{text: key(s)}
	// An assignment to a name is read as its value.
	if name, value, ok := strings.Cut(s, "="); ok && isName(name) && !strings.Contains(value, "=") {
		r.name, s = key(name), strings.TrimSpace(value)
	}
	if v, ok := number(s); ok {
		r.value = v
		return r
	}
	if left, right, items := elements(s); items != nil {
		r.left, r.right = left, right
		for _, item := range items {
			item = strings.TrimSpace(item)
			e := reading{text: key(item)}
			if v, ok := number(item); ok {
				e.value = v
			}
			r.items = append(r.items, e)
		}
		return r
	}
	if r.name != "" {
		r.text = key(s)
	}
	return r
}

// isName reports whether s is what an answer is commonly called: one letter, or one with an argument
// as in f(x).
func isName(s string) bool {
	s = strings.TrimSpace(s)
	return len(s) == 1 && isLetter(s[0]) || len(s) == 4 && isLetter(s[0]) && s[1] == '(' && isLetter(s[2]) && s[3] == ')'
}

func (r reading) equal(p reading) (bool, string) {
	if r.name != "" && p.name != "" && r.name != p.name {
		return false, ReasonDifferentText
	}
	switch {
	case r.value != nil && p.value != nil:
		if r.value.Cmp(p.value) == 0 {
			return true, ReasonEqualValue
		}
		return false, ReasonDifferentValue
	case r.value != nil || p.value != nil:
		return false, ReasonNotNumber
	}
	if r.text == p.text {
		return true, ReasonEqualText
	}
	if r.items == nil || len(r.items) != len(p.items) || r.left != p.left || r.right != p.right {
		return false, ReasonDifferentText
	}
	for i := range r.items {
		if ok, reason := r.items[i].equal(p.items[i]); !ok {
			return false, reason
		}
	}
	return true, ReasonEqualValue
}

// String is the reading for people: a fraction in lowest terms, or the text that is compared.
func (r reading) String() string {
	if r.value != nil {
		return r.value.RatString()
	}
	return r.text
}
