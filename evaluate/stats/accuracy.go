package stats

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// DefaultResamples is the number of bootstrap resamples and of random
// permutations when Options leaves it 0.
const DefaultResamples = 10_000

// Options of the figures that need random numbers.
type Options struct {
	Seed      uint64
	Resamples int     // 0 means DefaultResamples
	Level     float64 // coverage of intervals; 0 means 0.95
}

func (o Options) resamples() int {
	if o.Resamples <= 0 {
		return DefaultResamples
	}
	return o.Resamples
}

func (o Options) level() float64 {
	if o.Level <= 0 || o.Level >= 1 {
		return 0.95
	}
	return o.Level
}

// Interval is a two-sided confidence interval.
type Interval struct{ Lo, Hi float64 }

// Estimate is a mean over problems with its uncertainty. With no problems all
// of it is NaN; with one, the standard error and the interval are.
type Estimate struct {
	Mean     float64
	SE       float64  // standard error, clustered by problem
	Interval Interval // bootstrap percentile interval over problems, or Wilson's at 0 and 1
	Problems int
	Samples  int
}

// ProblemMeans returns the mean over each problem's samples. A problem
// without samples has no mean and must not be in groups.
func ProblemMeans(groups [][]float64) []float64 {
	means := make([]float64, len(groups))
	for i, g := range groups {
		means[i] = Mean(g)
	}
	return means
}

// Mean is the arithmetic mean, NaN of nothing.
func Mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// StandardError is the standard error of the mean of values: their sample
// deviation (n - 1 in the denominator) over the square root of n. With one
// value a problem it is the standard error clustered by problem. NaN below two
// values.
func StandardError(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return math.NaN()
	}
	mean, sum := Mean(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / (n - 1) / n)
}

// Accuracy estimates the mean over problems of the mean over samples, from
// each problem's samples (1 right, 0 wrong, or anything between).
//
// The interval is the bootstrap percentile interval, except where every sample
// is right or every sample is wrong: resampling can't see any uncertainty
// there and would claim certainty, so Wilson's score interval with the number
// of problems is given instead.
func Accuracy(groups [][]float64, opt Options) Estimate {
	means := ProblemMeans(groups)
	e := Estimate{Mean: Mean(means), SE: StandardError(means), Problems: len(groups)}
	for _, g := range groups {
		e.Samples += len(g)
	}
	switch {
	case len(means) > 0 && (e.Mean == 0 || e.Mean == 1):
		e.Interval = Wilson(e.Mean, len(means), opt.level())
	default:
		e.Interval = Bootstrap(means, opt)
	}
	return e
}

// Bootstrap is the percentile bootstrap interval of the mean of values: the
// values are drawn again with replacement, as many as there are, and the
// interval is between the quantiles of the means so found (Efron 1979). NaN
// below two values.
func Bootstrap(values []float64, opt Options) Interval {
	n := len(values)
	if n < 2 {
		return Interval{math.NaN(), math.NaN()}
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

// Wilson is the score interval of a proportion p of n trials (Wilson 1927).
func Wilson(p float64, n int, level float64) Interval {
	if n == 0 {
		return Interval{math.NaN(), math.NaN()}
	}
	z, m := math.Sqrt2*math.Erfinv(level), float64(n)
	centre := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{max(0, centre-half), min(1, centre+half)}
}
