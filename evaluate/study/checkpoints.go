package study

import (
	"math"
	"math/rand/v2"
	"slices"

	"openrs/evaluate/stats"
)

// Run is what the checkpoints of training runs show on one benchmark. Scores
// are shares, 0 to 1.
type Run struct {
	Benchmark         string
	Problems, Samples int // of each checkpoint's score
	Checkpoints       int
	Mean, Spread      float64 // over checkpoints: mean and sample deviation
	// Noise is the most that sampling can make a score of this mean vary from
	// one evaluation to the next: √(p(1-p) / (problems·samples)), as if every
	// problem were as difficult as every other. On the same problems it is less,
	// so a spread that it explains is no sign of a difference, and one that it
	// does not explain is.
	Noise float64
	// SpreadP is the chance of at least this spread if all checkpoints are
	// equal (chi-square test of equal shares; too large rather than too small,
	// as Noise is).
	SpreadP float64

	Best          Score   // the first of the highest
	ExpectedBest  float64 // of as many equal models, see stats.BestBinomial
	ChanceOfBest  float64 // that the best of as many equal models is at least as high
	Gain          float64 // of the best over the baseline; NaN without one
	MeanGain      float64 // of the mean over checkpoints, which was not chosen
	DetectableNew float64 // smallest gain that two such evaluations show with a chance of 80 %, on different problems
	Detectable    float64 // the same on the same problems, with the spread between checkpoints as their noise

	Slope       float64 // change of the score in 100 steps of training, within runs
	Early, Late float64 // mean of the first and of the last half of the checkpoints of each run
	SlopeP      float64 // two-sided, by permuting the scores within each run

	// Corrected for the number of benchmarks (Holm). A trend is only looked for
	// where the spread is more than noise, which corrects for the others; where
	// it is not, TrendHolm is NaN.
	SpreadHolm, BestHolm, TrendHolm float64

	Verdict Verdict
}

// Verdict is what follows from the figures at a level of 5 %.
type Verdict string

// The verdicts.
const (
	NoEffect    Verdict = "no detectable effect"
	Gain        Verdict = "gain"
	Degradation Verdict = "degradation"
	Differs     Verdict = "checkpoints differ, without a trend"
)

// permutations of the trend's test.
const permutations = 20_000

// checkpoints analyses the scores of checkpoints on one benchmark. baseline is
// the score that gains are from, or nil.
func checkpoints(scores []Score, baseline *Score, seed uint64) Run {
	first := scores[0]
	r := Run{Benchmark: first.Benchmark, Problems: first.Problems, Samples: first.Samples, Checkpoints: len(scores), Best: first, Gain: math.NaN(), MeanGain: math.NaN()}
	var values []float64
	for _, s := range scores {
		values = append(values, s.Score)
		if s.Score > r.Best.Score {
			r.Best = s
		}
	}
	n := r.Problems * r.Samples
	r.Mean, r.Spread = stats.Mean(values), math.Sqrt(stats.Variance(values))
	r.Noise = math.Sqrt(r.Mean * (1 - r.Mean) / float64(n))
	df := float64(len(values) - 1)
	switch {
	case r.Noise > 0:
		r.SpreadP = stats.ChiSquareTail(df*r.Spread*r.Spread/(r.Noise*r.Noise), df)
	default:
		r.SpreadP = 1 // all right, or all wrong
	}
	// A published score is rounded: what was reached is a number of answers.
	reached := math.Round(r.Best.Score*float64(n)) / float64(n)
	r.ExpectedBest, r.ChanceOfBest = stats.BestBinomial(len(values), n, r.Mean, reached)
	if baseline != nil {
		r.Gain, r.MeanGain = r.Best.Score-baseline.Score, r.Mean-baseline.Score
	}
	// All variance as variance within problems is the same as none shared.
	r.DetectableNew = stats.MinimumEffect(stats.Design{Problems: r.Problems, Samples: 1, Within: r.Noise * r.Noise * float64(r.Problems)})
	same := min(r.Spread, r.Noise)
	r.Detectable = stats.MinimumEffect(stats.Design{Problems: r.Problems, Samples: 1, Within: same * same * float64(r.Problems), Paired: true})
	r.trend(scores, seed)
	return r
}

// trend fills the change with training: the slope of a straight line through
// the scores of each run, with a height of its own for each run. If training
// changes nothing, the scores of a run could have come in any order, which is
// what the p-value counts (Pitman 1937).
func (r *Run) trend(scores []Score, seed uint64) {
	var runs [][]Score
	for _, s := range scores {
		i := slices.IndexFunc(runs, func(run []Score) bool { return run[0].Model == s.Model })
		if i < 0 {
			runs = append(runs, nil)
			i = len(runs) - 1
		}
		runs[i] = append(runs[i], s)
	}
	var early, late []float64
	lever, moment := 0.0, 0.0 // Σ(step-mean)², Σ(step-mean)·score
	var levers, values [][]float64
	for _, run := range runs {
		slices.SortStableFunc(run, func(a, b Score) int { return a.Step - b.Step })
		mean := 0.0
		for _, s := range run {
			mean += float64(s.Step) / float64(len(run))
		}
		var l, v []float64
		for i, s := range run {
			d := float64(s.Step) - mean
			l, v = append(l, d), append(v, s.Score)
			lever += d * d
			moment += d * s.Score
			switch {
			case 2*i+1 < len(run):
				early = append(early, s.Score)
			case 2*i+1 > len(run):
				late = append(late, s.Score)
			}
		}
		levers, values = append(levers, l), append(values, v)
	}
	r.Early, r.Late = stats.Mean(early), stats.Mean(late)
	r.Slope, r.SlopeP = math.NaN(), 1
	if lever == 0 {
		return
	}
	r.Slope = 100 * moment / lever
	draws := rand.New(rand.NewPCG(seed, 0x7472656e64202020)) // "trend"
	extreme := 0
	for range permutations {
		m := 0.0
		for i, v := range values {
			draws.Shuffle(len(v), func(a, b int) { v[a], v[b] = v[b], v[a] })
			for j, d := range levers[i] {
				m += d * v[j]
			}
		}
		if math.Abs(m) >= math.Abs(moment)*(1-1e-12) {
			extreme++
		}
	}
	r.SlopeP = float64(extreme+1) / float64(permutations+1)
}

// judge fills the corrected p-values of all benchmarks and the verdicts.
func judge(runs []Run) {
	const level = 0.05
	adjust := func(get func(r *Run) float64, set func(r *Run, p float64)) {
		p := make([]float64, len(runs))
		for i := range runs {
			p[i] = get(&runs[i])
		}
		for i, v := range stats.Holm(p) {
			set(&runs[i], v)
		}
	}
	adjust(func(r *Run) float64 { return r.SpreadP }, func(r *Run, p float64) { r.SpreadHolm = p })
	adjust(func(r *Run) float64 { return r.ChanceOfBest }, func(r *Run, p float64) { r.BestHolm = p })
	adjust(func(r *Run) float64 {
		if r.SpreadHolm < level {
			return r.SlopeP
		}
		return math.NaN()
	}, func(r *Run, p float64) { r.TrendHolm = p })
	for i := range runs {
		r := &runs[i]
		switch {
		case r.TrendHolm < level && r.Slope < 0:
			r.Verdict = Degradation
		case r.TrendHolm < level, r.BestHolm < level:
			r.Verdict = Gain
		case r.SpreadHolm < level:
			r.Verdict = Differs
		default:
			r.Verdict = NoEffect
		}
	}
}
