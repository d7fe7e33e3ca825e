package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

const canary = float32(-12345.5)

func filled(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

// product is the plain version of Gemm: b is [k][n].
func product(c []float32, ldc int, a []float32, lda int, b []float32, m, n, k int, bias []float32, mode Mode) {
	for i := range m {
		for j := range n {
			var acc float32
			for l := range k {
				acc = fma32(a[i*lda+l], b[l*n+j], acc)
			}
			switch {
			case mode == Add:
				c[i*ldc+j] += acc
			case bias != nil:
				c[i*ldc+j] = acc + bias[j]
			default:
				c[i*ldc+j] = acc
			}
		}
	}
}

// checkGemm compares one product, in one call and split at random, with the plain version.
func checkGemm(t *testing.T, s *Set, r *rand.Rand, m, n, k int, mode Mode, withBias, withScratch bool) {
	t.Helper()
	lda, ldc, ldw := k+r.IntN(5), n+r.IntN(5), k+r.IntN(5)
	a, w := random(r, m*lda+1), random(r, n*ldw+1)
	b := make([]float32, k*n)
	for j := range n {
		for l := range k {
			b[l*n+j] = w[j*ldw+l]
		}
	}
	packed, packed2 := filled(PackedLen(n, k)+1, canary), filled(PackedLen(n, k)+1, canary)
	s.PackTransposed(packed, w, ldw, n, k)
	s.Pack(packed2, b, n, k, n)
	for i := range packed {
		if packed[i] != packed2[i] {
			t.Fatalf("n %d k %d: PackTransposed and Pack differ at %d: %g %g", n, k, i, packed[i], packed2[i])
		}
	}
	var bias []float32
	if withBias && mode == Store {
		bias = random(r, n)
	}
	var scratch *Scratch
	if withScratch {
		scratch = &Scratch{}
	}
	start := filled(m*ldc+8, canary)
	if mode == Add {
		for i := range m {
			copy(start[i*ldc:], random(r, n))
		}
	}
	want := append([]float32(nil), start...)
	product(want, ldc, a, lda, b, m, n, k, bias, mode)
	panels := (n + Panel - 1) / Panel

	got := append([]float32(nil), start...)
	s.Gemm(got, ldc, a, lda, packed, m, n, k, 0, panels, bias, mode, scratch)
	for i := range want {
		if !s.equal(got[i], want[i], float32(math.Sqrt(float64(k)))) {
			t.Fatalf("m %d n %d k %d mode %d: element (%d, %d) is %g, want %g", m, n, k, mode, i/ldc, i%ldc, got[i], want[i])
		}
	}

	split := append([]float32(nil), start...)
	for row := 0; row < m; {
		rows := 1 + r.IntN(m-row)
		for p := 0; p < panels; {
			q := p + 1 + r.IntN(panels-p)
			s.Gemm(split[row*ldc:], ldc, a[row*lda:], lda, packed, rows, n, k, p, q, bias, mode, scratch)
			p = q
		}
		row += rows
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(split[i]) {
			t.Fatalf("m %d n %d k %d: element (%d, %d) is %g in one call, %g in several", m, n, k, i/ldc, i%ldc, got[i], split[i])
		}
	}
}

func TestGemm(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(2)
		for m := range 30 {
			for _, n := range []int{1, 12, 31, 32, 33, 64, 96, 128, 135, 160} {
				k := r.IntN(40)
				checkGemm(t, s, r, m, n, k, Mode(m%2), r.IntN(2) == 0, r.IntN(4) > 0)
			}
		}
		for _, shape := range [][3]int{
			{0, 32, 5}, {5, 0, 5}, {5, 32, 0}, {5, 7, 0}, {1, 32, 1}, {3, 64, 9000}, {13, 70, longPanel}, {14, 40, longPanel + 1},
			{15, 33, 3*blockK + 3}, {blockRows + 5, 129, 7}, {2*blockRows + 1, 130, 5}, {97, 150, 130},
		} {
			for mode := range 2 {
				checkGemm(t, s, r, shape[0], shape[1], shape[2], Mode(mode), true, true)
			}
		}
		for range 30 {
			checkGemm(t, s, r, 1+r.IntN(60), 1+r.IntN(300), r.IntN(200), Mode(r.IntN(2)), r.IntN(2) == 0, true)
		}
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint64(1), uint16(3), uint16(40), uint16(9), byte(0))
	f.Add(uint64(2), uint16(20), uint16(130), uint16(70), byte(7))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16, flags byte) {
		for _, l := range Levels() {
			s, err := New(l)
			if err != nil {
				t.Fatal(err)
			}
			checkGemm(t, s, newRand(seed), int(m%64), int(n%200), int(k%700), Mode(flags&1), flags&2 > 0, flags&4 > 0)
		}
	})
}

