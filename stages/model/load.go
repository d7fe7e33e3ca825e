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

// Load replaces all weights. Every tensor is checked before the first one is replaced: a missing one, a
// wrong shape or type, and (when src can list its tensors) one that the model does not know are errors
// that wrap [ErrTensors].
func (m *Model) Load(src TensorSource) error {
	tensors := stored{}
	for _, p := range m.layout.params {
		t, err := src.Tensor(p.Name)
		switch {
		case errors.Is(err, checkpoint.ErrNoTensor):
			return fmt.Errorf("%w: %w", ErrTensors, err)
		case err != nil:
			return err
		case !slices.Equal(t.Shape, p.Shape):
			return fmt.Errorf("%w: %s has shape %v, expected %v", ErrTensors, p.Name, t.Shape, p.Shape)
		}
		if _, err := checkpoint.ParseDType(string(t.DType)); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrTensors, p.Name, err)
		}
		tensors[p.Name] = t
	}
	if l, ok := src.(interface{ Names() []string }); ok {
		if err := m.checkExtra(l.Names()); err != nil {
			return err
		}
	}
	return m.replace(tensors)
}

// checkExtra names what a checkpoint has and the model does not use. Two kinds are harmless: the rotary
// frequencies that old exporters wrote, and a copy of the embedding as head of a tied model.
func (m *Model) checkExtra(names []string) error {
	var extra []string
	for _, name := range names {
		switch {
		case slices.ContainsFunc(m.layout.params, func(p Param) bool { return p.Name == name }):
		case strings.HasSuffix(name, "rotary_emb.inv_freq"):
		case name == "lm_head.weight" && m.cfg.TieEmbeddings:
		default:
			extra = append(extra, name)
		}
	}
	if len(extra) == 0 {
		return nil
	}
	more := ""
	if len(extra) > 3 {
		more, extra = fmt.Sprintf(" and %d more", len(extra)-3), extra[:3]
	}
	return fmt.Errorf("%w: a %s model has no tensor %s%s", ErrTensors, m.cfg.Architecture, strings.Join(extra, ", "), more)
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
