package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// checkpoints draws the problem means of models that are right on each problem
// with the same chance, but for the last, which is better by gain.
func checkpoints(r *rand.Rand, models, problems, samples int, gain float64) []Tasks {
	out := make([]Tasks, models)
	for i := range out {
		out[i] = Tasks{make([]float64, problems)}
	}
	for j := range problems {
		p := difficulty(r, 0.4, 1.3)
		for i := range out {
			q := p
			if i == models-1 {
				q = min(1, p+gain)
			}
			out[i][0][j] = Mean(answers(r, q, samples))
		}
	}
	return out
}

// With equal models the best one's mean is too high, and what BestOf says in
// its place is not: held out, it is right on average, and all intervals hold
// together.
func TestBestOfEqualModels(t *testing.T) {
	if underRace {
		t.Skip("a simulation, in one goroutine")
	}
	const runs, models = 250, 8
	r := rand.New(rand.NewPCG(41, 42))
	opt := Options{Resamples: 500}
	var naive, heldOut, gains []float64
	together, differences, rejected := 0, 0, 0
	for run := range runs {
		opt.Seed = uint64(run)
		x := checkpoints(r, models+1, 40, 2, 0)
		b, err := BestOf(x[0], x[1:], opt)
		if err != nil {
			t.Fatal(err)
		}
		naive, heldOut, gains = append(naive, b.Mean-0.4), append(heldOut, b.HeldOut-0.4), append(gains, b.HeldOutGain)
		all := func(list []Interval, truth float64) bool {
			return !slices.ContainsFunc(list, func(i Interval) bool { return truth < i.Lo || truth > i.Hi })
		}
		if all(b.Intervals, 0.4) {
			together++
		}
		if all(b.Differences, 0) {
			differences++
		}
		if slices.Min(b.P) <= 0.05 {
			rejected++
		}
	}
	t.Logf("best of %d equal models: %+.1f points by luck, held out %+.1f, gain %+.1f; intervals hold together %d, differences %d, p ≤ 0.05 %d of %d",
		models, 100*Mean(naive), 100*Mean(heldOut), 100*Mean(gains), together, differences, rejected, runs)
	if low := Mean(naive) - 3*StandardError(naive); low < 0 {
		t.Errorf("the best of equal models is %.3f above the truth: the simulation shows no luck to correct", Mean(naive))
	}
	near(t, "held-out score less the truth", Mean(heldOut), 0, 3*StandardError(heldOut))
	near(t, "held-out gain", Mean(gains), 0, 3*StandardError(gains))
	// 95 %: 237.5 of 250, standard deviation 3.4.
	for what, n := range map[string]int{"intervals": together, "differences": differences, "without p ≤ 0.05": runs - rejected} {
		if n < 227 {
			t.Errorf("%s: %d of %d, want about %.0f", what, n, runs, 0.95*runs)
		}
	}
}

