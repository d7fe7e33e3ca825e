package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"openrs/schemas"
	"openrs/stages/roofline"
	"openrs/update/grpo"
	"openrs/update/steps"
	"openrs/update/train"
)

// Options say what to measure.
type Options struct {
	Sequences    int // completions of a step, a multiple of GroupSize
	Tokens       int // of each sequence, its prompt included
	PromptTokens int // of each group
	GroupSize    int // completions of a prompt
	Iterations   int // steps that are timed
	Warmup       int // steps before those
	Seed         int64
}

// check checks the options for a model of the given context.
func (o Options) check(context int) error {
	for _, v := range []struct {
		name  string
		value int
	}{
		{"sequences", o.Sequences}, {"tokens", o.Tokens}, {"prompt-tokens", o.PromptTokens},
		{"group-size", o.GroupSize}, {"iterations", o.Iterations},
	} {
		if v.value < 1 {
			return fmt.Errorf("--%s is %d, expected at least 1", v.name, v.value)
		}
	}
	switch {
	case o.Warmup < 0:
		return fmt.Errorf("--warmup is %d, expected at least 0", o.Warmup)
	case o.Sequences%o.GroupSize != 0:
		return fmt.Errorf("--sequences is %d, expected a multiple of --group-size %d", o.Sequences, o.GroupSize)
	case o.PromptTokens >= o.Tokens:
		return fmt.Errorf("--prompt-tokens is %d, expected less than --tokens %d", o.PromptTokens, o.Tokens)
	case o.Tokens > context:
		return fmt.Errorf("--tokens is %d, the model has %d positions", o.Tokens, context)
	}
	return nil
}

func (o Options) groups() int     { return o.Sequences / o.GroupSize }
func (o Options) completion() int { return o.Tokens - o.PromptTokens }

// rows is how many tokens go through the model in a step.
func (o Options) rows() int { return o.groups()*o.PromptTokens + o.Sequences*(o.completion()-1) }

// micro is how many of them go through it at once at most: a sequence is never divided.
func (o Options) micro(budget int) int { return min(o.rows(), max(budget, o.Tokens)) }

// keys is how many keys those rows attend to together.
func (o Options) keys() int64 {
	return int64(o.groups())*roofline.Causal(0, o.PromptTokens) + int64(o.Sequences)*roofline.Causal(o.PromptTokens, o.completion()-1)
}

// rates turns the time of a step into the rates of a Result, where adapters of so many parameters are trained or,
// with 0, all weights.
func (o Options) rates(cost roofline.Cost, adapters int, step time.Duration) Result {
	seconds := step.Seconds()
	predictions := o.Sequences * o.completion()
	operations := cost.Training(o.rows(), o.keys(), predictions)
	if adapters > 0 {
		operations = cost.TrainingAdapters(o.rows(), o.keys(), predictions, adapters)
	}
	return Result{
		Sequences: o.Sequences, Tokens: o.Tokens, PromptTokens: o.PromptTokens, GroupSize: o.GroupSize, Iterations: o.Iterations,
		Rows:                      o.rows(),
		TokensPerSecond:           float64(o.rows()) / seconds,
		CompletionTokensPerSecond: float64(predictions) / seconds,
		GFLOPS:                    operations / seconds / 1e9,
	}
}

// measure makes optimizer steps and returns the median time of those after the warm-up. It ends early with
// the context's error.
func measure(ctx context.Context, trainer *train.Trainer, opt Options, vocab int) (time.Duration, error) {
	objective, err := grpo.New(grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2})
	if err != nil {
		return 0, err
	}
	g := &train.GRPO{Trainer: trainer, Objective: objective}
	groups := randomGroups(opt, vocab)
	var times []time.Duration
	for i := range opt.Warmup + opt.Iterations {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		began := time.Now()
		if _, err := g.Step(steps.Step{Number: int64(i), Groups: groups}); err != nil {
			return 0, err
		}
		if i >= opt.Warmup {
			times = append(times, time.Since(began))
		}
	}
	slices.Sort(times)
	n := len(times)
	return max(1, (times[(n-1)/2]+times[n/2])/2), nil
}

// randomGroups makes the groups of a step. They have no recorded log-probabilities, so the importance
// ratio is one.
func randomGroups(opt Options, vocab int) []steps.Group {
	r := rand.New(rand.NewPCG(uint64(opt.Seed), uint64(opt.Sequences)))
	ids := func(n int) []int32 {
		out := make([]int32, n)
		for i := range out {
			out[i] = int32(r.IntN(vocab))
		}
		return out
	}
	var groups []steps.Group
	for i := range opt.groups() {
		g := steps.Group{ID: strconv.Itoa(i)}
		prompt := ids(opt.PromptTokens)
		for j := range opt.GroupSize {
			advantage := float32(1)
			if (i*opt.GroupSize+j)%2 > 0 {
				advantage = -1
			}
			g.Rows = append(g.Rows, schemas.Scored{
				Rollout: schemas.Rollout{
					GroupID: g.ID, ProblemID: g.ID, Sample: int32(j), PromptIDs: prompt, CompletionIDs: ids(opt.completion()),
					FinishReason: schemas.FinishLength, Temperature: 1, Seed: opt.Seed,
				},
				Advantage: advantage,
			})
		}
		groups = append(groups, g)
	}
	return groups
}
