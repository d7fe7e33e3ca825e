package model

import (
	"fmt"
	"math"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// ropeTable returns the cosines and then the sines of the rotary angles of positions [0, n), headDim
// values a position: angle i is position · frequency i, and both are multiplied by the scale of
// [rotary]. Angles are formed in float64, because a float32 angle of position 30,000 is off by a
// thousandth.
func ropeTable(n int, cfg checkpoint.Config) []float32 {
	freq, scale := rotary(cfg)
	half := len(freq)
	table := make([]float32, n*2*half)
	for p := range n {
		row := table[p*2*half : (p+1)*2*half]
		for i, f := range freq {
			sin, cos := math.Sincos(float64(p) * f)
			row[i], row[half+i] = float32(scale*cos), float32(scale*sin)
		}
	}
	return table
}

// rotary returns a model's rotary frequencies in radians a position, θ_i = theta^(−2i/headDim) (Su et
// al. 2021, RoFormer, equation 15), scaled as the configuration says, and what cosines and sines are
// multiplied by.
func rotary(cfg checkpoint.Config) (freq []float64, scale float64) {
	freq = make([]float64, cfg.HeadDim/2)
	for i := range freq {
		freq[i] = math.Pow(cfg.RopeTheta, -2*float64(i)/float64(cfg.HeadDim))
	}
	r := cfg.Rope
	switch r.Type {
	case "linear": // position interpolation (Chen et al. 2023)
		for i := range freq {
			freq[i] /= r.Factor
		}
	case "llama3":
		for i := range freq {
			freq[i] *= llama3Share(r, freq[i])
		}
	case "yarn":
		for i, share := range yarnShares(cfg) {
			freq[i] *= share/r.Factor + (1 - share)
		}
		return freq, r.Attention
	}
	return freq, 1
}

// llama3Share is what Llama 3.1 multiplies a frequency by: 1 for those that turn more than HighFreq
// times within the original length, 1/Factor for those that turn less than LowFreq times, and in between
// a mix that is linear in the number of turns. (Published as code with the model; transformers'
// rope_type "llama3".)
func llama3Share(r checkpoint.RopeScaling, freq float64) float64 {
	turns := float64(r.OriginalPositions) * freq / (2 * math.Pi)
	keep := min(max((turns-r.LowFreq)/(r.HighFreq-r.LowFreq), 0), 1)
	return (1-keep)/r.Factor + keep
}

// yarnShares is YaRN's mix for each frequency: 0 keeps it, 1 divides it by Factor. It is the ramp of
// Peng et al. 2023, section 3.2 (1 − γ there), taken linearly in the dimension between those
// that turn BetaFast and BetaSlow times within the original length, as the authors' code and
// transformers do.
func yarnShares(cfg checkpoint.Config) []float64 {
	r := cfg.Rope
	// dimension is the (real) index of the frequency that turns so many times within the original length.
	dimension := func(turns float64) float64 {
		return float64(cfg.HeadDim) * math.Log(float64(r.OriginalPositions)/(turns*2*math.Pi)) / (2 * math.Log(cfg.RopeTheta))
	}
	low, high := dimension(r.BetaFast), dimension(r.BetaSlow)
	if !r.Exact {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(cfg.HeadDim-1))
	if low == high {
		high += 0.001
	}
	shares := make([]float64, cfg.HeadDim/2)
	for i := range shares {
		shares[i] = min(max((float64(i)-low)/(high-low), 0), 1)
	}
	return shares
}

// rope is the table on the device, as long as the longest sequence so far.
type rope struct {
	table device.Tensor
}

// minRope is the number of positions of the first table.
const minRope = 2048

// reach makes the table cover all positions, up to limit.
func (r *rope) reach(dev device.Device, positions []int32, cfg checkpoint.Config, limit int) error {
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
	buf, err := dev.Alloc(n * cfg.HeadDim)
	if err != nil {
		return fmt.Errorf("rotary table of %d positions: %w", n, err)
	}
	r.free(dev)
	r.table = device.View(buf, 0, n, cfg.HeadDim)
	dev.Upload(r.table, ropeTable(n, cfg))
	return nil
}

func (r *rope) free(dev device.Device) {
	if !r.table.IsZero() {
		dev.Free(r.table.Buf)
	}
	r.table = device.Tensor{}
}
