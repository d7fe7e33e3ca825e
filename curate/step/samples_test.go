package step

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// scoredFile writes scored rollouts: the completions of each problem, right where they are its key's answer.
func scoredFile(t *testing.T, name string, samples map[string][]string, gold string) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	w, err := table.Create(name, schemas.KindScored)
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range slices.Sorted(func(yield func(string) bool) {
		for p := range samples {
			if !yield(p) {
				return
			}
		}
	}) {
		var list []schemas.Scored
		for i, c := range samples[problem] {
			s := schemas.Scored{Rollout: schemas.Rollout{
				GroupID: problem, ProblemID: schemas.ProblemID("other", problem), Source: "other", Problem: problem, Answer: gold, Sample: int32(i),
				PromptIDs: []int32{1}, CompletionIDs: []int32{2}, LogProbs: []float32{-1}, Completion: `\boxed{` + c + `}`, FinishReason: schemas.FinishStop, Temperature: 1,
			}}
			if c == "error" {
				s.FinishReason = schemas.FinishError
			} else {
				correct, reward := c == gold, float32(0.5)
				s.Correct, s.Reward = &correct, &reward
			}
			list = append(list, s)
		}
		rec, err := schemas.ScoredRollouts().Encode(mem, list)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestPassRate(t *testing.T) {
	dir := t.TempDir()
	scoredFile(t, filepath.Join(dir, "s.parquet"), map[string][]string{
		"never": {"2", "2", "3", "4"}, "half": {"1", "1", "2", "error", "3"}, "always": {"1", "1"}, "failed": {"error"},
		"tenth": append(slices.Repeat([]string{"2"}, 9), "1"), "most": append(slices.Repeat([]string{"1"}, 9), "2"),
	}, "1")
	for _, c := range []struct {
		step, problem, want string
		rate                float64
	}{
		{"pass-rate: s.parquet", "half", "", 0.5},
		{"pass-rate: {scored: s.parquet, max: 0}", "never", "", 0},
		{"pass-rate: {scored: s.parquet, max: 0}", "half", "too easy", 0.5},
		{"pass-rate: {scored: s.parquet, above: 0, below: 1}", "never", "too hard", 0},
		{"pass-rate: {scored: s.parquet, above: 0, below: 1}", "half", "", 0.5},
		{"pass-rate: {scored: s.parquet, above: 0, below: 1}", "always", "too easy", 1},
		{"pass-rate: {scored: s.parquet, min: 0.5}", "half", "", 0.5},
		{"pass-rate: s.parquet", "unknown", "no samples", math.NaN()},
		{"pass-rate: s.parquet", "failed", "no samples", math.NaN()},
		{"pass-rate: {scored: s.parquet, missing: keep}", "unknown", "", math.NaN()},
		{"pass-rate: {scored: s.parquet, min-samples: 3}", "always", "too few samples", math.NaN()},
		{"pass-rate: {scored: s.parquet, min-samples: 3, max: 0, missing: keep}", "always", "", 1},
		{"pass-rate: {scored: s.parquet, by: reward}", "never", "", 0.5},
		// Rates have the bounds' digits, though difficulty has only those of a float32.
		{"pass-rate: {scored: s.parquet, above: 0.1}", "tenth", "too hard", 0.1},
		{"pass-rate: {scored: s.parquet, max: 0.1}", "tenth", "", 0.1},
		{"pass-rate: {scored: s.parquet, below: 0.9}", "most", "too easy", 0.9},
		{"pass-rate: {scored: s.parquet, min: 0.9}", "most", "", 0.9},
	} {
		r := row(c.problem)
		removal, err := mustMake(t, c.step, &Env{Data: dir}).Filter.Look(r)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if removal != nil {
			got = removal.Reason
		}
		if got != c.want {
			t.Errorf("%s: %s: got %q, want %q", c.step, c.problem, got, c.want)
		}
		if math.IsNaN(c.rate) != (r.Difficulty == nil) || r.Difficulty != nil && *r.Difficulty != float32(c.rate) {
			t.Errorf("%s: %s: difficulty %v, want %g", c.step, c.problem, r.Difficulty, c.rate)
		}
	}
	_, err := mustMake(t, "pass-rate: {scored: s.parquet, missing: fail}", &Env{Data: dir}).Filter.Look(row("unknown"))
	if err == nil || !strings.Contains(err.Error(), "no samples") {
		t.Errorf("missing: fail: %v", err)
	}
}

func TestMajority(t *testing.T) {
	dir := t.TempDir()
	scoredFile(t, filepath.Join(dir, "s.jsonl"), map[string][]string{
		"agrees": {"0.5", `\frac12`, "1/2", "3"}, "disagrees": {"7", "7.0", "7", "8"}, "split": {"7", "7", "8", "8"}, "few": {"7", "7", "7"},
	}, "1/2")
	for _, c := range []struct{ step, problem, want, answer string }{
		{"majority: s.jsonl", "agrees", "", `\frac{1}{2}`},
		{"majority: s.jsonl", "disagrees", "most samples disagree with the answer", `\frac{1}{2}`},
		{"majority: {scored: s.jsonl, share: 0.8}", "disagrees", "", `\frac{1}{2}`},
		{"majority: s.jsonl", "split", "", `\frac{1}{2}`},
		{"majority: s.jsonl", "few", "", `\frac{1}{2}`},
		{"majority: s.jsonl", "unknown", "", `\frac{1}{2}`},
		{"majority: {scored: s.jsonl, missing: drop}", "unknown", "too few samples to check the answer", `\frac{1}{2}`},
		{"majority: {scored: s.jsonl, on-disagreement: replace}", "disagrees", "", "7"},
		{"majority: {scored: s.jsonl, on-disagreement: mark}", "disagrees", "", `\frac{1}{2}`},
	} {
		r := row(c.problem, "answer", `\frac{1}{2}`)
		removal, err := mustMake(t, c.step, &Env{Data: dir}).Filter.Look(r)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if removal != nil {
			got = removal.Reason
		}
		if got != c.want || r.Answer != c.answer {
			t.Errorf("%s: %s: got %q and %s, want %q and %s", c.step, c.problem, got, r.Answer, c.want, c.answer)
		}
		if strings.Contains(c.step, "mark") && r.Metadata["majority"] != "7 (3 of 4)" {
			t.Errorf("marked with %v", r.Metadata)
		}
	}
}
