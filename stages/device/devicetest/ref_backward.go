package devicetest

import (
	"math"

	"openrs/stages/device"
)

// Gradients of weights are chains in float32 over the rows, one rounding a row: what is already in dw
// is the start of the chain, so that splitting the rows over calls gives the same bits.
func accumulate(dw *float32, x float64) { *dw = float32(float64(*dw) + x) }

// MatMulBackward implements [device.Backward].
func (d *Reference) MatMulBackward(dx, dy device.Tensor, w device.Weight, add bool) {
	const op = "MatMulBackward"
	m, out, in := weightOf(op, w), open(op, "dx", dx), open(op, "dy", dy)
	check(m.grad, op, "the weight was made without grad")
	in.want(in.rows, m.out)
	out.want(in.rows, m.in)
	for r := range in.rows {
		sum := make([]float64, m.in)
		for o, g := range m.input(in.row(r)) {
			for i, v := range m.row(o) {
				sum[i] += g * float64(v)
			}
		}
		for i, s := range sum {
			set(&out.row(r)[i], float32(s), add)
		}
	}
}

func set(dst *float32, x float32, add bool) {
	if add {
		x += *dst
	}
	*dst = x
}

// WeightGrad implements [device.Backward].
func (d *Reference) WeightGrad(dw, dy, x device.Tensor, dtype device.DType) {
	const op = "WeightGrad"
	g, out, in := open(op, "dw", dw), open(op, "dy", dy), open(op, "x", x)
	in.want(out.rows, in.cols)
	g.want(out.cols, in.cols)
	for r := range out.rows {
		for o, y := range out.row(r) {
			dw := g.row(o)
			y := entering(y, dtype)
			for i, v := range in.row(r) {
				accumulate(&dw[i], y*entering(v, dtype))
			}
		}
	}
}

// BiasGrad implements [device.Backward].
func (d *Reference) BiasGrad(db, dy device.Tensor) {
	g, out := open("BiasGrad", "db", db), open("BiasGrad", "dy", dy)
	g.want(1, out.cols)
	for r := range out.rows {
		for c, y := range out.row(r) {
			accumulate(&g.row(0)[c], float64(y))
		}
	}
}

// RMSNormBackward implements [device.Backward]. With r = 1/sqrt(mean(x²) + eps) and
// s = Σ w·dy·x: dx = r·w·dy − x·r³·s/Cols.
func (d *Reference) RMSNormBackward(dx, dw, dy, x, w device.Tensor, eps float32, add bool) {
	const op = "RMSNormBackward"
	gx, out, in, scale := open(op, "dx", dx), open(op, "dy", dy), open(op, "x", x), open(op, "w", w)
	gw := matrix{rows: 1, cols: in.cols, data: make([]float32, in.cols)}
	if !dw.IsZero() {
		gw = open(op, "dw", dw)
	}
	gx.want(in.rows, in.cols)
	out.want(in.rows, in.cols)
	gw.want(1, in.cols)
	scale.want(1, in.cols)
	for r := range in.rows {
		inv := inverseRMS(in.row(r), eps)
		var s float64
		for c, v := range in.row(r) {
			s += float64(scale.row(0)[c]) * float64(out.row(r)[c]) * float64(v)
		}
		for c, v := range in.row(r) {
			g := float64(out.row(r)[c])
			accumulate(&gw.row(0)[c], g*float64(v)*inv)
			set(&gx.row(r)[c], float32(inv*float64(scale.row(0)[c])*g-float64(v)*inv*inv*inv*s/float64(in.cols)), add)
		}
	}
}

// SwiGLUBackward implements [device.Backward].
func (d *Reference) SwiGLUBackward(dGateUp, dy, gateUp device.Tensor) {
	const op = "SwiGLUBackward"
	grad, out, in := open(op, "dGateUp", dGateUp), open(op, "dy", dy), open(op, "gateUp", gateUp)
	in.want(out.rows, 2*out.cols)
	grad.want(out.rows, 2*out.cols)
	for r := range out.rows {
		for c, y := range out.row(r) {
			g, u := float64(in.row(r)[c]), float64(in.row(r)[out.cols+c])
			s := sigmoid(g)
			grad.row(r)[c] = float32(float64(y) * u * s * (1 + g*(1-s)))
			grad.row(r)[out.cols+c] = float32(float64(y) * g * s)
		}
	}
}

