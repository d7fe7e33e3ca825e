//go:build cuda

package cuda

import (
	"fmt"

	"openrs/stages/device"
)

// matrix is a checked view: row r is the cols values at addr + 4·r·stride.
type matrix struct {
	addr       uint64
	rows, cols int
	stride     int // in values
}

// view checks that t is a well-formed view of a living buffer of this device.
func (d *Device) view(op, name string, t device.Tensor) matrix {
	d.open(op)
	b, ok := t.Buf.(*buffer)
	if !ok || b.owner != d {
		panic(fmt.Sprintf("device: %s: %s %v is not in a buffer of this device", op, name, t))
	}
	if b.freed {
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
	if end := t.Offset + (t.Rows-1)*t.Stride + t.Cols; end > b.n {
		panic(fmt.Sprintf("device: %s: %s %v ends at %d of a buffer of %d values", op, name, t, end, b.n))
	}
	m.addr = b.addr + 4*uint64(t.Offset)
	return m
}

// weightOf checks that w is a living weight of this device.
func (d *Device) weightOf(op string, w device.Weight) *weight {
	d.open(op)
	p, ok := w.(*weight)
	if !ok || p.owner != d {
		panic(fmt.Sprintf("device: %s: %T is not a weight of this device", op, w))
	}
	if p.data == 0 {
		panic(fmt.Sprintf("device: %s: the weight has been freed", op))
	}
	return p
}

// shapeOf is the rows × columns of a weight, for messages.
func shapeOf(w *weight) string { return fmt.Sprintf("%d×%d", w.out, w.in) }
