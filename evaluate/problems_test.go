package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/table"
)

// evaluate runs the command with arguments, as the binary does.
func evaluate(t *testing.T, args ...string) error {
	t.Helper()
	app := stages.App("evaluate", "", "", nil, nil, problemsCommand(), promptsCommand(), compareCommand())
	return app.RunContext(context.Background(), append([]string{"evaluate"}, args...))
}

// output runs it and returns what it printed.
func output(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stdout")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stdout
	os.Stdout = f
	err = evaluate(t, args...)
	os.Stdout = old
	if err2 := f.Close(); err2 != nil {
		t.Fatal(err2)
	}
	text, err2 := os.ReadFile(path)
	if err2 != nil {
		t.Fatal(err2)
	}
	return string(text), err
}

// rows reads the problems of a file.
func rows(t *testing.T, path string) (out []schemas.Problem) {
	t.Helper()
	in, err := table.Open(path, schemas.KindProblems)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for {
		rec, err := in.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		more, err := schemas.Problems().Decode(rec)
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, more...)
	}
}

// benchmarks writes small files of two benchmarks.
func benchmarks(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"aime25.jsonl": `{"problem":"What is 1?","answer":1}` + "\n" + `{"problem":"What is 2?","answer":"002"}` + "\n",
		"math500.json": `[{"problem":"What is $x$?","answer":"x","level":3}]`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProblemsOfSeveralBenchmarks(t *testing.T) {
	dir := benchmarks(t)
	out := filepath.Join(dir, "out.arrow")
	if err := evaluate(t, "problems", "--benchmark", "lighteval|aime25|0|0", "--benchmark", "MATH-500", "--data", dir, "--preset", "sober", "--prompt", "open-rs-train", "--out", out); err != nil {
		t.Fatal(err)
	}
	got := rows(t, out)
	if len(got) != 2*10+3 {
		t.Fatalf("%d rows, want 10 samples of each of two problems and 3 of the third", len(got))
	}
	for i, p := range got {
		source, sample := "aime25", i%10
		if i >= 20 {
			source, sample = "math_500", i-20
		}
		m := p.Metadata
		if p.Source != source || m[stages.MetaSample] != strconv.Itoa(sample) || m[stages.MetaSamples] != "1" {
			t.Errorf("row %d: %s, metadata %v", i, p.Source, m)
		}
		if m[stages.MetaTemperature] != "0.8" || m[stages.MetaTopP] != "0.9" || m[stages.MetaMaxNewTokens] != "32768" || !strings.HasPrefix(m[stages.MetaSystem], "A conversation between User and Assistant.") {
			t.Errorf("row %d: metadata %v", i, m)
		}
	}
	if got[0].Problem != "What is 1?" || got[12].Answer != "2" || got[20].Metadata["level"] != "3" {
		t.Errorf("rows %+v", got)
	}

	// Samples and prompt of the command line; no protocol, so how to sample is
	// left to generate.
	if err := evaluate(t, "problems", "--benchmark", "aime25", "--data", dir, "--samples", "4", "--n", "1", "--out", out); err != nil {
		t.Fatal(err)
	}
	got = rows(t, out)
	if len(got) != 4 || got[3].Metadata[stages.MetaSample] != "3" || !strings.HasSuffix(got[0].Problem, "\n\nWhat is 1?") {
		t.Errorf("rows %+v", got)
	}
	for _, key := range []string{stages.MetaTemperature, stages.MetaSystem, stages.MetaSeed} {
		if v, set := got[0].Metadata[key]; set {
			t.Errorf("%s is %q without a protocol", key, v)
		}
	}
	if err := evaluate(t, "problems", "--preset", "open-rs", "--samples", "2", "--n", "3", "--out", out); err != nil {
		t.Fatal(err)
	}
	if got = rows(t, out); len(got) != 6 || got[0].Source != "synth" || got[0].Metadata[stages.MetaSeed] != "1234" {
		t.Errorf("rows %+v", got)
	}
}

func TestProblemsRefusals(t *testing.T) {
	dir := benchmarks(t)
	out := filepath.Join(dir, "out.arrow")
	for want, args := range map[string]string{
		"--samples is 0":               "--samples 0",
		"unknown benchmark":            "--benchmark aime99",
		"named twice":                  "--benchmark aime25 --benchmark aime2025 --data " + dir,
		"want --data FOLDER":           "--benchmark aime25",
		"no data for the benchmark":    "--benchmark amc23 --data " + dir,
		`did you mean "sober"`:         "--preset sobr",
		`did you mean "open-rs-train"`: "--prompt open-rs-tran",
	} {
		err := evaluate(t, append([]string{"problems", "--out", out}, strings.Fields(args)...)...)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", args, err, want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: something was written", args)
		}
	}
}

func TestPrompts(t *testing.T) {
	text, err := output(t, "prompts", "--name", "open-rs-train")
	if err != nil || !strings.HasPrefix(text, "A conversation") || !strings.HasSuffix(text, "NOT use other languages.") {
		t.Errorf("%q, %v", text, err)
	}
	if text, err = output(t, "prompts"); err != nil || !strings.Contains(text, "Solve the following math problem efficiently and clearly.  The last") {
		t.Errorf("%q, %v", text, err)
	}
	if _, err = output(t, "prompts", "--name", "x"); err == nil {
		t.Error("an unknown prompt was printed")
	}
}

func TestCompare(t *testing.T) {
	text, err := output(t, "compare", "--scores", "open-rs")
	if err != nil || !strings.Contains(text, "aime24: no detectable effect") || !strings.Contains(text, "math_500: degradation") {
		t.Errorf("%s, %v", text, err)
	}
	// The embedded table as a file is the same.
	table, err := output(t, "compare", "--scores", "open-rs", "--print")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "scores.csv")
	if err := os.WriteFile(path, []byte(table), 0o666); err != nil {
		t.Fatal(err)
	}
	if again, err := output(t, "compare", "--scores", path); err != nil || again != text {
		t.Errorf("from a file: %s, %v", again, err)
	}
	for want, args := range map[string][]string{
		"expected --scores":    {"compare"},
		"no such file":         {"compare", "--scores", "openrs.csv"},
		`no model "bass"`:      {"compare", "--scores", "open-rs", "--baseline", "bass"},
		"malformed scores":     {"compare", "--scores", write(t, "a,b\n1,2\n")},
		"nothing to compare: ": {"compare", "--scores", write(t, "model,benchmark,score,problems\na,b,1,2\n")},
	} {
		if _, err := output(t, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", args, err, want)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.csv")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
