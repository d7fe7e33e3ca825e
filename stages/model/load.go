package model

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
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
	tensors := map[string]checkpoint.Tensor{}
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
	var buf []float32 // Upload does not keep it
	return m.replace(func(p Param) ([]float32, error) {
		if n := p.Len(); cap(buf) < n {
			buf = make([]float32, n)
		}
		v := buf[:p.Len()]
		return v, tensors[p.Name].ReadFloat32s(v)
	}, m.packRaw(tensors))
}

// packRaw returns a function that packs a matrix straight from a checkpoint's bfloat16 values, or reports
// that it can't: the matrix is in another type, here or there, or the device does not take them.
func (m *Model) packRaw(tensors map[string]checkpoint.Tensor) func(w device.Weight, s span) bool {
	packer, ok := m.dev.(device.BF16Packer)
	if !ok || m.opt.DType != device.BF16 || m.opt.Train {
		return nil
	}
	return func(w device.Weight, s span) bool {
		for _, p := range s.params {
			if tensors[p.Name].DType != checkpoint.BF16 {
				return false
			}
		}
		var raw []byte
		if len(s.params) == 1 {
			raw = tensors[s.params[0].Name].Bytes()
		} else {
			raw = make([]byte, 0, 2*s.len())
			for _, p := range s.params { // they follow each other
				raw = append(raw, tensors[p.Name].Bytes()...)
			}
		}
		packer.PackBF16(w, raw)
		return true
	}
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

// replace sets every parameter to what values returns for it and packs the matrices. Without masters
// they pass through one buffer of the size of the largest matrix, but for those that raw, which may be nil,
// reports to have packed.
func (m *Model) replace(values func(Param) ([]float32, error), raw func(device.Weight, span) bool) error {
	upload := func(s span, at device.Tensor) error {
		flat := at.Reshape(1, s.len())
		for _, p := range s.params {
			v, err := values(p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			from := p.Offset - s.offset
			m.dev.Upload(flat.ColRange(from, from+p.Len()), v)
		}
		return nil
	}
	if m.opt.Train {
		err := m.layout.spans(func(s span) error { return upload(s, device.View(m.params, s.offset, s.rows, s.cols)) })
		if err != nil {
			return err
		}
		m.Repack()
		return m.dev.Sync()
	}
	if err := m.layout.vectorSpans(func(s span) error { return upload(s, m.vector(s)) }); err != nil {
		return err
	}
	var largest int
	m.weights(func(_ device.Weight, s span) { largest = max(largest, s.len()) })
	var staging device.Buffer
	var err error
	defer func() {
		if staging != nil {
			m.dev.Free(staging)
		}
	}()
	m.weights(func(w device.Weight, s span) {
		if err != nil || raw != nil && raw(w, s) {
			return
		}
		if staging == nil {
			if staging, err = m.dev.Alloc(largest); err != nil {
				staging, err = nil, fmt.Errorf("staging buffer: %w", err)
				return
			}
		}
		t := device.View(staging, 0, s.rows, s.cols)
		if err = upload(s, t); err == nil {
			m.dev.Pack(w, t)
		}
	})
	if err != nil {
		return err
	}
	return m.dev.Sync()
}
