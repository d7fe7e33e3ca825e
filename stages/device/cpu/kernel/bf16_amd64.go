//go:build amd64 && !purego

package kernel

// roundBlocks rounds as many values of x as there are whole blocks of 16 and returns their number.
func (s *Set) roundBlocks(dst []uint32, x []float32) int {
	n := len(x) / 16
	switch {
	case n == 0 || s.level == Portable:
		return 0
	case s.level == AVX512BF16:
		roundPairsBF16(n, &dst[0], &x[0])
	default:
		roundPairsAVX2(n, &dst[0], &x[0])
	}
	return 16 * n
}

// pairBlocks pairs as many values as there are whole blocks of 16 and returns their number.
func (s *Set) pairBlocks(dst []uint32, high, low []float32) int {
	n := len(dst) / 16
	switch {
	case n == 0 || s.level == Portable:
		return 0
	case s.level == AVX512BF16:
		pairRowsBF16(n, &dst[0], &high[0], &low[0])
	default:
		pairRowsAVX2(n, &dst[0], &high[0], &low[0])
	}
	return 16 * n
}

// widenBlocks widens as many pairs as there are whole blocks of 8 and returns their number.
func (s *Set) widenBlocks(dst []float32, pairs []uint32) int {
	n := len(pairs) / 8
	if n == 0 || s.level == Portable {
		return 0
	}
	widenPairsAVX2(n, &dst[0], &pairs[0])
	return 8 * n
}

// widenPanelSIMD widens whole rows of a packed panel.
func widenPanelSIMD(dst []float32, pairs []uint32) {
	widenPanelAVX2(len(pairs)/Panel, &dst[0], &pairs[0])
}

// gemmTAPanel continues the sums of all rows of g in one panel, whose columns start at col: g.n of them, and
// g.k steps of b, packed.
func gemmTAPanel(f family, g *gemmTA, b []float32, col int) {
	t := tile{k: g.k, b: &b[0], ldb: 4 * Panel, lda: 4 * g.lda}
	g.panel(f, &t, 0, g.m0, g.m1-g.m0, col, g.n)
}
