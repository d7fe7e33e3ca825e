//go:build amd64 && !purego

package kernel

import "golang.org/x/sys/cpu"

// best asks the processor, and the system whether it saves the wide registers.
func best() Level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return Portable
	case !cpu.X86.HasAVX512F || !cpu.X86.HasAVX512BW || !cpu.X86.HasAVX512DQ || !cpu.X86.HasAVX512VL:
		return AVX2
	case !cpu.X86.HasAVX512BF16:
		return AVX512
	}
	return AVX512BF16
}

// packPanelTransposed packs the rows of one panel: blocks of 8 × 8 in registers, the rest one by one.
func (s *Set) packPanelTransposed(dst, w []float32, ldw, rows, k int) {
	blocks := k / 8
	if s.level == Portable || blocks == 0 || rows < 8 {
		packPanelPortable(dst, w, ldw, rows, k)
		return
	}
	full := rows / 8 * 8
	if rows < Panel {
		clear(dst)
	}
	for r := 0; r < full; r += 8 {
		pack8AVX2(blocks, &dst[r], &w[r*ldw], 4*ldw)
	}
	for r := range rows {
		from := 8 * blocks
		if r >= full {
			from = 0
		}
		for i, v := range w[r*ldw:][from:k] {
			dst[(from+i)*Panel+r] = v
		}
	}
}

// packPanelPairs is packPanelTransposed for pairs, which it moves only.
func (s *Set) packPanelPairs(dst, w []uint32, ldw, rows, k int) {
	s.packPanelTransposed(asFloats(dst), asFloats(w), ldw, rows, k)
}

func expSIMD(l Level, dst, x []float32) {
	if l >= AVX512 {
		expAVX512(len(x), &dst[0], &x[0])
	} else {
		expAVX2(len(x), &dst[0], &x[0])
	}
}

func expSumSIMD(l Level, dst, x []float32, sub float32) float32 {
	if l >= AVX512 {
		return expSumAVX512(len(x), &dst[0], &x[0], sub)
	}
	return expSumAVX2(len(x), &dst[0], &x[0], sub)
}

func softmaxBlockSIMD(l Level, p []float32, ld, rows, seen int, top, sum []float32) {
	if l >= AVX512 {
		softmaxBlockAVX512(rows, seen, &p[0], 4*ld, &top[0], &sum[0])
	} else {
		softmaxBlockAVX2(rows, seen, &p[0], 4*ld, &top[0], &sum[0])
	}
}

func maxSIMD(l Level, x []float32) float32 {
	if l >= AVX512 {
		return maxAVX512(len(x), &x[0])
	}
	return maxAVX2(len(x), &x[0])
}

func sumSIMD(l Level, x []float32) float32 {
	if l >= AVX512 {
		return sumAVX512(len(x), &x[0])
	}
	return sumAVX2(len(x), &x[0])
}

func dotSIMD(l Level, x, y []float32) float32 {
	if l >= AVX512 {
		return dotAVX512(len(x), &x[0], &y[0])
	}
	return dotAVX2(len(x), &x[0], &y[0])
}

func axpySIMD(l Level, y []float32, a float32, x []float32) {
	if l >= AVX512 {
		axpyAVX512(len(x), &y[0], &x[0], a)
	} else {
		axpyAVX2(len(x), &y[0], &x[0], a)
	}
}

func scaleSIMD(l Level, y []float32, a float32) {
	if l >= AVX512 {
		scaleAVX512(len(y), &y[0], a)
	} else {
		scaleAVX2(len(y), &y[0], a)
	}
}

func addToSIMD(l Level, y, x []float32) {
	if l >= AVX512 {
		addToAVX512(len(x), &y[0], &x[0])
	} else {
		addToAVX2(len(x), &y[0], &x[0])
	}
}

func mulSIMD(l Level, dst, x, y []float32) {
	if l >= AVX512 {
		mulAVX512(len(x), &dst[0], &x[0], &y[0])
	} else {
		mulAVX2(len(x), &dst[0], &x[0], &y[0])
	}
}

func swigluSIMD(l Level, y, gate, up []float32) {
	if l >= AVX512 {
		swigluAVX512(len(y), &y[0], &gate[0], &up[0])
	} else {
		swigluAVX2(len(y), &y[0], &gate[0], &up[0])
	}
}

func swigluBackwardSIMD(l Level, dgate, dup, dy, gate, up []float32) {
	if l >= AVX512 {
		swigluBackwardAVX512(len(dy), &dgate[0], &dup[0], &dy[0], &gate[0], &up[0])
	} else {
		swigluBackwardAVX2(len(dy), &dgate[0], &dup[0], &dy[0], &gate[0], &up[0])
	}
}

func normScaleSIMD(l Level, y, x, w []float32, r float32) {
	if l >= AVX512 {
		normScaleAVX512(len(y), &y[0], &x[0], &w[0], r)
	} else {
		normScaleAVX2(len(y), &y[0], &x[0], &w[0], r)
	}
}

func ropeSIMD(l Level, x, cos, sin []float32, sign float32) {
	h := len(cos)
	if l >= AVX512 {
		ropeAVX512(h, &x[0], &x[h], &cos[0], &sin[0], sign)
	} else {
		ropeAVX2(h, &x[0], &x[h], &cos[0], &sin[0], sign)
	}
}

func adamwSIMD(l Level, p, g, m, v []float32, c *AdamWConst) {
	if l >= AVX512 {
		adamwAVX512(len(p), &p[0], &g[0], &m[0], &v[0], c)
	} else {
		adamwAVX2(len(p), &p[0], &g[0], &m[0], &v[0], c)
	}
}
