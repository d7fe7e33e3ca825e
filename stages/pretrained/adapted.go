package pretrained

import (
	"fmt"
	"os"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
)

// openAdapted opens a folder of adapters together with the model that they name as their base.
func openAdapted(dir string, seed uint64) (*Model, error) {
	a, err := adapter.Open(dir)
	if err != nil {
		return nil, err
	}
	base := a.Config.Base
	a.Close()
	if base == "" {
		return nil, fmt.Errorf("--model %s: these adapters do not name their base (base_model_name_or_path): expected --model BASE --adapter %s", dir, dir)
	}
	if adapter.Is(base) {
		return nil, fmt.Errorf("--model %s: these adapters are for %s, which is a folder of adapters itself", dir, base)
	}
	m, err := Open(base, seed)
	if err != nil {
		return nil, fmt.Errorf("--model %s: these adapters are for %s (if it lies elsewhere: --model BASE --adapter %s): %w", dir, base, dir, err)
	}
	if err := m.Attach(dir); err != nil {
		m.Close()
		return nil, err
	}
	m.Name, m.base = dir, base
	return m, nil
}

// Attach puts the adapters of a folder on the model. It must have none yet.
func (p *Model) Attach(dir string) error {
	if p.Adapter != nil {
		return fmt.Errorf("--adapter %s: model %s has the adapters of %s already", dir, p.Name, p.Adapter.Name)
	}
	if info, err := os.Stat(dir); err == nil && info.IsDir() && !adapter.Is(dir) {
		return fmt.Errorf("--adapter %s: expected a folder with an %s", dir, adapter.ConfigFile)
	}
	a, err := adapter.Open(dir)
	if err != nil {
		return err
	}
	p.Adapter = a
	return nil
}

// LoRA are the settings of the model's adapters for [model.Options], nil if it has none.
func (p *Model) LoRA() *model.LoRA {
	if p.Adapter == nil {
		return nil
	}
	l := p.Adapter.Config.LoRA
	return &l
}

// AdapterBytes is the memory that the weights of the adapters take, 0 if there are none.
func (p *Model) AdapterBytes(dtype device.DType) int64 {
	if p.Adapter == nil {
		return 0
	}
	with := model.Plan(p.Config, model.Options{DType: dtype, LoRA: p.LoRA()}, model.Workload{})
	return with.Weights - model.Plan(p.Config, model.Options{DType: dtype}, model.Workload{}).Weights
}

// Base is the name of the model that the adapters are put on: Name, unless that is the adapters'.
func (p *Model) Base() string {
	if p.base != "" {
		return p.base
	}
	return p.Name
}

// Weights lists the model's weights, without its adapters, to be written elsewhere. Values are read when their
// turn comes, at the latest before Close.
func (p *Model) Weights() ([]checkpoint.NamedTensor, error) {
	if p.folder == nil {
		return model.Random(p.Config, p.seed), nil
	}
	weights, err := model.Stored(p.Config, p.folder)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", p.Name, err)
	}
	return weights, nil
}

// Merged is Weights with the adapters built in, computed on dev as their turn comes.
func (p *Model) Merged(dev device.Device) ([]checkpoint.NamedTensor, error) {
	weights, err := p.Weights()
	if err != nil || p.Adapter == nil {
		return weights, err
	}
	matrices, err := model.StoredAdapter(p.Config, p.Adapter.Config.LoRA, p.Adapter)
	if err == nil {
		weights, err = model.Merge(dev, weights, p.Adapter.Config.LoRA, matrices)
	}
	if err != nil {
		return nil, fmt.Errorf("adapter %s: %w", p.Adapter.Name, err)
	}
	return weights, nil
}
