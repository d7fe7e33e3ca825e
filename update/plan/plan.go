// Package plan works out on paper what a training step takes on devices of a kind: the memory of each
// and the time of its parts at the machine's limits. Nothing is computed but the sizes, so the machine
// need not be there.
package plan

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/stages/adapter"
	"openrs/stages/backend"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
	"openrs/update/train"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), backend.Flags(), pretrained.Flags(), backend.PlanFlags(), backend.JobFlags(), adapter.Flags(), []cli.Flag{
		&cli.IntFlag{Name: "token-budget", Value: 8192, Usage: "tokens that go through the model at once"},
		&cli.BoolFlag{Name: "recompute", Usage: "activation checkpointing: less memory, more time"},
		&cli.Float64Flag{Name: "beta", Usage: "weight of the divergence from the reference model (0: there is none)"},
	})
}

// Job is a training step.
type Job struct {
	backend.Job
	TokenBudget          int
	Recompute, Reference bool
	LoRA                 *model.LoRA // of the adapters to train; nil: all weights are trained
}

// Run writes the plan that the flags ask for. Activations are computed again where the memory asks for it.
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
	job := Job{Job: sizes, TokenBudget: env.Int("token-budget"), Recompute: env.Bool("recompute"), Reference: env.Float64("beta") > 0}
	if job.LoRA, err = source.Trained(env.Context); err != nil {
		return err
	}
	if job.TokenBudget < 1 {
		return fmt.Errorf("--token-budget is %d, expected at least 1", job.TokenBudget)
	}
	p, dtype, err := backend.NewPlan(env.Context)
	if err != nil {
		return err
	}
	p.Model = source.Name
	if job.fill(p, source.Config, dtype); !p.Fits && !job.Recompute {
		job.Recompute = true
		job.fill(p, source.Config, dtype)
	}
	advice := "more --devices, a smaller --token-budget, or --dtype bf16, need less"
	if job.LoRA == nil {
		advice = "more --devices, a smaller --token-budget, --dtype bf16, or --lora-rank 32, need less"
	}
	return backend.WritePlan(env.Context, p, advice)
}

// fill works out memory and work of the busiest device. The devices share completions, and each holds the
// moments of its part of the parameters (ZeRO, Rajbhandari et al., arXiv 1910.02054): gradients are summed
// by parts, the parts are updated, and the parameters gathered.
func (j Job) fill(p *roofline.Plan, cfg checkpoint.Config, dtype device.DType) {
	n := float64(p.Devices)
	sequences := (j.Completions() + p.Devices - 1) / p.Devices
	groups := (sequences + j.GroupSize - 1) / j.GroupSize // prompts, each computed once
	rows := groups*j.PromptTokens + sequences*j.NewTokens
	budget := min(rows, max(j.TokenBudget, j.PromptTokens+j.NewTokens))
	p.Memory = train.Plan(cfg, p.Devices, p.Machine.TrainedLayouts(), train.Options{DType: dtype, Recompute: j.Recompute, LoRA: j.LoRA}, budget, j.Reference)
	cost := roofline.NewCost(cfg, dtype)
	keys := int64(groups)*roofline.Causal(0, j.PromptTokens) + int64(sequences)*roofline.Causal(j.PromptTokens, j.NewTokens)
	predictions := sequences * j.NewTokens
	forward := cost.Forward(rows, keys, predictions)
	passes := float64((rows + budget - 1) / budget)
	weights, params := float64(cost.WeightBytes()), float64(p.Memory.Trained)
	training := cost.Training(rows, keys, predictions)
	if j.LoRA != nil {
		training = cost.TrainingAdapters(rows, keys, predictions, p.Memory.Trained)
	}
	recompute := "kept"
	p.Work = nil
	if j.Reference {
		p.Work = append(p.Work, roofline.Work{Name: "reference forward", Ops: forward, Bytes: passes * weights})
	}
	p.Work = append(p.Work, roofline.Work{Name: "forward", Ops: forward, Bytes: passes * weights})
	if j.Recompute {
		recompute = "computed again"
		p.Work = append(p.Work, roofline.Work{Name: "forward again", Ops: forward, Bytes: passes * weights})
	}
	// Gradients are read and written once a pass.
	p.Work = append(p.Work, roofline.Work{Name: "backward", Ops: training - forward, Bytes: passes * (weights + 8*params)})
	if p.Devices > 1 {
		p.Work = append(p.Work, roofline.Work{Name: "reduce-scatter gradients", Sent: 4 * params * (n - 1) / n})
	}
	// AdamW reads the gradient, and reads and writes parameter and both moments.
	p.Work = append(p.Work, roofline.Work{Name: "AdamW", Bytes: 28 * params / n})
	if p.Devices > 1 {
		p.Work = append(p.Work, roofline.Work{Name: "all-gather parameters", Sent: 4 * params * (n - 1) / n})
	}
	p.Work = append(p.Work, roofline.Work{Name: "pack weights", Bytes: (4 + float64(dtype.Bytes())) * params})
	trained := "all weights"
	if j.LoRA != nil {
		trained = fmt.Sprintf("adapters of rank %d", j.LoRA.Rank)
	}
	p.Job = fmt.Sprintf("a step of %d prompts of %d tokens, %d completions each of %d, %d tokens at once, activations %s, training %s",
		j.Groups, j.PromptTokens, j.GroupSize, j.NewTokens, budget, recompute, trained)
	p.Tokens = j.Groups * j.GroupSize * j.NewTokens
	p.Finish(dtype)
}
