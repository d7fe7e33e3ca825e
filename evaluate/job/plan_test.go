package job

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"openrs/schemas"
	"openrs/stages"
)

// someProblems are n problems of a source.
func someProblems(source string, n int) []schemas.Problem {
	var all []schemas.Problem
	for i := range n {
		text := fmt.Sprintf("what is %d+%d?", i, i)
		all = append(all, schemas.Problem{ProblemID: schemas.ProblemID(source, text), Source: source, Problem: text, Answer: fmt.Sprint(2 * i), Metadata: map[string]string{"level": "1"}})
	}
	return all
}

var warm = Sampling{Temperature: 0.8, TopP: 0.9, MaxTokens: 100, Seed: 5}

func plan(t *testing.T, limit int64, tasks ...Task) *Plan {
	t.Helper()
	p, err := NewPlan(tasks, limit)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever the sizes, every sample is in one piece; and of what is missing, each sample in one.
func TestPiecesCoverTheSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tasks := []Task{
			{Name: "a", Problems: someProblems("a", 1+rng.IntN(9)), Samples: 1 + rng.IntN(30), Sampling: warm},
			{Name: "b", Problems: someProblems("b", 1+rng.IntN(9)), Samples: 1 + rng.IntN(3), Sampling: Sampling{MaxTokens: 1 + rng.IntN(4000)}},
		}
		p := plan(t, int64(rng.IntN(2))*(200_000), tasks...)
		want := len(tasks[0].Problems)*tasks[0].Samples + len(tasks[1].Problems)*tasks[1].Samples
		seen := map[Key]int{}
		for _, piece := range p.Pieces() {
			for _, k := range p.Keys(piece) {
				seen[k]++
			}
			if tokens := piece.Count * p.tasks[p.problems[piece.problem].task].Sampling.MaxTokens; piece.Count > 1 && tokens > pieceTokens {
				t.Errorf("a piece of %d samples may have %d tokens", piece.Count, tokens)
			}
		}
		if len(seen) != want || p.Samples() != want {
			t.Fatalf("%d samples in pieces, %d in all, want %d", len(seen), p.Samples(), want)
		}
		has := map[Key]bool{}
		for k, n := range seen {
			if n != 1 {
				t.Errorf("%v is in %d pieces", k, n)
			}
			has[k] = rng.IntN(2) == 0
		}
		missing := map[Key]int{}
		for _, piece := range p.Missing(func(k Key) bool { return has[k] }) {
			for _, k := range p.Keys(piece) {
				missing[k]++
			}
		}
		for k := range seen {
			if want := map[bool]int{true: 0, false: 1}[has[k]]; missing[k] != want {
				t.Errorf("%v, finished %v, is asked for %d times", k, has[k], missing[k])
			}
		}
	}
}

func TestPieceSizes(t *testing.T) {
	for _, c := range []struct {
		tokens, samples int
		limit           int64
		want            int
	}{
		{100, 64, 0, 20},
		{100, 7, 0, 7},
		{2048, 64, 0, 1},
		{32768, 64, 0, 1},
		{32768, 64, 8 << 20, 1},
		{100, 64, 10_000, 2},
		{100, 64, 4500, 1},
	} {
		p := plan(t, c.limit, Task{Name: "a", Problems: someProblems("a", 1), Samples: c.samples, Sampling: Sampling{MaxTokens: c.tokens}})
		if got := p.Pieces()[0].Count; got != c.want {
			t.Errorf("%d samples of %d tokens, messages of %d bytes: pieces of %d, want %d", c.samples, c.tokens, c.limit, got, c.want)
		}
	}
}

// A row says all that a sampler must know.
func TestRow(t *testing.T) {
	problems := someProblems("a", 2)
	p := plan(t, 0, Task{Name: "a", Problems: problems, Samples: 30, Sampling: warm, System: "be brief"})
	row := p.Row(p.Pieces()[1])
	want := map[string]string{
		"level": "1", stages.MetaSample: "20", stages.MetaSamples: "10", stages.MetaTemperature: "0.8", stages.MetaTopP: "0.9", stages.MetaTopK: "0",
		stages.MetaMinP: "0", stages.MetaMaxNewTokens: "100", stages.MetaSeed: "5", stages.MetaSystem: "be brief",
	}
	if fmt.Sprint(row.Metadata) != fmt.Sprint(want) || row.ProblemID != problems[0].ProblemID {
		t.Errorf("%s asks for %v, want %v", row.ProblemID, row.Metadata, want)
	}
	if len(problems[0].Metadata) != 1 {
		t.Errorf("the problem itself has become %v", problems[0].Metadata)
	}
}

func TestPlanRefuses(t *testing.T) {
	one := someProblems("a", 3)
	for want, tasks := range map[string][]Task{
		"no tasks":                    {},
		"has no problems":             {{Name: "a", Samples: 1, Sampling: warm}},
		"0 samples of a problem":      {{Name: "a", Problems: one, Sampling: warm}},
		"a name of its own":           {{Name: "a", Problems: one, Samples: 1, Sampling: warm}, {Name: "a", Problems: someProblems("b", 1), Samples: 1, Sampling: warm}},
		"is in tasks a and b":         {{Name: "a", Problems: one, Samples: 1, Sampling: warm}, {Name: "b", Problems: one, Samples: 1, Sampling: warm}},
		"0 tokens":                    {{Name: "a", Problems: one, Samples: 1}},
		"temperature -1":              {{Name: "a", Problems: one, Samples: 1, Sampling: Sampling{Temperature: -1, MaxTokens: 1}}},
		"top-p 1.5":                   {{Name: "a", Problems: one, Samples: 1, Sampling: Sampling{TopP: 1.5, MaxTokens: 1}}},
		"raise its max_payload":       {{Name: "a", Problems: one, Samples: 1, Sampling: Sampling{MaxTokens: 40_000}}},
		"accepts messages of 1048576": {{Name: "a", Problems: one, Samples: 1, Sampling: Sampling{MaxTokens: 32768}}},
	} {
		if _, err := NewPlan(tasks, 1<<20); !errors.Is(err, ErrPlan) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	// A benchmark that has a problem twice answers it once.
	if p := plan(t, 0, Task{Name: "a", Problems: append(one, one[1]), Samples: 2, Sampling: warm}); p.Samples() != 6 {
		t.Errorf("%d samples of 3 problems, one of them twice; want 6", p.Samples())
	}
}

func TestSettings(t *testing.T) {
	task := Task{Name: "a", Problems: someProblems("a", 3), Samples: 2, Sampling: warm}
	begun := plan(t, 0, task).Settings()
	path := t.TempDir() + "/settings.json"
	for range 2 {
		if err := begun.Begin(path); err != nil {
			t.Fatal(err)
		}
	}
	change := func(f func(*Task)) Settings {
		other := task
		other.Problems = someProblems("a", 3)
		f(&other)
		return plan(t, 0, other).Settings()
	}
	for want, s := range map[string]Settings{
		"a temperature was 0.8, now it is 1":     change(func(t *Task) { t.Sampling.Temperature = 1 }),
		"a top-p was 0.9, now it is 0":           change(func(t *Task) { t.Sampling.TopP = 0 }),
		"a max-tokens was 100, now it is 200":    change(func(t *Task) { t.Sampling.MaxTokens = 200 }),
		"a seed was 5, now it is 6":              change(func(t *Task) { t.Sampling.Seed = 6 }),
		`a system message was "", now it is "x"`: change(func(t *Task) { t.System = "x" }),
		"a problems was 3 with digest":           change(func(t *Task) { t.Problems[2].Answer = "7" }),
		"now it is 2 with digest":                change(func(t *Task) { t.Problems = t.Problems[:2] }),
	} {
		if err := s.Begin(path); !errors.Is(err, ErrChanged) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	for what, s := range map[string]Settings{
		"more samples":  change(func(t *Task) { t.Samples = 9 }),
		"other levels":  change(func(t *Task) { t.Problems[0].Metadata = nil }),
		"another task":  change(func(t *Task) { t.Name, t.Problems = "b", someProblems("b", 2) }),
		"another model": {{"model m", "x"}},
	} {
		if err := s.Begin(path); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	// What was added is kept, and so is what was there before.
	for _, s := range []Settings{{{"model m", "y"}}, change(func(t *Task) { t.Sampling.Seed = 6 })} {
		if err := s.Begin(path); !errors.Is(err, ErrChanged) {
			t.Errorf("%v: %v", s, err)
		}
	}
}

func TestBegun(t *testing.T) {
	path := t.TempDir() + "/begun"
	first, err := Begun(path)
	if err != nil || time.Since(first) > time.Hour {
		t.Fatal(first, err)
	}
	earlier := "2026-01-02T03:04:05Z"
	if err := os.WriteFile(path, []byte(earlier+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if again, err := Begun(path); err != nil || again.Format(time.RFC3339) != earlier {
		t.Error(again, err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Begun(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}
