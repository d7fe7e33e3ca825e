package report

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"openrs/schemas"
)

// consumer reads results_*.json as scripts for lighteval's files do.
type consumer struct {
	General struct {
		Model   string `json:"model_name"`
		Seconds string `json:"total_evaluation_time_secondes"`
		Config  struct {
			Generation struct {
				Temperature float64
				Seed        int64
			} `json:"generation_parameters"`
		} `json:"model_config"`
	} `json:"config_general"`
	Results  map[string]map[string]float64
	Versions map[string]int
	Tasks    map[string]struct {
		Docs    int `json:"original_num_docs"`
		Metrics []struct {
			Name string `json:"metric_name"`
		} `json:"metric"`
		Samples []int `json:"num_samples"`
	} `json:"config_tasks"`
	Summary map[string]struct {
		Hashes       map[string]string
		NonTruncated *int `json:"non_truncated"`
	} `json:"summary_tasks"`
	Overall struct{ Hashes map[string]string } `json:"summary_general"`
}

func TestLightevalReadersFindWhatTheyExpect(t *testing.T) {
	r := mustBuild(t, study(t, 0.2), Options{Seed: 1, Seconds: 12.5, Date: time.Date(2026, 3, 4, 5, 6, 7, 8000, time.UTC), Details: true})
	dir := t.TempDir()
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "results", "open-rs", "rs3-step50", "results_*.json"))
	if err != nil || len(found) != 1 || filepath.Base(found[0]) != "results_2026-03-04T05-06-07.000008.json" {
		t.Fatalf("results: %v, %v", found, err)
	}
	data, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	var c consumer
	if err := json.Unmarshal(data, &c); err != nil {
		t.Fatal(err)
	}
	if c.General.Model != "open-rs/rs3-step50" || c.General.Seconds != "12.5" || c.General.Config.Generation.Temperature != 0.6 || c.General.Config.Generation.Seed != math.MaxInt64-42 {
		t.Errorf("config_general: %+v", c.General)
	}
	m := r.Models[2]
	if len(c.Results) != 5 || len(m.Tasks) != 4 {
		t.Fatalf("%d results of %d tasks", len(c.Results), len(m.Tasks))
	}
	sum := 0.0
	for _, task := range m.Tasks {
		key := task.Name + "|0"
		got := c.Results[key]
		near(t, key, Number(got["extractive_match"]), float64(task.Accuracy.Mean))
		near(t, key+" stderr", Number(got["extractive_match_stderr"]), float64(task.Accuracy.SE))
		sum += got["extractive_match"]
		if _, ok := c.Versions[key]; !ok || c.Tasks[key].Docs != task.Problems || c.Tasks[key].Samples[0] != task.SamplesPerProblem[1] || len(c.Tasks[key].Metrics) < 3 {
			t.Errorf("%s: version %v, config %+v", key, c.Versions, c.Tasks[key])
		}
		if s := c.Summary[key]; len(s.Hashes) != 4 || len(s.Hashes["hash_examples"]) != 16 || s.NonTruncated == nil {
			t.Errorf("%s: summary %+v", key, s)
		}
	}
	near(t, "all", Number(c.Results["all"]["extractive_match"]), sum/4)
	near(t, "pass@k", Number(c.Results["aime24|0"]["pass@k:k=8&n=8"]), float64(m.Tasks[0].PassAtK["8"]))
	near(t, "maj@n", Number(c.Results["aime24|0"]["maj@n:n=8"]), float64(m.Tasks[0].MajAtK["8"]))
	if _, ok := c.Results["all"]["extractive_match_stderr"]; !ok || len(c.Overall.Hashes) != 4 {
		t.Errorf("all: %v, %+v", c.Results["all"], c.Overall)
	}

	details, err := filepath.Glob(filepath.Join(dir, "details", "base", "2026-03-04T05-06-07.000008", "details_aime24|0_*.parquet"))
	if err != nil || len(details) != 1 {
		t.Fatalf("details: %v, %v", details, err)
	}
	rows, err := parquet.ReadFile[detail](details[0])
	if err != nil || len(rows) != 6 {
		t.Fatalf("%d rows of details, %v", len(rows), err)
	}
	match := 0.0
	for _, row := range rows {
		if len(row.Model.Text) != 8 || len(row.Model.OutputTokens) != 8 || len(row.Doc.Choices) != 1 || row.Doc.TaskName != "aime24|0" || len(row.Model.InputTokens) != 80 || row.Doc.Query == "" {
			t.Fatalf("detail %+v", row.Doc)
		}
		match += *row.Metric.ExtractiveMatch / 6
	}
	near(t, "details", Number(math.Round(match*1e9)/1e9), math.Round(float64(r.Models[0].Tasks[0].Accuracy.Mean)*1e9)/1e9)
}

