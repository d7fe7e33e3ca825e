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

// family is a set of matrix kernels.
type family uint8

const (
	tilesAVX2 family = iota
	tilesAVX512
	tilesBF16 // of bfloat16 pairs: a and b of the tile are of pairs, k counts them
)

// familyOfPairs is the family of products of pairs.
const familyOfPairs = tilesBF16

// familyOf is the family of float32 products of a level.
func familyOf(l Level) family {
	if l >= AVX512 {
		return tilesAVX512
	}
	return tilesAVX2
}

func tileRowsOf(f family) int {
	if f == tilesAVX2 {
		return maxTileRows / 2
	}
	return maxTileRows
}

// smallB is the size of a whole matrix B, in bytes, that is not prefetched: it takes little time to read, and
// what lies behind it belongs to others. What Scratch.Expect has named is prefetched instead.
const smallB = 32 << 10

// nearAhead is how far ahead of its use B is prefetched when it is passed over once, in bytes.
const nearAhead = 4096

// prefetchRound is what four steps read of B, in bytes.
const prefetchRound = 4 * Panel * 4

// prefetchOther prefetches a share of what lies at the address next, as much as is read of B; or nothing, for
// 0.
func (t *tile) prefetchOther(next uintptr, pass, passes int) {
	if next == 0 {
		t.ahead, t.stride = uintptr(unsafe.Pointer(t.b)), 0
		return
	}
	t.stride = prefetchRound / passes
	t.ahead = next + uintptr(pass*(t.k/4)*t.stride)
}

// prefetch says what to prefetch while the part of a panel at t.b is passed over for the pass'th time of
// passes. In a single pass that is what comes soon, and so it is in the first pass over the first part,
// which nobody has asked for before. Of other passes, each prefetches its share of the block that follows in
// memory, so that memory is busy in all of them; then there is nothing to gain after the last block.
func (t *tile) prefetch(pass, passes int, first, last bool) {
	const round = prefetchRound
	b := uintptr(unsafe.Pointer(t.b))
	if passes == 1 || first && pass == 0 {
		t.ahead, t.stride = b+nearAhead, round
		return
	}
	if last {
		t.ahead, t.stride = b, 0
		return
	}
	if first {
		pass, passes = pass-1, passes-1
	}
	t.stride = round / passes
	t.ahead = b + uintptr(t.k*Panel*4+pass*(t.k/4)*t.stride)
}

// halves is the number of passes over B that a kernel makes; see gen/gemm.go.
func halves(f family, rows int) int {
	if f == tilesAVX2 && rows > 3 {
		return 2
	}
	return 1
}

// tiling is how a range of rows is divided into tiles of nearly equal height.
type tiling struct {
	tiles, small, larger int // the first larger tiles have one row more than small
}

