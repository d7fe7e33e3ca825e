package devicetest

import (
	"openrs/stages/device"
)

// Tolerances, as a fraction of the largest expected value (at least 1). They leave room for float32
// sums of a few hundred terms in any order and for vectorised exp and log of a few ulp.
const (
	tolExact = 0      // moves values
	tolOnce  = 5e-7   // a few roundings
	tolSum   = 5e-6   // one sum
	tolSoft  = 2e-5   // sums of exponentials of sums
	tolBF16  = 1.5e-2 // where a device may or may not round an operand to bfloat16
)

// Sizes that cross every tile and vector width from below and above.
var (
	someRows  = []int{0, 1, 2, 3, 7, 13, 16, 33}
	someSizes = []int{1, 2, 7, 16, 31, 48, 100, 129}
)

var values = map[string]func(*twin){
	"Memory":            valuesMemory,
	"Embed":             valuesEmbed,
	"RMSNorm":           valuesRMSNorm,
	"MatMul":            valuesMatMul,
	"RoPE":              valuesRoPE,
	"SwiGLU":            valuesSwiGLU,
	"Attention":         valuesAttention,
	"PagedAttention":    valuesPaged,
	"CacheCopy":         valuesCacheCopy,
	"Rows":              valuesRows,
	"LogProbs":          valuesLogProbs,
	"MatMulBackward":    valuesMatMulBackward,
	"RMSNormBackward":   valuesRMSNormBackward,
	"SwiGLUBackward":    valuesSwiGLUBackward,
	"AttentionBackward": valuesAttentionBackward,
	"LogProbsBackward":  valuesLogProbsBackward,
	"Dropout":           valuesDropout,
	"Optimizing":        valuesOptimizing,
}

func valuesMemory(w *twin) {
	d := w.devs[0]
	if d.Name() == "" {
		w.Error("the device has no name")
	}
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		buf, err := d.Alloc(n)
		if err != nil {
			w.Fatalf("alloc of %d: %v", n, err)
		}
		if buf.Len() != n {
			w.Errorf("alloc of %d has length %d", n, buf.Len())
		}
		for i, x := range w.read(device.View(buf, 0, 1, n), 0) {
			if x != 0 {
				w.Fatalf("a new buffer holds %v at %d", x, i)
			}
		}
		fill := make([]float32, n)
		for i := range fill {
			fill[i] = 3
		}
		d.Upload(device.View(buf, 0, 1, n), fill)
		d.Free(buf) // what is allocated next must be zeroed again
	}
	for _, rows := range someRows {
		for _, cols := range someSizes {
			x, y := w.tensor(rows, cols), w.tensor(rows, cols)
			w.both(func(s int, d device.Device) { d.Copy(y.t[s], x.t[s]) })
			w.near("Copy", y, tolExact)
			w.both(func(s int, d device.Device) { d.Zero(x.t[s]) })
			w.near("Zero", x, tolExact)
			v := w.normal(rows * cols)
			w.set(y, v)
			w.equal("Upload and Download", w.got(y), v)
		}
	}
	if err := d.Sync(); err != nil {
		w.Errorf("sync: %v", err)
	}
	for _, dtype := range w.dtypes {
		m := w.weight(33, 20, dtype, true)
		if m[0].Out() != 33 || m[0].In() != 20 || m[0].DType() != dtype || m[0].Bytes() < int64(33*20*dtype.Bytes()) {
			w.Errorf("a 33 × 20 weight of %v says %d × %d %v, %d bytes", dtype, m[0].Out(), m[0].In(), m[0].DType(), m[0].Bytes())
		}
		d.FreeWeight(m[0])
	}
}

func valuesEmbed(w *twin) {
	for _, dtype := range w.dtypes {
		for _, in := range someSizes {
			m := w.weight(37, in, dtype, false)
			for _, rows := range someRows {
				y, ids := w.tensor(rows, in), w.ids(rows, 37)
				w.both(func(s int, d device.Device) { d.Embed(y.t[s], m[s], ids) })
				w.near("Embed "+dtype.String(), y, tolExact)
			}
		}
	}
}

