package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// eachLevel runs a test for every level of this machine.
func eachLevel(t *testing.T, f func(t *testing.T, s *Set)) {
	t.Helper()
	for _, l := range Levels() {
		t.Run(l.String(), func(t *testing.T) {
			s, err := New(l)
			if err != nil {
				t.Fatal(err)
			}
			f(t, s)
		})
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 77)) }

// random returns n values of mixed size and sign, some of them zero.
func random(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if r.IntN(16) > 0 {
			x[i] = float32(r.NormFloat64())
		}
	}
	return x
}

// fma32 is the fused multiply-add of float32: the product is exact in float64, the sum is rounded to odd
// there (a float64 has more than twice the bits of a float32, plus two), and then once to float32.
func fma32(x, y, z float32) float32 {
	p := float64(x) * float64(y)
	s := p + float64(z)
	if math.IsInf(s, 0) || s != s || s == 0 {
		return float32(s)
	}
	// The error of the sum, exactly (Knuth's two-sum).
	b := s - p
	e := (p - (s - b)) + (float64(z) - b)
	if u := math.Float64bits(s); e != 0 && u&1 == 0 {
		if (e > 0) == (s > 0) {
			u++
		} else {
			u--
		}
		s = math.Float64frombits(u)
	}
	return float32(s)
}

func TestFMA32(t *testing.T) {
	r := newRand(1)
	for range 20000 {
		x, y := float32(r.NormFloat64()), float32(r.NormFloat64())
		z := float32(r.NormFloat64() * math.Pow(2, float64(r.IntN(60)-30)))
		if r.IntN(3) == 0 {
			z = -x * y * (1 + float32(r.IntN(5)-2)*0x1p-23)
		}
		exact := new(big.Float).SetPrec(400).Mul(big.NewFloat(float64(x)), big.NewFloat(float64(y)))
		exact.Add(exact, big.NewFloat(float64(z)))
		want, _ := exact.Float32()
		if got := fma32(x, y, z); got != want {
			t.Fatalf("fma(%g, %g, %g) = %g, want %g", x, y, z, got, want)
		}
	}
}

// fusedFMA is what a chain of the set is made of: one rounding in assembly; in plain Go either one or
// two, as the compiler likes.
func (s *Set) exactFMA() bool { return s.level != Portable }

// equal compares results with a reference that rounds once for each multiply-add: bit for bit in
// assembly, to a tolerance relative to scale in plain Go. NaNs are equal.
func (s *Set) equal(got, want, scale float32) bool {
	if got != got || want != want {
		return (got != got) == (want != want)
	}
	if s.exactFMA() {
		return math.Float32bits(got) == math.Float32bits(want)
	}
	return got == want || math.Abs(float64(got)-float64(want)) <= 1e-5*(1+math.Abs(float64(scale)))
}

func TestLevels(t *testing.T) {
	t.Logf("best level: %v", Best())
	for _, l := range []Level{Portable, AVX2, AVX512, AVX512BF16} {
		t.Setenv(EnvLevel, l.String())
		s, err := New(Detect())
		if l <= Best() {
			if err != nil || s.Level() != l {
				t.Errorf("%s=%v: %v, %v", EnvLevel, l, s, err)
			}
		} else if err == nil {
			t.Errorf("%s=%v: no error on a machine of %v", EnvLevel, l, Best())
		}
	}
	t.Setenv(EnvLevel, "avx1024")
	if _, err := New(Detect()); err == nil {
		t.Error("an unknown level gives no error")
	} else {
		t.Log(err)
	}
	t.Setenv(EnvLevel, "")
	if s, err := New(Detect()); err != nil || s.Level() != Best() {
		t.Errorf("without %s: %v, %v", EnvLevel, s, err)
	}
}
