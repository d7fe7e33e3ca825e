package cpu

import (
	"fmt"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// everyOp runs each operation that splits its work, on inputs of one seed, and returns the results.
func everyOp(t *testing.T, d *Device, rows int, dtype device.DType) map[string][]float32 {
	const hidden, ffn, vocab, dim = 72, 100, device.VocabChunk + 50, 40
	l := newLab(t, d, uint64(rows))
	shape := device.AttentionShape{Heads: 6, KVHeads: 2, HeadDim: dim, Scale: 0.2}
	got := map[string][]float32{}
	keep := func(name string, ts ...device.Tensor) {
		for i, x := range ts {
			got[fmt.Sprintf("%s %d", name, i)] = l.read(x)
		}
	}
	x, norm, bias := l.random(rows, hidden), l.random(1, hidden), l.random(1, ffn)
	w, table := l.weightOf(ffn, hidden, dtype), l.weightOf(vocab, hidden, dtype)
	ids, targets := l.ids(rows, vocab), l.ids(rows, vocab)
	temperature := make([]float32, rows)
	for i := range temperature {
		temperature[i] = 0.5 + l.rng.Float32()
	}

	y := l.random(rows, ffn)
	d.MatMul(y, x, w, bias)
	keep("MatMul", y)
	d.MatMulAdd(y, x, w)
	keep("MatMulAdd", y)
	dx := l.random(rows, hidden)
	d.MatMulBackward(dx, y, w, true)
	keep("MatMulBackward", dx)
	dw, db := l.random(ffn, hidden), l.random(1, ffn)
	d.WeightGrad(dw, y, x, dtype)
	d.BiasGrad(db, y)
	keep("WeightGrad, BiasGrad", dw, db)
	z := l.random(rows, hidden)
	d.RMSNorm(z, x, norm, 1e-6)
	keep("RMSNorm", z)
	dnorm := l.random(1, hidden)
	d.RMSNormBackward(dx, dnorm, z, x, norm, 1e-6, true)
	d.RMSNormBackward(z, dnorm, z, x, norm, 1e-6, false)
	keep("RMSNormBackward", dx, dnorm, z)
	s, ds := l.empty(rows, ffn/2), l.empty(rows, ffn)
	d.SwiGLU(s, y)
	d.SwiGLUBackward(ds, s, y)
	keep("SwiGLU", s, ds)
	e, grad := l.empty(rows, hidden), l.random(vocab, hidden)
	d.Embed(e, table, ids)
	d.EmbedGrad(grad, x, ids)
	keep("Embed", e, grad)
	logp, lse, entropy := l.empty(rows, 1), l.empty(rows, 1), l.empty(rows, 1)
	d.LogProbs(logp, lse, entropy, x, table, targets, temperature)
	keep("LogProbs", logp, lse, entropy)
	d.LogProbsBackward(dx, grad, l.random(rows, 1), lse, x, table, targets, temperature, true)
	keep("LogProbsBackward", dx, grad)

	q, k, v := l.random(rows, 6*dim), l.random(rows, 2*dim), l.random(rows, 2*dim)
	positions := l.ids(rows, 30)
	d.RoPE(q, dim, l.ropeTable(30, dim), positions, false)
	prompt, other := rows/3, rows/2
	segs := []device.Segment{{Len: prompt}, {Row: prompt, Len: other - prompt, PrefixLen: prompt}, {Row: other, Len: rows - other, PrefixLen: prompt}}
	out, sums := l.empty(rows, 6*dim), l.empty(rows, 6)
	d.Attention(out, sums, q, k, v, shape, segs)
	keep("Attention", q, out, sums)
	dq, dk, dv := l.empty(rows, 6*dim), l.empty(rows, 2*dim), l.empty(rows, 2*dim)
	d.AttentionBackward(dq, dk, dv, l.random(rows, 6*dim), out, sums, q, k, v, shape, segs)
	keep("AttentionBackward", dq, dk, dv)

	logits := l.random(rows, vocab)
	params := make([]device.Sampling, rows)
	for i := range params {
		params[i] = device.Sampling{Temperature: temperature[i], TopK: i % 3 * 50, U: l.rng.Float64()}
	}
	drawn, drawnLogp := make([]int32, rows), make([]float32, rows)
	if err := d.Sample(logits, params, drawn, drawnLogp); err != nil {
		t.Fatal(err)
	}
	got["Sample"] = drawnLogp
	sum, err := d.SumSquares(grad)
	if err != nil {
		t.Fatal(err)
	}
	got["SumSquares"] = []float32{float32(sum)}
	m, u := l.empty(vocab, hidden), l.empty(vocab, hidden)
	p := l.random(vocab, hidden)
	d.AdamW(p, grad, m, u, device.AdamWStep{LR: 1e-2, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, T: 1, GradScale: 1})
	keep("AdamW", p, m, u)
	return got
}

// TestThreads: the number of threads, and how small the work is cut, change no bit.
func TestThreads(t *testing.T) {
	for _, level := range kernel.Levels() {
		for _, dtype := range []device.DType{device.F32, device.BF16} {
			if dtype == device.F32 && level == kernel.AVX512BF16 {
				continue // as avx512
			}
			for _, rows := range []int{1, 50, 200} {
				if dtype == device.BF16 && rows > 100 {
					continue
				}
				first := openDevice(t, level.String(), 1)
				first.partWork = 300
				one := everyOp(t, first, rows, dtype)
				for _, threads := range []int{2, 3} {
					d := openDevice(t, level.String(), threads)
					d.minWork, d.partWork = 1, 300
					l := newLab(t, d, 0)
					for name, got := range everyOp(t, d, rows, dtype) {
						l.same(fmt.Sprintf("%v: %s of %d rows in %v on %d threads", level, name, rows, dtype, threads), got, one[name])
					}
				}
			}
		}
	}
}
