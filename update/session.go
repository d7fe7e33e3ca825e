package main

import (
	"errors"
	"fmt"

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
	trainer *train.Trainer
	ref     *model.Model
}

func open(env *stages.Env) (*session, error) {
	s := &session{}
	var err error
	if s.source, err = pretrained.Open(env.String("model"), env.Uint64("seed")); err != nil {
		return nil, err
	}
	if s.dev, err = backend.Open(env.Context); err != nil {
		s.Close()
		return nil, err
	}
	s.trainer, err = train.New(s.dev, s.source, train.Options{
		Optimizer: optimSettings(env), TokenBudget: env.Int("token-budget"), Recompute: env.Bool("recompute"),
	}, env.Log)
	if err != nil {
		s.Close()
		return nil, err
	}
	env.Log.Info("training", "model", s.source.Name, "device", s.dev.Name(), "parameters", s.trainer.Parameters())
	return s, nil
}

// reference loads the model that training began with, frozen.
func (s *session) reference() (*model.Model, error) {
	m, err := model.New(s.dev, s.source.Config, model.Options{})
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
	if errors.Is(err, train.ErrNoCheckpoint) {
		return train.State{}, nil
	}
	if err != nil {
		return train.State{}, err
	}
	if !env.Bool("resume") {
		return train.State{}, fmt.Errorf("%s exists: --resume goes on from it, another --dir or --run starts anew", folder)
	}
	state, err := t.Restore(folder)
	if err != nil {
		return train.State{}, fmt.Errorf("resuming from %s: %w", folder, err)
	}
	env.Log.Info("resumed", "checkpoint", folder, "step", state.Step)
	return state, nil
}
