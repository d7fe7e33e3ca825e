package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"openrs/evaluate/stats"
)

// forest is a table with a plot in it: a row a model, its estimate as a dot and its interval as a line,
// all to one scale, beside the numbers. It is HTML rather than SVG, so that it fits any width.
type forest struct {
	Title, Note string
	Zero        bool // the scale is of differences: the line at 0 stands out
	ZeroAt      string
	Ticks       []forestTick
	Rows        []forestRow
	Unit        string
	Columns     []string // titles of the columns after the plot
}

type forestTick struct{ At, Label string }

type forestRow struct {
	Name, Class     string
	Dot             string // place in per cent of the width; empty: there is no estimate
	Left, Width     string // of the interval; empty: there is none
	Cells           []string
	Better, Worse   bool // an interval of differences that leaves out 0
	mean, low, high float64
}

// forests are the scores: the mean over tasks, then each task.
func (r *Report) forests() []forest {
	var out []forest
	k := func(f *Figures) string {
		if n := f.SamplesPerProblem; n[0] == n[1] {
			return count(n[0], "sample") + " each"
		}
		return fmt.Sprintf("%d to %d samples each", f.SamplesPerProblem[0], f.SamplesPerProblem[1])
	}
	if len(r.tasks) > 1 {
		f := forest{Title: "Mean over tasks", Note: fmt.Sprintf("%d tasks, each counting the same", len(r.tasks))}
		for i, m := range r.Models {
			if m.Macro != nil && len(m.Tasks) == len(r.tasks) {
				f.add(r.series(i), m.Name, *m.Macro)
			}
		}
		if len(f.Rows) > 0 {
			out = append(out, f)
		}
	}
	for _, task := range r.tasks {
		f := forest{Title: task}
		for i, m := range r.Models {
			if t := m.task(task); t != nil {
				if f.Note == "" && t.Problems > 0 {
					f.Note = count(t.Problems, "problem") + ", " + k(t)
				}
				f.add(r.series(i), m.Name, t.Accuracy)
			}
		}
		out = append(out, f)
	}
	for i := range out {
		out[i].Columns, out[i].Unit = []string{"score", "95 % interval"}, "%"
		out[i].scale(0.16, 0, 1)
	}
	return out
}

func (f *forest) add(class, name string, e Estimate) {
	f.Rows = append(f.Rows, forestRow{
		Name: name, Class: class,
		mean: float64(e.Mean), low: float64(e.CI95[0]), high: float64(e.CI95[1]),
		Cells: []string{decimal(e.Mean), span(e.CI95)},
	})
}

// decimal is a share in per cent, without the sign that the column's head has.
func decimal(n Number) string {
	if !n.finite() {
		return missing
	}
	return tenths(n)
}

// differences are the paired comparisons with the first model, in the same order.
func (r *Report) differences() []forest {
	if len(r.Paired) == 0 {
		return nil
	}
	var out []forest
	holm := len(r.Paired) > 1
	add := func(title string, of func(Paired) *Comparison) {
		f := forest{Title: title, Zero: true, Unit: "points", Columns: []string{"difference", "95 % interval", "p"}}
		if holm {
			f.Columns[2] = "p (Holm)"
		}
		var detectable []float64
		for i, p := range r.Paired {
			c := of(p)
			if c == nil || c.Problems == 0 {
				continue
			}
			f.Note = count(c.Problems, "problem")
			if c.MDE.finite() && c.MDE > 0 {
				detectable = append(detectable, float64(c.MDE))
			}
			d := c.Difference
			test := pValue(c.P, c.PExact, r.options.Resamples)
			if holm {
				test = pValue(c.PHolm, true, 0)
			}
			f.Rows = append(f.Rows, forestRow{
				Name: p.B, Class: r.series(i + 1), mean: float64(d.Mean), low: float64(d.CI95[0]), high: float64(d.CI95[1]),
				Better: c.PHolm < 0.05 && d.CI95[0] > 0, Worse: c.PHolm < 0.05 && d.CI95[1] < 0,
				Cells: []string{points(d.Mean), signed(d.CI95), bareP(test)},
			})
		}
		if len(detectable) > 0 {
			slices.Sort(detectable)
			f.Note += ", detectable from about " + size(Number(stats.Quantile(detectable, 0.5))) + " points"
		}
		if len(f.Rows) > 0 {
			f.scale(0.1, -1, 1)
			out = append(out, f)
		}
	}
	if len(r.tasks) > 1 {
		add("Mean over tasks", func(p Paired) *Comparison { return p.Macro })
	}
	for _, task := range r.tasks {
		add(task, func(p Paired) *Comparison {
			for i := range p.Tasks {
				if p.Tasks[i].Task == task {
					return &p.Tasks[i].Comparison
				}
			}
			return nil
		})
	}
	return out
}

