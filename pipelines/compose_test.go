package pipelines

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shell runs a line as a user would, the binaries in the path, and returns what it printed.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", "set -euo pipefail\n"+line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, stderr.String())
	}
	return string(out)
}

// The stages as a shell pipeline, without a server.
func TestShellPipelines(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	report := shell(t, dir, "curate synth -n 64 | generate --model tiny | score --reward accuracy | evaluate report")
	for _, want := range []string{"accuracy", "95 % interval", "512", "level"} { // 64 problems × 8 completions
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}

	// The same in steps through files gives the same report, and so does a pipeline with all of it again.
	shell(t, dir, "curate synth -n 64 --out p.arrow; generate --model tiny --in p.arrow --out r.arrow; score --in r.arrow --out s.arrow")
	if got := shell(t, dir, "evaluate report --in model=s.arrow"); got != report {
		t.Errorf("through files\n%s\nthrough pipes\n%s", got, report)
	}

	// Training in a pipe, and what it makes.
	shell(t, dir, "curate synth -n 64 | generate --model tiny | score | update --model tiny --groups-per-step 32 --dir trained")
	shell(t, dir, "evaluate problems --n 20 --samples 2 | generate --model trained/model | score --out after.parquet")
	shell(t, dir, "evaluate problems --n 20 --samples 2 | generate --model tiny | score --out before.parquet")
	shell(t, dir, "evaluate report --in before=before.parquet --in after=after.parquet --out-dir . --metrics trained/metrics-update.jsonl")
	var r struct {
		Models []struct {
			Name     string
			Problems int
			Accuracy struct {
				Mean float64
				CI95 [2]float64
			}
		}
		Paired []struct {
			Problems   int
			Difference struct{ CI95 [2]float64 }
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Models) != 2 || r.Models[0].Name != "before" || r.Models[1].Problems != 20 || len(r.Paired) != 1 || r.Paired[0].Problems != 20 {
		t.Errorf("report.json: %+v", r)
	}
	for _, m := range r.Models {
		if m.Accuracy.CI95[0] > m.Accuracy.Mean || m.Accuracy.CI95[1] < m.Accuracy.Mean || m.Accuracy.CI95[0] == m.Accuracy.CI95[1] {
			t.Errorf("%s: accuracy %v with interval %v", m.Name, m.Accuracy.Mean, m.Accuracy.CI95)
		}
	}
	if page, err := os.ReadFile(filepath.Join(dir, "report.html")); err != nil || !strings.Contains(string(page), "<svg") || !strings.HasSuffix(strings.TrimSpace(string(page)), "</html>") {
		t.Errorf("report.html: %d bytes, %v, want a page with a plot", len(page), err)
	}

	// A stage whose reader has gone ends, too.
	shell(t, dir, "(curate synth -n 100000 || true) | head -c 1000 > /dev/null")
}

// Supervised training from worked solutions, in a pipe.
func TestSupervised(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	losses := func(out, flags string) []float64 {
		shell(t, dir, "curate synth -n 64 --batch 8 | update sft --model shape:tiny --batch-size 8 --lr 2e-3 --dir "+out+" "+flags)
		var all []float64
		for _, row := range readJSONLines(t, filepath.Join(dir, out, "metrics-update-sft.jsonl")) {
			if row["name"] == "loss" {
				all = append(all, row["value"].(float64))
			}
		}
		return all
	}
	first := losses("a", "")
	if len(first) != 8 || first[7] > first[0]-0.5 {
		t.Errorf("losses %v, want 8 that fall", first)
	}
	again := losses("b", "--threads 1")
	if fmt.Sprint(again) != fmt.Sprint(first) {
		t.Errorf("losses %v on one thread, %v on all", again, first)
	}
	sameFiles(t, hashes(t, filepath.Join(dir, "a", "model")), hashes(t, filepath.Join(dir, "b", "model")))
}

// Every stage reads and writes every format, with the same contents.
func TestFormats(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	formats := []string{"arrow", "parquet", "jsonl", "jsonl.gz"}
	command(t, dir, "curate", "synth", "-n", "24", "--batch", "7", "--out", "p.arrow")
	command(t, dir, "generate", "--model", "tiny", "--in", "p.arrow", "--group-size", "4", "--out", "r.arrow")
	command(t, dir, "score", "--in", "r.arrow", "--reward", "accuracy", "--reward", "format=0.5", "--out", "s.arrow")
	command(t, dir, "update", "--in", "s.arrow", "--model", "tiny", "--groups-per-step", "0", "--dir", "first")
	report := command(t, dir, "evaluate", "report", "--in", "m=s.arrow")
	trained := hashes(t, filepath.Join(dir, "first", "model"))

	// The rows in any order: groups are written as they are finished.
	scored := func(rollouts string) []string {
		t.Helper()
		command(t, dir, "score", "--in", rollouts, "--reward", "accuracy", "--reward", "format=0.5", "--out", "rows.jsonl")
		data, err := os.ReadFile(filepath.Join(dir, "rows.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return slices.Sorted(strings.Lines(string(data)))
	}
	want := scored("r.arrow")
	for _, f := range formats {
		p, r, s := "p2."+f, "r2."+f, "s2."+f
		command(t, dir, "curate", "synth", "-n", "24", "--batch", "5", "--out", p)
		command(t, dir, "generate", "--model", "tiny", "--in", p, "--group-size", "4", "--out", r)
		if got := scored(r); !slices.Equal(got, want) {
			t.Errorf("%s: other rollouts than through .arrow", f)
		}
		command(t, dir, "score", "--in", r, "--reward", "accuracy", "--reward", "format=0.5", "--out", s)
		if got := scored(s); !slices.Equal(got, want) { // scored anew
			t.Errorf("%s: other scores than through .arrow", f)
		}
		if got := command(t, dir, "evaluate", "report", "--in", "m="+s); got != report {
			t.Errorf("%s: report\n%s\nwant\n%s", f, got, report)
		}
		command(t, dir, "update", "--in", s, "--model", "tiny", "--groups-per-step", "0", "--dir", "u-"+f)
		sameFiles(t, trained, hashes(t, filepath.Join(dir, "u-"+f, "model")))
	}
}

// Data sets with the column names that their authors chose.
func TestCurateDataSets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rows := `{"question":"1+1?","solution_text":"it is 2","final":"2","id":7}
{"question":"2*3?","solution_text":"it is 6","final":"6","id":8}
{"question":"","solution_text":"","final":"1","id":9}
`
	if err := os.WriteFile(filepath.Join(dir, "set.jsonl"), []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	mapping := []string{"--column-problem", "question", "--column-answer", "final", "--column-solution", "solution_text", "--source", "mine"}
	curate := func(args ...string) []map[string]any {
		t.Helper()
		command(t, dir, "curate", append(args, "--out", "out.jsonl")...)
		return readJSONLines(t, filepath.Join(dir, "out.jsonl"))
	}
	got := curate(append(mapping, "--in", "set.jsonl")...)
	if len(got) != 2 || got[0]["problem"] != "1+1?" || got[0]["answer"] != "2" || got[1]["solution"] != "it is 6" || got[1]["source"] != "mine" {
		t.Errorf("mapped to %v", got)
	}
	fails(t, start(t, dir, nil, "curate", append(mapping, "--in", "set.jsonl", "--strict", "--out", "strict.jsonl")...), "set.jsonl", "3")
	fails(t, start(t, dir, nil, "curate", "--in", "set.jsonl", "--column-problem", "queston", "--out", "x.jsonl"), "set.jsonl", "queston")

	// Epochs, shuffled by the seed.
	command(t, dir, "curate", "synth", "-n", "30", "--out", "synth.parquet")
	texts := func(rows []map[string]any) []string {
		var all []string
		for _, r := range rows {
			all = append(all, r["problem"].(string))
		}
		return all
	}
	plain := texts(curate("--in", "synth.parquet"))
	twice := texts(curate("--in", "synth.parquet", "--shuffle", "--epochs", "2", "--seed", "3"))
	if len(plain) != 30 || len(twice) != 60 {
		t.Fatalf("%d and %d problems, want 30 and 60", len(plain), len(twice))
	}
	if slices.Equal(twice[:30], plain) || slices.Equal(twice[:30], twice[30:]) {
		t.Error("not shuffled, or both epochs alike")
	}
	if again := texts(curate("--in", "synth.parquet", "--shuffle", "--epochs", "2", "--seed", "3")); !slices.Equal(again, twice) {
		t.Error("the same seed gives another order")
	}
	for _, epoch := range [][]string{twice[:30], twice[30:]} {
		if got, want := slices.Sorted(slices.Values(epoch)), slices.Sorted(slices.Values(plain)); !slices.Equal(got, want) {
			t.Error("an epoch lacks a problem")
		}
	}

	// Real data sets, as published.
	for _, c := range []struct {
		file string
		rows int // that can be used
	}{
		{"aime24.jsonl", 30}, {"amc23.jsonl", 40}, {"gsm8k_test.jsonl", 1319}, {"math500.json", 500}, {"amc22_23.json", 83},
	} {
		path, err := filepath.Abs(filepath.Join("..", "..", "shared", "data", c.file))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Logf("skipped: %v", err)
			continue
		}
		got := curate("--in", path)
		if len(got) != c.rows {
			t.Errorf("%s: %d problems, want %d", c.file, len(got), c.rows)
		}
		for _, r := range got {
			if r["problem"] == "" || r["answer"] == "" || r["source"] != strings.TrimSuffix(c.file, filepath.Ext(c.file)) {
				t.Errorf("%s: %v", c.file, r)
				break
			}
		}
	}
}
