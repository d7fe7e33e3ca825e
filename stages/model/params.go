package model

import (
	"fmt"
	"slices"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// Params lists all parameters in the order of the flat buffer: those of the adapters alone where there are any.
// The embedding of a tied model is listed once.
func (m *Model) Params() []Param { return slices.Clone(m.flat().params) }

// Flat returns the parameters and their gradients as two tensors of 1 × total; both are zero Tensors
// unless the model was made with Train. After changing parameters call [Model.Repack].
func (m *Model) Flat() (params, grads device.Tensor) {
	if !m.opt.Train {
		return
	}
	return device.View(m.params, 0, 1, m.flat().total), device.View(m.gradBuf, 0, 1, m.flat().total)
}

// ZeroGrads clears the gradients. It does nothing without Train.
func (m *Model) ZeroGrads() {
	if m.opt.Train {
		m.dev.Zero(device.View(m.gradBuf, 0, 1, m.flat().total))
	}
}

// Repack rounds the masters to the packed matrices that run, after an optimizer step. Norms and biases
// need no packing. It does nothing without Train.
func (m *Model) Repack() {
	if !m.opt.Train {
		return
	}
	if m.frozen() {
		m.packAdapters()
		return
	}
	m.weights(func(w device.Weight, s span) { m.dev.Pack(w, device.View(m.params, s.offset, s.rows, s.cols)) })
}

// Export returns the float32 masters as tensors of a checkpoint, in the order of [Model.Params]; with adapters
// they are the file that PEFT has. Values
// are downloaded when a tensor's Read is called, on the goroutine that owns the device, so that one
// tensor at a time is in memory; they are the values of that moment.
func (m *Model) Export() ([]checkpoint.NamedTensor, error) {
	if !m.opt.Train {
		return nil, fmt.Errorf("export: %w", ErrNotTraining)
	}
	var out []checkpoint.NamedTensor
	for _, p := range m.flat().params {
		out = append(out, checkpoint.NamedTensor{Name: p.Name, Shape: slices.Clone(p.Shape), Read: func() ([]float32, error) {
			v := make([]float32, p.Len())
			return v, m.dev.Download(v, device.View(m.params, p.Offset, 1, p.Len()))
		}})
	}
	return out, nil
}