// bareP is a p-value without "p =", for a column that is called p.
func bareP(s string) string {
	for _, prefix := range []string{"p = ", "p "} {
		if len(s) > len(prefix) && s[:len(prefix)] == prefix {
			return s[len(prefix):]
		}
	}
	return s
}

// scale places the rows on a common scale that holds all of them, is at least least wide and ends in
// round numbers between from and to.
func (f *forest) scale(least, from, to float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, row := range f.Rows {
		for _, v := range []float64{row.mean, row.low, row.high} {
			if !math.IsNaN(v) && !math.IsInf(v, 0) {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if lo > hi {
		lo, hi = from, to
	}
	if f.Zero {
		lo, hi = min(lo, 0), max(hi, 0)
	}
	if wide := hi - lo; wide < least {
		lo, hi = lo-(least-wide)/2, hi+(least-wide)/2
	}
	step := 0.5
	for _, s := range []float64{0.02, 0.05, 0.1, 0.2, 0.25} {
		if (hi-lo)/s <= 5 {
			step = s
			break
		}
	}
	lo, hi = max(from, math.Floor(lo/step+1e-9)*step), min(to, math.Ceil(hi/step-1e-9)*step)
	s := scale{lo, hi, 0, 100}
	place := func(v float64) string { return strconv.FormatFloat(s.At(v), 'f', 2, 64) + "%" }
	for i := math.Round(lo / step); i*step <= hi+1e-9; i++ {
		label := strconv.FormatFloat(100*i*step, 'f', 0, 64)
		switch v := 100 * i * step; {
		case f.Zero && v > 0.5:
			label = "+" + label
		case v < -0.5:
			label = "−" + label[1:]
		case v <= 0.5:
			label = "0"
		}
		f.Ticks = append(f.Ticks, forestTick{place(i * step), label})
	}
	if f.Zero {
		f.ZeroAt = place(0)
	}
	for i := range f.Rows {
		row := &f.Rows[i]
		if !math.IsNaN(row.mean) {
			row.Dot = place(row.mean)
		}
		if !math.IsNaN(row.low) && !math.IsNaN(row.high) {
			row.Left = place(row.low)
			row.Width = strconv.FormatFloat(s.At(row.high)-s.At(row.low), 'f', 2, 64) + "%"
		}
	}
}

// stack is a bar of a model's samples by what became of them.
type stack struct {
	Name, Class string
	Total       int
	Parts       []stackPart
}

type stackPart struct{ Class, Width, Title, Label string }

// stacks are such bars for all models; keys the outcomes that occur.
func (r *Report) stacks() (bars []stack, keys []modelView) {
	seen := make(map[outcome]bool)
	for i, m := range r.Models {
		s := stack{Name: m.Name, Class: r.series(i)}
		for o := range outcomes {
			for _, c := range m.Outcomes {
				if c.Name != o.spec().Key {
					continue
				}
				seen[o] = true
				s.Total += c.Samples
				p := stackPart{Class: "o" + strconv.Itoa(int(o)), Width: strconv.FormatFloat(100*float64(c.Share), 'f', 3, 64) + "%",
					Title: fmt.Sprintf("%s: %d (%s)", o.spec().Label, c.Samples, percent(c.Share))}
				if c.Share >= 0.08 {
					p.Label = strconv.FormatFloat(100*float64(c.Share), 'f', 0, 64) + " %"
				}
				s.Parts = append(s.Parts, p)
			}
		}
		if s.Total > 0 {
			bars = append(bars, s)
		}
	}
	for o := range outcomes {
		if seen[o] {
			keys = append(keys, modelView{Name: o.spec().Label, Class: "o" + strconv.Itoa(int(o))})
		}
	}
	return bars, keys
}
