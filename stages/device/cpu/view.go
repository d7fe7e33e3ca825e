package cpu

import (
	"fmt"

	"openrs/stages/device"
)

// matrix is a checked view: row r is data[r·stride : r·stride+cols].
type matrix struct {
	data       []float32
	rows, cols int
	stride     int
}

// row returns row r.
func (m matrix) row(r int) []float32 {
	return m.data[r*m.stride : r*m.stride+m.cols : r*m.stride+m.cols]
}

// row0 returns the only row of a 1 × cols view, which may have no columns.
func (m matrix) row0() []float32 { return m.data[:m.cols:m.cols] }

// from returns the values from element (r, c) on, for kernels that take a stride.
func (m matrix) from(r, c int) []float32 {
	if m.rows == 0 {
		return nil
	}
	return m.data[r*m.stride+c:]
}

// rowRange is rows [lo, hi).
func (m matrix) rowRange(lo, hi int) matrix {
	m.data, m.rows = m.from(lo, 0), hi-lo
	return m
}

// view checks that t is a well-formed view of a living buffer of this device.
func (d *Device) view(op, name string, t device.Tensor) matrix {
	if d.closed {
		panic("device: " + op + " after Close")
	}
	b, ok := t.Buf.(*buffer)
	if !ok || b.owner != d {
		panic(fmt.Sprintf("device: %s: %s %v is not in a buffer of this device", op, name, t))
	}
	if b.data == nil && b.n > 0 {
		panic(fmt.Sprintf("device: %s: the buffer of %s has been freed", op, name))
	}
	if t.Rows < 0 || t.Cols < 0 || t.Offset < 0 || t.Rows > 1 && t.Stride < t.Cols {
		panic(fmt.Sprintf("device: %s: %s is the malformed view %+v", op, name, t))
	}
	m := matrix{rows: t.Rows, cols: t.Cols, stride: t.Stride}
	if t.Rows == 0 || t.Cols == 0 {
		m.stride = 0
		return m
	}
	end := t.Offset + (t.Rows-1)*t.Stride + t.Cols
	if end > len(b.data) {
		panic(fmt.Sprintf("device: %s: %s %v ends at %d of a buffer of %d values", op, name, t, end, len(b.data)))
	}
	m.data = b.data[t.Offset:end:end]
	return m
}

// weightOf checks that w is a living weight of this device.
func (d *Device) weightOf(op string, w device.Weight) *weight {
	if d.closed {
		panic("device: " + op + " after Close")
	}
	p, ok := w.(*weight)
	if !ok || p.owner != d {
		panic(fmt.Sprintf("device: %s: %T is not a weight of this device", op, w))
	}
	if !p.living() {
		panic(fmt.Sprintf("device: %s: the weight has been freed", op))
	}
	return p
}

// shapeOf is the rows × columns of a weight, for messages.
func shapeOf(w *weight) string { return fmt.Sprintf("%d×%d", w.out, w.in) }
