package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"time"

	"openrs/stages/adapter"
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
	Base   Base           // what a run that trains adapters puts them on
	Dir    string         // this process's own, for weights that come as bytes while they are read
	Log    *slog.Logger

	adapted *adapter.Policy // of the models; nil: their weights are whole policies
}

// Base is the model that adapters are put on.
type Base interface {
	Load(*model.Model) error
	// Digest tells whether it is the one that the adapters were trained on.
	Digest() (string, error)
}

// ErrBase says that a policy's adapters were trained on other weights than this stage has.
var ErrBase = errors.New("another base")

// Load implements [Policies].
func (p *RunPolicies) Load(ctx context.Context, version, step int64) error {
	wait, cancel := context.WithTimeout(ctx, policyPatience)
	policy, err := p.Store.Wait(wait, version)
	cancel()
	switch {
	case p.trained(ctx, step):
		return ErrTrained
	case ctx.Err() != nil: // so nobody could say whether the step has been trained on
		return ctx.Err()
	case errors.Is(err, bus.ErrNoMorePolicies):
		return ErrTrainingEnded
	case errors.Is(err, context.DeadlineExceeded):
		return ErrNotYet
	case err != nil:
		return err
	}
	if err := p.load(ctx, policy); err != nil {
		// Another worker may have done the step meanwhile, and training may have pruned the version.
		if p.trained(ctx, step) {
			return ErrTrained
		}
		if ctx.Err() != nil {
			return ctx.Err()
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
	adapters, err := adapter.FromNotes(policy.Meta, weights.Names())
	if err != nil {
		return err
	}
	load := (*model.Model).Load
	if adapters != nil {
		if err := p.adapt(adapters); err != nil {
			return err
		}
		load = (*model.Model).LoadAdapter
	}
	for _, m := range p.Models {
		if err := load(m, weights); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// adapt makes the models the base with adapters of a policy's kind, unless they are.
func (p *RunPolicies) adapt(to *adapter.Policy) error {
	if reflect.DeepEqual(p.adapted, to) {
		return nil
	}
	if p.Base == nil {
		return errors.New("the policy consists of adapters, and there is no model to put them on")
	}
	digest, err := p.Base.Digest()
	if err != nil {
		return err
	}
	if digest != to.Base {
		return fmt.Errorf("%w: the policy's adapters were trained on weights with digest %s, --model has %s", ErrBase, to.Base, digest)
	}
	for _, m := range p.Models {
		if err := p.Base.Load(m); err != nil {
			return err
		}
		if err := m.Adapt(to.LoRA); err != nil {
			return err
		}
	}
	p.adapted = to
	p.Log.Info("sampling with adapters", "rank", to.LoRA.Rank, "targets", strings.Join(to.LoRA.Targets, ","))
	return nil
}
