package stats

import (
	"fmt"
	"math"
)

// Tasks are problem means by benchmark: Tasks[t][i] is problem i of benchmark t.
// Every benchmark counts the same in figures over several, however many problems
// it has, as in published averages.
type Tasks [][]float64

// problems is the number of problems of all benchmarks.
func (t Tasks) problems() int {
	n := 0
	for _, values := range t {
		n += len(values)
	}
	return n
}

// Mean is the mean over benchmarks of their means.
func (t Tasks) Mean() float64 {
	sum := 0.0
	for _, values := range t {
		sum += Mean(values)
	}
	return sum / float64(len(t))
}

// spread is the standard error of the mean over benchmarks, whose problems are
// independent of each other's, and the degrees of freedom that it is known with
// (Welch 1938, Satterthwaite 1946).
func (t Tasks) spread() (se, df float64) {
	sum, squares := 0.0, 0.0
	for _, values := range t {
		v := Variance(values) / float64(len(values))
		sum += v
		squares += v * v / float64(len(values)-1)
	}
	df = float64(t.problems() - len(t))
	if squares > 0 {
		df = sum * sum / squares
	}
	return math.Sqrt(sum) / float64(len(t)), df
}

// Macro estimates the mean over benchmarks. Problems are what is drawn at random;
// the choice of benchmarks is not.
func Macro(tasks Tasks, opt Options) Estimate {
	se, df := tasks.spread()
	e := Estimate{Mean: tasks.Mean(), SE: se, Problems: tasks.problems(), Samples: tasks.problems(), Interval: nowhere()}
	if !math.IsNaN(se) {
		e.Interval = shareInterval(e.Mean, se, df, math.Inf(1), opt.level())
	}
	return e
}

// CompareMacro is Compare over several benchmarks, each of which counts the
// same: a[t][i] and b[t][i] are of the same problem.
func CompareMacro(a, b Tasks, opt Options) (Difference, error) {
	d, err := minus(a, b)
	if err != nil {
		return Difference{}, err
	}
	se, df := d.spread()
	p, exact := SignFlip(d.weighted(), opt)
	mean := d.Mean()
	return Difference{
		Mean: mean, SE: se, Interval: studentInterval(mean, se, df, opt.level()),
		P: p, Exact: exact, Problems: d.problems(),
	}, nil
}

// minus is b - a, problem by problem.
func minus(a, b Tasks) (Tasks, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("paired comparison: %d benchmarks against %d: want the same ones", len(a), len(b))
	}
	d := make(Tasks, len(a))
	for t := range a {
		if len(a[t]) != len(b[t]) {
			return nil, fmt.Errorf("paired comparison: benchmark %d: %d problems against %d: want the same problems", t, len(a[t]), len(b[t]))
		}
		d[t] = make([]float64, len(a[t]))
		for i := range a[t] {
			d[t][i] = b[t][i] - a[t][i]
		}
	}
	return d, nil
}

// weighted are all values, each times its share in the mean over benchmarks, so
// that their sum is that mean.
func (t Tasks) weighted() []float64 {
	var out []float64
	for _, values := range t {
		w := 1 / float64(len(values)*len(t))
		for _, v := range values {
			out = append(out, w*v)
		}
	}
	return out
}
