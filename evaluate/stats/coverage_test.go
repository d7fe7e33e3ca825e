package stats

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// gamma draws from a gamma distribution (Marsaglia and Tsang 2000).
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	for {
		x := r.NormFloat64()
		v := math.Pow(1+x/math.Sqrt(9*d), 3)
		if v > 0 && math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// difficulty draws a problem's true score for a model whose accuracy is mean.
// The smaller concentration is, the more problems are nearly always or nearly
// never solved: 1.3 makes the densities at 0 and 1 infinite for every mean used
// here, 20 makes problems much alike.
func difficulty(r *rand.Rand, mean, concentration float64) float64 {
	a, b := gamma(r, mean*concentration), gamma(r, (1-mean)*concentration)
	return a / (a + b)
}

// answers draws samples of a problem.
func answers(r *rand.Rand, p float64, samples int) []float64 {
	out := make([]float64, samples)
	for i := range out {
		if r.Float64() < p {
			out[i] = 1
		}
	}
	return out
}

// coverage counts how often intervals hold the truth.
type coverage struct {
	runs, held, below int // below: the truth is below the interval
	width             float64
}

func (c *coverage) add(i Interval, truth float64) {
	c.runs++
	c.width += i.Hi - i.Lo
	switch {
	case truth < i.Lo:
		c.below++
	case truth <= i.Hi:
		c.held++
	}
}

func (c coverage) percent() float64 { return 100 * float64(c.held) / float64(c.runs) }

// evaluations is how many evaluations are simulated for each line of a table.
// Chance moves a coverage of 95 % by 0.7 points.
const evaluations = 1000

// design is a kind of evaluation that is simulated.
type design struct {
	problems, samples int
	lo, hi            float64 // models' accuracies are between these
	concentration     float64 // of difficulties
}

// simulate makes evaluations of models of different accuracy, on problems drawn
// anew each time, and counts how often three intervals hold the model's accuracy
// over all problems: the one that Accuracy gives, the percentile bootstrap's, and
// Wilson's with every sample taken for an independent trial.
func (d design) simulate() (used, bootstrap, naive coverage) {
	r := rand.New(rand.NewPCG(uint64(d.problems), uint64(d.samples)))
	for run := range evaluations {
		truth := d.lo + (d.hi-d.lo)*r.Float64()
		groups := make([][]float64, d.problems)
		for i := range groups {
			groups[i] = answers(r, difficulty(r, truth, d.concentration), d.samples)
		}
		e := Accuracy(groups, Options{})
		used.add(e.Interval, truth)
		if d.problems <= 40 { // it is slow with more, and no longer different
			bootstrap.add(Bootstrap(ProblemMeans(groups), Options{Seed: uint64(run), Resamples: 400}), truth)
		}
		naive.add(Wilson(e.Mean, d.problems*d.samples, 0.95), truth)
	}
	return used, bootstrap, naive
}

func (d design) log(t *testing.T, used, bootstrap, naive coverage) {
	share := func(n int) float64 { return 100 * float64(n) / float64(used.runs) }
	other := "     –"
	if bootstrap.runs > 0 {
		other = fmt.Sprintf("%.1f %%", bootstrap.percent())
	}
	t.Logf("%3d × %-2d  %2.0f to %2.0f %%  %4.1f   %.1f %% (%.1f, %.1f) ±%4.1f   %s   %.1f %%", d.problems, d.samples, 100*d.lo, 100*d.hi, d.concentration,
		used.percent(), share(used.below), share(used.runs-used.held-used.below), 50*used.width/float64(used.runs), other, naive.percent())
}

const coverageHeader = "design    accuracy    conc.  held   (below, above)  width  bootstrap  samples as trials"

// The 95 % intervals hold the truth in 93 to 97 % of evaluations. The two that
// are not used must be seen to fail, or this test could not fail.
func TestCoverageOfAccuracy(t *testing.T) {
	if underRace {
		t.Skip("a simulation, in one goroutine")
	}
	t.Log(coverageHeader)
	for _, d := range []design{
		{30, 1, 0.15, 0.85, 1.3}, {30, 10, 0.15, 0.85, 1.3}, {30, 64, 0.15, 0.85, 1.3},
		{40, 1, 0.15, 0.85, 1.3}, {40, 10, 0.15, 0.85, 1.3}, {40, 64, 0.15, 0.85, 1.3},
		{198, 1, 0.15, 0.85, 1.3}, {272, 3, 0.15, 0.85, 1.3}, {500, 1, 0.15, 0.85, 1.3}, {500, 3, 0.15, 0.85, 1.3},
		{30, 10, 0.15, 0.85, 20}, {40, 64, 0.15, 0.85, 20}, {500, 3, 0.8, 0.95, 1.3}, {500, 3, 0.02, 0.1, 1.3},
	} {
		used, bootstrap, naive := d.simulate()
		d.log(t, used, bootstrap, naive)
		if p := used.percent(); p < 93 || p > 97 {
			t.Errorf("%+v: intervals held the accuracy in %.1f %% of evaluations, want 93 to 97", d, p)
		}
		if p := naive.percent(); d.samples > 1 && d.concentration < 2 && p > 90 {
			t.Errorf("%+v: samples taken for trials held it in %.1f %%: the simulation does not tell a wrong interval from a right one", d, p)
		}
		if p := bootstrap.percent(); d.problems == 30 && d.samples > 1 && p >= used.percent() {
			t.Errorf("%+v: the percentile bootstrap held it in %.1f %%, no less than the interval used", d, p)
		}
	}
}

// Few problems that are nearly all too hard say little, and no interval of them
// is as good as it should be: a second AIME whose problems are all a little easier
// can't be guessed from a first of which one problem was ever solved. The package
// comment says so; this bounds how bad it is.
func TestCoverageOfHardBenchmarks(t *testing.T) {
	if underRace {
		t.Skip("a simulation, in one goroutine")
	}
	t.Log(coverageHeader)
	for _, d := range []design{{30, 1, 0.03, 0.1, 1.3}, {30, 10, 0.03, 0.1, 1.3}, {30, 64, 0.03, 0.1, 1.3}, {40, 10, 0.03, 0.1, 1.3}} {
		used, bootstrap, naive := d.simulate()
		d.log(t, used, bootstrap, naive)
		if p := used.percent(); p < 88 || p < bootstrap.percent() {
			t.Errorf("%+v: intervals held the accuracy in %.1f %%, the bootstrap's in %.1f %%: want at least 88, and no less than the bootstrap", d, p, bootstrap.percent())
		}
	}
}

// TestCoverageOfDifferences does the same for paired differences of two models,
// the second of which is better by a step of difficulty that varies with the
// problem, and for means over three benchmarks.
func TestCoverageOfDifferences(t *testing.T) {
	if underRace {
		t.Skip("a simulation, in one goroutine")
	}
	logistic := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	// problem draws a problem's true scores under both models.
	problem := func(r *rand.Rand, hard, gain float64) (a, b float64) {
		x := hard + 2.5*r.NormFloat64()
		return logistic(x), logistic(x + gain*(1+r.NormFloat64()))
	}
	// truth is the mean over many problems, at equal steps of the two normals.
	truth := func(hard, gain float64) (a, b float64) {
		const n = 400
		for i := range n {
			x := hard + 2.5*NormalQuantile((float64(i)+0.5)/n)
			for j := range n {
				y := x + gain*(1+NormalQuantile((float64(j)+0.5)/n))
				a += logistic(x) / n / n
				b += logistic(y) / n / n
			}
		}
		return a, b
	}
	check := func(t *testing.T, c coverage, what string) {
		t.Helper()
		t.Logf("%s: %.1f %%, width %.3f", what, c.percent(), c.width/float64(c.runs))
		if p := c.percent(); p < 93 || p > 97 {
			t.Errorf("%s: intervals held the truth in %.1f %% of evaluations, want 93 to 97", what, p)
		}
	}
	sizes := []struct {
		name              string
		problems, samples int
		hard, gain        float64
	}{
		{"30 × 1, no difference", 30, 1, -1, 0}, {"30 × 10, no difference", 30, 10, -1, 0}, {"30 × 10, better", 30, 10, -1, 0.7},
		{"40 × 64, better", 40, 64, 1, 0.7}, {"500 × 1, better", 500, 1, 2, 0.3}, {"500 × 3, no difference", 500, 3, 2, 0},
	}
	for i, c := range sizes {
		r := rand.New(rand.NewPCG(77, uint64(i)))
		a, b := truth(c.hard, c.gain)
		var paired coverage
		for range evaluations {
			x, y := make([]float64, c.problems), make([]float64, c.problems)
			for i := range x {
				p, q := problem(r, c.hard, c.gain)
				x[i], y[i] = Mean(answers(r, p, c.samples)), Mean(answers(r, q, c.samples))
			}
			d, err := Compare(x, y, Options{Resamples: 1})
			if err != nil {
				t.Fatal(err)
			}
			paired.add(d.Interval, b-a)
		}
		check(t, paired, "difference, "+c.name)
	}

	r := rand.New(rand.NewPCG(77, 100))
	var macro, gain coverage
	trueA, trueB := 0.0, 0.0
	parts := sizes[2:5]
	for _, c := range parts {
		a, b := truth(c.hard, 0.5)
		trueA, trueB = trueA+a/3, trueB+b/3
	}
	for range evaluations {
		var a, b Tasks
		for _, c := range parts {
			x, y := make([]float64, c.problems), make([]float64, c.problems)
			for i := range x {
				p, q := problem(r, c.hard, 0.5)
				x[i], y[i] = Mean(answers(r, p, 3)), Mean(answers(r, q, 3))
			}
			a, b = append(a, x), append(b, y)
		}
		macro.add(Macro(a, Options{}).Interval, trueA)
		d, err := CompareMacro(a, b, Options{Resamples: 1})
		if err != nil {
			t.Fatal(err)
		}
		gain.add(d.Interval, trueB-trueA)
	}
	check(t, macro, "mean over benchmarks of 30, 40 and 500 problems × 3")
	check(t, gain, "its difference")
}