// checkGemmTA compares one transposed product, whole and split, with plain loops.
func checkGemmTA(t *testing.T, s *Set, r *rand.Rand, m, n, k int, withScratch bool) {
	t.Helper()
	lda, ldb, ldc := m+r.IntN(4), n+r.IntN(4), n+r.IntN(4)
	a, b := random(r, k*lda+1), random(r, k*ldb+1)
	start := filled(m*ldc+8, canary)
	for i := range m {
		copy(start[i*ldc:], random(r, n))
	}
	want := append([]float32(nil), start...)
	for i := range m {
		for j := range n {
			for l := range k {
				want[i*ldc+j] = fma32(a[l*lda+i], b[l*ldb+j], want[i*ldc+j])
			}
		}
	}
	var scratch *Scratch
	if withScratch {
		scratch = &Scratch{}
	}
	got := append([]float32(nil), start...)
	s.GemmTA(got, ldc, a, lda, b, ldb, m, n, k, 0, m, scratch)
	for i := range want {
		if !s.equal(got[i], want[i], float32(math.Sqrt(float64(k)))) {
			t.Fatalf("m %d n %d k %d: element (%d, %d) is %g, want %g", m, n, k, i/ldc, i%ldc, got[i], want[i])
		}
	}
	split := append([]float32(nil), start...)
	for l := 0; l < k; {
		steps := 1 + r.IntN(k-l)
		for row := 0; row < m; {
			to := row + 1 + r.IntN(m-row)
			s.GemmTA(split, ldc, a[l*lda:], lda, b[l*ldb:], ldb, m, n, steps, row, to, scratch)
			row = to
		}
		l += steps
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(split[i]) {
			t.Fatalf("m %d n %d k %d: element (%d, %d) is %g in one call, %g in several", m, n, k, i/ldc, i%ldc, got[i], split[i])
		}
	}
}

func TestGemmTA(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(3)
		for m := range 30 {
			for _, n := range []int{1, 12, 32, 33, 130, 160} {
				checkGemmTA(t, s, r, m, n, r.IntN(30), r.IntN(4) > 0)
			}
		}
		for _, shape := range [][3]int{{5, 0, 3}, {5, 6, 0}, {taBlockRows + 3, 129, 9}, {30, 140, 40}, {13, 33, 2*taBlockK + 1}, {50, 520, taBlockK + 2}} {
			checkGemmTA(t, s, r, shape[0], shape[1], shape[2], true)
		}
	})
}

func TestGemmNonFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(4)
		m, n, k := 5, 40, 33
		a, b := random(r, m*k), random(r, k*n)
		a[k+3], a[2*k+4], b[5*n+7] = inf, nan, -inf
		packed := make([]float32, PackedLen(n, k))
		s.Pack(packed, b, n, k, n)
		got, want := make([]float32, m*n), make([]float32, m*n)
		s.Gemm(got, n, a, k, packed, m, n, k, 0, 2, nil, Store, nil)
		product(want, n, a, k, b, m, n, k, nil, Store)
		for i := range got {
			if !s.equal(got[i], want[i], 10) {
				t.Errorf("element (%d, %d) is %g, want %g", i/n, i%n, got[i], want[i])
			}
		}
	})
}

func TestGemmPanics(t *testing.T) {
	s, err := New(Best())
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := make([]float32, 64), make([]float32, 32*8), make([]float32, 8*32)
	for name, f := range map[string]func(){
		"short a":       func() { s.Gemm(c, 32, a[:63], 8, b, 8, 32, 8, 0, 1, nil, Store, nil) },
		"short b":       func() { s.Gemm(c, 32, a, 8, b[:255], 8, 32, 8, 0, 1, nil, Store, nil) },
		"short c":       func() { s.Gemm(c[:255], 32, a, 8, b, 8, 32, 8, 0, 1, nil, Store, nil) },
		"short bias":    func() { s.Gemm(c, 32, a, 8, b, 8, 32, 8, 0, 1, c[:31], Store, nil) },
		"add with bias": func() { s.Gemm(c, 32, a, 8, b, 8, 32, 8, 0, 1, c[:32], Add, nil) },
		"dot":           func() { s.Dot(a, b) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := recover(); v == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
