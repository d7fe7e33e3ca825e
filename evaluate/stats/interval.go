package stats

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Interval is a two-sided confidence interval.
type Interval struct{ Lo, Hi float64 }

// nowhere is the interval of a figure whose uncertainty can't be told.
func nowhere() Interval { return Interval{math.NaN(), math.NaN()} }

// shareInterval is the interval of a share (a mean of values between 0 and 1)
// with this standard error, which is known with df degrees of freedom, from
// at most `samples` single values of 0 or 1.
//
// It is Wilson's score interval with two changes: the number of trials is the
// effective one, the number of independent trials whose share would have this
// standard error, and the quantile is Student's. One sample a problem gives
// Wilson's interval of n trials with t for z; n problems that are each always
// right or always wrong give the same however often they were sampled; many
// samples of equally difficult problems come near to the number of samples,
// which bounds it: samples that happened to differ less than chance tells are
// no better than independent ones. See the package comment for why this one.
func shareInterval(mean, se, df, samples, level float64) Interval {
	trials := samples
	if df > 0 && se > 0 {
		// The standard error has n-1 in its denominator, a share's has n.
		trials = min(samples, mean*(1-mean)/(se*se)*(df+1)/df)
	}
	z := NormalQuantile((1 + level) / 2)
	switch {
	case mean <= 0 || mean >= 1:
		// Every problem alike: no spread was measured, only that so many problems
		// were, and Student's quantile is for a spread that was.
		trials = df + 1
	case df > 0:
		z = StudentQuantile((1+level)/2, df)
	}
	return score(mean, trials, z)
}

// score is Wilson's score interval (Wilson 1927) for a share of m trials, which
// need not be a whole number.
func score(p, m, z float64) Interval {
	if math.IsInf(m, 1) {
		return Interval{p, p}
	}
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{max(0, centre-half), min(1, centre+half)}
}

// Wilson is the score interval of a proportion p of n trials (Wilson 1927).
func Wilson(p float64, n int, level float64) Interval {
	if n == 0 {
		return nowhere()
	}
	return score(p, float64(n), NormalQuantile((1+level)/2))
}

// studentInterval is mean ± t·se with df degrees of freedom.
func studentInterval(mean, se, df, level float64) Interval {
	half := StudentQuantile((1+level)/2, df) * se
	return Interval{mean - half, mean + half}
}

// Bootstrap is the percentile bootstrap interval of the mean of values: the
// values are drawn again with replacement, as many as there are, and the
// interval is between the quantiles of the means so found (Efron 1979). NaN
// below two values.
//
// With 30 or 40 values it is too narrow (it holds the truth about 92 times in
// 100 instead of 95), so nothing else here uses it; it is for other statistics
// of many values.
func Bootstrap(values []float64, opt Options) Interval {
	n := len(values)
	if n < 2 {
		return nowhere()
	}
	draws := rand.NewPCG(opt.Seed, 0x626f6f7473747261) // "bootstra"
	means := make([]float64, opt.resamples())
	for i := range means {
		sum, k := 0.0, n
		// Each 64-bit draw gives two positions, by the high word of 32 bits
		// times n (uniform to n / 2^32).
		for ; k >= 2; k -= 2 {
			u := draws.Uint64()
			sum += values[(u&math.MaxUint32)*uint64(n)>>32] + values[(u>>32)*uint64(n)>>32]
		}
		if k == 1 {
			hi, _ := bits.Mul64(draws.Uint64(), uint64(n))
			sum += values[hi]
		}
		means[i] = sum / float64(n)
	}
	slices.Sort(means)
	tail := (1 - opt.level()) / 2
	return Interval{Quantile(means, tail), Quantile(means, 1-tail)}
}

// Quantile is the q-quantile of sorted values, by linear interpolation
// between the two nearest (type 7 of Hyndman and Fan 1996). NaN of nothing.
func Quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return math.NaN()
	}
	at := q * float64(len(sorted)-1)
	i := min(max(int(at), 0), len(sorted)-1)
	if i == len(sorted)-1 {
		return sorted[i]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
