package main

import "fmt"

// exp emits register 2 = exp(register 0), using 0 to 3: x = n·ln 2 + r, the polynomial of r, and 2ⁿ. The
// constants are those of the portable version, which explains them. AVX2 applies 2ⁿ in two factors; the
// first product is exact, so that one rounding remains, as in VSCALEFPS.
func (v *vector) exp() {
	const x, n, p, t = reg(0), reg(1), reg(2), reg(3)
	c := func(name string, value float64) constant { return constant(v.f32(name, value)) }
	// The bounds come first and x second, so that a NaN passes.
	v.broadcast(string(c("expHigh", 89)), t)
	v.do("VMINPS", x, t, x)
	v.broadcast(string(c("expLow", -104)), t)
	v.do("VMAXPS", x, t, x)
	v.do("VMULPS", c("expLog2E", 1.4426950408889634), x, n)
	if v.lanes == 16 {
		v.do("VRNDSCALEPS", "$8", n, n)
	} else {
		v.do("VROUNDPS", "$8", n, n)
	}
	v.do("VFNMADD231PS", c("expLn2Hi", 0.69140625), n, x)
	v.do("VFNMADD231PS", c("expLn2Lo", 0.0017409305599453094), n, x)
	v.broadcast(string(c("expQ4", 0.0013814583929630164)), p)
	for _, q := range []constant{
		c("expQ3", 0.008368723934862519),
		c("expQ2", 0.04166838873153239),
		c("expQ1", 0.16666520573580745),
		c("expQ0", 0.4999999344387352),
		c("one", 1), c("one", 1),
	} {
		v.do("VFMADD213PS", q, x, p)
	}
	if v.lanes == 16 {
		v.do("VSCALEFPS", n, p, p)
		return
	}
	bias := constant(v.bits("exponentBias", 127))
	v.do("VCVTPS2DQ", n, n)
	v.do("VPSRAD", "$1", n, t)
	v.do("VPSUBD", t, n, n)
	for _, half := range []reg{t, n} {
		v.do("VPADDD", bias, half, half)
		v.do("VPSLLD", "$23", half, half)
		v.do("VMULPS", half, p, p)
	}
}

func vectorFile(a *asm) {
	for _, f := range functions() {
		for _, i := range isas {
			f.emit(a, i)
		}
	}
	for _, i := range isas {
		emitSoftmaxBlock(a, i)
	}
}

// functions returns all vector functions. Their comments and definitions are with the methods of Set.
func functions() []*function {
	fs := []*function{
		{
			name: "exp", doc: "is dst = exp(x).", arrays: []string{"dst", "x"},
			body: func(v *vector, p []mem) {
				v.load(p[1], 0)
				v.exp()
				v.store(2, p[0])
			},
		},
		{
			name: "sum", doc: "adds up x over 16 lanes.", arrays: []string{"x"}, returns: true,
			before: func(v *vector) { v.clear(5) },
			body: func(v *vector, p []mem) {
				v.load(p[0], 0)
				v.do("VADDPS", reg(0), reg(5), reg(5))
			},
			after: func(v *vector) { v.fold("VADDPS", 5); v.result(5) },
		},
		{
			name: "dot", doc: "is the inner product over 16 lanes.", arrays: []string{"x", "y"}, returns: true,
			before: func(v *vector) { v.clear(5) },
			body: func(v *vector, p []mem) {
				v.load(p[0], 0)
				v.load(p[1], 1)
				v.do("VFMADD231PS", reg(0), reg(1), reg(5))
			},
			after: func(v *vector) { v.fold("VADDPS", 5); v.result(5) },
		},
		{
			name: "addTo", doc: "is y += x.", arrays: []string{"y", "x"},
			body: func(v *vector, p []mem) {
				v.load(p[0], 0)
				v.load(p[1], 1)
				v.do("VADDPS", reg(1), reg(0), reg(0))
				v.store(0, p[0])
			},
		},
		{
			name: "mul", doc: "is dst = x·y.", arrays: []string{"dst", "x", "y"},
			body: func(v *vector, p []mem) {
				v.load(p[1], 0)
				v.load(p[2], 1)
				v.do("VMULPS", reg(1), reg(0), reg(0))
				v.store(0, p[0])
			},
		},
		{
			name: "swiglu", doc: "is y = gate / (1 + exp(−gate))·up.", arrays: []string{"y", "gate", "up"},
			body: func(v *vector, p []mem) {
				v.load(p[1], 4)
				v.do("VXORPS", constant(v.bits("signBit", 1<<31)), reg(4), reg(0))
				v.exp()
				v.do("VADDPS", constant(v.f32("one", 1)), reg(2), reg(2))
				v.do("VDIVPS", reg(2), reg(4), reg(4))
				v.load(p[2], 0)
				v.do("VMULPS", reg(0), reg(4), reg(4))
				v.store(4, p[0])
			},
		},
		{
			name: "swigluBackward", doc: "is the gradient of swiglu.", arrays: []string{"dgate", "dup", "dy", "gate", "up"},
			body: func(v *vector, p []mem) {
				one := constant(v.f32("one", 1))
				v.load(p[3], 4)
				v.do("VXORPS", constant(v.bits("signBit", 1<<31)), reg(4), reg(0))
				v.exp()
				v.do("VADDPS", one, reg(2), reg(2))
				v.broadcast(string(one), 3)
				v.do("VDIVPS", reg(2), reg(3), reg(2)) // σ
				v.do("VMULPS", reg(2), reg(4), reg(5)) // gate·σ
				v.load(p[2], 0)
				v.load(p[4], 1)
				v.do("VMULPS", reg(5), reg(0), reg(5))   // dup
				v.do("VMULPS", reg(1), reg(0), reg(0))   // dy·up
				v.do("VSUBPS", reg(2), reg(3), reg(3))   // 1 − σ
				v.do("VFMADD213PS", one, reg(4), reg(3)) // 1 + gate·(1 − σ)
				v.do("VMULPS", reg(2), reg(3), reg(3))
				v.do("VMULPS", reg(3), reg(0), reg(0))
				v.store(0, p[0])
				v.store(5, p[1])
			},
		},
	}
	return append(fs, withScalars()...)
}

