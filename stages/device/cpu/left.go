package cpu

import (
	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// left is the left side of the products of one operation: rows as they are, or as a weight of bfloat16
// multiplies with them. Every thread rounds the rows it needs for itself and keeps them for its next task:
// rows that another thread has just written come over as one stream, while the kernels, which take four
// bytes here and there, would wait for each line of them.
type left struct {
	matrix
	op    uint64 // tells the operations of a device apart
	round bool
}

// leftOf returns a as left side of products with w.
func (d *Device) leftOf(w *weight, a matrix) left {
	d.ops++
	return left{matrix: a, op: d.ops, round: w.dtype == device.BF16}
}

// roundedPart is the part of a left side that a thread has rounded last.
type roundedPart struct {
	op             uint64
	r0, r1, c0, c1 int
	pairs          []uint32
}

// operand is a part of a left side, ready for a kernel: values, or pairs of bfloat16 values.
type operand struct {
	values []float32
	pairs  []uint32
	stride int // of what is set
}

// part returns rows [r0, r1) and columns [c0, c1), valid until the thread's next call.
func (x left) part(d *Device, t *worker, r0, r1, c0, c1 int) operand {
	if !x.round {
		return operand{values: x.from(r0, c0), stride: x.stride}
	}
	n := kernel.Pairs(c1 - c0)
	if p := &t.rounded; p.op != x.op || p.r0 != r0 || p.r1 != r1 || p.c0 != c0 || p.c1 != c1 {
		pairs := grow(&p.pairs, (r1-r0)*n)
		d.set.RoundPairs(pairs, n, x.from(r0, c0), x.stride, r1-r0, c1-c0)
		*p = roundedPart{op: x.op, r0: r0, r1: r1, c0: c0, c1: c1, pairs: pairs}
	}
	return operand{pairs: t.rounded.pairs, stride: n}
}

// operandOf makes rows × cols values of a thread's own an operand for products with w, valid until the
// thread's next call.
func (d *Device) operandOf(t *worker, w *weight, a []float32, stride, rows, cols int) operand {
	if w.dtype == device.F32 {
		return operand{values: a, stride: stride}
	}
	n := kernel.Pairs(cols)
	pairs := grow(&t.pairs, rows*n)
	d.set.RoundPairs(pairs, n, a, stride, rows, cols)
	return operand{pairs: pairs, stride: n}
}

// forward computes panels [p0, p1) of the product of rows of x with Wᵀ, for outputs [from, from+n), where from is
// at the start of a panel; c starts at output from.
func (d *Device) forward(t *worker, c []float32, ldc int, x operand, w *weight, rows, from, n, p0, p1 int, bias []float32, mode kernel.Mode) {
	if w.dtype == device.BF16 {
		d.set.GemmBF16(c, ldc, x.pairs, x.stride, w.fwd16[from*kernel.Pairs(w.in):], rows, n, w.in, p0, p1, bias, mode, t.gemm)
		return
	}
	d.set.Gemm(c, ldc, x.values, x.stride, w.fwd[from*w.in:], rows, n, w.in, p0, p1, bias, mode, t.gemm)
}

// backward computes panels [p0, p1) of the product of rows of x with the chunk of W that starts at output from; x has
// the columns of that chunk.
func (d *Device) backward(t *worker, c []float32, ldc int, x operand, w *weight, rows, from, p0, p1 int, mode kernel.Mode) {
	k := min(backChunk, w.out-from)
	if w.dtype == device.BF16 {
		d.set.GemmBF16(c, ldc, x.pairs, x.stride, w.back16(from), rows, w.in, k, p0, p1, nil, mode, t.gemm)
		return
	}
	d.set.Gemm(c, ldc, x.values, x.stride, w.back(from), rows, w.in, k, p0, p1, nil, mode, t.gemm)
}
