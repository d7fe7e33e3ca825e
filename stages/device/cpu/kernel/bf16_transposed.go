package kernel

import (
	"fmt"
	"math"
)

// GemmTABF16 is [Set.GemmTA] of bfloat16 values: A, k × m, is rounded as it is read, and B, k × n, is packed
// by [Set.PackBF16]. Sums are float32 and continue from C, with the chain of GemmTA over rounded values:
//
//	acc = c; for i in 0 … k−1: acc = fma(A[i][row], B[i][col], acc); c = acc
//
// k goes in pairs from its start, and an odd k ends with a product of zeros, so that splitting k over calls
// at even places changes no bit. scratch is as in [Set.Gemm].
func (s *Set) GemmTABF16(c []float32, ldc int, a []float32, lda int, b []uint32, m, n, k int, m0, m1 int, scratch *Scratch) {
	m1 = min(m1, m)
	if m0 >= m1 || n <= 0 || k <= 0 {
		return
	}
	if m0 < 0 {
		panic(fmt.Sprintf("kernel: GemmTABF16 rows from %d", m0))
	}
	need("GemmTABF16 c", c, (m1-1)*ldc+n)
	need("GemmTABF16 a", a, (k-1)*lda+m1)
	need("GemmTABF16 b", b, PackedPairsLen(n, k))
	if scratch == nil {
		scratch = &Scratch{}
	}
	pairs, most := Pairs(k), taBlockK
	if s.level != AVX512BF16 {
		most /= 2 // a widened pair is two steps
	}
	for p0 := 0; p0 < pairs; p0 += most {
		steps := min(most, pairs-p0)
		for row := m0; row < m1; row += taBlockRows {
			height := min(taBlockRows, m1-row)
			rows := leftRows{a: a[row:], lda: lda, k: k, from: 2 * p0, width: height}
			x := gemmTA{c: c[row*ldc:], ldc: ldc, m1: height}
			if s.level == AVX512BF16 {
				x.a, x.lda, x.k = asFloats(s.pairedLeft(rows, steps, scratch)), height, steps
			} else {
				x.a, x.lda, x.k = s.roundedLeft(rows, 2*steps, scratch), height, 2*steps
			}
			for p := 0; p*Panel < n; p++ {
				panel := b[(p*pairs+p0)*Panel:][:steps*Panel]
				x.n = min(Panel, n-p*Panel)
				switch s.level {
				case AVX512BF16:
					gemmTAPanel(familyOfPairs, &x, asFloats(panel), p*Panel)
				case Portable:
					one := x
					one.c, one.b, one.ldb = x.c[p*Panel:], s.widenPanel(panel, scratch), Panel
					gemmTAPortable(&one)
				default:
					gemmTAPanel(familyOf(s.level), &x, s.widenPanel(panel, scratch), p*Panel)
				}
			}
		}
	}
}

// leftRows is a part of the left side of a transposed product: rows from, from+1 … of a, of width values;
// rows from k on are taken as zeros.
type leftRows struct {
	a      []float32
	lda, k int
	from   int
	width  int
}

// row returns row i of the part, or nil beyond the end.
func (l leftRows) row(i int) []float32 {
	if l.from+i >= l.k {
		return nil
	}
	return l.a[(l.from+i)*l.lda:][:l.width]
}

// pairedLeft pairs twice steps rows.
func (s *Set) pairedLeft(l leftRows, steps int, scratch *Scratch) []uint32 {
	dst := grow(&scratch.pairs, steps*l.width)
	var none [taBlockRows]float32
	for i := range steps {
		low := l.row(2*i + 1)
		if low == nil {
			low = none[:l.width]
		}
		s.pairRows(dst[i*l.width:][:l.width], l.row(2*i), low)
	}
	return dst
}

// roundedLeft rounds so many rows, but keeps them as float32.
func (s *Set) roundedLeft(l leftRows, rows int, scratch *Scratch) []float32 {
	dst := grow(&scratch.a, rows*l.width+1) // the last of an odd row is written in pairs
	var pairs [(taBlockRows + 1) / 2]uint32
	for i := range rows {
		to, from := dst[i*l.width:][:l.width], l.row(i)
		if from == nil {
			clear(to)
			continue
		}
		row := pairs[:Pairs(l.width)]
		s.roundRow(row, from)
		s.widenRow(dst[i*l.width:][:2*len(row)], row)
	}
	return dst
}

// widenPanel makes two rows of 32 values of each row of a part of a packed panel.
func (s *Set) widenPanel(pairs []uint32, scratch *Scratch) []float32 {
	dst := grow(&scratch.b, 2*len(pairs))
	if s.level != Portable {
		widenPanelSIMD(dst, pairs)
		return dst
	}
	for i := 0; i < len(pairs); i += Panel {
		high, low := dst[2*i:][:Panel], dst[2*i+Panel:][:Panel]
		for j, v := range pairs[i:][:Panel] {
			high[j], low[j] = math.Float32frombits(v&0xffff0000), math.Float32frombits(v<<16)
		}
	}
	return dst
}
