package step

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"openrs/curate/rows"
	"openrs/stages/suggest"
)

// field reads one part of a row; ok is false where the row does not have it.
type field func(r *rows.Row) (text string, ok bool)

// metadata is the beginning of a field's name that stands for a key of the metadata.
const metadata = "metadata."

// fields are the names of fields; metadata.KEY is one, too.
var fieldNames = []string{"problem", "solution", "answer", "source", "difficulty"}

// fieldByName returns a field of a list of names, all of them when there are none.
func fieldByName(name string, among ...string) (field, error) {
	if len(among) == 0 {
		among = append(slices.Clone(fieldNames), metadata+"KEY")
	}
	if key, ok := strings.CutPrefix(name, metadata); ok && key != "" && slices.Contains(among, metadata+"KEY") {
		return func(r *rows.Row) (string, bool) {
			v, ok := r.Metadata[key]
			return v, ok && v != ""
		}, nil
	}
	if !slices.Contains(among, name) {
		return nil, fmt.Errorf("of: %q%s, expected %s", name, suggest.From(name, among), strings.Join(among, ", "))
	}
	return func(r *rows.Row) (string, bool) {
		switch name {
		case "problem":
			return r.Problem.Problem, true
		case "solution":
			if r.Solution == nil {
				return "", false
			}
			return *r.Solution, true
		case "answer":
			return r.Answer, r.Answer != ""
		case "source":
			return r.Source, true
		}
		if r.Difficulty == nil {
			return "", false
		}
		return strconv.FormatFloat(float64(*r.Difficulty), 'g', -1, 32), true
	}, nil
}
