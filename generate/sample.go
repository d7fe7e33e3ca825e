package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"openrs/generate/rollout"
	"openrs/generate/sampler"
	"openrs/schemas"
	"openrs/stages"
)

// sample opens the model, the engines and the endpoints as the flags say, and runs the worker.
func sample(ctx context.Context, env *stages.Env) error {
	if err := checkLimits(env); err != nil {
		return err
	}
	plan := rollout.Plan{GroupsPerStep: env.Int64("groups-per-step"), MaxLag: env.Int64("max-lag")}
	if v := env.Int64("policy-version"); v < 0 || v > 0 && followsRun(env) {
		return fmt.Errorf("--policy-version is %d, expected a number from 0, and in a run only with --frozen", v)
	}
	if env.String("adapter") != "" && followsRun(env) {
		return errors.New("--adapter: a run's policies bring their own adapters, expected it only with --frozen")
	}
	s, err := sampler.Open(env, env.Int("max-new-tokens"))
	if err != nil {
		return err
	}
	defer s.Close()
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
	policies, err := policies(ctx, env, s)
	if err != nil {
		return err
	}
	env.Log.Info("generating", "model", s.Source.Name, "device", s.Device.Name(), "devices", len(s.Devices), "dtype", s.DType.String())
	worker := &rollout.Worker{
		Engine:   s.Pool,
		Prompter: rollout.Prompter{Tokenizer: s.Source.Tokenizer, System: env.String("system"), Template: s.Template},
		Policies: policies,
		Options: rollout.Options{
			Plan: plan, GroupSize: env.Int("group-size"), MaxNewTokens: env.Int("max-new-tokens"), Stop: s.Stop,
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

// followsRun reports whether the weights are those of a run's policies.
func followsRun(env *stages.Env) bool { return env.RunName() != "" && !env.Bool("frozen") }

// policies returns the run's policy store, or nil with the model's own weights loaded.
func policies(ctx context.Context, env *stages.Env, s *sampler.Sampler) (rollout.Policies, error) {
	if !followsRun(env) {
		return nil, s.Load()
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return nil, err
	}
	if err := env.Agree(ctx, "update", "groups-per-step", "max-lag"); err != nil {
		return nil, err
	}
	return &rollout.RunPolicies{Store: run.Policies(), Models: s.Models, Base: s.Source, Dir: filepath.Join(env.RunDir(), fmt.Sprintf("policies-%d", os.Getpid())), Log: env.Log}, nil
}
