package main

import "fmt"

// utilFile prints what is neither a product nor a vector function.
func utilFile(a *asm) {
	a.fn("pause", "tells the processor n times that this is a busy wait.", "n int", "", 8)
	a.op("MOVQ n+0(FP), CX")
	a.label("loop")
	a.op("PAUSE")
	a.op("DECQ CX")
	a.op("JGT loop")
	a.op("RET")

	a.fn("prefetch", "asks for lines ≥ 1 lines of 64 bytes to be brought to the second level cache.", "at uintptr, lines int", "", 16)
	a.op("MOVQ at+0(FP), SI")
	a.op("MOVQ lines+8(FP), CX")
	a.label("loop")
	a.op("PREFETCHT1 (SI)")
	a.op("ADDQ $64, SI")
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.op("RET")

	for _, i := range isas {
		emitTranspose(a, i)
		emitPeak(a, i)
	}
}

// emitPeak prints a loop of multiply-adds on registers alone: 12 chains, which is what two units with a
// latency of four cycles need and more, or 24 of pairs, whose latency is six. Benchmarks compare with it.
func emitPeak(a *asm, i isa) {
	chains := 12
	if i.pairs {
		chains = 24
	}
	a.fn("peak"+i.suffix, fmt.Sprintf("does n rounds of %d multiply-adds of whole registers.", chains), "n int", "", 8)
	a.op("MOVQ n+0(FP), CX")
	for r := range chains + 2 {
		i.zero(a, r)
	}
	a.label("loop")
	for r := range chains {
		if i.pairs {
			a.dotBF16(chains, chains+1, r)
		} else {
			a.op("VFMADD231PS %s, %s, %s", i.r(chains), i.r(chains+1), i.r(r))
		}
	}
	a.op("DECQ CX")
	a.op("JGT loop")
	a.ret()
}

// emitTranspose prints the packing of eight rows of W into eight columns of a panel, in blocks of 8 × 8
// transposed in registers. It is the same for both levels but for its name (an AVX-512 machine has AVX2).
func emitTranspose(a *asm, i isa) {
	if i.suffix != avx2.suffix {
		return
	}
	a.fn("pack8AVX2", "writes 8·blocks steps of eight columns of a panel from eight rows of stride ldw bytes.",
		"blocks int, dst, w *float32, ldw int", "", 32)
	a.op("MOVQ blocks+0(FP), CX")
	a.op("MOVQ dst+8(FP), DI")
	a.op("MOVQ w+16(FP), SI")
	a.op("MOVQ ldw+24(FP), R8")
	a.op("LEAQ (R8)(R8*2), R9")
	a.op("LEAQ (SI)(R8*4), R10")
	a.label("loop")
	for r, m := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R9*1)", "(R10)", "(R10)(R8*1)", "(R10)(R8*2)", "(R10)(R9*1)"} {
		a.op("VMOVUPS %s, Y%d", m, r)
	}
	// Pairs of rows, then fours, then halves.
	for r := 0; r < 8; r += 2 {
		a.op("VUNPCKLPS Y%d, Y%d, Y%d", r+1, r, 8+r)
		a.op("VUNPCKHPS Y%d, Y%d, Y%d", r+1, r, 9+r)
	}
	for g := 0; g < 8; g += 4 {
		for h := range 2 {
			lo, hi := 8+g+h, 8+g+h+2
			a.op("VSHUFPS $0x44, Y%d, Y%d, Y%d", hi, lo, g+2*h)
			a.op("VSHUFPS $0xee, Y%d, Y%d, Y%d", hi, lo, g+2*h+1)
		}
	}
	for k := range 4 {
		a.op("VPERM2F128 $0x20, Y%d, Y%d, Y%d", 4+k, k, 8+k)
		a.op("VPERM2F128 $0x31, Y%d, Y%d, Y%d", 4+k, k, 12+k)
	}
	for k := range 8 {
		a.op("VMOVUPS Y%d, %d(DI)", 8+k, k*panelWidth*4)
	}
	a.op("ADDQ $32, SI")
	a.op("ADDQ $32, R10")
	a.op("ADDQ $%d, DI", 8*panelWidth*4)
	a.op("DECQ CX")
	a.op("JNZ loop")
	a.ret()
}
