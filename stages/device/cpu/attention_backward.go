package cpu

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

const (
	// gradTile is about how many rows (queries × heads of a group) the backward pass handles at a time,
	// gradKeys how many keys.
	gradTile = 96
	gradKeys = 4 * device.KeyBlock

	// A segment of more than partWork pairs of a query and a key is cut into parts of about that many, but
	// at most maxParts, so that one long sequence occupies many threads. A device starts with partWork;
	// tests set it to less.
	partWork = 1 << 17
	maxParts = 16
)

// keyRows is consecutive rows of keys and values, packed for the backward pass. For one key-value head
// they take size values from at on: K and V as right sides of q·Kᵀ and dout·Vᵀ ([headDim][32] a block
// of keys), then K as right side of ds·K ([len][32] a panel of headDim).
type keyRows struct {
	row, len int
	at       int
	block    int // number of the first block of keys, counted over all rows to pack
}

// gradSegment is a segment in the backward pass: its own rows and those of its prefix, both packed.
type gradSegment struct {
	device.Segment
	own, prefix int // of gradPlan.rows; prefix −1 for none
}

// gradPart is consecutive queries of a segment. Parts are computed independently: each has its share of
// the gradients of the keys it sees, and the shares are added in order of parts. Where a segment is cut
// follows from its length and that of its prefix alone.
type gradPart struct {
	seg, from, to int // rows of the segment
	prefix, own   int // the places of its shares: of the prefix's rows, and of the segment's first to rows
}

// shared says that a part's gradients of the segment's own rows are a share; those of the first part go
// where the others are added.
func (p gradPart) shared() bool { return p.from > 0 }

// gradPlan is the layout of one call. Sizes and places are those of one key-value head.
type gradPlan struct {
	rows     []keyRows
	blocks   int // of all rows
	segs     []gradSegment
	parts    []gradPart
	packed   int
	partials int
}

// planGrad lays out the rows to pack. A prefix is usually a segment of its own and packed as such.
func (d *Device) planGrad(h heads, spans []span) *gradPlan {
	g := &d.shared.plan
	*g = gradPlan{rows: g.rows[:0], segs: g.segs[:0], parts: g.parts[:0]}
	add := func(row, n int) int {
		g.rows = append(g.rows, keyRows{row: row, len: n, at: g.packed, block: g.blocks})
		g.packed += 2*blocksOf(n)*h.kBlock + h.panels*kernel.Panel*n
		g.blocks += blocksOf(n)
		return len(g.rows) - 1
	}
	share := func(rows int) int {
		g.partials += 2 * rows * h.dim
		return g.partials - 2*rows*h.dim
	}
	for _, s := range spans {
		x := gradSegment{Segment: s.Segment, own: add(s.Row, s.Len), prefix: -1}
		if s.PrefixLen > 0 && s.Len > 0 {
			if s.root >= 0 {
				x.prefix = g.segs[s.root].own
			} else {
				x.prefix = add(s.PrefixRow, s.PrefixLen)
			}
		}
		for from := 0; from < s.Len; {
			p := gradPart{seg: len(g.segs), from: from, to: h.partEnd(s.Segment, from, d.partWork)}
			if x.prefix >= 0 {
				p.prefix = share(s.PrefixLen)
			}
			if p.shared() {
				p.own = share(p.to)
			}
			g.parts, from = append(g.parts, p), p.to
		}
		g.segs = append(g.segs, x)
	}
	return g
}

// partEnd is where the part of a segment that starts at row from ends: after whole tiles of queries, so that
// all parts have about the same number of pairs of a query and a key.
func (h heads) partEnd(s device.Segment, from int, work float64) int {
	pairs := func(rows int) float64 { return float64(rows) * (float64(s.PrefixLen) + float64(rows+1)/2) }
	n := min(maxParts, int(pairs(s.Len)/work))
	if n < 2 {
		return s.Len
	}
	share := pairs(s.Len) / float64(n)
	done, step := int(pairs(from)/share), h.gradRows() // done counts shares
	to := from + step
	for to < s.Len && pairs(to) < float64(done+1)*share {
		to += step
	}
	return min(to, s.Len)
}

