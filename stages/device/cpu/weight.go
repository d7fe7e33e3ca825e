package cpu

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// weight is an [out, in] matrix in panels of kernel.Panel columns.
//
// fwd is W as the right side of y = x·Wᵀ: n = out columns, k = in, so panel p holds [in][32] for the
// outputs 32p … 32p+31. bwd, with grad only, is the right side of dx = dy·W: n = in, k = out. Products
// with it go through out in chunks of backChunk, each packed by itself (chunk c starts at
// c·backChunk·padded(in)), so that the log-softmax gradient can use one chunk of the vocabulary at a
// time and a panel stays in cache for large outputs.
type weight struct {
	owner    *Device
	out, in  int
	fwd, bwd []float32
}

// backChunk is how many outputs a chunk of backward panels covers. The chunks' products are added in
// order, for every MatMulBackward alike.
const backChunk = device.VocabChunk

// padded rounds n up to whole panels.
func padded(n int) int { return (n + kernel.Panel - 1) / kernel.Panel * kernel.Panel }

// panels is the number of panels of n columns.
func panels(n int) int { return (n + kernel.Panel - 1) / kernel.Panel }

// Out implements [device.Weight].
func (w *weight) Out() int { return w.out }

// In implements [device.Weight].
func (w *weight) In() int { return w.in }

// DType implements [device.Weight].
func (w *weight) DType() device.DType { return device.F32 }

// Bytes implements [device.Weight].
func (w *weight) Bytes() int64 { return 4 * int64(len(w.fwd)+len(w.bwd)) }

func (w *weight) release() {
	kernel.FreeFloats(w.fwd)
	if w.bwd != nil {
		kernel.FreeFloats(w.bwd)
	}
	w.fwd, w.bwd = nil, nil
}

// back returns the backward panels of outputs [from, from+backChunk).
func (w *weight) back(from int) []float32 { return w.bwd[from*padded(w.in):] }

// NewWeight implements [device.Memory]. Only F32 is available: BF16 gives [ErrBF16].
func (d *Device) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	d.open("NewWeight")
	if out <= 0 || in <= 0 {
		return nil, fmt.Errorf("cpu: a weight of %d×%d", out, in)
	}
	switch dtype {
	case device.F32:
	case device.BF16:
		return nil, ErrBF16
	default:
		return nil, fmt.Errorf("cpu: a weight of type %v", dtype)
	}
	if out > maxValues || in > maxValues {
		return nil, fmt.Errorf("cpu: a weight of %d×%d is out of range", out, in)
	}
	w := &weight{owner: d, out: out, in: in}
	var err error
	if w.fwd, err = allocate(product(padded(out), in), "weight of %d×%d", out, in); err != nil {
		return nil, err
	}
	if grad {
		if w.bwd, err = allocate(product(out, padded(in)), "backward panels of a weight of %d×%d", out, in); err != nil {
			w.release()
			return nil, err
		}
	}
	d.live[w] = struct{}{}
	return w, nil
}

// FreeWeight implements [device.Memory].
func (d *Device) FreeWeight(w device.Weight) {
	p, _ := w.(*weight)
	forget(d, "FreeWeight", p)
}

// Pack implements [device.Memory].
func (d *Device) Pack(dst device.Weight, t device.Tensor) {
	w, m := d.weightOf("Pack", dst), d.view("Pack", "t", t)
	if m.rows != w.out || m.cols != w.in {
		mismatch("Pack", "w", shapeOf(w), "t", t)
	}
	const perPanel = kernel.Panel * copyCost * 3
	d.split(panels(w.out), 1, float64(w.in)*perPanel, func(_ *worker, lo, hi int) {
		for p := lo; p < hi; p++ {
			row := p * kernel.Panel
			d.set.PackTransposed(w.fwd[row*w.in:], m.from(row, 0), m.stride, min(kernel.Panel, w.out-row), w.in)
		}
	})
	if w.bwd == nil {
		return
	}
	perChunk := panels(w.in)
	chunks := (w.out + backChunk - 1) / backChunk
	d.split(chunks*perChunk, 1, float64(min(w.out, backChunk))*perPanel, func(_ *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			from, p := i/perChunk*backChunk, i%perChunk
			k, col := min(backChunk, w.out-from), p*kernel.Panel
			d.set.Pack(w.back(from)[p*k*kernel.Panel:], m.from(from, col), m.stride, k, min(kernel.Panel, w.in-col))
		}
	})
}

// Embed implements [device.Forward].
func (d *Device) Embed(y device.Tensor, table device.Weight, ids []int32) {
	m, w := d.view("Embed", "y", y), d.weightOf("Embed", table)
	if m.cols != w.in {
		mismatch("Embed", "y", y, "w", shapeOf(w))
	}
	checkIndices("Embed", "ids", ids, m.rows, w.out)
	d.split(m.rows, 1, float64(w.in)*2, func(_ *worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			w.copyRow(m.row(r), int(ids[r]))
		}
	})
}

// copyRow writes row id of W to dst. Backward panels hold 32 of its values in a row, forward panels one.
func (w *weight) copyRow(dst []float32, id int) {
	if w.bwd != nil {
		from := id / backChunk * backChunk
		k := min(backChunk, w.out-from)
		src := w.back(from)[(id-from)*kernel.Panel:]
		for p := 0; p*kernel.Panel < w.in; p++ {
			copy(dst[p*kernel.Panel:], src[p*k*kernel.Panel:][:kernel.Panel])
		}
		return
	}
	src := w.fwd[id/kernel.Panel*kernel.Panel*w.in+id%kernel.Panel:]
	for i := range dst {
		dst[i] = src[i*kernel.Panel]
	}
}
