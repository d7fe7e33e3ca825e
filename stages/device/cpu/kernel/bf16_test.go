package kernel

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
)

const canaryPair = 0xdeadbeef

func filledPairs(n int) []uint32 {
	x := make([]uint32, n)
	for i := range x {
		x[i] = canaryPair
	}
	return x
}

// rounded returns the values of x as bfloat16.
func rounded(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = WidenBF16(RoundBF16(v))
	}
	return y
}

// oddValues are values that rounding treats in some special way.
var oddValues = func() []float32 {
	bits := []uint32{
		0, 1, 0x7fffff, 0x800000, 0x807fff, 0x808000, 0x3f800000, 0x3f807fff, 0x3f808000, 0x3f808001, 0x3f818000,
		0x7f7f7fff, 0x7f7f8000, 0x7f7fffff, 0x7f800000, 0x7f800001, 0x7fc00000, 0x7fffffff, 0x7f812345, 0x0000ffff,
	}
	var x []float32
	for _, b := range bits {
		x = append(x, math.Float32frombits(b), math.Float32frombits(b|1<<31))
	}
	return x
}()

func TestRoundBF16(t *testing.T) {
	for _, c := range []struct {
		in   uint32
		want uint16
	}{
		{0, 0}, {1 << 31, 0x8000}, {1, 0}, {0x807fffff, 0x8000}, {0x00800000, 0x80}, {0x3f808000, 0x3f80}, {0x3f818000, 0x3f82},
		{0x3f808001, 0x3f81}, {0x7f7fffff, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffc12345, 0xffc1},
	} {
		if got := RoundBF16(math.Float32frombits(c.in)); got != c.want {
			t.Errorf("%#08x is rounded to %#04x, want %#04x", c.in, got, c.want)
		}
	}
	r := newRand(1)
	for range 100000 {
		b := r.Uint32()
		x := math.Float32frombits(b)
		if x != x || b>>23&0xff == 0 {
			continue
		}
		// The nearest of the two neighbours, which are exact in float64.
		low, high := float64(math.Float32frombits(b&0xffff0000)), float64(math.Float32frombits(b&0xffff0000+0x10000))
		if b>>23&0xff == 0xfe && math.IsInf(high, 0) {
			high = math.Copysign(0x1p128, high)
		}
		want := b >> 16
		if down, up := math.Abs(float64(x)-low), math.Abs(high-float64(x)); up < down || up == down && want&1 == 1 {
			want++
		}
		if got := RoundBF16(x); uint32(got) != want {
			t.Fatalf("%#08x is rounded to %#04x, want %#04x", b, got, want)
		}
	}
}

// TestRoundPairs compares all levels with RoundBF16, the odd values in every place of a block.
func TestRoundPairs(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(2)
		for _, k := range append(lengths, 18, 47, 50) {
			for m := range 4 {
				lda, ldp := k+r.IntN(3), Pairs(k)+r.IntN(3)
				a := random(r, m*lda+1)
				for i := range a {
					switch r.IntN(3) {
					case 0:
						a[i] = oddValues[r.IntN(len(oddValues))]
					case 1:
						a[i] = math.Float32frombits(r.Uint32())
					}
				}
				got := filledPairs(m*ldp + 9)
				s.RoundPairs(got, ldp, a, lda, m, k)
				for i, p := range got {
					want := uint32(canaryPair)
					if row, at := i/max(1, ldp), i%max(1, ldp); row < m && at < Pairs(k) {
						x := a[row*lda:][:k]
						want = uint32(RoundBF16(x[2*at])) << 16
						if 2*at+1 < k {
							want |= uint32(RoundBF16(x[2*at+1]))
						}
					}
					if p != want {
						t.Fatalf("%d × %d: pair %d is %#08x, want %#08x", m, k, i, p, want)
					}
				}
			}
		}
	})
}

