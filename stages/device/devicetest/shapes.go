package devicetest

import (
	"fmt"
	"strings"
	"testing"

	"openrs/stages/device"
)

// misuse is a call that a device must refuse with a panic that names the operation.
type misuse struct {
	op, why string
	call    func(d device.Device, k kit)
}

// kit holds well-formed arguments.
type kit struct {
	t     func(rows, cols int) device.Tensor
	w     device.Weight // 6 × 4, with grad
	plain device.Weight // 6 × 4, without grad
	cache device.Cache  // 2 layers, 1 head of 4, 3 pages of KeyBlock
}

func runShapes(t *testing.T, open func(t *testing.T) device.Device) {
	var none device.Tensor
	shape := device.AttentionShape{Heads: 2, KVHeads: 1, HeadDim: 4, Scale: 1}
	paged := []device.PagedSeq{{Len: 3, Pages: []int32{1}}}
	ones := func(n int) []float32 { return make([]float32, n) }
	for _, m := range []misuse{
		{"Upload", "too few values", func(d device.Device, k kit) { d.Upload(k.t(2, 3), ones(5)) }},
		{"Download", "too many values", func(d device.Device, k kit) { _ = d.Download(ones(7), k.t(2, 3)) }},
		{"Copy", "other shape", func(d device.Device, k kit) { d.Copy(k.t(2, 3), k.t(3, 2)) }},
		{"Pack", "other shape", func(d device.Device, k kit) { d.Pack(k.w, k.t(4, 6)) }},
		{"Embed", "too few ids", func(d device.Device, k kit) { d.Embed(k.t(2, 4), k.w, []int32{0}) }},
		{"Embed", "id too large", func(d device.Device, k kit) { d.Embed(k.t(1, 4), k.w, []int32{6}) }},
		{"Embed", "negative id", func(d device.Device, k kit) { d.Embed(k.t(1, 4), k.w, []int32{-1}) }},
		{"RMSNorm", "columns", func(d device.Device, k kit) { d.RMSNorm(k.t(2, 4), k.t(2, 3), k.t(1, 4), 1) }},
		{"RMSNorm", "weight", func(d device.Device, k kit) { d.RMSNorm(k.t(2, 4), k.t(2, 4), k.t(1, 3), 1) }},
		{"MatMul", "columns of x", func(d device.Device, k kit) { d.MatMul(k.t(2, 6), k.t(2, 5), k.w, none) }},
		{"MatMul", "columns of y", func(d device.Device, k kit) { d.MatMul(k.t(2, 5), k.t(2, 4), k.w, none) }},
		{"MatMul", "rows", func(d device.Device, k kit) { d.MatMul(k.t(3, 6), k.t(2, 4), k.w, none) }},
		{"MatMul", "bias", func(d device.Device, k kit) { d.MatMul(k.t(2, 6), k.t(2, 4), k.w, k.t(1, 5)) }},
		{"MatMul", "view that leaves its buffer", func(d device.Device, k kit) {
			x := k.t(2, 4)
			x.Rows = 3
			d.MatMul(k.t(3, 6), x, k.w, none)
		}},
		{"MatMulAdd", "rows", func(d device.Device, k kit) { d.MatMulAdd(k.t(3, 6), k.t(2, 4), k.w) }},
		{"RoPE", "odd head", func(d device.Device, k kit) { d.RoPE(k.t(1, 6), 3, k.t(4, 3), []int32{0}, false) }},
		{"RoPE", "columns", func(d device.Device, k kit) { d.RoPE(k.t(1, 6), 4, k.t(4, 4), []int32{0}, false) }},
		{"RoPE", "position", func(d device.Device, k kit) { d.RoPE(k.t(1, 4), 4, k.t(4, 4), []int32{4}, false) }},
		{"SwiGLU", "columns", func(d device.Device, k kit) { d.SwiGLU(k.t(2, 4), k.t(2, 4)) }},
		{"Attention", "columns of q", func(d device.Device, k kit) {
			d.Attention(k.t(3, 8), none, k.t(3, 7), k.t(3, 4), k.t(3, 4), shape, []device.Segment{{Len: 3}})
		}},
		{"Attention", "segment past the rows", func(d device.Device, k kit) {
			d.Attention(k.t(3, 8), none, k.t(3, 8), k.t(3, 4), k.t(3, 4), shape, []device.Segment{{Row: 1, Len: 3}})
		}},
		{"Attention", "prefix past the rows", func(d device.Device, k kit) {
			d.Attention(k.t(3, 8), none, k.t(3, 8), k.t(3, 4), k.t(3, 4), shape, []device.Segment{{Row: 2, Len: 1, PrefixRow: 2, PrefixLen: 2}})
		}},
		{"Attention", "heads", func(d device.Device, k kit) {
			d.Attention(k.t(3, 12), none, k.t(3, 12), k.t(3, 8), k.t(3, 8), device.AttentionShape{Heads: 3, KVHeads: 2, HeadDim: 4, Scale: 1}, []device.Segment{{Len: 3}})
		}},
		{"GatherRows", "row", func(d device.Device, k kit) { d.GatherRows(k.t(1, 4), k.t(3, 4), []int32{3}) }},
		{"LogProbs", "target", func(d device.Device, k kit) {
			d.LogProbs(k.t(1, 1), none, none, k.t(1, 4), k.w, []int32{6}, ones(1))
		}},
		{"LogProbs", "temperatures", func(d device.Device, k kit) {
			d.LogProbs(k.t(1, 1), none, none, k.t(1, 4), k.w, []int32{1}, ones(2))
		}},
		{"CacheWrite", "slot", func(d device.Device, k kit) {
			d.CacheWrite(k.cache, 0, k.t(1, 4), k.t(1, 4), []int32{3 * device.KeyBlock})
		}},
		{"CacheWrite", "layer", func(d device.Device, k kit) { d.CacheWrite(k.cache, 2, k.t(1, 4), k.t(1, 4), []int32{0}) }},
		{"CacheWrite", "width", func(d device.Device, k kit) { d.CacheWrite(k.cache, 0, k.t(1, 5), k.t(1, 5), []int32{0}) }},
		{"CacheCopy", "page", func(d device.Device, k kit) { d.CacheCopy(k.cache, 0, 3) }},
		{"PagedAttention", "too few pages", func(d device.Device, k kit) {
			d.PagedAttention(k.t(3, 8), k.t(3, 8), k.cache, 0, shape, []device.PagedSeq{{Len: 3, Start: device.KeyBlock - 1, Pages: []int32{1}}})
		}},
		{"PagedAttention", "page", func(d device.Device, k kit) {
			d.PagedAttention(k.t(3, 8), k.t(3, 8), k.cache, 0, shape, []device.PagedSeq{{Len: 3, Pages: []int32{3}}})
		}},
		{"PagedAttention", "rows", func(d device.Device, k kit) { d.PagedAttention(k.t(2, 8), k.t(2, 8), k.cache, 0, shape, paged) }},
		{"Sample", "parameters", func(d device.Device, k kit) {
			_ = d.Sample(k.t(2, 5), make([]device.Sampling, 1), make([]int32, 2), ones(2))
		}},
		{"MatMulBackward", "a weight without grad", func(d device.Device, k kit) { d.MatMulBackward(k.t(2, 4), k.t(2, 6), k.plain, false) }},
		{"MatMulBackward", "columns", func(d device.Device, k kit) { d.MatMulBackward(k.t(2, 6), k.t(2, 4), k.w, false) }},
		{"WeightGrad", "shape of dw", func(d device.Device, k kit) { d.WeightGrad(k.t(4, 6), k.t(2, 6), k.t(2, 4), device.F32) }},
		{"WeightGrad", "rows", func(d device.Device, k kit) { d.WeightGrad(k.t(6, 4), k.t(2, 6), k.t(3, 4), device.F32) }},
		{"BiasGrad", "columns", func(d device.Device, k kit) { d.BiasGrad(k.t(1, 5), k.t(2, 6)) }},
		{"RMSNormBackward", "weight", func(d device.Device, k kit) {
			d.RMSNormBackward(k.t(2, 4), k.t(1, 4), k.t(2, 4), k.t(2, 4), k.t(1, 3), 1, false)
		}},
		{"RMSNormBackward", "shape of dw", func(d device.Device, k kit) {
			d.RMSNormBackward(k.t(2, 4), k.t(1, 5), k.t(2, 4), k.t(2, 4), k.t(1, 4), 1, false)
		}},
		{"SwiGLUBackward", "columns", func(d device.Device, k kit) { d.SwiGLUBackward(k.t(2, 4), k.t(2, 4), k.t(2, 4)) }},
		{"AttentionBackward", "shape of dk", func(d device.Device, k kit) {
			d.AttentionBackward(k.t(3, 8), k.t(3, 8), k.t(3, 4), k.t(3, 8), k.t(3, 8), k.t(3, 2), k.t(3, 8), k.t(3, 4), k.t(3, 4), shape, []device.Segment{{Len: 3}})
		}},
		{"ScatterAddRows", "row", func(d device.Device, k kit) { d.ScatterAddRows(k.t(3, 4), k.t(1, 4), []int32{3}) }},
		{"LogProbsBackward", "shape of dw", func(d device.Device, k kit) {
			d.LogProbsBackward(k.t(1, 4), k.t(4, 6), k.t(1, 1), k.t(1, 1), k.t(1, 4), k.w, []int32{1}, ones(1), false)
		}},
		{"EmbedGrad", "id", func(d device.Device, k kit) { d.EmbedGrad(k.t(6, 4), k.t(1, 4), []int32{6}) }},
		{"Dropout", "shape", func(d device.Device, k kit) { d.Dropout(k.t(2, 4), k.t(2, 3), 0.1, 1, make([]int32, 2), false) }},
		{"Dropout", "numbers of rows", func(d device.Device, k kit) { d.Dropout(k.t(2, 4), k.t(2, 4), 0.1, 1, make([]int32, 3), false) }},
		{"Dropout", "everything", func(d device.Device, k kit) { d.Dropout(k.t(2, 4), k.t(2, 4), 1, 1, make([]int32, 2), false) }},
		{"AdamW", "shape of m", func(d device.Device, k kit) {
			d.AdamW(k.t(1, 4), k.t(1, 4), k.t(1, 5), k.t(1, 4), device.AdamWStep{T: 1})
		}},
	} {
		t.Run(m.op+"/"+m.why, func(t *testing.T) {
			d := open(t)
			defer d.Close()
			k := newKit(t, d)
			defer func() {
				got := recover()
				if got == nil {
					t.Fatalf("%s accepted a wrong shape (%s)", m.op, m.why)
				}
				if msg := fmt.Sprint(got); !strings.Contains(strings.ToLower(msg), strings.ToLower(m.op)) {
					t.Errorf("the panic does not name %s: %s", m.op, msg)
				}
			}()
			m.call(d, k)
			_ = d.Sync()
		})
	}
	t.Run("NewCache/page size", func(t *testing.T) {
		d := open(t)
		defer d.Close()
		if _, err := d.NewCache(device.CacheConfig{Layers: 1, KVHeads: 1, HeadDim: 4, Pages: 1, PageSize: device.KeyBlock + 1}); err == nil {
			t.Errorf("NewCache accepted pages of %d, no multiple of %d", device.KeyBlock+1, device.KeyBlock)
		}
	})
}

func newKit(t *testing.T, d device.Device) kit {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	k := kit{t: func(rows, cols int) device.Tensor {
		buf, err := d.Alloc(rows * cols)
		must(err)
		return device.View(buf, 0, rows, cols)
	}}
	var err error
	k.w, err = d.NewWeight(6, 4, device.F32, true)
	must(err)
	k.plain, err = d.NewWeight(6, 4, device.F32, false)
	must(err)
	k.cache, err = d.NewCache(device.CacheConfig{Layers: 2, KVHeads: 1, HeadDim: 4, Pages: 3, PageSize: device.KeyBlock})
	must(err)
	return k
}
