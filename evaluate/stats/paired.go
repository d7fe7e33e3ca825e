package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Difference is what separates two models on the same problems.
type Difference struct {
	Mean     float64  // mean over problems of (b - a)
	SE       float64  // its standard error, clustered by problem
	Interval Interval // Student's interval over problems
	P        float64  // two-sided p-value of the sign-flip permutation test
	Exact    bool     // P is from all sign patterns, not from a random sample of them
	Problems int
}

// Compare compares two models by their problem means, a[i] and b[i] being
// those of the same problem. Pairing removes what the two have in common, the
// difficulty of each problem, and so sees much smaller differences than two
// separate intervals would.
func Compare(a, b []float64, opt Options) (Difference, error) {
	if len(a) != len(b) {
		return Difference{}, fmt.Errorf("paired comparison: %d problems against %d: want the same problems", len(a), len(b))
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = b[i] - a[i]
	}
	p, exact := SignFlip(d, opt)
	e := MeanOf(d, opt)
	return Difference{Mean: e.Mean, SE: e.SE, Interval: e.Interval, P: p, Exact: exact, Problems: len(d)}, nil
}

// exactUpTo is the number of non-zero differences up to which all sign
// patterns are tried (2^14 of them: about as many as are drawn otherwise).
const exactUpTo = 14

// SignFlip is the two-sided p-value of the hypothesis that the differences
// have a distribution symmetric around 0: the share of sign patterns whose
// absolute sum is at least the one seen. All patterns are tried where there
// are few (exact); otherwise opt.Resamples random ones, and the pattern seen is
// counted among them, which keeps the test valid (Phipson and Smyth 2010) and
// the p-value at 1/(Resamples+1) or above. Without differences it is 1, with no
// values NaN.
func SignFlip(differences []float64, opt Options) (p float64, exact bool) {
	if len(differences) == 0 {
		return math.NaN(), true
	}
	var d []float64 // zeros stay zero under any sign
	sum, scale := 0.0, 0.0
	for _, v := range differences {
		if v != 0 {
			d = append(d, v)
			sum += v
			scale += math.Abs(v)
		}
	}
	// Sums of the same numbers in another sign pattern may differ in the last
	// bits; a tie must count as one.
	seen := math.Abs(sum) - 1e-12*scale

	if len(d) <= exactUpTo {
		patterns, extreme := 1<<len(d), 0
		for s := range patterns {
			if math.Abs(flipped(d, uint64(s))) >= seen {
				extreme++
			}
		}
		return float64(extreme) / float64(patterns), true
	}

	draws := rand.NewPCG(opt.Seed, 0x7369676e666c6970) // "signflip"
	n, extreme := opt.resamples(), 0
	for range n {
		total := 0.0
		for rest := d; len(rest) > 0; {
			k := min(64, len(rest))
			total += flipped(rest[:k], draws.Uint64())
			rest = rest[k:]
		}
		if math.Abs(total) >= seen {
			extreme++
		}
	}
	return float64(extreme+1) / float64(n+1), false
}

// flipped sums up to 64 values, those whose bit is set with the other sign.
func flipped(d []float64, signs uint64) float64 {
	total := 0.0
	for _, v := range d {
		// The sign is the top bit of a float64: no branch on a random bit.
		total += math.Float64frombits(math.Float64bits(v) ^ signs<<63)
		signs >>= 1
	}
	return total
}
