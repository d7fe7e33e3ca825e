package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// The names of a model folder's files.
const (
	ConfigFile     = "config.json"
	GenerationFile = "generation_config.json"
	WeightsFile    = "model.safetensors"
	IndexFile      = "model.safetensors.index.json"
)

// Folder is an open model folder. It may be read from several goroutines at once.
type Folder struct {
	where      string // for messages
	config     Config
	generation Generation
	files      map[string]*File // by file name
	holder     map[string]*File // by tensor name
	names      []string
}

// OpenDir opens a model folder on disk. Weights are mapped into memory where the system can, so
// opening is quick and reading a tensor touches only its pages. The caller closes the folder.
//
// Every shard is opened and compared with the index: a missing shard, a tensor that is not in the
// shard that the index names, and a tensor that the index does not list are errors.
func OpenDir(dir string) (*Folder, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open checkpoint: %s: expected a folder, found a file", dir)
	}
	return open(dir, os.DirFS(dir), func(name string) (content, error) {
		return mapFile(filepath.Join(dir, name))
	})
}

// OpenFS opens a model folder in any file system, such as an embedded one, by reading its files.
func OpenFS(fsys fs.FS) (*Folder, error) {
	return open("", fsys, func(name string) (content, error) {
		data, err := fs.ReadFile(fsys, name)
		return content{data: data}, err
	})
}

// Close releases the mapped files; tensors of the folder must not be used afterwards.
func (f *Folder) Close() error {
	var errs []error
	for _, file := range f.files {
		errs = append(errs, file.Close())
	}
	f.files, f.holder = nil, nil
	return errors.Join(errs...)
}

// Config is the parsed config.json.
func (f *Folder) Config() Config { return f.config }

// Generation is the parsed generation_config.json, empty when the folder has none.
func (f *Folder) Generation() Generation { return f.generation }

// EOS are the token ids that end a completion: those of generation_config.json where it names any,
// else those of config.json.
func (f *Folder) EOS() []int32 {
	if len(f.generation.EOS) > 0 {
		return slices.Clone(f.generation.EOS)
	}
	return slices.Clone(f.config.EOS)
}

// Names lists all tensors in alphabetical order.
func (f *Folder) Names() []string { return slices.Clone(f.names) }

// Tensor returns a tensor by name, or an error wrapping [ErrNoTensor].
func (f *Folder) Tensor(name string) (Tensor, error) {
	file, ok := f.holder[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", f.path("model weights"), name, ErrNoTensor)
	}
	return file.Tensor(name)
}

// ReadConfig reads config.json alone, from a folder that may have no weights.
func ReadConfig(fsys fs.FS) (Config, error) {
	data, err := fs.ReadFile(fsys, ConfigFile)
	if err != nil {
		return Config{}, fmt.Errorf("read model configuration: %w", err)
	}
	cfg, err := ParseConfig(data)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", ConfigFile, err)
	}
	return cfg, nil
}

// opener returns the bytes of a weights file.
type opener func(name string) (content, error)

func open(where string, fsys fs.FS, load opener) (_ *Folder, err error) {
	f := &Folder{where: where, files: map[string]*File{}, holder: map[string]*File{}}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if f.config, err = ReadConfig(fsys); err != nil {
		return nil, f.in(err)
	}
	if f.generation, err = ReadGeneration(fsys); err != nil {
		return nil, f.in(err)
	}
	if err := f.openWeights(fsys, load); err != nil {
		return nil, err
	}
	f.names = slices.Sorted(maps.Keys(f.holder))
	return f, nil
}

func (f *Folder) openWeights(fsys fs.FS, load opener) error {
	if exists(fsys, WeightsFile) {
		file, err := f.openFile(WeightsFile, load)
		if err != nil {
			return err
		}
		for _, name := range file.order {
			f.holder[name] = file
		}
		return nil
	}
	if !exists(fsys, IndexFile) {
		hint := ""
		if exists(fsys, "pytorch_model.bin") || exists(fsys, "pytorch_model.bin.index.json") {
			hint = " (it has PyTorch weights: convert them to safetensors first)"
		}
		return fmt.Errorf("%s: expected %s or %s, found neither%s: %w", f.path("."), WeightsFile, IndexFile, hint, fs.ErrNotExist)
	}
	weightMap, err := readIndex(fsys)
	if err != nil {
		return f.in(err)
	}
	for _, name := range slices.Sorted(maps.Keys(weightMap)) {
		shard := weightMap[name]
		file, ok := f.files[shard]
		if !ok {
			if file, err = f.openFile(shard, load); err != nil {
				return fmt.Errorf("shard named by %s: %w", IndexFile, err)
			}
		}
		if _, ok := file.tensors[name]; !ok {
			return fmt.Errorf("%s: %w: tensor %q: %s says that it is here, but it is not", file.name, ErrFormat, name, IndexFile)
		}
		f.holder[name] = file
	}
	for _, shard := range slices.Sorted(maps.Keys(f.files)) {
		for _, name := range f.files[shard].order {
			if where, ok := weightMap[name]; !ok {
				return fmt.Errorf("%s: %w: tensor %q: not listed in %s", f.path(shard), ErrFormat, name, IndexFile)
			} else if where != shard {
				return fmt.Errorf("%s: %w: tensor %q: %s says that it is in %s", f.path(shard), ErrFormat, name, IndexFile, where)
			}
		}
	}
	return nil
}

func (f *Folder) openFile(name string, load opener) (*File, error) {
	c, err := load(name)
	if err != nil {
		return nil, fmt.Errorf("open checkpoint: %w", err)
	}
	file, err := c.parse(f.path(name))
	if err != nil {
		return nil, err
	}
	f.files[name] = file
	return file, nil
}

func (f *Folder) path(name string) string {
	if f.where == "" {
		return name
	}
	return filepath.Join(f.where, name)
}

// in names the folder in an error that only names the file.
func (f *Folder) in(err error) error {
	if f.where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", f.where, err)
}

// readIndex returns the shard of each tensor.
func readIndex(fsys fs.FS) (map[string]string, error) {
	data, err := fs.ReadFile(fsys, IndexFile)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", IndexFile, ErrFormat, err)
	}
	if len(index.WeightMap) == 0 {
		return nil, fmt.Errorf("%s: %w: expected tensors in weight_map, found none", IndexFile, ErrFormat)
	}
	for name, shard := range index.WeightMap {
		// A shard lies next to its index; a path could name any file of the machine.
		if shard != path.Base(shard) || !fs.ValidPath(shard) || shard == "." {
			return nil, fmt.Errorf("%s: %w: tensor %q: expected a file name, found %q", IndexFile, ErrFormat, name, shard)
		}
	}
	return index.WeightMap, nil
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return err == nil
}
