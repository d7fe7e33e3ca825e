package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"openrs/schemas"
)

func pageOf(t testing.TB, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var outside = regexp.MustCompile(`(?i)<script[^>]+src|<link[^>]+href="[^d]|\ssrc=|@import|url\(|https?://`)

// checkScripts makes sure that a page has only its own two scripts (samples and what shows them, when there are
// samples), the second of which is the one that its policy allows.
func checkScripts(t testing.TB, page string, samples bool) {
	t.Helper()
	want := 0
	if samples {
		want = 2
	}
	if n := strings.Count(strings.ToLower(page), "<script"); n != want {
		t.Errorf("the page has %d scripts, want %d", n, want)
	}
	if !samples {
		return
	}
	_, rest, _ := strings.Cut(page, "</script>\n<script>")
	script, _, _ := strings.Cut(rest, "</script>")
	sum := sha256.Sum256([]byte(script))
	if len(script) < 1000 || !strings.Contains(html.UnescapeString(page), "script-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
		t.Errorf("the policy does not allow the page's script of %d bytes", len(script))
	}
}

func TestPageIsSelfContained(t *testing.T) {
	r := mustBuild(t, []Input{student(t, "before", 80, 4, 0.5, 0), student(t, "after", 80, 4, 0.95, 80)},
		Options{Title: "quickstart", Seed: 1, Seconds: 141, Metrics: trainingMetrics(80), Settings: []Setting{{"learning rate", "1e-4"}}})
	page := pageOf(t, r)
	if m := outside.FindString(page); m != "" {
		t.Errorf("the page refers to something outside of itself: %q", m)
	}
	for _, want := range []string{
		"<title>quickstart</title>", "Learning curve", "large dots: held-out accuracy", "Accuracy by level", "Length of completions",
		"Groups without spread", "KL to the reference", "1 above the scale, up to 2.50", "1 not finite, not drawn", "2 more metrics",
		"wrong in before, right in after", "What was rewarded", "1 when the final answer equals the gold answer",
		"learning rate", "80 problems", "4 samples each", "Seed 1.", "2 min 21 s", "prefers-color-scheme: dark",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	checkScripts(t, page, true)
	if len(page) > 400<<10 {
		t.Errorf("the page has %d KiB", len(page)>>10)
	}
	checkPlots(t, page)
}

// checkPlots parses every outermost SVG as XML and looks for places that are
// no numbers.
func checkPlots(t testing.TB, page string) {
	t.Helper()
	at := 0
	for n := 0; ; n++ {
		i := strings.Index(page[at:], "<svg viewBox")
		if i < 0 {
			if n == 0 {
				t.Error("the page has no plot")
			}
			return
		}
		at += i
		d := xml.NewDecoder(strings.NewReader(page[at:]))
		for depth := 0; ; {
			token, err := d.Token()
			if err != nil {
				t.Fatalf("plot %d is not well formed: %v\n%.500s", n, err, page[at:])
			}
			switch e := token.(type) {
			case xml.StartElement:
				depth++
				for _, a := range e.Attr {
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Fatalf("plot %d: %s=%q", n, a.Name.Local, a.Value)
					}
					if (a.Name.Local == "width" || a.Name.Local == "height") && strings.HasPrefix(a.Value, "-") {
						t.Fatalf("plot %d: %s=%q", n, a.Name.Local, a.Value)
					}
				}
			case xml.EndElement:
				depth--
			}
			if depth == 0 {
				break
			}
		}
		at += int(d.InputOffset())
	}
}

func TestTextsAreEscaped(t *testing.T) {
	evil := `</pre></style><script>alert("x")</script><img src=x onerror=y>`
	bad := row(evil, 0, yes(), 3)
	bad.Completion, bad.Answer, bad.Extracted, bad.Source = evil, evil, &evil, evil
	bad.Rewards = map[string]float32{evil: 1}
	metrics := []schemas.Metric{{Stage: evil, Step: 1, Name: evil, Value: 1}, {Stage: evil, Step: 2, Name: evil, Value: 2}}
	r := mustBuild(t, []Input{{evil, []schemas.Scored{bad}}}, Options{
		Title: evil, Metrics: metrics, Settings: []Setting{{evil, evil}}, Level: func(string, string) (string, bool) { return evil, true },
	})
	page := pageOf(t, r)
	checkScripts(t, page, true)
	for _, tag := range []string{"<script>alert", "<img", "</style><", "</pre></style>"} {
		if strings.Contains(page, tag) {
			t.Errorf("%q came through", tag)
		}
	}
	if n := strings.Count(page, "&lt;script&gt;"); n < 8 {
		t.Errorf("the texts are shown %d times, want each of them", n)
	}
	checkPlots(t, page)
}

func TestExamplesAreFair(t *testing.T) {
	a, b := student(t, "a", 200, 2, 0.5, 0), student(t, "b", 200, 2, 0.8, 9)
	r := mustBuild(t, []Input{a, b}, Options{Seed: 4, Examples: 3})
	sum := 0
	for _, g := range r.examples {
		sum += g.Of
		if g.All != 200 || len(g.Examples) != min(3, g.Of) {
			t.Errorf("%s: %d examples of %d", g.Kind, len(g.Examples), g.Of)
		}
		for _, e := range g.Examples {
			x, y := e.Answers[0].Right, e.Answers[1].Right
			want := map[[2]bool]string{{false, true}: "wrong in a, right in b", {true, false}: "right in a, wrong in b", {false, false}: "wrong in both", {true, true}: "right in both"}[[2]bool{x, y}]
			if g.Kind != want {
				t.Errorf("%s is filed under %q, want %q", e.Problem, g.Kind, want)
			}
		}
	}
	if len(r.examples) != 4 || sum != 200 {
		t.Errorf("%d kinds with %d problems, want 4 with 200", len(r.examples), sum)
	}
	other := mustBuild(t, []Input{a, b}, Options{Seed: 5, Examples: 3})
	if fmt.Sprint(other.examples) == fmt.Sprint(r.examples) {
		t.Error("another seed chose the same examples")
	}
}

func TestLongCompletionsAreShortened(t *testing.T) {
	long := row("p", 0, yes(), 3)
	long.Completion = "start" + strings.Repeat("é", 10_000) + "end"
	e := answerOf("m", 0, &long)
	if !e.Cut || len(e.Text) > maxExample+100 || !strings.HasPrefix(e.Text, "start") || !strings.HasSuffix(e.Text, "end") {
		t.Errorf("shortened to %d bytes", len(e.Text))
	}
}

func TestReadMetrics(t *testing.T) {
	dir := t.TempDir()
	read := func(text string) ([]schemas.Metric, error) {
		path := filepath.Join(dir, "metrics.jsonl")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return ReadMetrics(path)
	}
	good := `{"time":"2026-01-02T03:04:05.000006Z","stage":"update","step":3,"name":"reward","value":0.5}` + "\n"
	got, err := read(good + "\n" + `{"step":4,"name":"kl","value":null}` + "\n" + `{"step":4,"name":"a","value":"NaN"}` + "\n" +
		`{"step":5,"name":"b","value":"-Infinity"}` + "\n" + `{"step":6,"name":"c","va`)
	if err != nil || len(got) != 4 {
		t.Fatalf("got %d metrics, %v", len(got), err)
	}
	if m := got[0]; m.Stage != "update" || m.Step != 3 || m.Name != "reward" || m.Value != 0.5 || m.Time.Nanosecond() != 6000 {
		t.Errorf("got %+v", m)
	}
	if !math.IsNaN(got[1].Value) || !math.IsNaN(got[2].Value) || !math.IsInf(got[3].Value, -1) {
		t.Errorf("values %v %v %v", got[1].Value, got[2].Value, got[3].Value)
	}
	for text, want := range map[string]string{
		good + "{\n" + good:                                "line 2: want a metric",
		`{"step":1,"value":2}` + "\n":                      "line 1: want a metric: name or step is missing",
		`{"name":"x","value":2}` + "\n":                    "name or step is missing",
		`{"name":"x","step":1,"value":"red"}` + "\n":       `value "red" is not a number`,
		good + `{"name":"x","step":1.5,"value":1}` + "\n ": "line 2",
	} {
		if _, err := read(text); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "metrics.jsonl") {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if _, err := ReadMetrics(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestReadMetricsOfARun(t *testing.T) {
	dir := t.TempDir()
	if got, err := ReadMetrics(dir); err != nil || len(got) != 0 {
		t.Errorf("an empty folder: %v, %v", got, err)
	}
	for name, text := range map[string]string{
		"metrics-update.jsonl": `{"stage":"update","step":1,"name":"reward","value":1}` + "\n",
		"metrics-score.jsonl":  `{"stage":"score","step":1,"name":"reward","value":2}` + "\n",
		"metrics.jsonl":        `{"step":1,"name":"x","value":3}` + "\n",
		"scored.jsonl":         "not metrics\n",
		"metrics.txt":          "neither\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadMetrics(dir)
	if err != nil || len(got) != 3 || got[0].Stage != "score" || got[1].Stage != "update" || got[2].Name != "x" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestCurves(t *testing.T) {
	m := func(stage string, step int64, v float64) schemas.Metric {
		return schemas.Metric{Stage: stage, Step: step, Name: "reward", Value: v}
	}
	all := curves([]schemas.Metric{m("score", 0, 9), m("update", 2, 3), m("update", 0, 1), m("update", 2, 4), m("update", 1, math.NaN())})
	c := find(all, "absent", "reward")
	if c == nil || c.Stage != "update" || fmt.Sprint(c.Steps) != "[0 1 2]" || fmt.Sprint(c.Values) != "[1 NaN 4]" {
		t.Fatalf("got %+v", c)
	}
	if points, left := c.finite(); len(points) != 2 || left != 1 {
		t.Errorf("%v and %d left", points, left)
	}
	if find(all, "absent") != nil {
		t.Error("an absent metric was found")
	}
	line := make([][2]float64, 30)
	for i := range line {
		line[i] = [2]float64{float64(i), 2 * float64(i)}
	}
	mean := runningMean(line, window(len(line)))
	if mean[0][1] != 1 || mean[15][1] != 30 || mean[29][1] != 57 {
		t.Errorf("running mean of a line: %v", mean)
	}
	short := runningMean(line[:5], window(5))
	if fmt.Sprint(short) != fmt.Sprint(line[:5]) {
		t.Errorf("few points were smoothed: %v", short)
	}
	if got := thin(line, 10); len(got) != 10 || got[0] != [2]float64{1, 2} {
		t.Errorf("thinned: %v", got)
	}
}

func TestSteps(t *testing.T) {
	for _, c := range []struct {
		lo, hi float64
		n      int
		want   string
	}{
		{0, 1, 5, "[0 0.2 0.4 0.6000000000000001 0.8 1]"}, {0, 80, 8, "[0 10 20 30 40 50 60 70 80]"},
		{-3, 12, 4, "[0 5 10]"}, {5, 5, 4, "[5]"}, {0, math.Inf(1), 3, "[0]"},
	} {
		if got := fmt.Sprint(steps(c.lo, c.hi, c.n)); got != c.want {
			t.Errorf("%v to %v: got %s, want %s", c.lo, c.hi, got, c.want)
		}
	}
	var labels []string
	for _, tick := range ticks(scale{0, 1e-4, 0, 1}, 2, false) {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, " "); got != "0 5e−5 1e−4" {
		t.Errorf("labels %q", got)
	}
}

func FuzzMetrics(f *testing.F) {
	f.Add([]byte(`{"time":"2026-01-02T03:04:05Z","stage":"update","step":3,"name":"reward","value":0.5}` + "\n"))
	f.Add([]byte(`{"step":1,"name":"kl","value":1e308}` + "\n" + `{"step":9007199254740993,"name":"kl","value":-1e308}`))
	f.Add([]byte(`{"step":-9223372036854775808,"name":"rewards/accuracy/mean","value":"inf"}` + "\n" + `{"step":9223372036854775807,"name":"rewards/accuracy/mean","value":0.1}`))
	in := Input{"m", []schemas.Scored{row("p", 0, yes(), 3)}}
	f.Fuzz(func(t *testing.T, text []byte) {
		metrics, err := decodeMetrics(bytes.NewReader(text))
		if err != nil {
			return
		}
		r := mustBuild(t, []Input{in}, Options{Metrics: metrics, Resamples: 10})
		checkPlots(t, pageOf(t, r))
	})
}

func TestFailingWriter(t *testing.T) {
	r := mustBuild(t, []Input{student(t, "m", 5, 1, 1, 0)}, Options{})
	for name, write := range map[string]func(io.Writer) error{
		"json": r.WriteJSON, "text": r.WriteText, "html": r.WriteHTML, "markdown": r.WriteMarkdown, "samples": r.WriteSamples,
		"lighteval": func(w io.Writer) error { return r.WriteLighteval(w, 0) },
		"details":   func(w io.Writer) error { return r.WriteDetails(w, 0, "synth") },
	} {
		if err := write(broken{}); err == nil {
			t.Errorf("%s: the error of the writer was lost", name)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }
