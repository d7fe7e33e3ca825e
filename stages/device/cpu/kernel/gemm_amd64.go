//go:build amd64 && !purego

package kernel

import "unsafe"

// tile holds the arguments of a matrix kernel; gen/gemm.go describes them. Strides are in bytes.
type tile struct {
	a, b, c       *float32
	k             int
	lda, ldb, ldc int
	from          *float32
	ldfrom        int
	bias          *float32
	end           int
	ahead         uintptr // may lie outside of B: nothing is read there
	stride        int
}

// The values of tile.end.
const (
	endStore = iota
	endBias
	endAdd
)

// maxTileRows is the most rows of a tile; AVX2 has half of that.
const maxTileRows = 12

func tileRowsOf(l Level) int {
	if l == AVX512 {
		return maxTileRows
	}
	return maxTileRows / 2
}

// nearAhead is how far ahead of its use B is prefetched when it is passed over once, in bytes.
const nearAhead = 4096

// prefetch says what to prefetch while the part of a panel at t.b is passed over for the pass'th time of
// passes. In a single pass that is what comes soon. Of several passes, each prefetches
// its share of the block that follows in memory, so that memory is busy in all of them; then there is
// nothing to gain after the last block.
func (t *tile) prefetch(pass, passes int, last bool) {
	const round = 4 * Panel * 4 // bytes of four steps
	b := uintptr(unsafe.Pointer(t.b))
	switch {
	case passes == 1:
		t.ahead, t.stride = b+nearAhead, round
	case last:
		t.ahead, t.stride = b, 0
	default:
		t.stride = round / passes
		t.ahead = b + uintptr(t.k*Panel*4+pass*(t.k/4)*t.stride)
	}
}

// halves is the number of passes over B that a kernel makes; see gen/gemm.go.
func halves(l Level, rows int) int {
	if l == AVX2 && rows > 3 {
		return 2
	}
	return 1
}

// tiling is how a range of rows is divided into tiles of nearly equal height.
type tiling struct {
	tiles, small, larger int // the first larger tiles have one row more than small
}

func tilesOf(l Level, rows int) tiling {
	most := tileRowsOf(l)
	n := (rows + most - 1) / most
	return tiling{n, rows / n, rows % n}
}

// rows is the height of tile i.
func (t tiling) rows(i int) int {
	if i < t.larger {
		return t.small + 1
	}
	return t.small
}

// runRows computes a tile with A in place: of one panel, or of as many as wide says.
func (t *tile) runRows(l Level, rows, panels int) {
	switch {
	case l == AVX512 && panels > 1:
		tileRowsWideAVX512(rows, t)
	case l == AVX512:
		tileRowsAVX512(rows, t)
	case panels > 1:
		tileRowsWideAVX2(rows, t)
	default:
		tileRowsAVX2(rows, t)
	}
}

// runCols computes a tile with A transposed.
func (t *tile) runCols(l Level, rows int) {
	if l == AVX512 {
		tileColsAVX512(rows, t)
	} else {
		tileColsAVX2(rows, t)
	}
}

// wide is the number of panels that a kernel of so few rows can take at once.
func wide(l Level, rows int) int {
	if l == AVX512 {
		return wideAVX512[rows]
	}
	return wideAVX2[rows]
}

// gemmSIMD computes g with assembly kernels; k, m and the number of panels are positive. All tiles of a
// block of rows pass over a panel before the next panel is begun. If a panel is too long for the second
// level cache, they pass over parts of it, and scratch holds the unfinished sums in between.
func gemmSIMD(l Level, g *gemm, s *Scratch) {
	blocks := (g.m + blockRows - 1) / blockRows
	height := (g.m + blocks - 1) / blocks
	most := tileRowsOf(l)
	height = (height + most - 1) / most * most
	steps := g.k
	var partial []float32
	if g.k > longPanel && min(g.m, height) > most && s != nil {
		steps = blockK
		partial = grow(&s.tile, min(g.m, height)*Panel)
	}
	for row := 0; row < g.m; row += height {
		gemmBlock(l, g, row, min(height, g.m-row), steps, partial)
	}
}

// gemmBlock computes rows [row0, row0+height) of all panels, steps of k at a time.
func gemmBlock(l Level, g *gemm, row0, height, steps int, partial []float32) {
	split := tilesOf(l, height)
	full := g.n / Panel // panels of 32 columns
	for p := g.p0; p < g.p1; {
		panels := 1
		if split.tiles == 1 && p+wide(l, height) <= min(full, g.p1) {
			panels = wide(l, height)
		}
		for k0 := 0; k0 < g.k; k0 += steps {
			t := tile{k: min(steps, g.k-k0), b: &g.b[(p*g.k+k0)*Panel], lda: 4 * g.lda, ldb: 4 * g.k * Panel}
			last := k0+steps >= g.k
			if last && p < full {
				t.end = g.end()
				if t.end == endBias {
					t.bias = &g.bias[p*Panel]
				}
			}
			for i, r := 0, 0; i < split.tiles; i++ {
				rows := split.rows(i)
				t.a = &g.a[(row0+r)*g.lda+k0]
				if k0 > 0 {
					t.from, t.ldfrom = &partial[r*Panel], 4*Panel
				}
				h := halves(l, rows)
				t.prefetch(i*h, split.tiles*h, last && p+panels >= g.p1)
				switch {
				case !last:
					t.c, t.ldc = &partial[r*Panel], 4*Panel
					t.runRows(l, rows, 1)
				case p >= full:
					edge(l, &t, rows, g, row0+r, p)
				default:
					t.c, t.ldc = &g.c[(row0+r)*g.ldc+p*Panel], 4*g.ldc
					t.runRows(l, rows, panels)
				}
				r += rows
			}
		}
		p += panels
	}
}

