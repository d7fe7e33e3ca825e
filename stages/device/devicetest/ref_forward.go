package devicetest

import (
	"math"

	"openrs/stages/device"
)

// Embed implements [device.Forward].
func (d *Reference) Embed(y device.Tensor, w device.Weight, ids []int32) {
	m, table := open("Embed", "y", y), weightOf("Embed", w)
	m.want(m.rows, table.in)
	checkIndices("Embed", "ids", ids, m.rows, table.out)
	for r, id := range ids {
		copy(m.row(r), table.row(int(id)))
	}
}

// RMSNorm implements [device.Forward].
func (d *Reference) RMSNorm(y, x, w device.Tensor, eps float32) {
	out, in, scale := open("RMSNorm", "y", y), open("RMSNorm", "x", x), open("RMSNorm", "w", w)
	out.want(in.rows, in.cols)
	scale.want(1, in.cols)
	for r := range in.rows {
		inv := inverseRMS(in.row(r), eps)
		for c, v := range in.row(r) {
			out.row(r)[c] = float32(float64(scale.row(0)[c]) * float64(v) * inv)
		}
	}
}

func inverseRMS(x []float32, eps float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(sum/float64(len(x))+float64(eps))
}

// MatMul implements [device.Forward].
func (d *Reference) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	m := weightOf("MatMul", w)
	out, in := open("MatMul", "y", y), open("MatMul", "x", x)
	in.want(in.rows, m.in)
	out.want(in.rows, m.out)
	var b []float32
	if !bias.IsZero() {
		bm := open("MatMul", "bias", bias)
		bm.want(1, m.out)
		b = bm.row(0)
	}
	for r := range in.rows {
		x, y := m.input(in.row(r)), out.row(r)
		for o := range y {
			y[o] = m.dot(x, o)
			if b != nil {
				y[o] += b[o]
			}
		}
	}
}

// MatMulAdd implements [device.Forward].
func (d *Reference) MatMulAdd(y, x device.Tensor, w device.Weight) {
	m := weightOf("MatMulAdd", w)
	out, in := open("MatMulAdd", "y", y), open("MatMulAdd", "x", x)
	in.want(in.rows, m.in)
	out.want(in.rows, m.out)
	for r := range in.rows {
		x, y := m.input(in.row(r)), out.row(r)
		for o := range y {
			y[o] += m.dot(x, o)
		}
	}
}

// input is a row as it enters a product with w.
func (w *weight) input(x []float32) []float64 {
	v := make([]float64, len(x))
	for i := range x {
		v[i] = w.enters(x[i])
	}
	return v
}

// dot is one element of x·Wᵀ.
func (w *weight) dot(x []float64, o int) float32 {
	var sum float64
	for i, v := range w.row(o) {
		sum += x[i] * float64(v)
	}
	return float32(sum)
}

// RoPE implements [device.Forward].
func (d *Reference) RoPE(x device.Tensor, headDim int, table device.Tensor, positions []int32, inverse bool) {
	m, tab := open("RoPE", "x", x), open("RoPE", "table", table)
	check(headDim > 0 && headDim%2 == 0 && m.cols%headDim == 0, "RoPE", "%d columns in heads of %d", m.cols, headDim)
	tab.want(tab.rows, headDim)
	checkIndices("RoPE", "positions", positions, m.rows, tab.rows)
	half := headDim / 2
	for r, pos := range positions {
		cs := tab.row(int(pos))
		for h := 0; h < m.cols; h += headDim {
			head := m.row(r)[h : h+headDim]
			for i := range half {
				c, s := float64(cs[i]), float64(cs[half+i])
				if inverse {
					s = -s
				}
				a, b := float64(head[i]), float64(head[half+i])
				head[i], head[half+i] = float32(a*c-b*s), float32(b*c+a*s)
			}
		}
	}
}

// SwiGLU implements [device.Forward].
func (d *Reference) SwiGLU(y, gateUp device.Tensor) {
	out, in := open("SwiGLU", "y", y), open("SwiGLU", "gateUp", gateUp)
	in.want(out.rows, 2*out.cols)
	for r := range out.rows {
		for c := range out.cols {
			g, u := float64(in.row(r)[c]), float64(in.row(r)[out.cols+c])
			out.row(r)[c] = float32(g * sigmoid(g) * u)
		}
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// GatherRows implements [device.Forward].
func (d *Reference) GatherRows(y, x device.Tensor, rows []int32) {
	out, in := open("GatherRows", "y", y), open("GatherRows", "x", x)
	out.want(out.rows, in.cols)
	checkIndices("GatherRows", "rows", rows, out.rows, in.rows)
	for i, r := range rows {
		copy(out.row(i), in.row(int(r)))
	}
}

// LogProbs implements [device.Forward].
func (d *Reference) LogProbs(logp, lse, entropy, h device.Tensor, w device.Weight, targets []int32, temperature []float32) {
	const op = "LogProbs"
	m, in, lp := weightOf(op, w), open(op, "h", h), open(op, "logp", logp)
	in.want(in.rows, m.in)
	lp.want(in.rows, 1)
	checkIndices(op, "targets", targets, in.rows, m.out)
	check(len(temperature) == in.rows, op, "%d temperatures for %d rows", len(temperature), in.rows)
	logits := make([]float32, m.out)
	for r := range in.rows {
		x := m.input(in.row(r))
		for o := range logits {
			logits[o] = m.dot(x, o)
		}
		s := softmax(logits, temperature[r])
		lp.row(r)[0] = s.logProb(int(targets[r]))
		if !lse.IsZero() {
			out := open(op, "lse", lse)
			out.want(in.rows, 1)
			out.row(r)[0] = float32(s.lse)
		}
		if !entropy.IsZero() {
			out := open(op, "entropy", entropy)
			out.want(in.rows, 1)
			out.row(r)[0] = float32(s.entropy())
		}
	}
}

// distribution is softmax(z): z, and the log of the sum of exp(z).
type distribution struct {
	z   []float64
	lse float64
}

// divisor is what a temperature divides logits by: 0 counts as 1.
func divisor(temperature float32) float64 {
	if temperature == 0 {
		return 1
	}
	return float64(temperature)
}

func softmax(logits []float32, temperature float32) distribution {
	s := distribution{z: make([]float64, len(logits))}
	top := math.Inf(-1)
	for i, x := range logits {
		s.z[i] = float64(x) / divisor(temperature)
		top = max(top, s.z[i])
	}
	var sum float64
	for _, z := range s.z {
		sum += math.Exp(z - top)
	}
	s.lse = top + math.Log(sum)
	return s
}

func (s distribution) logProb(i int) float32 { return float32(s.z[i] - s.lse) }
func (s distribution) prob(i int) float64    { return math.Exp(s.z[i] - s.lse) }

func (s distribution) entropy() float64 {
	var sum float64
	for i, z := range s.z {
		if p := s.prob(i); p > 0 {
			sum += p * (s.lse - z)
		}
	}
	return sum
}