func valuesRMSNorm(w *twin) {
	for _, rows := range someRows {
		for _, cols := range append(someSizes, 1536) {
			x, y, scale := w.tensor(rows, cols), w.tensor(rows, cols), w.dense(1, cols)
			w.both(func(s int, d device.Device) { d.RMSNorm(y.t[s], x.t[s], scale.t[s], 1e-6) })
			w.near("RMSNorm", y, tolSum)
			w.both(func(s int, d device.Device) { d.RMSNorm(x.t[s], x.t[s], scale.t[s], 0.1) })
			w.near("RMSNorm in place", x, tolSum)
		}
	}
}

func valuesMatMul(w *twin) {
	shapes := [][2]int{{1, 1}, {1, 7}, {31, 16}, {32, 33}, {33, 48}, {64, 64}, {65, 100}, {129, 31}, {100, 1537}, {16, 3000}}
	for _, dtype := range w.dtypes {
		for _, shape := range shapes {
			out, in := shape[0], shape[1]
			m := w.weight(out, in, dtype, false)
			for _, rows := range append(someRows, 70) {
				x, y, bias := w.tensor(rows, in), w.tensor(rows, out), w.tensor(1, out)
				w.both(func(s int, d device.Device) { d.MatMul(y.t[s], x.t[s], m[s], device.Tensor{}) })
				w.near(shapeName("MatMul", dtype, shape), y, tolSum)
				w.both(func(s int, d device.Device) { d.MatMul(y.t[s], x.t[s], m[s], bias.t[s]) })
				w.near(shapeName("MatMul with bias", dtype, shape), y, tolSum)
				w.both(func(s int, d device.Device) { d.MatMulAdd(y.t[s], x.t[s], m[s]) })
				w.near(shapeName("MatMulAdd", dtype, shape), y, tolSum)
			}
		}
	}
}

func valuesRoPE(w *twin) {
	for _, headDim := range []int{2, 6, 12, 16, 32, 64, 128} {
		table := w.ropeTable(50, headDim)
		for _, heads := range []int{1, 3, 4} {
			for _, rows := range someRows {
				x, pos := w.tensor(rows, heads*headDim), w.ids(rows, 50)
				w.both(func(s int, d device.Device) { d.RoPE(x.t[s], headDim, table.t[s], pos, false) })
				w.near("RoPE", x, tolOnce)
				w.both(func(s int, d device.Device) { d.RoPE(x.t[s], headDim, table.t[s], pos, true) })
				w.near("inverse RoPE", x, 2*tolOnce)
			}
		}
	}
}

func valuesSwiGLU(w *twin) {
	for _, rows := range someRows {
		for _, cols := range someSizes {
			x, y := w.tensor(rows, 2*cols), w.tensor(rows, cols)
			w.both(func(s int, d device.Device) { d.Scale(x.t[s], 4); d.SwiGLU(y.t[s], x.t[s]) })
			w.near("SwiGLU", y, tolOnce)
		}
	}
	// Far ends: no overflow, no NaN.
	x, y := w.set(w.dense(1, 12), []float32{-200, -88, -30, 30, 88, 200, 1, 1, 1, 1, 1, 1}), w.dense(1, 6)
	w.both(func(s int, d device.Device) { d.SwiGLU(y.t[s], x.t[s]) })
	w.near("SwiGLU of large values", y, tolOnce)
}

// attentionInputs are q, k, v views of one fused buffer, as the model has them.
func (w *twin) attentionInputs(rows int, s device.AttentionShape) (q, k, v pair) {
	nq, nkv := s.Heads*s.HeadDim, s.KVHeads*s.HeadDim
	all := w.tensor(rows, nq+2*nkv)
	part := func(from, to int) pair {
		p := all
		for i := range p.t {
			p.t[i] = all.t[i].ColRange(from, to)
		}
		return p
	}
	return part(0, nq), part(nq, nq+nkv), part(nq+nkv, nq+2*nkv)
}

