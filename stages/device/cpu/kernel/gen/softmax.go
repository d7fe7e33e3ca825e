package main

import "fmt"

// emitSoftmaxBlock prints a block of attention's softmax: rows of 32 scores, of which the first seen count.
// A row does not wait for the one before, so that the latencies of max, exp and sum of several rows overlap.
func emitSoftmaxBlock(a *asm, i isa) {
	const x, high, low, sum, top, second = reg(0), reg(3), reg(2), reg(5), reg(6), reg(4)
	v := &vector{asm: a, isa: i}
	a.fn("softmaxBlock"+i.suffix, "is top = max(top, p), p = exp(p − top) and the sums of p, for rows ≥ 1 rows of seen ≥ 1 of 32 values.",
		"rows, seen int, p *float32, ld int, top, sum *float32", "", 48)
	a.op("MOVQ rows+0(FP), R12")
	a.op("MOVQ seen+8(FP), CX")
	a.op("MOVQ p+16(FP), DI")
	a.op("MOVQ ld+24(FP), R8")
	a.op("MOVQ top+32(FP), SI")
	a.op("MOVQ sum+40(FP), DX")
	v.halfMasks()
	scalar := fmt.Sprintf("X%d", int(sum)*v.halves())
	a.label("loop")
	a.op("LEAQ 64(DI), R9")
	v.load("DI", x)
	v.load("R9", second)
	v.broadcast(v.bits("negInf", 0xff800000), high)
	v.broadcast(v.bits("negInf", 0xff800000), low)
	v.choose(0, x, high)
	v.choose(1, second, low)
	v.do("VMAXPS", low, high, sum)
	v.fold("VMAXPS", sum)
	a.op("VMAXSS (SI), %s, %s", scalar, scalar)
	a.op("VMOVSS %s, (SI)", scalar)
	v.broadcast(scalar, top)
	v.do("VSUBPS", top, x, x)
	v.exp()
	v.keep(0, low)
	v.store(low, "DI")
	v.do("VMOVAPS", low, sum)
	v.do("VSUBPS", top, second, x)
	v.exp()
	v.keep(1, low)
	v.store(low, "R9")
	v.do("VADDPS", low, sum, sum)
	v.fold("VADDPS", sum)
	a.op("VMOVSS %s, (DX)", scalar)
	a.op("ADDQ $4, SI")
	a.op("ADDQ $4, DX")
	a.op("ADDQ R8, DI")
	a.op("DECQ R12")
	a.op("JNZ loop")
	a.ret()
}

// halfMasks makes masks of the first CX of 32 lanes: K1 and K2, or the addresses R10 and R11.
func (v *vector) halfMasks() {
	if v.lanes == 16 {
		v.op("MOVL $1, AX")
		v.op("SHLQ CX, AX")
		v.op("DECQ AX")
		v.op("KMOVW AX, K1")
		v.op("SHRQ $16, AX")
		v.op("KMOVW AX, K2")
		return
	}
	v.laneMask = true
	v.op("LEAQ laneMask<>+64(SB), R10") // none of 16
	v.op("MOVQ R10, R11")
	v.op("SUBQ $16, CX")
	v.op("JLE short")
	v.op("SHLQ $2, CX")
	v.op("SUBQ CX, R11")
	v.op("XORQ CX, CX")
	v.label("short")
	v.op("ADDQ $16, CX")
	v.op("SHLQ $2, CX")
	v.op("SUBQ CX, R10")
}

// choose sets the lanes of y in mask n to those of x.
func (v *vector) choose(n int, x, y reg) {
	if v.lanes == 16 {
		v.do("VMOVAPS", x, fmt.Sprintf("K%d", 1+n), y)
		return
	}
	v.loadMask(n)
	v.do("VBLENDVPS", reg(maskReg), x, y, y)
}

// keep clears the lanes of x outside of mask n.
func (v *vector) keep(n int, x reg) {
	if v.lanes == 16 {
		v.do("VMOVAPS.Z", x, fmt.Sprintf("K%d", 1+n), x)
		return
	}
	v.loadMask(n)
	v.do("VANDPS", reg(maskReg), x, x)
}

func (v *vector) loadMask(n int) {
	v.do("VMOVUPS", mem([...]string{"R10", "R11"}[n]), reg(maskReg))
}
