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

// policyPatience is how long Load waits for a version before it says ErrNotYet. It delays nothing but
// the look for batches that a dead worker has left.
const policyPatience = 2 * time.Second

// RunPolicies takes weights from the policy store of a run.
type RunPolicies struct {
	Store  *bus.Policies
	Models []*model.Model // all get the weights
	Dir    string         // this process's own, for weights that come as bytes while they are read
	Log    *slog.Logger
}

// Load implements [Policies].
func (p *RunPolicies) Load(ctx context.Context, version, step int64) error {
	wait, cancel := context.WithTimeout(ctx, policyPatience)
	policy, err := p.Store.Wait(wait, version)
	cancel()
	switch {
	case p.trained(ctx, step):
		return ErrTrained
	case errors.Is(err, bus.ErrNoMorePolicies):
		return ErrTrainingEnded
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return ErrNotYet
	case err != nil:
		return err
	}
	if err := p.load(ctx, policy); err != nil {
		// Another worker may have done the step meanwhile, and training may have pruned the version.
		if p.trained(ctx, step) {
			return ErrTrained
		}
		return err
	}
	p.Log.Debug("policy loaded", "version", version, "digest", policy.Digest)
	return nil
}

// trained reports whether the version made from the step exists.
func (p *RunPolicies) trained(ctx context.Context, step int64) bool {
	newest, err := p.Store.Latest(ctx)
	return err == nil && newest.Version > step
}

func (p *RunPolicies) load(ctx context.Context, policy bus.Policy) error {
	path, err := p.Store.Open(ctx, policy, p.Dir)
	if err != nil {
		return err
	}
	weights, err := checkpoint.OpenTensors(path)
	if err != nil {
		return err
	}
	defer weights.Close()
	if policy.File == "" { // it was fetched from the server, for this
		if err := bus.Evict(p.Dir); err != nil {
			return err
		}
		os.Remove(p.Dir) // empty, unless something else is kept there
	}
	for _, m := range p.Models {
		if err := m.Load(weights); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
