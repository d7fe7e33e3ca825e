package main

import (
	"fmt"
	"strings"
)

// The matrix kernels compute a tile of C, rows × 32·panels, in registers: accumulators, the current row
// of B, and broadcast elements of A. They never split k, so that an element is one chain of fused
// multiply-adds. They differ in how they read A:
//
//	Rows A is row-major, as it is stored; B is packed
//	Cols A is transposed: the elements of one k lie side by side; A and B have a stride between k's
//
// Packing A in blocks gained nothing (measured on Zen 5): twelve streams that move four bytes a step are no
// burden for the first level cache, and not to pack saved up to 10 % in large products and half the time
// in small ones.
type addressing string

const (
	byRows addressing = "Rows"
	byCols addressing = "Cols"
)

// All arguments are in a Go struct, tile; these are its offsets (a test in the package compares them).
const (
	tileA      = 0  // address of A
	tileB      = 8  // address of B
	tileC      = 16 // address of C
	tileK      = 24 // number of steps
	tileLDA    = 32 // Rows, Cols: bytes between rows, or between k's
	tileLDB    = 40 // Rows: bytes between panels; Cols: bytes between k's of B
	tileLDC    = 48 // bytes between rows of C
	tileFrom   = 56 // where the accumulators start: 0 for zeros, or an address like C
	tileLDFrom = 64 // bytes between its rows
	tileBias   = 72 // address of the bias of the first column
	tileEnd    = 80 // what to do with the accumulators: endStore, endBias or endAdd
	tileAhead  = 88 // Rows: the address to prefetch B from; Cols: an address like C, to prefetch
	tileStride = 96 // Rows: how far it moves in four steps of k
)

const (
	endStore = 0 // C = acc
	endBias  = 1 // C = acc + bias
	endAdd   = 2 // C = C + acc
)

// panelWidth is the number of columns of a packed panel.
const panelWidth = 32

// panels returns how many panels a kernel takes at once. With few rows read in place, one panel has too
// few independent chains to hide the latency of a multiply-add (4 cycles, two a cycle).
func panels(i isa, rows int, by addressing) int {
	switch {
	case by != byRows:
		return 1
	case i.pairs: // one panel is faster than memory, and best read from one end to the other
		return 1
	case i.lanes == 16 && rows == 1:
		return 4
	case i.lanes == 16 && rows <= 3, rows == 1:
		return 2
	}
	return 1
}

func gemmFile(a *asm) { emitTiles(a, isas...) }

func emitTiles(a *asm, sets ...isa) {
	for _, i := range sets {
		for _, by := range []addressing{byRows, byCols} {
			for rows := 1; rows <= i.maxRows; rows++ {
				emitTile(a, i, by, rows, panels(i, rows, by))
				if n := panels(i, rows, by); n > 1 {
					emitTile(a, i, by, rows, 1)
				}
			}
		}
	}
}

// tileName is the name of a kernel: gemm, addressing, rows, "x" panels if more than one, level.
func tileName(i isa, by addressing, rows, panels int) string {
	if panels > 1 {
		return fmt.Sprintf("tile%s%dx%d%s", by, rows, panels, i.suffix)
	}
	return fmt.Sprintf("tile%s%d%s", by, rows, i.suffix)
}

// tileKernel is the state of emitting one kernel.
type tileKernel struct {
	*asm
	isa
	by           addressing
	rows, panels int
	vecs         int // registers across the columns
	halves       int // passes over the columns
}

// emitTile prints one kernel. Registers: AX the arguments, DI B, DX C, R9 its stride, CX the count, SI and
// R10 to R12 A, R8 its stride, R13 the stride of B (R14 three times that), BX what to prefetch; SI and CX
// also serve the ends. With 16 vector registers (AVX2) a tile of four rows or more is
// computed in two halves of 16 columns, so that six rows fit.
func emitTile(a *asm, i isa, by addressing, rows, panels int) {
	t := tileKernel{asm: a, isa: i, by: by, rows: rows, panels: panels, vecs: panels * panelWidth / i.lanes, halves: 1}
	if rows*t.vecs > i.registers-4 {
		t.halves = 2
		t.vecs /= 2
	}
	doc := fmt.Sprintf("computes %d rows and %d columns.", rows, panels*panelWidth)
	a.fn(tileName(i, by, rows, panels), doc, "t *tile", "", 8)
	a.op("MOVQ t+0(FP), AX")
	a.op("MOVQ %d(AX), R9", tileLDC)
	a.op("MOVQ %d(AX), R8", tileLDA)
	if panels > 1 || by == byCols {
		a.op("MOVQ %d(AX), R13", tileLDB)
	}
	if panels > 3 {
		a.op("LEAQ (R13)(R13*2), R14")
	}
	a.op("MOVQ %d(AX), BX", tileAhead)
	if by == byCols {
		for range rows {
			a.op("PREFETCHT0 (BX)")
			a.op("PREFETCHT0 64(BX)")
			a.op("ADDQ R9, BX")
		}
	}
	for h := range t.halves {
		t.half(h)
	}
	a.ret()
}

