package devicetest

import (
	"math"
	"math/rand/v2"
	"testing"

	"openrs/stages/device"
)

// finite is one forward operation seen as a function of its inputs, and the backward operation that
// should give its gradients.
type finite struct {
	name    string
	inputs  []device.Tensor // perturbed one element at a time
	out     device.Tensor
	forward func()
	// backward returns the gradient of Σ dout·out for each input. Gradients of weights start at zero.
	backward func(dout device.Tensor) []device.Tensor
}

// TestFiniteDifferences checks every backward operation of the reference against central differences
// of its forward operation.
func TestFiniteDifferences(t *testing.T) {
	d := NewReference()
	rng := rand.New(rand.NewPCG(3, 4))
	zeros := func(rows, cols int) device.Tensor {
		buf, err := d.Alloc(rows * cols)
		if err != nil {
			t.Fatal(err)
		}
		return device.View(buf, 0, rows, cols)
	}
	random := func(rows, cols int) device.Tensor {
		x := zeros(rows, cols)
		v := make([]float32, x.Len())
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		d.Upload(x, v)
		return x
	}
	packed := func(w device.Tensor) device.Weight {
		m, err := d.NewWeight(w.Rows, w.Cols, device.F32, true)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}

	var cases []finite
	{
		x, w, b, y := random(3, 5), random(4, 5), random(1, 4), zeros(3, 4)
		m := packed(w)
		cases = append(cases, finite{"MatMul", []device.Tensor{x, w, b}, y,
			func() { d.Pack(m, w); d.MatMul(y, x, m, b) },
			func(dy device.Tensor) []device.Tensor {
				dx, dw, db := zeros(3, 5), zeros(4, 5), zeros(1, 4)
				d.MatMulBackward(dx, dy, m, false)
				d.WeightGrad(dw, dy, x, device.F32)
				d.BiasGrad(db, dy)
				return []device.Tensor{dx, dw, db}
			}})
	}
	{
		x, w, y := random(3, 6), random(1, 6), zeros(3, 6)
		cases = append(cases, finite{"RMSNorm", []device.Tensor{x, w}, y,
			func() { d.RMSNorm(y, x, w, 0.1) },
			func(dy device.Tensor) []device.Tensor {
				dx, dw := zeros(3, 6), zeros(1, 6)
				d.RMSNormBackward(dx, dw, dy, x, w, 0.1, false)
				return []device.Tensor{dx, dw}
			}})
	}
	{
		x, y := random(3, 8), zeros(3, 4)
		cases = append(cases, finite{"SwiGLU", []device.Tensor{x}, y,
			func() { d.SwiGLU(y, x) },
			func(dy device.Tensor) []device.Tensor {
				dx := zeros(3, 8)
				d.SwiGLUBackward(dx, dy, x)
				return []device.Tensor{dx}
			}})
	}
	{
		x, y, table, pos := random(3, 12), zeros(3, 12), zeros(9, 6), []int32{8, 0, 3}
		d.Upload(table, ropeTable(9, 6, 10))
		cases = append(cases, finite{"RoPE", []device.Tensor{x}, y,
			func() { d.Copy(y, x); d.RoPE(y, 6, table, pos, false) },
			func(dy device.Tensor) []device.Tensor {
				dx := zeros(3, 12)
				d.Copy(dx, dy)
				d.RoPE(dx, 6, table, pos, true)
				return []device.Tensor{dx}
			}})
	}
	{
		shape := device.AttentionShape{Heads: 4, KVHeads: 2, HeadDim: 3, Scale: 0.6}
		c := sequences("", 3).group(3, 2, 1, 2)
		q, k, v := random(c.rows, 12), random(c.rows, 6), random(c.rows, 6)
		out, lse := zeros(c.rows, 12), zeros(c.rows, 4)
		cases = append(cases, finite{"Attention", []device.Tensor{q, k, v}, out,
			func() { d.Attention(out, lse, q, k, v, shape, c.segs) },
			func(dout device.Tensor) []device.Tensor {
				dq, dk, dv := zeros(c.rows, 12), zeros(c.rows, 6), zeros(c.rows, 6)
				d.AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v, shape, c.segs)
				return []device.Tensor{dq, dk, dv}
			}})
	}
	{
		h, w, logp, lse := random(3, 4), random(7, 4), zeros(3, 1), zeros(3, 1)
		m, targets, temp := packed(w), []int32{6, 0, 2}, []float32{1, 0.7, 1.5}
		cases = append(cases, finite{"LogProbs", []device.Tensor{h, w}, logp,
			func() { d.Pack(m, w); d.LogProbs(logp, lse, device.Tensor{}, h, m, targets, temp) },
			func(dlogp device.Tensor) []device.Tensor {
				dh, dw := zeros(3, 4), zeros(7, 4)
				d.LogProbsBackward(dh, dw, dlogp, lse, h, m, targets, temp, false)
				return []device.Tensor{dh, dw}
			}})
	}
	{
		w, y, ids := random(5, 3), zeros(4, 3), []int32{4, 1, 4, 0}
		m := packed(w)
		cases = append(cases, finite{"Embed", []device.Tensor{w}, y,
			func() { d.Pack(m, w); d.Embed(y, m, ids) },
			func(dy device.Tensor) []device.Tensor {
				dw := zeros(5, 3)
				d.EmbedGrad(dw, dy, ids)
				return []device.Tensor{dw}
			}})
	}
	{
		x, y, rows := random(5, 3), zeros(4, 3), []int32{4, 1, 4, 0}
		cases = append(cases, finite{"GatherRows", []device.Tensor{x}, y,
			func() { d.GatherRows(y, x, rows) },
			func(dy device.Tensor) []device.Tensor {
				dx := zeros(5, 3)
				d.ScatterAddRows(dx, dy, rows)
				return []device.Tensor{dx}
			}})
	}

	{
		x, y, numbers := random(5, 7), zeros(5, 7), []int32{4, 1, 4, 0, -2}
		cases = append(cases, finite{"Dropout", []device.Tensor{x}, y,
			func() { d.Dropout(y, x, 0.4, 9, numbers, false) },
			func(dy device.Tensor) []device.Tensor {
				dx := zeros(5, 7)
				d.Dropout(dx, dy, 0.4, 9, numbers, true)
				return []device.Tensor{dx}
			}})
	}

	values := func(x device.Tensor) []float32 {
		v := make([]float32, x.Len())
		if err := d.Download(v, x); err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dout := random(c.out.Rows, c.out.Cols)
			weight := values(dout)
			loss := func() float64 {
				c.forward()
				var sum float64
				for i, y := range values(c.out) {
					sum += float64(weight[i]) * float64(y)
				}
				return sum
			}
			loss()
			for n, grad := range c.backward(dout) {
				got, x := values(grad), values(c.inputs[n])
				for i, was := range x {
					const eps = 1.0 / 128
					x[i] = was + eps
					d.Upload(c.inputs[n], x)
					up := loss()
					x[i] = was - eps
					d.Upload(c.inputs[n], x)
					want := (up - loss()) / (2 * eps)
					x[i] = was
					d.Upload(c.inputs[n], x)
					if math.Abs(want-float64(got[i])) > 1e-3*(1+math.Abs(want)) {
						t.Errorf("gradient %d for element %d: %v, by differences %v", n, i, got[i], want)
					}
				}
			}
		})
	}
}

func TestRoundBF16(t *testing.T) {
	for _, c := range []struct{ in, want float32 }{
		{1, 1}, {1.00390625, 1}, {1.01171875, 1.015625}, {-3.1415927, -3.140625}, {0, 0},
		{float32(math.Inf(1)), float32(math.Inf(1))}, {math.MaxFloat32, float32(math.Inf(1))},
	} {
		if got := roundBF16(c.in); got != c.want {
			t.Errorf("roundBF16(%v) = %v, want %v", c.in, got, c.want)
		}
	}
	if x := roundBF16(float32(math.NaN())); x == x {
		t.Errorf("roundBF16(NaN) = %v", x)
	}
}
