package stats

import "math"

// PassAtK is the unbiased estimate of the chance that at least one of k
// samples is right, from n samples of which c are: 1 - C(n-c, k) / C(n, k)
// (Chen et al. 2021, equation 1). NaN when k is below 1 or above n, where
// there is no unbiased estimate.
func PassAtK(n, c, k int) float64 {
	if k < 1 || k > n || c < 0 || c > n {
		return math.NaN()
	}
	if n-c < k {
		return 1
	}
	miss := 1.0
	for i := n - c + 1; i <= n; i++ {
		miss *= 1 - float64(k)/float64(i)
	}
	return 1 - miss
}
