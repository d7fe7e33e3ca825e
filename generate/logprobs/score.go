package logprobs

import (
	"openrs/generate/engine"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
)

// Score returns the log-probability of each of ids[1:] given what precedes it, in nats, and, with n > 0,
// the n most probable tokens in its place.
func (s *Scorer) Score(ids []int32, n int) (logprobs []float32, top [][]engine.Ranked, err error) {
	if logprobs, err = s.logprobs(ids); err != nil || n == 0 {
		return logprobs, nil, err
	}
	row := make([]float32, s.model.Config().Vocab)
	err = s.walk(ids[:len(ids)-1], func(_ int, logits device.Tensor) error {
		for i := range logits.Rows {
			if err := s.model.Device().Download(row, logits.RowRange(i, i+1)); err != nil {
				return err
			}
			top = append(top, engine.Rank(row, 1, n))
		}
		return nil
	})
	return logprobs, top, err
}

// Plan estimates the memory that scoring a text of n tokens takes beside the weights.
func Plan(cfg checkpoint.Config, dtype device.DType, n int) model.Memory {
	return model.Plan(cfg, model.Options{DType: dtype}, model.Workload{
		Rows: n, Predictions: n, LogitRows: min(n, chunk),
		Pages: (n + device.KeyBlock - 1) / device.KeyBlock, PerPage: device.KeyBlock,
	})
}
