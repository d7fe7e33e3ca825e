package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// NamedTensor is a tensor to write. Values has the product of Shape elements, row-major. Where
// making all values at once would take too much memory, Values is nil and Read returns them when
// their turn comes; the slice is not kept.
type NamedTensor struct {
	Name   string
	Shape  []int
	Values []float32
	Read   func() ([]float32, error)
}

// ExtraFile is a file that goes into a saved folder beside the model. Its content is Data, or, where
// Write is not nil, what Write writes.
type ExtraFile struct {
	Name  string
	Data  []byte
	Write func(io.Writer) error
}

// SaveOptions are the choices of [Save].
type SaveOptions struct {
	// DType is the type to store: F32, BF16 or F16; "" takes the configuration's, or BF16.
	DType DType
	// MaxShardBytes is the size above which the weights are split over several files; 0 means 5 GB,
	// as Hugging Face has it.
	MaxShardBytes int64
	// Files are written beside the weights: see [Companions].
	Files []ExtraFile
	// Metadata goes into each safetensors header, beside "format": "pt".
	Metadata map[string]string
}

const defaultShardBytes = 5_000_000_000

// Companions reads the files of a model folder that a trained copy of the model needs unchanged: the
// tokenizer's, the chat template, the generation configuration and the licence, as far as they exist.
func Companions(fsys fs.FS) ([]ExtraFile, error) {
	var files []ExtraFile
	for _, name := range []string{
		"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"vocab.json", "merges.txt", "chat_template.jinja", "chat_template.json", GenerationFile,
		"tokenizer.model", "LICENSE", "LICENSE.txt", "NOTICE", "USE_POLICY.md",
	} {
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read model folder: %w", err)
		}
		files = append(files, ExtraFile{Name: name, Data: data})
	}
	return files, nil
}

// Save writes a model folder: config.json, the weights in the given order (so the same tensors give
// the same bytes), and the extra files. The folder is written under a temporary name next to dir,
// synced, and renamed when it is complete: dir is always absent, the old folder, or the new one.
//
// A folder that is already there is replaced, with everything in it, provided that it looks like a
// model folder (empty, or a config.json and no folders inside); anything else is refused.
func Save(dir string, cfg Config, tensors []NamedTensor, opt SaveOptions) error {
	if opt.DType == "" {
		opt.DType = BF16
		if cfg.DType != "" {
			d, err := ParseDType(cfg.DType)
			if err != nil {
				return fmt.Errorf("save %s: %w", dir, err)
			}
			opt.DType = d
		}
	}
	cfg.DType = opt.DType.TorchName()
	config, err := cfg.JSON()
	if err != nil {
		return fmt.Errorf("save %s: %s: %w", dir, ConfigFile, err)
	}
	files, err := weightFiles(tensors, opt)
	if err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	files = append(files, ExtraFile{Name: ConfigFile, Data: config})
	files = append(files, opt.Files...)
	if err := writeFolder(dir, files); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	return nil
}

// weightFiles plans the weights' files: one, or shards and their index. Nothing is written yet.
func weightFiles(tensors []NamedTensor, opt SaveOptions) ([]ExtraFile, error) {
	limit := opt.MaxShardBytes
	if limit == 0 {
		limit = defaultShardBytes
	}
	if limit < 0 {
		return nil, fmt.Errorf("shard size: expected a number of bytes, found %d", limit)
	}
	if _, err := header(tensors, opt.DType, opt.Metadata); err != nil { // names and shapes, once for all
		return nil, err
	}
	var shards [][]NamedTensor
	var total, inShard int64
	for i, t := range tensors {
		n := int64(elements(t.Shape)) * int64(opt.DType.Size())
		if i == 0 || inShard > 0 && inShard+n > limit {
			shards = append(shards, nil)
			inShard = 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		inShard += n
		total += n
	}
	writer := func(part []NamedTensor) func(io.Writer) error {
		return func(w io.Writer) error { return WriteTensors(w, part, opt.DType, opt.Metadata) }
	}
	if len(shards) <= 1 {
		return []ExtraFile{{Name: WeightsFile, Write: writer(tensors)}}, nil
	}
	var files []ExtraFile
	weightMap := map[string]string{}
	for i, part := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range part {
			weightMap[t.Name] = name
		}
		files = append(files, ExtraFile{Name: name, Write: writer(part)})
	}
	index, err := json.MarshalIndent(map[string]any{
		"metadata": map[string]any{"total_size": total}, "weight_map": weightMap,
	}, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(files, ExtraFile{Name: IndexFile, Data: append(index, '\n')}), nil
}
