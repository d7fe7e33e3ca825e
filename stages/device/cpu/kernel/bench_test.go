package kernel

import (
	"fmt"
	"testing"
	"time"
)

// report adds GFLOP/s and the part of the peak of the threads used, measured in the same process.
func report(b *testing.B, l Level, flop float64, threads int) {
	b.StopTimer()
	reportPeak(b, flop, measurePeak(b, l)*float64(threads))
}

func reportPeak(b *testing.B, flop, peak float64) {
	b.StopTimer()
	rate := flop * float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(rate, "GFLOP/s")
	if peak > 0 {
		b.ReportMetric(rate/peak, "of-peak")
	}
}

func benchLevels(b *testing.B, f func(b *testing.B, s *Set)) {
	for _, l := range Levels() {
		s, err := New(l)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(l.String(), func(b *testing.B) { f(b, s) })
	}
}

// BenchmarkGemm measures one thread, or two that share the panels.
func BenchmarkGemm(b *testing.B) {
	benchLevels(b, func(b *testing.B, s *Set) {
		for _, shape := range []struct{ m, n, k, threads int }{
			{1024, 1024, 1024, 1}, {1024, 1024, 1024, 2},
			{512, 1024, 1024, 1}, {64, 1024, 1024, 1}, {16, 1024, 1024, 1}, {12, 1024, 1024, 1}, {4, 1024, 1024, 1}, {1, 1024, 1024, 1},
			{512, 896, 4864, 1}, {16, 896, 4864, 1}, {1, 4864, 896, 1}, {1, 32768, 896, 1}, {1, 32768, 896, 2}, {8, 32768, 896, 2},
			{64, 256, 128, 1}, {16, 384, 128, 1}, {1, 256, 128, 1}, {64, 288, 128, 1},
			{8, 32, 32, 1}, {32, 32, 32, 1}, {32, 32, 128, 1},
		} {
			b.Run(fmt.Sprintf("%dx%dx%d/threads=%d", shape.m, shape.n, shape.k, shape.threads), func(b *testing.B) {
				benchGemm(b, s, shape.m, shape.n, shape.k, shape.threads)
			})
		}
	})
}

func benchGemm(b *testing.B, s *Set, m, n, k, threads int) {
	r := newRand(5)
	alloc := func(n int) []float32 {
		x := AllocFloats(n)
		b.Cleanup(func() { FreeFloats(x) })
		for i := range x {
			x[i] = r.Float32() - 0.5
		}
		return x
	}
	a, packed, c := alloc(m*k), alloc(PackedLen(n, k)), alloc(m*n)
	pool := NewPool(threads)
	defer pool.Close()
	scratch := make([]Scratch, threads)
	panels := (n + Panel - 1) / Panel
	run := func() {
		if threads == 1 {
			s.Gemm(c, n, a, k, packed, m, n, k, 0, panels, nil, Store, &scratch[0])
			return
		}
		pool.Run(threads, func(worker, task int) {
			s.Gemm(c, n, a, k, packed, m, n, k, panels*task/threads, panels*(task+1)/threads, nil, Store, &scratch[worker])
		})
	}
	run()
	b.SetBytes(int64(4 * len(packed)))
	for b.Loop() {
		run()
	}
	report(b, s.level, 2*float64(m)*float64(n)*float64(k), threads)
}

// BenchmarkGemmBF16 is BenchmarkGemm for bfloat16, the rounding of the left side included.
func BenchmarkGemmBF16(b *testing.B) {
	benchLevels(b, func(b *testing.B, s *Set) {
		for _, shape := range []struct{ m, n, k, threads int }{
			{1024, 1024, 1024, 1}, {1024, 1024, 1024, 2}, {512, 1024, 1024, 1}, {64, 1024, 1024, 1}, {32, 1024, 1024, 1},
			{16, 1024, 1024, 1}, {12, 1024, 1024, 1}, {8, 1024, 1024, 1}, {4, 1024, 1024, 1}, {2, 1024, 1024, 1}, {1, 1024, 1024, 1},
			{512, 896, 4864, 1}, {16, 896, 4864, 1}, {1, 896, 4864, 1},
			{1, 131072, 896, 1}, {1, 131072, 896, 2}, {8, 131072, 896, 2}, {16, 131072, 896, 2}, {32, 131072, 896, 2},
		} {
			b.Run(fmt.Sprintf("%dx%dx%d/threads=%d", shape.m, shape.n, shape.k, shape.threads), func(b *testing.B) {
				benchGemmBF16(b, s, shape.m, shape.n, shape.k, shape.threads)
			})
		}
	})
}

