// Package plan works out on paper what sampling takes on a kind of device: the memory of each device and
// the time of prefill and decoding at the machine's limits. Nothing is computed but the sizes, so the
// machine need not be there.
package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/generate/engine"
	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), backend.Flags(), pretrained.Flags(), backend.PlanFlags(), []cli.Flag{
		&cli.IntFlag{Name: "groups-per-step", Value: 12, Usage: "prompts of a step, all devices together"},
		&cli.IntFlag{Name: "group-size", Value: 6, Usage: "completions of each"},
		&cli.IntFlag{Name: "prompt-tokens", Usage: "length of each prompt (0: 512, or a quarter of a shorter context)"},
		&cli.IntFlag{Name: "new-tokens", Usage: "length of each completion (0: 3,584, or what the context leaves)"},
		&cli.IntFlag{Name: "prefill-chunk", Usage: "prompt tokens computed in a step (0: 1,024)"},
	})
}

// Job is a step's sampling.
type Job struct {
	Problems, GroupSize, PromptTokens, NewTokens, PrefillChunk int
}

// defaults fills in lengths that were not given: the study's, or what a shorter context allows.
func (j *Job) defaults(context int) {
	if j.PromptTokens == 0 {
		j.PromptTokens = min(512, context/4)
	}
	if j.NewTokens == 0 {
		j.NewTokens = min(3584, context-j.PromptTokens)
	}
}

func (j Job) check(cfg checkpoint.Config) error {
	switch {
	case j.Problems < 1 || j.GroupSize < 1 || j.PromptTokens < 1 || j.NewTokens < 1:
		return errors.New("--groups-per-step, --group-size, --prompt-tokens and --new-tokens: expected at least 1 of each")
	case j.PromptTokens+j.NewTokens > cfg.MaxPositions:
		return fmt.Errorf("--prompt-tokens and --new-tokens: %d tokens do not fit into the model's context of %d", j.PromptTokens+j.NewTokens, cfg.MaxPositions)
	}
	return nil
}

// Run writes the plan that the flags ask for.
func Run(_ context.Context, env *stages.Env) error {
	source, err := pretrained.FromFlags(env.Context)
	if err != nil {
		return err
	}
	defer source.Close()
	job := Job{
		Problems: env.Int("groups-per-step"), GroupSize: env.Int("group-size"), PromptTokens: env.Int("prompt-tokens"),
		NewTokens: env.Int("new-tokens"), PrefillChunk: env.Int("prefill-chunk"),
	}
	job.defaults(source.Config.MaxPositions)
	if err := job.check(source.Config); err != nil {
		return err
	}
	p, dtype, err := backend.NewPlan(env.Context)
	if err != nil {
		return err
	}
	p.Model = source.Name
	if err := job.fill(p, source.Config, dtype); err != nil {
		return err
	}
	return backend.WritePlan(env.Context, p, "fewer --groups-per-step, or --dtype bf16, need less")
}

// fill works out memory and work of the busiest device.
func (j Job) fill(p *roofline.Plan, cfg checkpoint.Config, dtype device.DType) error {
	// Each device has its own engine and its own prompts; a group shares its prompt's computation.
	problems := (j.Problems + p.Devices - 1) / p.Devices
	sequences := problems * j.GroupSize
	length := j.PromptTokens + j.NewTokens
	pages := (length + device.KeyBlock - 1) / device.KeyBlock * device.KeyBlock
	memory, err := engine.Options{
		MaxSequences: sequences, CacheTokens: sequences * pages, PrefillChunk: j.PrefillChunk,
	}.Plan(cfg, dtype)
	if err != nil {
		return err
	}
	value := p.Machine.CacheValue(dtype)
	memory.Cache = memory.Cache / 4 * value // planned as float32
	cost := roofline.NewCost(cfg, dtype).WithCache(value)
	prompt, answer := roofline.Causal(0, j.PromptTokens), roofline.Causal(j.PromptTokens, j.NewTokens)
	chunk := j.PrefillChunk
	if chunk == 0 {
		chunk = 1024
	}
	passes := (problems*j.PromptTokens + chunk - 1) / chunk
	p.Job = fmt.Sprintf("%d prompts of %d tokens, %d completions each of %d", j.Problems, j.PromptTokens, j.GroupSize, j.NewTokens)
	p.Memory, p.Tokens = memory, j.Problems*j.GroupSize*j.NewTokens
	p.Work = []roofline.Work{
		{
			Name:  "prefill",
			Ops:   cost.Forward(problems*j.PromptTokens, int64(problems)*prompt, problems),
			Bytes: float64(cost.WeightBytes()) * float64(passes),
		},
		{
			Name:  fmt.Sprintf("%d decode steps of %d", j.NewTokens, sequences),
			Ops:   cost.Forward(sequences*j.NewTokens, int64(sequences)*answer, sequences*j.NewTokens),
			Bytes: float64(cost.WeightBytes())*float64(j.NewTokens) + float64(cost.CacheBytes(int64(sequences)*answer)),
		},
	}
	p.Finish(dtype)
	return nil
}
