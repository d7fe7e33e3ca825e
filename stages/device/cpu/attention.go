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
	buf := t.floats(m * (2*dim + ld + 2))
	q, acc, scores := cut(&buf, m*dim), cut(&buf, m*dim), cut(&buf, m*ld)
	top, sum := cut(&buf, m), cut(&buf, m)
	for r := range x.rows {
		copy(q[r*h.group*dim:][:h.group*dim], x.q[r*x.qStride:])
	}
	d.set.Scale(q, h.Scale)
	clear(acc)

	last := x.pos + x.rows - 1
	first, blocks := 0, last/block+1 // the next block, and how many there are
	for _, run := range runs {
		for at := 0; at < run.blocks && first < blocks; {
			n := min(blocksAtOnce, run.blocks-at, blocks-first)
			row := max(0, first*block-x.pos) * h.group // the first that sees any of these
			d.set.Gemm(scores[row*ld:], ld, q[row*dim:], dim, run.k[at*h.kBlock:], m-row, n*block, dim, 0, n, nil, kernel.Store, t.gemm)
			for j := range n {
				start := (first + j) * block
				row := max(0, start-x.pos) * h.group
				for i := row; i < m; i++ {
					seen := min(block, x.pos+i/h.group-start+1)
					p := scores[i*ld+j*block:][:block]
					high := d.set.Max(p[:seen])
					switch {
					case start == 0:
						top[i], sum[i] = high, 0
					case high > top[i]:
						shrink := float32(math.Exp(float64(top[i] - high)))
						d.set.Scale(acc[i*dim:][:dim], shrink)
						top[i] = high
						sum[i] *= shrink
					}
					sum[i] += d.set.ExpSum(p[:seen], p[:seen], top[i])
					clear(p[seen:])
				}
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
		d.set.Scale(o, 1/sum[i])
		if x.lse != nil {
			x.lse[r*x.lse0+g] = float32(float64(top[i]) + math.Log(float64(sum[i])))
		}
	}
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
