package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"openrs/stages/checkpoint"
)

// TensorSource is where weights come from: a [checkpoint.Folder], or a [checkpoint.File] for weights
// that came as one blob.
type TensorSource interface {
	Tensor(name string) (checkpoint.Tensor, error)
}

// Load replaces all weights; adapters stay as they are. Every tensor is checked before the first one is replaced: a missing one, a
// wrong shape or type, and (when src can list its tensors) one that the model does not know are errors
// that wrap [ErrTensors].
func (m *Model) Load(src TensorSource) error {
	tensors, err := pick(m.layout.params, src)
	if err != nil {
		return err
	}
	if l, ok := src.(interface{ Names() []string }); ok {
		if err := m.checkExtra(l.Names()); err != nil {
			return err
		}
	}
	return m.replace(tensors)
}

// pick takes the tensors of params from src and checks them.
func pick(params []Param, src TensorSource) (stored, error) {
	tensors := stored{}
	for _, p := range params {
		t, err := src.Tensor(p.Name)
		switch {
		case errors.Is(err, checkpoint.ErrNoTensor):
			return nil, fmt.Errorf("%w: %w", ErrTensors, err)
		case err != nil:
			return nil, err
		case !slices.Equal(t.Shape, p.Shape):
			return nil, fmt.Errorf("%w: %s has shape %v, expected %v", ErrTensors, p.Name, t.Shape, p.Shape)
		}
		if _, err := checkpoint.ParseDType(string(t.DType)); err != nil {
			return nil, fmt.Errorf("%w: %s: %w", ErrTensors, p.Name, err)
		}
		tensors[p.Name] = t
	}
	return tensors, nil
}

// checkExtra names what a checkpoint has and the model does not use. Two kinds are harmless: the rotary
// frequencies that old exporters wrote, and a copy of the embedding as head of a tied model.
func (m *Model) checkExtra(names []string) error {
	extra := slices.DeleteFunc(unknown(m.layout.params, names), func(name string) bool {
		return strings.HasSuffix(name, "rotary_emb.inv_freq") || name == "lm_head.weight" && m.cfg.TieEmbeddings
	})
	if len(extra) == 0 {
		return nil
	}
	return fmt.Errorf("%w: a %s model has no tensor %s", ErrTensors, m.cfg.Architecture, list(extra))
}

// unknown lists the names that are no parameter's.
func unknown(params []Param, names []string) (extra []string) {
	known := make(map[string]bool, len(params))
	for _, p := range params {
		known[p.Name] = true
	}
	for _, name := range names {
		if !known[name] {
			extra = append(extra, name)
		}
	}
	return extra
}

// list writes the first few names.
func list(names []string) string {
	more := ""
	if len(names) > 3 {
		more, names = fmt.Sprintf(" and %d more", len(names)-3), names[:3]
	}
	return strings.Join(names, ", ") + more
}

// stored are the values of a checkpoint, by name.
type stored map[string]checkpoint.Tensor

func (t stored) read(p Param, from int, dst []float32) error {
	part := t[p.Name].Range(from, from+len(dst))
	defer part.Forget()
	return part.ReadFloat32s(dst)
}

func (t stored) bf16(p Param, from, to int, use func([]byte)) bool {
	part := t[p.Name].Range(from, to)
	if part.DType != checkpoint.BF16 {
		return false
	}
	use(part.Bytes())
	part.Forget()
	return true
}
