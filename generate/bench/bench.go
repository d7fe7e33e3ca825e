package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), pretrained.SessionFlags(), []cli.Flag{
		&cli.IntSliceFlag{Name: "batch", Value: cli.NewIntSlice(1, 8, 32), Usage: "`SIZES`: sequences that decode together, each measured by itself"},
		&cli.IntFlag{Name: "prompt-tokens", Value: 512, Usage: "length of each prompt"},
		&cli.IntFlag{Name: "new-tokens", Value: 64, Usage: "decode steps to measure"},
		&cli.IntFlag{Name: "prefill-chunk", Usage: "prompt tokens computed in a step (0: 1,024)"},
	})
}

// Result is one line of output.
type Result struct {
	Model        string `json:"model"`
	Device       string `json:"device"`
	DType        string `json:"dtype"`
	Batch        int    `json:"batch"`
	PromptTokens int    `json:"prompt_tokens"`
	NewTokens    int    `json:"new_tokens"`

	// TokensPerSecond is of decoding, all sequences together.
	TokensPerSecond        float64 `json:"tokens_per_second"`
	PrefillTokensPerSecond float64 `json:"prefill_tokens_per_second"`
	// WeightBytes is what a decode step reads of the weights; it reads the cache besides.
	WeightBytes int64   `json:"weight_bytes"`
	Memory      float64 `json:"memory_gb_per_second"` // weights and cache read in decoding
	GFLOPS      float64 `json:"gflops"`               // of decoding
	// Roofline is how many tokens a second the limits allow; 0 where they are not known.
	Roofline      float64 `json:"roofline_tokens_per_second"`
	PrefillGFLOPS float64 `json:"prefill_gflops"`

	// Weights and cache, and all that was planned for, in memory; Peak is what the process took, from its
	// start to the end of the measurement, 0 where the system does not tell.
	WeightMemory int64 `json:"weight_memory_bytes"`
	Cache        int64 `json:"cache_bytes"`
	Planned      int64 `json:"planned_memory_bytes"`
	Peak         int64 `json:"peak_memory_bytes"`
	roofline.Limits
}

// Run writes one JSON object a line for each batch size, with limits measured just before it.
func Run(ctx context.Context, env *stages.Env) error {
	session, err := pretrained.Start(env.Context)
	if err != nil {
		return err
	}
	defer session.Close()
	source, dev, dtype := session.Source, session.Device, session.DType
	var plans []Options
	for _, batch := range env.IntSlice("batch") {
		opt := Options{
			Batch: batch, PromptTokens: env.Int("prompt-tokens"), NewTokens: env.Int("new-tokens"),
			PrefillChunk: env.Int("prefill-chunk"), Seed: env.Int64("seed"),
		}
		if err := opt.check(source.Config.MaxPositions); err != nil {
			return err
		}
		plans = append(plans, opt)
	}
	m, err := session.Load()
	if err != nil {
		return err
	}
	loading := roofline.PeakMemory()
	cost := roofline.NewCost(source.Config, dtype).WithCache(roofline.CacheValue(dev))
	out := json.NewEncoder(env.App.Writer)
	for _, opt := range plans {
		limits, err := roofline.Measure(dev, dtype)
		if err != nil {
			return err
		}
		roofline.ResetPeakMemory() // measuring the limits takes memory of its own
		measured, err := Measure(ctx, m, opt)
		if err != nil {
			return fmt.Errorf("batch of %d: %w", opt.Batch, err)
		}
		plan, err := opt.engine().Plan(source.Config, dtype)
		if err != nil {
			return err
		}
		r := measured.rates(cost, opt, limits)
		r.Model, r.Device, r.DType = source.Name, dev.Name(), dtype.String()
		r.WeightMemory, r.Cache, r.Planned, r.Peak = plan.Weights, plan.Cache, plan.Total(), max(loading, roofline.PeakMemory())
		if err := out.Encode(r); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	return nil
}

// rates turns times into the rates of a Result.
func (m Measurement) rates(cost roofline.Cost, opt Options, limits roofline.Limits) Result {
	prefill, decode := m.Prefill.Seconds(), m.Decode.Seconds()
	prompt := opt.Batch * opt.PromptTokens
	read := float64(cost.WeightBytes()) + float64(cost.CacheBytes(1))*m.Keys
	work := cost.Forward(opt.Batch, int64(m.Keys), opt.Batch)
	r := Result{
		Batch: opt.Batch, PromptTokens: opt.PromptTokens, NewTokens: opt.NewTokens,
		TokensPerSecond:        float64(opt.Batch) / decode,
		PrefillTokensPerSecond: float64(prompt) / prefill,
		WeightBytes:            cost.WeightBytes(),
		Memory:                 read / decode / 1e9,
		GFLOPS:                 work / decode / 1e9,
		PrefillGFLOPS:          cost.Forward(prompt, int64(opt.Batch)*roofline.Causal(0, opt.PromptTokens), opt.Batch) / prefill / 1e9,
		Limits:                 limits,
	}
	if least := limits.Least(work, read); least > 0 {
		r.Roofline = float64(opt.Batch) / least
	}
	return r
}
