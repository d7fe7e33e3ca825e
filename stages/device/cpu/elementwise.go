package cpu

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

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
	half, heads := headDim/2, m.cols/headDim
	d.split(m.rows, 1, float64(heads)*(callCost+float64(headDim)*copyCost), func(_ *worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			angle, v := tab.row(int(positions[r])), m.row(r)
			for h := range heads {
				d.set.RoPE(v[h*headDim:][:headDim], angle[:half], angle[half:], sign)
			}
		}
	})
}

// SwiGLU implements [device.Forward].
func (d *Device) SwiGLU(y, gateUp device.Tensor) {
	const op = "SwiGLU"
	out, in := d.view(op, "y", y), d.view(op, "gateUp", gateUp)
	if out.rows != in.rows || in.cols != 2*out.cols {
		device.Mismatch(op, "y", y, "gateUp", gateUp)
	}
	n := out.cols
	d.pieces(out, mathCost, func(_ *worker, r, lo, hi int) {
		v := in.row(r)
		d.set.SwiGLU(out.row(r)[lo:hi], v[lo:hi], v[n+lo:n+hi])
	})
}

// SwiGLUBackward implements [device.Backward].
func (d *Device) SwiGLUBackward(dGateUp, dy, gateUp device.Tensor) {
	const op = "SwiGLUBackward"
	gin, gy, in := d.view(op, "dGateUp", dGateUp), d.view(op, "dy", dy), d.view(op, "gateUp", gateUp)
	if gin.rows != in.rows || gin.cols != in.cols || gy.rows != in.rows || in.cols != 2*gy.cols {
		device.Mismatch(op, "dGateUp", dGateUp, "dy", dy, "gateUp", gateUp)
	}
	n := gy.cols
	d.pieces(gy, mathCost, func(_ *worker, r, lo, hi int) {
		g, v := gin.row(r), in.row(r)
		d.set.SwiGLUBackward(g[lo:hi], g[n+lo:n+hi], gy.row(r)[lo:hi], v[lo:hi], v[n+lo:n+hi])
	})
}

// GatherRows implements [device.Forward].
func (d *Device) GatherRows(y, x device.Tensor, rows []int32) {
	const op = "GatherRows"
	out, in := d.view(op, "y", y), d.view(op, "x", x)
	if out.cols != in.cols {
		device.Mismatch(op, "y", y, "x", x)
	}
	device.CheckIndices(op, "rows", rows, out.rows, in.rows)
	d.split(out.rows, 1, callCost+float64(in.cols)*copyCost, func(_ *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(out.row(i), in.row(int(rows[i])))
		}
	})
}

// ScatterAddRows implements [device.Backward].
func (d *Device) ScatterAddRows(dx, dy device.Tensor, rows []int32) {
	d.scatter("ScatterAddRows", "dx", dx, dy, "rows", rows)
}

// EmbedGrad implements [device.Backward].
func (d *Device) EmbedGrad(dTable, dy device.Tensor, ids []int32) {
	d.scatter("EmbedGrad", "dTable", dTable, dy, "ids", ids)
}

// scatter adds row i of src to row ids[i] of dst, in order of i: the columns are split over threads, as
// rows may meet.
func (d *Device) scatter(op, name string, dst, src device.Tensor, what string, ids []int32) {
	out, in := d.view(op, name, dst), d.view(op, "dy", src)
	if out.cols != in.cols {
		device.Mismatch(op, name, dst, "dy", src)
	}
	device.CheckIndices(op, what, ids, in.rows, out.rows)
	d.columns(in.rows, in.cols, func(_ *worker, lo, hi int) {
		for i, id := range ids {
			d.set.AddTo(out.row(int(id))[lo:hi], in.row(i)[lo:hi])
		}
	})
}

// dropCost is the estimated nanoseconds that it takes to decide on an element and move it.
const dropCost = 1.5

