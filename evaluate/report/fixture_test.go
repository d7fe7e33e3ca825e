package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"openrs/evaluate/benchmark"
	"openrs/schemas"
)

// student answers problems of the built-in task with made-up skill: worked is
// the share of answers that show their work.
func student(t testing.TB, name string, problems, samples int, worked float64, version int64) Input {
	t.Helper()
	list, err := benchmark.Problems("synth", benchmark.Options{N: problems, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(uint64(version)+1, 7))
	in := Input{Name: name}
	for _, p := range list {
		for s := range samples {
			row := schemas.Scored{Rollout: schemas.Rollout{
				GroupID: p.ProblemID + "-0", ProblemID: p.ProblemID, Source: p.Source, Problem: p.Problem, Answer: p.Answer,
				Sample: int32(s), PolicyVersion: version, FinishReason: schemas.FinishStop, Temperature: 1,
			}}
			shows := r.Float64() < worked
			right := shows && r.Float64() < 1-0.08*float64(len(p.Problem))/3
			text := *p.Solution
			if !shows {
				text = "<think>\n</think>\n\\boxed{" + p.Answer + "}"
			}
			extracted, format := p.Answer, float32(1)
			if !right {
				extracted = fmt.Sprint(r.IntN(400))
				text = text[:len(text)-len(p.Answer)-1] + extracted + "}"
			}
			if r.Float64() < 0.015 {
				row.FinishReason, format, right = schemas.FinishLength, 0, false
				text = text[:len(text)*2/3]
				extracted = ""
			}
			row.Completion, row.CompletionIDs = text, make([]int32, 4+len(text)*2/3)
			reward := format * 0.1
			row.Rewards = map[string]float32{"accuracy": 0, "format": format}
			if right {
				reward++
				row.Rewards["accuracy"] = 1
			}
			row.Correct, row.Reward = &right, &reward
			if extracted != "" {
				row.Extracted = &extracted
			}
			in.Rows = append(in.Rows, row)
		}
	}
	return in
}

// trainingMetrics is a run that looks like one.
func trainingMetrics(steps int) []schemas.Metric {
	r := rand.New(rand.NewPCG(9, 9))
	var out []schemas.Metric
	add := func(step int, name string, v float64) {
		out = append(out, schemas.Metric{Stage: "update", Step: int64(step), Name: name, Value: v})
	}
	for s := range steps {
		rise := 1 - math.Exp(-float64(s)/6)
		acc := min(1, max(0, 0.38+0.42*rise+0.07*r.NormFloat64()))
		add(s, "rewards/accuracy/mean", acc)
		add(s, "rewards/format/mean", 0.98+0.02*r.Float64())
		add(s, "reward", acc+0.099)
		add(s, "reward_std", 0.3*(1-0.5*rise)+0.03*r.NormFloat64())
		add(s, "frac_reward_zero_std", min(1, max(0, 0.16+0.35*rise+0.06*r.NormFloat64())))
		add(s, "completions/mean_length", 22+9*rise+3*r.NormFloat64())
		add(s, "completions/clipped_ratio", 0.01*r.Float64())
		add(s, "entropy", 0.12*math.Exp(-float64(s)/8)+0.03+0.005*r.NormFloat64())
		kl := 0.014 * rise * (1 + 0.3*r.NormFloat64())
		if s == 33 {
			kl = 2.5
		}
		add(s, "kl", kl)
		add(s, "grad_norm", 0.28+0.05*r.NormFloat64())
		add(s, "learning_rate", 1e-4-9e-5*float64(s)/float64(steps))
		add(s, "step_time", 0.4+0.05*r.NormFloat64())
		add(s, "sampling/importance_sampling_ratio/max", 1)
		if s%20 == 0 {
			add(s, "eval/accuracy", 0.38+0.42*rise)
		}
	}
	out = append(out, schemas.Metric{Stage: "update", Step: 40, Name: "grad_norm", Value: math.NaN()})
	return out
}
