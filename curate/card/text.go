package card

import (
	"fmt"
	"strconv"
	"strings"

	"openrs/curate/refine"
)

// labels are what the steps that are in no recipe are called for readers.
var labels = map[string]string{
	refine.Reading: "reading", refine.Answers: "without an answer", refine.Limit: "limit (--n)",
}

// label is a step's name for readers.
func label(s refine.StepReport) string {
	if text, ok := labels[s.Label]; ok && s.Name == "" {
		return text
	}
	return s.Label
}

// options is a step's kind and options for readers, where its label does not say it.
func options(s refine.StepReport) string {
	text := s.Options
	if s.Name != "" && s.Label != s.Name {
		text = strings.TrimSuffix(s.Name+": "+text, ": ")
	}
	if len(s.Only) > 0 {
		text = strings.TrimPrefix(text+"; only rows of "+strings.Join(s.Only, ", "), "; ")
	}
	return text
}

// count writes a number with thin spaces between thousands.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// share writes a part of a whole in percent.
func share(n, of int) string {
	if of == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of))
}

// number writes a number as short as it stays exact enough to be read.
func number(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// span is the range of a bin.
func span(b Bin) string { return number(b.From) + "–" + number(b.To) }

// largest is the largest bar, at least 1.
func largest(bins []Bin) int {
	n := 1
	for _, b := range bins {
		n = max(n, b.Rows)
	}
	return n
}
