package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"openrs/evaluate/benchmark"
	"openrs/evaluate/stats"
	"openrs/schemas"
	"openrs/score/answer"
)

// Input is the scored rollouts of one model. Rows may be in any order; the
// samples of a problem need not be equally many.
type Input struct {
	Name string
	Rows []schemas.Scored
}

// ByVersion takes each version of the policy in an input with several as a model of its own, called
// NAME@VERSION, in order of version.
func ByVersion(inputs []Input) []Input {
	var out []Input
	for _, in := range inputs {
		rows := make(map[int64][]schemas.Scored)
		for _, row := range in.Rows {
			rows[row.PolicyVersion] = append(rows[row.PolicyVersion], row)
		}
		if len(rows) < 2 {
			out = append(out, in)
			continue
		}
		for _, version := range slices.Sorted(maps.Keys(rows)) {
			out = append(out, Input{fmt.Sprintf("%s@%d", in.Name, version), rows[version]})
		}
	}
	return out
}

// Setting is one line of the table of what was run, in the page.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Options of Build. The zero value gives the figures without curves or
// settings.
type Options struct {
	Title     string  // of the page; empty means a plain one
	Seed      uint64  // of the bootstrap, the permutations and the choice of examples
	Seconds   float64 // how long the run took, as the caller measured it
	Resamples int     // 0 means stats.DefaultResamples

	Metrics  []schemas.Metric // of the training run, for the curves
	Settings []Setting

	// Profile is how answers are found and compared when reasons are given; nil
	// means the one that explains most of the recorded verdicts, for each model.
	Profile *answer.Profile

	// Date is the time of the evaluation in the names and the contents of the
	// files that lighteval's readers look for. The zero value makes files whose
	// names and contents are the same whenever they are written.
	Date time.Time
	// Suite comes before a task in these files, as in custom|aime24|0; empty
	// means aime24|0, as lighteval writes since version 0.11.
	Suite string
	// Details asks for lighteval's detail files too: one row a problem.
	Details bool
	// Prompt turns the tokens of a prompt into text; nil leaves prompts out of
	// the files of samples but for their tokens.
	Prompt func(ids []int32) string

	// PageText is how much text of completions the page holds, in bytes; 0
	// means DefaultPageText, below 0 no samples at all.
	PageText int

	// Examples is how many problems of each kind (right, wrong, better,
	// worse) the page shows; 0 means 2, below 0 none.
	Examples int

	// Level tells the level of difficulty of a problem from its source and
	// text; nil means benchmark.Level.
	Level func(source, problem string) (string, bool)
}

// Report is everything that was found. Its JSON form is report.json; shares
// and accuracies are from 0 to 1 there.
type Report struct {
	Title    string    `json:"title,omitempty"`
	Models   []Model   `json:"models"`
	Paired   []Paired  `json:"paired"`
	Seed     uint64    `json:"seed"`
	Seconds  Number    `json:"seconds"`
	Settings []Setting `json:"settings,omitempty"`
	// Selection is what picking the best of several models is worth, when there
	// are two or more besides the first.
	Selection []Selection `json:"selection,omitempty"`
	Notes     []string    `json:"notes,omitempty"` // what a reader must know about the rows behind the figures

	options  Options
	tasks    []string
	answers  []*answers
	curves   []curve
	examples []exampleGroup
}

// Build computes the report of one or more models. The first is the one that
// the others are compared with: before and after, in this order.
//
// Rows whose correct is null (an unreadable gold answer, a prompt that did not
// fit) are counted, and left out of every figure about right and wrong.
func Build(inputs []Input, opt Options) (*Report, error) {
	if len(inputs) == 0 {
		return nil, fmt.Errorf("report: no models: want the scored rollouts of one or more")
	}
	if opt.Level == nil {
		opt.Level = benchmark.Level
	}
	if opt.Resamples <= 0 {
		opt.Resamples = stats.DefaultResamples
	}
	if opt.Examples == 0 {
		opt.Examples = 2
	}
	names := make(map[string]bool)
	var all []*answers
	for _, in := range inputs {
		if in.Name == "" || names[in.Name] {
			return nil, fmt.Errorf("report: model name %q: want each model to have its own", in.Name)
		}
		names[in.Name] = true
		a := gather(in)
		a.judge(opt.Profile)
		all = append(all, a)
	}

	draws := stats.Options{Seed: opt.Seed, Resamples: opt.Resamples}
	r := &Report{
		Title: opt.Title, Seed: opt.Seed, Seconds: Number(opt.Seconds), Settings: opt.Settings,
		Models: make([]Model, len(all)), Paired: []Paired{},
		options: opt, tasks: tasksOf(all), answers: all,
		curves:   curves(opt.Metrics),
		examples: chooseExamples(all, opt.Examples, opt.Seed),
	}
	var wg sync.WaitGroup
	for i, a := range all {
		wg.Go(func() { r.Models[i] = a.model(r.tasks, draws, opt.Level) })
	}
	wg.Wait()
	for _, b := range all[1:] {
		p, err := pair(all[0], b, r.tasks, draws)
		if err != nil {
			return nil, err
		}
		r.Paired = append(r.Paired, p)
	}
	correct(r.Paired)
	r.Selection = r.selection(draws)
	r.Notes = r.notes()
	return r, nil
}

// tasksOf are the tasks of all models: those of the table of benchmarks in its order, then others by
// name.
func tasksOf(all []*answers) []string {
	known := benchmark.Names()
	place := func(task string) int {
		if i := slices.Index(known, task); i >= 0 {
			return i
		}
		return len(known)
	}
	seen := make(map[string]bool)
	for _, a := range all {
		for _, p := range a.problems {
			seen[p.task] = true
		}
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b string) int {
		return cmp.Or(cmp.Compare(place(a), place(b)), cmp.Compare(a, b))
	})
}
