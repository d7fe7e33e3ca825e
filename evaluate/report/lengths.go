package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"openrs/evaluate/stats"
)

// mostHistograms is for how many models the chart of lengths has room.
const mostHistograms = 12

// lengthChart draws how long right and wrong completions are: a row a model, right ones upwards and
// wrong ones downwards. Nil when there are none.
func (r *Report) lengthChart() *panel {
	longest, models := 0, 0
	for _, m := range r.Models {
		for _, side := range m.lengths {
			if len(side) > 0 {
				longest = max(longest, slices.Max(side))
			}
		}
		models += int(indicator(len(m.lengths[0])+len(m.lengths[1]) > 0))
	}
	if longest == 0 {
		return nil
	}
	// A bin is a round number of tokens wide, some 40 to the longest.
	size := 1
	for _, s := range []int{1, 2, 5, 10, 20, 25, 50, 100, 200, 250, 500, 1000, 2000, 5000} {
		if size = s; longest/s < 48 {
			break
		}
	}
	for longest/size >= 60 {
		size *= 2
	}
	unit := "one token"
	if size > 1 {
		unit = strconv.Itoa(size) + " tokens"
	}
	out := &panel{Title: "Length of completions",
		Note: "Share of a model's completions in each range of " + unit + ": right ones upwards, wrong ones downwards, each model to its own height; the marks are the medians."}
	shown := r.Models
	if models > mostHistograms {
		shown = append([]Model{r.Models[0]}, r.Models[len(r.Models)-mostHistograms+1:]...)
		out.Note += fmt.Sprintf(" The first and the last %d of %d models; all are in the table.", mostHistograms-1, len(r.Models))
	}
	var bins [][2][]float64
	var tops []float64 // a model that always writes the same length must not flatten the others
	for _, m := range shown {
		top := 0.0
		var sides [2][]float64
		total := float64(len(m.lengths[0]) + len(m.lengths[1]))
		for i, side := range m.lengths {
			sides[i] = make([]float64, longest/size+1)
			for _, n := range side {
				sides[i][n/size] += 1 / total
			}
			top = max(top, slices.Max(sides[i]))
		}
		bins, tops = append(bins, sides), append(tops, top)
	}
	const height = 88.0
	for i, p := range []*plot{&out.Wide, &out.Narrow} {
		*p = frame(out.Title, []float64{860, 380}[i], height*float64(len(shown))+34)
		p.Left, p.Right, p.Top = 4, p.W-10, 0
		x := p.x(0, float64((longest/size+1)*size))
		p.XLabel = "tokens"
		p.XTicks = wholeTicks(x, int((p.Right-p.Left)/80))
		for _, t := range p.XTicks {
			p.Verticals = append(p.Verticals, t.At)
		}
		for k, m := range shown {
			middle := height*(float64(k)+0.5) + 8
			p.Texts = append(p.Texts, note{X: p.Left, Y: middle - height/2 + 8, Class: "name", Text: brief(m.Name, 44)})
			half := height/2 - 15
			for side, class := range []string{"wrong", "right"} {
				sign := []float64{1, -1}[side]
				y := scale{0, tops[k], middle, middle + sign*half}
				if len(m.lengths[side]) == 0 {
					continue
				}
				outline := [][2]float64{{0, 0}}
				for b, v := range bins[k][side] {
					outline = append(outline, [2]float64{float64(b * size), v}, [2]float64{float64((b + 1) * size), v})
				}
				outline = append(outline, [2]float64{float64(len(bins[k][side]) * size), 0})
				p.Lines = append(p.Lines, line{"hist " + class, path(outline, x, y) + "Z"})
				at := x.At(medianOf(m.lengths[side]))
				p.Lines = append(p.Lines, line{"median " + class, fmt.Sprintf("M%.1f %.1fV%.1f", at, middle, middle+sign*half)})
			}
			p.Lines = append(p.Lines, line{"base", fmt.Sprintf("M%.1f %.1fH%.1f", p.Left, middle, p.Right)})
		}
	}
	return out
}

func medianOf(tokens []int) float64 {
	values := make([]float64, len(tokens))
	for i, n := range tokens {
		values[i] = float64(n)
	}
	slices.Sort(values)
	return stats.Quantile(values, 0.5)
}

// lengthTable has the quantiles of each model's lengths, right and wrong, on each task.
func (r *Report) lengthTable() [][]string {
	table := [][]string{{"model", "task", "samples", "mean", "5 %", "25 %", "median", "75 %", "95 %", "longest", "truncated"}}
	add := func(m Model, task, kind string, l *Lengths, n int, cut Number) {
		if l == nil || n == 0 {
			return
		}
		whole := func(v Number) string {
			if !v.finite() {
				return missing
			}
			return strconv.FormatFloat(math.Round(float64(v)), 'f', 0, 64)
		}
		row := []string{m.Name, task + kind, strconv.Itoa(n)}
		for _, v := range []Number{l.Mean, l.Quantiles.P05, l.Quantiles.P25, l.Median, l.Quantiles.P75, l.Quantiles.P95, Number(l.Max)} {
			row = append(row, whole(v))
		}
		table = append(table, append(row, percent(cut)))
	}
	for _, m := range r.Models {
		for _, t := range m.Tasks {
			f := t.Figures
			nan := Number(math.NaN())
			add(m, t.Name, "", &f.Lengths, f.completions, f.Truncated)
			add(m, t.Name, ", right", f.Lengths.Right, len(f.lengths[1]), nan)
			add(m, t.Name, ", wrong", f.Lengths.Wrong, len(f.lengths[0]), nan)
		}
	}
	if len(table) == 1 {
		return nil
	}
	return table
}
