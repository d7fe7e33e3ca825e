package benchmark

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"openrs/schemas"
	"openrs/stages/suggest"
	"openrs/stages/synth"
)

// ErrUnknown is returned for a name that no row has.
var ErrUnknown = errors.New("unknown benchmark")

// Options of Problems. A benchmark uses those that mean something to it and
// refuses the others.
type Options struct {
	N      int    // number of problems; 0 means the benchmark's own number
	Seed   uint64 // chooses the problems of a benchmark that is drawn, not read
	Levels []int  // levels of difficulty, for a benchmark that has them; empty means all
}

// Benchmark is one row of the table.
type Benchmark struct {
	Name    string
	Summary string // one line for --help
	Rows    int    // number of problems when Options.N is 0

	problems func(b Benchmark, opt Options) ([]schemas.Problem, error)
	level    func(problem string) (string, bool) // nil: no levels
}

// table returns the rows. It is a function because Go has no constant slices.
func table() []Benchmark {
	return []Benchmark{
		{
			Name:     synth.Source,
			Summary:  "held-out arithmetic: the built-in task, different problems, levels 1 to 4",
			Rows:     512,
			problems: heldOut,
			level: func(problem string) (string, bool) {
				l, ok := synth.Level(problem)
				return strconv.Itoa(l), ok
			},
		},
	}
}

// All returns every benchmark in the order of the table.
func All() []Benchmark { return table() }

// Names returns the name of every benchmark in the order of the table.
func Names() []string {
	var names []string
	for _, b := range table() {
		names = append(names, b.Name)
	}
	return names
}

// Lookup finds a benchmark by name, or fails with ErrUnknown and the names
// that there are.
func Lookup(name string) (Benchmark, error) {
	for _, b := range table() {
		if b.Name == name {
			return b, nil
		}
	}
	return Benchmark{}, fmt.Errorf("%w %q%s: want one of %s", ErrUnknown, name, suggest.From(name, Names()), strings.Join(Names(), ", "))
}

// Problems returns the problems of the named benchmark, each once: how often
// each is sampled is for the sampler to say.
func Problems(name string, opt Options) ([]schemas.Problem, error) {
	b, err := Lookup(name)
	if err != nil {
		return nil, err
	}
	if opt.N < 0 {
		return nil, fmt.Errorf("benchmark %s: %d problems: want 0 (all) or more", name, opt.N)
	}
	if opt.N == 0 {
		opt.N = b.Rows
	}
	problems, err := b.problems(b, opt)
	if err != nil {
		return nil, fmt.Errorf("benchmark %s: %w", name, err)
	}
	return problems, nil
}

// Level is the level of difficulty of a problem, given its source and text.
// false means that the source has no levels or the text is not one of its
// problems. Rollouts carry no metadata, so the text has to say it.
func Level(source, problem string) (string, bool) {
	b, err := Lookup(source)
	if err != nil || b.level == nil {
		return "", false
	}
	return b.level(problem)
}

// heldOut draws from the part of the arithmetic task that training never sees.
func heldOut(_ Benchmark, opt Options) ([]schemas.Problem, error) {
	g, err := synth.New(synth.Options{Seed: opt.Seed, Split: synth.Test, Levels: opt.Levels})
	if err != nil {
		return nil, err
	}
	return g.Distinct(opt.N)
}