func TestBestOfFindsABetterModel(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 44))
	x := checkpoints(r, 6, 200, 8, 0.15)
	b, err := BestOf(x[0], x[1:], Options{Resamples: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if b.Index != 4 || b.P[4] > 0.001 || b.Differences[4].Lo <= 0 || b.HeldOutGain < 0.05 {
		t.Errorf("a model 10 points better was not found: %+v", b)
	}
	for i, p := range b.P[:4] {
		if p < 0.01 {
			t.Errorf("model %d is like the reference, p %v", i, p)
		}
	}
	again, _ := BestOf(x[0], x[1:], Options{Resamples: 2000})
	if !slices.Equal(b.P, again.P) || b.HeldOut != again.HeldOut || !slices.Equal(b.Intervals, again.Intervals) {
		t.Error("the same seed gave other figures")
	}
}

func TestBestOfOneIsAPlainComparison(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 46))
	x := checkpoints(r, 2, 60, 4, 0.1)
	b, err := BestOf(x[0], x[1:], Options{Resamples: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	d, _ := Compare(x[0][0], x[1][0], Options{Resamples: 20_000})
	near(t, "difference", b.Difference, d.Mean, 1e-12)
	near(t, "p", b.P[0], d.P, 0.01)
	near(t, "low", b.Differences[0].Lo, d.Interval.Lo, 0.05*(d.Mean-d.Interval.Lo))
	near(t, "held out", b.HeldOut, Mean(x[1][0]), 0.01)

	alone, err := BestOf(nil, x, Options{Resamples: 100})
	if err != nil || alone.Differences != nil || alone.P != nil || !math.IsNaN(alone.HeldOutGain) || len(alone.Intervals) != 2 {
		t.Errorf("without a reference: %+v, %v", alone, err)
	}
}

func TestBestOfRefusals(t *testing.T) {
	two := Tasks{{1, 0}}
	for name, c := range map[string]struct {
		reference  Tasks
		candidates []Tasks
	}{
		"no candidates":       {two, nil},
		"other problems":      {two, []Tasks{two, {{1, 0, 1}}}},
		"other reference":     {Tasks{{1, 0, 1}}, []Tasks{two}},
		"other benchmarks":    {two, []Tasks{two, {{1, 0}, {1, 0}}}},
		"one problem":         {nil, []Tasks{{{1}}}},
		"an empty reference":  {Tasks{}, []Tasks{two}},
		"a benchmark without": {nil, []Tasks{{{1, 0}, {}}}},
	} {
		if _, err := BestOf(c.reference, c.candidates, Options{Resamples: 10}); !errors.Is(err, ErrShape) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// All alike, and all right: nothing to divide by.
	b, err := BestOf(two, []Tasks{two, two}, Options{Resamples: 10})
	if err != nil || b.Index != 0 || b.Difference != 0 || b.P[0] != 1 {
		t.Errorf("models alike: %+v, %v", b, err)
	}
	if b, err = BestOf(nil, []Tasks{{{1, 1, 1}}}, Options{Resamples: 10}); err != nil || b.Mean != 1 || !(b.Intervals[0].Lo < 1) {
		t.Errorf("all right: %+v, %v", b, err)
	}
}

func TestSelectHeldOut(t *testing.T) {
	r := rand.New(rand.NewPCG(47, 48))
	var chosen, rest []float64
	for run := range 300 {
		x := checkpoints(r, 8, 40, 1, 0)
		var flat [][]float64
		for _, c := range x {
			flat = append(flat, c[0])
		}
		h, err := SelectHeldOut(flat, 0.5, Options{Seed: uint64(run)})
		if err != nil || len(h.Problems) != 20 || h.Estimate.Problems != 20 {
			t.Fatalf("%+v, %v", h, err)
		}
		chosen, rest = append(chosen, h.Chosen-0.4), append(rest, h.Estimate.Mean-0.4)
	}
	near(t, "on the other half", Mean(rest), 0, 3*StandardError(rest))
	if Mean(chosen) < 0.05 {
		t.Errorf("on the half it was chosen on: %+.3f, want luck of many points", Mean(chosen))
	}
	flat := [][]float64{{1, 0, 1, 0}, {0, 1, 0, 1}}
	for _, share := range []float64{0, -1, 0.9, 1, math.NaN()} {
		if _, err := SelectHeldOut(flat, share, Options{}); !errors.Is(err, ErrShape) {
			t.Errorf("share %v: got %v", share, err)
		}
	}
	if _, err := SelectHeldOut(nil, 0.5, Options{}); !errors.Is(err, ErrShape) {
		t.Errorf("no candidates: got %v", err)
	}
	if _, err := SelectHeldOut([][]float64{{1, 0, 1, 0}, {0, 1}}, 0.5, Options{}); !errors.Is(err, ErrShape) {
		t.Errorf("other problems: got %v", err)
	}
}

func TestExpectedMax(t *testing.T) {
	// Closed forms: 0, 1/√π, 3/(2√π); tables of normal order statistics (Harter
	// 1961) for the others.
	for _, c := range []struct {
		k    int
		want float64
	}{{1, 0}, {2, 1 / math.Sqrt(math.Pi)}, {3, 1.5 / math.Sqrt(math.Pi)}, {5, 1.16296}, {10, 1.53875}, {20, 1.86748}, {100, 2.50759}} {
		near(t, "expected largest", ExpectedMax(c.k), c.want, 5e-6)
	}
	near(t, "of none", ExpectedMax(0), math.NaN(), 0)
}

func TestBestBinomial(t *testing.T) {
	// Two coins twice: the best has 0, 1, 2 heads with 1/16, 8/16, 7/16.
	expected, chance := BestBinomial(2, 2, 0.5, 1)
	near(t, "expected", expected, (8+2*7)/16./2, 1e-15)
	near(t, "chance of all", chance, 7./16, 1e-15)
	_, chance = BestBinomial(2, 2, 0.5, 0.5)
	near(t, "chance of half", chance, 15./16, 1e-15)
	expected, chance = BestBinomial(1, 30, 0.3, 0)
	near(t, "one model", expected, 0.3, 1e-12)
	near(t, "at least nothing", chance, 1, 0)
	// Many trials are nearly normal.
	expected, _ = BestBinomial(21, 100_000, 0.3, 0.3)
	near(t, "many trials", (expected-0.3)/math.Sqrt(0.21/1e5), ExpectedMax(21), 0.02)
}
