package refine

import (
	"cmp"
	"maps"
	"slices"

	"openrs/curate/load"
)

// Labels of what is not a step of the recipe but takes rows out all the same.
const (
	Reading = "read"   // rows that are no problems, and problems read before
	Answers = "answer" // problems for which no step has found an answer
	Limit   = "n"      // problems beyond --n
)

// Report is what was read, what each step did, and examples of what was removed.
type Report struct {
	Files   []FileReport   `json:"files"`
	Steps   []StepReport   `json:"steps"` // first Reading
	Sources []SourceReport `json:"sources"`
	Read    int            `json:"read"` // rows
	Left    int            `json:"left"`
	// Warnings say what was probably not meant: a step for rows of a source that has none.
	Warnings []string `json:"warnings,omitempty"`
}

// FileReport is one file that was read.
type FileReport struct {
	Path    string       `json:"path"`
	Summary load.Summary `json:"summary"`
}

// SourceReport counts the rows of one source.
type SourceReport struct {
	Name string `json:"name"`
	Read int    `json:"read"`
	Left int    `json:"left"`
}

// StepReport is what one step did.
type StepReport struct {
	Label   string   `json:"label"`
	Name    string   `json:"name,omitempty"` // of the step's kind; "" for those that are in no recipe
	Options string   `json:"options,omitempty"`
	Only    []string `json:"only,omitempty"`
	In      int      `json:"in"`
	Out     int      `json:"out"`
	Removed []Count  `json:"removed,omitempty"` // by reason, most first
	Notes   []string `json:"notes,omitempty"`
	// Examples are the first rows removed for each reason, at most examplesEach.
	Examples []Example `json:"examples,omitempty"`
}

// Count is how many rows were removed for one reason.
type Count struct {
	Reason string `json:"reason"`
	Rows   int    `json:"rows"`
}

// Example is one removed row.
type Example struct {
	Reason  string `json:"reason"`
	Detail  string `json:"detail,omitempty"`
	ID      string `json:"id"`
	Source  string `json:"source"`
	Place   string `json:"place"` // file and row
	Problem string `json:"problem"`
	// The other row, of a duplicate or a benchmark.
	OtherPlace   string `json:"other_place,omitempty"`
	OtherProblem string `json:"other_problem,omitempty"`
}

const examplesEach = 3

// tally is the counting side of a StepReport.
type tally struct {
	in       int
	removed  map[string]int
	examples []Example
}

func newTally() *tally { return &tally{removed: map[string]int{}} }

func (t *tally) report(s StepReport) StepReport {
	s.In, s.Out = t.in, t.in
	for _, reason := range slices.Sorted(maps.Keys(t.removed)) {
		s.Removed = append(s.Removed, Count{reason, t.removed[reason]})
		s.Out -= t.removed[reason]
	}
	slices.SortStableFunc(s.Removed, func(a, b Count) int { return cmp.Compare(b.Rows, a.Rows) })
	s.Examples = t.examples
	slices.SortStableFunc(s.Examples, func(a, b Example) int {
		return cmp.Or(cmp.Compare(t.removed[b.Reason], t.removed[a.Reason]), cmp.Compare(a.Reason, b.Reason))
	})
	return s
}
