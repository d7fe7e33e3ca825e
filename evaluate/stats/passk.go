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

// Vote is one sample's answer for Majority. A sample without an answer has an
// empty one and does not vote.
type Vote struct {
	Answer string
	Right  bool
}

// Majority is the chance that the most frequent answer of a problem's samples
// is right, a tie being broken at random: maj@n (self-consistency) of these n
// samples. Answers are the same when their texts are; a text whose samples
// were judged differently counts by its share of right ones. Without any
// answer it is 0.
func Majority(votes []Vote) float64 {
	type count struct{ all, right int }
	counts := make(map[string]count)
	most := 0
	for _, v := range votes {
		if v.Answer == "" {
			continue
		}
		c := counts[v.Answer]
		c.all++
		if v.Right {
			c.right++
		}
		counts[v.Answer] = c
		most = max(most, c.all)
	}
	tied, right := 0, 0
	for _, c := range counts {
		if c.all == most {
			tied++
			right += c.right
		}
	}
	if tied == 0 {
		return 0
	}
	return float64(right) / float64(most) / float64(tied)
}
