package benchmark

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"openrs/stages/synth"
)

func TestEveryRow(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range All() {
		t.Run(b.Name, func(t *testing.T) {
			if b.Name == "" || b.Summary == "" || b.Rows <= 0 || seen[b.Name] {
				t.Fatalf("incomplete or repeated row: %+v", b)
			}
			seen[b.Name] = true
			problems, err := Problems(b.Name, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(problems) != b.Rows {
				t.Errorf("%d problems, want %d", len(problems), b.Rows)
			}
			ids := map[string]bool{}
			for _, p := range problems {
				if p.ProblemID == "" || p.Source != b.Name || p.Problem == "" || p.Answer == "" || ids[p.ProblemID] {
					t.Fatalf("problem %+v", p)
				}
				ids[p.ProblemID] = true
			}
			again, err := Problems(b.Name, Options{})
			if err != nil || !reflect.DeepEqual(problems, again) {
				t.Errorf("asked again, other problems came (%v)", err)
			}
		})
	}
}

func TestSynthIsHeldOut(t *testing.T) {
	a, err := Problems("synth", Options{N: 64, Seed: 1, Levels: []int{2, 4}})
	if err != nil || len(a) != 64 {
		t.Fatalf("%d problems, %v", len(a), err)
	}
	levels := map[string]int{}
	for _, p := range a {
		if synth.InSplit(p.Problem) != synth.Test {
			t.Errorf("%s is a training problem", p.Problem)
		}
		l, ok := Level(p.Source, p.Problem)
		if !ok || l != p.Metadata["level"] {
			t.Errorf("%s: level %q (%v), want %q", p.Problem, l, ok, p.Metadata["level"])
		}
		levels[l]++
	}
	if len(levels) != 2 || levels["2"] == 0 || levels["4"] == 0 {
		t.Errorf("levels %v, want 2 and 4", levels)
	}
	b, err := Problems("synth", Options{N: 64, Seed: 2, Levels: []int{2, 4}})
	if err != nil || reflect.DeepEqual(a, b) {
		t.Errorf("another seed gave the same problems (%v)", err)
	}
}

func TestRefusals(t *testing.T) {
	_, err := Problems("aime99", Options{})
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"aime99": want one of synth`) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := Problems("sinth", Options{}); err == nil || !strings.Contains(err.Error(), `did you mean "synth"`) {
		t.Errorf("mistyped name: %v", err)
	}
	for _, opt := range []Options{{N: -1}, {Levels: []int{9}}, {N: 100_000, Levels: []int{1}}} {
		if _, err := Problems("synth", opt); err == nil || !strings.Contains(err.Error(), "benchmark synth: ") {
			t.Errorf("%+v: got %v", opt, err)
		}
	}
	if _, ok := Level("aime99", "1+2"); ok {
		t.Error("an unknown source has a level")
	}
	if _, ok := Level("synth", "what is 1+2?"); ok {
		t.Error("a text that is no expression has a level")
	}
}