// packings packs the same [n][k] matrix in all ways.
func packings(t *testing.T, s *Set, r *rand.Rand, w []float32, ldw, n, k int) []uint32 {
	t.Helper()
	size := PackedPairsLen(n, k)
	want := filledPairs(size + 1)
	for i := range size {
		j, p, col := i/(max(1, Pairs(k))*Panel), i/Panel%max(1, Pairs(k)), i%Panel
		want[i] = 0
		if c := j*Panel + col; c < n {
			want[i] = uint32(RoundBF16(w[c*ldw+2*p])) << 16
			if 2*p+1 < k {
				want[i] |= uint32(RoundBF16(w[c*ldw+2*p+1]))
			}
		}
	}
	ldb := n + r.IntN(4)
	b, raw := make([]float32, k*ldb+1), []byte(nil)
	for j := range n {
		for l := range k {
			b[l*ldb+j] = w[j*ldw+l]
		}
	}
	for i, v := range w[:len(w)-1] {
		x := RoundBF16(v)
		if i%5 == 0 && x&0x7fff == 0 {
			x |= 3 // a subnormal value, to be taken for zero
		}
		raw = binary.LittleEndian.AppendUint16(raw, x)
	}
	for name, pack := range map[string]func(dst []uint32){
		"PackBF16Transposed":    func(dst []uint32) { s.PackBF16Transposed(dst, w, ldw, n, k, &Scratch{}) },
		"PackBF16":              func(dst []uint32) { s.PackBF16(dst, b, ldb, k, n) },
		"PackRawBF16Transposed": func(dst []uint32) { s.PackRawBF16Transposed(dst, raw, ldw, n, k, nil) },
	} {
		got := filledPairs(size + 1)
		pack(got)
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("%s of %d × %d: pair %d is %#08x, want %#08x", name, n, k, i, got[i], want[i])
			}
		}
	}
	column, row := make([]float32, k), make([]float32, n)
	for range min(n, 3) {
		c := r.IntN(n)
		WidenColumn(column, want, c)
		for l, v := range column {
			if x := WidenBF16(RoundBF16(w[c*ldw+l])); v != x {
				t.Fatalf("column %d of %d × %d: value %d is %g, want %g", c, n, k, l, v, x)
			}
		}
	}
	for range min(k, 3) {
		l := r.IntN(k)
		WidenRow(row, want, l, k)
		for c, v := range row {
			if x := WidenBF16(RoundBF16(w[c*ldw+l])); v != x {
				t.Fatalf("row %d of %d × %d: value %d is %g, want %g", l, n, k, c, v, x)
			}
		}
	}
	return want[:size:size]
}

// checkGemmBF16 compares one product with the plain one of rounded values, in one call and split at random.
func checkGemmBF16(t *testing.T, s *Set, r *rand.Rand, m, n, k int, mode Mode, withBias, withScratch bool) {
	t.Helper()
	lda, ldc, ldw, ldp := k+r.IntN(5), n+r.IntN(5), k+r.IntN(5), Pairs(k)+r.IntN(3)
	a, w := random(r, m*lda+1), random(r, n*ldw+1)
	if len(w) > 5 {
		w[3] = 1e-40
	}
	b := make([]float32, k*n)
	for j := range n {
		for l := range k {
			b[l*n+j] = w[j*ldw+l]
		}
	}
	packed := packings(t, s, r, w, ldw, n, k)
	pairs := filledPairs(m*ldp + 1)
	s.RoundPairs(pairs, ldp, a, lda, m, k)
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
	product(want, ldc, rounded(a), lda, rounded(b), m, n, k, bias, mode)
	panels := (n + Panel - 1) / Panel

	got := append([]float32(nil), start...)
	s.GemmBF16(got, ldc, pairs, ldp, packed, m, n, k, 0, panels, bias, mode, scratch)
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
			s.GemmBF16(split[row*ldc:], ldc, pairs[row*ldp:], ldp, packed, rows, n, k, p, q, bias, mode, scratch)
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

func TestGemmBF16(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(2)
		for m := range 30 {
			for _, n := range []int{1, 12, 31, 32, 33, 64, 96, 128, 135, 160} {
				checkGemmBF16(t, s, r, m, n, r.IntN(40), Mode(m%2), r.IntN(2) == 0, r.IntN(4) > 0)
			}
		}
		for _, shape := range [][3]int{
			{0, 32, 5}, {5, 0, 5}, {5, 32, 0}, {5, 7, 0}, {1, 32, 1}, {3, 64, 2001}, {13, 5, 2 * longPanel}, {14, 5, 2*longPanel + 2},
			{15, 33, widenedK}, {15, 33, widenedK + 1}, {15, 33, 3*widenedK + 3}, {blockRows + 5, 129, 7}, {2*blockRows + 1, 130, 5}, {97, 150, 30},
		} {
			for mode := range 2 {
				checkGemmBF16(t, s, r, shape[0], shape[1], shape[2], Mode(mode), true, true)
			}
		}
	})
}