// half prints the computation of all columns, or of one half of them.
func (t *tileKernel) half(h int) {
	label := func(name string) string { return fmt.Sprintf("%s%d", name, h) }
	shift := h * t.vecs * t.lanes * 4
	t.op("MOVQ %d(AX), DI", tileB)
	t.op("MOVQ %d(AX), DX", tileC)
	t.op("MOVQ %d(AX), SI", tileFrom)
	if shift > 0 {
		t.op("ADDQ $%d, DI", shift)
		t.op("ADDQ $%d, DX", shift)
	}
	t.op("TESTQ SI, SI")
	t.op("JZ %s", label("zero"))
	t.op("MOVQ %d(AX), CX", tileLDFrom)
	for r := range t.rows {
		for v := range t.vecs {
			t.op("VMOVUPS %d(SI), %s", shift+v*t.lanes*4, t.acc(r, v))
		}
		if r+1 < t.rows {
			t.op("ADDQ CX, SI")
		}
	}
	t.op("JMP %s", label("start"))
	t.label(label("zero"))
	for n := range t.rows * t.vecs {
		t.isa.zero(t.asm, n)
	}
	t.label(label("start"))
	t.op("MOVQ %d(AX), CX", tileK)
	t.op("MOVQ %d(AX), SI", tileA)
	if t.by == byRows {
		for p := 1; p < t.pointers(); p++ {
			t.op("LEAQ (%s)(R8*2), %s", aRegs[p-1], aRegs[p])
			t.op("ADDQ R8, %s", aRegs[p])
		}
	}
	t.loop(label)
	t.end(label, shift)
}

// loop prints the loop over k.
func (t *tileKernel) loop(label func(string) string) {
	if t.by == byCols {
		t.op("TESTQ CX, CX")
		t.op("JZ %s", label("end"))
		t.label(label("loop"))
		t.step(0)
		t.op("ADDQ R8, SI")
		t.op("ADDQ R13, DI")
		t.op("DECQ CX")
		t.op("JNZ %s", label("loop"))
		t.label(label("end"))
		return
	}
	t.op("SUBQ $4, CX")
	t.op("JLT %s", label("rest"))
	t.label(label("loop"))
	for k := range 4 {
		t.prefetch(k)
		t.step(k)
	}
	for p := range t.pointers() {
		t.op("ADDQ $16, %s", aRegs[p])
	}
	t.op("ADDQ $%d, DI", 4*panelWidth*4)
	t.op("ADDQ %d(AX), BX", tileStride)
	t.op("SUBQ $4, CX")
	t.op("JGE %s", label("loop"))
	t.label(label("rest"))
	t.op("ADDQ $4, CX")
	t.op("JZ %s", label("end"))
	t.label(label("one"))
	t.step(0)
	for p := range t.pointers() {
		t.op("ADDQ $4, %s", aRegs[p])
	}
	t.op("ADDQ $%d, DI", panelWidth*4)
	t.op("DECQ CX")
	t.op("JNZ %s", label("one"))
	t.label(label("end"))
}

// step prints one step of k, the k-th of the four of a round.
func (t *tileKernel) step(k int) {
	used := t.rows * t.vecs
	free := t.registers - used
	if free > t.vecs {
		// Hold the row of B; rotate the elements of A.
		for v := range t.vecs {
			t.op("VMOVUPS %s, %s", t.b(k, v), t.r(used+v))
		}
		spare := free - t.vecs
		for r := range t.rows {
			x := t.r(used + t.vecs + r%spare)
			t.op("VBROADCASTSS %s, %s", t.a(k, r), x)
			for v := range t.vecs {
				t.multiplyAdd(used+v, used+t.vecs+r%spare, r, v)
			}
		}
		return
	}
	// Hold the elements of A; rotate the row of B.
	for r := range t.rows {
		t.op("VBROADCASTSS %s, %s", t.a(k, r), t.r(used+r))
	}
	spare := free - t.rows
	for v := range t.vecs {
		x := t.r(used + t.rows + v%spare)
		t.op("VMOVUPS %s, %s", t.b(k, v), x)
		for r := range t.rows {
			t.multiplyAdd(used+t.rows+v%spare, used+r, r, v)
		}
	}
}

// multiplyAdd adds the products of registers b and a to accumulator (r, v).
func (t *tileKernel) multiplyAdd(b, a, r, v int) {
	if t.pairs {
		t.dotBF16(b, a, r*t.vecs+v)
		return
	}
	t.op("VFMADD231PS %s, %s, %s", t.r(b), t.r(a), t.acc(r, v))
}

