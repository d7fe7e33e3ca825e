package refine

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"openrs/curate/ledger"
	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/curate/step"
	"openrs/schemas"
)

// setup is what one run works on.
type setup struct {
	dir     string
	sources string // YAML
	steps   string
	seed    uint64
	threads int
	order   load.Order
}

// result is what came of it.
type result struct {
	problems []schemas.Problem
	lost     []ledger.Entry
	report   Report
}

func node(t *testing.T, text string) *yaml.Node {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil {
		t.Fatal(err)
	}
	if len(n.Content) == 0 {
		return nil
	}
	return n.Content[0]
}

func (s setup) run(t *testing.T) (out result, err error) {
	t.Helper()
	env := &step.Env{Seed: s.seed, Data: s.dir}
	sources, err := recipe.ReadSources(node(t, s.sources))
	if err != nil {
		return out, err
	}
	asked, err := recipe.ReadSteps(node(t, s.steps), step.Specs())
	if err != nil {
		return out, err
	}
	var steps []step.Step
	opt := load.Options{}
	for _, a := range asked {
		made, err := step.New(a, env)
		if err != nil {
			return out, err
		}
		opt.NoAnswer = opt.NoAnswer || a.Name == "extract-answer"
		steps = append(steps, made)
	}
	files, _, err := Files(sources, env.Path, opt)
	if err != nil {
		return out, err
	}
	spool := t.TempDir()
	res, err := Run(t.Context(), Options{
		Files: files, Steps: WithAnswers(steps), Threads: s.threads, Dir: spool, Order: s.order,
		Lost: func(e ledger.Entry) error { out.lost = append(out.lost, e); return nil },
	})
	if err != nil {
		return out, err
	}
	out.report = res.Report
	for i := range res.Len() {
		p, err := res.Problem(i)
		if err != nil {
			t.Fatal(err)
		}
		out.problems = append(out.problems, p)
	}
	if err := res.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(spool); len(left) > 0 {
		t.Errorf("temporary files left: %v", left)
	}
	out.check(t, max(s.order.Epochs, 1))
	return out, nil
}

// check: rows read = rows lost + rows left, at every step, for every source, and for every row.
func (r result) check(t *testing.T, epochs int) {
	t.Helper()
	rep := r.report
	if rep.Read != len(r.lost)+rep.Left || rep.Left*epochs != len(r.problems) {
		t.Errorf("%d rows read, %d lost, %d left, %d problems in %d epochs", rep.Read, len(r.lost), rep.Left, len(r.problems), epochs)
	}
	byStep := map[string]map[string]int{}
	bySource := map[string]int{}
	seen := map[string]bool{}
	for _, e := range r.lost {
		if byStep[e.Step] == nil {
			byStep[e.Step] = map[string]int{}
		}
		byStep[e.Step][e.Reason]++
		bySource[e.Source]++
		if e.Reason == "" || e.File == "" || e.Row < 1 {
			t.Errorf("an entry without reason or place: %+v", e)
		}
		if key := fmt.Sprint(e.Source, " ", e.File, " ", e.Row); seen[key] {
			t.Errorf("row lost twice: %+v", e)
		} else {
			seen[key] = true
		}
	}
	in := rep.Read
	for _, s := range rep.Steps {
		removed := 0
		for _, c := range s.Removed {
			removed += c.Rows
			if byStep[s.Label][c.Reason] != c.Rows {
				t.Errorf("step %s: %d %s in the report, %d in the ledger", s.Label, c.Rows, c.Reason, byStep[s.Label][c.Reason])
			}
		}
		if s.In != in || s.Out != in-removed {
			t.Errorf("step %s: %d in, %d removed, %d out, after %d", s.Label, s.In, removed, s.Out, in)
		}
		in = s.Out
	}
	if in != rep.Left {
		t.Errorf("%d rows after the last step, %d left", in, rep.Left)
	}
	read, left := 0, 0
	for _, s := range rep.Sources {
		read, left = read+s.Read, left+s.Left
		if s.Read-s.Left != bySource[s.Name] {
			t.Errorf("source %s: %d read, %d left, %d lost", s.Name, s.Read, s.Left, bySource[s.Name])
		}
	}
	if read != rep.Read || left != rep.Left {
		t.Errorf("sources: %d read and %d left, want %d and %d", read, left, rep.Read, rep.Left)
	}
}

