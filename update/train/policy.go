package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
	"openrs/stages/bus"
	"openrs/stages/checkpoint"
)

// policyFile holds a version's weights while they are being published.
const policyFile = "policy-%d.safetensors"

// Publisher puts each version of the weights into a run's policy store.
type Publisher struct {
	Run *bus.Run
	Dir string // on the file system that the stages share
	// Keep is how many versions before the newest stay: as many as the sampling policy may be behind.
	Keep int64
}

// Reopen takes back the marks of a run that has finished if training is to go further than it did, to
// the given number of steps (0: as far as there is input); stages started after it find the run open.
func (p *Publisher) Reopen(ctx context.Context, steps int64) error {
	final, err := p.Run.Policies().Final(ctx)
	switch {
	case errors.Is(err, bus.ErrNotFound):
		return nil // it has not finished
	case err != nil:
		return err
	case steps == 0:
		return p.Run.Policies().ClearFinal(ctx)
	case steps <= final:
		return nil
	}
	if err := p.Run.ClearEnd(ctx, bus.Rollouts, bus.Scored); err != nil {
		return err
	}
	return p.Run.Policies().ClearFinal(ctx)
}

// Publish stores the trainer's weights, or its adapters where these are trained, as a version. To publish the same weights again, after a
// crash, is harmless; other weights under the same version are an error: the run would not be what
// its recorded rollouts say.
func (p *Publisher) Publish(ctx context.Context, t *Trainer, version int64) error {
	tensors, err := t.replicas[0].model.Export()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return err
	}
	// Named by the process: two updates on one run are a mistake that the store reports.
	path := filepath.Join(p.Dir, fmt.Sprintf(policyFile, os.Getpid()))
	defer os.Remove(path)
	err = atomicfile.Write(path, func(w io.Writer) error {
		return checkpoint.WriteTensors(w, tensors, checkpoint.F32, nil)
	})
	if err != nil {
		return err
	}
	policy := bus.Policy{Version: version, Step: version - 1, Parent: version - 1}
	if t.lora != nil { // the tensors are the adapters alone
		digest, err := t.source.Digest()
		if err != nil {
			return err
		}
		if policy.Meta, err = t.adapterConfig().Notes(digest); err != nil {
			return err
		}
	}
	if _, err := p.Run.Policies().Publish(ctx, policy, path); err != nil {
		return err
	}
	return p.Run.Policies().Prune(ctx, version-p.Keep)
}