func valuesAttention(w *twin) {
	for _, shape := range headShapes() {
		for _, c := range attentionCases {
			q, k, v := w.attentionInputs(c.rows, shape)
			out, lse := w.tensor(c.rows, shape.Heads*shape.HeadDim), w.tensor(c.rows, shape.Heads)
			w.both(func(s int, d device.Device) { d.Attention(out.t[s], lse.t[s], q.t[s], k.t[s], v.t[s], shape, c.segs) })
			w.near(shapeName("Attention", c.name, shape), out, tolSoft)
			w.near(shapeName("lse of Attention", c.name, shape), lse, tolSoft)
			w.both(func(s int, d device.Device) {
				d.Zero(out.t[s])
				d.Attention(out.t[s], device.Tensor{}, q.t[s], k.t[s], v.t[s], shape, c.segs)
			})
			w.near(shapeName("Attention without lse", c.name, shape), out, tolSoft)
		}
	}
}

// caches makes an empty cache on both devices.
func (w *twin) caches(cfg device.CacheConfig) [2]device.Cache {
	var c [2]device.Cache
	w.both(func(s int, d device.Device) {
		var err error
		if c[s], err = d.NewCache(cfg); err != nil {
			w.Fatalf("new cache %+v: %v", cfg, err)
		}
	})
	if c[0].Config() != cfg {
		w.Fatalf("a cache of %+v says %+v", cfg, c[0].Config())
	}
	return c
}

// slots returns the slots of positions [from, to) of a sequence that has pages.
func slots(pages []int32, pageSize, from, to int) []int32 {
	var v []int32
	for p := from; p < to; p++ {
		v = append(v, pages[p/pageSize]*int32(pageSize)+int32(p%pageSize))
	}
	return v
}

// pagesFor deals shuffled pages to sequences of the given lengths.
func (w *twin) pagesFor(lengths []int, pageSize int) (pages [][]int32, total int) {
	for _, n := range lengths {
		total += (n + pageSize - 1) / pageSize
	}
	total += 2
	perm := w.rng.Perm(total)
	for _, n := range lengths {
		var p []int32
		for range (n + pageSize - 1) / pageSize {
			p = append(p, int32(perm[0]))
			perm = perm[1:]
		}
		pages = append(pages, p)
	}
	return pages, total
}

func valuesPaged(w *twin) {
	for _, shape := range headShapes() {
		for _, pageSize := range []int{device.KeyBlock, 2 * device.KeyBlock} {
			starts, lens := []int{0, 0, 31, 32, 100, 5}, []int{1, 40, 1, 2, 33, 0}
			total := make([]int, len(starts))
			for i := range starts {
				total[i] = starts[i] + lens[i]
			}
			pages, n := w.pagesFor(total, pageSize)
			cfg := device.CacheConfig{Layers: 2, KVHeads: shape.KVHeads, HeadDim: shape.HeadDim, Pages: n, PageSize: pageSize}
			c := w.caches(cfg)
			var seqs []device.PagedSeq
			rows := 0
			for i := range starts {
				k, v := w.tensor(total[i], shape.KVHeads*shape.HeadDim), w.tensor(total[i], shape.KVHeads*shape.HeadDim)
				at := slots(pages[i], pageSize, 0, total[i])
				w.both(func(s int, d device.Device) {
					d.CacheWrite(c[s], 1, k.t[s], v.t[s], at)
					d.CacheWrite(c[s], 0, v.t[s], k.t[s], at)
				})
				seqs = append(seqs, device.PagedSeq{Row: rows, Len: lens[i], Start: starts[i], Pages: pages[i]})
				rows += lens[i]
			}
			for layer := range 2 {
				q, out := w.tensor(rows, shape.Heads*shape.HeadDim), w.tensor(rows, shape.Heads*shape.HeadDim)
				w.both(func(s int, d device.Device) { d.PagedAttention(out.t[s], q.t[s], c[s], layer, shape, seqs) })
				w.near(shapeName("PagedAttention", shape, "pages of", pageSize), out, tolSoft)
			}
			w.both(func(s int, d device.Device) { d.FreeCache(c[s]) })
		}
	}
}