func (r result) texts() (all []string) {
	for _, p := range r.problems {
		all = append(all, p.Problem)
	}
	return all
}

// planted writes data sets with everything in them that steps look for.
func planted(t *testing.T, dir string, n int) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("apples bridges circles dogs engines farmers gardens houses islands jars kings ladders mirrors numbers oranges pencils queens rivers stones trees")
	text := func() string {
		var b strings.Builder
		for range 12 + rnd.IntN(20) {
			fmt.Fprintf(&b, "the %s of %d ", words[rnd.IntN(len(words))], rnd.IntN(1000))
		}
		return "Find " + b.String() + "."
	}
	write := func(name string, zip bool, list []map[string]any) {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var w io.Writer = f
		if zip {
			z := gzip.NewWriter(f)
			defer z.Close()
			w = z
		}
		for _, row := range list {
			if err := json.NewEncoder(w).Encode(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	var a, b, bench []map[string]any
	for i := range n {
		row := map[string]any{"problem": text(), "solution": fmt.Sprintf(`so \boxed{%d}`, i), "answer": i, "level": i % 5}
		switch i % 10 {
		case 3:
			row["answer"] = nil
			row["solution"] = "no end"
		case 4:
			row["problem"] = a[rnd.IntN(len(a))]["problem"]
		case 5:
			row["problem"] = strings.Replace(a[rnd.IntN(len(a))]["problem"].(string), " of ", " in ", 1) + " Now."
		case 6:
			row["problem"] = row["problem"].(string) + " [asy]draw();[/asy]"
		case 7:
			row["problem"] = ""
		case 8:
			bench = append(bench, map[string]any{"question": row["problem"], "id": fmt.Sprint("b", i)})
		}
		if row["problem"] == nil {
			row["problem"] = ""
		}
		if i%3 == 0 {
			b = append(b, row)
		} else {
			a = append(a, row)
		}
		if len(a) == 0 {
			a = append(a, map[string]any{"problem": text(), "answer": 1, "solution": ""})
		}
	}
	write("a.jsonl", false, a)
	write("b.jsonl.gz", true, b)
	write("bench.jsonl", false, bench)
}

const allSteps = `
- extract-answer
- readable-answer
- no-figures
- length: {min: 10, max: 1000}
- exact-duplicates
- near-duplicates: 0.7
- decontaminate: [bench.jsonl]
- mix: {counts: {a: 150, b: 60}}
- where: {of: metadata.level, max: 3}
- order: shuffle
- limit: {rows: 40, only: [b]}
- order: metadata.level
`

// TestSameBytesWhateverTheThreads: result, report and ledger are the same with any number of threads and
// cores, and in each run.
func TestSameBytesWhateverTheThreads(t *testing.T) {
	dir := t.TempDir()
	planted(t, dir, 1200)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first result
	for i, cores := range []int{1, 2, 8, 2} {
		runtime.GOMAXPROCS(cores)
		got, err := setup{dir: dir, sources: "[a.jsonl, b.jsonl.gz]", steps: allSteps, seed: 7, threads: []int{0, 0, 0, 5}[i]}.run(t)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = got
			for _, s := range got.report.Steps[1:] {
				if s.Name != "" && s.Name != "order" && s.Name != "readable-answer" && s.In == s.Out {
					t.Errorf("step %s removed nothing: the test shows nothing of it", s.Label)
				}
			}
			continue
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%d cores: another result", cores)
		}
	}
	other, err := setup{dir: dir, sources: "[a.jsonl, b.jsonl.gz]", steps: allSteps, seed: 8}.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other.texts(), first.texts()) {
		t.Error("the seed changes nothing")
	}
}

