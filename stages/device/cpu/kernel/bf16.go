package kernel

import (
	"encoding/binary"
	"math"
	"math/bits"
	"unsafe"
)

// Products of bfloat16 take both sides as pairs: two values that follow each other along k in one uint32,
// the first in the high half. An odd k is filled up with a zero. VDPBF16PS adds the product of the high
// halves first and rounds after each of its two multiply-adds (so Intel's manual defines it and so the
// processors that were tried do), which makes the chain of such a product the one of float32, value by
// value in order of k, over values that happen to be rounded: levels without the instruction compute the
// same bits with widened values.
//
// The instruction takes subnormal values for zeros. All levels agree where values come in: rounding to
// bfloat16 here makes a zero of the same sign out of a subnormal value. Sums and results are another
// matter: with AVX512BF16 those below 2⁻¹²⁶ become zeros, elsewhere not.

// Pairs is the number of pairs of k values.
func Pairs(k int) int { return (k + 1) / 2 }

// PackedPairsLen is the number of pairs of a packed matrix of k rows and n columns: panels as in [PackedLen],
// of Pairs(k) rows.
func PackedPairsLen(n, k int) int { return PackedLen(n, Pairs(k)) }

// RoundBF16 rounds to the nearest bfloat16, ties to even. Subnormal values become zeros, NaN stays NaN.
func RoundBF16(x float32) uint16 {
	b := math.Float32bits(x)
	switch e := b >> 23 & 0xff; {
	case e == 0:
		b &= 1 << 31
	case x != x:
		b |= 1 << 22
	default:
		b += 0x7fff + b>>16&1
	}
	return uint16(b >> 16)
}

// WidenBF16 is the float32 of the same value.
func WidenBF16(b uint16) float32 { return math.Float32frombits(uint32(b) << 16) }

// pairOf rounds two values.
func pairOf(first, second float32) uint32 {
	return uint32(RoundBF16(first))<<16 | uint32(RoundBF16(second))
}

// flushPair makes zeros of subnormal values.
func flushPair(p uint32) uint32 {
	if p&0x7f800000 == 0 {
		p &= 0x8000ffff
	}
	if p&0x7f80 == 0 {
		p &= 0xffff8000
	}
	return p
}

// RoundPairs rounds the rows of A, m × k with row stride lda, to pairs with row stride ldp ≥ Pairs(k).
func (s *Set) RoundPairs(dst []uint32, ldp int, a []float32, lda, m, k int) {
	if m <= 0 || k <= 0 {
		return
	}
	need("RoundPairs dst", dst, (m-1)*ldp+Pairs(k))
	need("RoundPairs a", a, (m-1)*lda+k)
	for r := range m {
		s.roundRow(dst[r*ldp:][:Pairs(k)], a[r*lda:][:k])
	}
}

// roundRow rounds one row.
func (s *Set) roundRow(dst []uint32, x []float32) {
	i := s.roundBlocks(dst, x)
	for ; i+1 < len(x); i += 2 {
		dst[i/2] = pairOf(x[i], x[i+1])
	}
	if i < len(x) {
		dst[i/2] = pairOf(x[i], 0)
	}
}

// pairRows pairs the values of two rows.
func (s *Set) pairRows(dst []uint32, high, low []float32) {
	for i := s.pairBlocks(dst, high, low); i < len(dst); i++ {
		dst[i] = pairOf(high[i], low[i])
	}
}

// packPart is how many pairs of each row of W are rounded before they are transposed: together they stay
// in the first level cache.
const packPart = 128

// PackBF16Transposed is [Set.PackTransposed] to pairs; dst has PackedPairsLen(n, k) elements. scratch is as
// in [Set.Gemm].
func (s *Set) PackBF16Transposed(dst []uint32, w []float32, ldw, n, k int, scratch *Scratch) {
	if n <= 0 || k <= 0 {
		return
	}
	need("PackBF16Transposed w", w, (n-1)*ldw+k)
	s.packParts(dst, n, k, scratch, func(part []uint32, row, from, to int) {
		s.roundRow(part, w[row*ldw+from:row*ldw+to])
	})
}

// PackRawBF16Transposed is PackBF16Transposed from values that are bfloat16 already, two bytes each, the
// lower first, as checkpoints have them. ldw counts values.
func (s *Set) PackRawBF16Transposed(dst []uint32, w []byte, ldw, n, k int, scratch *Scratch) {
	if n <= 0 || k <= 0 {
		return
	}
	need("PackRawBF16Transposed w", w, 2*((n-1)*ldw+k))
	s.packParts(dst, n, k, scratch, func(part []uint32, row, from, to int) {
		x := w[2*(row*ldw+from) : 2*(row*ldw+to)]
		i := 0
		for ; len(x) >= 4; x = x[4:] {
			part[i] = flushPair(bits.RotateLeft32(binary.LittleEndian.Uint32(x), 16))
			i++
		}
		if len(x) > 0 {
			part[i] = flushPair(uint32(binary.LittleEndian.Uint16(x)) << 16)
		}
	})
}

// packParts packs panels from rows that fill makes pairs of: columns [from, to) of a row, from even.
func (s *Set) packParts(dst []uint32, n, k int, scratch *Scratch, fill func(part []uint32, row, from, to int)) {
	pairs := Pairs(k)
	need("packed pairs", dst, PackedPairsLen(n, k))
	if scratch == nil {
		scratch = &Scratch{}
	}
	buf := grow(&scratch.pairs, Panel*packPart)
	for j := 0; j < n; j += Panel {
		rows := min(Panel, n-j)
		panel := dst[j*pairs:][:pairs*Panel]
		for p := 0; p < pairs; p += packPart {
			width := min(packPart, pairs-p)
			for r := range rows {
				fill(buf[r*width:][:width], j+r, 2*p, min(2*(p+width), k))
			}
			s.packPanelPairs(panel[p*Panel:][:width*Panel], buf, width, rows, width)
		}
	}
}

