package kernel

import (
	"math"
	"testing"
)

// TestSoftmaxBlock compares blocks with Max and ExpSum of one row at a time, with garbage behind what counts.
func TestSoftmaxBlock(t *testing.T) {
	nan := float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		r := newRand(31)
		for seen := 1; seen <= Panel; seen++ {
			for _, rows := range []int{1, 2, 7, 48} {
				ld := Panel + r.IntN(2)*r.IntN(40)
				x := random(r, (rows-1)*ld+Panel)
				top := random(r, rows)
				for i := range rows {
					top[i] *= float32(r.IntN(3))
					if r.IntN(4) == 0 {
						top[i] = float32(math.Inf(-1))
					}
					for j := seen; j < Panel; j++ {
						x[i*ld+j] = []float32{nan, 1e30, float32(math.Inf(1))}[r.IntN(3)]
					}
				}
				p, checkP := guarded(t, x)
				high, checkTop := guarded(t, top)
				sum, checkSum := guarded(t, filled(rows, canary))
				s.SoftmaxBlock(p, ld, rows, seen, high, sum)
				checkP()
				checkTop()
				checkSum()
				for i := range rows {
					row := append([]float32(nil), x[i*ld:][:seen]...)
					wantTop := max(top[i], s.Max(row))
					wantSum := s.ExpSum(row, row, wantTop)
					if high[i] != wantTop || sum[i] != wantSum {
						t.Fatalf("%d of 32, row %d of %d: top %g and sum %g, want %g and %g", seen, i, rows, high[i], sum[i], wantTop, wantSum)
					}
					for j := range ld {
						at := i*ld + j
						if at >= len(x) {
							break
						}
						want := x[at]
						switch {
						case j < seen:
							want = row[j]
						case j < Panel:
							want = 0
						}
						if math.Float32bits(p[at]) != math.Float32bits(want) {
							t.Fatalf("%d of 32, row %d of %d: p[%d] is %g, want %g", seen, i, rows, j, p[at], want)
						}
					}
				}
			}
		}
	})
}

// TestSoftmaxBlockSpecial has scores without a distribution: the sum says so, and other rows are as ever.
func TestSoftmaxBlockSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	eachLevel(t, func(t *testing.T, s *Set) {
		for _, seen := range []int{1, 5, 16, 17, 32} {
			for at := range seen {
				for _, bad := range []float32{nan, inf, -inf} {
					p := make([]float32, 3*Panel)
					top, sum := []float32{-inf, -inf, -inf}, make([]float32, 3)
					p[Panel+at] = bad
					s.SoftmaxBlock(p, Panel, 3, seen, top, sum)
					if sum[0] != float32(seen) || sum[2] != float32(seen) || top[0] != 0 || top[2] != 0 {
						t.Fatalf("%g at %d of %d: the rows beside it have sums %g and %g", bad, at, seen, sum[0], sum[2])
					}
					if isNaN := sum[1] != sum[1]; isNaN != (bad != -inf || seen == 1) {
						t.Fatalf("%g at %d of %d: sum %g", bad, at, seen, sum[1])
					}
					if bad == -inf && seen > 1 && sum[1] != float32(seen-1) {
						t.Fatalf("-Inf at %d of %d: sum %g", at, seen, sum[1])
					}
				}
			}
		}
	})
}

func TestSoftmaxBlockMisuse(t *testing.T) {
	eachLevel(t, func(t *testing.T, s *Set) {
		for name, f := range map[string]func(p, top, sum []float32){
			"nothing seen": func(p, top, sum []float32) { s.SoftmaxBlock(p, Panel, 2, 0, top, sum) },
			"too wide":     func(p, top, sum []float32) { s.SoftmaxBlock(p, Panel, 2, Panel+1, top, sum) },
			"short p":      func(p, top, sum []float32) { s.SoftmaxBlock(p[:len(p)-1], Panel, 2, 3, top, sum) },
			"short top":    func(p, top, sum []float32) { s.SoftmaxBlock(p, Panel, 2, 3, top[:1], sum) },
			"short sum":    func(p, top, sum []float32) { s.SoftmaxBlock(p, Panel, 2, 3, top, sum[:1]) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s: no panic", name)
					}
				}()
				f(make([]float32, 2*Panel), make([]float32, 2), make([]float32, 2))
			}()
		}
		s.SoftmaxBlock(nil, Panel, 0, 5, nil, nil)
	})
}
