package refine

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"openrs/curate/ledger"
	"openrs/curate/load"
	"openrs/curate/rows"
	"openrs/curate/step"
	"openrs/schemas"
	"openrs/stages/suggest"
)

// Options of [Run].
type Options struct {
	Files   []File
	Steps   []step.Step
	Order   load.Order // of the rows that are left, after all steps
	Threads int        // 0: as many as there are cores
	Dir     string     // for the temporary file; "" is the system's
	// Lost is told of every row that does not reach the end; nil for nobody. It is called by one goroutine
	// at a time.
	Lost func(ledger.Entry) error
}

// Result is the rows that are left. It is closed by the caller.
type Result struct {
	Report Report

	spool  *rows.Spool
	places []rows.Place // each epoch after the other
}

// Len is the number of problems, those of all epochs.
func (r *Result) Len() int { return len(r.places) }

// Row returns one row, from 0 to Len−1.
func (r *Result) Row(i int) (*rows.Row, error) { return r.spool.Read(r.places[i]) }

// Problem returns one problem, from 0 to Len−1.
func (r *Result) Problem(i int) (schemas.Problem, error) {
	row, err := r.Row(i)
	if err != nil {
		return schemas.Problem{}, err
	}
	return row.Problem, nil
}

// Close gives up the temporary file.
func (r *Result) Close() error { return r.spool.Close() }

// run is the state of Run.
type run struct {
	opt     Options
	spool   *rows.Spool
	origin  []rows.Place // of each problem as it was read, by its number
	seen    map[[16]byte]int
	read    int
	tallies map[string]*tally
	sources map[string]*SourceReport
	files   []FileReport
}

// Run reads all files and puts their rows through all steps.
func Run(ctx context.Context, opt Options) (_ *Result, err error) {
	if opt.Threads <= 0 {
		opt.Threads = runtime.GOMAXPROCS(0)
	}
	spool, err := rows.NewSpool(opt.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			spool.Close()
		}
	}()
	r := &run{opt: opt, spool: spool, seen: map[[16]byte]int{}, tallies: map[string]*tally{}, sources: map[string]*SourceReport{}}
	r.files = make([]FileReport, len(opt.Files))
	places, err := r.segments(ctx)
	if err != nil {
		return nil, err
	}
	r.seen = nil
	for label, n := range map[string]int{Reading: r.read, Limit: len(places)} {
		r.tally(label).in = n
	}
	kept, beyond := load.Apply(opt.Order, places)
	for _, at := range beyond {
		row, err := spool.Read(at)
		if err != nil {
			return nil, err
		}
		if err := r.lose(row, Limit, step.Removal{Reason: "beyond --n", Row: -1}); err != nil {
			return nil, err
		}
	}
	return &Result{spool: spool, places: kept, Report: r.report(len(places) - len(beyond))}, nil
}

// WithAnswers adds the step that removes problems without an answer, at the first place after all steps
// that may find one from which on rows are counted or drawn.
func WithAnswers(steps []step.Step) []step.Step {
	finds := func(s step.Step) bool { return s.Name == "extract-answer" }
	if !slices.ContainsFunc(steps, finds) {
		return steps
	}
	at := len(steps)
	for ; at > 0 && !finds(steps[at-1]); at-- {
	}
	for at < len(steps) && steps[at].Arranger == nil {
		at++
	}
	last := step.Step{Filter: step.HasAnswer{}}
	last.Label = Answers
	return slices.Insert(slices.Clone(steps), at, last)
}

// stepError names the step in an error of it.
func stepError(s *step.Step, err error) error {
	return fmt.Errorf("step %s (line %d): %w", s.Label, s.Line, err)
}

func (r *run) tally(label string) *tally {
	t := r.tallies[label]
	if t == nil {
		t = newTally()
		r.tallies[label] = t
	}
	return t
}

// lose records that a row is taken out.
func (r *run) lose(row *rows.Row, label string, why step.Removal) error {
	t := r.tally(label)
	t.removed[why.Reason]++
	r.source(row.Source).Left--
	e := ledger.Entry{
		ProblemID: row.ProblemID, Source: row.Source, File: r.opt.Files[row.File].Path, Row: row.Line,
		Step: label, Reason: why.Reason, Detail: why.Detail, Problem: clip(row.Problem.Problem, 200),
	}
	example := Example{Reason: why.Reason, Detail: why.Detail, ID: row.ProblemID, Source: row.Source, Place: place(e.File, e.Row), Problem: clip(row.Problem.Problem, 1200)}
	switch {
	case why.Item != nil:
		e.OtherID, e.OtherFile, e.OtherRow = why.Item.ID, why.Item.File, why.Item.Row
		example.OtherProblem = why.Item.Text
	case why.Row >= 0:
		other, err := r.spool.Read(r.origin[why.Row])
		if err != nil {
			return err
		}
		e.OtherID, e.OtherFile, e.OtherRow = other.ProblemID, r.opt.Files[other.File].Path, other.Line
		example.OtherProblem = other.Problem.Problem
	}
	if e.OtherFile != "" {
		example.OtherPlace, example.OtherProblem = place(e.OtherFile, e.OtherRow), clip(example.OtherProblem, 1200)
	}
	if n := t.removed[why.Reason]; n <= examplesEach {
		t.examples = append(t.examples, example)
	}
	if r.opt.Lost == nil {
		return nil
	}
	return r.opt.Lost(e)
}

func place(file string, row int64) string { return fmt.Sprintf("%s, row %d", file, row) }

// clip cuts a text after n characters.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	count := 0
	for i := range text {
		if count == n {
			return text[:i] + "…"
		}
		count++
	}
	return text
}

// source counts the rows of a source.
func (r *run) source(name string) *SourceReport {
	s := r.sources[name]
	if s == nil {
		s = &SourceReport{Name: name}
		r.sources[name] = s
	}
	return s
}

// report puts together what was counted.
func (r *run) report(left int) Report {
	rep := Report{Files: r.files, Read: r.read, Left: left}
	add := func(s StepReport) { rep.Steps = append(rep.Steps, r.tally(s.Label).report(s)) }
	add(StepReport{Label: Reading})
	for _, s := range r.opt.Steps {
		options := ""
		if s.Name != "" {
			options = s.Values.String()
		}
		add(StepReport{Label: s.Label, Name: s.Name, Options: options, Only: s.Only, Notes: s.Notes()})
		for _, name := range s.Only {
			if r.sources[name] == nil {
				has := slices.Sorted(maps.Keys(r.sources))
				rep.Warnings = append(rep.Warnings, fmt.Sprintf("step %s is for rows of source %s, and there are none%s; there are rows of %s", s.Label, name, suggest.From(name, has), strings.Join(has, ", ")))
			}
		}
	}
	if r.opt.Order.Limit > 0 {
		add(StepReport{Label: Limit})
	}
	for _, s := range r.sources {
		rep.Sources = append(rep.Sources, *s)
	}
	slices.SortFunc(rep.Sources, func(a, b SourceReport) int { return cmp.Compare(a.Name, b.Name) })
	return rep
}

// first tells whether a problem's id is new; if not, the number of the row that had it.
func (r *run) first(row *rows.Row) (other int, first bool) {
	var key [16]byte
	hex.Decode(key[:], []byte(row.ProblemID)) // made by schemas.ProblemID
	if other, seen := r.seen[key]; seen {
		return other, false
	}
	r.seen[key] = row.Num
	return row.Num, true
}
