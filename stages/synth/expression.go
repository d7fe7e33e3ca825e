package synth

import (
	"strconv"
	"strings"
)

// Limits of the task.
const (
	// MinLevel and MaxLevel bound the level of a problem, its number of operations.
	MinLevel, MaxLevel = 1, 4

	maxOperand = 99  // operands of + and - are 1 to maxOperand
	minFactor  = 2   // factors of the product are minFactor to maxFactor
	maxFactor  = 9   //
	maxValue   = 999 // every intermediate value is 0 to maxValue
)

// expression is a chain of terms joined by operators: terms[0] ops[0]
// terms[1] ops[1] … At most one operator is '*'.
type expression struct {
	terms []int
	ops   []byte
}

// draw makes one expression with the given number of operations. It may have
// values outside the limits; the caller draws again then.
func draw(r random, level int) expression {
	e := expression{terms: make([]int, level+1), ops: make([]byte, level)}
	for i := range e.ops {
		e.ops[i] = "+-"[r.below(2)]
	}
	for i := range e.terms {
		e.terms[i] = r.between(1, maxOperand)
	}
	if r.chance(0.5) {
		at := r.below(level)
		e.ops[at] = '*'
		e.terms[at] = r.between(minFactor, maxFactor)
		e.terms[at+1] = r.between(minFactor, maxFactor)
	}
	return e
}

// String is the text of the expression, without spaces: the problem.
func (e expression) String() string {
	var b strings.Builder
	for i, t := range e.terms {
		if i > 0 {
			b.WriteByte(e.ops[i-1])
		}
		b.WriteString(strconv.Itoa(t))
	}
	return b.String()
}

// solve works the expression out, the product first and then from left to
// right. It returns the lines of working and the answer; ok is false when a
// value leaves 0 to maxValue.
//
// skip is asked once for every intermediate result (never for the last one)
// whether to leave it unwritten. An unwritten result stays in the next line as
// the expression that it is: 7*8+35-19 becomes 7*8+35=91, 91-19=72 when 7*8 is
// not written.
func (e expression) solve(skip func() bool) (lines []string, answer int, ok bool) {
	// Each part is a value and how the next line writes it.
	type part struct {
		value int
		text  string
	}
	parts := make([]part, len(e.terms))
	for i, t := range e.terms {
		parts[i] = part{t, strconv.Itoa(t)}
	}
	ops := append([]byte(nil), e.ops...)

	for len(ops) > 0 {
		at := strings.IndexByte(string(ops), '*')
		if at < 0 {
			at = 0
		}
		a, b := parts[at], parts[at+1]
		var v int
		switch ops[at] {
		case '+':
			v = a.value + b.value
		case '-':
			v = a.value - b.value
		case '*':
			v = a.value * b.value
		}
		if v < 0 || v > maxValue {
			return nil, 0, false
		}
		next := part{v, a.text + string(ops[at]) + b.text}
		if len(ops) == 1 || !skip() {
			lines = append(lines, next.text+"="+strconv.Itoa(v))
			next.text = strconv.Itoa(v)
		}
		parts[at] = next
		parts = append(parts[:at+1], parts[at+2:]...)
		ops = append(ops[:at], ops[at+1:]...)
	}
	return lines, parts[0].value, true
}

// Level returns the level (the number of operations) of a problem of this
// task from its text, and false when the text is not one.
func Level(problem string) (int, bool) {
	level, digits := 0, 0
	for i := 0; i < len(problem); i++ {
		switch c := problem[i]; {
		case c >= '0' && c <= '9':
			digits++
		case (c == '+' || c == '-' || c == '*') && digits > 0:
			level, digits = level+1, 0
		default:
			return 0, false
		}
	}
	if digits == 0 || level < MinLevel || level > MaxLevel {
		return 0, false
	}
	return level, true
}