func TestLightevalNames(t *testing.T) {
	one := func(source string) schemas.Scored {
		s := row(source, 0, yes(), 2)
		s.Source, s.PromptIDs, s.CompletionIDs = source, []int32{1, 2}, []int32{3, 4}
		return s
	}
	r := mustBuild(t, []Input{{"m", []schemas.Scored{one("gpqa:diamond"), one("gpqa:main"), one("a|b"), one("")}}}, Options{Suite: "custom"})
	var b bytes.Buffer
	if err := r.WriteLighteval(&b, 0); err != nil {
		t.Fatal(err)
	}
	var c consumer
	if err := json.Unmarshal(b.Bytes(), &c); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"custom|gpqa:diamond|0", "custom|gpqa:main|0", "custom|gpqa:_average|0", "custom|a:b|0", "custom|unnamed|0", "all"} {
		if got := c.Results[key]; got["extractive_match"] != 1 {
			t.Errorf("%s: %v", key, got)
		}
	}
	if _, ok := c.Results["custom|gpqa:main|0"]["extractive_match_stderr"]; ok {
		t.Error("one problem has a standard error")
	}
	// What other programs compute of the same tokens: XXH64 of "[1, 2]" and of "[[3, 4]]".
	h := c.Summary["custom|unnamed|0"].Hashes
	if h["hash_full_prompts"] != "ef46db3751d8e999" || h["hash_input_tokens"] != hashAll([]string{hash("[1, 2]")}) || h["hash_cont_tokens"] != hashAll([]string{hash("[[3, 4]]")}) {
		t.Errorf("hashes: %v", h)
	}
}

func TestModelFolders(t *testing.T) {
	for name, want := range map[string]string{
		"m": "m", "org/model": "org/model", "/etc/passwd": "etc/passwd", "../../x": "__/__/x", "a/./b": "a/_/b", "": "model", "///": "model",
		"c:\\x\x00": "c:_x_", "step 100": "step 100",
	} {
		if got := modelFolder(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	if long := modelFolder(strings.Repeat("x", 300)); len(long) > 110 || long == modelFolder(strings.Repeat("x", 301)) {
		t.Errorf("a long name: %q", long)
	}
	// Two names that lead to one folder keep their files apart.
	dir := t.TempDir()
	r := mustBuild(t, []Input{{"a", []schemas.Scored{row("p", 0, yes(), 1)}}, {"/a", []schemas.Scored{row("p", 0, no(), 1)}}}, Options{})
	if err := r.Save(dir); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "results", "*", "*.json")); len(found) != 2 {
		t.Errorf("files: %v", found)
	}
}

func TestSamplesFile(t *testing.T) {
	inputs := study(t, 0.1)
	odd := row("odd", 0, nil, 3)
	odd.Completion, odd.Source, odd.Reward = "not \xff UTF-8 \x00", "", new(float32(math.NaN()))
	inputs[0].Rows = append(inputs[0].Rows, odd)
	r := mustBuild(t, inputs, Options{Prompt: func(ids []int32) string { return strings.Repeat("<", len(ids)) }})
	var b bytes.Buffer
	if err := r.WriteSamples(&b); err != nil {
		t.Fatal(err)
	}
	rows, err := parquet.Read[SampleRow](bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	total, right := 0, 0
	for _, in := range inputs {
		total += len(in.Rows)
	}
	if len(rows) != total {
		t.Fatalf("%d rows, want %d", len(rows), total)
	}
	seen := false
	for _, row := range rows {
		if row.Correct != nil && *row.Correct {
			right++
			if row.Outcome != "right" || !strings.HasPrefix(row.Reason, "equal") || row.Extracted == nil {
				t.Fatalf("%+v", row)
			}
		}
		if row.ProblemID == "odd" {
			seen = true
			if row.Completion != "not \uFFFD UTF-8 \x00" || row.Correct != nil || row.Outcome != "unjudged" || row.Task != "unnamed" {
				t.Errorf("%+v", row)
			}
		} else if *row.Prompt != strings.Repeat("<", 80) || row.PromptTokens != 80 || row.Seed != math.MaxInt64-42 || row.Model == "" {
			t.Fatalf("%+v", row)
		}
	}
	if !seen || right == 0 {
		t.Errorf("the odd row was seen: %v; %d right", seen, right)
	}
}

func TestMarkdown(t *testing.T) {
	inputs := study(t, 0.1)
	inputs[1].Name = "a|b\n<i>`c`</i>"
	r := mustBuild(t, inputs, Options{Title: "# x\ny"})
	var b bytes.Buffer
	if err := r.WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<i>") || !strings.Contains(b.String(), `a\|b &lt;i>\`+"`c") {
		t.Errorf("the name is not escaped:\n%s", b.String())
	}
	columns := 0
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
			continue
		}
		n := strings.Count(line, "|") - strings.Count(line, `\|`)
		if columns != 0 && n != columns {
			t.Errorf("%d columns, expected %d: %s", n, columns, line)
		}
		columns = n
	}
	for _, want := range []string{"# # x y\n", "## Tasks", "## Differences from base", "## What became of the samples", "## The best of several", "cut at the limit"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

// Nothing about rows may break a form of the report: numbers that are none, texts that are hostile, times out of order.
func TestOddRows(t *testing.T) {
	var rows []schemas.Scored
	for i, text := range []string{"", "\x00", strings.Repeat("\\boxed{", 3000), "</script><script>alert(1)</script>", "\u202eabc", "\xed\xa0\x80", strings.Repeat("x", 200_000)} {
		r := row("p"+string(rune('a'+i)), int32(i), no(), 1)
		r.Completion, r.Extracted, r.Answer, r.Problem, r.ProblemID = text, &text, text, text, text
		nan := float32(math.NaN())
		r.Reward, r.Rewards, r.Temperature = &nan, map[string]float32{"x": nan, "y": float32(math.Inf(1))}, nan
		r.Seed, r.PolicyVersion, r.Sample = math.MinInt64, math.MinInt64, math.MinInt32
		rows = append(rows, r)
	}
	r := mustBuild(t, []Input{{"m", rows}, {"n", rows[:1]}, {"o", nil}}, Options{Details: true})
	if err := r.Save(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteText(io.Discard); err != nil {
		t.Fatal(err)
	}
	checkScripts(t, pageOf(t, r), true)
}
