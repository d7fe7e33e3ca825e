package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"openrs/generate/engine"
	"openrs/generate/rollout"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
)

// sample opens the model, the engine and the endpoints as the flags say, and runs the worker.
func sample(ctx context.Context, env *stages.Env) error {
	if err := checkLimits(env); err != nil {
		return err
	}
	plan := rollout.Plan{GroupsPerStep: env.Int64("groups-per-step"), MaxLag: env.Int64("max-lag")}
	if v := env.Int64("policy-version"); v < 0 || v > 0 && followsRun(env) {
		return fmt.Errorf("--policy-version is %d, expected a number from 0, and in a run only with --frozen", v)
	}
	session, err := pretrained.StartShared(env.Context)
	if err != nil {
		return err
	}
	defer session.Close()
	source := session.Source
	stop, err := stopTokens(source, env.StringSlice("stop"))
	if err != nil {
		return err
	}
	sizes, err := fit(env, session, engine.Options{
		MaxSequences: env.Int("max-sequences"), CacheTokens: env.Int("cache-tokens"),
		PageSize: env.Int("page-size"), PrefillChunk: env.Int("prefill-chunk"),
	})
	if err != nil {
		return err
	}
	models, err := session.NewEach()
	if err != nil {
		return err
	}
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
	policies, err := policies(ctx, env, source, models)
	if err != nil {
		return err
	}
	pool := engine.NewPool()
	defer pool.Close()
	for _, m := range models {
		e, err := engine.New(m, sizes)
		if err != nil {
			return err
		}
		pool.Join(e)
	}
	env.Log.Info("generating", "model", source.Name, "device", session.Device.Name(), "devices", len(session.Devices), "dtype", session.DType.String())
	worker := &rollout.Worker{
		Engine:   pool,
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
func fit(env *stages.Env, session *pretrained.Session, opt engine.Options) (engine.Options, error) {
	cfg, dev, dtype := session.Source.Config, session.Device, session.DType
	given := opt.CacheTokens > 0
	opt, err := opt.Defaults(cfg)
	if err != nil {
		return opt, err
	}
	value := roofline.CacheValue(dev)
	planned := func() (model.Memory, error) {
		plan, err := opt.Plan(cfg, dtype)
		plan.Cache = plan.Cache / 4 * value // planned as float32
		return plan, err
	}
	plan, err := planned()
	smallest := min(opt.Context, 512+env.Int("max-new-tokens"))
	for err == nil && !given && !backend.Fits(dev, plan) && opt.CacheTokens/2 >= smallest {
		opt.CacheTokens /= 2
		plan, err = planned()
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
func policies(ctx context.Context, env *stages.Env, source *pretrained.Model, models []*model.Model) (rollout.Policies, error) {
	if !followsRun(env) {
		for _, m := range models {
			if err := source.Load(m); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return nil, err
	}
	if err := env.Agree(ctx, "update", "groups-per-step", "max-lag"); err != nil {
		return nil, err
	}
	return &rollout.RunPolicies{Store: run.Policies(), Models: models, Dir: filepath.Join(env.RunDir(), fmt.Sprintf("policies-%d", os.Getpid())), Log: env.Log}, nil
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
