package kernel

import "math"

// Constants of exp: x = n·ln 2 + r, exp(x) = 2ⁿ·p(r) with |r| ≤ ln 2 / 2. ln 2 is split in two so that
// n·expLn2Hi is exact; p(r) = 1 + r + r²·(q0 + q1·r + … + q4·r⁴) is the minimax polynomial of that form
// for the relative error, 3.1e-9 before rounding (Remez exchange).
const (
	expHigh  = 89   // overflows
	expLow   = -104 // underflows to zero
	expLog2E = 1.4426950408889634
	expLn2Hi = 0.69140625
	expLn2Lo = 0.0017409305599453094
	expQ0    = 0.4999999344387352
	expQ1    = 0.16666520573580745
	expQ2    = 0.04166838873153239
	expQ3    = 0.008368723934862519
	expQ4    = 0.0013814583929630164
)

// exp1 is the exponential of one value. The power of two is applied in two halves, so that a subnormal
// result is rounded once.
func exp1(x float32) float32 {
	if x != x {
		return x
	}
	x = min(max(x, expLow), expHigh)
	// Adding 1.5·2²³ rounds to the nearest integer, ties to even; the conversion keeps the compiler
	// from fusing the product.
	n := float32(float32(x*expLog2E)+12582912) - 12582912
	r := x - n*expLn2Hi
	r -= n * expLn2Lo
	p := float32(expQ4)
	p = p*r + expQ3
	p = p*r + expQ2
	p = p*r + expQ1
	p = p*r + expQ0
	p = p*r + 1
	p = p*r + 1
	i := int32(n)
	half := i >> 1
	return p * math.Float32frombits(uint32(half+127)<<23) * math.Float32frombits(uint32(i-half+127)<<23)
}

func expPortable(dst, x []float32) {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = exp1(v)
	}
}

func expSumPortable(dst, x []float32, sub float32) float32 {
	dst = dst[:len(x)]
	for i, v := range x {
		dst[i] = exp1(v - sub)
	}
	return sumPortable(dst)
}

// fold adds the 16 lanes of a reduction.
func fold(l *[16]float32) float32 {
	for h := 8; h > 0; h /= 2 {
		for i := range h {
			l[i] += l[i+h]
		}
	}
	return l[0]
}

func sumPortable(x []float32) float32 {
	var l [16]float32
	for len(x) >= 16 {
		b := (*[16]float32)(x)
		for i := range l {
			l[i] += b[i]
		}
		x = x[16:]
	}
	for i, v := range x {
		l[i] += v
	}
	return fold(&l)
}

func dotPortable(x, y []float32) float32 {
	var l [16]float32
	for len(x) >= 16 && len(y) >= 16 {
		a, b := (*[16]float32)(x), (*[16]float32)(y)
		for i := range l {
			l[i] += a[i] * b[i]
		}
		x, y = x[16:], y[16:]
	}
	for i, v := range x {
		l[i] += v * y[i]
	}
	return fold(&l)
}

func maxPortable(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

func swigluPortable(y, gate, up []float32) {
	for i, g := range gate {
		y[i] = g / (1 + exp1(-g)) * up[i]
	}
}

func swigluBackwardPortable(dgate, dup, dy, gate, up []float32) {
	for i := range dgate {
		g, u, d := gate[i], up[i], dy[i]
		sg := 1 / (1 + exp1(-g))
		dup[i] = d * (g * sg)
		dgate[i] = d * u * (sg * (1 + g*(1-sg)))
	}
}

func ropePortable(x, cos, sin []float32, sign float32) {
	h := len(cos)
	lo, hi := x[:h], x[h:][:h]
	sin = sin[:h]
	for i, c := range cos {
		t := sin[i] * sign
		a, b := lo[i], hi[i]
		lo[i], hi[i] = a*c-float32(b*t), b*c+float32(a*t)
	}
}
