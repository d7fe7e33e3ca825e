package cpu

import (
	"fmt"
	"testing"

	"openrs/stages/device"
)

// tiny is a decoder with the sizes of the tiny model, operations only.
type tiny struct {
	lab
	shape               device.AttentionShape
	hidden, ffn, vocab  int
	table               device.Weight
	layers              []tinyLayer
	final, dFinal, rope device.Tensor
	dTable              device.Tensor
}

type tinyLayer struct {
	norm1, norm2, dNorm1, dNorm2 device.Tensor
	qkv, o, gateUp, down         device.Weight
	dQKV, dO, dGateUp, dDown     device.Tensor
	// activations
	x0, n1, a, att, lse, x1, n2, g, s device.Tensor
}

func newTiny(l lab, rows int) *tiny {
	m := &tiny{lab: l, hidden: 128, ffn: 256, vocab: 288, shape: device.AttentionShape{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.1767767}}
	m.table, m.dTable = l.weight(m.vocab, m.hidden), l.empty(m.vocab, m.hidden)
	m.final, m.dFinal, m.rope = l.random(1, m.hidden), l.empty(1, m.hidden), l.ropeTable(4096, 32)
	for range 2 {
		m.layers = append(m.layers, tinyLayer{
			norm1: l.random(1, m.hidden), norm2: l.random(1, m.hidden), dNorm1: l.empty(1, m.hidden), dNorm2: l.empty(1, m.hidden),
			qkv: l.weight(256, m.hidden), o: l.weight(m.hidden, m.hidden), gateUp: l.weight(2*m.ffn, m.hidden), down: l.weight(m.hidden, m.ffn),
			dQKV: l.empty(256, m.hidden), dO: l.empty(m.hidden, m.hidden), dGateUp: l.empty(2*m.ffn, m.hidden), dDown: l.empty(m.hidden, m.ffn),
			x0: l.empty(rows, m.hidden), n1: l.empty(rows, m.hidden), a: l.empty(rows, 256), att: l.empty(rows, 128), lse: l.empty(rows, 4),
			x1: l.empty(rows, m.hidden), n2: l.empty(rows, m.hidden), g: l.empty(rows, 2*m.ffn), s: l.empty(rows, m.ffn),
		})
	}
	return m
}

