package devicetest

import (
	"math"
	"slices"

	"openrs/stages/device"
)

// sequence is q, k and v of one sequence and what attention makes of it when computed alone at once.
type sequence struct {
	q, k, v  pair
	out, lse []float32
}

func (w *twin) sequence(n int, shape device.AttentionShape) sequence {
	s := sequence{}
	s.q, s.k, s.v = w.attentionInputs(n, shape)
	out, lse := w.dense(n, shape.Heads*shape.HeadDim), w.dense(n, shape.Heads)
	w.devs[0].Attention(out.t[0], lse.t[0], s.q.t[0], s.k.t[0], s.v.t[0], shape, []device.Segment{{Len: n}})
	s.out, s.lse = w.got(out), w.got(lse)
	return s
}

// bitsAttention: sequences packed together give the bits that each gives alone.
func bitsAttention(w *twin) {
	d := w.devs[0]
	for _, shape := range headShapes() {
		lengths := []int{3, 70, 1, 32, 150, 33}
		var seqs []sequence
		rows := 0
		for _, n := range lengths {
			seqs = append(seqs, w.sequence(n, shape))
			rows += n
		}
		q, k, v := w.attentionInputs(rows, shape)
		out, lse := w.tensor(rows, shape.Heads*shape.HeadDim), w.tensor(rows, shape.Heads)
		var segs []device.Segment
		at := 0
		for i, n := range lengths {
			for _, c := range [][2]pair{{q, seqs[i].q}, {k, seqs[i].k}, {v, seqs[i].v}} {
				d.Copy(c[0].t[0].RowRange(at, at+n), c[1].t[0])
			}
			segs = append(segs, device.Segment{Row: at, Len: n})
			at += n
		}
		slices.Reverse(segs)
		d.Attention(out.t[0], lse.t[0], q.t[0], k.t[0], v.t[0], shape, segs)
		for i, s := range segs {
			alone := seqs[len(seqs)-1-i]
			name := shapeName("Attention of", s.Len, "rows alone or packed", shape)
			w.equal(name, w.read(out.t[0].RowRange(s.Row, s.Row+s.Len), 0), alone.out)
			w.equal("lse: "+name, w.read(lse.t[0].RowRange(s.Row, s.Row+s.Len), 0), alone.lse)
		}
	}
}

// bitsPrefix: a completion that shares its prompt's rows gives the bits of the whole sequence.
func bitsPrefix(w *twin) {
	d := w.devs[0]
	for _, shape := range headShapes() {
		for _, prompt := range []int{1, 31, 32, 45, 64, 97} {
			for _, n := range []int{1, 30, 40} {
				s := w.sequence(prompt+n, shape)
				// The prompt, something else, then the completion.
				const other = 9
				q, k, v := w.attentionInputs(prompt+other+n, shape)
				for _, c := range [][2]pair{{q, s.q}, {k, s.k}, {v, s.v}} {
					d.Copy(c[0].t[0].RowRange(0, prompt), c[1].t[0].RowRange(0, prompt))
					d.Copy(c[0].t[0].RowRange(prompt+other, prompt+other+n), c[1].t[0].RowRange(prompt, prompt+n))
				}
				out, lse := w.tensor(prompt+other+n, shape.Heads*shape.HeadDim), w.tensor(prompt+other+n, shape.Heads)
				segs := []device.Segment{{Len: prompt}, {Row: prompt, Len: other, PrefixLen: prompt}, {Row: prompt + other, Len: n, PrefixLen: prompt}}
				d.Attention(out.t[0], lse.t[0], q.t[0], k.t[0], v.t[0], shape, segs)
				name := shapeName("Attention of", n, "rows after a shared prefix of", prompt, shape)
				width := shape.Heads * shape.HeadDim
				w.equal("prompt: "+name, w.read(out.t[0].RowRange(0, prompt), 0), s.out[:prompt*width])
				w.equal(name, w.read(out.t[0].RowRange(prompt+other, prompt+other+n), 0), s.out[prompt*width:])
				w.equal("lse: "+name, w.read(lse.t[0].RowRange(prompt+other, prompt+other+n), 0), s.lse[prompt*shape.Heads:])
			}
		}
	}
}

