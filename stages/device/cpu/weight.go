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
// with it go through out in chunks of backChunk, each packed by itself, so that the log-softmax gradient
// can use one chunk of the vocabulary at a time and a panel stays in cache for large outputs.
//
// A weight of bfloat16 has the same panels of pairs, fwd16 and bwd16: see package kernel. No value of it is
// kept in float32.
type weight struct {
	owner        *Device
	out, in      int
	dtype        device.DType
	fwd, bwd     []float32
	fwd16, bwd16 []uint32
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
func (w *weight) DType() device.DType { return w.dtype }

// Bytes implements [device.Weight].
func (w *weight) Bytes() int64 {
	return 4 * int64(len(w.fwd)+len(w.bwd)+len(w.fwd16)+len(w.bwd16))
}

func (w *weight) release() {
	kernel.FreeFloats(w.fwd)
	kernel.FreeFloats(w.bwd)
	kernel.FreePairs(w.fwd16)
	kernel.FreePairs(w.bwd16)
	w.fwd, w.bwd, w.fwd16, w.bwd16 = nil, nil, nil, nil
}

// living reports whether w has not been freed.
func (w *weight) living() bool { return w.fwd != nil || w.fwd16 != nil }

// grad reports whether w has backward panels.
func (w *weight) grad() bool { return w.bwd != nil || w.bwd16 != nil }

// back returns the backward panels of outputs [from, from+backChunk).
func (w *weight) back(from int) []float32 { return w.bwd[from*padded(w.in):] }

// back16 is back for bfloat16.
func (w *weight) back16(from int) []uint32 { return w.bwd16[from/2*padded(w.in):] }

// NewWeight implements [device.Memory].
func (d *Device) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	d.open("NewWeight")
	if out <= 0 || in <= 0 {
		return nil, fmt.Errorf("cpu: a weight of %d×%d", out, in)
	}
	if dtype != device.F32 && dtype != device.BF16 {
		return nil, fmt.Errorf("cpu: a weight of type %v", dtype)
	}
	if out > maxValues || in > maxValues {
		return nil, fmt.Errorf("cpu: a weight of %d×%d is out of range", out, in)
	}
	w := &weight{owner: d, out: out, in: in, dtype: dtype}
	if err := w.allocate(grad); err != nil {
		w.release()
		return nil, err
	}
	d.live[w] = struct{}{}
	return w, nil
}

func (w *weight) allocate(grad bool) error {
	const forward, backward = "weight of %d×%d", "backward panels of a weight of %d×%d"
	var err error
	if w.dtype == device.BF16 {
		if w.fwd16, err = allocatePairs(product(padded(w.out), kernel.Pairs(w.in)), forward, w.out, w.in); err == nil && grad {
			w.bwd16, err = allocatePairs(product(kernel.Pairs(w.out), padded(w.in)), backward, w.out, w.in)
		}
		return err
	}
	if w.fwd, err = allocate(product(padded(w.out), w.in), forward, w.out, w.in); err == nil && grad {
		w.bwd, err = allocate(product(w.out, padded(w.in)), backward, w.out, w.in)
	}
	return err
}

var _ device.BF16Packer = (*Device)(nil)

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
	d.split(panels(w.out), 1, float64(w.in)*perPanel, func(t *worker, lo, hi int) {
		for p := lo; p < hi; p++ {
			row := p * kernel.Panel
			n := min(kernel.Panel, w.out-row)
			if w.dtype == device.BF16 {
				d.set.PackBF16Transposed(w.fwd16[row*kernel.Pairs(w.in):], m.from(row, 0), m.stride, n, w.in, t.gemm)
			} else {
				d.set.PackTransposed(w.fwd[row*w.in:], m.from(row, 0), m.stride, n, w.in)
			}
		}
	})
	if !w.grad() {
		return
	}
	perChunk := panels(w.in)
	chunks := (w.out + backChunk - 1) / backChunk
	d.split(chunks*perChunk, 1, float64(min(w.out, backChunk))*perPanel, func(_ *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			from, p := i/perChunk*backChunk, i%perChunk
			k, col := min(backChunk, w.out-from), p*kernel.Panel
			n := min(kernel.Panel, w.in-col)
			if w.dtype == device.BF16 {
				d.set.PackBF16(w.back16(from)[col*kernel.Pairs(k):], m.from(from, col), m.stride, k, n)
			} else {
				d.set.Pack(w.back(from)[p*k*kernel.Panel:], m.from(from, col), m.stride, k, n)
			}
		}
	})
}

// PackBF16 implements [device.BF16Packer].
func (d *Device) PackBF16(dst device.Weight, values []byte) {
	const op = "PackBF16"
	w := d.weightOf(op, dst)
	if w.dtype != device.BF16 || w.grad() || len(values) != 2*w.out*w.in {
		mismatch(op, "w", shapeOf(w), "dtype", w.dtype, "grad", w.grad(), "bytes", len(values))
	}
	d.split(panels(w.out), 1, float64(w.in)*kernel.Panel*copyCost*3, func(t *worker, lo, hi int) {
		from, to := lo*kernel.Panel, min(hi*kernel.Panel, w.out)
		d.set.PackRawBF16Transposed(w.fwd16[from*kernel.Pairs(w.in):], values[2*from*w.in:], w.in, to-from, w.in, t.gemm)
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
	from := id / backChunk * backChunk
	k := min(backChunk, w.out-from)
	switch {
	case w.bwd16 != nil:
		kernel.WidenRow(dst, w.back16(from), id-from, k)
		return
	case w.fwd16 != nil:
		kernel.WidenColumn(dst, w.fwd16, id)
		return
	case w.bwd != nil:
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
