// Package logprobs is `generate logprobs`: the log-probabilities that a model gives to token sequences,
// for comparing this engine with another one token by token.
package logprobs

import (
	"errors"

	"openrs/stages"
	"openrs/stages/device"
	"openrs/stages/model"
)

// Scorer gives log-probabilities under one model.
type Scorer struct {
	model *model.Model
	cache device.Cache // of one sequence, grown on demand
}

// New returns a scorer for m. Close frees its cache.
func New(m *model.Model) *Scorer { return &Scorer{model: m} }

// Line adds to a line with `ids`, a list of token ids, `logprobs`, the natural logarithms of the
// probabilities of ids[1:] given what precedes them, and `argmax`, the most probable token after each
// of ids.
func (s *Scorer) Line(line stages.Object) error {
	var ids []int32
	if err := line.Get("ids", "a list of token ids", &ids); err != nil {
		return err
	}
	if len(ids) == 0 {
		return errors.New("ids: expected at least one token")
	}
	logprobs, err := s.logprobs(ids)
	if err != nil {
		return err
	}
	argmax, err := s.argmax(ids)
	if err != nil {
		return err
	}
	if err := line.Set("logprobs", logprobs); err != nil {
		return err
	}
	return line.Set("argmax", argmax)
}

func (s *Scorer) logprobs(ids []int32) ([]float32, error) {
	if len(ids) == 1 {
		return []float32{}, nil
	}
	groups := []model.Group{{Prompt: ids[:1], Completions: [][]int32{ids[1:]}, Temperature: 1}}
	packed, err := model.Pack(groups, model.Whole(groups))
	if err != nil {
		return nil, err
	}
	logprobs, _, err := s.model.LogProbs(packed)
	return logprobs, err
}

// chunk is the number of rows whose logits are held at once.
const chunk = 256

// argmax returns the most probable token after each of ids.
func (s *Scorer) argmax(ids []int32) ([]int32, error) {
	out := make([]int32, len(ids))
	err := s.walk(ids, func(start int, logits device.Tensor) error {
		n := logits.Rows
		return s.model.Device().Sample(logits, make([]device.Sampling, n), out[start:start+n], make([]float32, n))
	})
	return out, err
}

// walk runs the sequence through the cache, a chunk at a time, and visits the logits after each of its
// tokens; start is the place of the first.
func (s *Scorer) walk(ids []int32, visit func(start int, logits device.Tensor) error) error {
	pages := (len(ids) + device.KeyBlock - 1) / device.KeyBlock
	if s.cache == nil || s.cache.Config().Pages < pages {
		s.Close()
		var err error
		if s.cache, err = s.model.NewCache(pages, device.KeyBlock); err != nil {
			return err
		}
	}
	all := make([]int32, pages)
	for i := range all {
		all[i] = int32(i)
	}
	for start := 0; start < len(ids); start += chunk {
		n := min(chunk, len(ids)-start)
		b := &model.Batch{IDs: ids[start : start+n], Seqs: []device.PagedSeq{{Len: n, Start: start, Pages: all}}}
		for i := range n {
			b.Positions = append(b.Positions, int32(start+i))
			b.Slots = append(b.Slots, int32(start+i)) // page p holds positions 32p to 32p+31
			b.LogitRows = append(b.LogitRows, int32(i))
		}
		logits, err := s.model.Infer(b, s.cache)
		if err != nil {
			return err
		}
		if err := visit(start, logits); err != nil {
			return err
		}
	}
	return nil
}

// Close frees the cache.
func (s *Scorer) Close() {
	if s.cache != nil {
		s.model.Device().FreeCache(s.cache)
		s.cache = nil
	}
}
