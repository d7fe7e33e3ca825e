package stats

import "math"

// ExpectedMax is the expected largest of k independent standard normal
// variables: how far, in standard errors, the best of k equally good models is
// above the truth by luck alone. It is 0 for one, 1.03 for five, 1.89 for 21. For
// errors that correlate by ρ among each other, as those of checkpoints on the
// same problems do, it is √(1-ρ) times that.
func ExpectedMax(k int) float64 {
	if k < 1 {
		return math.NaN()
	}
	// ∫ x dΦ(x)^k by the trapezoidal rule, which converges exponentially here.
	const h = 1.0 / 64
	sum := 0.0
	for i := -64 * 12; i <= 64*12; i++ {
		x := float64(i) * h
		sum += x * float64(k) * math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) * math.Pow(normalCDF(x), float64(k-1))
	}
	return sum * h
}

// BestBinomial is what the best of k models scores that all answer each of n
// problems right with probability p, once: the expected share, and the chance that
// it is at least `reached`. Equal problems are the worst case, that with the
// most noise.
func BestBinomial(k, n int, p, reached float64) (expected, chance float64) {
	// All models reach what is far below the mean, and none what is far above.
	mean, far := float64(n)*p, 12*math.Sqrt(float64(n)*p*(1-p))+12
	from, to := max(0, int(mean-far)), min(n, int(mean+far))
	expected = float64(from)
	for right := from + 1; right <= to; right++ {
		expected += 1 - math.Pow(1-BinomialTail(right, n, p), float64(k))
	}
	at := int(math.Ceil(reached*float64(n) - 1e-9))
	return expected / float64(n), 1 - math.Pow(1-BinomialTail(at, n, p), float64(k))
}
