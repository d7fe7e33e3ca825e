//go:build cuda

package cuda

import (
	"slices"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// overQuads launches a kernel of a thread for each four neighbouring values of a row (see find_quad in kernels/gpu.h),
// with the numbers of rows and columns before the arguments.
func (d *Device) overQuads(kernel string, rows, cols int, args ...uint64) {
	const threads = 256
	quads := rows * ((cols + 3) / 4)
	if quads > maxQuads {
		device.Mismatch(d.op, "rows", rows, "columns", cols, "at most", 4*maxQuads)
	}
	blocks := (quads + threads - 1) / threads
	d.launch(kernel, driver.Dim{X: blocks}, driver.Dim{X: threads}, 0, append([]uint64{u32(rows), uint64(cols)}, args...)...)
}

// maxQuads bounds the threads of overQuads: they are counted in 32 bits, up to the last block's end.
const maxQuads = 1<<32 - 256

// flat joins the rows of views of one shape, if all of them are without gaps, so that narrow ones fill whole threads.
func flat(views ...*matrix) {
	for _, m := range views {
		if m.rows > 1 && m.stride != m.cols {
			return
		}
	}
	for _, m := range views {
		m.cols *= m.rows
		m.rows, m.stride = 1, m.cols
	}
}

// Embed implements [device.Forward].
func (d *Device) Embed(y device.Tensor, table device.Weight, ids []int32) {
	const op = "Embed"
	out, w := d.view(op, "y", y), d.weightOf(op, table)
	if out.cols != w.in {
		device.Mismatch(op, "y", y, "w", shapeOf(w))
	}
	device.CheckIndices(op, "ids", ids, out.rows, w.out)
	d.begin(op)
	kernel := "gather_rows_f32"
	if w.dtype == device.BF16 {
		kernel = "gather_rows_bf16"
	}
	d.overQuads(kernel, out.rows, out.cols, out.addr, uint64(out.stride), w.data, uint64(w.ld), d.ints(ids))
}

// GatherRows implements [device.Forward].
func (d *Device) GatherRows(y, x device.Tensor, rows []int32) {
	const op = "GatherRows"
	out, in := d.view(op, "y", y), d.view(op, "x", x)
	if out.cols != in.cols {
		device.Mismatch(op, "y", y, "x", x)
	}
	device.CheckIndices(op, "rows", rows, out.rows, in.rows)
	d.begin(op)
	d.overQuads("gather_rows_f32", out.rows, out.cols, out.addr, uint64(out.stride), in.addr, uint64(in.stride), d.ints(rows))
}

// ScatterAddRows implements [device.Backward].
func (d *Device) ScatterAddRows(dx, dy device.Tensor, rows []int32) {
	d.scatter("ScatterAddRows", "dx", dx, dy, "rows", rows)
}

// EmbedGrad implements [device.Backward].
func (d *Device) EmbedGrad(dTable, dy device.Tensor, ids []int32) {
	d.scatter("EmbedGrad", "dTable", dTable, dy, "ids", ids)
}

// scatter adds row i of src to row ids[i] of dst, in order of i. The rows for the same id are one chain.
func (d *Device) scatter(op, name string, dst, src device.Tensor, what string, ids []int32) {
	out, in := d.view(op, name, dst), d.view(op, "dy", src)
	if out.cols != in.cols {
		device.Mismatch(op, name, dst, "dy", src)
	}
	device.CheckIndices(op, what, ids, in.rows, out.rows)
	d.begin(op)
	to, first, order := groupRows(ids)
	d.overQuads("scatter_add_rows_f32", len(to), out.cols, out.addr, uint64(out.stride), in.addr, uint64(in.stride),
		d.ints(to), d.ints(first), d.ints(order))
}

// groupRows sorts rows by their ids: those with id to[g], each id once, are order[first[g]] … order[first[g+1]−1],
// ascending.
func groupRows(ids []int32) (to, first, order []int32) {
	keys := make([]uint64, len(ids))
	for i, id := range ids {
		keys[i] = uint64(id)<<32 | uint64(i)
	}
	slices.Sort(keys)
	order = make([]int32, len(ids))
	for i, key := range keys {
		order[i] = int32(key)
		if id := int32(key >> 32); i == 0 || id != to[len(to)-1] {
			to, first = append(to, id), append(first, int32(i))
		}
	}
	return to, append(first, int32(len(ids))), order
}

// RoPE implements [device.Forward].
func (d *Device) RoPE(x device.Tensor, headDim int, table device.Tensor, positions []int32, inverse bool) {
	const op = "RoPE"
	m, tab := d.view(op, "x", x), d.view(op, "table", table)
	if headDim <= 0 || headDim%2 != 0 || m.cols%headDim != 0 || tab.cols != headDim {
		device.Mismatch(op, "x", x, "table", table, "headDim", headDim)
	}
	device.CheckIndices(op, "positions", positions, m.rows, tab.rows)
	sign := float32(1)
	if inverse {
		sign = -1
	}
	d.begin(op)
	heads := m.cols / headDim
	d.overQuads("rope_f32", m.rows*heads, headDim/2, m.addr, uint64(m.stride), u32(heads), tab.addr, uint64(tab.stride),
		d.ints(positions), f32(sign))
}

// SwiGLU implements [device.Forward].
func (d *Device) SwiGLU(y, gateUp device.Tensor) {
	const op = "SwiGLU"
	out, in := d.view(op, "y", y), d.view(op, "gateUp", gateUp)
	if out.rows != in.rows || in.cols != 2*out.cols {
		device.Mismatch(op, "y", y, "gateUp", gateUp)
	}
	d.begin(op)
	d.overQuads("swiglu_f32", out.rows, out.cols, out.addr, uint64(out.stride), in.addr, uint64(in.stride))
}

// SwiGLUBackward implements [device.Backward].
func (d *Device) SwiGLUBackward(dGateUp, dy, gateUp device.Tensor) {
	const op = "SwiGLUBackward"
	gin, gy, in := d.view(op, "dGateUp", dGateUp), d.view(op, "dy", dy), d.view(op, "gateUp", gateUp)
	if gin.rows != in.rows || gin.cols != in.cols || gy.rows != in.rows || in.cols != 2*gy.cols {
		device.Mismatch(op, "dGateUp", dGateUp, "dy", dy, "gateUp", gateUp)
	}
	d.begin(op)
	d.overQuads("swiglu_backward_f32", gy.rows, gy.cols, gin.addr, uint64(gin.stride), gy.addr, uint64(gy.stride),
		in.addr, uint64(in.stride))
}

// Dropout implements [device.Backward].
func (d *Device) Dropout(y, x device.Tensor, rate float32, seed uint64, rows []int32, add bool) {
	const op = "Dropout"
	out, in := d.view(op, "y", y), d.view(op, "x", x)
	if out.rows != in.rows || out.cols != in.cols || len(rows) != in.rows || !(rate >= 0 && rate < 1) {
		device.Mismatch(op, "y", y, "x", x, "rows", len(rows), "rate", rate)
	}
	rule := device.NewDropout(rate, seed)
	d.begin(op)
	d.overQuads("dropout_f32", out.rows, out.cols, out.addr, uint64(out.stride), in.addr, uint64(in.stride),
		d.ints(rows), rule.Seed, uint64(rule.Threshold), f32(rule.Scale), flag(add))
}
