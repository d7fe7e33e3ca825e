package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"openrs/schemas"
)

// row is one scored rollout by hand.
func row(problem string, sample int32, correct *bool, tokens int) schemas.Scored {
	return schemas.Scored{
		Rollout: schemas.Rollout{
			GroupID: "g-" + problem, ProblemID: problem, Source: "hand", Problem: "what is " + problem + "?", Answer: "1", Sample: sample,
			CompletionIDs: make([]int32, tokens), Completion: "<think>\nhm\n</think>\n\\boxed{1}", FinishReason: schemas.FinishStop,
		},
		Correct: correct,
	}
}

func yes() *bool { return new(true) }
func no() *bool  { return new(false) }

func mustBuild(t testing.TB, inputs []Input, opt Options) *Report {
	t.Helper()
	r, err := Build(inputs, opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func near(t *testing.T, what string, got Number, want float64) {
	t.Helper()
	if math.IsNaN(want) != math.IsNaN(float64(got)) || math.Abs(float64(got)-want) > 1e-12 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestFiguresByHand(t *testing.T) {
	// Before: p 1 of 2, q 0 of 3, r not judged, s 1 of 1 (b has no s).
	// Accuracy (1/2 + 0 + 1) / 3.
	half := float32(0.5)
	cut := row("q", 2, no(), 9)
	cut.FinishReason, cut.Completion, cut.Reward, cut.Rewards = schemas.FinishLength, "no tags", &half, map[string]float32{"format": 0.25}
	failed := row("r", 0, nil, 0)
	failed.FinishReason, failed.Completion, failed.CompletionIDs = schemas.FinishError, "", nil
	idle := row("q", 1, no(), 3)
	idle.Completion = "<think>\n \n</think>\n1"
	before := []schemas.Scored{row("p", 0, yes(), 4), row("p", 1, no(), 6), row("q", 0, no(), 3), idle, cut, failed, row("s", 0, yes(), 5)}
	before = append(before, before[0]) // came twice
	after := []schemas.Scored{row("q", 0, yes(), 1), row("p", 0, yes(), 1), row("t", 0, no(), 1)}

	r := mustBuild(t, []Input{{"before", before}, {"after", after}}, Options{Seed: 3, Seconds: 1.5})
	m := r.Models[0]
	near(t, "accuracy", m.Accuracy.Mean, 0.5)
	near(t, "standard error", m.Accuracy.SE, math.Sqrt(0.25/3))
	near(t, "pass@1", m.PassAtK["1"], 0.5)
	near(t, "mean length", m.Lengths.Mean, 30.0/6)
	near(t, "median length", m.Lengths.Median, 4.5)
	near(t, "truncated", m.Truncated, 1.0/6)
	near(t, "without reasoning", m.WithoutReasoning, 2.0/6)
	near(t, "reward", m.Reward, 0.5)
	near(t, "format", m.Format, 0.25)
	if m.Problems != 3 || m.Samples != 6 || m.Unjudged != 1 || m.Failed != 1 || m.Repeated != 1 ||
		m.SamplesPerProblem != [2]int{1, 3} || m.Lengths.Min != 3 || m.Lengths.Max != 9 || len(m.PassAtK) != 1 || m.MajAtK != nil {
		t.Errorf("model: %+v", m)
	}

	// Both have p (1/2, 1) and q (0, 1): difference 0.75.
	p := r.Paired[0]
	near(t, "difference", p.Difference.Mean, 0.75)
	near(t, "p", p.P, 0.5) // two of the four sign patterns
	if p.A != "before" || p.B != "after" || p.Problems != 2 || p.OnlyA != 1 || p.OnlyB != 1 || !p.PExact {
		t.Errorf("paired: %+v", p)
	}
}

func TestSeveralSamples(t *testing.T) {
	vote := func(sample int32, answer string, correct *bool) schemas.Scored {
		r := row("p", sample, correct, 1)
		r.Extracted = &answer
		return r
	}
	r := mustBuild(t, []Input{{"m", []schemas.Scored{vote(0, "1", yes()), vote(1, "2", no()), vote(2, "1", yes()), vote(3, "3", no())}}}, Options{})
	m := r.Models[0]
	near(t, "pass@1", m.PassAtK["1"], 0.5)
	near(t, "pass@2", m.PassAtK["2"], 1-1.0/6)
	near(t, "pass@4", m.PassAtK["4"], 1)
	near(t, "maj@4", m.MajAtK["4"], 1)
}

// The fields that scripts read must be where the documentation says.
func TestJSONFields(t *testing.T) {
	r := mustBuild(t, []Input{student(t, "before", 40, 4, 0.5, 0), student(t, "after", 40, 4, 0.9, 80)},
		Options{Seed: 7, Seconds: 12.5, Settings: []Setting{{"lr", "1e-4"}}})
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Models []struct {
			Name     string
			Accuracy struct {
				Mean float64
				CI95 [2]float64
				SE   float64
			}
			Problems, Samples int
			PassAtK           map[string]float64 `json:"pass_at_k"`
			Lengths           struct{ Mean, Min, Max float64 }
			Truncated, Format float64
			ByLevel           []struct{ Name string } `json:"by_level"`
		}
		Paired []struct {
			A, B       string
			Difference struct {
				Mean float64
				CI95 [2]float64
			}
			P float64 `json:"p_value"`
		}
		Seed    uint64
		Seconds float64
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Models) != 2 || len(got.Paired) != 1 || got.Seed != 7 || got.Seconds != 12.5 {
		t.Fatalf("got %+v", got)
	}
	for _, m := range got.Models {
		a := m.Accuracy
		if m.Name == "" || !(0 < a.CI95[0] && a.CI95[0] < a.Mean && a.Mean < a.CI95[1] && a.CI95[1] < 1) || a.SE <= 0 ||
			m.Problems != 40 || m.Samples != 160 || len(m.PassAtK) != 3 || m.Lengths.Max < m.Lengths.Mean || m.Format <= 0 || len(m.ByLevel) != 4 {
			t.Errorf("model %+v", m)
		}
	}
	p := got.Paired[0]
	if p.A != "before" || p.B != "after" || p.Difference.CI95[0] <= 0 || p.P > 0.01 ||
		math.Abs(p.Difference.Mean-(got.Models[1].Accuracy.Mean-got.Models[0].Accuracy.Mean)) > 1e-12 {
		t.Errorf("paired %+v", p)
	}
}

// The order in which rows come depends on who made them; the report must not.
func TestOrderOfRowsDoesNotMatter(t *testing.T) {
	write := func(shuffled bool) (json, html string) {
		inputs := []Input{student(t, "before", 60, 16, 0.5, 0), student(t, "after", 60, 16, 0.9, 80)}
		metrics := trainingMetrics(30)
		if shuffled {
			r := rand.New(rand.NewPCG(1, 1))
			for _, in := range inputs {
				r.Shuffle(len(in.Rows), func(i, j int) { in.Rows[i], in.Rows[j] = in.Rows[j], in.Rows[i] })
			}
		}
		r := mustBuild(t, inputs, Options{Seed: 5, Metrics: metrics})
		var a, b bytes.Buffer
		if err := errors.Join(r.WriteJSON(&a), r.WriteLighteval(&a, 1), r.WriteHTML(&b), r.WriteMarkdown(&b), r.WriteText(&b), r.WriteSamples(&b)); err != nil {
			t.Fatal(err)
		}
		return a.String(), b.String()
	}
	j1, h1 := write(false)
	j2, h2 := write(true)
	if j1 != j2 {
		t.Error("report.json depends on the order of the rows")
	}
	if h1 != h2 {
		t.Error("the page, a table or the samples depend on the order of the rows")
	}
}

// Whatever is missing, all three forms must be written, without NaN in them.
func TestMissingPieces(t *testing.T) {
	unjudged := []schemas.Scored{row("p", 0, nil, 3), row("q", 0, nil, 3)}
	inf := []schemas.Metric{{Stage: "update", Step: 1, Name: "kl", Value: math.Inf(1)}, {Stage: "update", Step: 2, Name: "kl", Value: math.NaN()}}
	for _, c := range []struct {
		name   string
		inputs []Input
		opt    Options
		lead   string
	}{
		{"no rows", []Input{{"m", nil}}, Options{}, "No completion was judged."},
		{"no rows in both", []Input{{"a", nil}, {"b", nil}}, Options{}, "can&#39;t be compared"},
		{"nothing judged", []Input{{"m", unjudged}}, Options{}, "No completion was judged."},
		{"one model", []Input{student(t, "m", 10, 1, 0.5, 0)}, Options{}, "m answers "},
		{"one problem", []Input{{"a", []schemas.Scored{row("p", 0, no(), 3)}}, {"b", []schemas.Scored{row("p", 0, yes(), 3)}}}, Options{}, "No detectable difference"},
		{"other problems", []Input{{"a", []schemas.Scored{row("p", 0, no(), 3)}}, {"b", []schemas.Scored{row("q", 0, yes(), 3)}}}, Options{}, "can&#39;t be compared"},
		{"only infinite metrics", []Input{student(t, "m", 10, 2, 0.5, 0)}, Options{Metrics: inf}, "m answers "},
		{"one step", []Input{student(t, "m", 10, 2, 0.5, 0)}, Options{Metrics: trainingMetrics(1)}, "m answers "},
		{"no examples", []Input{student(t, "m", 10, 2, 0.5, 0)}, Options{Examples: -1}, "m answers "},
		{"worse", []Input{student(t, "good", 60, 2, 1, 1), student(t, "bad", 60, 2, 0.1, 2)}, Options{}, "percentage points fewer"},
		{"long run", []Input{student(t, "a", 10, 2, 0.5, 1), student(t, "b", 10, 2, 0.5, 1)}, Options{Metrics: trainingMetrics(3000)}, "No detectable difference"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustBuild(t, c.inputs, c.opt)
			var js, text, html, md, lighteval bytes.Buffer
			if err := errors.Join(r.WriteJSON(&js), r.WriteText(&text), r.WriteHTML(&html), r.WriteMarkdown(&md), r.WriteLighteval(&lighteval, 0), r.WriteSamples(io.Discard)); err != nil {
				t.Fatal(err)
			}
			if !json.Valid(js.Bytes()) || !json.Valid(lighteval.Bytes()) {
				t.Errorf("not JSON: %s\n%s", js.String(), lighteval.String())
			}
			var back Report
			if err := json.Unmarshal(js.Bytes(), &back); err != nil || len(back.Models) != len(c.inputs) {
				t.Errorf("read back: %d models, %v", len(back.Models), err)
			}
			for form, s := range map[string]string{"text": text.String(), "page": withoutSamples(html.String()), "markdown": md.String()} {
				if strings.Contains(s, "NaN") || strings.Contains(s, "Inf") || strings.Contains(s, "%!") || strings.Contains(s, "ZgotmplZ") {
					t.Errorf("%s has a number that is none:\n%.3000s", form, s)
				}
			}
			if !strings.Contains(html.String(), c.lead) {
				t.Errorf("the page does not say %q", c.lead)
			}
		})
	}
	for _, bad := range [][]Input{nil, {{"", nil}}, {{"m", nil}, {"m", nil}}} {
		if _, err := Build(bad, Options{}); err == nil {
			t.Errorf("%d models %+v were accepted", len(bad), bad)
		}
	}
}

// withoutSamples is a page without the packed samples, whose characters spell anything, and the script.
func withoutSamples(page string) string {
	before, rest, found := strings.Cut(page, `<script type="application/octet-stream"`)
	if !found {
		return page
	}
	return before + rest[strings.LastIndex(rest, "</script>"):]
}

func TestUnevenAndUnjudgedAreSaid(t *testing.T) {
	r := mustBuild(t, []Input{{"m", []schemas.Scored{row("p", 0, yes(), 3), row("p", 1, no(), 3), row("q", 0, yes(), 3), row("s", 0, nil, 3)}}}, Options{})
	var text, html bytes.Buffer
	if err := errors.Join(r.WriteText(&text), r.WriteHTML(&html)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 rows were not judged", "problems have 1 to 2 samples"} {
		if !strings.Contains(text.String(), want) || !strings.Contains(html.String(), want) {
			t.Errorf("%q is not said:\n%s", want, text.String())
		}
	}
}

func TestTextTable(t *testing.T) {
	r := mustBuild(t, []Input{student(t, "before", 100, 4, 0.5, 0), student(t, "after", 100, 4, 1, 80)}, Options{Seed: 1})
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + b.String())
	lines := strings.Split(b.String(), "\n")
	if len([]rune(lines[0])) != len([]rune(lines[1])) || len([]rune(lines[1])) != len([]rune(lines[2])) {
		t.Errorf("the columns are not aligned:\n%s", b.String())
	}
	for _, want := range []string{"model ", "95 % interval", "pass@4", "maj@4", "no reasoning", "after − before: +", "100 problems", "level"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing:\n%s", want, b.String())
		}
	}
}

