package protocol

import (
	"fmt"
	"math"
	"strings"
)

// Override changes single settings of a protocol; what is nil stays.
type Override struct {
	Samples     *int // of every benchmark
	Temperature *float64
	TopP        *float64
	MaxTokens   *int
	Seed        *uint64
}

// With is the protocol with other settings, and its name says so: scores of a
// changed protocol are not those of the protocol. It fails on settings that
// can't be sampled with.
func (p Protocol) With(o Override) (Protocol, error) {
	var changed []string
	set(&changed, "temperature", &p.Temperature, o.Temperature)
	set(&changed, "top-p", &p.TopP, o.TopP)
	set(&changed, "max-tokens", &p.MaxTokens, o.MaxTokens)
	set(&changed, "seed", &p.Seed, o.Seed)
	if o.Samples != nil {
		others := len(changed)
		set(&changed, "samples", &p.Samples, o.Samples)
		if len(p.By) > 0 && len(changed) == others { // the benchmarks with samples of their own lose them
			changed = append(changed, fmt.Sprintf("samples=%d", p.Samples))
		}
		p.By = nil
	}
	if err := p.Check(); err != nil {
		return p, err
	}
	if len(changed) > 0 {
		p.Name += "+" + strings.Join(changed, "+")
	}
	return p, nil
}

// set changes a setting and notes it, if it is another value.
func set[T comparable](changed *[]string, name string, to *T, from *T) {
	if from == nil || *from == *to {
		return
	}
	*to = *from
	*changed = append(*changed, fmt.Sprintf("%s=%v", name, *from))
}

// Check says whether a model can be sampled with these settings: 0 is a
// temperature (the most likely token), and a top-p of 1 keeps every token.
func (p Protocol) Check() error {
	fault := func(what string, found any, want string) error {
		return fmt.Errorf("protocol %s: %s is %v, expected %s", p.Name, what, found, want)
	}
	switch {
	case math.IsNaN(p.Temperature) || p.Temperature < 0 || math.IsInf(p.Temperature, 0):
		return fault("temperature", p.Temperature, "0 or more")
	case math.IsNaN(p.TopP) || p.TopP <= 0 || p.TopP > 1:
		return fault("top-p", p.TopP, "more than 0 and at most 1")
	case p.MaxTokens < 1:
		return fault("max-tokens", p.MaxTokens, "at least 1")
	case p.Samples < 1:
		return fault("samples", p.Samples, "at least 1")
	}
	for _, by := range p.By {
		if by.N < 1 {
			return fault("samples of "+by.Benchmark, by.N, "at least 1")
		}
	}
	return nil
}
