package train

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/model"
)

// Scorer gives the log-probabilities of a batch, as [model.Model] and [model.Base] do.
type Scorer interface {
	LogProbs(*model.Packed) (logp, entropy []float32, err error)
}

// Bases are the models that the adapters under training are put on, one on each device, without a second copy: what
// training began with if the adapters are new. nil where all weights are trained.
func (t *Trainer) Bases() []Scorer {
	if t.lora == nil {
		return nil
	}
	bases := make([]Scorer, len(t.replicas))
	for i, r := range t.replicas {
		bases[i] = r.model.Base()
	}
	return bases
}

// LoRA are the settings of the adapters under training; nil where all weights are trained.
func (t *Trainer) LoRA() *model.LoRA { return t.lora }

// drops reports whether forward passes of training drop something, so that their log-probabilities are not
// those of sampling.
func (t *Trainer) drops() bool { return t.lora != nil && t.lora.Dropout > 0 }

// masks is the seed of what the next update drops.
func (t *Trainer) masks() uint64 {
	return rand.New(rand.NewPCG(uint64(t.seed), uint64(t.Updates()))).Uint64()
}

// adapterConfig is the adapters' configuration as PEFT writes it.
func (t *Trainer) adapterConfig() adapter.Config {
	return adapter.Config{LoRA: *t.lora, Base: t.source.Base()}
}

// adapterFiles are the files of an adapter folder: the adapters in a type, "" being F32.
func (t *Trainer) adapterFiles(dtype checkpoint.DType) ([]checkpoint.ExtraFile, error) {
	tensors, err := t.replicas[0].model.Export()
	if err != nil {
		return nil, err
	}
	if dtype == "" {
		dtype = checkpoint.F32
	}
	return adapter.Files(t.adapterConfig(), tensors, dtype)
}

// ExportAdapter writes the adapters alone as a folder of PEFT's format, in float32 with "".
func (t *Trainer) ExportAdapter(dir string, dtype checkpoint.DType) error {
	files, err := t.adapterFiles(dtype)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	return checkpoint.WriteFolder(dir, files)
}

// exported lists the whole model's tensors, adapters built in.
func (t *Trainer) exported() ([]checkpoint.NamedTensor, error) {
	m := t.replicas[0].model
	tensors, err := m.Export()
	if err != nil || t.lora == nil {
		return tensors, err
	}
	weights, err := t.source.Weights()
	if err != nil {
		return nil, err
	}
	return model.Merge(m.Device(), weights, *t.lora, tensors)
}

// ModelFolder and AdapterFolder are where below its folder a run writes what it has trained.
func ModelFolder(dir string) string { return filepath.Join(dir, "model") }

// AdapterFolder is where adapters are written.
func AdapterFolder(dir string) string { return filepath.Join(dir, "adapter") }

// checkPlace makes sure that a merged model below dir would not take the place of the base that the adapters are put on,
// which would then be put on themselves.
func (t *Trainer) checkPlace(dir string, merge bool) error {
	if t.lora == nil || !merge {
		return nil
	}
	base, err := os.Stat(t.source.Base())
	if err != nil {
		return nil // it is no folder
	}
	if model, err := os.Stat(ModelFolder(dir)); err == nil && os.SameFile(base, model) {
		return fmt.Errorf("--merge: %s would be replaced, and the adapters are put on it: expected another --dir", ModelFolder(dir))
	}
	return nil
}

// Write writes what has been trained below dir: model/, or adapter/ where adapters are trained, and with merge
// model/ too.
func (t *Trainer) Write(dir string, dtype checkpoint.DType, merge bool, log *slog.Logger) error {
	if t.lora != nil {
		if err := t.ExportAdapter(AdapterFolder(dir), dtype); err != nil {
			return err
		}
		log.Info("adapter written", "folder", AdapterFolder(dir), "updates", t.Updates())
		if !merge {
			return nil
		}
	}
	if err := t.Export(ModelFolder(dir), dtype); err != nil {
		return err
	}
	log.Info("model written", "folder", ModelFolder(dir), "updates", t.Updates())
	return nil
}

// restoreAdapter puts the adapters of a checkpoint into the replicas. They must be of the kind that is trained,
// and have been trained on the same base.
func (t *Trainer) restoreAdapter(folder, base string) error {
	if !adapter.Is(folder) {
		return fmt.Errorf("%s has no adapters: it is a checkpoint of training all weights", folder)
	}
	saved, err := adapter.Open(folder)
	if err != nil {
		return err
	}
	defer saved.Close()
	then, now := saved.Config.LoRA, *t.lora
	if then.Rank != now.Rank || then.Scale() != now.Scale() {
		return fmt.Errorf("%s has adapters of rank %d and alpha %v, found settings of rank %d and alpha %v", folder, then.Rank, then.Alpha, now.Rank, now.Alpha)
	}
	digest, err := t.source.Digest()
	if err != nil {
		return err
	}
	if base != digest {
		return fmt.Errorf("%s has adapters for %s of digest %s, found a model of digest %s", folder, saved.Config.Base, base, digest)
	}
	for _, r := range t.replicas {
		if err := r.model.LoadAdapter(saved); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
	}
	return nil
}