func TestSourcesAreToldApart(t *testing.T) {
	a, b := row("p", 0, yes(), 1), row("q", 0, no(), 1)
	b.Source = "other"
	m := mustBuild(t, []Input{{"m", []schemas.Scored{a, b}}}, Options{Level: func(source, _ string) (string, bool) { return "10", source == "hand" }}).Models[0]
	if len(m.Sources) != 2 || m.Sources[0].Name != "hand" || m.Sources[0].Accuracy.Mean != 1 || m.Sources[1].Accuracy.Mean != 0 {
		t.Errorf("sources: %+v", m.Sources)
	}
	if len(m.Levels) != 1 || m.Levels[0].Name != "10" || m.Levels[0].Problems != 1 {
		t.Errorf("levels: %+v", m.Levels)
	}
}

func TestReasoning(t *testing.T) {
	for _, c := range []struct {
		text, work string
		tagged     bool
	}{
		{"<think>\n1+1=2\n</think>\n2", "1+1=2", true},
		{"<think>\n</think>\n2", "", true},
		{"opened by the prompt</think>2", "opened by the prompt", true},
		{"</think>2", "", true},
		{"<think>cut off", "cut off", true},
		{"just 2", "", false},
		{"", "", false},
	} {
		if work, tagged := reasoning(c.text); work != c.work || tagged != c.tagged {
			t.Errorf("%q: got %q, %v", c.text, work, tagged)
		}
	}
}