func valuesCacheCopy(w *twin) {
	shape := device.AttentionShape{Heads: 4, KVHeads: 2, HeadDim: 20, Scale: 0.2}
	cfg := device.CacheConfig{Layers: 3, KVHeads: 2, HeadDim: 20, Pages: 3, PageSize: 32}
	c := w.caches(cfg)
	if min := int64(4 * 2 * 3 * 2 * 20 * 3 * 32 / 2); c[0].Bytes() < min {
		w.Errorf("the cache says it takes %d bytes, at least %d", c[0].Bytes(), min)
	}
	for layer := range cfg.Layers {
		k, v := w.tensor(32, 40), w.tensor(32, 40)
		w.both(func(s int, d device.Device) { d.CacheWrite(c[s], layer, k.t[s], v.t[s], slots([]int32{2}, 32, 0, 32)) })
	}
	w.both(func(s int, d device.Device) { d.CacheCopy(c[s], 2, 0) })
	for layer := range cfg.Layers {
		q, out := w.tensor(2, 80), w.tensor(2, 80)
		seqs := []device.PagedSeq{{Row: 0, Len: 1, Start: 31, Pages: []int32{0}}, {Row: 1, Len: 1, Start: 20, Pages: []int32{2}}}
		w.both(func(s int, d device.Device) { d.PagedAttention(out.t[s], q.t[s], c[s], layer, shape, seqs) })
		w.near("PagedAttention over a copied page", out, tolSoft)
	}
}

func valuesRows(w *twin) {
	for _, rows := range someRows {
		for _, cols := range someSizes {
			x, y, at := w.tensor(20, cols), w.tensor(rows, cols), w.ids(rows, 20)
			w.both(func(s int, d device.Device) { d.GatherRows(y.t[s], x.t[s], at) })
			w.near("GatherRows", y, tolExact)
			w.both(func(s int, d device.Device) { d.ScatterAddRows(x.t[s], y.t[s], at) })
			w.near("ScatterAddRows", x, tolExact)
			w.both(func(s int, d device.Device) { d.EmbedGrad(x.t[s], y.t[s], at) })
			w.near("EmbedGrad", x, tolExact)
		}
	}
}

// vocabularies are sizes around the chunk and the tile.
func vocabularies() []int {
	if underRace {
		return []int{1, 199, device.VocabChunk + 1}
	}
	return []int{1, 2, 7, 199, device.VocabChunk - 1, device.VocabChunk, device.VocabChunk + 1, 2*device.VocabChunk + 77}
}

func valuesLogProbs(w *twin) {
	for _, dtype := range w.dtypes {
		for _, vocab := range vocabularies() {
			m := w.weight(vocab, 33, dtype, false)
			for _, rows := range []int{0, 1, 5, 14} {
				h, targets, temp := w.tensor(rows, 33), w.ids(rows, vocab), w.temperatures(rows)
				logp, lse, ent := w.tensor(rows, 1), w.tensor(rows, 1), w.tensor(rows, 1)
				w.both(func(s int, d device.Device) { d.LogProbs(logp.t[s], lse.t[s], ent.t[s], h.t[s], m[s], targets, temp) })
				name := shapeName("LogProbs", dtype, "vocabulary", vocab)
				w.near(name, logp, tolSoft)
				w.near("lse of "+name, lse, tolSoft)
				w.near("entropy of "+name, ent, tolSoft)
				w.both(func(s int, d device.Device) {
					d.Zero(logp.t[s])
					d.LogProbs(logp.t[s], device.Tensor{}, device.Tensor{}, h.t[s], m[s], targets, temp)
				})
				w.near(name+" alone", logp, tolSoft)
			}
		}
	}
	// A distribution that is nearly certain has an entropy near zero, not NaN.
	spread := w.set(w.dense(3, 2), []float32{500, 0, 0, 500, -500, 1})
	m, h := w.pack(spread, device.F32, false), w.set(w.dense(2, 2), []float32{1, 0, 0.5, 0.5})
	logp, ent := w.dense(2, 1), w.dense(2, 1)
	w.both(func(s int, d device.Device) {
		d.LogProbs(logp.t[s], device.Tensor{}, ent.t[s], h.t[s], m[s], []int32{2, 1}, []float32{1, 0.5})
	})
	w.near("LogProbs of far logits", logp, tolSoft)
	w.near("entropy of far logits", ent, tolSoft)
}
