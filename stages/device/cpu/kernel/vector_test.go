package kernel

import (
	"fmt"
	"math"
	"math/big"
	"testing"
)

var lengths = []int{0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 100, 127, 1000}

// guarded returns a copy of x between canaries, and a function that checks them.
func guarded(t *testing.T, x []float32) ([]float32, func()) {
	t.Helper()
	const guard = 20
	buf := filled(len(x)+2*guard, canary)
	copy(buf[guard:], x)
	return buf[guard : guard+len(x) : guard+len(x)], func() {
		t.Helper()
		for i, v := range buf {
			if (i < guard || i >= guard+len(x)) && v != canary {
				t.Fatalf("length %d: wrote at %d", len(x), i-guard)
			}
		}
	}
}

// laneSum is the order of all reductions, with f combining a lane and element i.
func laneSum(n int, f func(lane float32, i int) float32) float32 {
	var l [16]float32
	for i := range n {
		l[i%16] = f(l[i%16], i)
	}
	for h := 8; h > 0; h /= 2 {
		for i := range h {
			l[i] += l[i+h]
		}
	}
	return l[0]
}

func TestReductions(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(11)
		for _, n := range lengths {
			x, y := random(r, n), random(r, n)
			scale := float32(n)
			if got, want := s.Sum(x), laneSum(n, func(l float32, i int) float32 { return l + x[i] }); !s.equal(got, want, scale) {
				t.Errorf("Sum of %d: %g, want %g", n, got, want)
			}
			if got, want := s.Dot(x, y), laneSum(n, func(l float32, i int) float32 { return fma32(x[i], y[i], l) }); !s.equal(got, want, scale) {
				t.Errorf("Dot of %d: %g, want %g", n, got, want)
			}
			if got, want := s.SumSquares(x), laneSum(n, func(l float32, i int) float32 { return fma32(x[i], x[i], l) }); !s.equal(got, want, scale) {
				t.Errorf("SumSquares of %d: %g, want %g", n, got, want)
			}
		}
	})
}

func TestMax(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(12)
		for _, n := range lengths {
			x := random(r, n)
			for i := range x {
				x[i] -= 100 // so that zeros beyond the end would show
			}
			want := -inf
			for _, v := range x {
				want = max(want, v)
			}
			if got := s.Max(x); got != want {
				t.Errorf("Max of %d: %g, want %g", n, got, want)
			}
			for i := range min(n, 40) {
				old := x[i]
				for _, v := range []float32{nan, inf, -inf} {
					x[i] = v
					got := s.Max(x)
					switch {
					case v != v && got == got, v == inf && got != inf, v == -inf && n == 1 && got != -inf:
						t.Errorf("Max of %d with %g at %d: %g", n, v, i, got)
					}
				}
				x[i] = old
			}
		}
	})
}

// ulps is the distance of a from the exact value b in units in the last place of float32 at b.
func ulps(a float32, b float64) float64 {
	_, e := math.Frexp(b)
	return math.Abs(float64(a)-b) / math.Ldexp(1, max(e-24, -149))
}

func TestExp(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		var x []float32
		for v := -87.33; v < 88.72; v += 0.00037 {
			x = append(x, float32(v))
		}
		for e := -40; e < 6; e++ {
			x = append(x, float32(math.Ldexp(1.3, e)), -float32(math.Ldexp(1.7, e)))
		}
		y := make([]float32, len(x))
		s.Exp(y, x)
		worst, at := 0.0, float32(0)
		for i, v := range y {
			if d := ulps(v, math.Exp(float64(x[i]))); d > worst {
				worst, at = d, x[i]
			}
		}
		t.Logf("worst error %.3f ulp at %g", worst, at)
		if !(worst <= 2) {
			t.Errorf("exp(%g) is %.3f ulp off", at, worst)
		}
		// Subnormal results are rounded once: within one step.
		for v := float32(-103.9); v < -87.4; v += 0.01 {
			s.Exp(y[:1], []float32{v})
			if d := ulps(y[0], math.Exp(float64(v))); d > 1.5 {
				t.Errorf("exp(%g) = %g is %.2f steps off", v, y[0], d)
			}
		}
		for _, c := range []struct{ x, want float32 }{
			{0, 1}, {float32(math.Copysign(0, -1)), 1}, {-inf, 0}, {inf, inf}, {nan, nan}, {89, inf}, {1000, inf}, {88.8, inf}, {3e38, inf},
			{-104, 0}, {-150, 0}, {-3e38, 0}, {1e-40, 1},
		} {
			for _, n := range []int{1, 16, 19} {
				in := filled(n, c.x)
				s.Exp(in, in)
				for i, got := range in {
					if math.Float32bits(got) != math.Float32bits(c.want) && (got == got || c.want == c.want) {
						t.Errorf("exp(%g) = %g at %d of %d, want %g", c.x, got, i, n, c.want)
					}
				}
			}
		}
	})
}

