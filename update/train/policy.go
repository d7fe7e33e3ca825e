package train

import (
	"context"
	"io"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
	"openrs/stages/bus"
	"openrs/stages/checkpoint"
)

// Publisher puts each version of the weights into a run's policy store.
type Publisher struct {
	Store *bus.Policies
	Dir   string // on the file system that the stages share
	// Keep is how many versions before the newest stay: as many as the sampling policy may be behind.
	Keep int64
}

// Publish stores the trainer's weights as a version. To publish the same weights again, after a
// crash, is harmless; other weights under the same version are an error: the run would not be what
// its recorded rollouts say.
func (p *Publisher) Publish(ctx context.Context, t *Trainer, version int64) error {
	tensors, err := t.model.Export()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(p.Dir, "policy.safetensors")
	defer os.Remove(path)
	err = atomicfile.Write(path, func(w io.Writer) error {
		return checkpoint.WriteTensors(w, tensors, checkpoint.F32, nil)
	})
	if err != nil {
		return err
	}
	if _, err := p.Store.Publish(ctx, bus.Policy{Version: version, Step: version - 1, Parent: version - 1}, path); err != nil {
		return err
	}
	return p.Store.Prune(ctx, version-p.Keep)
}