// TestAsIfOneRowAfterTheOther compares with the plain way: each step over all rows before the next.
func TestAsIfOneRowAfterTheOther(t *testing.T) {
	dir := t.TempDir()
	planted(t, dir, 600)
	steps := []string{"no-figures", "exact-duplicates", "extract-answer", "near-duplicates: 0.7", "length: {max: 600}", "decontaminate: [bench.jsonl]", "order: shuffle", "limit: 200", "readable-answer"}
	all, err := setup{dir: dir, sources: "[a.jsonl, b.jsonl.gz]", steps: "- " + strings.Join(steps, "\n- "), seed: 3}.run(t)
	if err != nil {
		t.Fatal(err)
	}

	env := &step.Env{Seed: 3, Data: dir}
	files, _, err := Files([]recipe.Source{{Path: "a.jsonl"}, {Path: "b.jsonl.gz"}}, env.Path, load.Options{NoAnswer: true})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Run(t.Context(), Options{Files: files, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var now []*rows.Row
	for i := range plain.Len() {
		r, err := plain.Row(i)
		if err != nil {
			t.Fatal(err)
		}
		now = append(now, r)
	}
	asked, err := recipe.ReadSteps(node(t, "- "+strings.Join(steps, "\n- ")), step.Specs())
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range asked {
		s, err := step.New(a, env)
		if err != nil {
			t.Fatal(err)
		}
		var next []*rows.Row
		for _, r := range now {
			var removal *step.Removal
			switch {
			case s.Filter != nil:
				removal, err = s.Filter.Look(r)
			case s.Judge != nil:
				removal, err = s.Judge.Decide(r, s.Judge.Prepare(r))
			default:
				removal, err = s.Arranger.Take(r)
			}
			if err != nil {
				t.Fatal(err)
			}
			if removal == nil {
				next = append(next, r)
			}
		}
		if s.Arranger != nil {
			order, _, err := s.Arranger.Arrange()
			if err != nil {
				t.Fatal(err)
			}
			var arranged []*rows.Row
			for _, n := range order {
				arranged = append(arranged, next[n])
			}
			next = arranged
		}
		if i == slices.Index(steps, "decontaminate: [bench.jsonl]") { // where problems without an answer go
			next = slices.DeleteFunc(next, func(r *rows.Row) bool { return r.Answer == "" })
		}
		now = next
	}
	var want []string
	for _, r := range now {
		want = append(want, r.Problem.Problem)
	}
	if !slices.Equal(all.texts(), want) {
		t.Errorf("%d problems, want %d of the plain way, or another order", len(all.problems), len(want))
	}
}

func TestEdges(t *testing.T) {
	dir := t.TempDir()
	planted(t, dir, 60)
	file := func(name, text string) string {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return name
	}
	file("none.jsonl", "\n")
	file("twice.jsonl", `{"problem":"P","answer":"1"}`+"\n"+`{"problem":"Q","answer":"2"}`+"\n"+`{"problem":"P","answer":"3"}`+"\n")
	file("hf/data/train-00000-of-00002.jsonl", `{"problem":"one","answer":"1"}`+"\n")
	file("hf/data/train-00001-of-00002.jsonl", `{"problem":"two","answer":"2"}`+"\n"+`{"problem":"one","answer":"1"}`+"\n")
	file("hf/data/test-00000-of-00001.jsonl", `{"problem":"three","answer":"3"}`+"\n")
	file("other.jsonl", `{"text":"P","gold":"1"}`+"\n")
	file("broken.jsonl", `{"problem":"P","answer":"1"}`+"\n{\n")

	t.Run("nothing to read", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[none.jsonl]", steps: allSteps[:strings.Index(allSteps, "- mix")]}.run(t)
		if err != nil || len(got.problems) != 0 || got.report.Read != 0 {
			t.Errorf("%d problems, %v", len(got.problems), err)
		}
	})
	t.Run("the same id twice", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[twice.jsonl]"}.run(t)
		if err != nil || len(got.problems) != 2 || len(got.lost) != 1 {
			t.Fatalf("%d problems, %+v, %v", len(got.problems), got.lost, err)
		}
		if e := got.lost[0]; e.Step != Reading || e.Reason != load.Repeated || e.Row != 3 || e.OtherRow != 1 || e.OtherID != e.ProblemID {
			t.Errorf("entry %+v", e)
		}
	})
	t.Run("an export in parts", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[hf]"}.run(t)
		if err != nil || !slices.Equal(got.texts(), []string{"one", "two"}) {
			t.Fatalf("%v, %v", got.texts(), err)
		}
		if e := got.lost[0]; e.Source != "hf" || !strings.Contains(e.OtherFile, "00000-of") {
			t.Errorf("a problem of both parts: %+v", e)
		}
	})
	t.Run("the same file under two names", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[{path: twice.jsonl, name: x}, {path: twice.jsonl, name: y}]", steps: "[exact-duplicates: {only: [x]}]"}.run(t)
		if err != nil || len(got.problems) != 4 {
			t.Errorf("%v, %v", got.texts(), err)
		}
	})
	t.Run("a source that has no rows", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[a.jsonl]", steps: "[language: {only: [a, bee]}]"}.run(t)
		if w := got.report.Warnings; err != nil || len(w) != 1 || !strings.Contains(w[0], "source bee, and there are none") {
			t.Errorf("warnings %q, %v", w, err)
		}
	})
	t.Run("order, limit and epochs", func(t *testing.T) {
		got, err := setup{dir: dir, sources: "[a.jsonl]", order: load.Order{Shuffle: true, Seed: 1, Limit: 5, Epochs: 3}}.run(t)
		if err != nil || len(got.problems) != 15 {
			t.Errorf("%d problems, %v", len(got.problems), err)
		}
	})
	for _, c := range []struct{ name, sources, steps, want string }{
		{"no file", "[absent.jsonl]", "", "absent.jsonl"},
		{"no file of a pattern", "['*.parquet']", "", "fits this pattern"},
		{"wrong columns", "[other.jsonl]", "", "the file has gold, text"},
		{"wrong column by name", "[{path: a.jsonl, columns: {answer: gold}}]", "[extract-answer]", `no column "gold" for the answer`},
		{"broken", "[broken.jsonl]", "", "broken.jsonl: line 2"},
		{"strict", "[{path: a.jsonl, strict: true}]", "", "row can't be used"},
		{"too few to mix", "[a.jsonl]", "- length: {min: 1}\n- mix: {counts: {a: 100}}", "step mix (line 2): "},
	} {
		if _, err := (setup{dir: dir, sources: c.sources, steps: c.steps}).run(t); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if got, err := (setup{dir: dir, sources: "[{path: absent.jsonl, optional: true}, twice.jsonl]"}).run(t); err != nil || len(got.problems) != 2 {
		t.Errorf("an optional source: %v, %v", got.texts(), err)
	}
}

