package report

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strconv"
)

//go:embed page.html plots.html style.css browser.js
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
	Title, Lead    string
	Style          template.CSS
	Script         template.JS
	Policy         string // Content-Security-Policy: this page's script runs, nothing else, and nothing is fetched
	Sections       []modelView
	Tiles          []tile
	Models         []modelView
	Head           [][]string // the headline table; its first row are titles
	Forests        []forest
	Differences    []forest
	Pairs          [][]string
	Selection      [][]string
	SelectionNote  string
	Stacks         []stack
	StackKeys      []modelView
	Outcomes       [][]string
	Failures       [][]string
	Figures        [][]string
	Notes          []string
	Learning       *panel
	Levels         *panel
	LevelTable     [][]string
	Lengths        *panel
	LengthTable    [][]string
	Panels         []panel
	More           []panel
	Browser        browser
	Packed         template.HTML // Browser.Data
	Examples       []exampleGroup
	Rewards        []rewardView
	Settings       []Setting
	Resamples      int
	Seed           uint64
	Seconds        string
	Reference      string
	Several, Tasks bool // more than one model, task
}

type tile struct{ Name, Value, Detail, Class string }

type modelView struct{ Name, Class string }

type rewardView struct {
	Name, Meaning string
	Means         []string
}

// WriteHTML writes the report as one page that refers to nothing outside of
// itself. Its only script shows the samples; without it the page shows the
// examples instead.
func (r *Report) WriteHTML(w io.Writer) error {
	t, err := template.New("page.html").Funcs(template.FuncMap{
		"px":     func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) },
		"series": r.series,
		"add":    func(a, b float64) float64 { return a + b },
		"neg":    func(a float64) float64 { return -a },
		"anchor": anchor,
	}).ParseFS(files, "page.html", "plots.html")
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	script, err := files.ReadFile("browser.js")
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	p, err := r.page()
	if err != nil {
		return fmt.Errorf("report page: %w", err)
	}
	// Both are our own files, not the reader's data.
	p.Style, p.Script = template.CSS(style), template.JS(script)
	sum := sha256.Sum256(script)
	p.Policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	return t.Execute(w, p)
}

// anchor keeps the labels at the ends of the x axis inside of the chart.
func anchor(p plot, t tick) string {
	if len(p.Bars) == 0 && t.At > p.Right-8 {
		return "end"
	}
	return "middle"
}

func (r *Report) page() (page, error) {
	p := page{
		Title: r.Title, Lead: r.lead(), Head: r.headline(),
		Forests: r.forests(), Differences: r.differences(), Pairs: r.pairTable(), Selection: r.selectionTable(), SelectionNote: r.selectionNote(),
		Outcomes: r.outcomeTable(), Failures: r.failureTable(), Figures: r.figureTable(),
		Learning: r.learning(), Levels: r.byLevel(), Lengths: r.lengthChart(), LengthTable: r.lengthTable(),
		LevelTable: r.partsTable("level", func(m Model) []Part { return m.Levels }),
		Tiles:      r.tiles(), Notes: r.allNotes(), Rewards: r.rewardViews(),
		Examples: r.examples, Settings: r.Settings, Resamples: r.options.Resamples, Seed: r.Seed,
		Reference: r.Models[0].Name, Several: len(r.Models) > 1, Tasks: len(r.tasks) > 1,
	}
	if p.Title == "" {
		p.Title = "Evaluation report"
	}
	if r.Seconds > 0 {
		p.Seconds = duration(float64(r.Seconds))
	}
	p.Panels, p.More = panels(r.curves)
	p.Stacks, p.StackKeys = r.stacks()
	for i, m := range r.Models {
		p.Models = append(p.Models, modelView{m.Name, r.series(i)})
	}
	if p.Tasks {
		for i, row := range p.Head { // the mean over tasks is in the plots
			p.Head[i] = slices.Delete(row, 1, 2)
		}
	}
	var err error
	if p.Browser, err = r.browser(); err != nil {
		return p, err
	}
	p.Packed = template.HTML(p.Browser.Data) // base64
	for _, s := range []struct {
		id, name string
		there    bool
	}{
		{"scores", "Scores", len(p.Forests) > 0}, {"differences", "Differences", len(p.Differences) > 0}, {"outcomes", "Outcomes", len(p.Stacks) > 0},
		{"lengths", "Lengths", p.Lengths != nil}, {"training", "Training", len(p.Panels) > 0 || p.Learning != nil}, {"samples", "Samples", p.Browser.Data != ""},
		{"method", "Method", true},
	} {
		if s.there {
			p.Sections = append(p.Sections, modelView{s.name, s.id})
		}
	}
	return p, nil
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
