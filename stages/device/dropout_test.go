package device

import (
	"math"
	"testing"
)

// TestDropoutDraw compares with SplitMix64's published values for the start 0: the draws of a row are its.
func TestDropoutDraw(t *testing.T) {
	for j, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := DropoutDraw(0, j); got != want {
			t.Errorf("draw %d is %#x, want %#x", j, got, want)
		}
	}
}

// TestDropoutShare counts what is dropped, by column within a draw, by row and by seed.
func TestDropoutShare(t *testing.T) {
	const rows, draws = 200, 500
	for _, rate := range []float32{0, 0.05, 0.5, 0.9} {
		for seed := range uint64(3) {
			d, dropped := NewDropout(rate, seed), [2]int{}
			for r := range int32(rows) {
				row := d.Row(r)
				for j := range draws {
					for half := range 2 {
						if uint32(DropoutDraw(row, j)>>(32*half)) < d.Threshold {
							dropped[half]++
						}
					}
				}
			}
			const n = rows * draws
			for half, got := range dropped {
				if off := math.Abs(float64(got)-float64(rate)*n) / math.Sqrt(n*float64(rate)*(1-float64(rate))+1); off > 4 {
					t.Errorf("rate %v, seed %d, half %d: %d of %d dropped", rate, seed, half, got, n)
				}
			}
		}
		if d := NewDropout(rate, 1); d.Row(0) == d.Row(1) || d.Row(1) == NewDropout(rate, 2).Row(1) {
			t.Error("rows or seeds share a mask")
		}
	}
}
