//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/devicetest"
)

// Attention in either data type, of sequences of more than one chunk of keys, beside the plain reference. Package devicetest
// has shorter ones, and float32 only.

var attentionTypes = []device.DType{device.F32, device.BF16}

var attentionShapes = []device.AttentionShape{
	{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.18},
	{Heads: 6, KVHeads: 1, HeadDim: 64, Scale: 0.125},
	{Heads: 2, KVHeads: 2, HeadDim: 128, Scale: 0.09},
	{Heads: 20, KVHeads: 1, HeadDim: 20, Scale: 0.2},
}

// pairOf is the same values on the device and on the reference.
type pairOf struct{ dev, ref device.Tensor }

type attentionTest struct {
	*testing.T
	dev *Device
	ref device.Device
	rng *rand.Rand
}

func newAttentionTest(t *testing.T, dtype device.DType) *attentionTest {
	ref := devicetest.NewReference()
	t.Cleanup(func() { ref.Close() })
	return &attentionTest{t, openDevice(t, Options{Attention: dtype}), ref, rand.New(rand.NewPCG(5, 7))}
}

// tensor returns rows × cols values that bfloat16 can hold, with a gap between rows.
func (a *attentionTest) tensor(rows, cols int) pairOf {
	a.Helper()
	const gap, offset = 3, 1
	values := make([]float32, rows*cols)
	for i := range values {
		values[i] = rounded(float32(a.rng.NormFloat64()))
	}
	var p pairOf
	for _, side := range []struct {
		device.Device
		t *device.Tensor
	}{{a.dev, &p.dev}, {a.ref, &p.ref}} {
		buf, err := side.Alloc(offset + rows*(cols+gap))
		if err != nil {
			a.Fatal(err)
		}
		*side.t = device.Tensor{Buf: buf, Offset: offset, Rows: rows, Cols: cols, Stride: cols + gap}
		side.Upload(*side.t, values)
	}
	return p
}

// rounded is x to the nearest bfloat16, ties to even.
func rounded(x float32) float32 {
	b := math.Float32bits(x)
	return math.Float32frombits((b + 0x7fff + b>>16&1) &^ 0xffff)
}

func (a *attentionTest) read(d device.Device, t device.Tensor) []float32 {
	a.Helper()
	values := make([]float32, t.Len())
	if err := d.Download(values, t); err != nil {
		a.Fatal(err)
	}
	return values
}

// near fails unless all values are within tol of the reference's, relative to the largest of those (at least 1).
func (a *attentionTest) near(what string, p pairOf, tol float64) {
	a.Helper()
	got, want := a.read(a.dev, p.dev), a.read(a.ref, p.ref)
	scale, worst, at := 1.0, 0.0, 0
	for _, x := range want {
		scale = max(scale, math.Abs(float64(x)))
	}
	for i := range want {
		if d := math.Abs(float64(got[i]) - float64(want[i])); !(d <= worst) {
			worst, at = d, i
		}
	}
	a.Logf("%s: off by at most %.2g", what, worst/scale)
	if !(worst <= tol*scale) {
		a.Errorf("%s: value %d of %d is %v, want %v", what, at, len(want), got[at], want[at])
	}
}

