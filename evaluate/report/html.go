package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

//go:embed page.html style.css
var files embed.FS

// rewardMeaning says what the built-in rewards measure, for readers of the
// page who did not set them.
func rewardMeaning(name string) string {
	return map[string]string{
		"accuracy":  "1 when the final answer equals the gold answer, otherwise 0",
		"format":    "1 when the whole completion has the form <think> … </think> and then the answer, otherwise 0",
		"tag_count": "the share of the expected tags that come exactly once",
	}[name]
}

// page is what page.html shows.
type page struct {
	Title, Lead string
	Style       template.CSS
	Tiles       []tile
	Models      []modelView
	Head        [][]string // the headline table; its first row are titles
	Compared    []comparison
	Notes       []string
	Learning    *panel
	Levels      *panel
	LevelTable  [][]string
	Sources     [][]string
	Lengths     *panel
	Panels      []panel
	More        []panel
	Examples    []exampleGroup
	Rewards     []rewardView
	Settings    []Setting
	Resamples   int
	Seed        uint64
	Seconds     string
}

type tile struct{ Name, Value, Detail, Class string }

type modelView struct {
	Name, Class          string
	Mean, Low, High      float64 // in percent, of the bar
	HasMean, HasInterval bool
}

type comparison struct{ A, B, Difference, Interval, P, Problems, Left string }

type rewardView struct {
	Name, Meaning string
	Means         []string
}

// WriteHTML writes the report as one page that refers to nothing outside of
// itself and runs no script.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"px":     func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"series": series,
		"add":    func(a, b float64) float64 { return a + b },
		"neg":    func(a float64) float64 { return -a },
		"anchor": anchor,
	}).ParseFS(files, "page.html")
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	p := r.page()
	p.Style = template.CSS(style) // our own file, not the reader's data
	return t.Execute(w, p)
}

// anchor keeps the labels at the ends of the x axis inside of the chart.
func anchor(p plot, t tick) string {
	if len(p.Bars) == 0 && t.At > p.Right-8 {
		return "end"
	}
	return "middle"
}

func (r *Report) page() page {
	p := page{
		Title: r.Title, Lead: r.lead(), Head: r.headline(),
		Learning: r.learning(), Levels: r.byLevel(), Lengths: r.lengthChart(),
		LevelTable: r.partsTable("level", func(m Model) []Part { return m.Levels }),
		Sources:    r.partsTable("source", func(m Model) []Part { return m.Sources }),
		Examples:   r.examples, Settings: r.Settings, Resamples: r.resamples, Seed: r.Seed,
	}
	if p.Title == "" {
		p.Title = "Evaluation report"
	}
	if r.Seconds > 0 {
		p.Seconds = duration(float64(r.Seconds))
	}
	p.Panels, p.More = panels(r.curves)
	for i, m := range r.Models {
		v := modelView{Name: m.Name, Class: series(i)}
		if v.HasMean = m.Accuracy.Mean.finite(); v.HasMean {
			v.Mean = 100 * float64(m.Accuracy.Mean)
		}
		if v.HasInterval = m.Accuracy.CI95[0].finite() && m.Accuracy.CI95[1].finite(); v.HasInterval {
			v.Low, v.High = 100*float64(m.Accuracy.CI95[0]), 100*float64(m.Accuracy.CI95[1])
		}
		p.Models = append(p.Models, v)
		for _, note := range m.notes() {
			p.Notes = append(p.Notes, m.Name+": "+note)
		}
	}
	for _, c := range r.Paired {
		v := comparison{A: c.A, B: c.B, Difference: points(c.Difference.Mean), Interval: signed(c.Difference.CI95),
			P: pValue(c.P, c.PExact, r.resamples), Problems: strconv.Itoa(c.Problems)}
		if c.OnlyA+c.OnlyB > 0 {
			v.Left = fmt.Sprintf("%d and %d problems that only one of them has were not compared", c.OnlyA, c.OnlyB)
		}
		p.Compared = append(p.Compared, v)
	}
	p.Tiles = r.tiles()
	p.Rewards = r.rewardViews()
	return p
}

// tiles are the few numbers at the top: the first and the last model and what
// is between them.
func (r *Report) tiles() []tile {
	first, last := r.Models[0], r.Models[len(r.Models)-1]
	accuracy := func(m Model, class string) tile {
		return tile{m.Name, percent(m.Accuracy.Mean), "95 % interval " + span(m.Accuracy.CI95), class}
	}
	tiles := []tile{accuracy(first, series(0))}
	if len(r.Models) > 1 {
		d := r.Paired[len(r.Paired)-1]
		tiles = append(tiles, accuracy(last, series(len(r.Models)-1)),
			tile{"difference", points(d.Difference.Mean) + " points", signed(d.Difference.CI95) + ", " + pValue(d.P, d.PExact, r.resamples), "difference"})
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
	if len(r.Models) == 1 {
		m := r.Models[0]
		if !m.Accuracy.Mean.finite() {
			return "No completion was judged."
		}
		return fmt.Sprintf("%s answers %s of %d problems correctly.", m.Name, percent(m.Accuracy.Mean), m.Problems)
	}
	p := r.Paired[len(r.Paired)-1]
	ci := p.Difference.CI95
	amount := strings.TrimLeft(points(p.Difference.Mean), "+−")
	switch {
	case p.Problems == 0:
		return fmt.Sprintf("%s and %s have no judged problem in common: they can't be compared.", p.A, p.B)
	case !ci[0].finite() || ci[0] <= 0 && ci[1] >= 0:
		return fmt.Sprintf("No detectable difference between %s and %s on %d problems.", p.A, p.B, p.Problems)
	case p.Difference.Mean > 0:
		return fmt.Sprintf("%s answers %s percentage points more of the %d problems correctly than %s.", p.B, amount, p.Problems, p.A)
	default:
		return fmt.Sprintf("%s answers %s percentage points fewer of the %d problems correctly than %s.", p.B, amount, p.Problems, p.A)
	}
}

func (r *Report) rewardViews() []rewardView {
	names := make(map[string]bool)
	for _, m := range r.Models {
		for name := range m.Rewards {
			names[name] = true
		}
	}
	var out []rewardView
	for _, name := range slices.Sorted(maps.Keys(names)) {
		v := rewardView{Name: name, Meaning: rewardMeaning(name)}
		for _, m := range r.Models {
			mean, ok := m.Rewards[name]
			if !ok {
				v.Means = append(v.Means, missing)
				continue
			}
			v.Means = append(v.Means, compact(mean))
		}
		out = append(out, v)
	}
	return out
}

// duration writes seconds as people say them.
func duration(s float64) string {
	switch {
	case s < 90:
		return strconv.FormatFloat(s, 'f', 1, 64) + " s"
	case s < 5400:
		return fmt.Sprintf("%d min %02d s", int(s)/60, int(s)%60)
	}
	return fmt.Sprintf("%d h %02d min", int(s)/3600, int(s)%3600/60)
}
