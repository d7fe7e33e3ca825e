// Command generate samples completions of problems from a model.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/generate/bench"
	"openrs/generate/engine"
	"openrs/generate/logprobs"
	"openrs/generate/rollout"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
)

func main() {
	stages.Main(stages.App("generate", "sample completions of problems",
		"Reads problems, samples a group of completions of each, and writes them with the log-probability of every token.\n"+
			"In a run it takes each step's weights from the run's policy store; elsewhere --model's are used as they are.",
		sampleFlags(), sample,
		stages.Command("generate logprobs", "log-probabilities and arg-max tokens of given token sequences", logprobsFlags(), logprobsOf),
		stages.Command("generate bench", "tokens per second, beside the machine's limits", bench.Flags(), bench.Run),
	))
}

// modelFlags are the flags of every command that runs the model.
func modelFlags() []cli.Flag {
	return slices.Concat(backend.Flags(), pretrained.Flags())
}

func sampleFlags() []cli.Flag {
	return slices.Concat(stages.CommonFlags(), modelFlags(), []cli.Flag{
		stages.ReplayFlag(), stages.SkipBadFlag(),
		&cli.IntFlag{Name: "group-size", Value: 8, Usage: "completions of each problem"},
		&cli.Int64Flag{Name: "groups-per-step", Value: 32, Usage: "problems of one optimizer step; must be update's"},
		&cli.Int64Flag{Name: "max-lag", Usage: "policy versions that sampling may be behind (0: strictly on-policy)"},
		&cli.Int64Flag{Name: "steps", Usage: "optimizer steps to sample for; update's (0: for as long as update goes on)"},
		&cli.BoolFlag{Name: "frozen", Usage: "in a run: sample from --model's weights only, and wait for no policy"},
		&cli.Int64Flag{Name: "policy-version", Usage: "version that rollouts of --model's own weights are marked with, such as the step of a checkpoint"},
		&cli.IntFlag{Name: "max-new-tokens", Value: 512, Usage: "longest completion"},
		&cli.Float64Flag{Name: "temperature", Value: 1, Usage: "0 is greedy"},
		&cli.Float64Flag{Name: "top-p", Usage: "nucleus sampling, within what --top-k leaves (0 or 1: off)"},
		&cli.IntFlag{Name: "top-k", Usage: "sample among the K most probable tokens (0: all)"},
		&cli.Float64Flag{Name: "min-p", Usage: "drop tokens below this share of the most probable one (0: off)"},
		&cli.StringFlag{Name: "system", Usage: "system message"},
		&cli.StringSliceFlag{Name: "stop", Usage: "`TOKEN` that ends a completion, beside the model's own; may be repeated"},
		&cli.IntFlag{Name: "max-sequences", Value: 256, Usage: "sequences that decode together"},
		&cli.IntFlag{Name: "cache-tokens", Usage: "positions in the key-value cache (0: enough for --max-sequences of 1,024, or what fits into memory)"},
		&cli.IntFlag{Name: "page-size", Usage: "positions a page of the cache (0: 32)"},
		&cli.IntFlag{Name: "prefill-chunk", Usage: "prompt tokens computed in a step beside decoding (0: 1,024)"},
	})
}

func sample(ctx context.Context, env *stages.Env) error {
	if err := checkLimits(env); err != nil {
		return err
	}
	plan := rollout.Plan{GroupsPerStep: env.Int64("groups-per-step"), MaxLag: env.Int64("max-lag")}
	if v := env.Int64("policy-version"); v < 0 || v > 0 && followsRun(env) {
		return fmt.Errorf("--policy-version is %d, expected a number from 0, and in a run only with --frozen", v)
	}
	source, err := pretrained.FromFlags(env.Context)
	if err != nil {
		return err
	}
	defer source.Close()
	stop, err := stopTokens(source, env.StringSlice("stop"))
	if err != nil {
		return err
	}
	dev, err := backend.Open(env.Context)
	if err != nil {
		return err
	}
	defer dev.Close()
	dtype, err := backend.DType(env.Context)
	if err != nil {
		return err
	}
	sizes, err := fit(env, dev, source, dtype, engine.Options{
		MaxSequences: env.Int("max-sequences"), CacheTokens: env.Int("cache-tokens"),
		PageSize: env.Int("page-size"), PrefillChunk: env.Int("prefill-chunk"),
	})
	if err != nil {
		return err
	}
	m, err := model.New(dev, source.Config, model.Options{DType: dtype})
	if err != nil {
		return err
	}
	defer m.Close()
	in, err := env.Source(ctx, schemas.KindProblems)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := env.Sink(ctx, schemas.KindRollouts, schemas.KindProblems)
	if err != nil {
		return err
	}
	defer out.Close()
	metrics, err := env.Recorder(ctx, "")
	if err != nil {
		return err
	}
	policies, err := policies(ctx, env, source, m)
	if err != nil {
		return err
	}
	eng, err := engine.New(m, sizes)
	if err != nil {
		return err
	}
	defer eng.Close()
	env.Log.Info("generating", "model", source.Name, "device", dev.Name(), "dtype", dtype.String())
	worker := &rollout.Worker{
		Engine:   eng,
		Prompter: rollout.Prompter{Tokenizer: source.Tokenizer, System: env.String("system")},
		Policies: policies,
		Options: rollout.Options{
			Plan: plan, GroupSize: env.Int("group-size"), MaxNewTokens: env.Int("max-new-tokens"), Stop: stop,
			Temperature: float32(env.Float64("temperature")), TopP: float32(env.Float64("top-p")), TopK: env.Int("top-k"), MinP: float32(env.Float64("min-p")),
			Seed: env.Int64("seed"), Steps: env.Int64("steps"), Frozen: env.Int64("policy-version"),
		},
		Log: env.Log, Metrics: metrics,
	}
	if err := worker.Run(ctx, in, out); err != nil {
		return err
	}
	return out.Finish(ctx)
}