// gradRows is how many queries make a tile.
func (h heads) gradRows() int { return max(1, gradTile/h.group) }

// parts returns the three packed matrices of x within one head's memory.
func (x keyRows) parts(h heads, packed []float32) (k, v, kRows []float32) {
	n := blocksOf(x.len) * h.kBlock
	buf := packed[x.at:]
	return cut(&buf, n), cut(&buf, n), cut(&buf, h.panels*kernel.Panel*x.len)
}

// attentionGrads is the checked arguments of AttentionBackward.
type attentionGrads struct {
	heads
	dq, dk, dv       matrix
	dout, out, lse   matrix
	q, k, v          matrix
	plan             *gradPlan
	packed, partials []float32
}

// AttentionBackward implements [device.Backward]. It recomputes the probabilities from lse, tile by tile
// (Dao, FlashAttention-2, algorithm 2), with D = Σ dout ⊙ out of each query and head:
//
//	p = exp(s − lse);  ds = p ⊙ (dout·Vᵀ − D);  dq = ds·K·scale;  dk = dsᵀ·(q·scale);  dv = pᵀ·dout
//
// Parts of segments and key-value heads are independent of each other but for dk and dv of keys that
// several parts see: each computes its share separately, and the shares are added in order of parts.
func (d *Device) AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "AttentionBackward"
	a := attentionGrads{
		heads: headsOf(op, shape),
		dq:    d.view(op, "dq", dq), dk: d.view(op, "dk", dk), dv: d.view(op, "dv", dv),
		dout: d.view(op, "dout", dout), out: d.view(op, "out", out), lse: d.view(op, "lse", lse),
		q: d.view(op, "q", q), k: d.view(op, "k", k), v: d.view(op, "v", v),
	}
	rows, wide, narrow := a.q.rows, a.Heads*a.dim, a.KVHeads*a.dim
	for _, m := range [...]struct {
		matrix
		cols int
	}{{a.q, wide}, {a.dq, wide}, {a.dout, wide}, {a.out, wide}, {a.k, narrow}, {a.v, narrow}, {a.dk, narrow}, {a.dv, narrow}, {a.lse, a.Heads}} {
		if m.rows != rows || m.matrix.cols != m.cols {
			device.Mismatch(op, "dq", dq, "dk", dk, "dv", dv, "dout", dout, "out", out, "lse", lse, "q", q, "k", k, "v", v, "shape", fmt.Sprintf("%+v", shape))
		}
	}
	spans, _ := d.spansOf(op, segs, rows)
	plan := d.planGrad(a.heads, spans)
	if len(plan.parts) == 0 {
		return
	}
	a.plan = plan
	a.packed = grow(&d.shared.a, a.KVHeads*plan.packed)
	a.partials = grow(&d.shared.b, a.KVHeads*plan.partials)

	total := 0.0
	for _, s := range plan.segs {
		total += 3 * a.cost(s.Len, s.PrefixLen+s.Len)
	}
	nBlocks := plan.blocks * a.KVHeads
	d.split(nBlocks, 1, 3*copyCost*float64(a.KVHeads*plan.packed)/float64(max(nBlocks, 1)), func(_ *worker, lo, hi int) {
		for kv := lo / plan.blocks; kv*plan.blocks < hi; kv++ {
			d.packGrad(&a, kv, max(0, lo-kv*plan.blocks), min(plan.blocks, hi-kv*plan.blocks))
		}
	})
	nParts := len(plan.parts) * a.KVHeads
	d.split(nParts, 1, total/float64(max(len(plan.parts), 1)), func(t *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.partGrad(t, &a, plan.parts[i/a.KVHeads], i%a.KVHeads)
		}
	})
	if plan.partials == 0 {
		return
	}
	cost := float64(a.KVHeads*plan.partials) / float64(a.dim*rows) * callCost
	d.split(rows, 1, cost, func(_ *worker, lo, hi int) {
		for kv := range a.KVHeads {
			d.addPartials(&a, kv, lo, hi)
		}
	})
}

