package stats

import "math"

// Components splits the variance of scores into the variance between problems
// (of their true scores: how unequally difficult they are) and the mean variance
// within problems (of a single sample around its problem's true score). Both
// are unbiased but for this: a negative estimate between problems is given as
// 0. NaN unless there are two problems, and two samples of one.
//
// It is the analysis of variance with problems as the random effect: the
// variance of problem means is Between + Within / samples.
func Components(groups [][]float64) (between, within float64) {
	sum, noise, counted := 0.0, 0.0, 0
	for _, g := range groups {
		if len(g) > 1 {
			sum += Variance(g)
			counted++
		}
	}
	within = sum / float64(counted)
	for _, g := range groups {
		noise += within / float64(len(g)) / float64(len(groups))
	}
	between = Variance(ProblemMeans(groups)) - noise
	if between < 0 {
		between = 0
	}
	return between, within
}

// Design is an evaluation of two models that is to be planned, or was made.
type Design struct {
	Problems int // of each model; the same ones when paired
	Samples  int // of each problem and model
	// Between and Within are variance components of one model's scores, see
	// Components. For right and wrong answers Between + Within is p(1-p) with p
	// the accuracy; that all of it is within is the worst case of a paired
	// comparison, and makes none in an independent one of one sample a problem.
	Between, Within float64
	// Correlation of the true scores of a problem under the two models; only in a
	// paired comparison. 1 says that problems that are hard for one are as hard
	// for the other.
	Correlation float64
	Paired      bool    // both models answer the same problems
	Alpha       float64 // two-sided level; 0 means 0.05
	Power       float64 // chance to see the effect; 0 means 0.8
}

// SE is the standard error of the difference that the design has:
//
//	paired       √( (2·Between·(1-Correlation) + 2·Within/Samples) / Problems )
//	independent  √( (2·Between                 + 2·Within/Samples) / Problems )
func (d Design) SE() float64 {
	between := d.Between
	if d.Paired {
		between *= 1 - d.Correlation
	}
	return math.Sqrt(2 * (between + d.Within/float64(d.Samples)) / float64(d.Problems))
}

// MinimumEffect is the smallest true difference that the comparison will call
// significant with the wanted chance: (t₁₋α/₂ + t_power) · SE. It is the formula of
// Miller 2024 (Adding Error Bars to Evals, section 5), solved for the
// difference, with the two models' variances equal and Student's quantiles for the
// normal ones, as the tests here use. Infinite below two problems.
func MinimumEffect(d Design) float64 {
	df := float64(d.Problems - 1)
	if !d.Paired {
		df *= 2
	}
	return Detectable(d.SE(), df, d.Alpha, d.Power)
}

// Detectable is MinimumEffect of a comparison whose standard error is known, as
// that of one that was made: what it could have seen. df is the number of
// problems less 1. Alpha 0 means 0.05, power 0 means 0.8.
func Detectable(se, df, alpha, power float64) float64 {
	if alpha == 0 {
		alpha = 0.05
	}
	if power == 0 {
		power = 0.8
	}
	if df < 1 {
		return math.Inf(1)
	}
	return (StudentQuantile(1-alpha/2, df) + StudentQuantile(power, df)) * se
}
