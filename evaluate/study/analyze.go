package study

import (
	"fmt"
	"slices"
	"strings"

	"openrs/stages/suggest"
)

// Analysis is what a table of scores shows.
type Analysis struct {
	Baseline string   // name of the model that others are compared with, "" for none
	Runs     []Run    // of checkpoints, by benchmark
	Repeats  []Repeat // of models measured several times, by model and benchmark
	Ignored  []string // rows that take part in nothing, and why
}

// Options of Analyze.
type Options struct {
	Baseline string // a model of the table; "" means the model called base, if there is one
	Seed     uint64 // of the permutations
}

// Analyze asks of a table what it can answer, see the package comment.
func Analyze(scores []Score, opt Options) (Analysis, error) {
	var models, benchmarks []string
	steps := map[string]map[int]bool{}
	for _, s := range scores {
		if !slices.Contains(models, s.Model) {
			models = append(models, s.Model)
			steps[s.Model] = map[int]bool{}
		}
		if !slices.Contains(benchmarks, s.Benchmark) {
			benchmarks = append(benchmarks, s.Benchmark)
		}
		steps[s.Model][s.Step] = true
	}
	a := Analysis{Baseline: opt.Baseline}
	if a.Baseline == "" && slices.Contains(models, "base") {
		a.Baseline = "base"
	}
	if a.Baseline != "" && !slices.Contains(models, a.Baseline) {
		return a, fmt.Errorf("no model %q%s: the table has %s", a.Baseline, suggest.From(a.Baseline, models), strings.Join(models, ", "))
	}
	of := func(model, benchmark string) (out []Score) {
		for _, s := range scores {
			if (model == "" || s.Model == model) && (benchmark == "" || s.Benchmark == benchmark) {
				out = append(out, s)
			}
		}
		return out
	}
	isRun := func(model string) bool { return len(steps[model]) > 1 && model != a.Baseline }

	for _, b := range benchmarks {
		var points []Score
		for _, m := range models {
			if isRun(m) {
				points = append(points, of(m, b)...)
			}
		}
		if len(points) < 2 {
			continue
		}
		for _, s := range points[1:] {
			if s.Problems != points[0].Problems || s.Samples != points[0].Samples {
				return a, fmt.Errorf("%s: checkpoint %s at step %d has %d × %d answers, %s at step %d has %d × %d: want the same: %w", b,
					s.Model, s.Step, s.Problems, s.Samples, points[0].Model, points[0].Step, points[0].Problems, points[0].Samples, ErrScores)
			}
		}
		var baseline *Score
		if rows := of(a.Baseline, b); a.Baseline != "" && len(rows) > 0 {
			baseline = &rows[0]
		}
		a.Runs = append(a.Runs, checkpoints(points, baseline, opt.Seed))
	}
	judge(a.Runs)

	for _, m := range models {
		switch {
		case isRun(m) || m == a.Baseline:
		case a.Baseline == "":
			a.Ignored = append(a.Ignored, fmt.Sprintf("model %s: it has no several steps, and there is no baseline to compare it with", m))
		default:
			base, rows := repeated(of(a.Baseline, "")), repeated(of(m, ""))
			if len(base) == 0 || len(rows) == 0 {
				a.Ignored = append(a.Ignored, fmt.Sprintf("model %s: one of it and %s was measured once, or has no sd: a difference of single scores has no uncertainty that can be told", m, a.Baseline))
				continue
			}
			a.Repeats = append(a.Repeats, repeats(base, rows)...)
		}
	}
	if len(a.Runs) == 0 && len(a.Repeats) == 0 {
		return a, fmt.Errorf("nothing to compare: want a model with scores at several steps, or a baseline and models with several samples and their sd: %w", ErrScores)
	}
	return a, nil
}

// repeated are the scores that were measured several times.
func repeated(scores []Score) []Score {
	return slices.DeleteFunc(slices.Clone(scores), func(s Score) bool { return s.SD != s.SD || s.Samples < 2 })
}
