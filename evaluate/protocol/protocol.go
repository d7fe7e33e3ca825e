package protocol

import (
	"errors"
	"fmt"
	"strings"

	"openrs/stages/suggest"
)

// ErrUnknown is returned for a name that no preset has.
var ErrUnknown = errors.New("unknown protocol")

// Protocol is one row of the table of presets.
type Protocol struct {
	Name        string
	Summary     string // one line for --help, with the source
	Temperature float64
	TopP        float64
	MaxTokens   int    // of a completion, its thoughts included
	Seed        uint64 // of all samples
	Samples     int    // of each problem of a benchmark that By does not name
	By          []Samples
}

// Samples is how often each problem of one benchmark is answered.
type Samples struct {
	Benchmark string // the name in package benchmark's table
	N         int
}

// Settings are what a protocol means for one benchmark.
type Settings struct {
	Samples     int
	Temperature float64
	TopP        float64
	MaxTokens   int
	Seed        uint64
}

// Names of the presets.
const (
	OpenRS = "open-rs"
	Sober  = "sober"
)

// All returns the presets. The first is what the study's own numbers were made
// with, the second the least that lets a difference of a few points be seen.
func All() []Protocol {
	return []Protocol{
		{
			Name:        OpenRS,
			Summary:     "as open-rs measured: one sample a problem, temperature 0.6, top-p 0.95 (open-rs eval.sh; lighteval's seed)",
			Temperature: 0.6, TopP: 0.95, MaxTokens: 32768, Seed: 1234, Samples: 1,
		},
		{
			Name:        Sober,
			Summary:     "as A Sober Look at Progress in Reasoning measured: 10 samples of AIME and AMC, 3 of the large sets, temperature 0.8, top-p 0.9 (sober-reasoning run.sh)",
			Temperature: 0.8, TopP: 0.9, MaxTokens: 32768, Seed: 0, Samples: 3,
			By: []Samples{{"aime24", 10}, {"aime25", 10}, {"amc23", 10}},
		},
	}
}

// Names returns the name of every preset.
func Names() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}

// Lookup finds a preset by name, or fails with ErrUnknown and the names that
// there are.
func Lookup(name string) (Protocol, error) {
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
	}
	return Protocol{}, fmt.Errorf("%w %q%s: want one of %s", ErrUnknown, name, suggest.From(name, Names()), strings.Join(Names(), ", "))
}

// For is what the protocol means for the benchmark of this name, which is a
// name of package benchmark's table, not an alias.
func (p Protocol) For(benchmark string) Settings {
	s := Settings{Samples: p.Samples, Temperature: p.Temperature, TopP: p.TopP, MaxTokens: p.MaxTokens, Seed: p.Seed}
	for _, by := range p.By {
		if by.Benchmark == benchmark {
			s.Samples = by.N
		}
	}
	return s
}

// String is the protocol in one line, as a report states it.
func (p Protocol) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: temperature %g, top-p %g, at most %d tokens, seed %d, %d samples a problem", p.Name, p.Temperature, p.TopP, p.MaxTokens, p.Seed, p.Samples)
	for _, by := range p.By {
		fmt.Fprintf(&b, ", %d of %s", by.N, by.Benchmark)
	}
	return b.String()
}
