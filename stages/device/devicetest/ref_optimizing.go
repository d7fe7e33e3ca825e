package devicetest

import (
	"math"

	"openrs/stages/device"
)

// SumSquares implements [device.Optimizing].
func (d *Reference) SumSquares(t device.Tensor) (float64, error) {
	m := open("SumSquares", "t", t)
	var sum float64
	for r := range m.rows {
		for _, x := range m.row(r) {
			sum += float64(x) * float64(x)
		}
	}
	return sum, nil
}

// Scale implements [device.Optimizing].
func (d *Reference) Scale(t device.Tensor, s float32) {
	m := open("Scale", "t", t)
	for r := range m.rows {
		for c := range m.row(r) {
			m.row(r)[c] *= s
		}
	}
}

// AdamW implements [device.Optimizing].
func (d *Reference) AdamW(p, g, m, v device.Tensor, step device.AdamWStep) {
	const op = "AdamW"
	pm, gm, mm, vm := open(op, "p", p), open(op, "g", g), open(op, "m", m), open(op, "v", v)
	gm.want(pm.rows, pm.cols)
	mm.want(pm.rows, pm.cols)
	vm.want(pm.rows, pm.cols)
	c1 := 1 - math.Pow(step.Beta1, float64(step.T))
	c2 := 1 - math.Pow(step.Beta2, float64(step.T))
	for r := range pm.rows {
		for c := range pm.cols {
			grad := float64(gm.row(r)[c]) * step.GradScale
			m1 := step.Beta1*float64(mm.row(r)[c]) + (1-step.Beta1)*grad
			v1 := step.Beta2*float64(vm.row(r)[c]) + (1-step.Beta2)*grad*grad
			w := float64(pm.row(r)[c]) * (1 - step.LR*step.WeightDecay)
			w -= step.LR / c1 * m1 / (math.Sqrt(v1/c2) + step.Eps)
			pm.row(r)[c], mm.row(r)[c], vm.row(r)[c] = float32(w), float32(m1), float32(v1)
		}
	}
}
