package stats

import (
	"math"
	"testing"
)

// Values of tables (Abramowitz and Stegun 26.10, 26.8) and closed forms.
func TestDistributions(t *testing.T) {
	for _, c := range []struct{ q, df, want float64 }{
		{0.975, 1, 12.7062}, {0.975, 3, 3.18245}, {0.975, 10, 2.22814}, {0.975, 29, 2.04523},
		{0.975, 120, 1.97993}, {0.995, 5, 4.03214}, {0.8, 29, 0.854192}, {0.025, 29, -2.04523}, {0.5, 4, 0},
		{0.975, math.Inf(1), 1.959964},
		{0.9, 2, 1.885618}, // 2 degrees: t = (2q-1)·√(2/(4q(1-q)))
	} {
		near(t, "Student quantile", StudentQuantile(c.q, c.df), c.want, 1e-5)
		if c.df < 1000 {
			near(t, "and back", 1-StudentTail(StudentQuantile(c.q, c.df), c.df), c.q, 1e-12)
		}
	}
	for _, x := range []float64{-3, -0.5, 0, 0.1, 2, 40} { // Cauchy
		near(t, "Student tail, one degree", StudentTail(x, 1), 0.5-math.Atan(x)/math.Pi, 1e-13)
	}
	for _, c := range []struct{ x, df, want float64 }{
		{3.841459, 1, 0.05}, {31.4104, 20, 0.05}, {10.8508, 20, 0.95}, {45.3147, 20, 0.001}, {0, 4, 1},
	} {
		near(t, "chi-square tail", ChiSquareTail(c.x, c.df), c.want, 1e-6)
	}
	for _, x := range []float64{0.01, 1, 2.5, 9, 60} { // two degrees: exponential; four: (1+x/2)e^(-x/2)
		near(t, "chi-square, 2", ChiSquareTail(x, 2), math.Exp(-x/2), 1e-14)
		near(t, "chi-square, 4", ChiSquareTail(x, 4), (1+x/2)*math.Exp(-x/2), 1e-14)
	}
	for _, bad := range []float64{StudentQuantile(0, 3), StudentQuantile(0.5, 0), StudentTail(1, -1), ChiSquareTail(1, 0), StudentQuantile(math.NaN(), 1)} {
		near(t, "out of range", bad, math.NaN(), 0)
	}
}

func TestBinomialTail(t *testing.T) {
	for _, n := range []int{1, 5, 30, 500} {
		for _, p := range []float64{0.05, 0.3, 0.825} {
			sum := 0.0
			for k := n; k >= 0; k-- {
				sum += choose(n, k) * math.Pow(p, float64(k)) * math.Pow(1-p, float64(n-k))
				near(t, "binomial tail", BinomialTail(k, n, p), sum, 1e-11)
			}
		}
	}
	near(t, "more than all", BinomialTail(4, 3, 0.5), 0, 0)
}
