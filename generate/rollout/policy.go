package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"openrs/stages/bus"
	"openrs/stages/checkpoint"
	"openrs/stages/model"
)

// RunPolicies takes weights from the policy store of a run.
type RunPolicies struct {
	Store *bus.Policies
	Model *model.Model
	Dir   string // where weights that come as bytes are kept while they are read
	// Patience is how long Load waits for a version before it says ErrNotYet.
	Patience time.Duration
	Log      *slog.Logger
}

// Load implements [Policies].
func (p *RunPolicies) Load(ctx context.Context, version, step int64) error {
	wait, cancel := context.WithTimeout(ctx, p.Patience)
	policy, err := p.Store.Wait(wait, version)
	cancel()
	if newest, latestErr := p.Store.Latest(ctx); latestErr == nil && newest.Version > step {
		return ErrTrained
	}
	if errors.Is(err, bus.ErrNoMorePolicies) {
		return ErrTrainingEnded
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return ErrNotYet
	}
	if err != nil {
		return err
	}
	path, err := p.Store.Open(ctx, policy, p.Dir)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	weights, err := checkpoint.ParseTensors(path, data)
	if err != nil {
		return err
	}
	if err := p.Model.Load(weights); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.Log.Debug("policy loaded", "version", version, "digest", policy.Digest)
	return nil
}
