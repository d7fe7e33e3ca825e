//go:build cuda

package cuda

import (
	"fmt"
	"math"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// Scale implements [device.Optimizing].
func (d *Device) Scale(t device.Tensor, s float32) {
	m := d.view("Scale", "t", t)
	d.begin("Scale")
	flat(&m)
	d.overQuads("scale_f32", m.rows, m.cols, m.addr, uint64(m.stride), f32(s))
}

// SumSquares implements [device.Optimizing]: each row in pieces of 16,384 values, one block of threads a piece; then all
// pieces by a single block.
func (d *Device) SumSquares(t device.Tensor) (float64, error) {
	const piece = 16384
	m := d.view("SumSquares", "t", t)
	d.begin("SumSquares")
	if m.rows == 0 || m.cols == 0 {
		return 0, d.Sync()
	}
	pieces := (m.cols + piece - 1) / piece
	n := m.rows * pieces
	sums, total := d.scratch(8*n), d.scratch(8)
	block := driver.Dim{X: 256}
	d.launch("sum_squares_f32", driver.Dim{X: n}, block, 0, sums, m.addr, uint64(m.stride), uint64(m.cols), u32(pieces))
	d.launch("sum_f64", driver.Dim{X: 1}, block, 0, total, sums, u32(n))
	var sum [1]float64
	err := d.fetch(bytesOf(sum[:]), total)
	return sum[0], err
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
	d.begin(op)
	flat(&pm, &gm, &mm, &vm)
	args := []uint64{pm.addr, uint64(pm.stride), gm.addr, uint64(gm.stride), mm.addr, uint64(mm.stride), vm.addr, uint64(vm.stride)}
	for _, c := range [...]float64{
		step.GradScale,
		step.Beta1, 1 - step.Beta1,
		step.Beta2, 1 - step.Beta2,
		1 / (1 - math.Pow(step.Beta2, float64(step.T))),
		step.Eps,
		step.LR / (1 - math.Pow(step.Beta1, float64(step.T))),
		1 - step.LR*step.WeightDecay,
	} {
		args = append(args, f32(float32(c)))
	}
	d.overQuads("adamw_f32", pm.rows, pm.cols, args...)
}
