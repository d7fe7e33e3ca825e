//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
)

// view of random values in the middle of a buffer, with a gap between rows.
func gapped(t *testing.T, d *Device, rng *rand.Rand, rows, cols, gap, offset int) (device.Tensor, []float32) {
	t.Helper()
	buf, err := d.Alloc(offset + rows*(cols+gap) + 7)
	if err != nil {
		t.Fatal(err)
	}
	x := device.Tensor{Buf: buf, Offset: offset, Rows: rows, Cols: cols, Stride: cols + gap}
	values := make([]float32, x.Len())
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	d.Upload(x, values)
	return x, values
}

// enters is v as products of dtype read it.
func enters(v float32, dtype device.DType) float64 {
	if dtype == device.F32 {
		return float64(v)
	}
	u := math.Float32bits(v)
	return float64(math.Float32frombits((u + 0x7fff + u>>16&1) &^ 0xffff))
}

// formCase is a product that is computed with every tile of its form.
type formCase struct{ m, n, k int }

// plain is Σ_k A[m][k]·B[n][k] for C[n][m] and what is added, in float64; a and b say where an element is.
func (c formCase) plain(dtype device.DType, a, b func(row, k int) float32, more func(n, m int) float32) []float64 {
	left, right := make([]float64, c.m*c.k), make([]float64, c.n*c.k)
	for k := range c.k {
		for m := range c.m {
			left[m*c.k+k] = enters(a(m, k), dtype)
		}
		for n := range c.n {
			right[n*c.k+k] = enters(b(n, k), dtype)
		}
	}
	out := make([]float64, c.n*c.m)
	for n := range c.n {
		for m := range c.m {
			sum := float64(more(n, m))
			for k := range c.k {
				sum += left[m*c.k+k] * right[n*c.k+k]
			}
			out[n*c.m+m] = sum
		}
	}
	return out
}

// Every tile of a form computes the same bits, and about the values of plain loops, at sizes that end within a tile.
func TestTiles(t *testing.T) {
	d := openDevice(t, Options{})
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		for f, name := range []string{"forward", "backward", "gradient"} {
			tiles := tilesBF16[f]
			if dtype == device.F32 {
				tiles = tilesF32[f]
			}
			for _, c := range []formCase{{133, 261, 75}, {64, 64, 128}, {9, 3, 1}, {5, 130, 33}, {70, 17, 400}} {
				t.Run(fmt.Sprint(name, dtype, c), func(t *testing.T) {
					var first []float32
					for _, tile := range tiles {
						got := d.multiply(t, form(f), dtype, tile, c)
						if first == nil {
							first = got
						}
						if i := slices.IndexFunc(got, func(v float32) bool { return v != v }); i >= 0 {
							t.Fatalf("%s: element [%d,%d] is not a number", tile.kernel, i/c.m, i%c.m)
						}
						if !slices.Equal(got, first) {
							t.Errorf("%s and %s give different bits", tile.kernel, tiles[0].kernel)
						}
					}
				})
			}
		}
	}
}

// multiply runs one product on one tile, checks it against plain loops, and returns C.
func (d *Device) multiply(t *testing.T, f form, dtype device.DType, tile gemmTile, c formCase) []float32 {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(c.m), uint64(c.k)))
	g := gemm{m: c.m, n: c.n, k: c.k}
	var a, b func(row, k int) float32
	along := func(v []float32) func(row, k int) float32 { return func(row, k int) float32 { return v[row*c.k+k] } }
	d.begin("test")
	shapeA, shapeB := [2]int{c.m, c.k}, [2]int{c.n, c.k}
	if f != forward {
		shapeA = [2]int{c.k, c.m}
	}
	if f == gradient {
		shapeB = [2]int{c.k, c.n}
	}
	ta, va := gapped(t, d, rng, shapeA[0], shapeA[1], 3, 1)
	tb, vb := gapped(t, d, rng, shapeB[0], shapeB[1], 5, 2)
	tc, vc := gapped(t, d, rng, c.n, c.m, 1, 3)
	a, b = along(va), along(vb)
	if f != forward {
		a = func(row, k int) float32 { return va[k*c.m+row] }
	}
	if f == gradient {
		b = func(row, k int) float32 { return vb[k*c.n+row] }
	}
	g.c = d.view("test", "c", tc)
	g.a, g.lda = d.entering(&operand{matrix: d.view("test", "a", ta)}, dtype)
	g.b, g.ldb = d.entering(&operand{matrix: d.view("test", "b", tb)}, dtype)
	g.add = map[form]int{backward: addAfter, gradient: startThere}[f]
	d.gemm(tile, g)
	got := make([]float32, tc.Len())
	if err := d.Download(got, tc); err != nil {
		t.Fatal(err)
	}
	want := c.plain(dtype, a, b, func(n, m int) float32 {
		if f == forward {
			return 0
		}
		return vc[n*c.m+m]
	})
	checkNear(t, tile.kernel, got, want, c)
	for _, x := range []device.Tensor{ta, tb, tc} {
		d.Free(x.Buf)
	}
	return got
}

