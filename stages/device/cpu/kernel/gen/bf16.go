package main

import "fmt"

// bf16File prints the matrix kernels of bfloat16 pairs, which are those of float32 with another
// multiply-add, and what rounds, pairs and widens values.
func bf16File(a *asm) {
	emitTiles(a, avx512BF16)
	emitPeak(a, avx512BF16)
	for _, i := range []isa{avx2, avx512BF16} {
		emitRoundPairs(a, i)
		emitPairRows(a, i)
	}
	emitWidenPanel(a)
	emitWidenPairs(a)
}

// evex prints an instruction of the map 0F38 with W0, an operand size of 512 bits and registers only,
// which Go's assembler does not know. prefix is the pp field; vvvv is 0 where there is no second source.
func (a *asm) evex(prefix, opcode byte, src, vvvv, dst int, text string) {
	inverse := func(register, bit int) byte { return byte(^register>>bit) & 1 }
	b := [6]byte{
		0x62,
		inverse(dst, 3)<<7 | inverse(src, 4)<<6 | inverse(src, 3)<<5 | inverse(dst, 4)<<4 | 2,
		byte(^vvvv&15)<<3 | 4 | prefix,
		2<<5 | inverse(vvvv, 4)<<3,
		opcode,
		0xc0 | byte(dst&7)<<3 | byte(src&7),
	}
	a.op("LONG $0x%02x%02x%02x%02x; WORD $0x%02x%02x // %s", b[3], b[2], b[1], b[0], b[5], b[4], text)
}

