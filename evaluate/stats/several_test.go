package stats

import (
	"math"
	"slices"
	"testing"
)

func TestMacroByHand(t *testing.T) {
	// Means 0.5 and 0.75; variances of the means (1/3)/4 = 1/12 and 0.25/4 = 1/16;
	// standard error √(1/12+1/16)/2; degrees (7/48)²/((1/12)²/3 + (1/16)²/3) = 5.88.
	tasks := Tasks{{1, 0, 1, 0}, {1, 1, 1, 0}}
	e := Macro(tasks, Options{})
	near(t, "mean", e.Mean, 0.625, 1e-15)
	near(t, "standard error", e.SE, math.Sqrt(7./48)/2, 1e-15)
	_, df := tasks.spread()
	near(t, "degrees of freedom", df, 5.88, 1e-12)
	if !(e.Interval.Lo > 0 && e.Interval.Lo < 0.35 && e.Interval.Hi > 0.85 && e.Interval.Hi < 1) || e.Problems != 8 {
		t.Errorf("got %+v", e)
	}
	// One benchmark is what Share says of it.
	one, same := Macro(Tasks{{1, 0, 0.5, 0}}, Options{}), Share([]float64{1, 0, 0.5, 0}, Options{})
	near(t, "low of one", one.Interval.Lo, same.Interval.Lo, 1e-12)
	near(t, "high of one", one.Interval.Hi, same.Interval.Hi, 1e-12)
	near(t, "no benchmarks", Macro(nil, Options{}).Mean, math.NaN(), 0)
	near(t, "a benchmark of one problem", Macro(Tasks{{1, 0}, {1}}, Options{}).Interval.Lo, math.NaN(), 0)
}

func TestCompareMacroByHand(t *testing.T) {
	a := Tasks{{0, 0, 1, 0}, {0, 1}}
	b := Tasks{{1, 0, 1, 1}, {1, 1}}
	// Differences (1,0,0,1) and (1,0): both means are 0.5. Weighted: 1/8, 1/8,
	// 1/4; sign patterns with |sum| 0.5: two of eight.
	d, err := CompareMacro(a, b, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "mean", d.Mean, 0.5, 1e-15)
	near(t, "p", d.P, 0.25, 0)
	near(t, "standard error", d.SE, math.Sqrt((1./3)/4+0.5/2)/2, 1e-15)
	if !d.Exact || d.Problems != 6 {
		t.Errorf("got %+v", d)
	}
	for name, other := range map[string]Tasks{"benchmarks": {{0, 0, 1, 0}}, "problems": {{0, 0, 1, 0}, {1}}} {
		if _, err := CompareMacro(a, other, Options{}); err == nil {
			t.Errorf("other %s were compared", name)
		}
	}
}

func TestHolm(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct{ p, want []float64 }{
		{nil, nil},
		{[]float64{0.03}, []float64{0.03}},
		{[]float64{0.04, 0.01, 0.03}, []float64{0.06, 0.03, 0.06}}, // 0.01·3, 0.03·2, then no less than 0.06
		{[]float64{0.5, 0.9, 0.6}, []float64{1, 1, 1}},
		{[]float64{0.01, nan, 0.02}, []float64{0.02, nan, 0.02}},
	} {
		got := Holm(c.p)
		if !slices.EqualFunc(got, c.want, func(x, y float64) bool { return math.Abs(x-y) < 1e-15 || x != x && y != y }) {
			t.Errorf("%v: got %v, want %v", c.p, got, c.want)
		}
	}
}

func TestWelch(t *testing.T) {
	// Equal numbers and deviations are Student's test: t = 2/√(2·4/8) = 2 with 14
	// degrees of freedom, two-sided p 0.0653.
	d := Welch(Summary{10, 2, 8}, Summary{12, 2, 8}, Options{})
	near(t, "difference", d.Mean, 2, 0)
	near(t, "standard error", d.SE, 1, 1e-15)
	near(t, "p", d.P, 0.06529, 1e-5)
	near(t, "low", d.Interval.Lo, 2-2.144787, 1e-5)
	// Unequal: v 1 and 4/3, degrees (7/3)²/(1/3 + (16/9)/2) = 4.4545….
	d = Welch(Summary{0, 2, 4}, Summary{1, 2, 3}, Options{})
	near(t, "p, unequal", d.P, 2*StudentTail(1/math.Sqrt(7./3), 49./11), 1e-12)
	for _, c := range []struct {
		a, b Summary
		p    float64
	}{
		{Summary{1, 0, 3}, Summary{1, 0, 3}, 1}, {Summary{1, 0, 3}, Summary{2, 0, 3}, 0},
		{Summary{1, 1, 1}, Summary{2, 1, 3}, math.NaN()}, {Summary{1, math.NaN(), 3}, Summary{2, 1, 3}, math.NaN()},
	} {
		near(t, "p at the edges", Welch(c.a, c.b, Options{}).P, c.p, 0)
	}
}

func TestShareAndMeanOf(t *testing.T) {
	if s, a := Share([]float64{1, 0, 1, 1}, Options{}), Accuracy([][]float64{{1}, {0}, {1}, {1}}, Options{}); s.Interval != a.Interval {
		t.Errorf("one sample a problem: %+v against %+v", s, a)
	}
	e := Share([]float64{0.5, 0.5, 0.5}, Options{})
	if e.Interval != (Interval{0.5, 0.5}) {
		t.Errorf("a figure without any spread: %+v", e)
	}
	m := MeanOf([]float64{10, 20, 30}, Options{Level: 0.9})
	near(t, "half width", m.Interval.Hi-20, 2.919986*10/math.Sqrt(3), 1e-5)
	near(t, "of one", MeanOf([]float64{1}, Options{}).Interval.Lo, math.NaN(), 0)
}
