package kernel

// SoftmaxBlock takes rows of 32 scores, with row stride ld, of which the first seen count, through a block
// of attention's softmax. For each row, with high the largest of those and of top,
//
//	p = exp(p − high), and 0 beyond seen;  sum = Σp over 16 lanes (see the package comment);  top = high
//
// These are the bits of [Set.Max] and [Set.ExpSum]. Where a score is NaN, so is sum, and top is anything.
func (s *Set) SoftmaxBlock(p []float32, ld, rows, seen int, top, sum []float32) {
	if rows <= 0 {
		return
	}
	if seen < 1 || seen > Panel {
		panic("kernel: SoftmaxBlock of a part of a block that is none")
	}
	need("SoftmaxBlock p", p, (rows-1)*ld+Panel)
	need("SoftmaxBlock top", top, rows)
	need("SoftmaxBlock sum", sum, rows)
	if s.level == Portable {
		softmaxBlockPortable(p, ld, rows, seen, top, sum)
		return
	}
	softmaxBlockSIMD(s.level, p, ld, rows, seen, top, sum)
}

func softmaxBlockPortable(p []float32, ld, rows, seen int, top, sum []float32) {
	for r := range rows {
		x := p[r*ld:][:Panel]
		if high := maxPortable(x[:seen]); high > top[r] {
			top[r] = high
		}
		sum[r] = expSumPortable(x[:seen], x[:seen], top[r])
		clear(x[seen:])
	}
}
