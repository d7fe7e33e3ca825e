package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"openrs/evaluate/stats"
)

// panel is a chart in two shapes, for wide screens and for phones, with what
// there is to say about it.
type panel struct {
	Title, Note  string
	Wide, Narrow plot
}

// mostSeries is for how many models there are colours; of more, only the first one has its own.
const mostSeries = 6

// series is the class that gives the i-th model its colour.
func (r *Report) series(i int) string {
	if len(r.Models) > mostSeries {
		i = min(i, 1)
	}
	return "s" + strconv.Itoa(i)
}

// curveSpec is how a metric is shown.
type curveSpec struct {
	names   []string // of the metric, in order of preference
	title   string
	note    string
	percent bool // a share, drawn from 0 to 100 %
}

// curveSpecs are the curves that the page shows first, in this order; other
// metrics follow under their own names.
func curveSpecs() []curveSpec {
	return []curveSpec{
		{[]string{"eval/accuracy", "accuracy"}, "Held-out accuracy", "measured during training", true},
		{[]string{"reward"}, "Reward", "mean weighted reward of the step's completions", false},
		{[]string{"rewards/accuracy/mean", "rewards/accuracy_reward/mean"}, "Right answers in training", "share of the step's completions", true},
		{[]string{"rewards/format/mean", "rewards/format_reward/mean"}, "Format reward", "mean over the step's completions", false},
		{[]string{"reward_std"}, "Spread of rewards", "standard deviation within a group, mean over groups", false},
		{[]string{"frac_reward_zero_std"}, "Groups without spread", "all rewards equal: nothing to learn from", true},
		{[]string{"completions/mean_length", "completion_length"}, "Completion length", "tokens, mean", false},
		{[]string{"completions/clipped_ratio"}, "Truncated completions", "share cut at the limit", true},
		{[]string{"entropy"}, "Entropy", "nats per token, mean", false},
		{[]string{"kl"}, "KL to the reference", "nats per token, mean", false},
		{[]string{"grad_norm"}, "Gradient norm", "before clipping", false},
		{[]string{"learning_rate"}, "Learning rate", "", false},
	}
}

// panels draws the curves: the known ones first, then the rest.
func panels(all []curve) (known, more []panel) {
	used := make(map[*curve]bool)
	for _, spec := range curveSpecs() {
		if c := find(all, spec.names...); c != nil {
			used[c] = true
			if p, ok := curvePanel(c, spec); ok {
				known = append(known, p)
			}
		}
	}
	for i := range all {
		c := &all[i]
		if used[c] {
			continue
		}
		if p, ok := curvePanel(c, curveSpec{title: c.Name, note: c.Stage}); ok {
			more = append(more, p)
		}
	}
	return known, more
}

