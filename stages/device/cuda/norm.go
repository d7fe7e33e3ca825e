//go:build cuda

package cuda

import (
	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// normRows launches the variant of a kernel in kernels/norm.cu that suits the number of columns: eight rows to a block,
// or one.
func (d *Device) normRows(kernel string, rows, cols int, args ...uint64) {
	const (
		warpCols     = 512 // up to so many columns, a warp takes a row
		warpRows     = 8   // of a block
		warpThreads  = 32 * warpRows
		blockThreads = 128
	)
	if cols <= warpCols {
		d.launch(kernel+"_warp", driver.Dim{X: (rows + warpRows - 1) / warpRows}, driver.Dim{X: warpThreads}, 0, args...)
		return
	}
	d.launch(kernel+"_block", driver.Dim{X: rows}, driver.Dim{X: blockThreads}, 0, args...)
}

// RMSNorm implements [device.Forward].
func (d *Device) RMSNorm(y, x, w device.Tensor, eps float32) {
	const op = "RMSNorm"
	out, in, g := d.view(op, "y", y), d.view(op, "x", x), d.view(op, "w", w)
	if out.rows != in.rows || out.cols != in.cols || g.rows != 1 || g.cols != in.cols {
		device.Mismatch(op, "y", y, "x", x, "w", w)
	}
	d.begin(op)
	if in.cols == 0 {
		return
	}
	d.normRows("rmsnorm_f32", in.rows, in.cols, out.addr, uint64(out.stride), in.addr, uint64(in.stride), g.addr,
		u32(in.rows), u32(in.cols), f32(eps))
}

// RMSNormBackward implements [device.Backward]. With r = 1/sqrt(mean(x²) + eps), recomputed from x,
//
//	dx = r·(w ⊙ dy) − x·(r³/n)·Σ(x ⊙ w ⊙ dy),    dw += Σ over rows of dy ⊙ (x·r)
func (d *Device) RMSNormBackward(dx, dw, dy, x, w device.Tensor, eps float32, add bool) {
	const op = "RMSNormBackward"
	gx, gw := d.view(op, "dx", dx), matrix{rows: 1, cols: x.Cols}
	if !dw.IsZero() {
		gw = d.view(op, "dw", dw)
	}
	gy, in, g := d.view(op, "dy", dy), d.view(op, "x", x), d.view(op, "w", w)
	if gx.rows != in.rows || gx.cols != in.cols || gy.rows != in.rows || gy.cols != in.cols ||
		g.rows != 1 || g.cols != in.cols || gw.rows != 1 || gw.cols != in.cols {
		device.Mismatch(op, "dx", dx, "dw", dw, "dy", dy, "x", x, "w", w)
	}
	d.begin(op)
	if in.rows == 0 || in.cols == 0 {
		return
	}
	inverse, slope := d.scratch(4*in.rows), d.scratch(4*in.rows)
	d.normRows("rmsnorm_terms_f32", in.rows, in.cols, inverse, slope, gy.addr, uint64(gy.stride), in.addr, uint64(in.stride),
		g.addr, u32(in.rows), u32(in.cols), f32(eps))
	// dw before dx, because dx may be dy.
	if !dw.IsZero() {
		d.chainColumns("rmsnorm_weight_grad_f32", in.cols, gw.addr, gy.addr, uint64(gy.stride), in.addr, uint64(in.stride),
			inverse, u32(in.rows), u32(in.cols))
	}
	d.overQuads("rmsnorm_backward_f32", in.rows, in.cols, gx.addr, uint64(gx.stride), gy.addr, uint64(gy.stride),
		in.addr, uint64(in.stride), g.addr, inverse, slope, flag(add))
}

// BiasGrad implements [device.Backward].
func (d *Device) BiasGrad(db, dy device.Tensor) {
	const op = "BiasGrad"
	sum, g := d.view(op, "db", db), d.view(op, "dy", dy)
	if sum.rows != 1 || sum.cols != g.cols {
		device.Mismatch(op, "db", db, "dy", dy)
	}
	d.begin(op)
	if g.rows == 0 {
		return
	}
	d.chainColumns("bias_grad_f32", g.cols, sum.addr, g.addr, uint64(g.stride), u32(g.rows), u32(g.cols))
}

// chainColumns launches a kernel of kernels/columns.cu, which takes 32 columns a block.
func (d *Device) chainColumns(kernel string, cols int, args ...uint64) {
	d.launch(kernel, driver.Dim{X: (cols + 31) / 32}, driver.Dim{X: 256}, 0, args...)
}

// flag is a bool as a kernel takes it.
func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