func FuzzGemmBF16(f *testing.F) {
	f.Add(uint64(1), uint16(3), uint16(40), uint16(9), byte(0))
	f.Add(uint64(2), uint16(20), uint16(130), uint16(71), byte(7))
	f.Fuzz(func(t *testing.T, seed uint64, m, n, k uint16, flags byte) {
		for _, l := range Levels() {
			s, err := New(l)
			if err != nil {
				t.Fatal(err)
			}
			checkGemmBF16(t, s, newRand(seed), int(m%64), int(n%200), int(k%700), Mode(flags&1), flags&2 > 0, flags&4 > 0)
		}
	})
}

func TestGemmBF16NonFinite(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(4)
		m, n, k := 6, 40, 33
		a, b := random(r, m*k), random(r, k*n)
		a[k+3], a[2*k+4], b[5*n+7] = inf, nan, -inf
		a[3*k+5], a[4*k] = math.MaxFloat32, 1e-42
		packed, pairs := make([]uint32, PackedPairsLen(n, k)), make([]uint32, m*Pairs(k))
		s.PackBF16(packed, b, n, k, n)
		s.RoundPairs(pairs, Pairs(k), a, k, m, k)
		got, want := make([]float32, m*n), make([]float32, m*n)
		s.GemmBF16(got, n, pairs, Pairs(k), packed, m, n, k, 0, 2, nil, Store, nil)
		product(want, n, rounded(a), k, rounded(b), m, n, k, nil, Store)
		for i := range got {
			if !s.equal(got[i], want[i], 10) {
				t.Errorf("element (%d, %d) is %g, want %g", i/n, i%n, got[i], want[i])
			}
		}
	})
}

func TestGemmBF16Panics(t *testing.T) {
	s, err := New(Best())
	if err != nil {
		t.Fatal(err)
	}
	a, b, c, x := make([]uint32, 32), make([]uint32, 32*4), make([]float32, 8*32), make([]float32, 64)
	for name, f := range map[string]func(){
		"short a":        func() { s.GemmBF16(c, 32, a[:31], 4, b, 8, 32, 8, 0, 1, nil, Store, nil) },
		"short b":        func() { s.GemmBF16(c, 32, a, 4, b[:127], 8, 32, 8, 0, 1, nil, Store, nil) },
		"short c":        func() { s.GemmBF16(c[:255], 32, a, 4, b, 8, 32, 8, 0, 1, nil, Store, nil) },
		"add with bias":  func() { s.GemmBF16(c, 32, a, 4, b, 8, 32, 8, 0, 1, c[:32], Add, nil) },
		"short rounding": func() { s.RoundPairs(a[:31], 4, x, 8, 8, 8) },
		"short packing":  func() { s.PackBF16(b[:127], x, 8, 8, 8) },
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
