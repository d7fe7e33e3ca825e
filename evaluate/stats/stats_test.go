package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(want) != math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestAccuracyByHand(t *testing.T) {
	// Problem means 1, 0.5, 0 (an uneven number of samples): their mean is
	// 0.5, not the 4/7 of the pooled samples. Deviations 0.5, 0, -0.5: sample
	// variance 0.25, standard error sqrt(0.25/3).
	e := Accuracy([][]float64{{1, 1, 1}, {1, 0}, {0, 0}}, Options{Seed: 1})
	near(t, "mean", e.Mean, 0.5, 1e-15)
	near(t, "standard error", e.SE, math.Sqrt(0.25/3), 1e-15)
	if e.Problems != 3 || e.Samples != 7 {
		t.Errorf("got %d problems and %d samples, want 3 and 7", e.Problems, e.Samples)
	}
}

func TestAccuracyAtTheEdges(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name     string
		groups   [][]float64
		mean, se float64
		want     Interval
	}{
		{"no problems", nil, nan, nan, Interval{nan, nan}},
		{"one problem", [][]float64{{1, 0}}, 0.5, nan, Interval{nan, nan}},
		// Wilson's interval of at most as many trials as there are samples, with
		// t² for z²: t is 12.7062 with one degree of freedom.
		{"all the same but neither 0 nor 1", [][]float64{{1, 0}, {0, 1}}, 0.5, 0, Interval{0.5 - 0.5*12.7062/math.Sqrt(4+161.447), 0.5 + 0.5*12.7062/math.Sqrt(4+161.447)}},
		// Wilson's at 1 is [n/(n+z²), 1], at 0 [0, z²/(n+z²)]; z² = 3.841459.
		{"all right", [][]float64{{1}, {1}, {1}, {1}}, 1, 0, Interval{4 / 7.841459, 1}},
		{"all wrong", [][]float64{{0}, {0}, {0}, {0}}, 0, 0, Interval{0, 3.841459 / 7.841459}},
		{"all right, often", [][]float64{{1, 1, 1}, {1, 1, 1}, {1, 1}, {1}}, 1, 0, Interval{4 / 7.841459, 1}},
		{"one problem, right", [][]float64{{1}}, 1, nan, Interval{1 / 4.841459, 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := Accuracy(c.groups, Options{})
			near(t, "mean", e.Mean, c.mean, 1e-15)
			near(t, "standard error", e.SE, c.se, 1e-15)
			near(t, "low", e.Interval.Lo, c.want.Lo, 1e-6)
			near(t, "high", e.Interval.Hi, c.want.Hi, 1e-6)
		})
	}
}

func TestWilsonPublishedValue(t *testing.T) {
	// 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, table I, method 3).
	got := Wilson(81.0/263, 263, 0.95)
	near(t, "low", got.Lo, 0.2553, 5e-5)
	near(t, "high", got.Hi, 0.3662, 5e-5)
}

func TestBootstrapAgreesWithTheBinomial(t *testing.T) {
	// Resampling n zeros and ones gives a binomial number of ones. Its exact
	// quantiles for n = 40, p = 0.3 are those below.
	values := make([]float64, 40)
	for i := range 12 {
		values[i] = 1
	}
	cdf := func(k int) float64 {
		sum := 0.0
		for i := 0; i <= k; i++ {
			l, _ := math.Lgamma(41)
			a, _ := math.Lgamma(float64(i + 1))
			b, _ := math.Lgamma(float64(41 - i))
			sum += math.Exp(l - a - b + float64(i)*math.Log(0.3) + float64(40-i)*math.Log(0.7))
		}
		return sum
	}
	quantile := func(q float64) float64 {
		k := 0
		for cdf(k) < q {
			k++
		}
		return float64(k) / 40
	}
	for seed := range uint64(5) {
		got := Bootstrap(values, Options{Seed: seed, Resamples: 40_000})
		near(t, "low", got.Lo, quantile(0.025), 1e-12)
		near(t, "high", got.Hi, quantile(0.975), 1e-12)
	}
}

func TestBootstrapMatchesTheNormalIntervalOfManyValues(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	values := make([]float64, 2001) // odd: the last position is drawn alone
	for i := range values {
		values[i] = r.NormFloat64()
	}
	got := Bootstrap(values, Options{Seed: 9})
	half := 1.959964 * StandardError(values)
	near(t, "low", got.Lo, Mean(values)-half, 0.05*half)
	near(t, "high", got.Hi, Mean(values)+half, 0.05*half)
	if got != Bootstrap(values, Options{Seed: 9}) {
		t.Error("the same seed gave another interval")
	}
	if got == Bootstrap(values, Options{Seed: 10}) {
		t.Error("another seed gave the same interval")
	}
}

