package kernel

import (
	"fmt"
	"unsafe"
)

// Panel is the number of columns of a packed panel.
const Panel = 32

// Mode says what [Set.Gemm] does with a finished sum.
type Mode uint8

// The modes.
const (
	Store Mode = iota // c = acc, or c = acc + bias
	Add               // c = c + acc
)

// PackedLen is the number of float32 values of a packed matrix B of k rows and n columns. Panel j lies at
// j·k·Panel and holds columns 32j to 32j+31 as [k][32]; columns beyond n are zero.
func PackedLen(n, k int) int { return (n + Panel - 1) / Panel * Panel * k }

// PackTransposed packs B = Wᵀ for y = x·Wᵀ from W, row-major [n][k] with row stride ldw. dst has
// PackedLen(n, k) elements. A caller may split n at multiples of Panel and pack the parts separately.
func (s *Set) PackTransposed(dst, w []float32, ldw, n, k int) {
	if n <= 0 || k <= 0 {
		return
	}
	need("PackTransposed dst", dst, PackedLen(n, k))
	need("PackTransposed w", w, (n-1)*ldw+k)
	for j := 0; j < n; j += Panel {
		s.packPanelTransposed(dst[j*k:][:k*Panel], w[j*ldw:], ldw, min(Panel, n-j), k)
	}
}

// Pack packs B from its rows, row-major [k][n] with row stride ldb. dst has PackedLen(n, k) elements.
func (s *Set) Pack(dst, b []float32, ldb, k, n int) {
	if n <= 0 || k <= 0 {
		return
	}
	need("Pack dst", dst, PackedLen(n, k))
	need("Pack b", b, (k-1)*ldb+n)
	j := 0
	for ; j+Panel <= n; j += Panel {
		d := dst[j*k:][:k*Panel]
		for r := range k {
			*(*[Panel]float32)(d[r*Panel:]) = *(*[Panel]float32)(b[r*ldb+j:])
		}
	}
	if j < n {
		d := dst[j*k:][:k*Panel]
		for r := range k {
			row := d[r*Panel:][:Panel]
			clear(row[copy(row, b[r*ldb+j:][:n-j]):])
		}
	}
}

// Gemm computes columns [32·p0, 32·p1) (and below n) of C, m × n, from A, m × k, both row-major with row
// strides ldc and lda, and the packed matrix b. Each element is a chain of fused multiply-adds that
// starts at zero and takes k in order:
//
//	acc = 0; for i in 0 … k−1: acc = fma(A[row][i], B[i][col], acc)
//
// then, by mode, c = acc + bias[col] (c = acc if bias is nil) or c = c + acc, for which bias must be nil.
// The chain is never split, so that an element has the same bits whatever m, p0, p1 and the place of its
// row. Elements outside are neither read nor written. scratch belongs to the calling goroutine for the
// length of the call; nil is allowed and may be slower for large m.
func (s *Set) Gemm(c []float32, ldc int, a []float32, lda int, b []float32, m, n, k int, p0, p1 int, bias []float32, mode Mode, scratch *Scratch) {
	p1 = min(p1, (n+Panel-1)/Panel)
	if m <= 0 || p0 >= p1 {
		return
	}
	g := gemm{c: c, ldc: ldc, a: a, lda: lda, b: b, m: m, n: n, k: k, p0: p0, p1: p1, bias: bias, mode: mode}
	g.check("Gemm")
	if k == 0 {
		g.a, g.b = nil, nil
	} else {
		need("Gemm a", a, (m-1)*lda+k)
		need("Gemm b", b, p1*Panel*k)
	}
	if s.level == Portable || k == 0 {
		gemmPortable(&g)
		return
	}
	gemmSIMD(familyOf(s.level), &g, scratch)
}

// gemm holds the arguments of one product.
type gemm struct {
	c       []float32
	ldc     int
	a       []float32
	lda     int
	b       []float32
	pairs   []uint32 // B in pairs, to be widened a part at a time; b is then nil
	m, n, k int
	p0, p1  int
	bias    []float32
	mode    Mode
	next    []float32 // see Scratch.Expect
}

