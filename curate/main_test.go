package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// TestMain lets a test run this very binary as `curate`.
func TestMain(m *testing.M) {
	if os.Getenv("OPENRS_TEST_AS_CURATE") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// curate runs the command in a folder and returns its standard error.
func curate(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "OPENRS_TEST_AS_CURATE=1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	return stderr.String(), err
}

func mustCurate(t *testing.T, dir string, args ...string) string {
	t.Helper()
	log, err := curate(t.Context(), dir, args...)
	if err != nil {
		t.Fatalf("curate %s: %v\n%s", strings.Join(args, " "), err, log)
	}
	return log
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func rowsOf(t *testing.T, path string) (list []map[string]any) {
	t.Helper()
	r, err := table.OpenRows(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		row, err := r.Next()
		if err != nil {
			return list
		}
		list = append(list, row)
	}
}

const exampleRecipe = `
curate:
  seed: 5
  data: data
  ledger: ledger.jsonl
  card: card
  tokenizer: tiny
  sources:
    - {path: set.jsonl, name: s}
    - path: more
  steps:
    - extract-answer
    - length: {max: 60, label: short enough}
    - exact-duplicates
    - order: shuffle
`

// example fills a folder with a recipe and its data.
func example(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "data", "more", "data"), 0o777); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range 30 {
		problem := fmt.Sprintf("What is %d plus 1?", i)
		if i%10 == 7 {
			problem = strings.Repeat("very ", 20) + problem
		}
		fmt.Fprintf(&b, "{\"question\":%q,\"solution\":\"so \\\\boxed{%d}\",\"level\":%d}\n", problem, i+1, i%3)
	}
	write(t, dir, "data/set.jsonl", b.String())
	write(t, dir, "data/more/data/train-00000-of-00001.jsonl", `{"problem":"what is 3 plus 1","answer":4.0}`+"\n"+`{"problem":"What is 100 plus 1?","answer":["101"]}`+"\n"+`{"problem":"","answer":1}`+"\n")
	write(t, dir, "r.yaml", exampleRecipe)
	return dir
}