// withScalars returns the functions that take further parameters.
func withScalars() []*function {
	expSum := &function{name: "expSum", doc: "is dst = exp(x − sub) and the sum of dst over 16 lanes.",
		arrays: []string{"dst", "x"}, scalars: []string{"sub"}, returns: true}
	expSum.before = func(v *vector) {
		v.broadcast(expSum.scalar(0), 6)
		v.clear(4)
	}
	expSum.body = func(v *vector, p []mem) {
		v.load(p[1], 0)
		v.do("VSUBPS", reg(6), reg(0), reg(0))
		v.exp()
		v.store(2, p[0])
		v.zeroBeyond(2)
		v.do("VADDPS", reg(2), reg(4), reg(4))
	}
	expSum.after = func(v *vector) { v.fold("VADDPS", 4); v.result(4) }

	axpy := &function{name: "axpy", doc: "is y = fma(a, x, y).", arrays: []string{"y", "x"}, scalars: []string{"a"}}
	axpy.before = func(v *vector) { v.broadcast(axpy.scalar(0), 6) }
	axpy.body = func(v *vector, p []mem) {
		v.load(p[0], 0)
		v.load(p[1], 1)
		v.do("VFMADD231PS", reg(1), reg(6), reg(0))
		v.store(0, p[0])
	}

	scale := &function{name: "scale", doc: "is y = y·a.", arrays: []string{"y"}, scalars: []string{"a"}}
	scale.before = func(v *vector) { v.broadcast(scale.scalar(0), 6) }
	scale.body = func(v *vector, p []mem) {
		v.load(p[0], 0)
		v.do("VMULPS", reg(6), reg(0), reg(0))
		v.store(0, p[0])
	}

	norm := &function{name: "normScale", doc: "is y = (x·r)·w.", arrays: []string{"y", "x", "w"}, scalars: []string{"r"}}
	norm.before = func(v *vector) { v.broadcast(norm.scalar(0), 6) }
	norm.body = func(v *vector, p []mem) {
		v.load(p[1], 0)
		v.load(p[2], 1)
		v.do("VMULPS", reg(6), reg(0), reg(0))
		v.do("VMULPS", reg(1), reg(0), reg(0))
		v.store(0, p[0])
	}

	rope := &function{name: "rope", doc: "rotates the pairs (lo, hi) in place.",
		arrays: []string{"lo", "hi", "cos", "sin"}, scalars: []string{"sign"}}
	rope.before = func(v *vector) { v.broadcast(rope.scalar(0), 6) }
	rope.body = func(v *vector, p []mem) {
		for k, m := range p {
			v.load(m, reg(k))
		}
		v.do("VMULPS", reg(6), reg(3), reg(3))
		v.do("VMULPS", reg(3), reg(1), reg(4)) // hi·t
		v.do("VMULPS", reg(3), reg(0), reg(5)) // lo·t
		v.do("VFMSUB213PS", reg(4), reg(2), reg(0))
		v.do("VFMADD213PS", reg(5), reg(2), reg(1))
		v.store(0, p[0])
		v.store(1, p[1])
	}
	return []*function{maximum(), expSum, axpy, scale, norm, rope, adamw()}
}

