package protocol

import (
	"errors"
	"math"
	"strings"
	"testing"

	"openrs/evaluate/benchmark"
)

func TestPresets(t *testing.T) {
	// Every benchmark that a preset names must be one, and every preset be
	// something a model can be sampled with.
	seen := map[string]bool{}
	for _, p := range All() {
		if p.Name == "" || p.Summary == "" || seen[p.Name] {
			t.Errorf("incomplete or repeated row: %+v", p)
		}
		seen[p.Name] = true
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		for _, by := range p.By {
			if b, err := benchmark.Lookup(by.Benchmark); err != nil || b.Name != by.Benchmark {
				t.Errorf("%s: %s is no name of a benchmark (%v)", p.Name, by.Benchmark, err)
			}
		}
	}
	for _, c := range []struct {
		protocol, benchmark string
		want                Settings
	}{
		{OpenRS, "aime24", Settings{1, 0.6, 0.95, 32768, 1234}},
		{OpenRS, "math_500", Settings{1, 0.6, 0.95, 32768, 1234}},
		{Sober, "aime24", Settings{10, 0.8, 0.9, 32768, 0}},
		{Sober, "aime25", Settings{10, 0.8, 0.9, 32768, 0}},
		{Sober, "amc23", Settings{10, 0.8, 0.9, 32768, 0}},
		{Sober, "math_500", Settings{3, 0.8, 0.9, 32768, 0}},
		{Sober, "olympiadbench", Settings{3, 0.8, 0.9, 32768, 0}},
		{Sober, "gpqa:diamond", Settings{3, 0.8, 0.9, 32768, 0}},
	} {
		p, err := Lookup(c.protocol)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.For(c.benchmark); got != c.want {
			t.Errorf("%s for %s: got %+v, want %+v", c.protocol, c.benchmark, got, c.want)
		}
	}
	if _, err := Lookup("sobre"); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `did you mean "sober"`) {
		t.Errorf("mistyped name: %v", err)
	}
}

func to[T any](v T) *T { return &v }

func TestOverride(t *testing.T) {
	sober, err := Lookup(Sober)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o         Override
		name      string
		aime, big int // samples
	}{
		{Override{}, "sober", 10, 3},
		{Override{Temperature: to(0.8), TopP: to(0.9)}, "sober", 10, 3}, // what it says anyway
		{Override{Samples: to(64)}, "sober+samples=64", 64, 64},
		{Override{Samples: to(3)}, "sober+samples=3", 3, 3}, // of the large sets already, not of AIME
		{Override{Samples: to(3), Temperature: to(0.6)}, "sober+temperature=0.6+samples=3", 3, 3},
		{Override{Temperature: to(0.0), MaxTokens: to(64), Seed: to(uint64(7)), TopP: to(1.0)}, "sober+temperature=0+top-p=1+max-tokens=64+seed=7", 10, 3},
	} {
		p, err := sober.With(c.o)
		if err != nil {
			t.Fatal(err)
		}
		if p.Name != c.name || p.For("aime24").Samples != c.aime || p.For("gsm8k").Samples != c.big {
			t.Errorf("%+v: got %s", c.o, p)
		}
		if !strings.Contains(p.String(), p.Name) {
			t.Errorf("%q does not say its name", p)
		}
	}
	if again, _ := Lookup(Sober); again.For("aime24").Samples != 10 {
		t.Error("an override changed the preset")
	}
	for what, o := range map[string]Override{
		"samples":     {Samples: to(0)},
		"temperature": {Temperature: to(-1.0)},
		"top-p":       {TopP: to(0.0)},
		"max-tokens":  {MaxTokens: to(0)},
	} {
		if _, err := sober.With(o); err == nil || !strings.Contains(err.Error(), what+" is") {
			t.Errorf("%s: got %v", what, err)
		}
	}
	for _, o := range []Override{{Temperature: to(math.NaN())}, {Temperature: to(math.Inf(1))}, {TopP: to(math.NaN())}, {TopP: to(1.1)}} {
		if _, err := sober.With(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	if _, err := (Protocol{Name: "x", TopP: 1, MaxTokens: 1, Samples: 1, By: []Samples{{"aime24", 0}}}).With(Override{}); err == nil || !strings.Contains(err.Error(), "aime24") {
		t.Errorf("no samples of a benchmark: %v", err)
	}
}
