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
)

// keyRows is consecutive rows of keys and values, packed for the backward pass. For one key-value head
// they take size values from at on: K and V as right sides of q·Kᵀ and dout·Vᵀ ([headDim][32] a block
// of keys), then K as right side of ds·K ([len][32] a panel of headDim).
type keyRows struct {
	row, len int
	at       int
}

// gradSegment is a segment in the backward pass: its own rows and those of its prefix, both packed, and
// the place of its share of the prefix's gradients (dk and dv, PrefixLen × headDim each).
type gradSegment struct {
	device.Segment
	own, prefix int // of gradPlan.rows; prefix −1 for none
	partial     int
}

// gradPlan is the layout of one call. Sizes and places are those of one key-value head.
type gradPlan struct {
	rows     []keyRows
	segs     []gradSegment
	packed   int
	partials int
}

// planGrad lays out the rows to pack. A prefix is usually a segment of its own and packed as such.
func (d *Device) planGrad(h heads, spans []span) *gradPlan {
	g := &d.shared.plan
	g.rows, g.segs, g.packed, g.partials = g.rows[:0], g.segs[:0], 0, 0
	add := func(row, n int) int {
		g.rows = append(g.rows, keyRows{row: row, len: n, at: g.packed})
		g.packed += 2*blocksOf(n)*h.kBlock + h.panels*kernel.Panel*n
		return len(g.rows) - 1
	}
	for _, s := range spans {
		x := gradSegment{Segment: s.Segment, own: add(s.Row, s.Len), prefix: -1, partial: g.partials}
		if s.PrefixLen > 0 && s.Len > 0 {
			if s.root >= 0 {
				x.prefix = g.segs[s.root].own
			} else {
				x.prefix = add(s.PrefixRow, s.PrefixLen)
			}
			g.partials += 2 * s.PrefixLen * h.dim
		}
		g.segs = append(g.segs, x)
	}
	return g
}

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
// Segments and key-value heads are independent of each other but for the rows of shared prefixes: each
// segment computes its share of those separately, and the shares are added in order of segments.
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
			mismatch(op, "dq", dq, "dk", dk, "dv", dv, "dout", dout, "out", out, "lse", lse, "q", q, "k", k, "v", v, "shape", fmt.Sprintf("%+v", shape))
		}
	}
	spans, _ := d.spansOf(op, segs, rows)
	plan := d.planGrad(a.heads, spans)
	if len(plan.segs) == 0 {
		return
	}
	a.plan = plan
	a.packed = grow(&d.shared.a, a.KVHeads*plan.packed)
	a.partials = grow(&d.shared.b, a.KVHeads*plan.partials)

	total := 0.0
	for _, s := range plan.segs {
		total += 3 * a.cost(s.Len, s.PrefixLen+s.Len)
	}
	nRows := len(plan.rows) * a.KVHeads
	d.split(nRows, 1, 3*copyCost*float64(a.KVHeads*plan.packed)/float64(nRows), func(_ *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.packGrad(&a, i/a.KVHeads, i%a.KVHeads)
		}
	})
	nSegs := len(plan.segs) * a.KVHeads
	d.split(nSegs, 1, total/float64(len(plan.segs)), func(t *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			d.segmentGrad(t, &a, i/a.KVHeads, i%a.KVHeads)
		}
	})
	if plan.partials == 0 {
		return
	}
	d.split(a.KVHeads, 1, float64(plan.partials)/float64(a.dim)*callCost, func(_ *worker, lo, hi int) {
		for kv := lo; kv < hi; kv++ {
			d.addPartials(&a, kv)
		}
	})
}

// packGrad packs entry i of the plan's rows for one head.
func (d *Device) packGrad(a *attentionGrads, i, kv int) {
	x, col := a.plan.rows[i], kv*a.dim
	if x.len == 0 {
		return
	}
	k, v, kRows := x.parts(a.heads, a.packed[kv*a.plan.packed:])
	d.set.PackTransposed(k, a.k.from(x.row, col), a.k.stride, x.len, a.dim)
	d.set.PackTransposed(v, a.v.from(x.row, col), a.v.stride, x.len, a.dim)
	d.set.Pack(kRows, a.k.from(x.row, col), a.k.stride, x.len, a.dim)
}

// segmentGrad computes dq of a segment and one key-value head, dk and dv of its own rows, and its share
// of those of its prefix.
func (d *Device) segmentGrad(t *worker, a *attentionGrads, seg, kv int) {
	s, h := a.plan.segs[seg], a.heads
	if s.Len == 0 {
		return
	}
	packed, col := a.packed[kv*a.plan.packed:], kv*h.dim
	own := keyGrads{
		keyRows: a.plan.rows[s.own], pos: s.PrefixLen,
		dk: a.dk.from(s.Row, col), dkStride: a.dk.stride,
		dv: a.dv.from(s.Row, col), dvStride: a.dv.stride,
	}
	for r := range s.Len {
		clear(a.dk.from(s.Row+r, col)[:h.dim])
		clear(a.dv.from(s.Row+r, col)[:h.dim])
	}
	var prefix keyGrads
	if s.prefix >= 0 {
		share := a.share(s, kv)
		clear(share)
		n := s.PrefixLen * h.dim
		prefix = keyGrads{
			keyRows: a.plan.rows[s.prefix],
			dk:      share[:n], dkStride: h.dim,
			dv: share[n:], dvStride: h.dim,
		}
	}
	step := max(1, gradTile/h.group)
	for row := 0; row < s.Len; row += step {
		n := min(step, s.Len-row)
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

// share is where a segment keeps its part of the gradients of its prefix: dk, then dv.
func (a *attentionGrads) share(s gradSegment, kv int) []float32 {
	return a.partials[kv*a.plan.partials+s.partial:][:2*s.PrefixLen*a.dim]
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

// addPartials adds the segments' shares of prefix gradients, in order of segments.
func (d *Device) addPartials(a *attentionGrads, kv int) {
	col := kv * a.dim
	for _, s := range a.plan.segs {
		if s.prefix < 0 {
			continue
		}
		share := a.share(s, kv)
		n := s.PrefixLen * a.dim
		for r := range s.PrefixLen {
			d.set.AddTo(a.dk.from(s.PrefixRow+r, col)[:a.dim], share[r*a.dim:][:a.dim])
			d.set.AddTo(a.dv.from(s.PrefixRow+r, col)[:a.dim], share[n+r*a.dim:][:a.dim])
		}
	}
}
