package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/stages/adapter"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
	"openrs/update/optim"
	"openrs/update/train"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), pretrained.SessionFlags(), adapter.Flags(), []cli.Flag{
		&cli.IntFlag{Name: "sequences", Value: 2, Usage: "completions of one step"},
		&cli.IntFlag{Name: "tokens", Value: 512, Usage: "length of each, its prompt included"},
		&cli.IntFlag{Name: "prompt-tokens", Value: 1, Usage: "of these, tokens of the prompt, which are not trained on"},
		&cli.IntFlag{Name: "group-size", Value: 1, Usage: "completions that share a prompt"},
		&cli.IntFlag{Name: "iterations", Value: 3, Usage: "optimizer steps to measure"},
		&cli.IntFlag{Name: "warmup", Value: 1, Usage: "optimizer steps before"},
		&cli.IntFlag{Name: "token-budget", Value: 8192, Usage: "tokens that go through the model at once"},
		&cli.BoolFlag{Name: "recompute", Usage: "activation checkpointing: less memory, more time"},
	})
}

// Result is the line of output.
type Result struct {
	Model        string `json:"model"`
	Device       string `json:"device"`  // the first
	Devices      int    `json:"devices"` // that share the work
	DType        string `json:"dtype"`
	Sequences    int    `json:"sequences"`
	Tokens       int    `json:"tokens"` // of each sequence
	PromptTokens int    `json:"prompt_tokens"`
	GroupSize    int    `json:"group_size"`
	Iterations   int    `json:"iterations"`
	Recompute    bool   `json:"recompute"`
	LoRARank     int    `json:"lora_rank,omitempty"` // of the adapters that are trained
	Trained      int    `json:"trained_parameters"`

	// Rows is how many tokens go through the model in a step: a shared prompt once, and not the last
	// token of a completion, which predicts nothing.
	Rows                      int     `json:"rows"`
	TokensPerSecond           float64 `json:"tokens_per_second"` // of Rows
	CompletionTokensPerSecond float64 `json:"completion_tokens_per_second"`
	GFLOPS                    float64 `json:"gflops"`
	// MFU is GFLOPS over the data sheet's peak of all devices (gflops_peak), or over gflops_limit where there is none.
	MFU float64 `json:"mfu"`
	// PlannedBytes is what the memory plan estimates, PeakBytes the most memory the process ever had; left
	// out where the system does not tell.
	PlannedBytes int64 `json:"planned_memory_bytes"`
	PeakBytes    int64 `json:"peak_memory_bytes,omitempty"`
	roofline.Limits
}

// Run writes one JSON object, with limits measured right after the last step.
func Run(ctx context.Context, env *stages.Env) error {
	opt := Options{
		Sequences: env.Int("sequences"), Tokens: env.Int("tokens"), PromptTokens: env.Int("prompt-tokens"),
		GroupSize: env.Int("group-size"), Iterations: env.Int("iterations"), Warmup: env.Int("warmup"), Seed: env.Int64("seed"),
	}
	session, err := pretrained.StartShared(env.Context)
	if err != nil {
		return err
	}
	defer session.Close()
	source, dev, dtype := session.Source, session.Device, session.DType
	if err := opt.check(source.Config.MaxPositions); err != nil {
		return err
	}
	settings := optim.Default()
	settings.LR = 1e-6
	training := train.Options{
		Optimizer: settings, TokenBudget: env.Int("token-budget"), DType: dtype, Recompute: env.Bool("recompute"), Seed: opt.Seed,
	}
	if training.LoRA, err = source.Trained(env.Context); err != nil {
		return err
	}
	plan, err := train.Fit(session.Devices, source.Config, &training, opt.micro(training.TokenBudget), false)
	if err != nil {
		return err
	}
	trainer, err := train.New(session.Devices, source, training)
	if err != nil {
		return err
	}
	defer trainer.Close()
	step, err := measure(ctx, trainer, opt, source.Config.Vocab)
	if err != nil {
		return err
	}
	// Measuring the limits takes memory of its own, so the peak is asked for first.
	peak := roofline.PeakMemory()
	limits, err := roofline.MeasureAll(session.Devices, dtype)
	if err != nil {
		return err
	}
	adapters := 0
	if training.LoRA != nil {
		adapters = trainer.Parameters()
	}
	r := opt.rates(roofline.NewCost(source.Config, dtype), adapters, step)
	if r.Trained = trainer.Parameters(); adapters > 0 {
		r.LoRARank = training.LoRA.Rank
	}
	r.Model, r.Device, r.DType, r.Recompute = source.Name, dev.Name(), dtype.String(), training.Recompute
	r.PlannedBytes, r.PeakBytes, r.Limits = plan.Total(), peak, limits
	r.Devices, r.MFU = len(session.Devices), limits.Utilization(r.GFLOPS)
	if err := json.NewEncoder(env.App.Writer).Encode(r); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