// bitsPaged: the same sequence computed through the cache, in random chunks and random company, gives
// the bits of Attention.
func bitsPaged(w *twin) {
	d := w.devs[0]
	for _, shape := range headShapes() {
		for _, pageSize := range []int{device.KeyBlock, 4 * device.KeyBlock} {
			lengths := []int{1, 33, 64, 150}
			pages, total := w.pagesFor(lengths, pageSize)
			cache, err := d.NewCache(device.CacheConfig{Layers: 1, KVHeads: shape.KVHeads, HeadDim: shape.HeadDim, Pages: total, PageSize: pageSize})
			if err != nil {
				w.Fatal(err)
			}
			width := shape.Heads * shape.HeadDim
			var seqs []sequence
			done := make([]int, len(lengths))
			got := make([][]float32, len(lengths))
			for _, n := range lengths {
				seqs = append(seqs, w.sequence(n, shape))
			}
			for {
				var batch []device.PagedSeq
				var who []int
				rows := 0
				for i, n := range lengths {
					left := n - done[i]
					if left == 0 || w.rng.IntN(4) == 0 {
						continue
					}
					take := 1
					if w.rng.IntN(2) == 0 {
						take = 1 + w.rng.IntN(left)
					}
					batch = append(batch, device.PagedSeq{Row: rows, Len: take, Start: done[i], Pages: pages[i]})
					who = append(who, i)
					rows += take
				}
				if slices.Equal(done, lengths) {
					break
				}
				q, out := w.tensor(rows, width), w.tensor(rows, width)
				for b, s := range batch {
					from, to := s.Start, s.Start+s.Len
					src := seqs[who[b]]
					d.Copy(q.t[0].RowRange(s.Row, s.Row+s.Len), src.q.t[0].RowRange(from, to))
					d.CacheWrite(cache, 0, src.k.t[0].RowRange(from, to), src.v.t[0].RowRange(from, to), slots(s.Pages, pageSize, from, to))
				}
				d.PagedAttention(out.t[0], q.t[0], cache, 0, shape, batch)
				for b, s := range batch {
					got[who[b]] = append(got[who[b]], w.read(out.t[0].RowRange(s.Row, s.Row+s.Len), 0)...)
					done[who[b]] += s.Len
				}
			}
			for i, n := range lengths {
				w.equal(shapeName("PagedAttention of", n, "rows in chunks, pages of", pageSize, shape), got[i], seqs[i].out)
			}
			d.FreeCache(cache)
		}
	}
}

// bitsAttentionBackward: two groups in one call give the bits of two calls.
func bitsAttentionBackward(w *twin) {
	d := w.devs[0]
	for _, shape := range headShapes() {
		first := sequences("").group(33, 5, 32)
		both := first.group(10, 40, 1)
		nq := shape.Heads * shape.HeadDim
		q, k, v := w.attentionInputs(both.rows, shape)
		out, lse, dout := w.tensor(both.rows, nq), w.tensor(both.rows, shape.Heads), w.tensor(both.rows, nq)
		d.Attention(out.t[0], lse.t[0], q.t[0], k.t[0], v.t[0], shape, both.segs)
		gradients := func(from, to int, segs []device.Segment) [][]float32 {
			dq, dk, dv := w.attentionInputs(to-from, shape)
			cut := func(p pair) device.Tensor { return p.t[0].RowRange(from, to) }
			d.AttentionBackward(dq.t[0], dk.t[0], dv.t[0], cut(dout), cut(out), cut(lse), cut(q), cut(k), cut(v), shape, segs)
			return [][]float32{w.got(dq), w.got(dk), w.got(dv)}
		}
		together := gradients(0, both.rows, both.segs)
		one := gradients(0, first.rows, first.segs)
		var moved []device.Segment
		for _, s := range both.segs[len(first.segs):] {
			s.Row -= first.rows
			if s.PrefixLen > 0 {
				s.PrefixRow -= first.rows
			}
			moved = append(moved, s)
		}
		two := gradients(first.rows, both.rows, moved)
		for i, name := range []string{"dq", "dk", "dv"} {
			w.equal(shapeName(name, "of two groups in one call or two", shape), append(one[i], two[i]...), together[i])
		}
	}
}

