package report

import (
	"fmt"

	"openrs/evaluate/benchmark"
	"openrs/evaluate/stats"
	"openrs/schemas"
)

// Input is the scored rollouts of one model. Rows may be in any order; the
// samples of a problem need not be equally many.
type Input struct {
	Name string
	Rows []schemas.Scored
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

	resamples int
	curves    []curve
	examples  []exampleGroup
}

// Paired compares model B with model A on the problems that both answered.
type Paired struct {
	A          string     `json:"a"`
	B          string     `json:"b"`
	Difference Difference `json:"difference"` // accuracy of B minus that of A
	P          Number     `json:"p_value"`    // two-sided sign-flip permutation test
	PExact     bool       `json:"p_exact"`    // all sign patterns were tried
	Problems   int        `json:"problems"`   // in both
	OnlyA      int        `json:"only_a"`     // problems that only A has; not used
	OnlyB      int        `json:"only_b"`     // problems that only B has; not used
}

// Difference is a mean difference with its uncertainty.
type Difference struct {
	Mean Number    `json:"mean"`
	CI95 [2]Number `json:"ci95"` // bootstrap percentile interval over problems
	SE   Number    `json:"se"`   // clustered by problem
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
		all = append(all, gather(in))
	}

	draws := stats.Options{Seed: opt.Seed, Resamples: opt.Resamples}
	r := &Report{
		Title: opt.Title, Seed: opt.Seed, Seconds: Number(opt.Seconds), Settings: opt.Settings,
		Models: []Model{}, Paired: []Paired{},
		resamples: opt.Resamples,
		curves:    curves(opt.Metrics),
		examples:  chooseExamples(all, opt.Examples, opt.Seed),
	}
	for _, a := range all {
		r.Models = append(r.Models, a.model(draws, opt.Level))
	}
	for _, b := range all[1:] {
		p, err := pair(all[0], b, draws)
		if err != nil {
			return nil, err
		}
		r.Paired = append(r.Paired, p)
	}
	return r, nil
}

// pair compares two models on the problems that both have.
func pair(a, b *answers, draws stats.Options) (Paired, error) {
	p := Paired{A: a.name, B: b.name}
	var means [2][]float64
	for _, id := range a.order {
		mine, theirs := a.problems[id].right, []float64(nil)
		if other := b.problems[id]; other != nil {
			theirs = other.right
		}
		switch {
		case len(mine) > 0 && len(theirs) > 0:
			means[0] = append(means[0], stats.Mean(mine))
			means[1] = append(means[1], stats.Mean(theirs))
		case len(mine) > 0:
			p.OnlyA++
		}
	}
	p.Problems = len(means[0])
	for _, id := range b.order {
		if len(b.problems[id].right) > 0 {
			p.OnlyB++
		}
	}
	p.OnlyB -= p.Problems

	d, err := stats.Compare(means[0], means[1], draws)
	if err != nil {
		return p, fmt.Errorf("report: %s against %s: %w", b.name, a.name, err)
	}
	p.Difference = Difference{Mean: Number(d.Mean), SE: Number(d.SE), CI95: [2]Number{Number(d.Interval.Lo), Number(d.Interval.Hi)}}
	p.P, p.PExact = Number(d.P), d.Exact
	return p, nil
}