// prefetch prints the prefetches of the k-th step of a round: together, four steps of B (of half of it,
// in a kernel of two passes). Kernels of few rows need B as fast as the first level takes it. For others
// the second level is enough: they may prefetch for later, and the processor brings a stream from there.
func (t *tileKernel) prefetch(k int) {
	const lines = panelWidth * 4 / 64
	level := "T1"
	if t.rows <= 3 {
		level = "T0"
	}
	for p := range t.panels {
		for l := range lines / t.halves {
			t.op("PREFETCH%s %s", level, panelOperand("BX", p, (k*lines/t.halves+l)*64))
		}
	}
}

// end prints what happens to the accumulators.
func (t *tileKernel) end(label func(string) string, shift int) {
	each := func(f func(r, v int, c string), next func()) {
		for r := range t.rows {
			for v := range t.vecs {
				f(r, v, fmt.Sprintf("%d(DX)", v*t.lanes*4))
			}
			if r+1 < t.rows {
				next()
			}
		}
	}
	nextC := func() { t.op("ADDQ R9, DX") }
	store := func(r, v int, c string) { t.op("VMOVUPS %s, %s", t.acc(r, v), c) }

	t.op("MOVQ %d(AX), CX", tileEnd)
	t.op("CMPQ CX, $%d", endBias)
	t.op("JLT %s", label("store"))
	t.op("JGT %s", label("add"))
	t.op("MOVQ %d(AX), SI", tileBias)
	spare := t.registers - t.rows*t.vecs
	for v := range t.vecs {
		x := t.r(t.rows*t.vecs + v%spare)
		t.op("VMOVUPS %d(SI), %s", shift+v*t.lanes*4, x)
		for r := range t.rows {
			t.op("VADDPS %s, %s, %s", x, t.acc(r, v), t.acc(r, v))
		}
	}
	t.label(label("store"))
	each(store, nextC)
	t.op("JMP %s", label("done"))
	t.label(label("add"))
	each(func(r, v int, c string) {
		t.op("VADDPS %s, %s, %s", c, t.acc(r, v), t.acc(r, v))
		store(r, v, c)
	}, nextC)
	t.label(label("done"))
}

// aRegs are the addresses of rows 0, 3, 6 and 9 of A.
var aRegs = []string{"SI", "R10", "R11", "R12"}

// pointers is the number of addresses into A.
func (t *tileKernel) pointers() int {
	if t.by == byRows {
		return (t.rows + 2) / 3
	}
	return 1
}

// a is the operand of the element of A of row r and step k.
func (t *tileKernel) a(k, r int) string {
	if t.by == byCols {
		return fmt.Sprintf("%d(SI)", 4*r)
	}
	return fmt.Sprintf("%d(%s)%s", 4*k, aRegs[r/3], [...]string{"", "(R8*1)", "(R8*2)"}[r%3])
}

// b is the operand of the v-th register of the row of B of step k.
func (t *tileKernel) b(k, v int) string {
	perPanel := t.vecs / t.panels
	return panelOperand("DI", v/perPanel, k*panelWidth*4+v%perPanel*t.lanes*4)
}

// panelOperand is an operand in the p-th panel after the one at base.
func panelOperand(base string, p, disp int) string {
	return fmt.Sprintf("%d(%s)%s", disp, base, [...]string{"", "(R13*1)", "(R13*2)", "(R14*1)"}[p])
}

func (t *tileKernel) acc(r, v int) string { return t.r(r*t.vecs + v) }

// dispatch returns the Go functions that choose a kernel by its number of rows.
func dispatch() string {
	var b strings.Builder
	for _, i := range append(isas, avx512BF16) {
		for _, by := range []addressing{byRows, byCols} {
			emitDispatch(&b, i, by, func(rows int) int { return 1 }, "")
		}
		emitDispatch(&b, i, byRows, func(rows int) int { return panels(i, rows, byRows) }, "Wide")
		fmt.Fprintf(&b, "\n// wide%s is the number of panels that tileRowsWide%s computes at once, by rows.\n", i.suffix, i.suffix)
		fmt.Fprintf(&b, "var wide%s = [...]int{1", i.suffix)
		for rows := 1; rows <= i.maxRows; rows++ {
			fmt.Fprintf(&b, ", %d", panels(i, rows, byRows))
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func emitDispatch(b *strings.Builder, i isa, by addressing, panels func(rows int) int, suffix string) {
	fmt.Fprintf(b, "\n// tile%s%s%s computes a tile of the given number of rows.\n", by, suffix, i.suffix)
	fmt.Fprintf(b, "func tile%s%s%s(rows int, t *tile) {\n\tswitch rows {\n", by, suffix, i.suffix)
	for rows := 1; rows <= i.maxRows; rows++ {
		fmt.Fprintf(b, "\tcase %d:\n\t\t%s(t)\n", rows, tileName(i, by, rows, panels(rows)))
	}
	b.WriteString("\t}\n}\n")
}
