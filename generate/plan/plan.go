// Package plan works out on paper what sampling takes on a kind of device: the memory of each device and
// the time of prefill and decoding at the machine's limits. Nothing is computed but the sizes, so the
// machine need not be there.
package plan

import (
	"context"
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
	return slices.Concat(stages.LogFlags(), backend.Flags(), pretrained.Flags(), backend.PlanFlags(), backend.JobFlags(), []cli.Flag{
		&cli.IntFlag{Name: "prefill-chunk", Usage: "prompt tokens computed in a step (0: 1,024)"},
	})
}

// Job is a step's sampling.
type Job struct {
	backend.Job
	PrefillChunk int
}

// Run writes the plan that the flags ask for.
func Run(_ context.Context, env *stages.Env) error {
	source, err := pretrained.FromFlags(env.Context)
	if err != nil {
		return err
	}
	defer source.Close()
	sizes, err := backend.JobFromFlags(env.Context, source.Config.MaxPositions)
	if err != nil {
		return err
	}
	job := Job{Job: sizes, PrefillChunk: env.Int("prefill-chunk")}
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
	problems := (j.Groups + p.Devices - 1) / p.Devices
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
	p.Job = fmt.Sprintf("%d prompts of %d tokens, %d completions each of %d", j.Groups, j.PromptTokens, j.GroupSize, j.NewTokens)
	p.Memory, p.Tokens = memory, j.Completions()*j.NewTokens
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
