package main

import (
	"errors"
	"fmt"
	"slices"

	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/train"
)

// session is a device with a model under training on it, as the flags say.
type session struct {
	dev     device.Device
	source  *pretrained.Model
	dtype   device.DType
	trainer *train.Trainer
	ref     *model.Model
}

func open(env *stages.Env) (*session, error) {
	s := &session{}
	var err error
	if s.source, err = pretrained.FromFlags(env.Context); err != nil {
		return nil, err
	}
	if s.dtype, err = backend.DType(env.Context); err != nil {
		s.Close()
		return nil, err
	}
	if s.dev, err = backend.Open(env.Context); err != nil {
		s.Close()
		return nil, err
	}
	recompute, err := s.fit(env)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.trainer, err = train.New(s.dev, s.source, train.Options{
		Optimizer: optimSettings(env), TokenBudget: env.Int("token-budget"), DType: s.dtype, Recompute: recompute,
	})
	if err != nil {
		s.Close()
		return nil, err
	}
	env.Log.Info("training", "model", s.source.Name, "device", s.dev.Name(), "dtype", s.dtype.String(), "parameters", s.trainer.Parameters())
	return s, nil
}

// fit plans the memory of training and says whether to compute activations again: when asked to, and
// when it does not fit otherwise; the result is the same.
func (s *session) fit(env *stages.Env) (recompute bool, err error) {
	budget := env.Int("token-budget")
	plan := func(recompute bool) model.Memory {
		p := model.Plan(s.source.Config, model.Options{DType: s.dtype, Train: true, Recompute: recompute}, model.Workload{Rows: budget, Predictions: budget})
		p.Weights *= 2 // a device may keep one layout for x·Wᵀ and one for dy·W
		if env.Float64("beta") > 0 {
			p.Weights += model.Plan(s.source.Config, model.Options{DType: s.dtype}, model.Workload{}).Weights // the reference
		}
		return p
	}
	recompute = env.Bool("recompute") || !backend.Fits(s.dev, plan(false))
	if !backend.Fits(s.dev, plan(recompute)) {
		return false, backend.Refuse(s.dev, plan(recompute), "a smaller --token-budget or --dtype bf16 needs less")
	}
	backend.LogPlan(env.Log, s.dev, plan(recompute))
	if recompute != env.Bool("recompute") {
		env.Log.Info("activations are computed again in the backward pass, to fit into memory")
	}
	return recompute, nil
}

// reference loads the model that training began with, frozen.
func (s *session) reference() (*model.Model, error) {
	m, err := model.New(s.dev, s.source.Config, model.Options{DType: s.dtype})
	if err != nil {
		return nil, fmt.Errorf("reference model: %w", err)
	}
	s.ref = m
	return m, s.source.Load(m)
}

// Close frees everything.
func (s *session) Close() {
	if s.ref != nil {
		s.ref.Close()
	}
	if s.trainer != nil {
		s.trainer.Close()
	}
	if s.dev != nil {
		s.dev.Close()
	}
	s.source.Close()
}

// restore puts the newest checkpoint below dir into the trainer when --resume is given. Without it, a
// checkpoint that would be overwritten stops the command.
func restore(env *stages.Env, t *train.Trainer, dir string) (train.State, error) {
	folder, err := train.Latest(train.Checkpoints(dir))
	fresh := errors.Is(err, train.ErrNoCheckpoint)
	switch {
	case err != nil && !fresh:
		return train.State{}, err
	case !fresh && !env.Bool("resume"):
		return train.State{}, fmt.Errorf("%s exists: --resume goes on from it, another --dir or --run starts anew", folder)
	}
	if err := train.Tidy(dir); err != nil || fresh {
		return train.State{}, err
	}
	state, err := t.Restore(folder)
	if err != nil {
		return train.State{}, fmt.Errorf("resuming from %s: %w", folder, err)
	}
	for _, setting := range env.Settings {
		was, known := state.Settings[setting.Name]
		if known && was != setting.Value && !slices.Contains(freeSettings(), setting.Name) {
			env.Log.Warn("another value than before: the run will not be the one that was interrupted", "setting", setting.Name, "before", was, "now", setting.Value)
		}
	}
	env.Log.Info("resumed", "checkpoint", folder, "step", state.Step)
	return state, nil
}

// freeSettings may change over an interruption without changing what is trained.
func freeSettings() []string {
	return []string{"resume", "nats", "nats-creds", "nats-nkey", "nats-tls-ca", "nats-tls-cert", "nats-tls-key", "metrics-addr",
		"config", "log-format", "log-level", "threads", "checkpoint-every", "keep-checkpoints", "save-dtype", "runs-dir", "dir"}
}

// settingsOf are the command's settings as a checkpoint records them.
func settingsOf(env *stages.Env) map[string]string {
	out := map[string]string{}
	for _, s := range env.Settings {
		out[s.Name] = s.Value
	}
	return out
}