// ScatterAddRows implements [device.Backward].
func (d *Reference) ScatterAddRows(dx, dy device.Tensor, rows []int32) {
	const op = "ScatterAddRows"
	dst, src := open(op, "dx", dx), open(op, "dy", dy)
	src.want(src.rows, dst.cols)
	checkIndices(op, "rows", rows, src.rows, dst.rows)
	for i, r := range rows {
		for c, g := range src.row(i) {
			dst.row(int(r))[c] += g
		}
	}
}

// LogProbsBackward implements [device.Backward]. With p = softmax(z), z = logits/T:
// dlogit[j] = dlogp·([j is the target] − p[j])/T.
func (d *Reference) LogProbsBackward(dh, dw, dlogp, lse, h device.Tensor, w device.Weight, targets []int32, temperature []float32, add bool) {
	const op = "LogProbsBackward"
	m, gh := weightOf(op, w), open(op, "dh", dh)
	gw := matrix{rows: m.out, cols: m.in, stride: m.in}
	if dw.IsZero() {
		gw.data = make([]float32, m.out*m.in)
	} else {
		gw = open(op, "dw", dw)
	}
	up, norm, in := open(op, "dlogp", dlogp), open(op, "lse", lse), open(op, "h", h)
	check(m.grad, op, "the weight was made without grad")
	in.want(in.rows, m.in)
	gh.want(in.rows, m.in)
	gw.want(m.out, m.in)
	up.want(in.rows, 1)
	norm.want(in.rows, 1)
	checkIndices(op, "targets", targets, in.rows, m.out)
	check(len(temperature) == in.rows, op, "%d temperatures for %d rows", len(temperature), in.rows)
	for r := range in.rows {
		t, g := divisor(temperature[r]), float64(up.row(r)[0])
		sum, h, x := make([]float64, m.in), in.row(r), m.input(in.row(r))
		for o := range m.out {
			dlogit, dwo := -g*math.Exp(float64(m.dot(x, o))/t-float64(norm.row(r)[0]))/t, gw.row(o)
			if o == int(targets[r]) {
				dlogit += g / t
			}
			y := entering(float32(dlogit), m.dtype)
			for i, v := range m.row(o) {
				sum[i] += dlogit * float64(v)
				accumulate(&dwo[i], y*entering(h[i], m.dtype))
			}
		}
		for i, s := range sum {
			set(&gh.row(r)[i], float32(s), add)
		}
	}
}

// EmbedGrad implements [device.Backward].
func (d *Reference) EmbedGrad(dTable, dy device.Tensor, ids []int32) {
	g, out := open("EmbedGrad", "dTable", dTable), open("EmbedGrad", "dy", dy)
	out.want(out.rows, g.cols)
	checkIndices("EmbedGrad", "ids", ids, out.rows, g.rows)
	for r, id := range ids {
		for c, y := range out.row(r) {
			g.row(int(id))[c] += y
		}
	}
}

// Dropout implements [device.Backward].
func (d *Reference) Dropout(y, x device.Tensor, rate float32, seed uint64, rows []int32, add bool) {
	const op = "Dropout"
	out, in := open(op, "y", y), open(op, "x", x)
	out.want(in.rows, in.cols)
	check(len(rows) == in.rows, op, "%d numbers of %d rows", len(rows), in.rows)
	check(rate >= 0 && rate < 1, op, "a rate of %v", rate)
	rule := device.NewDropout(rate, seed)
	for r := range in.rows {
		row := rule.Row(rows[r])
		for c, v := range in.row(r) {
			if uint32(device.DropoutDraw(row, c/2)>>(32*(c%2))) < rule.Threshold {
				v = 0
			} else {
				v = float32(v * rule.Scale)
			}
			set(&out.row(r)[c], v, add)
		}
	}
}
