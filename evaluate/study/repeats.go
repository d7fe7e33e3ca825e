package study

import (
	"math"

	"openrs/evaluate/stats"
)

// Repeat is what repeated measurements of a model show against the baseline on
// one benchmark, or over all (Benchmark ""). Scores are shares, 0 to 1.
type Repeat struct {
	Model, Benchmark string
	Runs             [2]int // of the baseline and of the model
	Baseline, Score  float64
	// Difference is the model's score less the baseline's. Its uncertainty is
	// that of the seeds; both answered the same problems, and others might say
	// something else.
	Difference stats.Difference
	Holm       float64 // p-value, corrected for the number of benchmarks of this model
	Detectable float64 // smallest difference that these runs show with a chance of 80 %
}

// repeats compares each model with the baseline, benchmark by benchmark, and then
// over all benchmarks that both have.
func repeats(baseline, model []Score) []Repeat {
	var out []Repeat
	for _, m := range model {
		for _, b := range baseline {
			if b.Benchmark != m.Benchmark {
				continue
			}
			d := stats.Welch(stats.Summary{Mean: b.Score, SD: b.SD, N: b.Samples}, stats.Summary{Mean: m.Score, SD: m.SD, N: m.Samples}, stats.Options{})
			d.Problems = m.Problems
			out = append(out, Repeat{
				Model: m.Model, Benchmark: m.Benchmark, Runs: [2]int{b.Samples, m.Samples},
				Baseline: b.Score, Score: m.Score, Difference: d,
				Detectable: stats.Detectable(d.SE, float64(b.Samples+m.Samples-2), 0, 0),
			})
		}
	}
	p := make([]float64, len(out))
	for i, r := range out {
		p[i] = r.Difference.P
	}
	for i, v := range stats.Holm(p) {
		out[i].Holm = v
	}
	if len(out) > 1 {
		out = append(out, over(out))
	}
	return out
}

// over is the mean over benchmarks, each counting the same.
func over(all []Repeat) Repeat {
	r := Repeat{Model: all[0].Model}
	n := float64(len(all))
	variance, squares, runs := 0.0, 0.0, 0
	for _, x := range all {
		r.Baseline += x.Baseline / n
		r.Score += x.Score / n
		v := x.Difference.SE * x.Difference.SE / (n * n)
		variance += v
		squares += v * v / float64(x.Runs[0]+x.Runs[1]-2)
		runs += x.Runs[0] + x.Runs[1] - 2
	}
	df := float64(runs)
	if squares > 0 {
		df = variance * variance / squares // Satterthwaite 1946
	}
	d := stats.Difference{Mean: r.Score - r.Baseline, SE: math.Sqrt(variance)}
	half := stats.StudentQuantile(0.975, df) * d.SE
	d.Interval = stats.Interval{Lo: d.Mean - half, Hi: d.Mean + half}
	switch {
	case d.SE > 0:
		d.P = 2 * stats.StudentTail(math.Abs(d.Mean)/d.SE, df)
	case d.Mean == 0: // runs without any spread
		d.P = 1
	}
	r.Difference, r.Holm, r.Detectable = d, d.P, stats.Detectable(d.SE, df, 0, 0)
	return r
}
