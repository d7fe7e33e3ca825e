//go:build cuda

package cuda

import (
	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// Products in bfloat16 round activations to it as they enter, and sum in float32. An element of x·Wᵀ and of dy·W is one
// chain over the inner dimension in order, in steps of 16 values (one mma.sync.m16n8k16) for BF16 and of one fused
// multiply-add for F32; an element of dw the same over rows, from what dw holds. No kernel splits a chain, so that the
// choice of tile (matmul_tiles.go) never shows in the bits.

// MatMul implements [device.Forward].
func (d *Device) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	const op = "MatMul"
	c, a, p := d.view(op, "y", y), d.view(op, "x", x), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.out || a.cols != p.in {
		device.Mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	var b uint64
	if !bias.IsZero() {
		m := d.view(op, "bias", bias)
		if m.rows != 1 || m.cols != p.out {
			device.Mismatch(op, "bias", bias, "w", shapeOf(p))
		}
		b = m.addr
	}
	d.begin(op)
	d.forward(c, &operand{matrix: a}, p, b, false)
}

// MatMulAdd implements [device.Forward].
func (d *Device) MatMulAdd(y, x device.Tensor, w device.Weight) {
	const op = "MatMulAdd"
	c, a, p := d.view(op, "y", y), d.view(op, "x", x), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.out || a.cols != p.in {
		device.Mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	d.begin(op)
	d.forward(c, &operand{matrix: a}, p, 0, true)
}

// MatMulBackward implements [device.Backward].
func (d *Device) MatMulBackward(dx, dy device.Tensor, w device.Weight, add bool) {
	const op = "MatMulBackward"
	c, a, p := d.view(op, "dx", dx), d.view(op, "dy", dy), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.in || a.cols != p.out {
		device.Mismatch(op, "dx", dx, "dy", dy, "w", shapeOf(p))
	}
	if !p.grad {
		panic("device: MatMulBackward: the weight was made without grad")
	}
	left := d.leftOf(dy)
	d.begin(op)
	d.productBackward(c, d.resume(left, a), p, add)
}

// WeightGrad implements [device.Backward].
func (d *Device) WeightGrad(dw, dy, x device.Tensor, dtype device.DType) {
	const op = "WeightGrad"
	c, a, b := d.view(op, "dw", dw), d.view(op, "dy", dy), d.view(op, "x", x)
	if a.rows != b.rows || c.rows != a.cols || c.cols != b.cols {
		device.Mismatch(op, "dw", dw, "dy", dy, "x", x)
	}
	if dtype != device.F32 && dtype != device.BF16 {
		device.Mismatch(op, "dtype", dtype)
	}
	d.begin(op)
	g := &operand{matrix: a}
	d.productGrad(c, g, &operand{matrix: b}, dtype)
	d.left = left{dy, g.at}
}

// product computes y = x·Wᵀ. LogProbs and Sample's logits have the same bits because both come from here.
func (d *Device) product(y matrix, x *operand, w *weight) { d.forward(y, x, w, 0, false) }

// forward computes y = x·Wᵀ + bias, or y += x·Wᵀ with add; bias is an address, 0 for none.
func (d *Device) forward(y matrix, x *operand, w *weight, bias uint64, add bool) {
	if y.rows == 0 {
		return
	}
	g := gemm{c: y, m: y.cols, n: y.rows, k: w.in, a: w.data, lda: w.ld, bias: bias, add: addIf(add)}
	if few, ok := d.fewTile(w.dtype, x.matrix, g.m); ok {
		g.b, g.ldb = x.addr, x.stride
		d.gemm(few, g)
		return
	}
	g.b, g.ldb = d.entering(x, w.dtype)
	d.gemm(d.bestTile(forward, w.dtype, g.m, g.n), g)
}

// productBackward computes dx = dy·W, or dx += dy·W with add.
func (d *Device) productBackward(dx matrix, dy *operand, w *weight, add bool) {
	if dx.rows == 0 {
		return
	}
	g := gemm{c: dx, m: dx.cols, n: dx.rows, k: dy.cols, a: w.data, lda: w.ld, add: addIf(add)}
	g.b, g.ldb = d.entering(dy, w.dtype)
	d.gemm(d.bestTile(backward, w.dtype, g.m, g.n), g)
}

// productGrad computes dw += dyᵀ·x as dtype multiplies.
func (d *Device) productGrad(dw matrix, dy, x *operand, dtype device.DType) {
	if dw.rows == 0 || dw.cols == 0 || dy.rows == 0 {
		return
	}
	g := gemm{c: dw, m: dw.cols, n: dw.rows, k: dy.rows, add: startThere}
	g.b, g.ldb = d.entering(dy, dtype) // before x: see left
	g.a, g.lda = d.entering(x, dtype)
	d.gemm(d.bestTile(gradient, dtype, g.m, g.n), g)
}

// operand is a float32 matrix that products of one operation read. The first of them for which it is rounded to bfloat16
// leaves it so for the others.
type operand struct {
	matrix
	at      uint64 // scratch memory for it rounded, or 0
	rounded bool   // it is there
}

// holds says that o now is m, which is no larger than what it was before.
func (o *operand) holds(m matrix) { o.matrix, o.rounded = m, false }

// entering returns the address of x as products of dtype read it, and the values from one row to the next.
func (d *Device) entering(x *operand, dtype device.DType) (addr uint64, ld int) {
	if dtype == device.F32 {
		return x.addr, x.stride
	}
	if x.at == 0 {
		x.at = d.scratch(roundedBytes(x.matrix))
	}
	ld = paddedRow(x.cols, dtype)
	if !x.rounded {
		x.rounded = true
		d.launch("pack_bf16", vectors(x.rows, ld, dtype), driver.Dim{X: 256}, 0,
			x.at, u32(ld), x.addr, u32(x.stride), u32(x.rows), u32(x.cols))
	}
	return x.at, ld
}

// paddedRow is how many values a row of cols takes as an operand of products of dtype, with zeros at its end: for BF16 a
// multiple of what kernels/gemm.h copies at a time, for F32 of a vector of 16 bytes.
func paddedRow(cols int, dtype device.DType) int {
	if dtype == device.BF16 {
		return (cols + 63) &^ 63
	}
	return (cols + 3) &^ 3
}

// roundedBytes is the memory of m rounded to bfloat16.
func roundedBytes(m matrix) int { return m.rows * paddedRow(m.cols, device.BF16) * device.BF16.Bytes() }