// BenchmarkTrain is forward and backward of groups of eight completions that share a prompt.
func BenchmarkTrain(b *testing.B) {
	for _, groups := range []int{2, 8, 32} {
		b.Run(fmt.Sprintf("%dx(30+8x25)", groups), func(b *testing.B) {
			d := openDevice(b, "", 0)
			l := newLab(b, d, 1)
			var segs []device.Segment
			var positions, rows, targets []int32
			n := 0
			for range groups {
				root := n
				for i := range 30 {
					positions = append(positions, int32(i))
				}
				segs = append(segs, device.Segment{Row: n, Len: 30})
				n += 30
				for range 8 {
					segs = append(segs, device.Segment{Row: n, Len: 25, PrefixRow: root, PrefixLen: 30})
					rows = append(rows, int32(root+29))
					for i := range 25 {
						positions = append(positions, int32(30+i))
						rows = append(rows, int32(n+i))
					}
					rows = rows[:len(rows)-1]
					n += 25
				}
			}
			m := newTiny(l, n)
			ids := l.ids(n, m.vocab)
			targets = l.ids(len(rows), m.vocab)
			temperature := make([]float32, len(rows))
			for i := range temperature {
				temperature[i] = 1
			}
			top, dTop := l.empty(n, 128), l.empty(n, 128)
			h, dh := l.empty(len(rows), 128), l.empty(len(rows), 128)
			logp, lse, dlogp := l.empty(len(rows), 1), l.empty(len(rows), 1), l.random(len(rows), 1)
			dx, dn := l.empty(n, 128), l.empty(n, 128)
			dg, ds, datt, da := l.empty(n, 512), l.empty(n, 256), l.empty(n, 128), l.empty(n, 256)
			split := func(t device.Tensor) (q, k, v device.Tensor) {
				return t.ColRange(0, 128), t.ColRange(128, 192), t.ColRange(192, 256)
			}
			const eps = 1e-6
			var none device.Tensor
			step := func() {
				d.Embed(m.layers[0].x0, m.table, ids)
				for i := range m.layers {
					y := &m.layers[i]
					d.RMSNorm(y.n1, y.x0, y.norm1, eps)
					d.MatMul(y.a, y.n1, y.qkv, none)
					q, k, v := split(y.a)
					d.RoPE(q, 32, m.rope, positions, false)
					d.RoPE(k, 32, m.rope, positions, false)
					d.Attention(y.att, y.lse, q, k, v, m.shape, segs)
					d.Copy(y.x1, y.x0)
					d.MatMulAdd(y.x1, y.att, y.o)
					d.RMSNorm(y.n2, y.x1, y.norm2, eps)
					d.MatMul(y.g, y.n2, y.gateUp, none)
					d.SwiGLU(y.s, y.g)
					next := top
					if i+1 < len(m.layers) {
						next = m.layers[i+1].x0
					}
					d.Copy(next, y.x1)
					d.MatMulAdd(next, y.s, y.down)
				}
				d.RMSNorm(dn, top, m.final, eps)
				d.GatherRows(h, dn, rows)
				d.LogProbs(logp, lse, none, h, m.table, targets, temperature)

				d.LogProbsBackward(dh, m.dTable, dlogp, lse, h, m.table, targets, temperature, false)
				d.Zero(dTop)
				d.ScatterAddRows(dTop, dh, rows)
				d.RMSNormBackward(dx, m.dFinal, dTop, top, m.final, eps, false)
				for i := len(m.layers) - 1; i >= 0; i-- {
					y := &m.layers[i]
					d.MatMulBackward(ds, dx, y.down, false)
					d.WeightGrad(y.dDown, dx, y.s, device.F32)
					d.SwiGLUBackward(dg, ds, y.g)
					d.MatMulBackward(dn, dg, y.gateUp, false)
					d.WeightGrad(y.dGateUp, dg, y.n2, device.F32)
					d.RMSNormBackward(dx, y.dNorm2, dn, y.x1, y.norm2, eps, true)
					d.MatMulBackward(datt, dx, y.o, false)
					d.WeightGrad(y.dO, dx, y.att, device.F32)
					q, k, v := split(y.a)
					dq, dk, dv := split(da)
					d.AttentionBackward(dq, dk, dv, datt, y.att, y.lse, q, k, v, m.shape, segs)
					d.RoPE(dq, 32, m.rope, positions, true)
					d.RoPE(dk, 32, m.rope, positions, true)
					d.MatMulBackward(dn, da, y.qkv, false)
					d.WeightGrad(y.dQKV, da, y.n1, device.F32)
					d.RMSNormBackward(dx, y.dNorm1, dn, y.x0, y.norm1, eps, true)
				}
				d.EmbedGrad(m.dTable, dx, ids)
			}
			step()
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkDecode is one decoding step of sequences of 60 tokens.
func BenchmarkDecode(b *testing.B) {
	for _, n := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			d := openDevice(b, "", 0)
			l := newLab(b, d, 1)
			m := newTiny(l, n)
			c, err := d.NewCache(device.CacheConfig{Layers: 2, KVHeads: 2, HeadDim: 32, Pages: 2 * n, PageSize: 32})
			if err != nil {
				b.Fatal(err)
			}
			slots, positions, seqs := make([]int32, n), make([]int32, n), make([]device.PagedSeq, n)
			params, ids, logps := make([]device.Sampling, n), l.ids(n, m.vocab), make([]float32, n)
			k, v := l.random(n, 64), l.random(n, 64)
			for i := range n {
				pages := []int32{int32(2 * i), int32(2*i + 1)}
				seqs[i] = device.PagedSeq{Row: i, Len: 1, Start: 59, Pages: pages}
				positions[i] = 59
				params[i] = device.Sampling{Temperature: 1, U: l.rng.Float64()}
				for pos := range 60 {
					slots[i] = pages[pos/32]*32 + int32(pos%32)
					for layer := range 2 {
						d.CacheWrite(c, layer, k.RowRange(i, i+1), v.RowRange(i, i+1), slots[i:i+1])
					}
				}
			}
			top, logits := l.empty(n, 128), l.empty(n, m.vocab)
			const eps = 1e-6
			var none device.Tensor
			for b.Loop() {
				d.Embed(top, m.table, ids)
				for i := range m.layers {
					y := &m.layers[i]
					d.RMSNorm(y.n1, top, y.norm1, eps)
					d.MatMul(y.a, y.n1, y.qkv, none)
					q, k, v := y.a.ColRange(0, 128), y.a.ColRange(128, 192), y.a.ColRange(192, 256)
					d.RoPE(y.a.ColRange(0, 192), 32, m.rope, positions, false)
					d.CacheWrite(c, i, k, v, slots)
					d.PagedAttention(y.att, q, c, i, m.shape, seqs)
					d.MatMulAdd(top, y.att, y.o)
					d.RMSNorm(y.n2, top, y.norm2, eps)
					d.MatMul(y.g, y.n2, y.gateUp, none)
					d.SwiGLU(y.s, y.g)
					d.MatMulAdd(top, y.s, y.down)
				}
				d.RMSNorm(top, top, m.final, eps)
				d.MatMul(logits, top, m.table, none)
				if err := d.Sample(logits, params, ids, logps); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}

// BenchmarkAttention is one long sequence, forward and backward, on one thread and on two.
func BenchmarkAttention(b *testing.B) {
	for _, shape := range []device.AttentionShape{{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.2}, {Heads: 14, KVHeads: 1, HeadDim: 64, Scale: 0.1}} {
		for _, n := range []int{512, 4096} {
			for _, threads := range []int{1, 2} {
				d := openDevice(b, "", threads)
				l := newLab(b, d, 1)
				wide, narrow := shape.Heads*shape.HeadDim, shape.KVHeads*shape.HeadDim
				q, k, v := l.random(n, wide), l.random(n, narrow), l.random(n, narrow)
				out, lse, dout := l.empty(n, wide), l.empty(n, shape.Heads), l.random(n, wide)
				dq, dk, dv := l.empty(n, wide), l.empty(n, narrow), l.empty(n, narrow)
				segs := []device.Segment{{Len: n}}
				product := float64(n) * float64(n+1) * float64(wide) // FLOP of one of the products
				name := fmt.Sprintf("%dx%dx%d/%d/threads=%d", shape.Heads, shape.KVHeads, shape.HeadDim, n, threads)
				b.Run("forward/"+name, func(b *testing.B) {
					for b.Loop() {
						d.Attention(out, lse, q, k, v, shape, segs)
					}
					b.ReportMetric(2*product*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
				b.Run("backward/"+name, func(b *testing.B) {
					for b.Loop() {
						d.AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v, shape, segs)
					}
					b.ReportMetric(5*product*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
		}
	}
}
