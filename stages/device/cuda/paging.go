//go:build cuda

package cuda

import (
	"fmt"
	"math/bits"
	"slices"

	"openrs/stages/device"
)

// pagedPlan is the work of one PagedAttention. All layers of a model ask for the same, so that the device keeps the last.
type pagedPlan struct {
	paging
	seqs  []device.PagedSeq // a copy
	given *device.PagedSeq  // the first of those that were copied
	clock int               // of the last Replay that asked for them

	pages    []int32 // of all sequences, one after another
	whole    []int32 // tiles that go through all their keys
	split    []int32 // tiles that do one chunk of keys
	partials int     // of the split tiles
	merges   []int32 // what to merge: Merge in kernels/attention.cu
}

// paging is what a plan depends on beside the sequences.
type paging struct {
	dtype       device.DType
	group, rows int
	pages, size int // of the cache
}

const mergeSize = 5 // words of 4 bytes

// planOf returns the plan for seqs. It panics if they do not fit the rows and the cache.
func (d *Device) planOf(op string, h heads, p paging, seqs []device.PagedSeq) *pagedPlan {
	if d.plan != nil && d.plan.paging == p && d.planFor(seqs) {
		return d.plan
	}
	plan := &pagedPlan{paging: p, seqs: slices.Clone(seqs)}
	var whole, full, last []queryTile
	for i, s := range seqs {
		if s.Row < 0 || s.Len < 0 || s.Start < 0 || s.Row+s.Len > p.rows || s.Len > 0 && len(s.Pages)*p.size < s.Start+s.Len {
			panic(fmt.Sprintf("device: %s: sequence %d is rows [%d, %d) of %d at position %d, with %d pages of %d", op, i, s.Row, s.Row+s.Len, p.rows, s.Start, len(s.Pages), p.size))
		}
		device.CheckIndices(op, "pages", s.Pages, len(s.Pages), p.pages)
		plan.seqs[i].Pages = slices.Clone(s.Pages)
		if s.Len == 0 {
			continue
		}
		like := queryTile{row: s.Row, pos: s.Start, prefix: paged, pages: len(plan.pages)}
		plan.pages = append(plan.pages, s.Pages[:(s.Start+s.Len+p.size-1)/p.size]...)
		if s.Len*h.group > splitRows {
			whole = h.appendTiles(whole, like, s.Len, h.rows())
			continue
		}
		for _, t := range h.appendTiles(nil, like, s.Len, h.rows()/4) {
			chunks := plan.splitTile(h, t)
			full, last = append(full, chunks[:len(chunks)-1]...), append(last, chunks[len(chunks)-1])
		}
	}
	split := append(full, last...)
	plan.whole, plan.split = tileWords(longestFirst(whole, h.group)), tileWords(split)
	// The numbers that grow with the contexts are rounded up, by work for no rows, so that launches stay the same for
	// some steps of decoding: see replay.go.
	plan.partials = roomy(plan.partials)
	plan.split = append(plan.split, make([]int32, roomy(len(split))*tileSize-len(plan.split))...)
	merges := len(plan.merges) / mergeSize
	plan.merges = append(plan.merges, make([]int32, (roomy(merges)-merges)*mergeSize)...)
	d.plan = plan
	d.noteGiven(seqs)
	return plan
}

// planFor reports whether the last plan was for such sequences.
func (d *Device) planFor(seqs []device.PagedSeq) bool {
	p := d.plan
	if len(seqs) > 0 && p.given == &seqs[0] && len(p.seqs) == len(seqs) && d.replay.now != nil && p.clock == d.replay.clock {
		return true // what f of Replay gives stays as it is
	}
	if !slices.EqualFunc(p.seqs, seqs, sameSeq) {
		return false
	}
	d.noteGiven(seqs)
	return true
}

func (d *Device) noteGiven(seqs []device.PagedSeq) {
	if d.plan.clock = d.replay.clock; len(seqs) > 0 {
		d.plan.given = &seqs[0]
	}
}

func sameSeq(a, b device.PagedSeq) bool {
	return a.Row == b.Row && a.Len == b.Len && a.Start == b.Start && slices.Equal(a.Pages, b.Pages)
}

// splitTile splits a tile by chunks of keys: few query rows, as in decoding, are spread over the GPU so. Only the last chunk
// may have fewer keys than the others.
func (p *pagedPlan) splitTile(h heads, t queryTile) []queryTile {
	chunks := (t.keys(h.group) + keyChunk - 1) / keyChunk
	if chunks == 1 {
		t.partial = -1
		return []queryTile{t}
	}
	split := make([]queryTile, 0, chunks)
	for _, n := range [mergeSize]int{t.row, t.first, t.rows, chunks, p.partials} {
		p.merges = append(p.merges, int32(n))
	}
	for t.chunk = range chunks {
		t.partial = p.partials
		p.partials++
		split = append(split, t)
	}
	return split
}

// roomy rounds n up to a multiple of 8 and of an eighth of the power of two that it reaches.
func roomy(n int) int {
	step := max(8, 1<<bits.Len(uint(n))/16)
	return (n + step - 1) / step * step
}
