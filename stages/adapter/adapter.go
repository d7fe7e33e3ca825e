package adapter

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"openrs/stages/checkpoint"
	"openrs/stages/model"
)

// The names of an adapter folder's files.
const (
	ConfigFile  = checkpoint.AdapterFile
	WeightsFile = "adapter_model.safetensors"
)

// Adapter is an open folder of adapters. Close it after the last use of its tensors.
type Adapter struct {
	Name   string // the folder
	Config Config // with Targets filled in
	*checkpoint.File
}

// Is reports whether dir is a folder of adapters: it has their configuration.
func Is(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, ConfigFile))
	return err == nil && info.Mode().IsRegular()
}

// Open opens a folder of adapters. Which projections have them is read off the tensors' names; whether the
// tensors fit a model is checked by [model.Model.LoadAdapter].
func Open(dir string) (*Adapter, error) {
	data, err := os.ReadFile(filepath.Join(dir, ConfigFile))
	if err != nil {
		return nil, fmt.Errorf("open adapter: %w", err)
	}
	a := &Adapter{Name: dir}
	if a.Config, err = ParseConfig(data); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	path := filepath.Join(dir, WeightsFile)
	if a.File, err = checkpoint.OpenTensors(path); err != nil {
		if _, other := os.Stat(filepath.Join(dir, "adapter_model.bin")); other == nil && errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w (it has PyTorch weights: convert them to safetensors first)", err)
		}
		return nil, err
	}
	if a.Config.LoRA.Targets, err = targets(a.Names()); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), a.Close())
	}
	return a, nil
}

// targets lists the projections that the tensors belong to.
func targets(names []string) ([]string, error) {
	var found []string
	for _, name := range names {
		weight, _, ok := model.Target(name)
		if !ok {
			return nil, fmt.Errorf("%w: tensor %q: expected lora_A or lora_B of a projection, base_model.model.….weight", ErrFormat, name)
		}
		module := strings.TrimSuffix(weight, ".weight")
		module = module[strings.LastIndexByte(module, '.')+1:]
		if !slices.Contains(found, module) {
			found = append(found, module)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: there are no tensors", ErrFormat)
	}
	l, err := model.LoRA{Rank: 1, Alpha: 1, Targets: found}.Validate()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return l.Targets, nil
}

// Files are the files of an adapter folder, to be written by [checkpoint.WriteFolder]. tensors are those of
// [model.Model.Export].
func Files(c Config, tensors []checkpoint.NamedTensor, dtype checkpoint.DType) ([]checkpoint.ExtraFile, error) {
	config, err := c.JSON()
	if err != nil {
		return nil, err
	}
	return []checkpoint.ExtraFile{
		{Name: ConfigFile, Data: config},
		{Name: WeightsFile, Write: func(w io.Writer) error { return checkpoint.WriteTensors(w, tensors, dtype, nil) }},
	}, nil
}