// curvePanel is a small chart of one metric; false when it has no finite
// value.
func curvePanel(c *curve, spec curveSpec) (panel, bool) {
	points, left := c.finite()
	if len(points) == 0 {
		return panel{}, false
	}
	p := frame(spec.title+" by step", 340, 190)
	note := spec.note
	if off := p.curve(points, spec.percent); off > 0 {
		highest := math.Inf(-1)
		for _, q := range points {
			highest = max(highest, q[1])
		}
		note = join(note, fmt.Sprintf("%d above the scale, up to %s", off, compact(Number(highest))))
	}
	if left > 0 {
		note = join(note, fmt.Sprintf("%d not finite, not drawn", left))
	}
	return panel{Title: spec.title, Note: note, Wide: p, Narrow: p}, true
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// curve draws points faintly and their running mean on top of them. It
// returns how many points are above the scale: a few wild values (KL estimates
// have them) must not flatten everything else.
func (p *plot) curve(points [][2]float64, asPercent bool) (off int) {
	values := make([]float64, len(points))
	for i, q := range points {
		values[i] = q[1]
	}
	slices.Sort(values)
	lo, hi := min(0, values[0]), values[len(values)-1]
	if most := stats.Quantile(values, 0.95); most > 0 && hi > 3*most {
		hi = 1.5 * most
	}
	switch {
	case hi <= lo:
		hi = lo + 1
	case asPercent && lo == 0 && hi > 0.25 && hi <= 1:
		hi = 1
	default:
		hi += (hi - lo) * 0.04
	}
	x, y := p.x(ends(points)), p.y(lo, hi)
	p.XTicks, p.YTicks = wholeTicks(x, int((p.Right-p.Left)/60)), ticks(y, 4, asPercent)
	for _, v := range values {
		if v > hi {
			off++
		}
	}
	p.draw(points, runningMean(points, window(len(points))), x, y, asPercent)
	return off
}

// draw adds the two lines, and marks that can be pointed at where there are
// few enough of them.
func (p *plot) draw(points, mean [][2]float64, x, y scale, asPercent bool) {
	n := int(p.Right - p.Left)
	p.Lines = append(p.Lines, line{"raw", path(thin(points, n), x, y)}, line{"mean", path(thin(mean, n), x, y)})
	if len(points) > 200 {
		return
	}
	for i, q := range points {
		value, average := compact(Number(q[1])), compact(Number(mean[i][1]))
		if asPercent {
			value, average = percent(Number(q[1])), percent(Number(mean[i][1]))
		}
		if q[1] <= y.hi {
			p.Marks = append(p.Marks, mark{"dot", x.At(q[0]), y.At(q[1]), 1.6, fmt.Sprintf("step %.0f: %s (running mean %s)", q[0], value, average)})
		}
	}
}

func ends(points [][2]float64) (lo, hi float64) { return points[0][0], points[len(points)-1][0] }

// wholeTicks are ticks of a scale of steps: whole numbers only.
func wholeTicks(s scale, n int) []tick {
	if s.hi > s.lo && s.hi-s.lo < float64(n) {
		n = int(s.hi - s.lo)
	}
	return ticks(s, n, false)
}

// learning is the learning curve: right answers during training, with the
// models' held-out accuracy and its interval at the step that each was taken
// from, or across the chart where that is not known. Nil without a curve.
func (r *Report) learning() *panel {
	specs := curveSpecs()
	spec := specs[2] // right answers in training
	c := find(r.curves, spec.names...)
	if c == nil {
		spec = specs[1] // reward
		if c = find(r.curves, spec.names...); c == nil {
			return nil
		}
	}
	points, left := c.finite()
	if len(points) == 0 {
		return nil
	}
	out := &panel{Title: spec.title, Note: spec.note}
	if w := window(len(points)); w > 1 {
		out.Note += fmt.Sprintf("; thick line: running mean of %d steps", w)
	}
	if left > 0 {
		out.Note += fmt.Sprintf("; %d steps not finite, not drawn", left)
	}
	out.Wide, out.Narrow = frame("Learning curve", 960, 340), frame("Learning curve", 380, 280)
	for _, p := range []*plot{&out.Wide, &out.Narrow} {
		if !spec.percent {
			p.curve(points, false)
			continue
		}
		at, known := r.takenFrom()
		lo, hi := ends(points)
		if known {
			lo, hi = min(lo, slices.Min(at)), max(hi, slices.Max(at))
		}
		pad := (hi - lo) * 0.012 // room for the dots at the ends
		x, y := p.x(lo-pad, hi+pad), p.y(0, 1)
		p.XLabel = "step"
		p.XTicks, p.YTicks = wholeTicks(x, int((p.Right-p.Left)/70)), ticks(y, 5, true)
		p.draw(points, runningMean(points, window(len(points))), x, y, true)
		for i, m := range r.Models {
			if !m.Accuracy.Mean.finite() {
				continue
			}
			if !known {
				p.Refs = append(p.Refs, ref{r.series(i), y.At(float64(m.Accuracy.Mean)), m.Name + ", held out: " + percent(m.Accuracy.Mean)})
				continue
			}
			p.point(r.series(i), x.At(at[i]), y, m.Accuracy, fmt.Sprintf("%s, held out: %s (%s)", m.Name, percent(m.Accuracy.Mean), span(m.Accuracy.CI95)))
		}
	}
	if spec.percent {
		if _, known := r.takenFrom(); known {
			out.Note += "; large dots: held-out accuracy with its 95 % interval"
		} else {
			out.Note += "; dashed: held-out accuracy of each model"
		}
	}
	return out
}

// takenFrom is the step that each model is a snapshot of: its policy version.
// It is not known when a model mixes versions or two models share one (a model
// loaded from a folder is version 0 whatever it is).
func (r *Report) takenFrom() (steps []float64, known bool) {
	seen := make(map[int64]bool)
	for _, m := range r.Models {
		if m.PolicyVersion == nil || seen[*m.PolicyVersion] {
			return nil, false
		}
		seen[*m.PolicyVersion] = true
		steps = append(steps, float64(*m.PolicyVersion))
	}
	return steps, len(steps) > 1
}

// point marks an accuracy with its interval.
func (p *plot) point(class string, x float64, y scale, e Estimate, title string) {
	p.whisker(class, x, y, e, 6)
	p.Marks = append(p.Marks, mark{"held " + class, x, y.At(float64(e.Mean)), 4.5, title})
}

func (p *plot) whisker(class string, x float64, y scale, e Estimate, width float64) {
	if e.CI95[0].finite() && e.CI95[1].finite() {
		p.Whiskers = append(p.Whiskers, whisker{
			Class: class, X: x, Y1: y.At(float64(e.CI95[0])), Y2: y.At(float64(e.CI95[1])), CapL: x - width, CapR: x + width,
		})
	}
}

// byLevel draws the accuracy on each level, a bar a model, with intervals.
func (r *Report) byLevel() *panel {
	var names []string
	for _, m := range r.Models {
		for _, l := range m.Levels {
			if !slices.Contains(names, l.Name) {
				names = append(names, l.Name)
			}
		}
	}
	if len(names) == 0 || len(r.Models) > 6 {
		return nil // the table has them all
	}
	out := &panel{Title: "Accuracy by level", Wide: frame("Accuracy by level", 960, 300), Narrow: frame("Accuracy by level", 380, 260)}
	for _, p := range []*plot{&out.Wide, &out.Narrow} {
		y := p.y(0, 1)
		p.YTicks, p.XLabel = ticks(y, 5, true), "level"
		group := (p.Right - p.Left) / float64(len(names))
		wide := min(group*0.7/float64(len(r.Models)), 64)
		for g, name := range names {
			centre := p.Left + (float64(g)+0.5)*group
			p.XTicks = append(p.XTicks, tick{centre, brief(name, 10)})
			for i, m := range r.Models {
				at := slices.IndexFunc(m.Levels, func(l Part) bool { return l.Name == name })
				if at < 0 {
					continue
				}
				l := m.Levels[at]
				x := centre + (float64(i)-float64(len(r.Models))/2)*wide
				top := y.At(float64(l.Accuracy.Mean))
				p.Bars = append(p.Bars, bar{r.series(i), x + 1.5, top, wide - 3, p.Bottom - top,
					fmt.Sprintf("%s, level %s: %s (%s), %d problems", m.Name, name, percent(l.Accuracy.Mean), span(l.Accuracy.CI95), l.Problems)})
				p.whisker(r.series(i), x+wide/2, y, l.Accuracy, min(5, wide/4))
			}
		}
	}
	return out
}
