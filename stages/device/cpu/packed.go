package cpu

import (
	"fmt"

	"openrs/stages/device"
)

// span is a segment of a packed batch with the place of its packed keys and values. The keys of a
// segment are blocks counted from the start of its prefix. The first shared of them are full blocks of
// the prefix and lie with the root, the segment that is the prefix; the others are the segment's own,
// and the first of those may start with rows of the prefix.
type span struct {
	device.Segment
	root   int // the segment whose first blocks are shared, or −1
	shared int // blocks
	own    int // blocks
	at     int // index of the first own block
}

// keyRow returns the row of the key at a position.
func (s span) keyRow(pos int) int {
	if pos < s.PrefixLen {
		return s.PrefixRow + pos
	}
	return s.Row + pos - s.PrefixLen
}

// spansOf checks segments of a batch of rows and lays out their blocks. It returns the number of blocks.
func (d *Device) spansOf(op string, segs []device.Segment, rows int) ([]span, int) {
	spans, total := grow(&d.shared.spans, len(segs)), 0
	for i, s := range segs {
		if s.Row < 0 || s.Len < 0 || s.Row+s.Len > rows || s.PrefixLen < 0 ||
			s.PrefixLen > 0 && (s.PrefixRow < 0 || s.PrefixRow+s.PrefixLen > rows) {
			panic(fmt.Sprintf("device: %s: segment %d is %+v in %d rows", op, i, s, rows))
		}
		x := span{Segment: s, root: rootOf(spans[:i], s), at: total}
		if x.root >= 0 {
			x.shared = s.PrefixLen / device.KeyBlock
		}
		x.own = blocksOf(s.PrefixLen+s.Len) - x.shared
		if s.Len == 0 {
			x.own = 0
		}
		total += x.own
		spans[i] = x
	}
	return spans, total
}

// blocksOf is the number of key blocks of n positions.
func blocksOf(n int) int { return (n + device.KeyBlock - 1) / device.KeyBlock }

// rootOf returns the earlier segment that starts where the prefix of s does and holds all of it, or −1.
// Segments that share a prefix usually follow each other, so the one before is asked first.
func rootOf(before []span, s device.Segment) int {
	if s.PrefixLen == 0 || len(before) == 0 {
		return -1
	}
	fits := func(r int) bool {
		b := before[r]
		return b.PrefixLen == 0 && b.Row == s.PrefixRow && b.Len >= s.PrefixLen
	}
	if r := before[len(before)-1].root; r >= 0 && fits(r) {
		return r
	}
	for r := len(before) - 1; r >= 0; r-- {
		if fits(r) {
			return r
		}
	}
	return -1
}

// packBlocks packs own blocks [lo, hi), counted over all segments, of the key-value head that starts at
// column col. k and v are the head's places for all blocks.
func (d *Device) packBlocks(t *worker, h heads, spans []span, km, vm matrix, col int, k, v []float32, lo, hi int) {
	const block = device.KeyBlock
	for _, s := range spans {
		if s.at+s.own <= lo || s.at >= hi {
			continue
		}
		for b := max(lo, s.at); b < min(hi, s.at+s.own); b++ {
			pos := (b - s.at + s.shared) * block
			n := min(block, s.PrefixLen+s.Len-pos)
			kDst, vDst := k[b*h.kBlock:], v[b*h.vBlock:]
			if pos >= s.PrefixLen || pos+n <= s.PrefixLen {
				row := s.keyRow(pos)
				d.packKeys(h, kDst, km.from(row, col), km.stride, n)
				d.packValues(h, vDst, vm.from(row, col), vm.stride, n)
				continue
			}
			// The block in which the prefix ends: bring its rows together.
			buf := t.floats(2 * n * h.dim)
			ks, vs := cut(&buf, n*h.dim), cut(&buf, n*h.dim)
			for i := range n {
				row := s.keyRow(pos + i)
				copy(ks[i*h.dim:][:h.dim], km.from(row, col))
				copy(vs[i*h.dim:][:h.dim], vm.from(row, col))
			}
			d.packKeys(h, kDst, ks, h.dim, n)
			d.packValues(h, vDst, vs, h.dim, n)
		}
	}
}

// Attention implements [device.Forward].
func (d *Device) Attention(out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "Attention"
	h := headsOf(op, shape)
	om, qm, km, vm := d.view(op, "out", out), d.view(op, "q", q), d.view(op, "k", k), d.view(op, "v", v)
	if qm.cols != h.Heads*h.dim || om.cols != qm.cols || om.rows != qm.rows ||
		km.cols != h.KVHeads*h.dim || vm.cols != km.cols || km.rows != qm.rows || vm.rows != qm.rows {
		device.Mismatch(op, "out", out, "q", q, "k", k, "v", v, "shape", fmt.Sprintf("%+v", shape))
	}
	var lm matrix
	if !lse.IsZero() {
		if lm = d.view(op, "lse", lse); lm.rows != qm.rows || lm.cols != h.Heads {
			device.Mismatch(op, "lse", lse, "q", q, "shape", fmt.Sprintf("%+v", shape))
		}
	}
	spans, blocks := d.spansOf(op, segs, qm.rows)
	tiles, cost := d.shared.tiles[:0], 0.0
	for i, s := range spans {
		tiles = h.appendTiles(tiles, i, s.Len)
		cost += h.cost(s.Len, s.PrefixLen+s.Len)
	}
	d.shared.tiles = tiles
	if len(tiles) == 0 {
		return
	}
	kp, vp := grow(&d.shared.a, h.KVHeads*blocks*h.kBlock), grow(&d.shared.b, h.KVHeads*blocks*h.vBlock)
	headBlocks := func(kv int) (k, v []float32) {
		return kp[kv*blocks*h.kBlock:][:blocks*h.kBlock], vp[kv*blocks*h.vBlock:][:blocks*h.vBlock]
	}
	d.split(h.KVHeads*blocks, 1, float64(2*h.kBlock)*copyCost*3, func(t *worker, lo, hi int) {
		for kv := lo / blocks; kv*blocks < hi; kv++ {
			k, v := headBlocks(kv)
			d.packBlocks(t, h, spans, km, vm, kv*h.dim, k, v, max(0, lo-kv*blocks), min(blocks, hi-kv*blocks))
		}
	})
	d.split(len(tiles)*h.KVHeads, 1, cost/float64(len(tiles)), func(t *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			tile, kv := tiles[i/h.KVHeads], i%h.KVHeads
			s := spans[tile.seq]
			k, v := headBlocks(kv)
			t.runs = t.runs[:0]
			if s.shared > 0 {
				at := spans[s.root].at
				t.runs = append(t.runs, keyRun{k: k[at*h.kBlock:], v: v[at*h.vBlock:], blocks: s.shared})
			}
			t.runs = append(t.runs, keyRun{k: k[s.at*h.kBlock:], v: v[s.at*h.vBlock:], blocks: s.own})
			row, col := s.Row+tile.row, kv*h.group*h.dim
			x := queries{
				q: qm.from(row, col), qStride: qm.stride,
				out: om.from(row, col), oStride: om.stride,
				rows: tile.rows, pos: s.PrefixLen + tile.row,
			}
			if !lse.IsZero() {
				x.lse, x.lse0 = lm.from(row, kv*h.group), lm.stride
			}
			d.attend(t, h, x, t.runs)
		}
	})
}
