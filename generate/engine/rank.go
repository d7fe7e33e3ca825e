package engine

import (
	"fmt"
	"math"
	"slices"

	"openrs/stages/device"
)

// Ranked is a token that could have come, with its log-probability in nats under softmax(logits /
// temperature), worked out in float64; that of a sampled token may differ from what the device
// reports in the last bits.
type Ranked struct {
	ID      int32
	LogProb float32
}

// rank returns the most probable tokens of every row of logits whose request asks for some; nil when
// none does.
func (e *Engine) rank(logits device.Tensor) ([][]Ranked, error) {
	var all [][]Ranked
	var row []float32
	for i, q := range e.step.owners {
		if q.req.TopLogProbs == 0 {
			continue
		}
		if all == nil {
			all = make([][]Ranked, len(e.step.owners))
			row = make([]float32, logits.Cols)
		}
		if err := e.model.Device().Download(row, logits.RowRange(i, i+1)); err != nil {
			return nil, fmt.Errorf("engine: logits of a token: %w", err)
		}
		all[i] = Rank(row, q.req.Temperature, q.req.TopLogProbs)
	}
	return all, nil
}

// Rank returns the n most probable tokens of a row of logits at a temperature (0 counts as 1), the most
// probable first, the lower id first of equals.
func Rank(logits []float32, temperature float32, n int) []Ranked {
	if temperature == 0 {
		temperature = 1
	}
	top := make([]Ranked, 0, n+1) // LogProb is the logit until the end
	most := math.Inf(-1)
	for id, z := range logits {
		most = max(most, float64(z))
		if len(top) == n && (n == 0 || z <= top[n-1].LogProb) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, z, func(r Ranked, z float32) int {
			if r.LogProb >= z {
				return -1
			}
			return 1
		})
		top = slices.Insert(top, at, Ranked{ID: int32(id), LogProb: z})
		top = top[:min(len(top), n)]
	}
	t, sum := float64(temperature), 0.0
	for _, z := range logits {
		sum += math.Exp((float64(z) - most) / t)
	}
	for i := range top {
		top[i].LogProb = float32((float64(top[i].LogProb)-most)/t - math.Log(sum))
	}
	return top
}
