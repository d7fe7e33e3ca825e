package model

import (
	"fmt"
	"slices"

	"openrs/stages/device"
)

// Batch is one call of [Model.Infer]: new tokens of several sequences, one row a token. A row of a
// sequence at position p has Positions p, and Slots the cache slot of that position, Pages[p / page
// size] · page size + p mod page size.
type Batch struct {
	IDs, Positions, Slots []int32
	// Seqs say which rows belong to which sequence and where its keys and values lie.
	Seqs []device.PagedSeq
	// LogitRows are the rows whose logits are wanted.
	LogitRows []int32
}

// check returns an error that names the first entry that does not fit.
func (b *Batch) check(vocab int, c device.CacheConfig) error {
	n := len(b.IDs)
	if len(b.Positions) != n || len(b.Slots) != n {
		return fmt.Errorf("%w: %d positions and %d slots for %d rows", ErrInput, len(b.Positions), len(b.Slots), n)
	}
	if err := checkRange("token id of row", b.IDs, vocab); err != nil {
		return err
	}
	if err := checkRange("logit row", b.LogitRows, n); err != nil {
		return err
	}
	next := 0
	for i, s := range b.Seqs {
		if s.Row != next || s.Len < 0 || s.Row+s.Len > n || s.Start < 0 {
			return fmt.Errorf("%w: sequence %d has rows [%d, %d) from position %d, expected rows from %d of %d", ErrInput, i, s.Row, s.Row+s.Len, s.Start, next, n)
		}
		next += s.Len
		if have := len(s.Pages) * c.PageSize; have < s.Start+s.Len {
			return fmt.Errorf("%w: sequence %d has room for %d tokens in its %d pages, needs %d", ErrInput, i, have, len(s.Pages), s.Start+s.Len)
		}
		if err := checkRange(fmt.Sprintf("sequence %d: page", i), s.Pages, c.Pages); err != nil {
			return err
		}
		for j := range s.Len {
			r, p := s.Row+j, s.Start+j
			slot := s.Pages[p/c.PageSize]*int32(c.PageSize) + int32(p%c.PageSize)
			if b.Positions[r] != int32(p) || b.Slots[r] != slot {
				return fmt.Errorf("%w: row %d of sequence %d is position %d in slot %d, found position %d in slot %d", ErrInput, r, i, p, slot, b.Positions[r], b.Slots[r])
			}
		}
	}
	if next != n {
		return fmt.Errorf("%w: sequences have %d rows, the batch %d", ErrInput, next, n)
	}
	return nil
}

// Infer computes the rows of b, writes their keys and values to the cache and returns the logits of
// LogitRows, len(LogitRows) × vocabulary, valid until the next call of any method of the model. Tokens
// before a sequence's Start must be in the cache.
func (m *Model) Infer(b *Batch, c device.Cache) (device.Tensor, error) {
	var none device.Tensor
	if err := b.check(m.cfg.Vocab, c.Config()); err != nil {
		return none, err
	}
	if err := m.rope.reach(m.dev, b.Positions, m.cfg, m.opt.MaxPositions); err != nil {
		return none, err
	}
	n := len(b.LogitRows)
	x := m.work.take("x", len(b.IDs), m.cfg.Hidden)
	a := m.scratchActs(x)
	m.reserve(x.Rows, false, false)
	last := m.work.take("last", n, m.cfg.Hidden)
	logits := m.work.take("logits", n, m.cfg.Vocab)
	if err := m.work.failed(); err != nil {
		return none, err
	}
	compute := func() { m.infer(b, c, a, last, logits) }
	if r, ok := m.dev.(device.Recorder); ok && b.decodes() {
		r.Replay(fmt.Sprintf("decoding %d sequences", n), compute)
	} else {
		compute()
	}
	return logits, nil
}

// decodes reports whether b is a step of decoding: every sequence gets one token and predicts the next.
func (b *Batch) decodes() bool {
	return len(b.LogitRows) == len(b.IDs) && !slices.ContainsFunc(b.Seqs, func(s device.PagedSeq) bool { return s.Len != 1 })
}

// infer computes b, given room for its activations and results.
func (m *Model) infer(b *Batch, c device.Cache, a acts, last, logits device.Tensor) {
	x, shape := a.x, m.attentionShape()
	m.dev.Embed(x, m.embed, b.IDs)
	for i := range m.layers {
		m.block(&m.layers[i], a, b.Positions, func(a acts) {
			m.dev.CacheWrite(c, i, a.k, a.v, b.Slots)
			m.dev.PagedAttention(a.attn, a.q, c, i, shape, b.Seqs)
		})
	}
	if last.Rows > 0 {
		m.dev.GatherRows(last, x, b.LogitRows)
		m.dev.RMSNorm(last, last, m.norm, m.eps())
		m.dev.MatMul(logits, last, m.head, device.Tensor{})
	}
}
