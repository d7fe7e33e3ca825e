package stats

import "math"

// NormalQuantile is the value that a standard normal variable stays below with
// probability q.
func NormalQuantile(q float64) float64 { return math.Sqrt2 * math.Erfinv(2*q-1) }

// normalCDF is the probability that a standard normal variable is below x.
func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// StudentTail is the probability that a Student variable with df degrees of
// freedom is above t.
func StudentTail(t, df float64) float64 {
	if math.IsNaN(t) || math.IsNaN(df) || df <= 0 {
		return math.NaN()
	}
	if math.IsInf(df, 1) {
		return normalCDF(-t)
	}
	tail := incompleteBeta(df/2, 0.5, df/(df+t*t)) / 2
	if t < 0 {
		return 1 - tail
	}
	return tail
}

// StudentQuantile is the value that a Student variable with df degrees of
// freedom, which need not be a whole number, stays below with probability q.
func StudentQuantile(q, df float64) float64 {
	switch {
	case math.IsNaN(q) || math.IsNaN(df) || df <= 0 || q <= 0 || q >= 1:
		return math.NaN()
	case q < 0.5:
		return -StudentQuantile(1-q, df)
	case q == 0.5:
		return 0
	case math.IsInf(df, 1):
		return NormalQuantile(q)
	}
	hi := 1.0
	for StudentTail(hi, df) > 1-q {
		hi *= 2
		if math.IsInf(hi, 1) {
			return hi
		}
	}
	lo := 0.0
	for range 200 {
		mid := (lo + hi) / 2
		if mid <= lo || mid >= hi {
			break
		}
		if StudentTail(mid, df) > 1-q {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

// ChiSquareTail is the probability that a chi-square variable with df degrees
// of freedom is above x.
func ChiSquareTail(x, df float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsNaN(df) || df <= 0:
		return math.NaN()
	case x <= 0:
		return 1
	case math.IsInf(x, 1):
		return 0
	}
	a, h := df/2, x/2
	lg, _ := math.Lgamma(a)
	scale := math.Exp(a*math.Log(h) - h - lg)
	if h < a+1 {
		// Series of the lower part (DLMF 8.7.1).
		sum, term := 1/a, 1/a
		for k := a + 1; term > sum*1e-17; k++ {
			term *= h / k
			sum += term
		}
		return 1 - scale*sum
	}
	// Continued fraction of the upper part (DLMF 8.9.2), by Lentz's method.
	const tiny = 1e-300
	b := h + 1 - a
	c, d := 1/tiny, 1/b
	f := d
	for i := 1.0; i < 10_000; i++ {
		an := -i * (i - a)
		b += 2
		d = 1 / awayFromZero(an*d+b, tiny)
		c = awayFromZero(b+an/c, tiny)
		f *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return scale * f
}

// incompleteBeta is the regularized incomplete beta function (DLMF 8.17.22, by
// Lentz's method).
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2):
		return 1 - incompleteBeta(b, a, 1-x)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	const tiny = 1e-300
	c := 1.0
	d := 1 / awayFromZero(1-(a+b)*x/(a+1), tiny)
	f := d
	for m := 1.0; m < 10_000; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		d = 1 / awayFromZero(1+even*d, tiny)
		c = awayFromZero(1+even/c, tiny)
		f *= d * c
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		d = 1 / awayFromZero(1+odd*d, tiny)
		c = awayFromZero(1+odd/c, tiny)
		f *= d * c
		if math.Abs(d*c-1) < 1e-16 {
			break
		}
	}
	return math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a * f
}

func awayFromZero(x, tiny float64) float64 {
	if math.Abs(x) < tiny {
		return tiny
	}
	return x
}

// BinomialTail is the probability of at least k successes in n trials of
// probability p each.
func BinomialTail(k, n int, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n:
		return 0
	}
	return incompleteBeta(float64(k), float64(n-k+1), p)
}