func checkNear(t *testing.T, what string, got []float32, want []float64, c formCase) {
	t.Helper()
	for i, v := range want {
		if off := math.Abs(float64(got[i]) - v); !(off <= 2e-6*math.Sqrt(float64(c.k))*8) {
			t.Fatalf("%s: element [%d,%d] is %v, want %v", what, i/c.m, i%c.m, got[i], v)
		}
	}
}

// The kernels for few rows give the bits of the others, with and without bias, and may be used where fewTile says so.
func TestFewRows(t *testing.T) {
	d := openDevice(t, Options{})
	rng := rand.New(rand.NewPCG(3, 4))
	for _, in := range []int{4, 60, 64, 200, 1500} {
		for _, out := range []int{1, 16, 77} {
			buf, err := d.NewWeight(out, in, device.BF16, false)
			if err != nil {
				t.Fatal(err)
			}
			tw, _ := gapped(t, d, rng, out, in, 0, 0)
			d.Pack(buf, tw)
			w := buf.(*weight)
			for _, rows := range []int{1, 3, 8, 9, 16} {
				x, _ := gapped(t, d, rng, rows, in, 4*rng.IntN(3), 0)
				bias, _ := gapped(t, d, rng, 1, out, 0, 0)
				y, _ := gapped(t, d, rng, rows, out, 1, 1)
				want := make([]float32, y.Len())
				get := func(dst []float32) {
					t.Helper()
					if err := d.Download(dst, y); err != nil {
						t.Fatal(err)
					}
				}
				d.begin("test")
				m, c, b := d.view("test", "x", x), d.view("test", "y", y), d.view("test", "bias", bias)
				g := gemm{c: c, m: out, n: rows, k: in, a: w.data, lda: w.ld, bias: b.addr}
				g.b, g.ldb = d.entering(&operand{matrix: m}, device.BF16)
				d.gemm(tilesBF16[forward][3], g)
				get(want)
				g.b, g.ldb = m.addr, m.stride
				for _, few := range tilesFew {
					for _, tile := range []gemmTile{few.wide, few.narrow, few.deep} {
						if rows > tile.n {
							continue
						}
						d.Zero(y)
						d.gemm(tile, g)
						got := make([]float32, y.Len())
						get(got)
						if !slices.Equal(got, want) {
							t.Errorf("%s: %d rows of %d to %d: other bits than %s", tile.kernel, rows, in, out, tilesBF16[forward][3].kernel)
						}
					}
				}
				for _, x := range []device.Tensor{x, y, bias} {
					d.Free(x.Buf)
				}
			}
			d.Free(tw.Buf)
			d.FreeWeight(buf)
		}
	}
}

