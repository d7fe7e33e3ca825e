// Package pretrained opens what --model names: a Hugging Face folder, the small model `tiny` that
// ships inside the binaries, or `shape:NAME`, random weights of a known architecture.
package pretrained

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/model"
	"openrs/stages/model/tiny"
	"openrs/stages/suggest"
	"openrs/stages/tokenizer"
)

// Tiny is the name of the model inside the binaries.
const Tiny = "tiny"

// shapePrefix starts the name of a model with random weights.
const shapePrefix = "shape:"

// Model is an opened model: everything but its weights in a device's memory. Close it after the last
// Load.
type Model struct {
	Name       string
	Config     checkpoint.Config
	Generation checkpoint.Generation
	EOS        []int32                // tokens that end a completion
	Tokenizer  *tokenizer.Tokenizer   // of a shape, tiny's, which can encode any text
	Companions []checkpoint.ExtraFile // files that a trained copy needs unchanged
	Adapter    *adapter.Adapter       // put on the weights; nil: none
	folder     *checkpoint.Folder     // nil: random weights
	seed       uint64
	base       string // of a model that was opened by the name of its adapters
	digest     string // once it is known
}

// Open opens a model by its name on the command line: that of a folder of adapters opens their base with them.
// seed is for the weights of a shape.
func Open(name string, seed uint64) (*Model, error) {
	switch shape, isShape := strings.CutPrefix(name, shapePrefix); {
	case name == "":
		return nil, errors.New("expected --model: a Hugging Face folder, tiny, or shape:NAME")
	case isShape:
		return openShape(shape, seed)
	case name == Tiny:
		folder, err := checkpoint.OpenFS(tiny.FS())
		if err != nil {
			return nil, fmt.Errorf("model tiny: %w", err)
		}
		return fromFolder(name, folder, tiny.FS())
	}
	if info, err := os.Stat(name); err != nil {
		return nil, fmt.Errorf("--model: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("--model %s: expected a folder with a config.json, tiny, or shape:NAME", name)
	}
	if _, err := os.Stat(filepath.Join(name, checkpoint.ConfigFile)); err != nil && adapter.Is(name) {
		return openAdapted(name, seed)
	}
	folder, err := checkpoint.OpenDir(name)
	if err != nil {
		return nil, err
	}
	m, err := fromFolder(name, folder, os.DirFS(name))
	if err != nil {
		folder.Close()
		return nil, err
	}
	return m, nil
}

func fromFolder(name string, folder *checkpoint.Folder, fsys fs.FS) (*Model, error) {
	tok, err := tokenizer.Load(fsys)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	companions, err := checkpoint.Companions(fsys)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", name, err)
	}
	if n, v := tok.VocabSize(), folder.Config().Vocab; n > v {
		return nil, fmt.Errorf("model %s: the tokenizer has %d tokens, the embedding %d rows", name, n, v)
	}
	return &Model{
		Name: name, Config: folder.Config(), Generation: folder.Generation(), EOS: folder.EOS(),
		Tokenizer: tok, Companions: companions, folder: folder,
	}, nil
}

func openShape(name string, seed uint64) (*Model, error) {
	cfg, ok := shapes()[name]
	if !ok {
		return nil, fmt.Errorf("--model shape:%s: unknown shape%s, expected one of %s", name, suggest.From(name, shapeNames()), strings.Join(shapeNames(), ", "))
	}
	tok, err := tokenizer.Load(tiny.FS())
	if err != nil {
		return nil, fmt.Errorf("tokenizer of model tiny: %w", err)
	}
	companions, err := checkpoint.Companions(tiny.FS())
	if err != nil {
		return nil, err
	}
	if name != Tiny { // its end token is another one
		companions = slices.DeleteFunc(companions, func(f checkpoint.ExtraFile) bool { return f.Name == checkpoint.GenerationFile })
	}
	return &Model{Name: shapePrefix + name, Config: cfg, EOS: cfg.EOS, Tokenizer: tok, Companions: companions, seed: seed}, nil
}

// Load puts the weights into m, which was made for the model's Config, and those of the adapters too if m was made
// for them.
func (p *Model) Load(m *model.Model) error {
	if p.folder == nil {
		if err := m.Init(p.seed); err != nil {
			return err
		}
	} else if err := m.Load(p.folder); err != nil {
		return fmt.Errorf("model %s: %w", p.Name, err)
	}
	if p.Adapter == nil || m.Options().LoRA == nil {
		return nil
	}
	if err := m.LoadAdapter(p.Adapter); err != nil {
		return fmt.Errorf("adapter %s: %w", p.Adapter.Name, err)
	}
	return nil
}

// Close releases the files.
func (p *Model) Close() error {
	var err error
	if p.Adapter != nil {
		err = p.Adapter.Close()
	}
	if p.folder != nil {
		err = errors.Join(err, p.folder.Close())
	}
	return err
}
