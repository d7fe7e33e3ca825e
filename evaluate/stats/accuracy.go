package stats

import "math"

// DefaultResamples is the number of bootstrap resamples and of random
// permutations when Options leaves it 0.
const DefaultResamples = 10_000

// Options of the figures that need random numbers or have an interval.
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

// Estimate is a mean over problems with its uncertainty. With no problems all
// of it is NaN; with one, the standard error and the interval are, except that
// the interval of a single problem always right or always wrong is Wilson's.
type Estimate struct {
	Mean     float64
	SE       float64  // standard error, clustered by problem
	Interval Interval // see the package comment
	Problems int
	Samples  int
}

// Accuracy estimates the mean over problems of the mean over samples, from
// each problem's samples (1 right, 0 wrong, or anything between). With all
// samples of a problem it is avg@k; with an indicator of being cut off, say, it
// is the share of those.
func Accuracy(groups [][]float64, opt Options) Estimate {
	samples := 0
	for _, g := range groups {
		samples += len(g)
	}
	return share(ProblemMeans(groups), samples, float64(samples), opt)
}

// Share estimates the mean over problems of a figure between 0 and 1 that has
// one value for each problem, such as its pass@k.
func Share(values []float64, opt Options) Estimate {
	return share(values, len(values), math.Inf(1), opt)
}

// share is the estimate of the mean of values between 0 and 1; bound bounds
// the effective number of trials.
func share(values []float64, samples int, bound float64, opt Options) Estimate {
	e := Estimate{Mean: Mean(values), SE: StandardError(values), Problems: len(values), Samples: samples, Interval: nowhere()}
	if n := len(values); n > 1 || n == 1 && (e.Mean == 0 || e.Mean == 1) {
		e.Interval = shareInterval(e.Mean, e.SE, float64(n-1), bound, opt.level())
	}
	return e
}

// MeanOf estimates the mean of values of any size, one for each problem (mean
// lengths, say), with Student's interval.
func MeanOf(values []float64, opt Options) Estimate {
	e := Estimate{Mean: Mean(values), SE: StandardError(values), Problems: len(values), Samples: len(values)}
	e.Interval = studentInterval(e.Mean, e.SE, float64(len(values)-1), opt.level())
	return e
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

// Variance is the sample variance (n - 1 in the denominator), NaN below two
// values.
func Variance(values []float64) float64 {
	n := float64(len(values))
	if n < 2 {
		return math.NaN()
	}
	mean, sum := Mean(values), 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return sum / (n - 1)
}

// StandardError is the standard error of the mean of values: their sample
// deviation over the square root of their number. With one value a problem it
// is the standard error clustered by problem. NaN below two values.
func StandardError(values []float64) float64 {
	return math.Sqrt(Variance(values) / float64(len(values)))
}
