package cpu

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// maxValues bounds one allocation (4 TiB): beyond it sizes are nonsense, and products of them could
// overflow.
const maxValues = 1 << 40

// allocate returns n zeroed values, aligned for the kernels, or an error that says what they were for.
func allocate(n int, what string, args ...any) ([]float32, error) {
	if n < 0 || n > maxValues {
		return nil, fmt.Errorf("cpu: "+what+": %d values are out of range", append(args, n)...)
	}
	data := kernel.AllocFloats(n)
	if data == nil && n > 0 {
		return nil, fmt.Errorf("cpu: "+what+": no memory for %d values", append(args, n)...)
	}
	return data, nil
}

// product multiplies sizes, or returns −1 when one is negative or the result is beyond maxValues.
func product(sizes ...int) int {
	n := 1
	for _, s := range sizes {
		if s < 0 || s > 0 && n > maxValues/s {
			return -1
		}
		n *= s
	}
	return n
}

type buffer struct {
	owner *Device
	n     int
	data  []float32
}

// Len implements [device.Buffer].
func (b *buffer) Len() int { return b.n }

func (b *buffer) release() {
	kernel.FreeFloats(b.data)
	b.data = nil
}

// Alloc implements [device.Memory].
func (d *Device) Alloc(n int) (device.Buffer, error) {
	d.open("Alloc")
	data, err := allocate(n, "alloc")
	if err != nil {
		return nil, err
	}
	b := &buffer{owner: d, n: n, data: data}
	d.live[b] = struct{}{}
	return b, nil
}

// Free implements [device.Memory]. Freeing what is not a living buffer of this device panics.
func (d *Device) Free(b device.Buffer) {
	p, _ := b.(*buffer)
	forget(d, "Free", p)
}

// forget releases r, which must be living.
func forget[T interface {
	comparable
	releaser
}](d *Device, op string, r T) {
	d.open(op)
	if _, ok := d.live[r]; !ok {
		panic(fmt.Sprintf("device: %s: not allocated on this device, or freed before", op))
	}
	delete(d.live, r)
	r.release()
}

// Upload implements [device.Memory].
func (d *Device) Upload(t device.Tensor, src []float32) {
	m := d.view("Upload", "t", t)
	if len(src) != t.Len() {
		device.Mismatch("Upload", "t", t, "values", len(src))
	}
	for r := range m.rows {
		copy(m.row(r), src[r*m.cols:])
	}
}

// Download implements [device.Memory].
func (d *Device) Download(dst []float32, t device.Tensor) error {
	m := d.view("Download", "t", t)
	if len(dst) != t.Len() {
		device.Mismatch("Download", "t", t, "values", len(dst))
	}
	for r := range m.rows {
		copy(dst[r*m.cols:], m.row(r))
	}
	return nil
}

// Copy implements [device.Memory].
func (d *Device) Copy(dst, src device.Tensor) {
	y, x := d.view("Copy", "dst", dst), d.view("Copy", "src", src)
	if y.rows != x.rows || y.cols != x.cols {
		device.Mismatch("Copy", "dst", dst, "src", src)
	}
	d.pieces(y, copyCost, func(_ *worker, r, lo, hi int) {
		copy(y.row(r)[lo:hi], x.row(r)[lo:hi])
	})
}

// Zero implements [device.Memory].
func (d *Device) Zero(t device.Tensor) {
	m := d.view("Zero", "t", t)
	d.pieces(m, copyCost, func(_ *worker, r, lo, hi int) { clear(m.row(r)[lo:hi]) })
}

// Estimated nanoseconds a value, to decide on splitting: of a pass over memory, and of a pass that
// computes something like exp.
const (
	copyCost = 0.15
	mathCost = 0.4
	callCost = 15 // of one kernel call
)

// piece is how many values of one row pieces hands out at most.
const piece = 16 << 10

// pieces calls f for every row of m, cut into pieces of columns [lo, hi), on all threads when the whole
// is large enough. It is for operations that look at one element at a time.
func (d *Device) pieces(m matrix, cost float64, f func(w *worker, r, lo, hi int)) {
	if m.rows == 0 || m.cols == 0 {
		return
	}
	perRow := (m.cols + piece - 1) / piece
	d.split(m.rows*perRow, 1, float64(min(m.cols, piece))*cost+callCost, func(w *worker, from, to int) {
		for i := from; i < to; i++ {
			r, lo := i/perRow, i%perRow*piece
			f(w, r, lo, min(lo+piece, m.cols))
		}
	})
}