// check panics if the arguments that all products share do not fit.
func (g *gemm) check(op string) {
	if g.p0 < 0 || g.k < 0 {
		panic(fmt.Sprintf("kernel: %s panels from %d, k %d", op, g.p0, g.k))
	}
	if want := (g.m-1)*g.ldc + min(g.p1*Panel, g.n); len(g.c) < want {
		panic(fmt.Sprintf("kernel: %s: c has %d elements, want %d", op, len(g.c), want))
	}
	if g.bias == nil {
		return
	}
	if want := min(g.p1*Panel, g.n); len(g.bias) < want {
		panic(fmt.Sprintf("kernel: %s: bias has %d elements, want %d", op, len(g.bias), want))
	}
	if g.mode == Add {
		panic("kernel: " + op + " adds with a bias")
	}
}

// GemmTA adds Aᵀ·B to rows [m0, m1) of C, m × n, where A is k × m and B is k × n, all row-major with
// strides lda, ldb and ldc: the gradient of a weight, k being the tokens. The chain continues from C,
//
//	acc = c; for i in 0 … k−1: acc = fma(A[i][row], B[i][col], acc); c = acc
//
// so that splitting k over calls in order changes no bit. scratch is as in [Set.Gemm].
func (s *Set) GemmTA(c []float32, ldc int, a []float32, lda int, b []float32, ldb int, m, n, k int, m0, m1 int, scratch *Scratch) {
	m1 = min(m1, m)
	if m0 >= m1 || n <= 0 || k <= 0 {
		return
	}
	if m0 < 0 {
		panic(fmt.Sprintf("kernel: GemmTA rows from %d", m0))
	}
	need("GemmTA c", c, (m1-1)*ldc+n)
	need("GemmTA a", a, (k-1)*lda+m1)
	need("GemmTA b", b, (k-1)*ldb+n)
	g := gemmTA{c: c, ldc: ldc, a: a, lda: lda, b: b, ldb: ldb, n: n, k: k, m0: m0, m1: m1}
	if s.level == Portable {
		gemmTAPortable(&g)
		return
	}
	gemmTASIMD(familyOf(s.level), &g, scratch)
}

// gemmTA holds the arguments of one transposed product.
type gemmTA struct {
	c      []float32
	ldc    int
	a      []float32
	lda    int
	b      []float32
	ldb    int
	n, k   int
	m0, m1 int
}

// Block sizes of the assembly levels. The rows of a block are read again for each panel, so they should
// stay in the second or third level cache; the part of a panel that all its tiles pass over should stay
// in the second.
const (
	blockRows   = 192
	longPanel   = 5120 // steps of k from which a panel is divided
	blockK      = 2048
	taBlockK    = 512
	taBlockRows = 192
	widenedK    = 512 // steps of k that are widened at a time
)

// Scratch is room that a product uses for packed parts and unfinished sums. Its zero value is ready; it
// grows on demand and keeps what it has. A worker owns one: it is not for concurrent use.
type Scratch struct {
	a, b, tile []float32 // widened rows of A; a packed part of B; unfinished sums
	pairs      []uint32  // rounded rows on their way into a panel
	next       []float32
}

// Expect says that the product after the next one is with a small matrix B of the same size that lies at b:
// it is brought to the caches while the next one runs, if that pays.
func (s *Scratch) Expect(b []float32) { s.next = b }

// grow returns buf, or a longer replacement, with at least n elements. The contents are undefined.
func grow[T float32 | uint32](buf *[]T, n int) []T {
	if len(*buf) < n {
		x := goFloats(n)
		*buf = unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(x))), n)
	}
	return (*buf)[:n]
}

func need[T any](what string, s []T, n int) {
	if len(s) < n {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", what, len(s), n))
	}
}
