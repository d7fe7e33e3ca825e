package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// checkGemmTABF16 compares one transposed product with plain loops over rounded values, in one call and
// split at even steps of k and anywhere in m.
func checkGemmTABF16(t *testing.T, s *Set, r *rand.Rand, m, n, k int, withScratch bool) {
	t.Helper()
	lda, ldb, ldc := m+r.IntN(4), n+r.IntN(4), n+r.IntN(4)
	a, b := random(r, k*lda+1), random(r, k*ldb+1)
	if len(a) > 3 {
		a[2] = 1e-41
	}
	start := filled(m*ldc+8, canary)
	for i := range m {
		copy(start[i*ldc:], random(r, n))
	}
	want, ra, rb := append([]float32(nil), start...), rounded(a), rounded(b)
	for i := range m {
		for j := range n {
			for l := range k {
				want[i*ldc+j] = fma32(ra[l*lda+i], rb[l*ldb+j], want[i*ldc+j])
			}
		}
	}
	var scratch *Scratch
	if withScratch {
		scratch = &Scratch{}
	}
	packed := make([]uint32, PackedPairsLen(n, k))
	s.PackBF16(packed, b, ldb, k, n)
	got := append([]float32(nil), start...)
	s.GemmTABF16(got, ldc, a, lda, packed, m, n, k, 0, m, scratch)
	for i := range want {
		if !s.equal(got[i], want[i], float32(math.Sqrt(float64(k)))) {
			t.Fatalf("m %d n %d k %d: element (%d, %d) is %g, want %g", m, n, k, i/ldc, i%ldc, got[i], want[i])
		}
	}
	split := append([]float32(nil), start...)
	for l := 0; l < k; {
		steps := min(2+r.IntN(k-l)/2*2, k-l)
		part := make([]uint32, PackedPairsLen(n, steps))
		s.PackBF16(part, b[l*ldb:], ldb, steps, n)
		for row := 0; row < m; {
			to := row + 1 + r.IntN(m-row)
			s.GemmTABF16(split, ldc, a[l*lda:], lda, part, m, n, steps, row, to, scratch)
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

func TestGemmTABF16(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(3)
		for m := range 30 {
			for _, n := range []int{1, 12, 32, 33, 130, 160} {
				checkGemmTABF16(t, s, r, m, n, r.IntN(30), r.IntN(4) > 0)
			}
		}
		for _, shape := range [][3]int{
			{5, 0, 3}, {5, 6, 0}, {taBlockRows + 3, 129, 9}, {2*taBlockRows + 1, 33, 6}, {30, 140, 40},
			{13, 33, taBlockK + 1}, {13, 33, 2*taBlockK + 3}, {25, 65, 2 * taBlockK},
		} {
			checkGemmTABF16(t, s, r, shape[0], shape[1], shape[2], true)
		}
	})
}

func FuzzGemmTABF16(f *testing.F) {
	f.Add(uint64(1), uint16(3), uint16(40), uint16(9))
	f.Add(uint64(2), uint16(20), uint16(130), uint16(71))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16) {
		for _, l := range Levels() {
			s, err := New(l)
			if err != nil {
				t.Fatal(err)
			}
			checkGemmTABF16(t, s, newRand(seed), int(m%220), int(n%100), int(k%300), seed%2 > 0)
		}
	})
}

func TestGemmTABF16NonFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(4)
		m, n, k := 6, 40, 33
		a, b := random(r, k*m), random(r, k*n)
		a[3*m+1], a[4*m+2], b[5*n+7], a[(k-1)*m+3] = inf, nan, -inf, inf
		packed := make([]uint32, PackedPairsLen(n, k))
		s.PackBF16(packed, b, n, k, n)
		got, want := make([]float32, m*n), make([]float32, m*n)
		s.GemmTABF16(got, n, a, m, packed, m, n, k, 0, m, nil)
		ra, rb := rounded(a), rounded(b)
		for i := range want {
			for l := range k {
				want[i] = fma32(ra[l*m+i/n], rb[l*n+i%n], want[i])
			}
			if !s.equal(got[i], want[i], 10) {
				t.Errorf("element (%d, %d) is %g, want %g", i/n, i%n, got[i], want[i])
			}
		}
	})
}

func TestGemmTABF16Panics(t *testing.T) {
	s, err := New(Best())
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := make([]float32, 64), make([]uint32, 32*4), make([]float32, 8*32)
	for name, f := range map[string]func(){
		"short a":       func() { s.GemmTABF16(c, 32, a[:63], 8, b, 8, 32, 8, 0, 8, nil) },
		"short b":       func() { s.GemmTABF16(c, 32, a, 8, b[:127], 8, 32, 8, 0, 8, nil) },
		"short c":       func() { s.GemmTABF16(c[:255], 32, a, 8, b, 8, 32, 8, 0, 8, nil) },
		"negative rows": func() { s.GemmTABF16(c, 32, a, 8, b, 8, 32, 8, -1, 8, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}