// Dropout implements [device.Backward].
func (d *Device) Dropout(y, x device.Tensor, rate float32, seed uint64, rows []int32, add bool) {
	const op = "Dropout"
	out, in := d.view(op, "y", y), d.view(op, "x", x)
	if out.rows != in.rows || out.cols != in.cols || len(rows) != in.rows || !(rate >= 0 && rate < 1) {
		device.Mismatch(op, "y", y, "x", x, "rows", len(rows), "rate", rate)
	}
	rule := device.NewDropout(rate, seed)
	d.pieces(in, dropCost, func(_ *worker, r, lo, hi int) {
		number := rule.Row(rows[r])
		to, from := out.row(r)[:hi], in.row(r)[:hi]
		for c := lo; c < hi; c += 2 { // lo is even: pieces are
			draw := device.DropoutDraw(number, c/2)
			drop(to, from, c, uint32(draw), rule, add)
			if c+1 < hi {
				drop(to, from, c+1, uint32(draw>>32), rule, add)
			}
		}
	})
}

// drop does one element, given its random bits.
func drop(to, from []float32, c int, bits uint32, rule device.Dropout, add bool) {
	v := float32(from[c] * rule.Scale) // rounded before it is added
	if bits < rule.Threshold {
		v = 0
	}
	if add {
		v += to[c]
	}
	to[c] = v
}

// Scale implements [device.Optimizing].
func (d *Device) Scale(t device.Tensor, s float32) {
	m := d.view("Scale", "t", t)
	d.pieces(m, copyCost, func(_ *worker, r, lo, hi int) { d.set.Scale(m.row(r)[lo:hi], s) })
}

// sumBlock is how many values of a row SumSquares adds at a time.
const sumBlock = 4096

// SumSquares implements [device.Optimizing]: each row in blocks of sumBlock values, the blocks' sums
// added in order.
func (d *Device) SumSquares(t device.Tensor) (float64, error) {
	m := d.view("SumSquares", "t", t)
	if m.rows == 0 || m.cols == 0 {
		return 0, nil
	}
	perRow := (m.cols + sumBlock - 1) / sumBlock
	sums := grow(&d.shared.sums, m.rows*perRow)
	d.split(len(sums), 1, float64(min(m.cols, sumBlock))*mathCost, func(_ *worker, from, to int) {
		for i := from; i < to; i++ {
			lo := i % perRow * sumBlock
			sums[i] = sumSquares(m.row(i / perRow)[lo:min(lo+sumBlock, m.cols)])
		}
	})
	var total float64
	for _, s := range sums {
		total += s
	}
	return total, nil
}

// sumSquares adds the squares of x over four lanes, so that an addition need not wait for the one before.
func sumSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		a, b, c, d := float64(x[0]), float64(x[1]), float64(x[2]), float64(x[3])
		s0 += a * a
		s1 += b * b
		s2 += c * c
		s3 += d * d
	}
	for _, v := range x {
		s0 += float64(v) * float64(v)
	}
	return (s0 + s2) + (s1 + s3)
}

// AdamW implements [device.Optimizing]. The constants are computed in float64 and rounded once.
func (d *Device) AdamW(p, g, m, v device.Tensor, step device.AdamWStep) {
	const op = "AdamW"
	pm, gm, mm, vm := d.view(op, "p", p), d.view(op, "g", g), d.view(op, "m", m), d.view(op, "v", v)
	for _, x := range [...]matrix{gm, mm, vm} {
		if x.rows != pm.rows || x.cols != pm.cols {
			device.Mismatch(op, "p", p, "g", g, "m", m, "v", v)
		}
	}
	if step.T < 1 {
		panic(fmt.Sprintf("device: AdamW: update number %d, the first is 1", step.T))
	}
	c := kernel.NewAdamWConst(step.LR, step.Beta1, step.Beta2, step.Eps, step.WeightDecay, step.T, step.GradScale)
	d.pieces(pm, mathCost, func(_ *worker, r, lo, hi int) {
		d.set.AdamW(pm.row(r)[lo:hi], gm.row(r)[lo:hi], mm.row(r)[lo:hi], vm.row(r)[lo:hi], c)
	})
}
