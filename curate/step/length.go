package step

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"openrs/curate/recipe"
	"openrs/curate/rows"
)

// lengthFilter keeps rows by the length of a text.
type lengthFilter struct {
	of     field
	name   string
	unit   string
	length func(string) int
	bounds bounds
}

func newLength(v recipe.Values, env *Env) (Filter, error) {
	name := v.Text("of")
	of, err := fieldByName(name, "problem", "solution", "answer")
	if err != nil {
		return nil, err
	}
	f := &lengthFilter{of: of, name: name, unit: v.Text("unit"), bounds: readBounds(v)}
	if f.bounds.none() {
		return nil, fmt.Errorf("length: expected min or max")
	}
	if f.unit == "" {
		f.unit = "characters"
		if env.Tokens != nil {
			f.unit = "tokens"
		}
	}
	switch f.unit {
	case "tokens":
		if env.Tokens == nil {
			return nil, fmt.Errorf("unit: tokens need --tokenizer NAME (tiny, or a model folder)")
		}
		f.length = env.Tokens
	case "words":
		f.length = func(s string) int { return len(strings.Fields(s)) }
	default:
		f.length = utf8.RuneCountInString
	}
	return f, nil
}

func (f *lengthFilter) Look(r *rows.Row) (*Removal, error) {
	text, ok := f.of(r)
	if !ok {
		text = ""
	}
	n := f.length(text)
	if out := f.bounds.outside(float64(n)); out != "" {
		reason := f.name + " too long"
		if out == "too small" {
			reason = f.name + " too short"
		}
		return removal(reason, fmt.Sprintf("%d %s", n, f.unit)), nil
	}
	return nil, nil
}

// Notes implements [Noter].
func (f *lengthFilter) Notes() []string {
	note := fmt.Sprintf("the %s's length in %s", f.name, f.unit)
	if !math.IsInf(f.bounds.from, 0) {
		note += fmt.Sprintf(", from %g", f.bounds.from)
	}
	if !math.IsInf(f.bounds.to, 0) {
		note += fmt.Sprintf(", to %g", f.bounds.to)
	}
	return []string{note}
}
