//go:build cuda

package cuda

import (
	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// gemm is one product C[n][m] = Σ_k A[m][k]·B[n][k]; kernels/gemm.h says which matrix of the model is which.
type gemm struct {
	c       matrix // n × m
	m, n, k int
	a, b    uint64
	lda     int
	ldb     int
	bias    uint64 // of each m; 0 is none
	add     int
}

// What a product does with what C holds, beside writing over it.
const (
	startThere = -1 // its chains start from it
	addAfter   = 1
)

// form is what a product is for. It says how the operands lie in memory.
type form int

const (
	forward form = iota
	backward
	gradient
)

// gemmTile is a kernel that computes tiles of m × n elements, one a block.
type gemmTile struct {
	kernel  string
	m, n    int
	threads int
	shared  int // bytes of dynamic shared memory
	speed   int // of a multiprocessor that does only these, in percent of its peak, roughly
}

// ringBytes is the shared memory of gemm.h: stages of bk values of m + n rows of bfloat16.
func ringBytes(m, n, bk, stages int) int { return (m + n) * bk * 2 * stages }

// fewRingBytes is that of the kernels for few rows, which hold those in float32.
func fewRingBytes(m, n, stages int) int { return (m*64*2 + n*(64*4+32)) * stages }

// The kernels of gemm_bf16.cu and gemm_f32.cu. Speeds are for an A40, from the instructions of the inner loop and the
// bytes a tile reads from the second-level cache; see the package documentation of kernels. Larger tiles come first.
var tilesBF16 = [...][]gemmTile{
	forward: {
		{"gemm_bf16_forward_128x256", 128, 256, 256, ringBytes(128, 256, 32, 4), 88},
		{"gemm_bf16_forward_128x128", 128, 128, 128, ringBytes(128, 128, 32, 3), 82},
		{"gemm_bf16_forward_64x128", 64, 128, 128, ringBytes(64, 128, 32, 4), 70},
		{"gemm_bf16_forward_64x64", 64, 64, 128, ringBytes(64, 64, 64, 3), 58},
		{"gemm_bf16_forward_32x64", 32, 64, 128, ringBytes(32, 64, 64, 4), 42},
		{"gemm_bf16_forward_32x32", 32, 32, 128, ringBytes(32, 32, 64, 6), 28},
	},
	backward: {
		{"gemm_bf16_backward_128x256", 128, 256, 256, ringBytes(128, 256, 32, 4), 88},
		{"gemm_bf16_backward_128x128", 128, 128, 128, ringBytes(128, 128, 32, 3), 82},
		{"gemm_bf16_backward_64x64", 64, 64, 128, ringBytes(64, 64, 64, 3), 58},
	},
	gradient: {
		{"gemm_bf16_gradient_128x256", 128, 256, 256, ringBytes(128, 256, 32, 4), 88},
		{"gemm_bf16_gradient_128x128", 128, 128, 128, ringBytes(128, 128, 32, 3), 82},
		{"gemm_bf16_gradient_64x64", 64, 64, 128, ringBytes(64, 64, 64, 3), 58},
	},
}

var tilesF32 = [...][]gemmTile{
	forward: {
		{"gemm_f32_forward_128x128", 128, 128, 256, 0, 70},
		{"gemm_f32_forward_64x32", 64, 32, 128, 0, 40},
		{"gemm_f32_forward_64x8", 64, 8, 128, 0, 15},
	},
	backward: {
		{"gemm_f32_backward_128x128", 128, 128, 256, 0, 70},
		{"gemm_f32_backward_64x32", 64, 32, 128, 0, 40},
	},
	gradient: {
		{"gemm_f32_gradient_128x128", 128, 128, 256, 0, 70},
		{"gemm_f32_gradient_64x32", 64, 32, 128, 0, 40},
	},
}

// The kernels for at most n rows of x, read as float32: they go through the weight once, at the rate of the memory. Those of
// 16 outputs give every multiprocessor work where a weight has few outputs; deep ones keep more of it under way.
var tilesFew = [...]struct{ wide, narrow, deep gemmTile }{
	{
		gemmTile{"gemm_bf16_few_64x8", 64, 8, 128, fewRingBytes(64, 8, 4), 0},
		gemmTile{"gemm_bf16_few_16x8", 16, 8, 32, fewRingBytes(16, 8, 8), 0},
		gemmTile{"gemm_bf16_few_deep_16x8", 16, 8, 32, fewRingBytes(16, 8, 20), 0},
	},
	{
		gemmTile{"gemm_bf16_few_64x16", 64, 16, 128, fewRingBytes(64, 16, 3), 0},
		gemmTile{"gemm_bf16_few_16x16", 16, 16, 32, fewRingBytes(16, 16, 7), 0},
		gemmTile{"gemm_bf16_few_deep_16x16", 16, 16, 32, fewRingBytes(16, 16, 14), 0},
	},
}

// bestTile returns the kernel that should be done first with m × n elements: a multiprocessor works off its share of the blocks at the
// kernel's speed.
func (d *Device) bestTile(f form, dtype device.DType, m, n int) gemmTile {
	tiles := tilesBF16[f]
	if dtype == device.F32 {
		tiles = tilesF32[f]
	}
	best, least := tiles[0], 0.0
	for i, t := range tiles {
		share := ceil(ceil(m, t.m)*ceil(n, t.n), d.info.Multiprocessors)
		if time := float64(share*t.m*t.n) / float64(t.speed); i == 0 || time < least {
			best, least = t, time
		}
	}
	return best
}

// fewTile returns the kernel for the rows of x and m outputs of a weight of dtype, if there are few enough and they are
// aligned for its copies. Only those kernels read x as it is.
func (d *Device) fewTile(dtype device.DType, x matrix, m int) (gemmTile, bool) {
	aligned := x.addr%16 == 0 && (x.rows == 1 || x.stride%4 == 0)
	if dtype != device.BF16 || !aligned {
		return gemmTile{}, false
	}
	for _, t := range tilesFew {
		if x.rows > t.wide.n {
			continue
		}
		switch share := ceil(ceil(m, t.narrow.m), d.info.Multiprocessors); {
		case m/t.wide.m >= d.info.Multiprocessors:
			return t.wide, true
		case share*t.deep.shared <= d.info.SharedPerBlock:
			return t.deep, true
		default:
			return t.narrow, true
		}
	}
	return gemmTile{}, false
}

// addIf is what to do with what C holds.
func addIf(add bool) int {
	if add {
		return addAfter
	}
	return 0
}

// gemm enqueues a product.
func (d *Device) gemm(t gemmTile, g gemm) {
	blocks := ceil(g.m, t.m) * ceil(g.n, t.n)
	d.launch(t.kernel, driver.Dim{X: blocks}, driver.Dim{X: t.threads}, t.shared,
		g.a, u32(g.lda), g.b, u32(g.ldb), g.c.addr, u32(g.c.stride), g.bias, u32(g.add), u32(g.m), u32(g.n), u32(g.k))
}

// ceil is n/d, rounded up.
func ceil(n, d int) int { return (n + d - 1) / d }
