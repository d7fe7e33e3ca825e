//go:build cuda

package opcode

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
)

// in is what a thread gets: four words, %r1 to %r4, which are also %f1 to %f4, and two at a time %rd1 and
// %rd2.
type in [4]uint32

func (a in) s(i int) int32   { return int32(a[i-1]) }
func (a in) u(i int) uint32  { return a[i-1] }
func (a in) f(i int) float32 { return math.Float32frombits(a[i-1]) }
func (a in) w(i int) uint64  { return uint64(a[2*i-2]) | uint64(a[2*i-1])<<32 }
func fl(x float32) uint64    { return uint64(math.Float32bits(x)) }
func un(x uint32) uint64     { return uint64(x) }
func si(x int32) uint64      { return uint64(uint32(x)) }
func is(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
func nan(x float32) bool { return x != x }

// The piece of PTX leaves its result in %r10, %rd10, %f10, %h10 or %p1, as out says.
type scalarCase struct {
	ptx, out string
	want     func(a in) uint64
}

func fma32(a, b, c float32) float32 { // one rounding: exact in 64 bits up to double rounding, which FMA avoids
	return float32FMA(a, b, c)
}

func minimum(a, b float32) float32 {
	switch {
	case nan(a):
		return b
	case nan(b):
		return a
	}
	return float32(math.Min(float64(a), float64(b)))
}

func maximum(a, b float32) float32 {
	switch {
	case nan(a):
		return b
	case nan(b):
		return a
	}
	return float32(math.Max(float64(a), float64(b)))
}

func toS32(x float64) int32 {
	switch {
	case x != x:
		return 0
	case x <= math.MinInt32:
		return math.MinInt32
	case x >= math.MaxInt32:
		return math.MaxInt32
	}
	return int32(x)
}

func bf16(x float32) uint64 {
	if nan(x) {
		return 0x7fff
	}
	u := math.Float32bits(x)
	return uint64((u + 0x7fff + u>>16&1) >> 16)
}

func bfeU(a, p, n uint32) uint32 {
	p, n = p&255, n&255
	var r uint32
	for i := uint32(0); i < n && i < 32; i++ {
		if p+i < 32 {
			r |= a >> (p + i) & 1 << i
		}
	}
	return r
}

func bfeS(a, p, n uint32) uint32 {
	p, n = p&255, n&255
	if n == 0 {
		return 0
	}
	sign := a >> min(p+n-1, 31) & 1
	var r uint32
	for i := uint32(0); i < 32; i++ {
		b := sign
		if i < n && p+i < 32 {
			b = a >> (p + i) & 1
		}
		r |= b << i
	}
	return r
}

func prmt(a, b, s uint32) uint32 {
	v := uint64(b)<<32 | uint64(a)
	var r uint32
	for i := 0; i < 4; i++ {
		q := s >> (4 * i) & 15
		x := uint32(v>>(8*(q&7))) & 255
		if q&8 != 0 {
			x = uint32(int32(x<<24)>>31) & 255
		}
		r |= x << (8 * i)
	}
	return r
}

func lop(a, b, c uint32, table int) uint32 {
	var r uint32
	for i := 0; i < 32; i++ {
		k := a>>i&1<<2 | b>>i&1<<1 | c>>i&1
		r |= uint32(table>>k&1) << i
	}
	return r
}

func flush(x float32) float32 {
	if math.Float32bits(x)&0x7f800000 == 0 {
		return math.Float32frombits(math.Float32bits(x) & 0x80000000)
	}
	return x
}

var scalars = []scalarCase{
	{"add.s32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(a.u(1) + a.u(2)) }},
	{"add.s64 %rd10, %rd1, %rd2;", "rd", func(a in) uint64 { return a.w(1) + a.w(2) }},
	{"sub.s32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(a.u(1) - a.u(2)) }},
	{"add.s32 %r10, %r1, -7;", "r", func(a in) uint64 { return un(a.u(1) - 7) }},
	{"mul.lo.s32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(a.u(1) * a.u(2)) }},
	{"mul.hi.u32 %r10, %r1, %r2;", "r", func(a in) uint64 { return uint64(a.u(1)) * uint64(a.u(2)) >> 32 }},
	{"mul.hi.s32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(uint32(int64(a.s(1)) * int64(a.s(2)) >> 32)) }},
	{"mul.hi.u64 %rd10, %rd1, %rd2;", "rd", func(a in) uint64 { h, _ := bits.Mul64(a.w(1), a.w(2)); return h }},
	{"mul.wide.s32 %rd10, %r1, %r2;", "rd", func(a in) uint64 { return uint64(int64(a.s(1)) * int64(a.s(2))) }},
	{"mul.wide.u32 %rd10, %r1, %r2;", "rd", func(a in) uint64 { return uint64(a.u(1)) * uint64(a.u(2)) }},
	{"mul.wide.u32 %rd10, %r1, 12;", "rd", func(a in) uint64 { return uint64(a.u(1)) * 12 }},
	{"mad.lo.s32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return un(a.u(1)*a.u(2) + a.u(3)) }},
	{"mad.wide.s32 %rd10, %r1, %r2, %rd2;", "rd", func(a in) uint64 { return uint64(int64(a.s(1))*int64(a.s(2))) + a.w(2) }},
	{"mad.wide.u32 %rd10, %r1, %r2, %rd2;", "rd", func(a in) uint64 { return uint64(a.u(1))*uint64(a.u(2)) + a.w(2) }},
	{"mad.hi.s32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return un(uint32(int64(a.s(1))*int64(a.s(2))>>32) + a.u(3)) }},
	{"div.u32 %r10, %r1, %r2;", "r", func(a in) uint64 {
		if a.u(2) == 0 {
			return 0xffffffff
		}
		return un(a.u(1) / a.u(2))
	}},
	{"div.s32 %r10, %r1, %r2;", "r", func(a in) uint64 {
		if a.u(2) == 0 {
			return 0xffffffff
		}
		return si(a.s(1) / a.s(2))
	}},
	{"rem.s32 %r10, %r1, %r2;", "r", func(a in) uint64 {
		if a.u(2) == 0 {
			return un(a.u(1))
		}
		return si(a.s(1) % a.s(2))
	}},
	{"rem.u64 %rd10, %rd1, %rd2;", "rd", func(a in) uint64 {
		if a.w(2) == 0 {
			return a.w(1)
		}
		return a.w(1) % a.w(2)
	}},
	{"neg.s32 %r10, %r1;", "r", func(a in) uint64 { return si(-a.s(1)) }},
	{"abs.s32 %r10, %r1;", "r", func(a in) uint64 { return si(max(a.s(1), -a.s(1))) }},
	{"min.s32 %r10, %r1, %r2;", "r", func(a in) uint64 { return si(min(a.s(1), a.s(2))) }},
	{"max.u32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(max(a.u(1), a.u(2))) }},
	{"max.s64 %rd10, %rd1, %rd2;", "rd", func(a in) uint64 { return uint64(max(int64(a.w(1)), int64(a.w(2)))) }},
	{"and.b32 %r10, %r1, %r2;", "r", func(a in) uint64 { return un(a.u(1) & a.u(2)) }},
	{"or.b64 %rd10, %rd1, %rd2;", "rd", func(a in) uint64 { return a.w(1) | a.w(2) }},
	{"xor.b32 %r10, %r1, 255;", "r", func(a in) uint64 { return un(a.u(1) ^ 255) }},
	{"not.b32 %r10, %r1;", "r", func(a in) uint64 { return un(^a.u(1)) }},
	{"shl.b32 %r10, %r1, %r3;", "r", func(a in) uint64 { return un(a.u(1) << a.u(3)) }},
	{"shr.u32 %r10, %r1, %r3;", "r", func(a in) uint64 { return un(a.u(1) >> a.u(3)) }},
	{"shr.s32 %r10, %r1, %r3;", "r", func(a in) uint64 { return si(a.s(1) >> a.u(3)) }},
	{"shl.b64 %rd10, %rd1, %r3;", "rd", func(a in) uint64 { return a.w(1) << a.u(3) }},
	{"shr.s64 %rd10, %rd1, %r3;", "rd", func(a in) uint64 { return uint64(int64(a.w(1)) >> a.u(3)) }},
	{"shf.l.wrap.b32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return a.w(1) << (a.u(3) & 31) >> 32 }},
	{"shf.r.wrap.b32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return a.w(1) >> (a.u(3) & 31) & 0xffffffff }},
	{"shf.l.clamp.b32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return a.w(1) << min(a.u(3), 32) >> 32 }},
	{"shf.r.clamp.b32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return a.w(1) >> min(a.u(3), 32) & 0xffffffff }},
	{"bfe.u32 %r10, %r1, %r3, %r4;", "r", func(a in) uint64 { return un(bfeU(a.u(1), a.u(3), a.u(4))) }},
	{"bfe.s32 %r10, %r1, %r3, %r4;", "r", func(a in) uint64 { return un(bfeS(a.u(1), a.u(3), a.u(4))) }},
	{"bfe.u32 %r10, %r1, 5, 7;", "r", func(a in) uint64 { return un(a.u(1) >> 5 & 127) }},
	{"bfi.b32 %r10, %r1, %r2, 5, 7;", "r", func(a in) uint64 { return un(a.u(2)&^(127<<5) | a.u(1)&127<<5) }},
	{"bfi.b32 %r10, %r1, %r2, 28, 7;", "r", func(a in) uint64 { return un(a.u(2)&^(15<<28) | a.u(1)<<28) }},
	{"brev.b32 %r10, %r1;", "r", func(a in) uint64 { return un(bits.Reverse32(a.u(1))) }},
	{"popc.b32 %r10, %r1;", "r", func(a in) uint64 { return uint64(bits.OnesCount32(a.u(1))) }},
	{"popc.b64 %r10, %rd1;", "r", func(a in) uint64 { return uint64(bits.OnesCount64(a.w(1))) }},
	{"clz.b32 %r10, %r1;", "r", func(a in) uint64 { return uint64(bits.LeadingZeros32(a.u(1))) }},
	{"clz.b64 %r10, %rd1;", "r", func(a in) uint64 { return uint64(bits.LeadingZeros64(a.w(1))) }},
	{"bfind.u32 %r10, %r1;", "r", func(a in) uint64 { return un(uint32(31 - bits.LeadingZeros32(a.u(1)))) }},
	{"lop3.b32 %r10, %r1, %r2, %r3, 0x96;", "r", func(a in) uint64 { return un(lop(a.u(1), a.u(2), a.u(3), 0x96)) }},
	{"lop3.b32 %r10, %r1, %r2, %r3, 0xe8;", "r", func(a in) uint64 { return un(lop(a.u(1), a.u(2), a.u(3), 0xe8)) }},
	{"lop3.b32 %r10, %r1, %r2, %r3, 202;", "r", func(a in) uint64 { return un(lop(a.u(1), a.u(2), a.u(3), 202)) }},
	{"prmt.b32 %r10, %r1, %r2, %r3;", "r", func(a in) uint64 { return un(prmt(a.u(1), a.u(2), a.u(3))) }},
	{"prmt.b32 %r10, %r1, %r2, 0x5410;", "r", func(a in) uint64 { return un(a.u(1)&0xffff | a.u(2)<<16) }},

	{"add.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(a.f(1) + a.f(2)) }},
	{"sub.rn.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(a.f(1) - a.f(2)) }},
	{"mul.rn.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(a.f(1) * a.f(2)) }},
	{"mul.f32 %f10, %f1, 0f3FB8AA3B;", "f", func(a in) uint64 { return fl(a.f(1) * math.Float32frombits(0x3fb8aa3b)) }},
	{"fma.rn.f32 %f10, %f1, %f2, %f3;", "f", func(a in) uint64 { return fl(fma32(a.f(1), a.f(2), a.f(3))) }},
	{"{ .reg .f32 t; mul.rn.f32 t, %f1, %f2; add.rn.f32 %f10, t, %f3; }", "f", func(a in) uint64 { return fl(float32(a.f(1)*a.f(2)) + a.f(3)) }},
	{"add.sat.f32 %f10, %f1, %f2;", "f", func(a in) uint64 {
		x := a.f(1) + a.f(2)
		if nan(x) {
			return 0
		}
		return fl(max(0, min(1, x)))
	}},
	{"mul.ftz.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(flush(flush(a.f(1)) * flush(a.f(2)))) }},
	{"div.rn.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(a.f(1) / a.f(2)) }},
	{"div.full.f32 %f10, %f1, %f2;", "f~", func(a in) uint64 { return fl(a.f(1) / a.f(2)) }},
	{"neg.f32 %f10, %f1;", "f", func(a in) uint64 { return un(a.u(1) ^ 1<<31) }},
	{"abs.f32 %f10, %f1;", "f", func(a in) uint64 { return un(a.u(1) &^ (1 << 31)) }},
	{"min.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(minimum(a.f(1), a.f(2))) }},
	{"max.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(maximum(a.f(1), a.f(2))) }},
	{"max.NaN.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(max(a.f(1), a.f(2))) }},
	{"min.NaN.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return fl(min(a.f(1), a.f(2))) }},
	{"copysign.f32 %f10, %f1, %f2;", "f", func(a in) uint64 { return un(a.u(1)&(1<<31) | a.u(2)&^(1<<31)) }},
	{"rcp.rn.f32 %f10, %f1;", "f", func(a in) uint64 { return fl(1 / a.f(1)) }},
	{"rcp.approx.ftz.f32 %f10, %f1;", "f~", func(a in) uint64 { return fl(flush(1 / flush(a.f(1)))) }},
	{"sqrt.rn.f32 %f10, %f1;", "f", func(a in) uint64 { return fl(float32(math.Sqrt(float64(a.f(1))))) }},
	{"rsqrt.approx.f32 %f10, %f1;", "f~", func(a in) uint64 { return fl(float32(1 / math.Sqrt(float64(a.f(1))))) }},
	{"ex2.approx.f32 %f10, %f1;", "f~", func(a in) uint64 { return fl(float32(math.Exp2(float64(a.f(1))))) }},
	{"lg2.approx.f32 %f10, %f1;", "f~", func(a in) uint64 { return fl(float32(math.Log2(float64(a.f(1))))) }},
	{"tanh.approx.f32 %f10, %f1;", "f~", func(a in) uint64 { return fl(float32(math.Tanh(float64(a.f(1))))) }},
	{"{ .reg .f64 x, y; cvt.f64.f32 x, %f1; cvt.f64.f32 y, %f2; mul.f64 x, x, y; cvt.rn.f32.f64 %f10, x; }", "f", func(a in) uint64 { return fl(float32(float64(a.f(1)) * float64(a.f(2)))) }},

	{"setp.lt.s32 %p1, %r1, %r2;", "p", func(a in) uint64 { return is(a.s(1) < a.s(2)) }},
	{"setp.lt.u32 %p1, %r1, %r2;", "p", func(a in) uint64 { return is(a.u(1) < a.u(2)) }},
	{"setp.hs.u32 %p1, %r1, %r2;", "p", func(a in) uint64 { return is(a.u(1) >= a.u(2)) }},
	{"setp.eq.s64 %p1, %rd1, %rd2;", "p", func(a in) uint64 { return is(a.w(1) == a.w(2)) }},
	{"setp.gt.u64 %p1, %rd1, %rd2;", "p", func(a in) uint64 { return is(a.w(1) > a.w(2)) }},
	{"setp.eq.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(a.f(1) == a.f(2)) }},
	{"setp.ne.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(a.f(1) < a.f(2) || a.f(1) > a.f(2)) }},
	{"setp.neu.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(a.f(1) != a.f(2)) }},
	{"setp.equ.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(!(a.f(1) < a.f(2) || a.f(1) > a.f(2))) }},
	{"setp.ge.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(a.f(1) >= a.f(2)) }},
	{"setp.ltu.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(!(a.f(1) >= a.f(2))) }},
	{"setp.gtu.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(!(a.f(1) <= a.f(2))) }},
	{"setp.num.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(!nan(a.f(1)) && !nan(a.f(2))) }},
	{"setp.nan.f32 %p1, %f1, %f2;", "p", func(a in) uint64 { return is(nan(a.f(1)) || nan(a.f(2))) }},
	{"setp.lt.s32 %p2, %r3, 9; setp.gt.and.s32 %p1, %r1, %r2, %p2;", "p", func(a in) uint64 { return is(a.s(1) > a.s(2) && a.s(3) < 9) }},
	{"setp.lt.s32 %p2, %r3, 9; setp.gt.or.s32 %p1, %r1, %r2, !%p2;", "p", func(a in) uint64 { return is(a.s(1) > a.s(2) || a.s(3) >= 9) }},
	{"setp.le.s32 %p2|%p1, %r1, %r2;", "p", func(a in) uint64 { return is(a.s(1) > a.s(2)) }},
	{"setp.le.s32 %p2, %r1, %r2; setp.le.s32 %p3, %r2, %r3; and.pred %p1, %p2, %p3;", "p", func(a in) uint64 { return is(a.s(1) <= a.s(2) && a.s(2) <= a.s(3)) }},
	{"setp.le.s32 %p2, %r1, %r2; not.pred %p1, %p2;", "p", func(a in) uint64 { return is(a.s(1) > a.s(2)) }},
	{"setp.le.s32 %p2, %r1, %r2; selp.b32 %r10, %r3, %r4, %p2;", "r", func(a in) uint64 {
		if a.s(1) <= a.s(2) {
			return un(a.u(3))
		}
		return un(a.u(4))
	}},
	{"setp.le.s32 %p2, %r1, %r2; selp.f32 %f10, %f3, 0f40400000, %p2;", "f", func(a in) uint64 {
		if a.s(1) <= a.s(2) {
			return fl(a.f(3))
		}
		return fl(3)
	}},
	{"setp.le.s32 %p2, %r1, %r2; mov.u32 %r10, %r3; @%p2 add.s32 %r10, %r10, 1; @!%p2 xor.b32 %r10, %r10, -1;", "r", func(a in) uint64 {
		if a.s(1) <= a.s(2) {
			return un(a.u(3) + 1)
		}
		return un(^a.u(3))
	}},

	{"mov.b32 {%h1, %h2}, %r1; mov.b32 %r10, {%h2, %h1};", "r", func(a in) uint64 { return un(bits.RotateLeft32(a.u(1), 16)) }},
	{"mov.b64 {%r11, %r12}, %rd1; mov.b64 %rd10, {%r12, %r11};", "rd", func(a in) uint64 { return bits.RotateLeft64(a.w(1), 32) }},
	{"mov.b32 %r10, %f1;", "r", func(a in) uint64 { return un(a.u(1)) }},
	{"cvt.u64.u32 %rd10, %r1;", "rd", func(a in) uint64 { return uint64(a.u(1)) }},
	{"cvt.s64.s32 %rd10, %r1;", "rd", func(a in) uint64 { return uint64(int64(a.s(1))) }},
	{"cvt.u32.u64 %r10, %rd1;", "r", func(a in) uint64 { return un(uint32(a.w(1))) }},
	{"cvt.u16.u32 %h10, %r1;", "h", func(a in) uint64 { return uint64(uint16(a.u(1))) }},
	{"cvt.s32.s16 %r10, %h1;", "r", func(a in) uint64 { return si(int32(int16(a.u(1)))) }},
	{"cvt.s32.s8 %r10, %r1;", "r", func(a in) uint64 { return si(int32(int8(a.u(1)))) }},
	{"cvt.u32.u8 %r10, %r1;", "r", func(a in) uint64 { return uint64(uint8(a.u(1))) }},
	{"cvt.sat.s16.s32 %h10, %r1;", "h", func(a in) uint64 { return uint64(uint16(max(-32768, min(32767, a.s(1))))) }},
	{"cvt.rn.f32.s32 %f10, %r1;", "f", func(a in) uint64 { return fl(float32(a.s(1))) }},
	{"cvt.rn.f32.u32 %f10, %r1;", "f", func(a in) uint64 { return fl(float32(a.u(1))) }},
	{"cvt.rn.f32.s64 %f10, %rd1;", "f", func(a in) uint64 { return fl(float32(int64(a.w(1)))) }},
	{"cvt.rn.f32.u64 %f10, %rd1;", "f", func(a in) uint64 { return fl(float32(a.w(1))) }},
	{"cvt.rzi.s32.f32 %r10, %f1;", "r", func(a in) uint64 { return si(toS32(math.Trunc(float64(a.f(1))))) }},
	{"cvt.rni.s32.f32 %r10, %f1;", "r", func(a in) uint64 { return si(toS32(math.RoundToEven(float64(a.f(1))))) }},
	{"cvt.rmi.s32.f32 %r10, %f1;", "r", func(a in) uint64 { return si(toS32(math.Floor(float64(a.f(1))))) }},
	{"cvt.rpi.s32.f32 %r10, %f1;", "r", func(a in) uint64 { return si(toS32(math.Ceil(float64(a.f(1))))) }},
	{"cvt.rzi.u32.f32 %r10, %f1;", "r", func(a in) uint64 {
		x := math.Trunc(float64(a.f(1)))
		switch {
		case !(x > 0):
			return 0
		case x >= math.MaxUint32:
			return math.MaxUint32
		}
		return uint64(x)
	}},
	{"cvt.rni.f32.f32 %f10, %f1;", "f", func(a in) uint64 { return fl(float32(math.RoundToEven(float64(a.f(1))))) }},
	{"cvt.rmi.f32.f32 %f10, %f1;", "f", func(a in) uint64 { return fl(float32(math.Floor(float64(a.f(1))))) }},
	{"cvt.sat.f32.f32 %f10, %f1;", "f", func(a in) uint64 {
		if nan(a.f(1)) {
			return 0
		}
		return fl(max(0, min(1, a.f(1))))
	}},
	{"cvt.rn.bf16.f32 %h10, %f1;", "h", func(a in) uint64 { return bf16(a.f(1)) }},
	{"cvt.rz.bf16.f32 %h10, %f1;", "h", func(a in) uint64 {
		if nan(a.f(1)) {
			return 0x7fff
		}
		return uint64(a.u(1) >> 16)
	}},
	{"cvt.rn.bf16x2.f32 %r10, %f1, %f2;", "r", func(a in) uint64 { return bf16(a.f(1))<<16 | bf16(a.f(2)) }},
	{"cvt.rn.f16.f32 %h10, 0f3FC00000;", "h", func(in) uint64 { return 0x3e00 }},
	{"cvt.f32.f16 %f10, %h5;", "f", func(in) uint64 { return fl(1.5) }},
	{"mov.u32 %r10, %laneid;", "lane", nil},
}

// scalarKernel is one kernel that runs every case in braces of its own: case i of thread t ends in
// out[64i+t].
func scalarKernel() string {
	var s strings.Builder
	s.WriteString(".visible .entry scalars(.param .u64 in, .param .u64 out) {\n" + registers)
	s.WriteString(`mov.u32 %r0, %tid.x; ld.param.u64 %rd15, [in]; ld.param.u64 %rd16, [out];
mul.wide.u32 %rd17, %r0, 16; add.s64 %rd15, %rd15, %rd17; mul.wide.u32 %rd17, %r0, 8; add.s64 %rd16, %rd16, %rd17;
ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%rd15]; ld.global.v2.u64 {%rd1, %rd2}, [%rd15];
mov.b32 %f1, %r1; mov.b32 %f2, %r2; mov.b32 %f3, %r3; mov.b32 %f4, %r4; cvt.u16.u32 %h1, %r1; mov.u16 %h5, 0x3e00;
`)
	for i, c := range scalars {
		s.WriteString("{ " + c.ptx + " ")
		switch strings.TrimSuffix(c.out, "~") {
		case "r", "lane":
			s.WriteString("cvt.u64.u32 %rd10, %r10;")
		case "f":
			s.WriteString("mov.b32 %r10, %f10; cvt.u64.u32 %rd10, %r10;")
		case "h":
			s.WriteString("cvt.u64.u16 %rd10, %h10;")
		case "p":
			s.WriteString("selp.u64 %rd10, 1, 0, %p1;")
		}
		fmt.Fprintf(&s, " st.global.u64 [%%rd16+%d], %%rd10; }\n", i*64*8)
	}
	s.WriteString("ret;\n}\n")
	return s.String()
}

var interesting = []uint32{0, 1, 2, 7, 31, 32, 33, 63, 64, 255, 0x7fffffff, 0x80000000, 0xffffffff, 0x80000001, 0x5410, 0xfedc,
	0x3f800000, 0xbf800000, 0x40490fdb, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x00000001, 0x007fffff, 0x80000003, 0x3f808000, 0x3f818000,
	0x4b000001, 0x4f000000, 0xcf000000, 0x4f800000, 0x3effffff, 0x3f000000, 0x3fc00000, 0xc0200000, 0x41200000, 0xc2c80000}

func TestScalarInstructions(t *testing.T) {
	g := load(t, scalarKernel())
	r := rand.New(rand.NewPCG(1, 2))
	draw := func() uint32 {
		switch r.IntN(4) {
		case 0:
			return r.Uint32()
		case 1:
			return math.Float32bits(float32(r.NormFloat64()) * 8)
		}
		return interesting[r.IntN(len(interesting))]
	}
	out := g.alloc(len(scalars) * 64 * 8)
	for round := 0; round < 40; round++ {
		inputs := make([]in, 64)
		for i := range inputs {
			inputs[i] = in{draw(), draw(), draw(), draw()}
		}
		src := upload(g, inputs)
		g.check(g.launch("scalars", 64, 0, uint64(src), uint64(out)))
		got := download[uint64](g, out, len(scalars)*64)
		for i, c := range scalars {
			for l, a := range inputs {
				have := got[64*i+l]
				if c.out == "lane" {
					if have != uint64(l&31) {
						t.Fatalf("%s in thread %d: %d", c.ptx, l, have)
					}
					continue
				}
				if want := c.want(a); !same(have, want, c.out) {
					t.Fatalf("%s of %#x: %#x, want %#x", c.ptx, a, have, want)
				}
			}
		}
	}
}

// same compares results: any NaN is as good as another, and with ~ the last bits may differ.
func same(have, want uint64, out string) bool {
	if have == want {
		return true
	}
	if out[0] != 'f' {
		return false
	}
	x, y := math.Float32frombits(uint32(have)), math.Float32frombits(uint32(want))
	if nan(x) || nan(y) {
		return nan(x) && nan(y)
	}
	return out == "f~" && math.Abs(float64(x)-float64(y)) <= 3e-7*math.Abs(float64(y))+1e-44
}

// float32FMA rounds a·b+c once: the product is exact in float64, and the sum is rounded to odd there so
// that the second rounding does no harm.
func float32FMA(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	t := s - p // what the sum lost (two-sum)
	lost := (p - (s - t)) + (z - t)
	if lost != 0 && math.Float64bits(s)&1 == 0 {
		if (lost > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}
