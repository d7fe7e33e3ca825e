package main

import (
	"errors"
	"fmt"
	"strings"

	"openrs/stages"
	"openrs/stages/backend"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/train"
)

// session is the devices with a model under training on them, as the flags say.
type session struct {
	*pretrained.Session
	trainer *train.Trainer
}

func open(env *stages.Env) (*session, error) {
	opened, err := pretrained.StartShared(env.Context)
	if err != nil {
		return nil, err
	}
	s := &session{Session: opened}
	opt := train.Options{
		Optimizer: optimSettings(env), TokenBudget: env.Int("token-budget"), DType: s.DType, Recompute: env.Bool("recompute"),
		Shards: env.Int("gradient-shards"), Seed: env.Int64("seed"),
	}
	if opt.LoRA, err = lora(env, s.Source); err != nil {
		s.Close()
		return nil, err
	}
	if err := s.fit(env, &opt); err != nil {
		s.Close()
		return nil, err
	}
	if s.trainer, err = train.New(s.Devices, s.Source, opt); err != nil {
		s.Close()
		return nil, err
	}
	if l := s.trainer.LoRA(); l != nil {
		env.Log.Info("training adapters", "rank", l.Rank, "alpha", l.Alpha, "dropout", l.Dropout, "targets", strings.Join(l.Targets, ","))
	}
	env.Log.Info("training", "model", s.Source.Name, "device", s.Device.Name(), "devices", len(s.Devices), "dtype", s.DType.String(), "parameters", s.trainer.Parameters())
	return s, nil
}

// fit plans the memory of training and turns on activation checkpointing when it does not fit otherwise; the
// result is the same.
func (s *session) fit(env *stages.Env, opt *train.Options) error {
	plan, err := train.Fit(s.Devices, s.Source.Config, opt, opt.TokenBudget, env.Float64("beta") > 0)
	if err != nil {
		return err
	}
	backend.LogPlan(env.Log, s.Device, plan)
	if opt.Recompute != env.Bool("recompute") {
		env.Log.Info("activations are computed again in the backward pass, to fit into memory")
	}
	return nil
}

// lora are the adapters to train, nil if all weights are to be trained.
func lora(env *stages.Env, source *pretrained.Model) (*model.LoRA, error) {
	l, err := source.Trained(env.Context)
	if err == nil && l == nil && env.Bool("merge") {
		return nil, errors.New("--merge: expected adapters to merge (--lora-rank, or --adapter)")
	}
	return l, err
}

// reference is the model that training began with, a frozen copy on each of the devices; of adapters it is what they
// are put on, also where training goes on with adapters that have been trained before (as in TRL).
func (s *session) reference() ([]train.Scorer, error) {
	if bases := s.trainer.Bases(); bases != nil {
		return bases, nil
	}
	all, err := s.LoadEach()
	if err != nil {
		return nil, fmt.Errorf("reference model: %w", err)
	}
	scorers := make([]train.Scorer, len(all))
	for i, m := range all {
		scorers[i] = m
	}
	return scorers, nil
}

// Close frees everything.
func (s *session) Close() {
	if s.trainer != nil {
		s.trainer.Close()
	}
	s.Session.Close()
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
	now := settingsOf(env, t)
	for _, name := range changed(state.Settings, now) {
		env.Log.Warn("another value than before: the run will not be the one that was interrupted", "setting", name, "before", state.Settings[name], "now", now[name])
	}
	env.Log.Info("resumed", "checkpoint", folder, "step", state.Step)
	return state, nil
}