// PackBF16 is [Set.Pack] to pairs; dst has PackedPairsLen(n, k) elements.
func (s *Set) PackBF16(dst []uint32, b []float32, ldb, k, n int) {
	if n <= 0 || k <= 0 {
		return
	}
	pairs := Pairs(k)
	need("PackBF16 dst", dst, PackedPairsLen(n, k))
	need("PackBF16 b", b, (k-1)*ldb+n)
	var zero [Panel]float32
	for j := 0; j < n; j += Panel {
		cols := min(Panel, n-j)
		panel := dst[j*pairs:][:pairs*Panel]
		for p := range pairs {
			high, low := b[2*p*ldb+j:][:cols], zero[:cols]
			if 2*p+1 < k {
				low = b[(2*p+1)*ldb+j:][:cols]
			}
			row := panel[p*Panel:][:Panel]
			s.pairRows(row[:cols], high, low)
			clear(row[cols:])
		}
	}
}

// GemmBF16 is [Set.Gemm] of bfloat16 values: A is m × k in pairs, with a row stride of lda pairs, b is packed
// by one of the functions above. Sums are float32, with the chain of Gemm:
//
//	acc = 0; for i in 0 … k−1: acc = fma(A[row][i], B[i][col], acc)
func (s *Set) GemmBF16(c []float32, ldc int, a []uint32, lda int, b []uint32, m, n, k int, p0, p1 int, bias []float32, mode Mode, scratch *Scratch) {
	p1 = min(p1, (n+Panel-1)/Panel)
	if m <= 0 || p0 >= p1 {
		return
	}
	g := gemm{c: c, ldc: ldc, m: m, n: n, k: k, p0: p0, p1: p1, bias: bias, mode: mode}
	g.check("GemmBF16")
	pairs := Pairs(k)
	if k == 0 {
		gemmPortable(&g)
		return
	}
	need("GemmBF16 a", a, (m-1)*lda+pairs)
	need("GemmBF16 b", b, p1*Panel*pairs)
	if s.level == AVX512BF16 {
		g.a, g.lda, g.b, g.k = asFloats(a), lda, asFloats(b), pairs
		gemmSIMD(familyOfPairs, &g, scratch)
		return
	}
	if scratch == nil {
		scratch = &Scratch{}
	}
	g.pairs, g.k = b, 2*pairs
	for row := 0; row < m; row += blockRows {
		part := g
		part.m, part.lda, part.c = min(blockRows, m-row), g.k, c[row*ldc:]
		part.a = grow(&scratch.a, part.m*g.k)
		for r := range part.m {
			s.widenRow(part.a[r*g.k:][:g.k], a[(row+r)*lda:][:pairs])
		}
		if s.level == Portable {
			s.gemmPairsPortable(&part, scratch)
		} else {
			gemmSIMD(familyOf(s.level), &part, scratch)
		}
	}
}

// gemmPairsPortable computes g, whose left side is widened, panel by panel.
func (s *Set) gemmPairsPortable(g *gemm, scratch *Scratch) {
	for p := g.p0; p < g.p1; p++ {
		one := *g
		one.c, one.n, one.p0, one.p1 = g.c[p*Panel:], g.n-p*Panel, 0, 1
		one.b = s.widenPanel(g.pairs[p*Panel*(g.k/2):][:Panel*(g.k/2)], scratch)
		if g.bias != nil {
			one.bias = g.bias[p*Panel:]
		}
		gemmPortable(&one)
	}
}

// widenRow is the opposite of roundRow, for whole pairs.
func (s *Set) widenRow(dst []float32, pairs []uint32) {
	for i := s.widenBlocks(dst, pairs); i < len(pairs); i++ {
		dst[2*i], dst[2*i+1] = math.Float32frombits(pairs[i]&0xffff0000), math.Float32frombits(pairs[i]<<16)
	}
}

// WidenColumn sets dst[i] to the value of row i and column col of a packed matrix of k = len(dst) rows.
func WidenColumn(dst []float32, packed []uint32, col int) {
	if len(dst) == 0 {
		return
	}
	src := packed[col/Panel*Panel*Pairs(len(dst))+col%Panel:]
	for i := range dst {
		// The second of a pair is turned into the high half.
		v := bits.RotateLeft32(src[i/2*Panel], i%2*16)
		dst[i] = math.Float32frombits(v & 0xffff0000)
	}
}

// WidenRow sets dst to the values of row r of a packed matrix of k rows and n = len(dst) columns.
func WidenRow(dst []float32, packed []uint32, r, k int) {
	shift := r % 2 * 16
	for j := 0; j < len(dst); j += Panel {
		src := packed[j*Pairs(k)+r/2*Panel:]
		for i := range dst[j:min(j+Panel, len(dst))] {
			dst[j+i] = math.Float32frombits(bits.RotateLeft32(src[i], shift) & 0xffff0000)
		}
	}
}

// asFloats are the same bits under the type that the matrix kernels move them as.
func asFloats(p []uint32) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(p))), len(p))
}

// AsPairs is the same memory for pairs: to allocate with [AllocFloats].
func AsPairs(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// FreePairs returns memory of AllocFloats that AsPairs was given.
func FreePairs(p []uint32) { FreeFloats(asFloats(p)) }