func tilesOf(f family, rows int) tiling {
	most := tileRowsOf(f)
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
func (t *tile) runRows(f family, rows, panels int) {
	switch {
	case f == tilesBF16 && panels > 1:
		tileRowsWideBF16(rows, t)
	case f == tilesBF16:
		tileRowsBF16(rows, t)
	case f == tilesAVX512 && panels > 1:
		tileRowsWideAVX512(rows, t)
	case f == tilesAVX512:
		tileRowsAVX512(rows, t)
	case panels > 1:
		tileRowsWideAVX2(rows, t)
	default:
		tileRowsAVX2(rows, t)
	}
}

// runCols computes a tile with A transposed.
func (t *tile) runCols(f family, rows int) {
	switch f {
	case tilesBF16:
		tileColsBF16(rows, t)
	case tilesAVX512:
		tileColsAVX512(rows, t)
	default:
		tileColsAVX2(rows, t)
	}
}

// wide is the number of panels that a kernel of so few rows can take at once.
func wide(f family, rows int) int {
	switch f {
	case tilesBF16:
		return wideBF16[rows]
	case tilesAVX512:
		return wideAVX512[rows]
	}
	return wideAVX2[rows]
}

// gemmSIMD computes g with assembly kernels; k, m and the number of panels are positive. All tiles of a
// block of rows pass over a panel before the next panel is begun. If a panel is too long for the second
// level cache, they pass over parts of it, and scratch holds the unfinished sums in between; so also where
// B is in pairs, of which one part at a time is widened.
func gemmSIMD(f family, g *gemm, s *Scratch) {
	if s != nil {
		g.next, s.next = s.next, nil
	}
	blocks := (g.m + blockRows - 1) / blockRows
	height := (g.m + blocks - 1) / blocks
	most := tileRowsOf(f)
	height = (height + most - 1) / most * most
	steps := g.k
	var partial []float32
	if g.pairs != nil {
		steps = min(widenedK, g.k)
		partial = grow(&s.tile, min(g.m, height)*Panel)
		g.b = grow(&s.b, steps*Panel)
	} else if g.k > longPanel && min(g.m, height) > most && s != nil {
		steps = blockK
		partial = grow(&s.tile, min(g.m, height)*Panel)
	}
	for row := 0; row < g.m; row += height {
		gemmBlock(f, g, row, min(height, g.m-row), steps, partial)
	}
}

// gemmBlock computes rows [row0, row0+height) of all panels, steps of k at a time.
func gemmBlock(f family, g *gemm, row0, height, steps int, partial []float32) {
	split := tilesOf(f, height)
	full, all := g.n/Panel, (g.n+Panel-1)/Panel // panels of 32 columns, and those with fewer
	small := 4*Panel*g.k*all <= smallB && g.pairs == nil
	for p := g.p0; p < g.p1; {
		panels := 1
		if split.tiles == 1 && g.pairs == nil && p+wide(f, height) <= min(full, g.p1) {
			panels = wide(f, height)
		}
		for k0 := 0; k0 < g.k; k0 += steps {
			t := tile{k: min(steps, g.k-k0), lda: 4 * g.lda, ldb: 4 * g.k * Panel}
			if g.pairs != nil {
				widenPanelAVX2(t.k/2, &g.b[0], &g.pairs[(p*g.k+k0)/2*Panel])
				t.b = &g.b[0]
			} else {
				t.b = &g.b[(p*g.k+k0)*Panel]
			}
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
				h := halves(f, rows)
				if small {
					t.prefetchOther(g.nextOf(p, k0), i*h, split.tiles*h)
				} else {
					t.prefetch(i*h, split.tiles*h, g.pairs == nil && p == g.p0 && k0 == 0, g.pairs != nil || last && p+panels >= all)
				}
				switch {
				case !last:
					t.c, t.ldc = &partial[r*Panel], 4*Panel
					t.runRows(f, rows, 1)
				case p >= full:
					edge(f, &t, rows, g, row0+r, p)
				default:
					t.c, t.ldc = &g.c[(row0+r)*g.ldc+p*Panel], 4*g.ldc
					t.runRows(f, rows, panels)
				}
				r += rows
			}
		}
		p += panels
	}
}

// nextOf is where that lies which is expected next, for the part of B at panel p and step k0; 0 for none.
func (g *gemm) nextOf(p, k0 int) uintptr {
	if at := (p*g.k + k0) * Panel; at < len(g.next) {
		return uintptr(unsafe.Pointer(&g.next[at]))
	}
	return 0
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
func edge(f family, t *tile, rows int, g *gemm, row, p int) {
	var sums [maxTileRows * Panel]float32
	whole := *t
	whole.c, whole.ldc, whole.end = &sums[0], 4*Panel, endStore
	whole.runRows(f, rows, 1)
	cols := g.n - p*Panel
	for r := range rows {
		finishRow(g, row+r, p*Panel, sums[r*Panel:][:cols])
	}
}

// gemmTASIMD computes g with assembly kernels, in blocks of k; C itself holds the unfinished sums. A is
// read in place. B is too, unless its rows are far apart and there are enough tiles to share the cost of
// packing a part of a panel.
func gemmTASIMD(f family, g *gemmTA, s *Scratch) {
	packB := g.ldb >= 512 && g.m1-g.m0 >= 4*tileRowsOf(f)
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
				g.panel(f, &t, k0, row0, height, p*Panel, cols)
			}
		}
	}
}

// panel computes one panel of a block of rows; t has what concerns B.
func (g *gemmTA) panel(f family, t *tile, k0, row0, height, col, cols int) {
	split := tilesOf(f, height)
	row := row0
	for i := range split.tiles {
		rows := split.rows(i)
		t.a = &g.a[k0*g.lda+row]
		c := g.c[row*g.ldc+col:]
		if cols < Panel {
			edgeTA(f, t, rows, c, g.ldc, cols)
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
			t.runCols(f, rows)
		}
		row += rows
	}
}

// edgeTA continues the sums of fewer than 32 columns of C by way of a whole tile on the stack.
func edgeTA(f family, t *tile, rows int, c []float32, ldc, cols int) {
	var sums [maxTileRows * Panel]float32
	for r := range rows {
		copy(sums[r*Panel:], c[r*ldc:][:cols])
	}
	whole := *t
	whole.c, whole.ldc = &sums[0], 4*Panel
	whole.from, whole.ldfrom = whole.c, whole.ldc
	whole.runCols(f, rows)
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