func TestRecipe(t *testing.T) {
	dir := example(t)
	log := mustCurate(t, dir, "--config", "r.yaml", "--out", "out.jsonl")
	out := rowsOf(t, filepath.Join(dir, "out.jsonl"))
	lost := rowsOf(t, filepath.Join(dir, "ledger.jsonl"))
	if len(out)+len(lost) != 33 || len(out) != 28 {
		t.Fatalf("%d rows out and %d in the ledger of 33\n%s", len(out), len(lost), log)
	}
	for _, row := range out {
		n := 0
		if _, err := fmt.Sscanf(row["problem"].(string), "What is %d plus", &n); err != nil || row["answer"] != fmt.Sprint(n+1) {
			t.Errorf("problem %q has answer %q", row["problem"], row["answer"])
		}
	}
	reasons := map[string]int{}
	for _, row := range lost {
		reasons[fmt.Sprint(row["step"], ": ", row["reason"])]++
	}
	if fmt.Sprint(reasons) != "map[exact-duplicates: exact duplicate:1 read: no problem:1 short enough: problem too long:3]" {
		t.Errorf("reasons %v", reasons)
	}
	for _, want := range []string{"read=33 removed=5 left=28", `step="short enough"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %s:\n%s", want, log)
		}
	}
	var c struct {
		Report struct{ Read, Left int }
	}
	if err := json.Unmarshal([]byte(read(t, dir, "card/card.json")), &c); err != nil || c.Report.Read != 33 || c.Report.Left != 28 {
		t.Errorf("card: %+v, %v", c, err)
	}
	if page := read(t, dir, "card/card.md"); !strings.Contains(page, "tokens of tiny") || !strings.Contains(page, "short enough") {
		t.Error("the card lacks lengths in tokens or a step")
	}
}

// TestRepeats: a run gives the same files again, byte for byte, with other numbers of threads, too.
func TestRepeats(t *testing.T) {
	dir := example(t)
	for _, out := range []string{"out.jsonl", "out.parquet", "out.arrow"} {
		var first []string
		for _, threads := range []string{"1", "4"} {
			mustCurate(t, dir, "--config", "r.yaml", "--out", out, "--threads", threads)
			got := []string{read(t, dir, out), read(t, dir, "ledger.jsonl"), read(t, dir, "card/card.html"), read(t, dir, "card/card.md")}
			for i := range first {
				if got[i] != first[i] {
					t.Errorf("%s: file %d differs with %s threads", out, i, threads)
				}
			}
			first = got
		}
	}
	// In two runs of curate, the second of which reads what the first has written, as in one.
	mustCurate(t, dir, "--config", "r.yaml", "--out", "one.jsonl")
	mustCurate(t, dir, "--config", "r.yaml", "--before", "exact-duplicates", "--out", "half.parquet")
	mustCurate(t, dir, "--in", "half.parquet", "--steps", "[exact-duplicates, order: shuffle]", "--seed", "5", "--out", "two.jsonl")
	if read(t, dir, "one.jsonl") != read(t, dir, "two.jsonl") {
		t.Error("two runs of half the steps differ from one run of all")
	}
}

func TestFlagsWin(t *testing.T) {
	dir := example(t)
	mustCurate(t, dir, "--config", "r.yaml", "--in", "data/more", "--source", "mine", "--steps", "", "--ledger", "", "--card", "", "--out", "out.jsonl")
	out := rowsOf(t, filepath.Join(dir, "out.jsonl"))
	if len(out) != 2 || out[0]["source"] != "mine" || out[0]["answer"] != "4" {
		t.Errorf("got %v", out)
	}
	for _, name := range []string{"ledger.jsonl", "card"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

func TestBadRecipes(t *testing.T) {
	dir := example(t)
	write(t, dir, "plain.jsonl", `{"problem":"P","answer":"1"}`+"\n")
	for _, c := range []struct {
		name, recipe string
		args         []string
		want         string
	}{
		{"unknown key", "curate:\n  stesp: []\n", nil, `line 2: unknown key "stesp"`},
		{"unknown step", "curate:\n  sources: [plain.jsonl]\n  steps:\n    - near-duplicate\n", nil, `line 4: unknown step "near-duplicate" (did you mean "near-duplicates"?)`},
		{"unknown option", "curate:\n  sources: [plain.jsonl]\n  steps:\n    - length:\n        maximun: 5\n", nil, `line 5: unknown option "maximun"`},
		{"unknown key of a source", "curate:\n  sources:\n    - {path: plain.jsonl, nam: x}\n", nil, `line 3: unknown key "nam"`},
		{"no sources", "curate:\n  steps: [language]\n", nil, "expected --in FILE"},
		{"missing file", "curate:\n  sources: [absent.jsonl]\n", nil, "absent.jsonl"},
		{"missing data", "curate:\n  sources: [plain.jsonl]\n", []string{"--data", "absent"}, "absent/plain.jsonl"},
		{"a step's file", "curate:\n  sources: [plain.jsonl]\n  steps:\n    - pass-rate: [absent.parquet]\n", nil, "step pass-rate (line 4): scored: "},
		{"nothing left", "curate:\n  sources: [plain.jsonl]\n  steps:\n    - length: {min: 5}\n", nil, "no problem is left of 1 rows: length: 1 problem too short"},
		{"nothing there", "curate:\n  sources: [{path: absent.jsonl, optional: true}]\n", nil, "none of the sources is there"},
		{"no such label", "curate:\n  sources: [plain.jsonl]\n  steps: [language]\n", []string{"--before", "langauge"}, `no step "langauge" (did you mean "language"?)`},
		{"steps on the command line", "curate:\n  sources: [plain.jsonl]\n", []string{"--steps", "[lenght: 5]"}, `--steps: steps: line 1: unknown step "lenght"`},
		{"no YAML on the command line", "curate:\n  sources: [plain.jsonl]\n", []string{"--steps", "["}, "--steps: yaml:"},
		{"ledger of no format", "curate:\n  sources: [plain.jsonl]\n", []string{"--ledger", "l.csv"}, "expected a file ending in"},
		{"no tokenizer", "curate:\n  sources: [plain.jsonl]\n", []string{"--tokenizer", "absent"}, "--tokenizer"},
		{"no spool", "curate:\n  sources: [plain.jsonl]\n", []string{"--spool", "absent"}, "temporary file"},
		{"negative", "curate:\n  sources: [plain.jsonl]\n", []string{"--n", "-1"}, "--n is -1"},
		{"short", "curate:\n  sources: [plain.jsonl]\n", []string{"--short", "never"}, "--short"},
	} {
		write(t, dir, "bad.yaml", c.recipe)
		log, err := curate(t.Context(), dir, append([]string{"--config", "bad.yaml", "--out", "bad.jsonl"}, c.args...)...)
		if err == nil || !strings.Contains(log, c.want) || strings.Contains(log, "goroutine ") {
			t.Errorf("%s: %v, want %q:\n%s", c.name, err, c.want, log)
		}
		if _, err := os.Stat(filepath.Join(dir, "bad.jsonl")); err == nil {
			t.Fatalf("%s: there is an output", c.name)
		}
	}
}

// TestKilledHalfWay: whatever moment it is killed at, the files that were there before are there and whole,
// or the new ones are.
func TestKilledHalfWay(t *testing.T) {
	dir := t.TempDir()
	var b strings.Builder
	for i := range 6000 {
		fmt.Fprintf(&b, "{\"problem\":\"%d: %s\",\"answer\":\"%d\"}\n", i, strings.Repeat(fmt.Sprint("word", i%700, " "), 30), i)
	}
	write(t, dir, "set.jsonl", b.String())
	args := []string{"--in", "set.jsonl", "--steps", "[length: {max: 250}, near-duplicates, order: shuffle]", "--ledger", "ledger.jsonl", "--card", "card", "--spool", dir, "--out", "out.jsonl"}
	began := time.Now()
	mustCurate(t, dir, args...)
	whole := time.Since(began)
	names := []string{"out.jsonl", "ledger.jsonl", "card/card.html"}
	want := map[string]string{}
	for _, name := range names {
		want[name] = read(t, dir, name)
		if name != "out.jsonl" {
			write(t, dir, name, "before")
		}
	}
	if err := os.Remove(filepath.Join(dir, "out.jsonl")); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		ctx, cancel := context.WithTimeout(t.Context(), whole*time.Duration(i+1)/8)
		curate(ctx, dir, args...) // killed
		cancel()
		for _, name := range names {
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil && string(got) != "before" && string(got) != want[name] {
				t.Fatalf("kill %d: %s is neither the old nor the new file: %d bytes", i, name, len(got))
			}
			if name == "out.jsonl" && err == nil && read(t, dir, "ledger.jsonl") != want["ledger.jsonl"] {
				t.Fatal("there is an output without its ledger")
			}
		}
		if spools, _ := filepath.Glob(filepath.Join(dir, "openrs-curate-*")); len(spools) > 0 {
			t.Fatalf("left: %v", spools)
		}
	}
	mustCurate(t, dir, args...)
	for _, name := range names {
		if read(t, dir, name) != want[name] {
			t.Errorf("%s differs after the kills", name)
		}
	}
}

// TestRecipesOfTheStudy runs the recipes in pipelines/recipes: math-12k on real data, the others as far as
// that they are read, since their data has to be downloaded.
func TestRecipesOfTheStudy(t *testing.T) {
	recipes, err := filepath.Abs("../pipelines/recipes")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"open-s1", "open-deepscaler", "open-rs"} {
		log, err := curate(t.Context(), t.TempDir(), "--config", filepath.Join(recipes, name+".yaml"), "--out", "x.jsonl")
		if err == nil || !strings.Contains(log, "no data file") {
			t.Errorf("%s: %v\n%s", name, err, log)
		}
	}
	data, err := filepath.Abs("../../shared/data")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(data, "math_train.json")); err != nil {
		t.Skipf("no real data: %v", err)
	}
	dir := t.TempDir()
	log := mustCurate(t, dir, "--config", filepath.Join(recipes, "math-12k.yaml"), "--data", data, "--out", "out.parquet", "--ledger", "ledger.parquet", "--card", "card")
	out, lost := rowsOf(t, filepath.Join(dir, "out.parquet")), rowsOf(t, filepath.Join(dir, "ledger.parquet"))
	if len(out)+len(lost) != 8449 || len(out) < 6000 {
		t.Errorf("%d rows out, %d in the ledger\n%s", len(out), len(lost), log)
	}
	steps := map[string]int{}
	for _, row := range lost {
		steps[row["step"].(string)]++
		if row["step"] == "decontaminate" && (row["other_file"] == nil || row["detail"] == nil) {
			t.Errorf("contaminated by nothing: %v", row)
		}
	}
	for _, s := range []string{"read", "no-figures", "exact-duplicates", "near-duplicates", "decontaminate"} {
		if steps[s] == 0 {
			t.Errorf("step %s removed nothing: %v", s, steps)
		}
	}
}

// study fills a folder with small data in the layout that the study's recipes expect: 80 problems of s1 and
// of DeepScaleR, of which every second one was solved by the model that was sampled.
func study(t *testing.T, dir string) {
	t.Helper()
	words := strings.Fields("apple bridge circle dog engine farmer garden house island jar king ladder mirror number orange pencil queen river stone tree valley window yard zebra")
	rnd := rand.New(rand.NewPCG(3, 4))
	problem := func() string {
		var b strings.Builder
		for range 25 {
			b.WriteString(words[rnd.IntN(len(words))] + " ")
		}
		return "Find the number of " + b.String() + "that there are."
	}
	var questions, raw []string
	var s1Rows, rawRows strings.Builder
	for i := range 80 {
		q, r := problem(), problem()
		if i == 10 {
			q = strings.Replace(q, "Find", "Prove that", 1)
		}
		solution := fmt.Sprintf(`so \boxed{%d}`, i)
		if i%8 == 7 {
			solution = "no box"
		}
		questions, raw = append(questions, q), append(raw, r)
		fmt.Fprintf(&s1Rows, "{\"question\":%q,\"solution\":%q,\"source_type\":\"x\"}\n", q, solution)
		fmt.Fprintf(&rawRows, "{\"problem\":%q,\"answer\":\"%d\",\"solution\":\"\"}\n", r, i)
	}
	for _, sub := range []string{"s1/data", "deepscaler"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "s1/data/train-00000-of-00001.jsonl", s1Rows.String())
	write(t, dir, "deepscaler/deepscaler.jsonl", rawRows.String())
	for _, name := range []string{"aime24", "amc23", "math500", "minerva_math", "olympiadbench"} {
		ending := ".jsonl"
		text := fmt.Sprintf("{\"problem\":%q}\n", problem())
		if name == "math500" || name == "minerva_math" {
			ending, text = ".json", "["+strings.TrimSpace(text)+"]"
		}
		write(t, dir, name+ending, text)
	}
	write(t, dir, "aime24.jsonl", fmt.Sprintf("{\"problem\":%q}\n", questions[0])) // not solved, and a benchmark's item
	scored(t, filepath.Join(dir, "open-s1-scored.parquet"), questions)
	scored(t, filepath.Join(dir, "open-deepscaler-scored.parquet"), raw)
}

// scored writes one sample of each problem; those with odd numbers are right.
func scored(t *testing.T, path string, problems []string) {
	t.Helper()
	var list []schemas.Scored
	for i, p := range problems {
		right := i%2 == 1
		list = append(list, schemas.Scored{Correct: &right, Rollout: schemas.Rollout{
			GroupID: fmt.Sprint(i), ProblemID: schemas.ProblemID("any", p), Source: "any", Problem: p, Answer: "1", PromptIDs: []int32{1},
			CompletionIDs: []int32{2}, LogProbs: []float32{-1}, Completion: "1", FinishReason: schemas.FinishStop, Temperature: 1,
		}})
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec, err := schemas.ScoredRollouts().Encode(mem, list)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	w, err := table.Create(path, schemas.KindScored)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestRecipesOfTheStudyTogether runs the three recipes of open-rs behind each other, on small data.
func TestRecipesOfTheStudyTogether(t *testing.T) {
	recipes, err := filepath.Abs("../pipelines/recipes")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	study(t, dir)
	run := func(name string, more ...string) []map[string]any {
		t.Helper()
		mustCurate(t, dir, append([]string{"--config", filepath.Join(recipes, name+".yaml"), "--data", ".", "--out", name + ".parquet", "--ledger", "l.parquet", "--card", "card"}, more...)...)
		return rowsOf(t, filepath.Join(dir, name+".parquet"))
	}
	if got := run("open-s1", "--before", "pass-rate"); len(got) != 70 { // 10 of 80 have no box
		t.Errorf("%d problems to be sampled, want 70", len(got))
	}
	if got := run("open-s1"); len(got) != 38 || got[0]["difficulty"] != 0.0 { // 40 unsolved: one is a benchmark's, one asks for a proof
		t.Errorf("open-s1: %d problems, want 38", len(got))
	}
	if got := run("open-deepscaler"); len(got) != 40 {
		t.Errorf("open-deepscaler: %d problems, want 40", len(got))
	}
	log, err := curate(t.Context(), dir, "--config", filepath.Join(recipes, "open-rs.yaml"), "--data", ".", "--out", "x.parquet")
	if err == nil || !strings.Contains(log, "38 rows of source open-s1, want 3000") {
		t.Errorf("too few problems: %v\n%s", err, log)
	}
	counts := map[any]int{}
	for _, row := range run("open-rs", "--short", "scale") {
		counts[row["source"]]++
	}
	if fmt.Sprint(counts) != "map[easy:13 open-deepscaler:38 open-s1:38]" {
		t.Errorf("open-rs: %v", counts)
	}
}

func TestListSteps(t *testing.T) {
	var b bytes.Buffer
	if err := printSteps(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"near-duplicates: drop", "(default 0.5)", "(required)", "length: VALUE is short for it"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the list lacks %q:\n%s", want, b.String())
		}
	}
}