func TestQuantile(t *testing.T) {
	v := []float64{1, 2, 4, 8}
	for _, c := range []struct{ q, want float64 }{{0, 1}, {1, 8}, {0.5, 3}, {1. / 3, 2}, {0.25, 1.75}} {
		near(t, "quantile", Quantile(v, c.q), c.want, 1e-12)
	}
	near(t, "quantile of nothing", Quantile(nil, 0.5), math.NaN(), 0)
	near(t, "quantile of one", Quantile(v[:1], 0.9), 1, 0)
}

func TestCompareByHand(t *testing.T) {
	a := []float64{0, 0.5, 1, 0.25}
	b := []float64{1, 0.5, 1, 0.75}
	// Differences 1, 0, 0, 0.5: mean 0.375, variance (0.390625 + 2·0.140625 +
	// 0.015625)/3 = 0.229167. Sign patterns of the two non-zero ones: sums
	// 1.5, 0.5, -0.5, -1.5, so two of four are as extreme.
	d, err := Compare(a, b, Options{Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", d.Mean, 0.375, 1e-15)
	near(t, "standard error", d.SE, math.Sqrt(0.6875/3/4), 1e-12)
	near(t, "p", d.P, 0.5, 0)
	if !d.Exact || d.Problems != 4 {
		t.Errorf("got exact %v of %d problems, want true of 4", d.Exact, d.Problems)
	}
	if _, err := Compare(a, b[:3], Options{}); err == nil {
		t.Error("problems that don't match were compared")
	}
}

func TestSignFlipAtTheEdges(t *testing.T) {
	if p, _ := SignFlip(nil, Options{}); !math.IsNaN(p) {
		t.Errorf("nothing to compare: p is %v, want NaN", p)
	}
	if p, exact := SignFlip(make([]float64, 100), Options{}); p != 1 || !exact {
		t.Errorf("no differences: p is %v (exact %v), want 1", p, exact)
	}
	many := make([]float64, 300)
	for i := range many {
		many[i] = 0.1
	}
	if p, exact := SignFlip(many, Options{}); exact || p != 1.0/(DefaultResamples+1) {
		t.Errorf("all better: p is %v, want the smallest, 1/%d", p, DefaultResamples+1)
	}
}

// Random patterns must agree with all patterns: the binomial tail for equal
// differences, and brute force for unequal ones.
func TestSignFlipAgreesWithAllPatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 5 {
		d := make([]float64, 17)
		for i := range d {
			d[i] = float64(r.IntN(9)-3) / 4
		}
		sum := 0.0
		for _, v := range d {
			sum += v
		}
		extreme := 0
		for s := range 1 << len(d) {
			total := 0.0
			for i, v := range d {
				if s>>i&1 == 1 {
					v = -v
				}
				total += v
			}
			if math.Abs(total) >= math.Abs(sum) { // quarters: exact
				extreme++
			}
		}
		want := float64(extreme) / float64(int(1)<<len(d))
		got, _ := SignFlip(d, Options{Seed: 3, Resamples: 40_000})
		near(t, "p", got, want, 0.012)
	}

	// More than 64 differences use more than one draw a pattern: 100 of them,
	// 60 better and 40 worse, two-sided binomial tail 0.0569.
	d := make([]float64, 100)
	for i := range d {
		d[i] = 1
		if i >= 60 {
			d[i] = -1
		}
	}
	p, _ := SignFlip(d, Options{Seed: 1, Resamples: 40_000})
	near(t, "p of 60 against 40", p, 0.05689, 0.006)
}

// The p-value must be uniform when there is no difference.
func TestSignFlipHoldsItsLevel(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	rejected := 0
	for range 400 {
		d := make([]float64, 60)
		for i := range d {
			d[i] = float64(r.IntN(5)-2) / 4
		}
		if p, _ := SignFlip(d, Options{Resamples: 999}); p <= 0.05 {
			rejected++
		}
	}
	if rejected < 6 || rejected > 38 { // 20 expected, standard deviation 4.4
		t.Errorf("%d of 400 comparisons without a difference had p ≤ 0.05, want about 20", rejected)
	}
}

func BenchmarkBootstrap512(b *testing.B) {
	values := make([]float64, 512)
	for i := range values {
		values[i] = float64(i%5) / 4
	}
	for b.Loop() {
		Bootstrap(values, Options{})
	}
}

func BenchmarkSignFlip512(b *testing.B) {
	values := make([]float64, 512)
	for i := range values {
		values[i] = float64(i%5-2) / 4
	}
	for b.Loop() {
		SignFlip(values, Options{})
	}
}
