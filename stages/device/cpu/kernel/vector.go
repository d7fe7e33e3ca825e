package kernel

import (
	"fmt"
	"math"
)

// Exp sets dst to exp(x), within 2 units in the last place where the result is a normal number. -Inf
// gives 0, NaN gives NaN, and what overflows gives +Inf. dst may be x.
func (s *Set) Exp(dst, x []float32) {
	same("Exp", len(dst), len(x))
	if len(x) == 0 {
		return
	}
	if s.level == Portable {
		expPortable(dst, x)
		return
	}
	expSIMD(s.level, dst, x)
}

// ExpSum sets dst to exp(x − sub) and returns the sum of dst over 16 lanes (see the package comment).
// dst may be x.
func (s *Set) ExpSum(dst, x []float32, sub float32) float32 {
	same("ExpSum", len(dst), len(x))
	if len(x) == 0 {
		return 0
	}
	if s.level == Portable {
		return expSumPortable(dst, x, sub)
	}
	return expSumSIMD(s.level, dst, x, sub)
}

// Max returns the largest element: -Inf for none, NaN if any is NaN.
func (s *Set) Max(x []float32) float32 {
	if len(x) == 0 {
		return float32(math.Inf(-1))
	}
	if s.level == Portable {
		return maxPortable(x)
	}
	return maxSIMD(s.level, x)
}

// Sum returns the sum of x over 16 lanes.
func (s *Set) Sum(x []float32) float32 {
	if len(x) == 0 {
		return 0
	}
	if s.level == Portable {
		return sumPortable(x)
	}
	return sumSIMD(s.level, x)
}

// Dot returns the inner product over 16 lanes: each lane is a chain lane = fma(x, y, lane).
func (s *Set) Dot(x, y []float32) float32 {
	same("Dot", len(x), len(y))
	if len(x) == 0 {
		return 0
	}
	if s.level == Portable {
		return dotPortable(x, y)
	}
	return dotSIMD(s.level, x, y)
}

// SumSquares returns Dot(x, x).
func (s *Set) SumSquares(x []float32) float32 { return s.Dot(x, x) }

// Axpy sets y to fma(a, x, y).
func (s *Set) Axpy(y []float32, a float32, x []float32) {
	same("Axpy", len(y), len(x))
	if len(x) == 0 {
		return
	}
	if s.level == Portable {
		for i, v := range x {
			y[i] += a * v
		}
		return
	}
	axpySIMD(s.level, y, a, x)
}

// Scale multiplies y by a.
func (s *Set) Scale(y []float32, a float32) {
	if len(y) == 0 {
		return
	}
	if s.level == Portable {
		for i := range y {
			y[i] *= a
		}
		return
	}
	scaleSIMD(s.level, y, a)
}

// AddTo adds x to y.
func (s *Set) AddTo(y, x []float32) {
	same("AddTo", len(y), len(x))
	if len(x) == 0 {
		return
	}
	if s.level == Portable {
		for i, v := range x {
			y[i] += v
		}
		return
	}
	addToSIMD(s.level, y, x)
}

// Mul sets dst to x·y, element by element.
func (s *Set) Mul(dst, x, y []float32) {
	same("Mul", len(dst), len(x))
	same("Mul", len(dst), len(y))
	if len(x) == 0 {
		return
	}
	if s.level == Portable {
		for i, v := range x {
			dst[i] = v * y[i]
		}
		return
	}
	mulSIMD(s.level, dst, x, y)
}

// SwiGLU sets y to silu(gate)·up, computed as (gate / (1 + exp(−gate)))·up.
func (s *Set) SwiGLU(y, gate, up []float32) {
	same("SwiGLU", len(y), len(gate))
	same("SwiGLU", len(y), len(up))
	if len(y) == 0 {
		return
	}
	if s.level == Portable {
		swigluPortable(y, gate, up)
		return
	}
	swigluSIMD(s.level, y, gate, up)
}

// SwiGLUBackward sets dgate and dup from the gradient dy of y = silu(gate)·up. With σ = 1/(1 + exp(−gate)):
// dup = dy·(gate·σ) and dgate = (dy·up)·(σ·(1 + gate·(1 − σ))). dgate may be gate and dup may be up.
func (s *Set) SwiGLUBackward(dgate, dup, dy, gate, up []float32) {
	for _, v := range [...][]float32{dup, dy, gate, up} {
		same("SwiGLUBackward", len(dgate), len(v))
	}
	if len(dgate) == 0 {
		return
	}
	if s.level == Portable {
		swigluBackwardPortable(dgate, dup, dy, gate, up)
		return
	}
	swigluBackwardSIMD(s.level, dgate, dup, dy, gate, up)
}

// NormScale sets y to (x·r)·w: the last step of RMS normalisation, r being the reciprocal root mean
// square. y may be x.
func (s *Set) NormScale(y, x, w []float32, r float32) {
	same("NormScale", len(y), len(x))
	same("NormScale", len(y), len(w))
	if len(y) == 0 {
		return
	}
	if s.level == Portable {
		for i, v := range x {
			y[i] = v * r * w[i]
		}
		return
	}
	normScaleSIMD(s.level, y, x, w, r)
}

// RoPE rotates one head in place by the angles whose cosines and sines are given: with h = len(cos) =
// len(sin) = len(x)/2 and t = sin[i]·sign,
//
//	x[i], x[i+h] = fma(x[i], cos[i], −(x[i+h]·t)), fma(x[i+h], cos[i], x[i]·t)
//
// sign is 1, or −1 for the inverse rotation.
func (s *Set) RoPE(x, cos, sin []float32, sign float32) {
	same("RoPE", len(x), 2*len(cos))
	same("RoPE", len(cos), len(sin))
	if len(cos) == 0 {
		return
	}
	if s.level == Portable {
		ropePortable(x, cos, sin, sign)
		return
	}
	ropeSIMD(s.level, x, cos, sin, sign)
}

func same(what string, a, b int) {
	if a != b {
		panic(fmt.Sprintf("kernel: %s: lengths %d and %d differ", what, a, b))
	}
}
