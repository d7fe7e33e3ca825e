package devicetest

import (
	"math"

	"openrs/stages/device"
)

// attend computes one query head over keys 0 … n−1, which key and value return, and stores the
// weighted sum of the values in out. It returns the log of the softmax sum. Attention and
// PagedAttention differ only in where their keys are.
func attend(out, q []float32, n int, scale float32, key, value func(int) []float32) float64 {
	scores := make([]float64, n)
	top := math.Inf(-1)
	for j := range scores {
		scores[j] = dot64(q, key(j)) * float64(scale)
		top = max(top, scores[j])
	}
	var sum float64
	for _, s := range scores {
		sum += math.Exp(s - top)
	}
	lse := top + math.Log(sum)
	acc := make([]float64, len(out))
	for j, s := range scores {
		p := math.Exp(s - lse)
		for i, v := range value(j) {
			acc[i] += p * float64(v)
		}
	}
	for i, a := range acc {
		out[i] = float32(a)
	}
	return lse
}

func dot64(a, b []float32) float64 {
	var sum float64
	for i, x := range a {
		sum += float64(x) * float64(b[i])
	}
	return sum
}

func checkHeads(op string, s device.AttentionShape) {
	check(s.HeadDim > 0 && s.KVHeads > 0 && s.Heads > 0 && s.Heads%s.KVHeads == 0, op, "%d query heads, %d key-value heads of %d", s.Heads, s.KVHeads, s.HeadDim)
}

func checkSegments(op string, segs []device.Segment, rows int) {
	for i, s := range segs {
		check(s.Row >= 0 && s.Len >= 0 && s.Row+s.Len <= rows && s.PrefixRow >= 0 && s.PrefixLen >= 0 && s.PrefixRow+s.PrefixLen <= rows,
			op, "segment %d is %+v of %d rows", i, s, rows)
	}
}

// keyRow is the row of key position j of a segment.
func keyRow(s device.Segment, j int) int {
	if j < s.PrefixLen {
		return s.PrefixRow + j
	}
	return s.Row + j - s.PrefixLen
}

func headOf(row []float32, h, dim int) []float32 { return row[h*dim : (h+1)*dim] }

// Attention implements [device.Forward].
func (d *Reference) Attention(out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "Attention"
	checkHeads(op, shape)
	om, qm, km, vm := open(op, "out", out), open(op, "q", q), open(op, "k", k), open(op, "v", v)
	qm.want(qm.rows, shape.Heads*shape.HeadDim)
	om.want(qm.rows, qm.cols)
	km.want(qm.rows, shape.KVHeads*shape.HeadDim)
	vm.want(qm.rows, km.cols)
	checkSegments(op, segs, qm.rows)
	for _, s := range segs {
		for i := range s.Len {
			for h := range shape.Heads {
				kv, r := h*shape.KVHeads/shape.Heads, s.Row+i
				l := attend(headOf(om.row(r), h, shape.HeadDim), headOf(qm.row(r), h, shape.HeadDim), s.PrefixLen+i+1, shape.Scale,
					func(j int) []float32 { return headOf(km.row(keyRow(s, j)), kv, shape.HeadDim) },
					func(j int) []float32 { return headOf(vm.row(keyRow(s, j)), kv, shape.HeadDim) })
				if !lse.IsZero() {
					lm := open(op, "lse", lse)
					lm.want(qm.rows, shape.Heads)
					lm.row(r)[h] = float32(l)
				}
			}
		}
	}
}

// AttentionBackward implements [device.Backward]. With p = exp(score − lse) and
// D = dout·out: dv += p·dout, dscore = p·(dout·v − D), dq += dscore·Scale·k, dk += dscore·Scale·q.
func (d *Reference) AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "AttentionBackward"
	checkHeads(op, shape)
	qm, km, vm := open(op, "q", q), open(op, "k", k), open(op, "v", v)
	qm.want(qm.rows, shape.Heads*shape.HeadDim)
	km.want(qm.rows, shape.KVHeads*shape.HeadDim)
	vm.want(qm.rows, km.cols)
	dom, om, lm := open(op, "dout", dout), open(op, "out", out), open(op, "lse", lse)
	dom.want(qm.rows, qm.cols)
	om.want(qm.rows, qm.cols)
	lm.want(qm.rows, shape.Heads)
	checkSegments(op, segs, qm.rows)
	gq, gk, gv := newSums(op, "dq", dq, qm), newSums(op, "dk", dk, km), newSums(op, "dv", dv, vm)
	for _, s := range segs {
		for h := range shape.Heads {
			dim, kv := shape.HeadDim, h*shape.KVHeads/shape.Heads
			for r := s.Row; r < s.Row+s.Len; r++ {
				qh, doh := headOf(qm.row(r), h, dim), headOf(dom.row(r), h, dim)
				delta := dot64(doh, headOf(om.row(r), h, dim))
				for j := range s.PrefixLen + r - s.Row + 1 {
					kr := keyRow(s, j)
					kh, vh := headOf(km.row(kr), kv, dim), headOf(vm.row(kr), kv, dim)
					p := math.Exp(dot64(qh, kh)*float64(shape.Scale) - float64(lm.row(r)[h]))
					ds := p * (dot64(doh, vh) - delta) * float64(shape.Scale)
					gq.add(r, h*dim, ds, kh)
					gk.add(kr, kv*dim, ds, qh)
					gv.add(kr, kv*dim, p, doh)
				}
			}
		}
	}
	gq.store()
	gk.store()
	gv.store()
}

// sums holds the float64 sums behind a gradient tensor until they are stored.
type sums struct {
	dst matrix
	acc []float64
}

func newSums(op, name string, dst device.Tensor, like matrix) sums {
	m := open(op, name, dst)
	m.want(like.rows, like.cols)
	return sums{m, make([]float64, m.rows*m.cols)}
}

func (s sums) add(row, col int, scale float64, x []float32) {
	at := row*s.dst.cols + col
	for i, v := range x {
		s.acc[at+i] += scale * float64(v)
	}
}

func (s sums) store() {
	for r := range s.dst.rows {
		for c := range s.dst.cols {
			s.dst.row(r)[c] = float32(s.acc[r*s.dst.cols+c])
		}
	}
}
