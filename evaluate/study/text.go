package study

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// WriteText writes the analysis as tables for a terminal. Scores are in percent.
func (a Analysis) WriteText(w io.Writer) error {
	out := &checked{w: w}
	if len(a.Runs) > 0 {
		a.writeRuns(out)
	}
	if len(a.Repeats) > 0 {
		if len(a.Runs) > 0 {
			fmt.Fprintln(out)
		}
		a.writeRepeats(out)
	}
	for _, line := range a.Ignored {
		fmt.Fprintf(out, "not compared: %s\n", line)
	}
	return out.err
}

// writeRuns writes one column for each benchmark, as figures are many and
// benchmarks few.
func (a Analysis) writeRuns(out io.Writer) {
	var lines [][]string
	line := func(name string, cell func(r Run) string) {
		cells := []string{name}
		for _, r := range a.Runs {
			cells = append(cells, cell(r))
		}
		lines = append(lines, cells)
	}
	points := func(x float64) string { return fmt.Sprintf("%.1f", 100*x) }
	change := func(x float64) string {
		if math.IsNaN(x) {
			return "–"
		}
		return fmt.Sprintf("%+.1f", 100*x)
	}
	line("", func(r Run) string { return r.Benchmark })
	line("problems × samples", func(r Run) string { return fmt.Sprintf("%d × %d", r.Problems, r.Samples) })
	line("checkpoints", func(r Run) string { return fmt.Sprint(r.Checkpoints) })
	line("mean over checkpoints", func(r Run) string { return points(r.Mean) })
	line("deviation between checkpoints", func(r Run) string { return points(r.Spread) })
	line("deviation by sampling alone, at most", func(r Run) string { return points(r.Noise) })
	line("p of such a deviation if all were equal", func(r Run) string { return chance(r.SpreadP) })
	line("best checkpoint", func(r Run) string { return points(r.Best.Score) })
	line("", func(r Run) string { return place(r.Best) })
	line("expected best if all were equal", func(r Run) string { return points(r.ExpectedBest) })
	line("chance of such a best if all were equal", func(r Run) string { return chance(r.ChanceOfBest) })
	if a.Baseline != "" {
		line("best − "+a.Baseline, func(r Run) string { return change(r.Gain) })
		line("mean − "+a.Baseline, func(r Run) string { return change(r.MeanGain) })
	}
	line("smallest gain to be seen, on other problems", func(r Run) string { return points(r.DetectableNew) })
	line("smallest gain to be seen, on the same", func(r Run) string { return points(r.Detectable) })
	line("first half of training → last half", func(r Run) string { return points(r.Early) + " → " + points(r.Late) })
	line("change in 100 steps", func(r Run) string { return change(r.Slope) })
	line("p of such a change if training did nothing", func(r Run) string { return chance(r.SlopeP) })
	writeAligned(out, lines)
	fmt.Fprintln(out)
	for _, r := range a.Runs {
		fmt.Fprintf(out, "%s: %s.\n", r.Benchmark, r.Explain())
	}
}

// Explain is the verdict in words, with the figures it rests on.
func (r Run) Explain() string {
	noise := "the deviation between checkpoints is within that of sampling"
	if r.SpreadHolm < 0.05 {
		noise = "checkpoints differ more than sampling makes them"
	}
	luck := fmt.Sprintf("the best of %d equal models would reach %.1f with a chance of %s", r.Checkpoints, 100*r.Best.Score, chance(r.ChanceOfBest))
	if r.Verdict == NoEffect || math.IsNaN(r.TrendHolm) {
		return fmt.Sprintf("%s: %s, and %s", r.Verdict, noise, luck)
	}
	return fmt.Sprintf("%s: %s (p %s), and scores change by %+.1f points in 100 steps (p %s)", r.Verdict, noise, chance(r.SpreadHolm), 100*r.Slope, chance(r.TrendHolm))
}

func (a Analysis) writeRepeats(out io.Writer) {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "model\tbenchmark\truns\t%s\tmodel\tdifference\t95 %% interval\tp\tp corrected\tvisible from\n", a.Baseline)
	for _, r := range a.Repeats {
		runs, benchmark := fmt.Sprintf("%d, %d", r.Runs[0], r.Runs[1]), r.Benchmark
		if benchmark == "" {
			runs, benchmark = "", "mean"
		}
		d := r.Difference
		fmt.Fprintf(t, "%s\t%s\t%s\t%.1f\t%.1f\t%+.1f\t%+.1f to %+.1f\t%s\t%s\t%.1f\n", r.Model, benchmark, runs,
			100*r.Baseline, 100*r.Score, 100*d.Mean, 100*d.Interval.Lo, 100*d.Interval.Hi, chance(d.P), chance(r.Holm), 100*r.Detectable)
	}
	t.Flush()
	fmt.Fprintln(out)
	for _, line := range a.Conclusions() {
		fmt.Fprintln(out, line)
	}
}

// Conclusions says of each model measured several times where it differs from
// the baseline at a level of 5 %, corrected for the number of benchmarks.
func (a Analysis) Conclusions() []string {
	var out []string
	for i := 0; i < len(a.Repeats); {
		model := a.Repeats[i].Model
		var found []string
		for ; i < len(a.Repeats) && a.Repeats[i].Model == model; i++ {
			if r := a.Repeats[i]; r.Holm < 0.05 {
				found = append(found, fmt.Sprintf("%+.1f on %s", 100*r.Difference.Mean, cmp.Or(r.Benchmark, "the mean")))
			}
		}
		if len(found) == 0 {
			out = append(out, fmt.Sprintf("%s: no detectable difference from %s.", model, a.Baseline))
			continue
		}
		out = append(out, fmt.Sprintf("%s: differs from %s: %s.", model, a.Baseline, strings.Join(found, ", ")))
	}
	return out
}

// writeAligned writes the first cell of each line to the left and the others to
// the right of their columns.
func writeAligned(out io.Writer, lines [][]string) {
	var widths []int
	for _, cells := range lines {
		for i, c := range cells {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, cells := range lines {
		var b strings.Builder
		for i, c := range cells {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i == 0 {
				b.WriteString(c + space)
			} else {
				b.WriteString("  " + space + c)
			}
		}
		fmt.Fprintln(out, strings.TrimRight(b.String(), " "))
	}
}

// place names a checkpoint.
func place(s Score) string {
	if s.Step < 0 {
		return s.Model
	}
	return fmt.Sprintf("%s, step %d", s.Model, s.Step)
}

// chance is a probability with as many digits as it deserves.
func chance(p float64) string {
	switch {
	case math.IsNaN(p):
		return "–"
	case p < 0.0001:
		return "< 0.0001"
	case p < 0.01:
		return fmt.Sprintf("%.4f", p)
	}
	return fmt.Sprintf("%.2f", p)
}

// checked keeps the first error of writing.
type checked struct {
	w   io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.err = err
	return n, err
}