// equal fails unless the bits agree.
func (a *attentionTest) equal(what string, got, want []float32) {
	a.Helper()
	if len(got) != len(want) {
		a.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			a.Fatalf("%s: value %d of %d is %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}

func forAttention(t *testing.T, f func(a *attentionTest, shape device.AttentionShape, dtype device.DType)) {
	for _, dtype := range attentionTypes {
		for _, shape := range attentionShapes {
			t.Run(fmt.Sprintf("%v/%d over %d of %d", dtype, shape.Heads, shape.KVHeads, shape.HeadDim), func(t *testing.T) {
				f(newAttentionTest(t, dtype), shape, dtype)
			})
		}
	}
}

// A group of long sequences with a shared prompt, alone and packed, cached and not.
func TestLongAttention(t *testing.T) {
	forAttention(t, func(a *attentionTest, shape device.AttentionShape, dtype device.DType) {
		const prompt, long, rows = 270, 290, 270 + 290 + 33
		wide, narrow := shape.Heads*shape.HeadDim, shape.KVHeads*shape.HeadDim
		q, k, v := a.tensor(rows, wide), a.tensor(rows, narrow), a.tensor(rows, narrow)
		out, lse := a.tensor(rows, wide), a.tensor(rows, shape.Heads)
		segs := []device.Segment{
			{Len: prompt}, {Row: prompt, Len: long, PrefixLen: prompt}, {Row: prompt + long, Len: 33, PrefixLen: prompt},
		}
		a.ref.Attention(out.ref, lse.ref, q.ref, k.ref, v.ref, shape, segs)
		a.dev.Attention(out.dev, lse.dev, q.dev, k.dev, v.dev, shape, segs)
		// In bfloat16 the probabilities are rounded, to 2⁻⁹ of each, and their sum is not.
		tol := map[device.DType]float64{device.F32: 2e-6, device.BF16: 4e-3}[dtype]
		a.near("out", out, tol)
		a.near("lse", lse, 2e-6)
		want := a.read(a.dev, out.dev)[:(prompt+long)*wide]

		// The same sequence through the cache, with pages in any order, whatever the cut into calls: few rows, whose chunks of
		// keys are done apart, and many.
		const pageSize = 2 * device.KeyBlock
		pages := []int32{9, 2, 5, 0, 7, 1, 8, 3, 6}
		cache, err := a.dev.NewCache(device.CacheConfig{Layers: 2, KVHeads: shape.KVHeads, HeadDim: shape.HeadDim, Pages: 10, PageSize: pageSize})
		if err != nil {
			a.Fatal(err)
		}
		var slots []int32
		for i := range prompt + long {
			slots = append(slots, pages[i/pageSize]*pageSize+int32(i%pageSize))
		}
		// What a page held before is never seen, not even if it is NaN.
		junk := a.tensor(10*pageSize, narrow)
		nan := slices.Repeat([]float32{float32(math.NaN())}, 10*pageSize*narrow)
		a.dev.Upload(junk.dev, nan)
		var all []int32
		for i := range int32(10 * pageSize) {
			all = append(all, i)
		}
		for layer := range 2 {
			a.dev.CacheWrite(cache, layer, junk.dev, junk.dev, all)
		}
		a.dev.CacheWrite(cache, 1, k.dev.RowRange(0, prompt+long), v.dev.RowRange(0, prompt+long), slots)
		var seqs []device.PagedSeq
		at := 0
		for _, s := range [][2]int{{0, 1}, {255, 1}, {256, 1}, {257, 2}, {300, 20}, {511, 1}, {512, 1}, {515, 3}, {559, 1}, {400, 160}, {0, 0}, {13, 70}} {
			seqs = append(seqs, device.PagedSeq{Row: at, Start: s[0], Len: s[1], Pages: pages})
			at += s[1]
		}
		qs, outs := a.tensor(at, wide), a.tensor(at, wide)
		for _, s := range seqs {
			a.dev.Copy(qs.dev.RowRange(s.Row, s.Row+s.Len), q.dev.RowRange(s.Start, s.Start+s.Len))
		}
		a.dev.PagedAttention(outs.dev, qs.dev, cache, 1, shape, seqs)
		got := a.read(a.dev, outs.dev)
		for _, s := range seqs {
			a.equal(fmt.Sprintf("%d paged rows from position %d", s.Len, s.Start), got[s.Row*wide:(s.Row+s.Len)*wide], want[s.Start*wide:(s.Start+s.Len)*wide])
		}
		// A page that is copied serves as well as the page itself.
		a.dev.CacheCopy(cache, pages[4], 4)
		moved := slices.Clone(pages)
		moved[4] = 4
		one := []device.PagedSeq{{Len: 1, Start: 559, Pages: moved}}
		a.dev.PagedAttention(outs.dev.RowRange(0, 1), q.dev.RowRange(559, 560), cache, 1, shape, one)
		a.equal("with a copied page", a.read(a.dev, outs.dev.RowRange(0, 1)), want[559*wide:])
	})
}

// Gradients of groups, whose prompts are more than one tile of keys, beside the reference; and again with the same bits.
func TestLongAttentionBackward(t *testing.T) {
	forAttention(t, func(a *attentionTest, shape device.AttentionShape, dtype device.DType) {
		const prompt, first, second, other = 140, 150, 30, 45
		const rows = prompt + first + second + other
		wide, narrow := shape.Heads*shape.HeadDim, shape.KVHeads*shape.HeadDim
		q, k, v := a.tensor(rows, wide), a.tensor(rows, narrow), a.tensor(rows, narrow)
		out, lse, dout := a.tensor(rows, wide), a.tensor(rows, shape.Heads), a.tensor(rows, wide)
		dq, dk, dv := a.tensor(rows, wide), a.tensor(rows, narrow), a.tensor(rows, narrow)
		segs := []device.Segment{
			{Len: prompt}, {Row: prompt, Len: first, PrefixLen: prompt}, {Row: prompt + first, Len: second, PrefixLen: prompt},
			{Row: prompt + first + second, Len: other},
		}
		a.ref.Attention(out.ref, lse.ref, q.ref, k.ref, v.ref, shape, segs)
		a.ref.AttentionBackward(dq.ref, dk.ref, dv.ref, dout.ref, out.ref, lse.ref, q.ref, k.ref, v.ref, shape, segs)
		var before [][]float32
		for range 2 {
			a.dev.Attention(out.dev, lse.dev, q.dev, k.dev, v.dev, shape, segs)
			a.dev.AttentionBackward(dq.dev, dk.dev, dv.dev, dout.dev, out.dev, lse.dev, q.dev, k.dev, v.dev, shape, segs)
			now := [][]float32{a.read(a.dev, dq.dev), a.read(a.dev, dk.dev), a.read(a.dev, dv.dev)}
			for i := range before {
				a.equal("again", now[i], before[i])
			}
			before = now
		}
		tol := map[device.DType]float64{device.F32: 4e-6, device.BF16: 6e-3}[dtype]
		a.near("dq", dq, tol)
		a.near("dk", dk, tol)
		a.near("dv", dv, tol)
	})
}

// A slot that is written twice in one call holds what came last.
func TestCacheWriteTwice(t *testing.T) {
	for _, dtype := range attentionTypes {
		a := newAttentionTest(t, dtype)
		cache, err := a.dev.NewCache(device.CacheConfig{Layers: 1, KVHeads: 1, HeadDim: 8, Pages: 1, PageSize: device.KeyBlock})
		if err != nil {
			t.Fatal(err)
		}
		shape := device.AttentionShape{Heads: 1, KVHeads: 1, HeadDim: 8, Scale: 1}
		kv, q, out := a.tensor(40, 8), a.tensor(1, 8), a.tensor(1, 8)
		a.dev.CacheWrite(cache, 0, kv.dev, kv.dev, make([]int32, 40))
		a.dev.PagedAttention(out.dev, q.dev, cache, 0, shape, []device.PagedSeq{{Len: 1, Pages: []int32{0}}})
		a.equal(dtype.String(), a.read(a.dev, out.dev), a.read(a.dev, kv.dev.RowRange(39, 40)))
	}
}
