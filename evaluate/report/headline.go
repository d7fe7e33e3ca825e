package report

import (
	"fmt"
	"strconv"
	"strings"
)

// headline is the one figure that stands for a model: the mean over tasks, each counting the same, as in
// published averages; with one task its accuracy.
func (m Model) headline() Estimate {
	if m.Macro != nil {
		return *m.Macro
	}
	return m.Accuracy
}

// headline is the comparison of that figure.
func (p Paired) headline() Comparison {
	if p.Macro != nil {
		return *p.Macro
	}
	return p.Comparison
}

// on says what a headline is about.
func (r *Report) on(problems int) string {
	if len(r.tasks) > 1 {
		return fmt.Sprintf("%d tasks with %d problems", len(r.tasks), problems)
	}
	return fmt.Sprintf("%d problems", problems)
}

// tiles are the few numbers at the top: the first and the last model and what
// is between them. The last, not the best: it was not picked for its score.
func (r *Report) tiles() []tile {
	first, last := r.Models[0], r.Models[len(r.Models)-1]
	score := func(m Model, class string) tile {
		e := m.headline()
		return tile{m.Name, percent(e.Mean), "95 % interval " + span(e.CI95), class}
	}
	tiles := []tile{score(first, r.series(0))}
	if len(r.Models) > 1 {
		c := r.Paired[len(r.Paired)-1].headline()
		tiles = append(tiles, score(last, r.series(len(r.Models)-1)),
			tile{"difference", points(c.Difference.Mean) + " points", signed(c.Difference.CI95) + ", " + pValue(c.P, c.PExact, r.options.Resamples), "difference"})
	}
	if len(r.tasks) > 1 {
		return append(tiles, tile{"tasks", strconv.Itoa(len(r.tasks)), fmt.Sprintf("%d problems, %d samples", last.Problems, last.Samples), "count"})
	}
	samples := strconv.Itoa(last.SamplesPerProblem[1])
	if last.SamplesPerProblem[0] != last.SamplesPerProblem[1] {
		samples = fmt.Sprintf("%d to %d", last.SamplesPerProblem[0], last.SamplesPerProblem[1])
	}
	each := " samples each"
	if samples == "1" {
		each = " sample each"
	}
	return append(tiles, tile{"problems", strconv.Itoa(last.Problems), samples + each, "count"})
}

// lead says the result in words, and no more than the intervals allow.
func (r *Report) lead() string {
	switch len(r.Models) {
	case 1:
		return r.leadOfOne(r.Models[0])
	case 2:
		return r.leadOfTwo(r.Paired[0])
	}
	return r.leadOfMany()
}

func (r *Report) leadOfOne(m Model) string {
	switch {
	case !m.Accuracy.Mean.finite():
		return "No completion was judged."
	case m.Macro != nil:
		return fmt.Sprintf("%s scores %s on average over %s.", m.Name, percent(m.Macro.Mean), r.on(m.Problems))
	}
	return fmt.Sprintf("%s answers %s of %d problems correctly.", m.Name, percent(m.Accuracy.Mean), m.Problems)
}

func (r *Report) leadOfTwo(p Paired) string {
	c := p.headline()
	amount := strings.TrimLeft(points(c.Difference.Mean), "+−")
	more := "more"
	if c.Difference.Mean < 0 {
		more = "fewer"
	}
	switch ci := c.Difference.CI95; {
	case c.Problems == 0:
		return fmt.Sprintf("%s and %s have no judged problem in common: they can't be compared.", p.A, p.B)
	case !ci[0].finite() || ci[0] <= 0 && ci[1] >= 0:
		return fmt.Sprintf("No detectable difference between %s and %s on %s.", p.A, p.B, r.on(c.Problems))
	case p.Macro != nil:
		higher := map[string]string{"more": "higher", "fewer": "lower"}[more]
		return fmt.Sprintf("%s scores %s percentage points %s than %s on average over %s.", p.B, amount, higher, p.A, r.on(c.Problems))
	}
	return fmt.Sprintf("%s answers %s percentage points %s of the %d problems correctly than %s.", p.B, amount, more, c.Problems, p.A)
}

// leadOfMany counts the models that differ from the first beyond what comparing so many gives by chance.
func (r *Report) leadOfMany() string {
	var better, worse []string
	compared := 0
	for _, p := range r.Paired {
		c := p.headline()
		if c.Problems > 0 {
			compared++
		}
		switch {
		case !c.PHolm.finite() || c.PHolm >= 0.05:
		case c.Difference.Mean > 0:
			better = append(better, p.B)
		default:
			worse = append(worse, p.B)
		}
	}
	if compared == 0 {
		return fmt.Sprintf("%s and the %d other models have no judged problem in common: they can't be compared.", r.Models[0].Name, len(r.Paired))
	}
	of := func(names []string) string {
		switch {
		case len(names) == 0:
			return "none"
		case len(names) <= 3:
			return strings.Join(names, ", ")
		}
		return strconv.Itoa(len(names))
	}
	if len(better)+len(worse) == 0 {
		return fmt.Sprintf("Of %d models compared with %s, none is detectably better or worse on %s.", compared, r.Models[0].Name, r.on(r.Paired[0].Problems))
	}
	return fmt.Sprintf("Of %d models compared with %s on %s, detectably better: %s; detectably worse: %s.",
		compared, r.Models[0].Name, r.on(r.Paired[0].Problems), of(better), of(worse))
}
