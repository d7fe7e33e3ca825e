package kernel

import "runtime"

// sixteenRegisters says that the compiler can't keep a tile of 4 × 4 in registers; one in memory is then
// twice as fast.
const sixteenRegisters = runtime.GOARCH == "amd64"

// gemmPortable computes g in plain Go: tiles of 4 × 4, or of 4 × 32 in memory, then single rows.
func gemmPortable(g *gemm) {
	for p := g.p0; p < g.p1; p++ {
		panel := g.b
		if g.k > 0 {
			panel = g.b[p*Panel*g.k:][:Panel*g.k]
		}
		cols := min(Panel, g.n-p*Panel)
		for i := 0; i < g.m; i += 4 {
			rows := min(4, g.m-i)
			var tile [4][Panel]float32
			if g.k > 0 {
				a := g.a[i*g.lda:]
				if rows == 4 && sixteenRegisters {
					rowTile4x32(&tile, a[:g.k], a[g.lda:][:g.k], a[2*g.lda:][:g.k], a[3*g.lda:][:g.k], panel)
				} else if rows == 4 {
					a0, a1, a2, a3 := a[:g.k], a[g.lda:][:g.k], a[2*g.lda:][:g.k], a[3*g.lda:][:g.k]
					for j := 0; j < cols; j += 4 {
						rowTile4x4(&tile, j, a0, a1, a2, a3, panel[j:])
					}
				} else {
					for r := range rows {
						ar := a[r*g.lda:][:g.k]
						for j := 0; j < cols; j += 8 {
							rowTile1x8(&tile[r], j, ar, panel[j:])
						}
					}
				}
			}
			for r := range rows {
				finishRow(g, i+r, p*Panel, tile[r][:cols])
			}
		}
	}
}

// finishRow puts finished sums of one row of one panel into C.
func finishRow(g *gemm, row, col int, acc []float32) {
	c := g.c[row*g.ldc+col:][:len(acc)]
	switch {
	case g.mode == Add:
		for j, v := range acc {
			c[j] += v
		}
	case g.bias != nil:
		for j, v := range g.bias[col:][:len(acc)] {
			c[j] = acc[j] + v
		}
	default:
		copy(c, acc)
	}
}

// rowTile4x4 computes four rows and columns [j, j+4) of a panel; b starts at column j of its first row.
func rowTile4x4(tile *[4][Panel]float32, j int, a0, a1, a2, a3, b []float32) {
	var c00, c01, c02, c03 float32
	var c10, c11, c12, c13 float32
	var c20, c21, c22, c23 float32
	var c30, c31, c32, c33 float32
	a1, a2, a3 = a1[:len(a0)], a2[:len(a0)], a3[:len(a0)]
	for k := range a0 {
		bk := (*[4]float32)(b[k*Panel:])
		x := a0[k]
		c00 += x * bk[0]
		c01 += x * bk[1]
		c02 += x * bk[2]
		c03 += x * bk[3]
		x = a1[k]
		c10 += x * bk[0]
		c11 += x * bk[1]
		c12 += x * bk[2]
		c13 += x * bk[3]
		x = a2[k]
		c20 += x * bk[0]
		c21 += x * bk[1]
		c22 += x * bk[2]
		c23 += x * bk[3]
		x = a3[k]
		c30 += x * bk[0]
		c31 += x * bk[1]
		c32 += x * bk[2]
		c33 += x * bk[3]
	}
	*(*[4]float32)(tile[0][j:]) = [4]float32{c00, c01, c02, c03}
	*(*[4]float32)(tile[1][j:]) = [4]float32{c10, c11, c12, c13}
	*(*[4]float32)(tile[2][j:]) = [4]float32{c20, c21, c22, c23}
	*(*[4]float32)(tile[3][j:]) = [4]float32{c30, c31, c32, c33}
}

// rowTile4x32 computes four rows and all columns of a panel.
func rowTile4x32(tile *[4][Panel]float32, a0, a1, a2, a3, b []float32) {
	a1, a2, a3 = a1[:len(a0)], a2[:len(a0)], a3[:len(a0)]
	c0, c1, c2, c3 := &tile[0], &tile[1], &tile[2], &tile[3]
	for k := range a0 {
		x0, x1, x2, x3 := a0[k], a1[k], a2[k], a3[k]
		for j, v := range (*[Panel]float32)(b[k*Panel:]) {
			c0[j] += x0 * v
			c1[j] += x1 * v
			c2[j] += x2 * v
			c3[j] += x3 * v
		}
	}
}

// rowTile1x8 computes one row and columns [j, j+8) of a panel.
func rowTile1x8(tile *[Panel]float32, j int, a, b []float32) {
	var c0, c1, c2, c3, c4, c5, c6, c7 float32
	for k, x := range a {
		bk := (*[8]float32)(b[k*Panel:])
		c0 += x * bk[0]
		c1 += x * bk[1]
		c2 += x * bk[2]
		c3 += x * bk[3]
		c4 += x * bk[4]
		c5 += x * bk[5]
		c6 += x * bk[6]
		c7 += x * bk[7]
	}
	*(*[8]float32)(tile[j:]) = [8]float32{c0, c1, c2, c3, c4, c5, c6, c7}
}

// gemmTAPortable adds Aᵀ·B four rows of C at a time, with blocks of k and columns that stay in cache.
func gemmTAPortable(g *gemmTA) {
	const blockK, blockN = 64, 512
	for k0 := 0; k0 < g.k; k0 += blockK {
		k1 := min(k0+blockK, g.k)
		for j0 := 0; j0 < g.n; j0 += blockN {
			w := min(blockN, g.n-j0)
			i := g.m0
			for ; i+4 <= g.m1; i += 4 {
				c0 := g.c[i*g.ldc+j0:][:w]
				c1 := g.c[(i+1)*g.ldc+j0:][:w]
				c2 := g.c[(i+2)*g.ldc+j0:][:w]
				c3 := g.c[(i+3)*g.ldc+j0:][:w]
				for k := k0; k < k1; k++ {
					a := (*[4]float32)(g.a[k*g.lda+i:])
					a0, a1, a2, a3 := a[0], a[1], a[2], a[3]
					for j, b := range g.b[k*g.ldb+j0:][:w] {
						c0[j] += a0 * b
						c1[j] += a1 * b
						c2[j] += a2 * b
						c3[j] += a3 * b
					}
				}
			}
			for ; i < g.m1; i++ {
				c := g.c[i*g.ldc+j0:][:w]
				for k := k0; k < k1; k++ {
					a := g.a[k*g.lda+i]
					for j, b := range g.b[k*g.ldb+j0:][:w] {
						c[j] += a * b
					}
				}
			}
		}
	}
}

// packPanelPortable writes one panel of Wᵀ from rows of W, 16 columns (a cache line of each row) at a time.
func packPanelPortable(dst, w []float32, ldw, rows, k int) {
	if rows < Panel {
		clear(dst)
	}
	for k0 := 0; k0 < k; k0 += 16 {
		width := min(16, k-k0)
		d := dst[k0*Panel:]
		for r := range rows {
			o := r
			for _, v := range w[r*ldw+k0:][:width] {
				d[o] = v
				o += Panel
			}
		}
	}
}
