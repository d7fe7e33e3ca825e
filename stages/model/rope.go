package model

import (
	"fmt"
	"math"

	"openrs/stages/device"
)

// ropeTable returns the cosines and then the sines of the rotary angles of positions [0, n), headDim
// values a position: angle i is position · theta^(−2i/headDim) (Su et al., RoFormer). Angles are formed
// in float64, because a float32 angle of position 30,000 is off by a thousandth.
func ropeTable(n, headDim int, theta float64) []float32 {
	half := headDim / 2
	table := make([]float32, n*headDim)
	freq := make([]float64, half)
	for i := range freq {
		freq[i] = math.Pow(theta, -2*float64(i)/float64(headDim))
	}
	for p := range n {
		row := table[p*headDim : (p+1)*headDim]
		for i, f := range freq {
			sin, cos := math.Sincos(float64(p) * f)
			row[i], row[half+i] = float32(cos), float32(sin)
		}
	}
	return table
}

// rope is the table on the device, as long as the longest sequence so far.
type rope struct {
	table device.Tensor
}

// minRope is the number of positions of the first table.
const minRope = 2048

// reach makes the table cover all positions, up to limit.
func (r *rope) reach(dev device.Device, positions []int32, headDim int, theta float64, limit int) error {
	need := 0
	for i, p := range positions {
		if p < 0 || int(p) >= limit {
			return fmt.Errorf("%w: row %d is at position %d, the model has positions 0 to %d", ErrInput, i, p, limit-1)
		}
		need = max(need, int(p)+1)
	}
	if need <= r.table.Rows {
		return nil
	}
	n := min(limit, max(need, minRope, 2*r.table.Rows))
	buf, err := dev.Alloc(n * headDim)
	if err != nil {
		return fmt.Errorf("rotary table of %d positions: %w", n, err)
	}
	r.free(dev)
	r.table = device.View(buf, 0, n, headDim)
	dev.Upload(r.table, ropeTable(n, headDim, theta))
	return nil
}

func (r *rope) free(dev device.Device) {
	if !r.table.IsZero() {
		dev.Free(r.table.Buf)
	}
	r.table = device.Tensor{}
}