// end is what a kernel does with the finished sums of g.
func (g *gemm) end() int {
	switch {
	case g.mode == Add:
		return endAdd
	case g.bias != nil:
		return endBias
	}
	return endStore
}

// edge computes a tile of the last panel, of fewer than 32 columns, by way of a whole one on the stack.
func edge(l Level, t *tile, rows int, g *gemm, row, p int) {
	var sums [maxTileRows * Panel]float32
	whole := *t
	whole.c, whole.ldc, whole.end = &sums[0], 4*Panel, endStore
	whole.runRows(l, rows, 1)
	cols := g.n - p*Panel
	for r := range rows {
		finishRow(g, row+r, p*Panel, sums[r*Panel:][:cols])
	}
}

// gemmTASIMD computes g with assembly kernels, in blocks of k; C itself holds the unfinished sums. A is
// read in place. B is too, unless its rows are far apart and there are enough tiles to share the cost of
// packing a part of a panel.
func gemmTASIMD(l Level, g *gemmTA, s *Scratch) {
	packB := g.ldb >= 512 && g.m1-g.m0 >= 4*tileRowsOf(l)
	var packed []float32
	if packB || g.n%Panel != 0 {
		if s == nil {
			s = &Scratch{}
		}
		packed = grow(&s.b, min(taBlockK, g.k)*Panel)
	}
	for k0 := 0; k0 < g.k; k0 += taBlockK {
		steps := min(taBlockK, g.k-k0)
		for row0 := g.m0; row0 < g.m1; row0 += taBlockRows {
			height := min(taBlockRows, g.m1-row0)
			for p := 0; p*Panel < g.n; p++ {
				t := tile{k: steps, b: &g.b[k0*g.ldb+p*Panel], ldb: 4 * g.ldb, lda: 4 * g.lda}
				cols := min(Panel, g.n-p*Panel)
				if packB || cols < Panel {
					packSteps(packed, g.b[k0*g.ldb+p*Panel:], g.ldb, cols, steps)
					t.b, t.ldb = &packed[0], 4*Panel
				}
				g.panel(l, &t, k0, row0, height, p*Panel, cols)
			}
		}
	}
}

// panel computes one panel of a block of rows; t has what concerns B.
func (g *gemmTA) panel(l Level, t *tile, k0, row0, height, col, cols int) {
	split := tilesOf(l, height)
	row := row0
	for i := range split.tiles {
		rows := split.rows(i)
		t.a = &g.a[k0*g.lda+row]
		c := g.c[row*g.ldc+col:]
		if cols < Panel {
			edgeTA(l, t, rows, c, g.ldc, cols)
		} else {
			t.c, t.ldc = &c[0], 4*g.ldc
			t.from, t.ldfrom = t.c, t.ldc
			// C comes from memory and is needed at once: ask for the next tile's.
			t.ahead = uintptr(unsafe.Pointer(t.c))
			if i+1 < split.tiles {
				t.ahead += uintptr(4 * rows * g.ldc)
			} else {
				t.ahead = uintptr(unsafe.Pointer(&g.c[row0*g.ldc+col])) + 4*Panel
			}
			t.runCols(l, rows)
		}
		row += rows
	}
}

// edgeTA continues the sums of fewer than 32 columns of C by way of a whole tile on the stack.
func edgeTA(l Level, t *tile, rows int, c []float32, ldc, cols int) {
	var sums [maxTileRows * Panel]float32
	for r := range rows {
		copy(sums[r*Panel:], c[r*ldc:][:cols])
	}
	whole := *t
	whole.c, whole.ldc = &sums[0], 4*Panel
	whole.from, whole.ldfrom = whole.c, whole.ldc
	whole.runCols(l, rows)
	for r := range rows {
		copy(c[r*ldc:][:cols], sums[r*Panel:])
	}
}

// packSteps packs one panel of row-major B as [k][32] with zeros beyond cols.
func packSteps(dst, b []float32, ldb, cols, k int) {
	if cols == Panel {
		for i := range k {
			*(*[Panel]float32)(dst[i*Panel:]) = *(*[Panel]float32)(b[i*ldb:])
		}
		return
	}
	for i := range k {
		row := dst[i*Panel:][:Panel]
		clear(row[copy(row, b[i*ldb:][:cols]):])
	}
}