// maximum keeps a mask of what was not a number beside the maximum, since VMAXPS forgets it.
func maximum() *function {
	const m, x, nan, t = reg(0), reg(1), reg(2), reg(3)
	f := &function{name: "max", doc: "is the largest of x, NaN if any is.", arrays: []string{"x"}, returns: true}
	negInf := func(v *vector) string { return v.bits("negInf", 0xff800000) }
	f.before = func(v *vector) {
		v.broadcast(negInf(v), m)
		if v.lanes == 16 {
			v.op("KXORW K2, K2, K2")
		} else {
			v.clear(nan)
		}
	}
	f.body = func(v *vector, p []mem) {
		v.load(p[0], x)
		if v.masked { // -Inf, not zero, beyond the end
			v.broadcast(negInf(v), t)
			if v.lanes == 16 {
				v.do("VMOVAPS", x, "K1", t)
				v.do("VMOVAPS", t, x)
			} else {
				v.do("VBLENDVPS", reg(maskReg), x, t, x)
			}
		}
		if v.lanes == 16 {
			v.do("VCMPPS", "$3", x, x, "K3")
			v.op("KORW K3, K2, K2")
		} else {
			v.do("VCMPPS", "$3", x, x, t)
			v.do("VORPS", t, nan, nan)
		}
		v.do("VMAXPS", x, m, m)
	}
	f.after = func(v *vector) {
		if v.lanes == 16 {
			v.op("KTESTW K2, K2")
		} else {
			v.op("VORPS %s, %s, %s", v.operand(nan, 0), v.operand(nan, 1), v.operand(nan, 0))
			v.op("VMOVMSKPS %s, AX", v.operand(nan, 0))
			v.op("TESTL AX, AX")
		}
		v.op("JNZ nan")
		v.fold("VMAXPS", m)
		v.result(m)
		v.ret()
		v.label("nan")
		v.broadcast(v.bits("quietNaN", 0x7fc00000), m)
		v.result(m)
	}
	return f
}

// Offsets of AdamWConst (a test in the package compares them).
const (
	adamGradScale     = 0
	adamBeta1         = 4
	adamOneMinusBeta1 = 8
	adamBeta2         = 12
	adamOneMinusBeta2 = 16
	adamCorrect2      = 20
	adamEps           = 24
	adamStep          = 28
	adamDecay         = 32
)

func adamw() *function {
	f := &function{name: "adamw", doc: "is one step of AdamW.", arrays: []string{"params", "grads", "m", "v"}, pointer: "*AdamWConst"}
	f.body = func(v *vector, p []mem) {
		const g, m, s, x, sq = reg(0), reg(1), reg(2), reg(3), reg(4)
		c := func(offset int, r reg) { v.broadcast(fmt.Sprintf("%d(R11)", offset), r) }
		v.load(p[1], g)
		c(adamGradScale, x)
		v.do("VMULPS", x, g, g)
		v.load(p[2], m)
		c(adamOneMinusBeta1, s)
		v.do("VMULPS", s, g, s)
		c(adamBeta1, x)
		v.do("VFMADD213PS", s, x, m)
		v.store(m, p[2])
		v.load(p[3], sq)
		c(adamOneMinusBeta2, s)
		v.do("VMULPS", s, g, s)
		v.do("VMULPS", s, g, s)
		c(adamBeta2, x)
		v.do("VFMADD213PS", s, x, sq)
		v.store(sq, p[3])
		c(adamCorrect2, x)
		v.do("VMULPS", x, sq, sq)
		v.do("VSQRTPS", sq, sq)
		c(adamEps, x)
		v.do("VADDPS", x, sq, sq)
		v.do("VDIVPS", sq, m, m)
		v.load(p[0], g) // the parameters from here on
		c(adamDecay, x)
		v.do("VMULPS", x, g, g)
		c(adamStep, x)
		v.do("VFNMADD231PS", m, x, g)
		v.store(g, p[0])
	}
	return f
}
