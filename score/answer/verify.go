package answer

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"openrs/score/answer/expr"
)

// MaxAnswer is the most bytes that an answer may have to be read.
const MaxAnswer = 4096

// ErrGold marks a gold answer that can't be read, which no prediction can be judged by.
var ErrGold = errors.New("answer: unreadable gold answer")

// Verdict says whether a prediction has the gold answer, and why.
type Verdict struct {
	Equal bool
	// Reason starts with "equal: ", "different: ", "undecided: ", "unreadable: ", or is [ReasonNoAnswer].
	Reason           string
	Extracted        string // the answer as written in the prediction; "" if there is none
	GoldParsed       string // what the gold answer was read as, in canonical form
	PredictionParsed string // what the extracted answer was read as; "" if it was not
}

// ReasonNoAnswer is the reason of a verdict about a text without an answer.
const ReasonNoAnswer = "no answer found"

// Verify extracts the final answer of a prediction, such as a whole completion, and compares it with
// the gold answer. The only error is [ErrGold], wrapped. To judge several predictions by one gold
// answer, use [ReadGold].
func Verify(gold, prediction string, p Profile) (Verdict, error) {
	g, err := ReadGold(gold, p)
	if err != nil {
		return Verdict{}, err
	}
	return g.Verify(prediction), nil
}

// Equal compares an answer, as it was extracted, with the gold answer. The only error is [ErrGold],
// wrapped.
func Equal(gold, answer string, p Profile) (Verdict, error) {
	g, err := ReadGold(gold, p)
	if err != nil {
		return Verdict{}, err
	}
	return g.Equal(answer), nil
}

// Gold is a gold answer that was read, under a profile. It has no state and may be shared by goroutines.
type Gold struct {
	profile Profile
	value   expr.Value
	choice  byte // the letter of a multiple-choice answer, 0: it is none
	percent bool // it is written with a percent sign
}

// ReadGold reads a gold answer: a bare answer, one in $…$ or \boxed{…}, or a worked solution that ends
// in a box or in "#### answer". The error wraps [ErrGold].
func ReadGold(gold string, p Profile) (Gold, error) {
	p = p.orDefault()
	s := gold
	lenient := p
	lenient.Math.Strict = false // for golds; strictness is about what a model writes
	found, how := boxes(s)
	if p.Swapped && how != whole && len(formulas(s)) == 0 && !strings.HasPrefix(strings.TrimSpace(s), `\frac{`) {
		return Gold{}, fmt.Errorf("%w: %q is not in a LaTeX environment", ErrGold, short(gold))
	}
	if how == cut {
		return Gold{}, fmt.Errorf("%w: %q ends inside a box", ErrGold, short(gold))
	} else if how == whole {
		s, _, _ = lastBoxes(s, found)
	} else if at := strings.LastIndex(s, "####"); at >= 0 {
		s = s[at+4:]
	}
	s = prepare(s)
	v, err := read(s, lenient)
	if err != nil {
		return Gold{}, fmt.Errorf("%w: %q: %w", ErrGold, short(gold), err)
	}
	return Gold{profile: p, value: v, choice: choiceLetter(s), percent: strings.Contains(s, "%")}, nil
}

// String is what the gold answer was read as.
func (g Gold) String() string { return g.value.String() }

// Verify is [Verify] for this gold answer.
func (g Gold) Verify(prediction string) Verdict {
	v, extracted, err := firstReadable(prediction, g.profile, g.sought())
	switch {
	case extracted == "":
		return Verdict{Reason: ReasonNoAnswer, GoldParsed: g.String()}
	case err != nil:
		return g.unreadable(extracted, err)
	}
	return g.compare(extracted, v)
}

// Equal is [Equal] for this gold answer.
func (g Gold) Equal(answer string) Verdict {
	answer = prepare(answer)
	v, err := read(answer, g.profile)
	if err != nil {
		return g.unreadable(answer, err)
	}
	return g.compare(answer, v)
}

func (g Gold) sought() sought {
	return sought{words: isWords(g.value), notation: g.value.Kind() == expr.KindNotation, choice: g.choice != 0}
}

func (g Gold) unreadable(answer string, err error) Verdict {
	reason := err.Error()
	if !strings.HasPrefix(reason, "unreadable") {
		reason = "unreadable: " + reason
	}
	return Verdict{Reason: reason, Extracted: answer, GoldParsed: g.String()}
}