// packGrad packs blocks [lo, hi), counted over all rows of the plan, for one head.
func (d *Device) packGrad(a *attentionGrads, kv, lo, hi int) {
	const block = device.KeyBlock
	col := kv * a.dim
	for _, x := range a.plan.rows {
		first, last := max(lo-x.block, 0), min(hi-x.block, blocksOf(x.len))
		if first >= last {
			continue
		}
		k, v, kRows := x.parts(a.heads, a.packed[kv*a.plan.packed:])
		from := first * block
		n := min(last*block, x.len) - from
		d.set.PackTransposed(k[first*a.kBlock:], a.k.from(x.row+from, col), a.k.stride, n, a.dim)
		d.set.PackTransposed(v[first*a.kBlock:], a.v.from(x.row+from, col), a.v.stride, n, a.dim)
		for p := range a.panels {
			c := p * kernel.Panel
			d.set.Pack(kRows[(p*x.len+from)*kernel.Panel:], a.k.from(x.row+from, col+c), a.k.stride, n, min(kernel.Panel, a.dim-c))
		}
	}
}

// partGrad computes, for the queries of a part and one key-value head, dq and the part's share of dk and dv.
func (d *Device) partGrad(t *worker, a *attentionGrads, part gradPart, kv int) {
	s, h := a.plan.segs[part.seg], a.heads
	packed, col := a.packed[kv*a.plan.packed:], kv*h.dim
	own := keyGrads{keyRows: a.plan.rows[s.own], pos: s.PrefixLen}
	if part.shared() {
		own.share(a.share(kv, part.own, part.to), h.dim)
	} else {
		own.dk, own.dkStride = a.dk.from(s.Row, col), a.dk.stride
		own.dv, own.dvStride = a.dv.from(s.Row, col), a.dv.stride
		for r := range s.Len {
			clear(a.dk.from(s.Row+r, col)[:h.dim])
			clear(a.dv.from(s.Row+r, col)[:h.dim])
		}
	}
	var prefix keyGrads
	if s.prefix >= 0 {
		prefix.keyRows = a.plan.rows[s.prefix]
		prefix.share(a.share(kv, part.prefix, s.PrefixLen), h.dim)
	}
	step := h.gradRows()
	for row := part.from; row < part.to; row += step {
		n := min(step, part.to-row)
		m := n * h.group
		buf := t.floats(m * (3*h.dim + 1 + 2*gradKeys))
		x := gradTileState{
			first: s.PrefixLen + row, m: m,
			q: cut(&buf, m*h.dim), dout: cut(&buf, m*h.dim), dq: cut(&buf, m*h.dim),
			dots: cut(&buf, m), lse: a.lse.from(s.Row+row, kv*h.group), lseStride: a.lse.stride,
			p: cut(&buf, m*gradKeys), ds: cut(&buf, m*gradKeys),
		}
		wide, first := h.group*h.dim, kv*h.group*h.dim
		for r := range n {
			copy(x.q[r*wide:][:wide], a.q.from(s.Row+row+r, first))
			copy(x.dout[r*wide:][:wide], a.dout.from(s.Row+row+r, first))
			out := a.out.from(s.Row+row+r, first)
			for g := range h.group {
				x.dots[r*h.group+g] = d.set.Dot(x.dout[r*wide+g*h.dim:][:h.dim], out[g*h.dim:][:h.dim])
			}
		}
		d.set.Scale(x.q, h.Scale)
		clear(x.dq)
		if s.prefix >= 0 {
			d.keysGrad(t, h, x, prefix, s.PrefixLen, packed)
		}
		d.keysGrad(t, h, x, own, row+n, packed)
		d.set.Scale(x.dq, h.Scale)
		for r := range n {
			copy(a.dq.from(s.Row+row+r, first)[:wide], x.dq[r*wide:])
		}
	}
}

// share is where a part keeps its share of dk and then of dv of so many rows.
func (a *attentionGrads) share(kv, at, rows int) []float32 {
	return a.partials[kv*a.plan.partials+at:][:2*rows*a.dim]
}

