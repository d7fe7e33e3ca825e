package main

import (
	"fmt"
	"strings"
)

// The vector functions work on virtual registers of 16 values: one register of AVX-512, or a pair of
// AVX2, so that both do the same operations in the same order on the same lanes and give the same bits.
// There are seven, 0 to 6; AVX2 keeps the mask of the tail in the eighth.
const maskReg = 7

// vector is the state of emitting one vector function.
type vector struct {
	*asm
	isa
	masked   bool // emitting the tail
	argBytes int
}

// reg is a virtual register, mem a memory operand of 16 values, constant the name of a constant.
type (
	reg      int
	mem      string // the address register
	constant string
)

func (v *vector) halves() int { return 16 / v.lanes }

// operand prints half h of an operand.
func (v *vector) operand(x any, h int) string {
	switch x := x.(type) {
	case reg:
		return v.r(int(x)*v.halves() + h)
	case mem:
		return fmt.Sprintf("%d(%s)", 32*h, string(x))
	case constant:
		return string(x)
	case string:
		return x
	}
	panic(fmt.Sprintf("operand %v", x))
}

// do prints an instruction for all 16 lanes. Operands are in the order of Go's assembler: the destination
// is the last.
func (v *vector) do(instruction string, operands ...any) {
	for h := range v.halves() {
		var parts []string
		for _, x := range operands {
			parts = append(parts, v.operand(x, h))
		}
		v.op("%s %s", instruction, strings.Join(parts, ", "))
	}
}

// load reads 16 values, or those there are and zeros in the tail.
func (v *vector) load(m mem, x reg) {
	switch {
	case !v.masked:
		v.do("VMOVUPS", m, x)
	case v.lanes == 16:
		v.do("VMOVUPS.Z", m, "K1", x)
	default:
		v.do("VMASKMOVPS", m, reg(maskReg), x)
	}
}

// store writes 16 values, or those there are in the tail.
func (v *vector) store(x reg, m mem) {
	switch {
	case !v.masked:
		v.do("VMOVUPS", x, m)
	case v.lanes == 16:
		v.do("VMOVUPS", x, "K1", m)
	default:
		v.do("VMASKMOVPS", x, reg(maskReg), m)
	}
}

// zeroBeyond clears the lanes of x beyond the end of the data.
func (v *vector) zeroBeyond(x reg) {
	switch {
	case !v.masked:
	case v.lanes == 16:
		v.do("VMOVAPS.Z", x, "K1", x)
	default:
		v.do("VANDPS", reg(maskReg), x, x)
	}
}

// broadcast fills a register with the float32 at an address.
func (v *vector) broadcast(address string, x reg) { v.do("VBROADCASTSS", address, x) }

func (v *vector) clear(x reg) {
	for h := range v.halves() {
		v.isa.zero(v.asm, int(x)*v.halves()+h)
	}
}

var pointerRegs = []string{"DI", "SI", "R8", "R9", "R10", "R11"}

// function describes a vector function: pointers to arrays of n values, then further parameters.
type function struct {
	name, doc string
	arrays    []string
	scalars   []string // float32 parameters
	pointer   string   // a last parameter of this Go type, in R11, named c
	returns   bool     // a float32
	before    func(v *vector)
	body      func(v *vector, p []mem)
	after     func(v *vector)
}

// scalar is the operand of the i-th scalar parameter.
func (f *function) scalar(i int) string {
	return fmt.Sprintf("%s+%d(FP)", f.scalars[i], f.scalarOffset(i))
}

func (f *function) scalarOffset(i int) int { return 8 + 8*len(f.arrays) + 4*i }

// emit prints the function for one level.
func (f *function) emit(a *asm, i isa) {
	v := &vector{asm: a, isa: i}
	params := "n int, " + strings.Join(f.arrays, ", ") + " *float32"
	bytes := f.scalarOffset(len(f.scalars))
	if len(f.scalars) > 0 {
		params += ", " + strings.Join(f.scalars, ", ") + " float32"
	}
	if f.pointer != "" {
		params += ", c " + f.pointer
		bytes += 8
	}
	result := ""
	if f.returns {
		bytes = (bytes+7)&^7 + 4
		result = "float32"
	}
	a.fn(f.name+i.suffix, f.doc, params, result, bytes)
	v.argBytes = bytes
	a.op("MOVQ n+0(FP), CX")
	var p []mem
	for k, name := range f.arrays {
		a.op("MOVQ %s+%d(FP), %s", name, 8+8*k, pointerRegs[k])
		p = append(p, mem(pointerRegs[k]))
	}
	if f.pointer != "" {
		a.op("MOVQ c+%d(FP), R11", bytes-8)
	}
	if f.before != nil {
		f.before(v)
	}
	a.op("SUBQ $16, CX")
	a.op("JLT tail")
	a.label("loop")
	f.body(v, p)
	for _, m := range p {
		a.op("ADDQ $64, %s", string(m))
	}
	a.op("SUBQ $16, CX")
	a.op("JGE loop")
	a.label("tail")
	a.op("ADDQ $16, CX")
	a.op("JZ done")
	v.setMask()
	v.masked = true
	f.body(v, p)
	v.masked = false
	a.label("done")
	if f.after != nil {
		f.after(v)
	}
	a.ret()
}

// setMask makes the mask of the first CX lanes.
func (v *vector) setMask() {
	if v.lanes == 16 {
		v.op("MOVL $1, AX")
		v.op("SHLL CX, AX")
		v.op("DECL AX")
		v.op("KMOVW AX, K1")
		return
	}
	// 16 ones and 16 zeros, read from where as many ones are left as there are values.
	v.laneMask = true
	v.op("NEGQ CX")
	v.op("LEAQ laneMask<>+64(SB), AX")
	v.op("VMOVUPS (AX)(CX*4), %s", v.operand(reg(maskReg), 0))
	v.op("VMOVUPS 32(AX)(CX*4), %s", v.operand(reg(maskReg), 1))
}

// fold adds (or otherwise combines) the 16 lanes of x into its lowest: 16, 8, 4, 2, 1 by halves. It uses
// the register after x.
func (v *vector) fold(instruction string, x reg) {
	lo, hi := int(x)*v.halves(), (int(x)+1)*v.halves()
	if v.lanes == 16 {
		v.op("VEXTRACTF32X8 $1, Z%d, Y%d", lo, hi)
		v.op("%s Y%d, Y%d, Y%d", instruction, hi, lo, lo)
	} else {
		v.op("%s Y%d, Y%d, Y%d", instruction, lo+1, lo, lo)
	}
	v.op("VEXTRACTF128 $1, Y%d, X%d", lo, hi)
	v.op("%s X%d, X%d, X%d", instruction, hi, lo, lo)
	v.op("VSHUFPS $0xee, X%d, X%d, X%d", lo, lo, hi)
	v.op("%s X%d, X%d, X%d", instruction, hi, lo, lo)
	v.op("VSHUFPS $0x55, X%d, X%d, X%d", lo, lo, hi)
	v.op("%s X%d, X%d, X%d", instruction, hi, lo, lo)
}

// result returns the lowest lane of x.
func (v *vector) result(x reg) {
	v.op("VMOVSS X%d, ret+%d(FP)", int(x)*v.halves(), v.argBytes-4)
}