func (g Gold) compare(extracted string, v expr.Value) Verdict {
	out := Verdict{Extracted: extracted, GoldParsed: g.String(), PredictionParsed: v.String()}
	if g.choice != 0 {
		if letter := choiceLabel(extracted); letter != 0 {
			out.PredictionParsed = string(letter)
			if out.Equal = letter == g.choice; out.Equal {
				out.Reason = "equal: choice"
			} else {
				out.Reason = "different: choice"
			}
			return out
		}
	}
	var r expr.Result
	switch {
	case !g.profile.Swapped:
		r = expr.Equal(g.value, v, g.profile.Math)
	case g.value.Kind() == expr.KindInequality && isRegion(v):
		r.Reason = "different: an interval for an inequality, in open-rs' order"
	default:
		r = expr.Equal(v, g.value, g.profile.Math)
	}
	out.Equal, out.Reason = r.Equal, r.Reason
	return out
}

// isRegion reports whether an answer is an interval or made of intervals; (2,∞) is read as a pair.
func isRegion(v expr.Value) bool {
	return v.Kind() == expr.KindInterval || v.Kind() == expr.KindUnion || v.Kind() == expr.KindTuple
}

// maxCandidates is the most candidates of a text that are read.
const maxCandidates = 12

// firstReadable returns the first candidate that can be read, or if none can the first that was marked
// as the answer, with the error.
func firstReadable(text string, p Profile, want sought) (expr.Value, string, error) {
	var failed string
	var failure error
	n := 0
	for c := range candidates(text, p, want) {
		if n++; n > maxCandidates {
			break
		}
		s := prepare(c.text)
		if s == "" || want.choice && (c.weak || c.words) && choiceLabel(s) == 0 {
			continue
		}
		v, err := read(s, p)
		switch {
		case err == nil && c.counts(v, want):
			return v, s, nil
		case err != nil && !c.weak && failure == nil:
			failed, failure = s, err
		}
	}
	return expr.Value{}, failed, failure
}

// Step is a candidate that [Gold.Explain] looked at.
type Step struct {
	From   string `json:"from"`   // where it stands in the text
	Text   string `json:"text"`   // as written
	Result string `json:"result"` // what it was read as, or why it was passed over
}

// Explain returns the candidates of a text in the order in which they are tried, up to the one that
// counts.
func (g Gold) Explain(prediction string) []Step {
	var out []Step
	want := g.sought()
	for c := range candidates(prediction, g.profile, want) {
		if len(out) == maxCandidates {
			break
		}
		s := prepare(c.text)
		step := Step{From: c.from, Text: s}
		v, err := read(s, g.profile)
		taken := false
		switch {
		case s == "":
			step.Result = "empty"
		case want.choice && (c.weak || c.words) && choiceLabel(s) == 0:
			step.Result = "no choice"
		case err != nil:
			step.Result = err.Error()
		case c.counts(v, want):
			taken = true
			step.Result = string(v.Kind()) + " " + v.String()
		default:
			step.Result = "words, not marked as an answer"
		}
		if out = append(out, step); taken {
			break
		}
	}
	return out
}

// counts reports whether a candidate that was read is an answer.
func (c candidate) counts(v expr.Value, want sought) bool {
	return !c.weak || c.words || v.Kind() != expr.KindText && (want.notation || v.Kind() != expr.KindNotation)
}

// prepare makes an answer ready to be read: without its carrier and its choice label.
func prepare(s string) string {
	if len(s) > 2*MaxAnswer {
		return s[:2*MaxAnswer] // too long to be read anyway
	}
	return clean(unmark(clean(s)))
}

// read reads an answer that was prepared.
func read(s string, p Profile) (expr.Value, error) {
	if len(s) > MaxAnswer {
		return expr.Value{}, fmt.Errorf("unreadable: %d bytes, expected at most %d", len(s), MaxAnswer)
	}
	if !utf8.ValidString(s) {
		return expr.Value{}, errors.New("unreadable: not UTF-8")
	}
	if p.Swapped {
		s = leadingZeros(s)
	}
	if rest, ok := unlabel(s); ok {
		if v, err := expr.Parse(rest, p.Math); err == nil {
			return v, nil
		}
	}
	return expr.Parse(s, p.Math)
}

// leadingZeros writes .5 as 0.5, which open-rs reads, unlike the other things that strict reading refuses.
func leadingZeros(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '.' && i+1 < len(s) && isDigit(s[i+1]) && (i == 0 || !isDigit(s[i-1]) && s[i-1] != '}') {
			b.WriteByte('0')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// isWords reports whether an answer was read as words, not as mathematics.
func isWords(v expr.Value) bool { return v.Kind() == expr.KindText }

// short cuts a text for a message.
func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