// fit plans the memory of the model and the engine. Where the cache has no given size it is made
// smaller until everything fits: what is sampled does not depend on it.
func fit(env *stages.Env, dev device.Device, source *pretrained.Model, dtype device.DType, opt engine.Options) (engine.Options, error) {
	given := opt.CacheTokens > 0
	opt, err := opt.Defaults(source.Config)
	if err != nil {
		return opt, err
	}
	plan, err := opt.Plan(source.Config, dtype)
	smallest := min(opt.Context, 512+env.Int("max-new-tokens"))
	for err == nil && !given && !backend.Fits(dev, plan) && opt.CacheTokens/2 >= smallest {
		opt.CacheTokens /= 2
		plan, err = opt.Plan(source.Config, dtype)
	}
	if err != nil {
		return opt, err
	}
	if !backend.Fits(dev, plan) {
		return opt, backend.Refuse(dev, plan, "a smaller --cache-tokens, --max-sequences or --prefill-chunk, or --dtype bf16, needs less")
	}
	backend.LogPlan(env.Log, dev, plan)
	return opt, nil
}

// followsRun reports whether the weights are those of a run's policies.
func followsRun(env *stages.Env) bool { return env.RunName() != "" && !env.Bool("frozen") }

// policies returns the run's policy store, or nil with the model's own weights loaded.
func policies(ctx context.Context, env *stages.Env, source *pretrained.Model, m *model.Model) (rollout.Policies, error) {
	if !followsRun(env) {
		return nil, source.Load(m)
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return nil, err
	}
	if err := env.Agree(ctx, "update", "groups-per-step", "max-lag"); err != nil {
		return nil, err
	}
	return &rollout.RunPolicies{Store: run.Policies(), Model: m, Dir: filepath.Join(env.RunDir(), fmt.Sprintf("policies-%d", os.Getpid())), Log: env.Log}, nil
}

// stopTokens are the model's end tokens and those named on the command line.
func stopTokens(source *pretrained.Model, names []string) ([]int32, error) {
	stop := slices.Clone(source.EOS)
	for _, name := range names {
		id, ok := source.Tokenizer.ID(name)
		if !ok {
			return nil, fmt.Errorf("--stop %q: no such token in the vocabulary of %s", name, source.Name)
		}
		stop = append(stop, id)
	}
	return stop, nil
}

func logprobsFlags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), modelFlags(), []cli.Flag{
		&cli.StringFlag{Name: "in", Value: "-", Usage: "JSON lines `FILE` with ids, or - for standard input"},
		&cli.StringFlag{Name: "out", Value: "-", Usage: "JSON lines `FILE`, or - for standard output"},
	})
}

func logprobsOf(_ context.Context, env *stages.Env) error {
	source, err := pretrained.FromFlags(env.Context)
	if err != nil {
		return err
	}
	defer source.Close()
	dev, err := backend.Open(env.Context)
	if err != nil {
		return err
	}
	defer dev.Close()
	dtype, err := backend.DType(env.Context)
	if err != nil {
		return err
	}
	m, err := model.New(dev, source.Config, model.Options{DType: dtype})
	if err != nil {
		return err
	}
	defer m.Close()
	if err := source.Load(m); err != nil {
		return err
	}
	scorer := logprobs.New(m)
	defer scorer.Close()
	return stages.Lines(env.String("in"), env.String("out"), scorer.Line)
}
