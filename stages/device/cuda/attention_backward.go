//go:build cuda

package cuda

import (
	"cmp"
	"fmt"
	"slices"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// gradRows is how many rows of its own (query rows or keys) a block of the backward kernels has, how many threads, and how much
// shared memory.
func (h heads) gradRows() (rows, threads, shared int) {
	const others = device.KeyBlock
	if h.dtype == device.BF16 {
		return 128, 256, 2 * h.width * (2*128 + 4*others)
	}
	return 32, 128, 4 * (2*32*h.width + 2*others*(h.width+4))
}

// AttentionBackward implements [device.Backward]. dk and dv of the rows of a shared prefix are the sum of what the prefix's own
// segment has for them and the shares of the segments that follow it, in order of segments; see
// kernels/attention_backward.h.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "AttentionBackward"
	h := d.headsOf(op, shape)
	var (
		dqm, dkm, dvm  = d.view(op, "dq", dq), d.view(op, "dk", dk), d.view(op, "dv", dv)
		doutm, om, lm  = d.view(op, "dout", dout), d.view(op, "out", out), d.view(op, "lse", lse)
		qm, km, vm     = d.view(op, "q", q), d.view(op, "k", k), d.view(op, "v", v)
		wide, narrow   = h.Heads * h.HeadDim, h.KVHeads * h.HeadDim
		rows           = qm.rows
		own, nt, bytes = h.gradRows()
	)
	for _, m := range [...]struct {
		matrix
		want int
	}{{qm, wide}, {dqm, wide}, {doutm, wide}, {om, wide}, {km, narrow}, {vm, narrow}, {dkm, narrow}, {dvm, narrow}, {lm, h.Heads}} {
		if m.rows != rows || m.cols != m.want {
			device.Mismatch(op, "dq", dq, "dk", dk, "dv", dv, "dout", dout, "out", out, "lse", lse, "q", q, "k", k, "v", v, "shape", fmt.Sprintf("%+v", shape))
		}
	}
	h.checkRows(op, rows)
	checkSegments(op, segs, rows)
	d.begin(op)
	tiles := h.segmentTiles(segs, own)
	if len(tiles) == 0 {
		return
	}
	plan := h.planKeys(segs, own)
	shares := 4 * plan.rows * narrow
	dkShares, dvShares := d.scratch(shares), d.scratch(shares)

	stats := d.scratch(8 * rows * h.Heads)
	statsGrid := driver.Dim{X: rows, Y: (h.Heads + 7) / 8}
	common := []uint64{doutm.addr, uint64(doutm.stride), om.addr, uint64(om.stride), lm.addr, uint64(lm.stride)}
	kv := d.keyValues(h, km, vm)
	var given []uint64 // how the kernels of the data type find dout, q, stats, k and v
	if h.dtype == device.BF16 {
		packed := 2 * rows * h.Heads * h.width
		qTo, doutTo := d.scratch(packed), d.scratch(packed)
		d.launch("attention_stats_bf16", statsGrid, driver.Dim{X: 256}, 0, slices.Concat([]uint64{stats, qTo, doutTo}, common,
			[]uint64{qm.addr, uint64(qm.stride), u32(h.Heads), u32(h.group), u32(h.HeadDim), u32(h.width)})...)
		given = []uint64{doutTo, qTo, stats, uint64(rows), kv.k, kv.v}
	} else {
		d.launch("attention_stats_f32", statsGrid, driver.Dim{X: 256}, 0,
			slices.Concat([]uint64{stats}, common, []uint64{u32(h.Heads), u32(h.group), u32(h.HeadDim)})...)
		given = []uint64{doutm.addr, uint64(doutm.stride), stats, uint64(rows), qm.addr, uint64(qm.stride), kv.k, kv.kStride, kv.v, kv.vStride}
	}
	sizes := []uint64{u32(h.group), u32(h.HeadDim), f32(h.base2), f32(h.Scale)}
	d.launch(h.kernel("attention_dq"), driver.Dim{X: len(tiles), Y: h.KVHeads}, driver.Dim{X: nt}, bytes,
		slices.Concat([]uint64{dqm.addr, uint64(dqm.stride)}, given, []uint64{d.ints(tileWords(longestFirst(tiles, h.group)))}, sizes)...)
	d.launch(h.kernel("attention_dkdv"), driver.Dim{X: len(plan.tiles), Y: h.KVHeads}, driver.Dim{X: nt}, bytes,
		slices.Concat([]uint64{dkm.addr, uint64(dkm.stride), dvm.addr, uint64(dvm.stride), dkShares, dvShares}, given, []uint64{d.ints(plan.words(h.group))}, sizes)...)
	if len(plan.shares) == 0 {
		return
	}
	sharings, list := plan.sharings()
	d.launch("attention_add_shares", driver.Dim{X: len(sharings) / sharingWords, Y: 2}, driver.Dim{X: 256}, 0,
		dkm.addr, uint64(dkm.stride), dvm.addr, uint64(dvm.stride), dkShares, dvShares, d.ints(sharings), d.ints(list), u32(narrow))
}

// keyTile is consecutive keys and a segment whose queries see them; see KeyTile in kernels/attention_backward.h.
type keyTile struct {
	row, rows, pos    int
	key, keys, keyPos int
	share             int
}

// prefixShare is the gradients that a segment has for the rows of its prefix: row at of the shares is for row row.
type prefixShare struct{ row, rows, at int }

// keyPlan is the work on dk and dv of one call.
type keyPlan struct {
	tiles  []keyTile
	shares []prefixShare
	rows   int // of all shares
}

// planKeys cuts the keys of each segment, and those of its prefix, into tiles of at most size.
func (h heads) planKeys(segs []device.Segment, size int) keyPlan {
	var p keyPlan
	for _, s := range segs {
		if s.Len == 0 {
			continue
		}
		like := keyTile{row: s.Row, rows: s.Len * h.group, pos: s.PrefixLen}
		for i := 0; i < s.PrefixLen; i += size {
			t := like
			t.key, t.keys, t.keyPos, t.share = s.PrefixRow+i, min(size, s.PrefixLen-i), i, p.rows+i
			p.tiles = append(p.tiles, t)
		}
		if s.PrefixLen > 0 {
			p.shares = append(p.shares, prefixShare{s.PrefixRow, s.PrefixLen, p.rows})
			p.rows += s.PrefixLen
		}
		for i := 0; i < s.Len; i += size {
			t := like
			t.key, t.keys, t.keyPos, t.share = s.Row+i, min(size, s.Len-i), s.PrefixLen+i, -1
			p.tiles = append(p.tiles, t)
		}
	}
	return p
}

// words are the tiles as the kernels read them, those with most query rows first.
func (p *keyPlan) words(group int) []int32 {
	work := func(t keyTile) int { return t.rows - max(0, t.keyPos-t.pos)*group }
	slices.SortStableFunc(p.tiles, func(a, b keyTile) int { return cmp.Compare(work(b), work(a)) })
	w := make([]int32, 0, 8*len(p.tiles))
	for _, t := range p.tiles {
		for _, n := range [...]int{t.row, t.rows, t.pos, t.key, t.keys, t.keyPos, t.share, 0} {
			w = append(w, int32(n))
		}
	}
	return w
}

const sharingWords = 4

// sharings lists the shares as attention_add_shares reads them (Sharing and Share in kernels/attention_backward.cu): those of
// prefixes that overlap together, in order of segments, and for each eight rows of theirs where the list begins and ends.
func (p *keyPlan) sharings() (sharings, list []int32) {
	const step = 8
	byRow := make([]int, len(p.shares))
	for i := range byRow {
		byRow[i] = i
	}
	slices.SortStableFunc(byRow, func(a, b int) int { return cmp.Compare(p.shares[a].row, p.shares[b].row) })
	for len(byRow) > 0 {
		row, n := p.shares[byRow[0]].row, 0
		end := row
		for ; n < len(byRow) && (n == 0 || p.shares[byRow[n]].row < end); n++ {
			s := p.shares[byRow[n]]
			end = max(end, s.row+s.rows)
		}
		first := len(list) / 3
		for _, i := range slices.Sorted(slices.Values(byRow[:n])) {
			s := p.shares[i]
			list = append(list, int32(s.row), int32(s.rows), int32(s.at))
		}
		for r := row; r < end; r += step {
			sharings = append(sharings, int32(r), int32(min(step, end-r)), int32(first), int32(n))
		}
		byRow = byRow[n:]
	}
	return sharings, list
}
