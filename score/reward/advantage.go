package reward

import "openrs/stages/summary"

// Scales of advantages: what the distance from the group's mean is divided by.
const (
	ScaleGroup = "group" // the group's standard deviation + 1e-4 (GRPO)
	ScaleBatch = "batch" // that of all rewards of the message + 1e-4
	ScaleNone  = "none"  // nothing (Dr. GRPO)
)

// advantageEps keeps a tiny spread from blowing up advantages; TRL's value.
const advantageEps = 1e-4

// Advantages returns (r − mean of the group) / scale for each reward of each group, in nothing but
// float64. Standard deviations have n − 1 in the denominator; a single reward has none, and equal
// rewards have advantage exactly 0. With ScaleBatch the batch is what is passed. scale must be one
// of the constants.
func Advantages(groups [][]float64, scale string) [][]float64 {
	var batch summary.Moments
	for _, g := range groups {
		for _, r := range g {
			batch.Add(r)
		}
	}
	out := make([][]float64, len(groups))
	for i, g := range groups {
		out[i] = make([]float64, len(g))
		var own summary.Moments
		for _, r := range g {
			own.Add(r)
		}
		if own.Constant() {
			continue
		}
		divisor := 1.0
		switch scale {
		case ScaleGroup:
			divisor = own.Std() + advantageEps
		case ScaleBatch:
			divisor = batch.Std() + advantageEps
		}
		for j, r := range g {
			out[i][j] = (r - own.Mean) / divisor
		}
	}
	return out
}
