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
	blocks       []block // the memory behind them

	next *weight               // what followed in products of few rows, if known
	ask  func(worker int) bool // see asking
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
	for _, b := range w.blocks {
		b.release()
	}
	w.fwd, w.bwd, w.fwd16, w.bwd16, w.blocks = nil, nil, nil, nil, nil
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

func (w *weight) allocate(grad bool) (failed error) {
	out, in := w.out, w.in
	if w.dtype == device.BF16 {
		out, in = kernel.Pairs(w.out), kernel.Pairs(w.in)
	}
	take := func(n int, what string) []float32 {
		b, err := w.owner.arena.take(n, what+" of %d×%d", w.out, w.in)
		if err != nil && failed == nil {
			failed = err
		}
		w.blocks = append(w.blocks, b)
		return b.data
	}
	forward, backward := take(product(padded(w.out), in), "weight"), []float32(nil)
	if grad {
		backward = take(product(out, padded(w.in)), "backward panels of a weight")
	}
	if w.dtype == device.BF16 {
		w.fwd16, w.bwd16 = kernel.AsPairs(forward), kernel.AsPairs(backward)
	} else {
		w.fwd, w.bwd = forward, backward
	}
	return failed
}

var _ device.RowPacker = (*Device)(nil)

// FreeWeight implements [device.Memory].
func (d *Device) FreeWeight(w device.Weight) {
	p, _ := w.(*weight)
	forget(d, "FreeWeight", p)
}

// Pack implements [device.Memory].
func (d *Device) Pack(dst device.Weight, t device.Tensor) {
	w, m := d.weightOf("Pack", dst), d.view("Pack", "t", t)
	if m.rows != w.out || m.cols != w.in {
		device.Mismatch("Pack", "w", shapeOf(w), "t", t)
	}
	d.packForward(w, 0, m)
	if !w.grad() {
		return
	}
	perChunk := panels(w.in)
	chunks := (w.out + backChunk - 1) / backChunk
	d.split(chunks*perChunk, 1, float64(min(w.out, backChunk))*panelCost, func(_ *worker, lo, hi int) {
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

// panelCost is the estimated nanoseconds that one row of a panel takes to pack.
const panelCost = kernel.Panel * copyCost * 3

// packForward stores m as rows of w from a row on that starts a panel.
func (d *Device) packForward(w *weight, from int, m matrix) {
	d.split(panels(m.rows), 1, float64(w.in)*panelCost, func(t *worker, lo, hi int) {
		for p := lo; p < hi; p++ {
			row := p * kernel.Panel
			n, at := min(kernel.Panel, m.rows-row), from+row
			if w.dtype == device.BF16 {
				d.set.PackBF16Transposed(w.fwd16[at*kernel.Pairs(w.in):], m.from(row, 0), m.stride, n, w.in, t.gemm)
			} else {
				d.set.PackTransposed(w.fwd[at*w.in:], m.from(row, 0), m.stride, n, w.in)
			}
		}
	})
}

// PackRows implements [device.RowPacker].
func (d *Device) PackRows(dst device.Weight, from int, t device.Tensor) {
	const op = "PackRows"
	w, m := d.weightOf(op, dst), d.view(op, "t", t)
	if m.cols != w.in || !w.takesRows(from, m.rows) {
		device.Mismatch(op, "w", shapeOf(w), "grad", w.grad(), "from", from, "t", t)
	}
	d.packForward(w, from, m)
}

// takesRows reports whether n rows from a row on can be packed by themselves.
func (w *weight) takesRows(from, n int) bool {
	return !w.grad() && from >= 0 && n >= 0 && from%kernel.Panel == 0 && from+n <= w.out && (n%kernel.Panel == 0 || from+n == w.out)
}

// PackBF16Rows implements [device.RowPacker].
func (d *Device) PackBF16Rows(dst device.Weight, first int, values []byte) {
	const op = "PackBF16Rows"
	w := d.weightOf(op, dst)
	rows := len(values) / (2 * w.in)
	if w.dtype != device.BF16 || len(values) != 2*rows*w.in || !w.takesRows(first, rows) {
		device.Mismatch(op, "w", shapeOf(w), "dtype", w.dtype, "grad", w.grad(), "from", first, "bytes", len(values))
	}
	d.split(panels(rows), 1, float64(w.in)*panelCost, func(t *worker, lo, hi int) {
		from, to := lo*kernel.Panel, min(hi*kernel.Panel, rows)
		d.set.PackRawBF16Transposed(w.fwd16[(first+from)*kernel.Pairs(w.in):], values[2*from*w.in:], w.in, to-from, w.in, t.gemm)
	})
}

// Embed implements [device.Forward].
func (d *Device) Embed(y device.Tensor, table device.Weight, ids []int32) {
	m, w := d.view("Embed", "y", y), d.weightOf("Embed", table)
	if m.cols != w.in {
		device.Mismatch("Embed", "y", y, "w", shapeOf(w))
	}
	device.CheckIndices("Embed", "ids", ids, m.rows, w.out)
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

// TrainedLayouts implements [device.Layouts]: one layout is for x·Wᵀ and one for dy·W.
func (d *Device) TrainedLayouts() int64 { return 2 }