// gradTileState is a tile of m queries (times heads of the group): q is scaled, dots holds D, and p and
// ds are m × gradKeys.
type gradTileState struct {
	first       int // key position of the first query
	m           int
	q, dout, dq []float32
	dots, lse   []float32
	lseStride   int
	p, ds       []float32
}

// keyGrads is keys and values, the position of the first, and where their gradients go.
type keyGrads struct {
	keyRows
	pos                int
	dk, dv             []float32
	dkStride, dvStride int
}

// share clears a part's share and lets the gradients go there.
func (y *keyGrads) share(s []float32, dim int) {
	clear(s)
	y.dk, y.dv = s[:len(s)/2], s[len(s)/2:]
	y.dkStride, y.dvStride = dim, dim
}

// keysGrad takes a tile of queries through the first n keys of y and adds to dq, dk and dv.
func (d *Device) keysGrad(t *worker, h heads, x gradTileState, y keyGrads, n int, packed []float32) {
	k, v, kRows := y.parts(h, packed)
	for key := 0; key < n; key += gradKeys {
		width := min(gradKeys, n-key)
		row := max(0, y.pos+key-x.first) * h.group // the first that sees any of these
		m, at := x.m-row, key/device.KeyBlock*h.kBlock
		p, ds := x.p[row*gradKeys:], x.ds[row*gradKeys:]
		q, dout := x.q[row*h.dim:], x.dout[row*h.dim:]
		d.set.Gemm(p, gradKeys, q, h.dim, k[at:], m, width, h.dim, 0, panels(width), nil, kernel.Store, t.gemm)
		d.set.Gemm(ds, gradKeys, dout, h.dim, v[at:], m, width, h.dim, 0, panels(width), nil, kernel.Store, t.gemm)
		for i := range m {
			r := (row + i) / h.group
			seen := min(width, x.first+r-y.pos-key+1)
			pi, dsi := p[i*gradKeys:][:width], ds[i*gradKeys:][:width]
			d.set.ExpSum(pi[:seen], pi[:seen], x.lse[r*x.lseStride+(row+i)%h.group])
			d.set.Mul(dsi[:seen], dsi[:seen], pi[:seen])
			d.set.Axpy(dsi[:seen], -x.dots[row+i], pi[:seen])
			clear(pi[seen:])
			clear(dsi[seen:])
		}
		for i := range h.panels {
			c := i * kernel.Panel
			d.set.Gemm(x.dq[row*h.dim+c:], h.dim, ds, gradKeys, kRows[(i*y.len+key)*kernel.Panel:], m, min(kernel.Panel, h.dim-c), width, 0, 1, nil, kernel.Add, t.gemm)
		}
		d.set.GemmTA(y.dk[key*y.dkStride:], y.dkStride, ds, gradKeys, q, h.dim, width, h.dim, m, 0, width, t.gemm)
		d.set.GemmTA(y.dv[key*y.dvStride:], y.dvStride, p, gradKeys, dout, h.dim, width, h.dim, m, 0, width, t.gemm)
	}
}

// addPartials adds the parts' shares to rows [lo, hi) of dk and dv, in order of parts.
func (d *Device) addPartials(a *attentionGrads, kv, lo, hi int) {
	for _, p := range a.plan.parts {
		s := a.plan.segs[p.seg]
		if s.prefix >= 0 {
			d.addShare(a, kv, p.prefix, s.PrefixRow, s.PrefixLen, lo, hi)
		}
		if p.shared() {
			d.addShare(a, kv, p.own, s.Row, p.to, lo, hi)
		}
	}
}

// addShare adds the share at a place, of n rows from row on, as far as they are in [lo, hi).
func (d *Device) addShare(a *attentionGrads, kv, at, row, n, lo, hi int) {
	share, col := a.share(kv, at, n), kv*a.dim
	for r := max(lo, row); r < min(hi, row+n); r++ {
		i := r - row
		d.set.AddTo(a.dk.from(r, col)[:a.dim], share[i*a.dim:][:a.dim])
		d.set.AddTo(a.dv.from(r, col)[:a.dim], share[(n+i)*a.dim:][:a.dim])
	}
}
