package watch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
	"openrs/stages/bus"
	"openrs/stages/checkpoint"
)

// MetaAdapter is the key of a policy's metadata that holds, for a policy of adapters, the text of their
// adapter_config.json; the policy's bytes are then adapter_model.safetensors.
const MetaAdapter = "adapter_config"

// Base is the model that training began with: what a policy's folder has beside its weights.
type Base struct {
	Name       string // as --model takes it, absolute
	Config     checkpoint.Config
	Companions []checkpoint.ExtraFile
}

// Folder makes a model folder of a policy whose bytes are in the file at weights. The bytes are linked and not
// copied where that is possible, so that they stay when training removes its own file. The folder appears when
// it is whole.
func (b Base) Folder(dir, weights string, pol bus.Policy) (err error) {
	temp := dir + ".tmp"
	if err := errors.Join(os.RemoveAll(temp), os.RemoveAll(dir)); err != nil {
		return err
	}
	if err := os.MkdirAll(temp, 0o777); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(temp)
		}
	}()
	files, name := b.Companions, checkpoint.WeightsFile
	if text, ok := pol.Meta[MetaAdapter]; ok {
		config, err := b.adapter(text)
		if err != nil {
			return fmt.Errorf("policy %d: %w", pol.Version, err)
		}
		files, name = []checkpoint.ExtraFile{{Name: "adapter_config.json", Data: config}}, "adapter_model.safetensors"
	} else {
		cfg := b.Config
		cfg.DType = checkpoint.F32.TorchName()
		config, err := cfg.JSON()
		if err != nil {
			return err
		}
		files = append([]checkpoint.ExtraFile{{Name: checkpoint.ConfigFile, Data: config}}, files...)
	}
	if err := linkOrCopy(weights, filepath.Join(temp, name)); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(temp, f.Name), f.Data, 0o666); err != nil {
			return err
		}
	}
	return os.Rename(temp, dir)
}

// adapter is an adapter's configuration with the base model that is known here.
func (b Base) adapter(text string) ([]byte, error) {
	config := map[string]any{}
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", MetaAdapter, err)
	}
	config["base_model_name_or_path"] = b.Name
	return json.MarshalIndent(config, "", "  ")
}

func linkOrCopy(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, os.ErrNotExist) {
		return err
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}
