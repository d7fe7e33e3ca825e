package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestComponentsByHand(t *testing.T) {
	// Variances within: 0.5, 0.5, 0 (mean 1/3). Means 0.5, 0.5, 1 have variance
	// 1/12, of which (1/3)/2 = 1/6 is noise: nothing is left between.
	between, within := Components([][]float64{{1, 0}, {0, 1}, {1, 1}})
	near(t, "within", within, 1./3, 1e-15)
	near(t, "between", between, 0, 0)
	// Means 1, 0: variance 0.5, no noise.
	between, within = Components([][]float64{{1, 1, 1}, {0, 0, 0}})
	near(t, "within", within, 0, 0)
	near(t, "between", between, 0.5, 1e-15)
	between, within = Components([][]float64{{1}, {0}, {1}})
	if !math.IsNaN(between) || !math.IsNaN(within) {
		t.Errorf("one sample a problem: got %v and %v, want NaN: the two can't be told apart", between, within)
	}
}

// pair draws the scores of two models on the same problems: true scores with
// the variance between and the correlation of d, samples around them with the
// variance within.
func (d Design) pair(r *rand.Rand, effect float64) (a, b [][]float64) {
	for range d.Problems {
		common, own := math.Sqrt(d.Correlation), math.Sqrt(1-d.Correlation)
		shared := r.NormFloat64()
		sd := math.Sqrt(d.Between)
		x := sd * (common*shared + own*r.NormFloat64())
		y := effect + sd*(common*shared+own*r.NormFloat64())
		var p, q []float64
		for range d.Samples {
			p = append(p, x+math.Sqrt(d.Within)*r.NormFloat64())
			q = append(q, y+math.Sqrt(d.Within)*r.NormFloat64())
		}
		a, b = append(a, p), append(b, q)
	}
	return a, b
}

func TestComponentsAreUnbiased(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	d := Design{Problems: 60, Samples: 4, Between: 0.12, Within: 0.1}
	var between, within []float64
	for range 1000 {
		groups, _ := d.pair(r, 0)
		b, w := Components(groups)
		between, within = append(between, b), append(within, w)
	}
	near(t, "between", Mean(between), d.Between, 4*StandardError(between))
	near(t, "within", Mean(within), d.Within, 4*StandardError(within))
}

// An effect of the size of MinimumEffect must be found as often as was asked
// for, and no effect 5 times in 100.
func TestMinimumEffectIsFoundAsOftenAsPromised(t *testing.T) {
	if underRace {
		t.Skip("a simulation, in one goroutine")
	}
	r := rand.New(rand.NewPCG(33, 34))
	for _, d := range []Design{
		{Problems: 30, Samples: 1, Between: 0.1, Within: 0.11, Correlation: 0.8, Paired: true},
		{Problems: 30, Samples: 10, Between: 0.1, Within: 0.11, Correlation: 0.8, Paired: true},
		{Problems: 200, Samples: 3, Between: 0.1, Within: 0.11, Correlation: 0.5, Paired: true, Power: 0.9},
		{Problems: 30, Samples: 10, Between: 0.1, Within: 0.11},
	} {
		for _, c := range []struct{ effect, want float64 }{{MinimumEffect(d), max(d.Power, 0.8)}, {0, 0.05}} {
			const runs = 2000
			var se []float64
			found := 0
			for range runs {
				a, b := d.pair(r, c.effect)
				if !d.Paired { // other problems for the second model
					_, b = d.pair(r, c.effect)
				}
				x, y := ProblemMeans(a), ProblemMeans(b)
				var diff Difference
				if d.Paired {
					diff, _ = Compare(x, y, Options{Resamples: 1})
				} else {
					diff = Welch(
						Summary{Mean: Mean(x), SD: math.Sqrt(Variance(x)), N: len(x)},
						Summary{Mean: Mean(y), SD: math.Sqrt(Variance(y)), N: len(y)}, Options{})
				}
				se = append(se, diff.SE*diff.SE)
				if diff.Interval.Lo > 0 || diff.Interval.Hi < 0 {
					found++
				}
			}
			near(t, "standard error, squared", Mean(se), d.SE()*d.SE(), 5*StandardError(se))
			share := float64(found) / runs
			near(t, "share of evaluations that find it", share, c.want, 4*math.Sqrt(c.want*(1-c.want)/runs))
			t.Logf("%+v: an effect of %.3f was found in %.1f %%", d, c.effect, 100*share)
		}
	}
}

func TestMinimumEffectByHand(t *testing.T) {
	// 30 problems at 30 %, once: √(2·0.21/30) = 0.1183; t(0.975, 58) = 2.00172,
	// t(0.8, 58) = 0.84774.
	d := Design{Problems: 30, Samples: 1, Within: 0.21}
	near(t, "standard error", d.SE(), 0.118322, 1e-6)
	near(t, "effect", MinimumEffect(d), (2.00172+0.84774)*0.118322, 2e-5)
	if got := MinimumEffect(Design{Problems: 1, Samples: 8, Within: 0.2, Paired: true}); !math.IsInf(got, 1) {
		t.Errorf("one problem: got %v, want no effect to be visible", got)
	}
	// With many problems Student's quantiles are the normal ones: 1.95996 + 0.84162.
	near(t, "many problems", Detectable(1, 1e7, 0, 0), 2.80158, 1e-4)
}
