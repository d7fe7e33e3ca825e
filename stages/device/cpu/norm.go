package cpu

import (
	"math"

	"openrs/stages/device"
)

// RMSNorm implements [device.Forward]. The mean of the squares is summed over the 16 lanes of the
// kernels.
func (d *Device) RMSNorm(y, x, w device.Tensor, eps float32) {
	const op = "RMSNorm"
	out, in, g := d.view(op, "y", y), d.view(op, "x", x), d.view(op, "w", w)
	if out.rows != in.rows || out.cols != in.cols || g.rows != 1 || g.cols != in.cols {
		device.Mismatch(op, "y", y, "x", x, "w", w)
	}
	scale := g.row0()
	d.split(in.rows, 1, 2*(callCost+float64(in.cols)*copyCost), func(_ *worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			v := in.row(r)
			d.set.NormScale(out.row(r), v, scale, d.inverseRMS(v, eps))
		}
	})
}

// inverseRMS returns 1 / sqrt(mean(x²) + eps).
func (d *Device) inverseRMS(x []float32, eps float32) float32 {
	if len(x) == 0 {
		return 0
	}
	mean := float64(d.set.SumSquares(x)) / float64(len(x))
	return float32(1 / math.Sqrt(mean+float64(eps)))
}

// RMSNormBackward implements [device.Backward]. With r = 1/sqrt(mean(x²) + eps), recomputed from x,
//
//	dx = r·(w ⊙ dy) − x·(r³/n)·Σ(x ⊙ w ⊙ dy),    dw += Σ over rows of dy ⊙ (x·r)
//
// dw, unless it is none, is split by columns, so that each is one chain over the rows.
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
	if in.rows == 0 || in.cols == 0 {
		return
	}
	rowCost := callCost + float64(in.cols)*copyCost
	inv := grow(&d.shared.a, in.rows)
	d.split(in.rows, 1, rowCost, func(_ *worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			inv[r] = d.inverseRMS(in.row(r), eps)
		}
	})
	// dw before dx, because dx may be dy.
	if !dw.IsZero() {
		sum := gw.row0()
		d.columns(in.rows, in.cols, func(t *worker, lo, hi int) {
			tmp := t.floats(hi - lo)
			for r := range in.rows {
				d.set.NormScale(tmp, in.row(r)[lo:hi], gy.row(r)[lo:hi], inv[r])
				d.set.AddTo(sum[lo:hi], tmp)
			}
		})
	}
	scale := g.row0()
	d.split(in.rows, 1, 5*rowCost, func(t *worker, lo, hi int) {
		tmp := t.floats(in.cols)
		for r := lo; r < hi; r++ {
			v := in.row(r)
			d.set.Mul(tmp, gy.row(r), scale)
			dot := float64(d.set.Dot(tmp, v))
			k := float64(inv[r])
			d.set.Scale(tmp, inv[r])
			d.set.Axpy(tmp, float32(-dot*k*k*k/float64(in.cols)), v)
			if add {
				d.set.AddTo(gx.row(r), tmp)
			} else {
				copy(gx.row(r), tmp)
			}
		}
	})
}
