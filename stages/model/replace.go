package model

import (
	"fmt"

	"openrs/stages/device"
)

// source is where the values of parameters come from, some at a time.
type source interface {
	// read sets dst to the elements of p that start at element from.
	read(p Param, from int, dst []float32) error
	// bf16 calls use with elements [from, to) of p as they lie in a checkpoint, or reports that they are
	// not bfloat16 there. use does not keep them.
	bf16(p Param, from, to int, use func(values []byte)) bool
}

// loadedValues is about how many values pass through host memory at a time.
const loadedValues = 1 << 20

// loader replaces weights. All that it holds beside the model is some rows: in host memory, and on the
// device before they are packed. Only a device that packs no rows by themselves holds a whole matrix.
type loader struct {
	model   *Model
	from    source
	packer  device.RowPacker // nil: the device packs whole matrices
	host    []float32
	raw     []byte
	staging device.Buffer
}

// replace sets every parameter of the configuration to what the source has for it and packs the matrices.
func (m *Model) replace(from source) error {
	l := &loader{model: m, from: from}
	l.packer, _ = m.dev.(device.RowPacker)
	defer func() {
		if l.staging != nil {
			m.dev.Free(l.staging)
		}
	}()
	if !m.frozen() {
		if err := m.layout.spans(func(s span) error {
			return l.upload(s, 0, s.rows, device.View(m.params, s.offset, s.rows, s.cols))
		}); err != nil {
			return err
		}
		m.Repack()
		return m.dev.Sync()
	}
	if err := m.layout.vectorSpans(func(s span) error { return l.upload(s, 0, s.rows, m.vector(s)) }); err != nil {
		return err
	}
	var err error
	m.weights(func(w device.Weight, s span) {
		if err == nil {
			err = l.pack(w, s)
		}
	})
	if err != nil {
		return err
	}
	return m.dev.Sync()
}

// rows is how many rows of a span to take at a time.
func (l *loader) rows(s span) int {
	return max(1, l.model.loading/s.cols/device.PackRows) * device.PackRows
}

// pack replaces a matrix.
func (l *loader) pack(w device.Weight, s span) error {
	step, packer := l.rows(s), l.packer
	if l.model.opt.Train && !(s.offset == l.model.layout.embed.offset && !l.model.cfg.TieEmbeddings) {
		packer = nil // a weight with grad is packed as a whole
	}
	if packer == nil {
		step = s.rows
	}
	for r := 0; r < s.rows; r += step {
		to := min(s.rows, r+step)
		if packer != nil && l.packRaw(w, s, r, to) {
			continue
		}
		t, err := l.stage(to-r, s.cols)
		if err != nil {
			return err
		}
		if err := l.upload(s, r, to, t); err != nil {
			return err
		}
		if packer != nil {
			packer.PackRows(w, r, t)
		} else {
			l.model.dev.Pack(w, t)
		}
	}
	return nil
}

// stage returns a tensor on the device, valid until the next call.
func (l *loader) stage(rows, cols int) (device.Tensor, error) {
	if l.staging == nil || l.staging.Len() < rows*cols {
		if l.staging != nil {
			l.model.dev.Free(l.staging)
		}
		var err error
		if l.staging, err = l.model.dev.Alloc(rows * cols); err != nil {
			l.staging = nil
			return device.Tensor{}, fmt.Errorf("staging buffer: %w", err)
		}
	}
	return device.View(l.staging, 0, rows, cols), nil
}

// packRaw packs rows [r0, r1) straight from a checkpoint's bfloat16 values, or reports that it can't: they
// are of another type, here or there, or the device does not take them.
func (l *loader) packRaw(w device.Weight, s span, r0, r1 int) bool {
	if w.DType() != device.BF16 {
		return false
	}
	l.raw = l.raw[:0]
	for _, p := range s.parts(r0, r1) {
		if !l.from.bf16(p.Param, p.from, p.to, func(values []byte) {
			if p.to-p.from == (r1-r0)*s.cols {
				l.packer.PackBF16Rows(w, r0, values)
			} else {
				l.raw = append(l.raw, values...)
			}
		}) {
			return false
		}
	}
	if len(l.raw) > 0 { // of several parameters, which follow each other
		l.packer.PackBF16Rows(w, r0, l.raw)
	}
	return true
}

// upload sets t to rows [r0, r1) of a span.
func (l *loader) upload(s span, r0, r1 int, t device.Tensor) error {
	step := l.rows(s)
	for r := r0; r < r1; r += step {
		to := min(r1, r+step)
		n := (to - r) * s.cols
		if cap(l.host) < n {
			l.host = make([]float32, n)
		}
		values := l.host[:n] // Upload does not keep them
		for _, p := range s.parts(r, to) {
			if err := l.from.read(p.Param, p.from, values[p.at:][:p.to-p.from]); err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		l.model.dev.Upload(t.RowRange(r-r0, to-r0), values)
	}
	return nil
}

// spanPart is elements [from, to) of a parameter, which lie from element at on in some rows of a span.
type spanPart struct {
	Param
	from, to, at int
}

// parts lists what rows [r0, r1) consist of, in order.
func (s span) parts(r0, r1 int) []spanPart {
	var out []spanPart
	first, end := s.offset+r0*s.cols, s.offset+r1*s.cols
	for _, p := range s.params {
		from, to := max(first-p.Offset, 0), min(end-p.Offset, p.Len())
		if from < to {
			out = append(out, spanPart{Param: p, from: from, to: to, at: p.Offset + from - first})
		}
	}
	return out
}