// dotBF16 prints VDPBF16PS: in each lane acc = fma(x.low, y.low, fma(x.high, y.high, acc)), each with one
// rounding, to nearest even, subnormal operands and results taken as zero.
func (a *asm) dotBF16(x, y, acc int) {
	a.evex(2, 0x52, x, y, acc, fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", x, y, acc))
}

// roundBF16 prints VCVTNEPS2BF16: the 16 values of x, rounded, are the words of Y dst.
func (a *asm) roundBF16(x, dst int) {
	a.evex(2, 0x72, x, 0, dst, fmt.Sprintf("VCVTNEPS2BF16 Z%d, Y%d", x, dst))
}

// Registers of the constants of roundHigh, of the pass over 8 lanes.
const (
	roundOne   = 15 // 1
	roundHalf  = 14 // 0x7fff
	roundQuiet = 13 // what makes a NaN quiet
	roundExp   = 12 // the exponent
	roundSign  = 11 // the sign
	roundZero  = 10
)

// loadRounding sets the constants of roundHigh.
func loadRounding(a *asm) {
	for _, c := range []struct {
		name     string
		bits     uint32
		register int
	}{
		{"bitOne", 1, roundOne}, {"belowHalf", 0x7fff, roundHalf}, {"quietBit", 0x400000, roundQuiet},
		{"exponentBits", 0x7f800000, roundExp}, {"signBit", 1 << 31, roundSign},
	} {
		a.op("VMOVUPS %s, Y%d", a.bits(c.name, c.bits), c.register)
	}
	a.op("VPXOR Y%d, Y%d, Y%d", roundZero, roundZero, roundZero)
}

// roundHigh rounds the eight values of register x to bfloat16 as VCVTNEPS2BF16 does, in the high halves
// of its lanes; the low halves are anything. It uses t and u.
func roundHigh(a *asm, x, t, u int) {
	a.op("VPSRLD $16, Y%d, Y%d", x, t)
	a.op("VPAND Y%d, Y%d, Y%d", roundOne, t, t)
	a.op("VPADDD Y%d, Y%d, Y%d", roundHalf, t, t)
	a.op("VPADDD Y%d, Y%d, Y%d", x, t, t)
	a.op("VCMPPS $3, Y%d, Y%d, Y%d", x, x, u)
	a.op("VBLENDVPS Y%d, Y%d, Y%d, Y%d", u, x, t, t)
	a.op("VPAND Y%d, Y%d, Y%d", roundQuiet, u, u)
	a.op("VPOR Y%d, Y%d, Y%d", u, t, t)
	// A zero exponent leaves the sign.
	a.op("VPAND Y%d, Y%d, Y%d", roundExp, x, u)
	a.op("VPCMPEQD Y%d, Y%d, Y%d", roundZero, u, u)
	a.op("VPAND Y%d, Y%d, Y%d", roundSign, x, x)
	a.op("VBLENDVPS Y%d, Y%d, Y%d, Y%d", u, x, t, x)
}

// emitRoundPairs prints the rounding of a row of A: consecutive values to pairs, the first one high.
func emitRoundPairs(a *asm, i isa) {
	a.fn("roundPairs"+i.suffix, "rounds 16·blocks values to 8·blocks pairs.", "blocks int, dst *uint32, x *float32", "", 24)
	a.op("MOVQ blocks+0(FP), CX")
	a.op("MOVQ dst+8(FP), DI")
	a.op("MOVQ x+16(FP), SI")
	if !i.pairs {
		loadRounding(a)
	}
	a.label("loop")
	if i.pairs {
		a.op("VMOVUPS (SI), Z0")
		a.roundBF16(0, 1)
		a.op("VPROLD $16, Y1, Y1")
		a.op("VMOVDQU Y1, (DI)")
	} else {
		a.op("VMOVUPS (SI), Y0")
		a.op("VMOVUPS 32(SI), Y1")
		roundHigh(a, 0, 2, 3)
		roundHigh(a, 1, 2, 3)
		a.op("VSHUFPS $0x88, Y1, Y0, Y2") // even, in an order that VPERMQ mends
		a.op("VSHUFPS $0xdd, Y1, Y0, Y3")
		a.op("VPSRLD $16, Y3, Y3")
		a.op("VPBLENDW $0xaa, Y2, Y3, Y2")
		a.op("VPERMQ $0xd8, Y2, Y2")
		a.op("VMOVDQU Y2, (DI)")
	}
	a.op("ADDQ $64, SI")
	a.op("ADDQ $32, DI")
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.ret()
}

// emitPairRows prints the pairing of two rows: values of the first are high, of the second low.
func emitPairRows(a *asm, i isa) {
	a.fn("pairRows"+i.suffix, "rounds 16·blocks values of each of two rows to as many pairs.",
		"blocks int, dst *uint32, high, low *float32", "", 32)
	a.op("MOVQ blocks+0(FP), CX")
	a.op("MOVQ dst+8(FP), DI")
	a.op("MOVQ high+16(FP), SI")
	a.op("MOVQ low+24(FP), R8")
	if !i.pairs {
		loadRounding(a)
	}
	a.label("loop")
	if i.pairs {
		a.op("VMOVUPS (SI), Z0")
		a.op("VMOVUPS (R8), Z1")
		a.roundBF16(0, 0)
		a.roundBF16(1, 1)
		a.op("VPMOVZXWD Y0, Z0")
		a.op("VPMOVZXWD Y1, Z1")
		a.op("VPSLLD $16, Z0, Z0")
		a.op("VPORD Z1, Z0, Z0")
		a.op("VMOVDQU32 Z0, (DI)")
	} else {
		for h := range 2 {
			a.op("VMOVUPS %d(SI), Y0", 32*h)
			a.op("VMOVUPS %d(R8), Y1", 32*h)
			roundHigh(a, 0, 2, 3)
			roundHigh(a, 1, 2, 3)
			a.op("VPSRLD $16, Y1, Y1")
			a.op("VPBLENDW $0xaa, Y0, Y1, Y0")
			a.op("VMOVDQU Y0, %d(DI)", 32*h)
		}
	}
	a.op("ADDQ $64, SI")
	a.op("ADDQ $64, R8")
	a.op("ADDQ $64, DI")
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.ret()
}

// emitWidenPanel prints the widening of a packed panel for levels that multiply in float32: each row of
// pairs becomes two rows.
func emitWidenPanel(a *asm) {
	a.fn("widenPanelAVX2", "widens steps ≥ 1 rows of 32 pairs to twice as many rows.", "steps int, dst *float32, pairs *uint32", "", 24)
	a.op("MOVQ steps+0(FP), CX")
	a.op("MOVQ dst+8(FP), DI")
	a.op("MOVQ pairs+16(FP), SI")
	a.op("VMOVUPS %s, Y15", a.bits("highHalf", 0xffff0000))
	a.label("loop")
	a.op("PREFETCHT0 2048(SI)")
	a.op("PREFETCHT0 2112(SI)")
	for v := range panelWidth / 8 {
		a.op("VMOVDQU %d(SI), Y%d", 32*v, v)
	}
	for v := range panelWidth / 8 {
		a.op("VPSLLD $16, Y%d, Y%d", v, 4+v)
		a.op("VPAND Y15, Y%d, Y%d", v, v)
		a.op("VMOVDQU Y%d, %d(DI)", v, 32*v)
		a.op("VMOVDQU Y%d, %d(DI)", 4+v, 4*panelWidth+32*v)
	}
	a.op("ADDQ $%d, SI", 4*panelWidth)
	a.op("ADDQ $%d, DI", 8*panelWidth)
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.ret()
}

// emitWidenPairs prints the opposite of roundPairs.
func emitWidenPairs(a *asm) {
	a.fn("widenPairsAVX2", "widens 8·blocks pairs to 16·blocks values.", "blocks int, dst *float32, pairs *uint32", "", 24)
	a.op("MOVQ blocks+0(FP), CX")
	a.op("MOVQ dst+8(FP), DI")
	a.op("MOVQ pairs+16(FP), SI")
	a.op("VMOVUPS %s, Y15", a.bits("highHalf", 0xffff0000))
	a.label("loop")
	a.op("VMOVDQU (SI), Y0")
	a.op("VPSLLD $16, Y0, Y1")
	a.op("VPAND Y15, Y0, Y0")
	a.op("VPUNPCKLDQ Y1, Y0, Y2")
	a.op("VPUNPCKHDQ Y1, Y0, Y3")
	a.op("VPERM2I128 $0x20, Y3, Y2, Y0")
	a.op("VPERM2I128 $0x31, Y3, Y2, Y1")
	a.op("VMOVDQU Y0, (DI)")
	a.op("VMOVDQU Y1, 32(DI)")
	a.op("ADDQ $32, SI")
	a.op("ADDQ $64, DI")
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.ret()
}