func benchGemmBF16(b *testing.B, s *Set, m, n, k, threads int) {
	r := newRand(5)
	a, c, pairs := make([]float32, m*k), make([]float32, m*n), make([]uint32, m*Pairs(k))
	for i := range a {
		a[i] = r.Float32() - 0.5
	}
	packed := AsPairs(AllocFloats(PackedPairsLen(n, k)))
	b.Cleanup(func() { FreePairs(packed) })
	for i := range packed {
		packed[i] = 0x3f003e80 + uint32(i)&0x00100010
	}
	pool := NewPool(threads)
	defer pool.Close()
	scratch := make([]Scratch, threads)
	tasks, panels := 8*threads, (n+Panel-1)/Panel
	run := func() {
		s.RoundPairs(pairs, Pairs(k), a, k, m, k)
		if threads == 1 {
			s.GemmBF16(c, n, pairs, Pairs(k), packed, m, n, k, 0, panels, nil, Store, &scratch[0])
			return
		}
		pool.Run(tasks, func(worker, task int) {
			s.GemmBF16(c, n, pairs, Pairs(k), packed, m, n, k, panels*task/tasks, panels*(task+1)/tasks, nil, Store, &scratch[worker])
		})
	}
	run()
	b.SetBytes(int64(4 * len(packed)))
	for b.Loop() {
		run()
	}
	reportPeak(b, 2*float64(m)*float64(n)*float64(k), measurePeakBF16(b, s)*float64(threads))
}

// measurePeakBF16 returns what one core reaches with multiply-adds of bfloat16 on registers, in GFLOP/s.
func measurePeakBF16(b *testing.B, s *Set) float64 {
	b.Helper()
	best := 0.0
	for range 20 {
		start := time.Now()
		flops := s.MultiplyAddsBF16(100_000)
		best = max(best, float64(flops)/float64(time.Since(start)))
	}
	return best
}

// BenchmarkGemmTA measures the gradient of a weight of m × n for k tokens.
func BenchmarkGemmTA(b *testing.B) {
	benchLevels(b, func(b *testing.B, s *Set) {
		for _, shape := range []struct{ m, n, k int }{{896, 896, 512}, {1024, 1024, 1024}, {128, 256, 512}, {128, 128, 64}} {
			b.Run(fmt.Sprintf("%dx%dx%d", shape.m, shape.n, shape.k), func(b *testing.B) {
				m, n, k := shape.m, shape.n, shape.k
				r := newRand(6)
				x, y, c := random(r, k*m), random(r, k*n), make([]float32, m*n)
				var scratch Scratch
				for b.Loop() {
					s.GemmTA(c, n, x, m, y, n, m, n, k, 0, m, &scratch)
				}
				report(b, s.level, 2*float64(m)*float64(n)*float64(k), 1)
			})
		}
	})
}

// BenchmarkPack measures packing for the forward and the backward product.
func BenchmarkPack(b *testing.B) {
	benchLevels(b, func(b *testing.B, s *Set) {
		const n, k = 1024, 1024
		w, dst := random(newRand(7), n*k), make([]float32, PackedLen(n, k))
		b.Run("transposed", func(b *testing.B) {
			b.SetBytes(4 * n * k)
			for b.Loop() {
				s.PackTransposed(dst, w, k, n, k)
			}
		})
		b.Run("plain", func(b *testing.B) {
			b.SetBytes(4 * n * k)
			for b.Loop() {
				s.Pack(dst, w, n, k, n)
			}
		})
	})
}

// BenchmarkVector measures the vector functions on 4,096 values.
func BenchmarkVector(b *testing.B) {
	const n = 4096
	r := newRand(8)
	x, y, z, v, w := random(r, n), random(r, n), random(r, n), random(r, n), random(r, n)
	for i := range v {
		v[i] *= v[i]
	}
	c := NewAdamWConst(1e-6, 0.9, 0.999, 1e-8, 0.01, 3, 1)
	benchLevels(b, func(b *testing.B, s *Set) {
		for _, f := range []struct {
			name string
			run  func()
		}{
			{"Exp", func() { s.Exp(z, x) }},
			{"ExpSum", func() { s.ExpSum(z, x, 1) }},
			{"Max", func() { s.Max(x) }},
			{"Sum", func() { s.Sum(x) }},
			{"Dot", func() { s.Dot(x, y) }},
			{"Axpy", func() { s.Axpy(w, 1e-9, x) }},
			{"SwiGLU", func() { s.SwiGLU(z, x, y) }},
			{"SwiGLUBackward", func() { s.SwiGLUBackward(z, w, x, y, x) }},
			{"NormScale", func() { s.NormScale(z, x, y, 2) }},
			{"RoPE", func() { s.RoPE(z, x[:n/2], y[:n/2], 1) }},
			{"AdamW", func() { s.AdamW(z, x, y, v, c) }},
		} {
			b.Run(f.name, func(b *testing.B) {
				for b.Loop() {
					f.run()
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gvalues/s")
			})
		}
	})
}

// BenchmarkPool measures an empty region.
func BenchmarkPool(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			for b.Loop() {
				p.Run(4, func(int, int) {})
			}
		})
	}
}