// elementwise runs f on guarded copies of random inputs of every length and compares each output with
// want, which gets the values before the call. Inputs are outputs too if f writes to them.
func elementwise(t *testing.T, arrays int, f func(s *Set, v [][]float32), want func(in []float32) []float32) {
	t.Helper()
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(13)
		for _, n := range lengths {
			var before, v [][]float32
			var checks []func()
			for range arrays {
				x := random(r, n)
				before = append(before, x)
				g, check := guarded(t, x)
				v, checks = append(v, g), append(checks, check)
			}
			f(s, v)
			for _, check := range checks {
				check()
			}
			for i := range n {
				in := make([]float32, arrays)
				for a := range in {
					in[a] = before[a][i]
				}
				for a, w := range want(in) {
					if !s.equal(v[a][i], w, w) {
						t.Fatalf("length %d: array %d element %d is %g, want %g (from %v)", n, a, i, v[a][i], w, before)
					}
				}
			}
		}
	})
}

func TestElementwise(t *testing.T) {
	t.Run("Axpy", func(t *testing.T) {
		elementwise(t, 2, func(s *Set, v [][]float32) { s.Axpy(v[0], 1.7, v[1]) },
			func(in []float32) []float32 { return []float32{fma32(1.7, in[1], in[0]), in[1]} })
	})
	t.Run("Scale", func(t *testing.T) {
		elementwise(t, 1, func(s *Set, v [][]float32) { s.Scale(v[0], 1.7) },
			func(in []float32) []float32 { return []float32{in[0] * 1.7} })
	})
	t.Run("AddTo", func(t *testing.T) {
		elementwise(t, 2, func(s *Set, v [][]float32) { s.AddTo(v[0], v[1]) },
			func(in []float32) []float32 { return []float32{in[0] + in[1], in[1]} })
	})
	t.Run("Mul", func(t *testing.T) {
		elementwise(t, 3, func(s *Set, v [][]float32) { s.Mul(v[0], v[1], v[2]) },
			func(in []float32) []float32 { return []float32{in[1] * in[2], in[1], in[2]} })
	})
	t.Run("NormScale", func(t *testing.T) {
		elementwise(t, 3, func(s *Set, v [][]float32) { s.NormScale(v[0], v[1], v[2], 0.37) },
			func(in []float32) []float32 { return []float32{in[1] * 0.37 * in[2], in[1], in[2]} })
	})
	c := NewAdamWConst(1e-2, 0.9, 0.95, 1e-8, 0.1, 3, 0.5)
	t.Run("AdamW", func(t *testing.T) {
		elementwise(t, 4, func(s *Set, v [][]float32) {
			for i, x := range v[3] {
				v[3][i] = x * x
			}
			s.AdamW(v[0], v[1], v[2], v[3], c)
		}, func(in []float32) []float32 {
			g := in[1] * c.GradScale
			m := fma32(c.Beta1, in[2], c.OneMinusBeta1*g)
			v := fma32(c.Beta2, in[3]*in[3], c.OneMinusBeta2*g*g)
			d := float32(math.Sqrt(float64(v*c.Correct2))) + c.Eps
			return []float32{fma32(-c.Step, m/d, in[0]*c.Decay), in[1], m, v}
		})
	})
}