// Small products go to small tiles, large ones to large, and few rows to the kernels that read the weight once.
func TestBestTile(t *testing.T) {
	d := openDevice(t, Options{})
	d.info.Multiprocessors, d.info.SharedPerBlock = 84, 99<<10
	for _, c := range []struct {
		form form
		m, n int
		want string
	}{
		{forward, 1536, 32, "gemm_bf16_forward_32x32"},
		{forward, 17920, 64, "gemm_bf16_forward_64x64"},
		{forward, 17920, 16384, "gemm_bf16_forward_128x256"},
		{backward, 8960, 16384, "gemm_bf16_backward_128x256"},
		{gradient, 1536, 17920, "gemm_bf16_gradient_128x256"},
		{gradient, 128, 128, "gemm_bf16_gradient_64x64"},
	} {
		if got := d.bestTile(c.form, device.BF16, c.m, c.n); got.kernel != c.want {
			t.Errorf("%d × %d: %s, want %s", c.m, c.n, got.kernel, c.want)
		}
	}
	x := matrix{addr: 256, rows: 1, cols: 1536, stride: 1536}
	for _, c := range []struct {
		rows, m, multiprocessors, shared int
		want                             string
	}{
		{1, 1536, 84, 99 << 10, "gemm_bf16_few_16x8"},
		{8, 17920, 84, 99 << 10, "gemm_bf16_few_64x8"},
		{9, 17920, 84, 99 << 10, "gemm_bf16_few_64x16"},
		{16, 1536, 132, 227 << 10, "gemm_bf16_few_deep_16x16"},
		{17, 1536, 84, 99 << 10, ""},
	} {
		d.info.Multiprocessors, d.info.SharedPerBlock, x.rows = c.multiprocessors, c.shared, c.rows
		if got, ok := d.fewTile(device.BF16, x, c.m); got.kernel != c.want || ok != (c.want != "") {
			t.Errorf("%d rows, %d outputs: %q, want %q", c.rows, c.m, got.kernel, c.want)
		}
	}
	x.rows, x.addr = 1, 4
	if tile, ok := d.fewTile(device.BF16, x, 100); ok {
		t.Errorf("%s for rows that are not aligned", tile.kernel)
	}
}

// What WeightGrad leaves for MatMulBackward is used only while it holds.
func TestLeftOver(t *testing.T) {
	d := openDevice(t, Options{})
	rng := rand.New(rand.NewPCG(5, 6))
	const rows, out, in = 40, 50, 70
	buf, err := d.NewWeight(out, in, device.BF16, true)
	if err != nil {
		t.Fatal(err)
	}
	tw, _ := gapped(t, d, rng, out, in, 0, 0)
	d.Pack(buf, tw)
	dy, _ := gapped(t, d, rng, rows, out, 2, 1)
	x, _ := gapped(t, d, rng, rows, in, 0, 0)
	dx, _ := gapped(t, d, rng, rows, in, 0, 0)
	dw, _ := gapped(t, d, rng, out, in, 0, 0)
	backward := func() []float32 {
		t.Helper()
		d.MatMulBackward(dx, dy, buf, false)
		got := make([]float32, dx.Len())
		if err := d.Download(got, dx); err != nil {
			t.Fatal(err)
		}
		return got
	}
	for _, between := range []struct {
		name string
		do   func()
		left bool
	}{
		{"nothing", func() {}, true},
		{"a change of dy", func() { d.Scale(dy, 2) }, false},
		{"another WeightGrad", func() { d.WeightGrad(dw, dy.RowRange(0, 9), x.RowRange(0, 9), device.BF16) }, false},
		{"one in float32", func() { d.WeightGrad(dw, dy, x, device.F32) }, false},
	} {
		want := backward()
		d.WeightGrad(dw, dy, x, device.BF16)
		between.do()
		if left := d.leftOf(dy).at != 0; left != between.left {
			t.Errorf("%s: left is %v", between.name, left)
		}
		got := backward()
		if between.name == "a change of dy" {
			for i := range want {
				want[i] *= 2
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("after %s: other values", between.name)
		}
	}
	// The rounded dy does not fit into the block of scratch memory.
	d.space.close(d)
	d.WeightGrad(dw, dy, x, device.BF16)
	d.space.extra = append(d.space.extra, piece{})
	if d.leftOf(dy).at != 0 {
		t.Error("left in memory that begin frees")
	}
	d.space.extra = nil
}
