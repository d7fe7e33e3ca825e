package stats

import "math"

// Summary is a mean as published: over N independent repetitions (seeds) with
// this sample deviation.
type Summary struct {
	Mean, SD float64
	N        int
}

// Welch compares two means of independent repetitions (Welch 1947): the
// difference b - a with its interval and two-sided p-value, when nothing but means,
// deviations and numbers is known. What varies between repetitions is all that
// it knows of; when they all used the same problems, the choice of these is not in
// it. NaN when either has fewer than two repetitions.
func Welch(a, b Summary, opt Options) Difference {
	va, vb := a.SD*a.SD/float64(a.N), b.SD*b.SD/float64(b.N)
	d := Difference{Mean: b.Mean - a.Mean, SE: math.NaN(), Interval: nowhere(), P: math.NaN()}
	if a.N < 2 || b.N < 2 || math.IsNaN(va+vb) {
		return d
	}
	d.SE = math.Sqrt(va + vb)
	df := (va + vb) * (va + vb) / (va*va/float64(a.N-1) + vb*vb/float64(b.N-1))
	if d.SE == 0 {
		df = float64(a.N + b.N - 2)
	}
	d.Interval = studentInterval(d.Mean, d.SE, df, opt.level())
	switch {
	case d.SE > 0:
		d.P = min(1, 2*StudentTail(math.Abs(d.Mean)/d.SE, df))
	case d.Mean == 0:
		d.P = 1
	default:
		d.P = 0
	}
	return d
}