// TestAdamWAgainstFloat64 follows ten updates of the textbook formula in float64.
func TestAdamWAgainstFloat64(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		const lr, b1, b2, eps, wd, n = 1e-2, 0.9, 0.999, 1e-8, 0.1, 37
		r := newRand(14)
		p, m, v := random(r, n), make([]float32, n), make([]float32, n)
		var wp, wm, wv [n]float64
		for i := range wp {
			wp[i] = float64(p[i])
		}
		for step := int64(1); step <= 10; step++ {
			g := random(r, n)
			s.AdamW(p, g, m, v, NewAdamWConst(lr, b1, b2, eps, wd, step, 0.5))
			for i := range wp {
				gi := float64(g[i]) * 0.5
				wp[i] *= 1 - lr*wd
				wm[i] = b1*wm[i] + (1-b1)*gi
				wv[i] = b2*wv[i] + (1-b2)*gi*gi
				wp[i] -= lr / (1 - math.Pow(b1, float64(step))) * wm[i] / (math.Sqrt(wv[i]/(1-math.Pow(b2, float64(step)))) + eps)
			}
		}
		for i := range wp {
			if math.Abs(float64(p[i])-wp[i]) > 1e-5 {
				t.Errorf("parameter %d is %g, want %g", i, p[i], wp[i])
			}
		}
	})
}

func TestRoPE(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(15)
		for _, h := range lengths {
			for _, sign := range []float32{1, -1} {
				before, cos, sin := random(r, 2*h), random(r, h), random(r, h)
				x, check := guarded(t, before)
				s.RoPE(x, cos, sin, sign)
				check()
				for i := range h {
					u := sin[i] * sign
					lo := fma32(before[i], cos[i], -(before[i+h] * u))
					hi := fma32(before[i+h], cos[i], before[i]*u)
					if !s.equal(x[i], lo, 1) || !s.equal(x[i+h], hi, 1) {
						t.Fatalf("h %d: pair %d is (%g, %g), want (%g, %g)", h, i, x[i], x[i+h], lo, hi)
					}
				}
			}
		}
	})
}

// TestSwiGLU compares the function with float64, and its gradient with the derivative in float64.
func TestSwiGLU(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(16)
		for _, n := range lengths {
			gate, up, dy := random(r, n), random(r, n), random(r, n)
			for i := range gate {
				gate[i] *= 6
			}
			if n > 4 {
				gate[0], gate[1], gate[2] = 200, -200, -88
			}
			y, check := guarded(t, make([]float32, n))
			s.SwiGLU(y, gate, up)
			check()
			dgate, check1 := guarded(t, append([]float32(nil), gate...))
			dup, check2 := guarded(t, append([]float32(nil), up...))
			s.SwiGLUBackward(dgate, dup, dy, dgate, dup) // in place
			check1()
			check2()
			for i := range n {
				g, u, d := float64(gate[i]), float64(up[i]), float64(dy[i])
				sg := 1 / (1 + math.Exp(-g))
				for _, c := range []struct {
					name      string
					got, want float64
				}{
					{"y", float64(y[i]), g * sg * u},
					{"dup", float64(dup[i]), d * g * sg},
					{"dgate", float64(dgate[i]), d * u * sg * (1 + g*(1-sg))},
				} {
					if !(math.Abs(c.got-c.want) <= 1e-6*(math.Abs(c.want)+math.Abs(d*u))+1e-30) {
						t.Errorf("n %d: %s[%d] = %g, want %g (gate %g)", n, c.name, i, c.got, c.want, g)
					}
				}
			}
		}
	})
}

// TestExpSum checks the values against Exp and the sum against its order.
func TestExpSum(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(17)
		for _, n := range lengths {
			x := random(r, n)
			y, check := guarded(t, make([]float32, n))
			sum := s.ExpSum(y, x, 1.5)
			check()
			want := make([]float32, n)
			for i, v := range x {
				want[i] = v - 1.5
			}
			s.Exp(want, want)
			for i := range want {
				if y[i] != want[i] {
					t.Fatalf("n %d: element %d is %g, want %g", n, i, y[i], want[i])
				}
			}
			if w := laneSum(n, func(l float32, i int) float32 { return l + want[i] }); sum != w {
				t.Errorf("n %d: sum %g, want %g", n, sum, w)
			}
		}
	})
}

