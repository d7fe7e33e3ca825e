package model

import (
	"testing"

	"openrs/stages/device"
)

// runner advances one sequence through the cache.
type runner struct {
	t     *testing.T
	m     *Model
	cache device.Cache
	pages []int32
	at    int
}

const testPage = 64

// newRunner starts an empty sequence with room for the given number of tokens, its pages in reverse order.
func newRunner(t *testing.T, m *Model, tokens int) *runner {
	t.Helper()
	pages := (tokens + testPage - 1) / testPage
	c, err := m.NewCache(pages, testPage)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Device().FreeCache(c) })
	r := &runner{t: t, m: m, cache: c}
	for i := range pages {
		r.pages = append(r.pages, int32(pages-1-i))
	}
	return r
}

// step appends ids and returns the logits of some of their rows.
func (r *runner) step(ids, rows []int32) device.Tensor {
	r.t.Helper()
	b := &Batch{IDs: ids, LogitRows: rows}
	addSequence(b, len(ids), r.at, r.pages)
	r.at += len(ids)
	logits, err := r.m.Infer(b, r.cache)
	if err != nil {
		r.t.Fatal(err)
	}
	return logits
}

// logits appends ids in one call and returns all their logits.
func (r *runner) logits(ids []int32) []float32 {
	r.t.Helper()
	rows := make([]int32, len(ids))
	for i := range rows {
		rows[i] = int32(i)
	}
	return download(r.t, r.m, r.step(ids, rows))
}

// addSequence appends positions, slots and the sequence of n rows that are in b.IDs already.
func addSequence(b *Batch, n, start int, pages []int32) {
	b.Seqs = append(b.Seqs, device.PagedSeq{Row: len(b.Positions), Len: n, Start: start, Pages: pages})
	for i := range n {
		p := start + i
		b.Positions = append(b.Positions, int32(p))
		b.Slots = append(b.Slots, pages[p/testPage]*testPage+int32(p%testPage))
	}
}