// bitsNaN: what belongs to others never enters a result, not even where it would be multiplied by zero:
// rows that hold NaN change nothing in other rows, nor does what lies in a cache page behind a sequence.
func bitsNaN(w *twin) {
	d := w.devs[0]
	nan := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(math.NaN())
		}
		return v
	}
	// The row in the middle of a matrix product.
	for _, dtype := range w.dtypes {
		m, x, y, z := w.weight(37, 50, dtype, true)[0], w.tensor(11, 50), w.tensor(11, 37), w.tensor(11, 37)
		d.MatMul(y.t[0], x.t[0], m, device.Tensor{})
		d.Upload(x.t[0].RowRange(5, 6), nan(50))
		d.MatMul(z.t[0], x.t[0], m, device.Tensor{})
		w.equal("MatMul before a row of NaN", w.read(z.t[0].RowRange(0, 5), 0), w.read(y.t[0].RowRange(0, 5), 0))
		w.equal("MatMul after a row of NaN", w.read(z.t[0].RowRange(6, 11), 0), w.read(y.t[0].RowRange(6, 11), 0))
	}
	for _, shape := range headShapes() {
		const n = 45
		s := w.sequence(n, shape)
		width, kvWidth := shape.Heads*shape.HeadDim, shape.KVHeads*shape.HeadDim
		// The next sequence of a packed batch.
		q, k, v := w.attentionInputs(n+10, shape)
		for _, c := range [][2]pair{{q, s.q}, {k, s.k}, {v, s.v}} {
			d.Copy(c[0].t[0].RowRange(0, n), c[1].t[0])
			d.Upload(c[0].t[0].RowRange(n, n+10), nan(10*c[0].t[0].Cols))
		}
		out, lse := w.tensor(n+10, width), w.tensor(n+10, shape.Heads)
		d.Attention(out.t[0], lse.t[0], q.t[0], k.t[0], v.t[0], shape, []device.Segment{{Len: n}, {Row: n, Len: 10}})
		w.equal(shapeName("Attention beside a sequence of NaN", shape), w.read(out.t[0].RowRange(0, n), 0), s.out)
		// The remainder of a page.
		cache, err := d.NewCache(device.CacheConfig{Layers: 1, KVHeads: shape.KVHeads, HeadDim: shape.HeadDim, Pages: 3, PageSize: device.KeyBlock})
		if err != nil {
			w.Fatal(err)
		}
		pages, all := []int32{2, 0}, w.set(w.dense(3*device.KeyBlock, kvWidth), nan(3*device.KeyBlock*kvWidth))
		d.CacheWrite(cache, 0, all.t[0], all.t[0], slots([]int32{0, 1, 2}, device.KeyBlock, 0, 3*device.KeyBlock))
		d.CacheWrite(cache, 0, s.k.t[0], s.v.t[0], slots(pages, device.KeyBlock, 0, n))
		paged := w.tensor(n, width)
		d.PagedAttention(paged.t[0], s.q.t[0], cache, 0, shape, []device.PagedSeq{{Len: n, Pages: pages}})
		w.equal(shapeName("PagedAttention in a page that held NaN", shape), w.got(paged), s.out)
	}
	// A gradient that has become NaN must show.
	x := w.dense(3, 333)
	d.Upload(x.t[0].RowRange(1, 2).ColRange(300, 301), nan(1))
	if sum, err := d.SumSquares(x.t[0]); err != nil || !math.IsNaN(sum) {
		w.Errorf("SumSquares of values with a NaN is %v, %v", sum, err)
	}
}