func TestSave(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "x")
	r := mustBuild(t, []Input{student(t, "m", 5, 1, 1, 0)}, Options{})
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	names := func() (out []string) {
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				path, err = filepath.Rel(dir, path)
				out = append(out, path)
			}
			return err
		})
		return out
	}
	want := []string{"report.html", "report.json", "report.md", "results/m/results_1970-01-01T00-00-00.000000.json", "samples.parquet"}
	if got := names(); !reflect.DeepEqual(got, want) {
		t.Errorf("files: %v", got)
	}
	path := filepath.Join(dir, "report.html")
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error with the path", err)
	}
	if got := names(); len(got) != len(want)-1 {
		t.Errorf("a failed write left something behind: %v", got)
	}
}

func TestNumbersAsText(t *testing.T) {
	nan := Number(math.NaN())
	for _, c := range []struct{ got, want string }{
		{percent(0.3814), "38.1 %"}, {percent(nan), "–"},
		{points(-0.031), "−3.1"}, {points(0.0375), "+3.8"}, {points(0.7 - 0.6625), "+3.8"}, {points(-0.0375), "−3.8"}, {percent(0.625 / 10), "6.3 %"}, {points(0.5), "+50.0"},
		{compact(0), "0"}, {compact(0.12345), "0.123"}, {compact(33.62), "33.6"}, {compact(1234.6), "1235"}, {compact(0.0000149), "1.49e-5"}, {compact(2e7), "2e7"}, {compact(nan), "–"},
		{pValue(0.0000999900009999, false, 10000), "p < 0.0001"}, {pValue(0.0002, false, 10000), "p = 0.0002"}, {pValue(0.25, true, 10000), "p = 0.250"}, {pValue(nan, true, 9), "–"},
		{span([2]Number{0.352, 0.41}), "35.2 to 41.0"}, {signed([2]Number{-0.01, 0.41}), "−1.0 to +41.0"}, {span([2]Number{nan, nan}), "–"},
		{duration(12.34), "12.3 s"}, {duration(141.9), "2 min 21 s"}, {duration(7322), "2 h 02 min"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
