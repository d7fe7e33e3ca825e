package cpu

import (
	"fmt"
	"math"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

const (
	// queryTile is about how many rows (queries × heads that share keys and values) attention handles at
	// a time; blocksAtOnce is for how many key blocks it computes scores in one product. Neither changes
	// a bit.
	queryTile    = 48
	blocksAtOnce = 8
)

// keyRun is a number of key blocks that lie next to each other, packed for products: k holds
// [headDim][32] a block, the keys as columns; v holds [panels of headDim][32 keys][32] a block.
type keyRun struct {
	k, v   []float32
	blocks int
}

// heads is an attention shape with what follows from it.
type heads struct {
	device.AttentionShape
	group  int // query heads a key-value head
	dim    int // HeadDim
	panels int // panels of HeadDim columns
	kBlock int // values of a key block
	vBlock int // values of a value block
}

func headsOf(op string, s device.AttentionShape) heads {
	if s.HeadDim <= 0 || s.KVHeads <= 0 || s.Heads <= 0 || s.Heads%s.KVHeads != 0 {
		panic(fmt.Sprintf("device: %s: %d query heads over %d key-value heads of %d", op, s.Heads, s.KVHeads, s.HeadDim))
	}
	h := heads{AttentionShape: s, group: s.Heads / s.KVHeads, dim: s.HeadDim, panels: panels(s.HeadDim)}
	h.kBlock, h.vBlock = blockSizes(s.HeadDim)
	return h
}

// blockSizes returns how many values the keys and the values of one head take in a block.
func blockSizes(headDim int) (k, v int) {
	return headDim * device.KeyBlock, padded(headDim) * device.KeyBlock
}

// tileRows is how many queries make a tile.
func (h heads) tileRows() int { return max(1, queryTile/h.group) }

// packKeys packs n ≤ 32 rows of keys, with stride ld, as one block.
func (d *Device) packKeys(h heads, dst, src []float32, ld, n int) {
	d.set.PackTransposed(dst[:h.kBlock], src, ld, n, h.dim)
}

// packValues packs n ≤ 32 rows of values as one block.
func (d *Device) packValues(h heads, dst, src []float32, ld, n int) {
	for p := range h.panels {
		col := p * kernel.Panel
		d.set.Pack(dst[p*kernel.Panel*device.KeyBlock:], src[col:], ld, n, min(kernel.Panel, h.dim-col))
	}
}

// queries is a tile of consecutive queries of one sequence and the heads that share a key-value head:
// q, out and lse start at the first query and the first of the heads. lse may be nil.
type queries struct {
	q, out, lse            []float32
	qStride, oStride, lse0 int // lse0 is the stride of lse
	rows                   int
	pos                    int // key position of the first query
}

// attend is the one inner routine of Attention and PagedAttention. It takes a tile of queries through
// the key blocks of its sequence in order (Dao and others, FlashAttention, algorithm 1):
//
//	s = q·scale·Kᵀ;  m' = max(m, max s);  p = exp(s − m');  l = l·exp(m − m') + Σp
//	o = o·exp(m − m') + p·V
//
// and at the end out = o/l, lse = m + log l. A query's part of a block ends at its own position: what is
// behind it does not take part in max and sum, and its p is zero. In the last block of the tile, the
// product with V ends at the last query's position, so nothing is read that has not been written. Rows
// do not mix, so that a query's result does not depend on the tile.
func (d *Device) attend(t *worker, h heads, x queries, runs []keyRun) {
	const block = device.KeyBlock
	m, dim, ld := x.rows*h.group, h.dim, blocksAtOnce*block
	buf := t.floats(m * (2*dim + ld + 4))
	q, acc, scores := cut(&buf, m*dim), cut(&buf, m*dim), cut(&buf, m*ld)
	s := softmaxRows{top: cut(&buf, m), was: cut(&buf, m), sum: cut(&buf, m), part: cut(&buf, m)}
	for r := range x.rows {
		copy(q[r*h.group*dim:][:h.group*dim], x.q[r*x.qStride:])
	}
	d.set.Scale(q, h.Scale)
	clear(acc)
	s.start()

	last := x.pos + x.rows - 1
	first, blocks := 0, last/block+1 // the next block, and how many there are
	atOnce, stream := blocksAtOnce, keyStream{runs: runs, left: blocks}
	if x.rows == 1 {
		// Few rows: to read the keys and values takes as long as to multiply with them. Take one block after the
		// other, and ask for the one that follows meanwhile.
		atOnce = 1
		k, v := stream.next(h)
		kernel.Prefetch(k)
		kernel.Prefetch(v)
	}
	for _, run := range runs {
		for at := 0; at < run.blocks && first < blocks; {
			n := min(atOnce, run.blocks-at, blocks-first)
			row := max(0, first*block-x.pos) * h.group // the first that sees any of these
			var nextV []float32
			if x.rows == 1 {
				var nextK []float32
				nextK, nextV = stream.next(h)
				t.gemm.Expect(nextK)
			}
			d.set.Gemm(scores[row*ld:], ld, q[row*dim:], dim, run.k[at*h.kBlock:], m-row, n*block, dim, 0, n, nil, kernel.Store, t.gemm)
			for j := range n {
				start := (first + j) * block
				row := max(0, start-x.pos) * h.group
				for i := row; i < m; {
					// Rows that see the same part of the block go together: all, or those of a query.
					seen, to := min(block, x.pos+i/h.group-start+1), m
					if seen < block {
						to = i + h.group
					}
					s.block(d, scores[i*ld+j*block:], ld, i, to, seen, acc, dim)
					i = to
				}
				t.gemm.Expect(nextV)
				d.addValues(t, h, acc[row*dim:], scores[row*ld+j*block:], ld, run.v[(at+j)*h.vBlock:], m-row, min(block, last-start+1))
			}
			at += n
			first += n
		}
	}
	if first < blocks {
		panic(fmt.Sprintf("device: attention: %d key blocks for position %d", first, last))
	}
	for i := range m {
		r, g := i/h.group, i%h.group
		o := x.out[r*x.oStride+g*dim:][:dim]
		copy(o, acc[i*dim:])
		d.set.Scale(o, 1/s.sum[i])
		if x.lse != nil {
			x.lse[r*x.lse0+g] = float32(float64(s.top[i]) + math.Log(float64(s.sum[i])))
		}
	}
}

// softmaxRows is the running maximum and sum of the rows of a tile.
type softmaxRows struct {
	top, sum  []float32
	was, part []float32 // the maximum before a block, and the block's sums
}

func (s *softmaxRows) start() {
	for i := range s.top {
		s.top[i], s.sum[i] = float32(math.Inf(-1)), 0
	}
}

// block takes rows [from, to) through a block of scores p with stride ld, of which they see the first seen:
// the scores become p, and what acc holds shrinks with a new maximum.
func (s *softmaxRows) block(d *Device, p []float32, ld, from, to, seen int, acc []float32, dim int) {
	copy(s.was[from:to], s.top[from:to])
	d.set.SoftmaxBlock(p, ld, to-from, seen, s.top[from:to], s.part[from:to])
	for i := from; i < to; i++ {
		if s.top[i] != s.was[i] && s.sum[i] != 0 {
			shrink := float32(math.Exp(float64(s.was[i] - s.top[i])))
			d.set.Scale(acc[i*dim:][:dim], shrink)
			s.sum[i] = float32(s.sum[i] * shrink)
		}
		s.sum[i] += s.part[i]
	}
}

// keyStream goes through the blocks of runs, ahead of those who use them.
type keyStream struct {
	runs []keyRun
	at   int // the next block of the first run
	left int // blocks of all runs
}

// next returns the keys and values of the next block, or nothing after the last.
func (s *keyStream) next(h heads) (k, v []float32) {
	for len(s.runs) > 0 && s.at == s.runs[0].blocks {
		s.runs, s.at = s.runs[1:], 0
	}
	if s.left == 0 || len(s.runs) == 0 {
		return nil, nil
	}
	k, v = s.runs[0].k[s.at*h.kBlock:][:h.kBlock], s.runs[0].v[s.at*h.vBlock:][:h.vBlock]
	s.at++
	s.left--
	return k, v
}

// addValues adds p·V to acc for the first keys of a block of values.
func (d *Device) addValues(t *worker, h heads, acc, p []float32, ld int, v []float32, rows, keys int) {
	if keys == device.KeyBlock {
		d.set.Gemm(acc, h.dim, p, ld, v, rows, h.dim, keys, 0, h.panels, nil, kernel.Add, t.gemm)
		return
	}
	for i := range h.panels {
		col := i * kernel.Panel
		d.set.Gemm(acc[col:], h.dim, p, ld, v[i*kernel.Panel*device.KeyBlock:], rows, min(kernel.Panel, h.dim-col), keys, 0, 1, nil, kernel.Add, t.gemm)
	}
}