func TestRunStops(t *testing.T) {
	dir := t.TempDir()
	planted(t, dir, 300)
	files, _, err := Files([]recipe.Source{{Path: filepath.Join(dir, "a.jsonl")}}, func(p string) string { return p }, load.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Options{Files: files, Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	full := errors.New("disk full")
	if _, err := Run(t.Context(), Options{Files: files, Dir: t.TempDir(), Lost: func(ledger.Entry) error { return full }}); !errors.Is(err, full) {
		t.Errorf("an error of the ledger: %v", err)
	}
	if _, err := Run(t.Context(), Options{Files: files, Dir: "no/such/folder"}); err == nil {
		t.Error("no folder for the temporary file")
	}
}

func TestOrdered(t *testing.T) {
	for _, threads := range []int{1, 3} {
		for _, failAt := range []int{-1, 0, 57} {
			for _, where := range []string{"read", "work", "take"} {
				fail := errors.New(where)
				n, want := 0, 0
				err := ordered(t.Context(), threads, func() (int, bool, error) {
					n++
					if where == "read" && n-1 == failAt {
						return 0, false, fail
					}
					return n - 1, n <= 200, nil
				}, func(i int) error {
					if where == "work" && i == failAt {
						return fail
					}
					return nil
				}, func(i int) error {
					if i != want {
						t.Fatalf("%d threads: %d after %d", threads, i, want-1)
					}
					want++
					if where == "take" && i == failAt {
						return fail
					}
					return nil
				})
				if failAt < 0 && (err != nil || want != 200) || failAt >= 0 && !errors.Is(err, fail) {
					t.Errorf("%d threads, %s fails at %d: %d taken, %v", threads, where, failAt, want, err)
				}
			}
		}
	}
}