// TestLevelsAgree compares the assembly levels with each other, bit by bit, on values that reach
// overflow, underflow and NaN.
func TestLevelsAgree(t *testing.T) {
	if Best() < AVX512 {
		t.Skip("needs two levels of assembly; the best here is", Best())
	}
	low, err := New(AVX2)
	if err != nil {
		t.Fatal(err)
	}
	high, err := New(AVX512)
	if err != nil {
		t.Fatal(err)
	}
	const n = 4096 + 5
	r := newRand(18)
	in := make([][]float32, 5)
	for i := range in {
		in[i] = random(r, n)
		for j := range in[i] {
			switch r.IntN(8) {
			case 0:
				in[i][j] *= float32(math.Exp2(float64(r.IntN(250) - 125)))
			case 1:
				in[i][j] *= 60
			}
		}
		in[i][1], in[i][n-1], in[i][77] = float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())
	}
	for name, f := range map[string]func(s *Set, v [][]float32) float32{
		"Exp":            func(s *Set, v [][]float32) float32 { s.Exp(v[0], v[1]); return 0 },
		"ExpSum":         func(s *Set, v [][]float32) float32 { return s.ExpSum(v[0], v[1], 0.3) },
		"ExpSum finite":  func(s *Set, v [][]float32) float32 { return s.ExpSum(v[0][100:3000], v[1][100:3000], 140) },
		"Max":            func(s *Set, v [][]float32) float32 { return s.Max(v[0]) },
		"Max finite":     func(s *Set, v [][]float32) float32 { return s.Max(v[0][100:3001]) },
		"Sum":            func(s *Set, v [][]float32) float32 { return s.Sum(v[0][100:3001]) },
		"Dot":            func(s *Set, v [][]float32) float32 { return s.Dot(v[0][100:3001], v[1][100:3001]) },
		"SwiGLU":         func(s *Set, v [][]float32) float32 { s.SwiGLU(v[0], v[1], v[2]); return 0 },
		"SwiGLUBackward": func(s *Set, v [][]float32) float32 { s.SwiGLUBackward(v[0], v[1], v[2], v[3], v[4]); return 0 },
		"AdamW": func(s *Set, v [][]float32) float32 {
			s.AdamW(v[0], v[1], v[2], v[3], NewAdamWConst(1e-3, 0.9, 0.99, 1e-8, 0.01, 2, 1))
			return 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			run := func(s *Set) (out [][]float32, x float32) {
				for _, v := range in {
					out = append(out, append([]float32(nil), v...))
				}
				return out, f(s, out)
			}
			a, x := run(low)
			b, y := run(high)
			a, b = append(a, []float32{x}), append(b, []float32{y})
			for i := range a {
				for j := range a[i] {
					if math.Float32bits(a[i][j]) != math.Float32bits(b[i][j]) && (a[i][j] == a[i][j] || b[i][j] == b[i][j]) {
						t.Fatalf("array %d element %d: %v at %v, %v at %v (from %v)", i, j, a[i][j], AVX2, b[i][j], AVX512,
							fmt.Sprint(in[0][j], in[1][j], in[2][j]))
					}
				}
			}
		})
	}
}

// TestExpConstants recomputes the split of ln 2 and the error of the polynomial.
func TestExpConstants(t *testing.T) {
	ln2, _, err := big.ParseFloat("0.693147180559945309417232121458176568", 10, 200, big.ToNearestEven)
	if err != nil {
		t.Fatal(err)
	}
	hi := big.NewFloat(expLn2Hi).SetPrec(200)
	lo, _ := new(big.Float).Sub(ln2, hi).Float32()
	if lo != float32(expLn2Lo) {
		t.Errorf("low part of ln 2 is %g, want %g", float32(expLn2Lo), lo)
	}
	worst := 0.0
	for r := -math.Ln2 / 2; r <= math.Ln2/2; r += 1e-5 {
		p := 1 + r + r*r*(expQ0+r*(expQ1+r*(expQ2+r*(expQ3+r*expQ4))))
		worst = max(worst, math.Abs(p/math.Exp(r)-1))
	}
	if worst > 3.2e-9 {
		t.Errorf("the polynomial is %.2g off", worst)
	}
}
