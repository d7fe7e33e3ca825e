package step

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"openrs/curate/recipe"
	"openrs/curate/rows"
	"openrs/schemas"
)

// make1 makes the one step that a text of YAML asks for.
func make1(text string, env *Env) (Step, error) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte("- "+text), &node); err != nil {
		return Step{}, err
	}
	asked, err := recipe.ReadSteps(node.Content[0], Specs())
	if err != nil {
		return Step{}, err
	}
	return New(asked[0], env)
}

func mustMake(t *testing.T, text string, env *Env) Step {
	t.Helper()
	s, err := make1(text, env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// row makes a row; fields are pairs of name and value.
func row(problem string, fields ...string) *rows.Row {
	r := &rows.Row{Problem: schemas.Problem{Source: "s", Problem: problem, Answer: "1"}}
	for i := 0; i < len(fields); i += 2 {
		switch v := fields[i+1]; fields[i] {
		case "answer":
			r.Answer = v
		case "solution":
			r.Solution = &v
		case "source":
			r.Source = v
		case "difficulty":
			x, ok := parseNumber(v)
			if !ok {
				panic(v)
			}
			f := float32(x)
			r.Difficulty = &f
		default:
			r.SetMeta(fields[i], v)
		}
	}
	r.ProblemID = schemas.ProblemID(r.Source, problem)
	return r
}

// TestFilters: what each filter says of a row, "" for kept.
func TestFilters(t *testing.T) {
	for _, c := range []struct {
		step string
		row  *rows.Row
		want string
	}{
		{"extract-answer", row("P", "answer", "", "solution", `so \boxed{7}.`), ""},
		{"extract-answer", row("P", "answer", "", "solution", "so what"), "no answer in the solution"},
		{"extract-answer", row("P", "answer", ""), "no solution to extract an answer from"},
		{"extract-answer", row("P"), ""},
		{"readable-answer", row("P", "answer", `\frac{1}{2}`), ""},
		{"readable-answer", row("P", "answer", `\frac{1}{`), "unreadable answer"},
		{"readable-answer", row("P", "answer", ""), "no answer"},
		{"readable-answer: {not: [text]}", row("P", "answer", `\text{Sunday}`), "answer is text"},
		{"readable-answer: {not: [text]}", row("P", "answer", "12"), ""},
		{"boxed-only", row("P", "solution", `\boxed{3}`), ""},
		{"boxed-only", row("P", "solution", `\boxed 3`), ""},
		{"boxed-only", row("P", "solution", `\boxed{ }`), "empty box"},
		{"boxed-only", row("P", "solution", "3"), "no box"},
		{"boxed-only", row("P"), "no text to look for a box in"},
		{"boxed-only: answer", row("P", "answer", `\boxed{3}`), ""},
		{"no-figures", row("Find the area. [asy] draw((0,0)--(1,1)); [/asy]"), "asymptote figure"},
		{"no-figures: {asy: false}", row("Find the area. [asy] draw((0,0)--(1,1)); [/asy]"), ""},
		{"no-figures", row(`\begin{tikzpicture}\draw (0,0);\end{tikzpicture} Find x.`), "drawn figure"},
		{"no-figures", row("See ![](https://x.org/a.png) and find x."), "image"},
		{"no-figures", row(`\includegraphics{a} Find x.`), "image"},
		{"no-figures", row("The graph is shown below. Find x."), refers},
		{"no-figures", row("As shown in the figure, $ABC$ is a triangle."), refers},
		{"no-figures", row("In the diagram below, find x."), refers},
		{"no-figures", row(`The numbers shown below \begin{array}{c}1\end{array} are added.`), ""},
		{"no-figures", row("How many ways are there to paint a picture? A graph has 5 vertices."), ""},
		{"no-figures", row("Find the sum of the five-figure numbers below 20000."), ""},
		{"no-multi-part", row("(a) Find x. (b) Find y."), "lettered list"},
		{"no-multi-part", row("a) Find x.\nb) Find y."), "lettered list"},
		{"no-multi-part", row("Let $f(a) = f(b)$ with (a) prime. Find f(a) + f(b)."), ""},
		{"no-multi-part", row("(i) Find x; (ii) find y."), "numbered list"},
		{"no-multi-part", row("1. Find x.\n2. Find y."), "numbered list"},
		{"no-multi-part", row("A line is 1. 2 points are on it."), ""},
		{"no-multi-part", row(`\begin{enumerate}\item x\item y\end{enumerate}`), "list"},
		{"no-multi-part", row("Part (a): find x. Part (b): find y."), "parts"},
		{"no-multi-part", row("Part A is 5 long."), ""},
		{"no-proofs", row("Prove that $x>0$."), "asks for a proof"},
		{"no-proofs", row("Let x be real. Show that x=x."), "asks for a proof"},
		{"no-proofs", row("A television show starts at 5. When does it end?"), ""},
		{"no-proofs", row("Find x and prove that it is unique."), "asks for a proof"},
		{"no-proofs", row("A machine can show the number 5."), ""},
		{"no-choices", row("Which? (A) 1 (B) 2 (C) 3"), "choices"},
		{"no-choices", row(`Which? $\textbf{(A)}\ 1\qquad\textbf{(B)}\ 2\qquad\textbf{(C)}\ 3$`), "choices"},
		{"no-choices", row("Which?\nA. 1\nB. 2\n"), "choices"},
		{"no-choices", row("Points (A), B and C lie on a line."), ""},
		{"no-leaked-answer", row("Find $x$ with $x+1=6$. Answer: $5$", "answer", "5"), "states its answer"},
		{"no-leaked-answer", row(`Find $x$. The final answer is \boxed{5.0}`, "answer", "5"), "states its answer"},
		{"no-leaked-answer", row("Find $x$ with $x+1=6$. Answer: $6$", "answer", "5"), ""},
		{"no-leaked-answer", row("The answer is $m+n$. Find it for $m=5$.", "answer", "5"), ""},
		{"no-leaked-answer", row("Find 5.", "answer", "5"), ""},
		{"no-leaked-answer", row("Find it. Answer in terms of $n$.", "answer", "n"), ""},
		{"match: '^Let'", row("Let x be 1."), ""},
		{"match: '^Let'", row("Find x."), "problem does not match"},
		{"match: {pattern: amc, of: metadata.from, keep: false}", row("P", "from", "amc8"), "metadata.from matches"},
		{"match: {pattern: amc, of: metadata.from, keep: false}", row("P"), ""},
		{"where: {of: metadata.level, in: ['5', '6']}", row("P", "level", "5"), ""},
		{"where: {of: metadata.level, in: ['5', '6']}", row("P", "level", "4"), "metadata.level is another"},
		{"where: {of: metadata.level, min: 3}", row("P", "level", "2.5"), "metadata.level too small"},
		{"where: {of: metadata.level, below: 3}", row("P", "level", "3"), "metadata.level too large"},
		{"where: {of: metadata.level, min: 3}", row("P", "level", "hard"), "metadata.level is no number"},
		{"where: {of: metadata.level, min: 3}", row("P"), "no metadata.level"},
		{"where: {of: metadata.level, min: 3, missing: keep}", row("P"), ""},
		{"where: {of: difficulty, max: 0.5}", row("P", "difficulty", "0.75"), "difficulty too large"},
		{"where: {of: difficulty, max: 0.5}", row("P", "difficulty", "0.5"), ""},
		{"language", row("Find the sum of all integers."), ""},
		{"language", row("Bestimme die Summe der Zahlen, die größer sind als 5."), "language is de"},
		{"language: [de, fr]", row("Trouver la somme des nombres qui sont premiers."), ""},
		{"language", row("求所有整数之和。"), "language is zh"},
		{"language", row("Найдите сумму всех чисел."), "language is ru"},
		{"language", row("$x^2 + y^2 = z^2$"), ""},
		{"language: {is: [en], unknown: drop}", row("$x^2 + y^2 = z^2$"), "language unknown"},
		{"length: 5", row("12345"), ""},
		{"length: 5", row("πππππ"), ""},
		{"length: 5", row("123456"), "problem too long"},
		{"length: {of: solution, min: 1}", row("P"), "solution too short"},
		{"length: {unit: words, max: 2}", row("one two three"), "problem too long"},
	} {
		s := mustMake(t, c.step, &Env{})
		got := ""
		removal, err := s.Filter.Look(c.row)
		if err != nil {
			t.Fatal(err)
		}
		if removal != nil {
			got = removal.Reason
		}
		if got != c.want {
			t.Errorf("%s: %q: got %q, want %q", c.step, c.row.Problem.Problem, got, c.want)
		}
	}
}

func TestExtractAnswerFillsIn(t *testing.T) {
	for _, c := range []struct{ step, answer, solution, want string }{
		{"extract-answer", "", `thus \boxed{\frac12}.`, `\frac12`},
		{"extract-answer", "3", `thus \boxed{4}.`, "3"},
		{"extract-answer: {always: true}", "3", `thus \boxed{4}.`, "4"},
		{"extract-answer: answer", "The answer is $5$.", "", "5"},
	} {
		r := row("P", "answer", c.answer, "solution", c.solution)
		if _, err := mustMake(t, c.step, &Env{}).Filter.Look(r); err != nil || r.Answer != c.want {
			t.Errorf("%s: %q from %q, want %q (%v)", c.step, r.Answer, c.solution, c.want, err)
		}
	}
}

func TestTokenLength(t *testing.T) {
	if _, err := make1("length: {max: 3, unit: tokens}", &Env{}); err == nil || !strings.Contains(err.Error(), "--tokenizer") {
		t.Errorf("tokens without a tokenizer: %v", err)
	}
	env := &Env{Tokens: func(s string) int { return len(s) / 2 }}
	s := mustMake(t, "length: 3", env)
	for text, keep := range map[string]bool{"123456": true, "12345678": false} {
		if got, _ := s.Filter.Look(row(text)); (got == nil) != keep {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestBadSteps(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.jsonl")
	if err := os.WriteFile(empty, []byte("\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"lenght: 5":                      `unknown step "lenght" (did you mean "length"?)`,
		"length":                         "expected min or max",
		"length: {of: problm, max: 1}":   `"problm" (did you mean "problem"?)`,
		"match: '('":                     "missing closing )",
		"where: {of: level, min: 1}":     "expected problem, solution, answer, source, difficulty, metadata.KEY",
		"decontaminate":                  "needs against",
		"decontaminate: [absent.jsonl]":  "absent.jsonl",
		"decontaminate: [" + empty + "]": "no problems in it",
		"decontaminate: {against: [x], methods: [ngram9]}": `"ngram9" (did you mean "ngram8"?)`,
		"pass-rate: {min: 0.1}":                            "needs scored",
		"pass-rate: [absent.parquet]":                      "absent.parquet",
		"majority: {scored: [x.parquet], share: 2}":        "share: 2",
		"mix":                                    "counts or weights",
		"mix: {counts: {a: 1}, weights: {a: 1}}": "counts or weights",
		"mix: {counts: {a: 1.5}}":                "whole number",
		"mix: {counts: {a: 0}}":                  "above 0",
		"mix: {counts: {a: 1}, total: 5}":        "total goes with weights",
		"mix: {counts: {a: 1}, by: answer}":      "expected source, metadata.KEY",
		"order: difficulty":                      "expected shuffle, easy-to-hard",
		"order: {by: shuffle, only: [a]}":        `unknown option "only"`,
		"near-duplicates: 2":                     "",
	} {
		_, err := make1(text, &Env{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// arrange runs an arranger over rows and returns the problems that go on and those that do not.
func arrange(s Step, list []*rows.Row) (on, gone []string, err error) {
	var taken []*rows.Row
	for _, r := range list {
		removal, err := s.Arranger.Take(r)
		if err != nil {
			return nil, nil, err
		}
		if removal != nil {
			gone = append(gone, r.Problem.Problem)
			continue
		}
		taken = append(taken, r)
	}
	order, left, err := s.Arranger.Arrange()
	for _, n := range order {
		on = append(on, taken[n].Problem.Problem)
	}
	for _, l := range left {
		gone = append(gone, taken[l.Number].Problem.Problem)
	}
	return on, gone, err
}

func numbered(source string, n int) []*rows.Row {
	var list []*rows.Row
	for i := range n {
		list = append(list, row(fmt.Sprint(source, i), "source", source))
	}
	return list
}

func TestMix(t *testing.T) {
	list := slices.Concat(numbered("a", 100), numbered("b", 40), numbered("c", 7))
	for _, c := range []struct {
		step string
		want map[string]int // nil: an error
		err  string
	}{
		{"mix: {counts: {a: 50, b: 40}}", map[string]int{"a": 50, "b": 40}, ""},
		{"mix: {counts: {a: 50, b: 40}, others: keep}", map[string]int{"a": 50, "b": 40, "c": 7}, ""},
		{"mix: {counts: {a: 50, b: 41}}", nil, "40 rows of source b, want 41 (there are also rows of c)"},
		{"mix: {counts: {a: 50, b: 41, c: 1}}", nil, "short: keep"},
		{"mix: {counts: {a: 50, b: 80}, short: keep}", map[string]int{"a": 50, "b": 40}, ""},
		{"mix: {counts: {a: 50, b: 80}, short: scale}", map[string]int{"a": 25, "b": 40}, ""},
		{"mix: {counts: {a: 3000, b: 3000, c: 1000}, short: scale}", map[string]int{"a": 21, "b": 21, "c": 7}, ""},
		{"mix: {counts: {a: 50, d: 1}, short: scale}", nil, "0 rows of source d"},
		{"mix: {weights: {a: 2, b: 1}}", map[string]int{"a": 80, "b": 40}, ""},
		{"mix: {weights: {a: 2, b: 1}, total: 10}", map[string]int{"a": 7, "b": 3}, ""},
		{"mix: {weights: {a: 1, b: 1}, total: 100}", nil, "40 rows of source b, want 50"},
		{"mix: {weights: {a: 1, c: 1}, total: 100, short: keep}", map[string]int{"a": 50, "c": 7}, ""},
		{"mix: {weights: {a: 1, c: 1}, total: 100, short: scale}", map[string]int{"a": 7, "c": 7}, ""},
		{"mix: {by: metadata.level, counts: {x: 1}}", nil, "0 rows of metadata.level x"},
	} {
		on, gone, err := arrange(mustMake(t, c.step, &Env{Seed: 3}), list)
		if c.want == nil {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.step, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.step, err)
			continue
		}
		got := map[string]int{}
		for _, p := range on {
			got[p[:1]]++
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.step, got, c.want)
		}
		if len(on)+len(gone) != len(list) {
			t.Errorf("%s: %d rows on and %d gone of %d", c.step, len(on), len(gone), len(list))
		}
	}
}

// TestDrawsDependOnRowsAlone: the order in which rows arrive, and other rows, change nothing for a row, and
// a smaller draw is a part of a larger one.
func TestDrawsDependOnRowsAlone(t *testing.T) {
	list := numbered("a", 200)
	draw := func(step string, seed uint64, list []*rows.Row) []string {
		on, _, err := arrange(mustMake(t, step, &Env{Seed: seed}), list)
		if err != nil {
			t.Fatal(err)
		}
		return on
	}
	sorted := func(list []string) []string { return slices.Sorted(slices.Values(list)) }
	backwards := slices.Clone(list)
	slices.Reverse(backwards)

	fifty := draw("mix: {counts: {a: 50}}", 1, list)
	if again := draw("mix: {counts: {a: 50}}", 1, backwards); !slices.Equal(sorted(again), sorted(fifty)) {
		t.Error("the draw depends on the order of arrival")
	}
	if other := draw("mix: {counts: {a: 50}}", 2, list); slices.Equal(other, fifty) {
		t.Error("the draw does not depend on the seed")
	}
	if own := draw("mix: {counts: {a: 50}, seed: 1}", 2, list); !slices.Equal(own, fifty) {
		t.Error("a step's own seed does not win")
	}
	for _, p := range draw("mix: {counts: {a: 20}}", 1, list) {
		if !slices.Contains(fifty, p) {
			t.Error("a smaller draw is no part of a larger one")
		}
	}
	shuffled := draw("order: shuffle", 1, list)
	if again := draw("order: shuffle", 1, backwards); !slices.Equal(again, shuffled) {
		t.Error("the shuffle depends on the order of arrival")
	}
	if slices.Equal(shuffled, draw("order: shuffle", 2, list)) || !slices.Equal(sorted(shuffled), sorted(draw("order: shuffle", 2, list))) {
		t.Error("the shuffle is none")
	}
}

func TestOrder(t *testing.T) {
	list := []*rows.Row{
		row("none"), row("half", "difficulty", "0.5", "level", "10"), row("hard", "difficulty", "0", "level", "9"),
		row("easy", "difficulty", "1", "level", "b"), row("also", "difficulty", "0.25", "level", "a", "source", "r"),
	}
	for step, want := range map[string]string{
		"order: easy-to-hard":                       "easy half also hard none",
		"order: hard-to-easy":                       "hard also half easy none",
		"order: {by: hard-to-easy, missing: first}": "none hard also half easy",
		"order: metadata.level":                     "hard half also easy none",
	} {
		on, gone, err := arrange(mustMake(t, step, &Env{}), list)
		if err != nil || strings.Join(on, " ") != want || len(gone) > 0 {
			t.Errorf("%s: got %v, want %s (%v)", step, on, want, err)
		}
	}
	if on, _, err := arrange(mustMake(t, "order: source", &Env{}), list); err != nil || on[0] != "also" {
		t.Errorf("by source: %v, %v", on, err)
	}
	if on, _, err := arrange(mustMake(t, "order: shuffle", &Env{}), nil); err != nil || len(on) != 0 {
		t.Errorf("no rows: %v, %v", on, err)
	}
}

func TestJudges(t *testing.T) {
	judge := func(step string, list ...*rows.Row) (gone []string) {
		s := mustMake(t, step, &Env{})
		for i, r := range list {
			r.Num = i
			removal, err := s.Judge.Decide(r, s.Judge.Prepare(r))
			if err != nil {
				t.Fatal(err)
			}
			if removal != nil {
				gone = append(gone, fmt.Sprintf("%d %s %d", i, removal.Reason, removal.Row))
			}
		}
		return gone
	}
	long := "A farmer has seventeen sheep and all but nine of them run away into the hills during one stormy night. How many sheep are left"
	if got := judge("exact-duplicates", row("Find  $x$."), row("find x"), row("Find y."), row("FIND X.")); !slices.Equal(got, []string{"1 exact duplicate 0", "3 exact duplicate 0"}) {
		t.Errorf("exact: %v", got)
	}
	if got := judge("near-duplicates: 0.7", row(long+"?"), row("Find y."), row(long+" now?")); !slices.Equal(got, []string{"2 near duplicate 0"}) {
		t.Errorf("near: %v", got)
	}
	if got := judge("limit: 1", row("a"), row("b")); !slices.Equal(got, []string{"1 beyond the limit -1"}) {
		t.Errorf("limit: %v", got)
	}
}

func TestDecontaminate(t *testing.T) {
	dir := t.TempDir()
	item := "How many positive integers less than 1000 are divisible by both 7 and 11 but not by 13, and have an odd number of digits?"
	bench := filepath.Join(dir, "bench.jsonl")
	if err := os.WriteFile(bench, []byte(fmt.Sprintf("{\"id\":\"x\",\"question\":%q}\n{\"id\":\"y\",\"question\":\"\"}\n", item)), 0o666); err != nil {
		t.Fatal(err)
	}
	warned := ""
	s := mustMake(t, "decontaminate: [bench.jsonl]", &Env{Data: dir, Warn: func(text string) { warned += text }})
	if !strings.Contains(warned, "bench.jsonl: 1 rows have no problem") {
		t.Errorf("warned: %q", warned)
	}
	for text, want := range map[string]string{
		item:                           "benchmark item",
		"Find the derivative of $x^2$": "",
	} {
		r := row(text)
		removal, err := s.Judge.Decide(r, s.Judge.Prepare(r))
		switch {
		case err != nil:
			t.Fatal(err)
		case want == "" && removal != nil:
			t.Errorf("%q was removed: %+v", text, removal)
		case want != "" && (removal == nil || removal.Reason != want || removal.Item == nil || removal.Item.ID != "x" || removal.Item.Row != 1 || removal.Item.Text != item):
			t.Errorf("%q: %+v, want %q", text, removal, want)
		}
	}
	for _, c := range []struct {
		options string
		removed bool
		note    string
	}{
		{"{against: [bench.jsonl], methods: [ngram8]}", true, "1 ngram8"},
		{"{against: [bench.jsonl], methods: [ngram13], report: [ngram8]}", false, "ngram8 finds 1 rows that stay"},
	} {
		s := mustMake(t, "decontaminate: "+c.options, &Env{Data: dir})
		r := row("Tell us how many positive integers less than 1000 are divisible by seven.")
		removal, err := s.Judge.Decide(r, s.Judge.Prepare(r))
		if err != nil || (removal != nil) != c.removed || !strings.Contains(strings.Join(s.Notes(), "\n"), c.note) {
			t.Errorf("%s: %+v, %v, notes %v", c.options, removal, err, s.Notes())
		}
	}
	for i := range 2 { // three files of one name, in folders of one name
		sub := filepath.Join(dir, fmt.Sprint(i), "sub")
		if err := os.MkdirAll(sub, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(sub, "bench.jsonl"), fmt.Appendf(nil, "{\"question\":\"item %d\"}\n", i), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	all := mustMake(t, "decontaminate: ['**/bench.jsonl', bench.jsonl, 1/sub/bench.jsonl]", &Env{Data: dir})
	if notes := strings.Join(all.Notes(), "\n"); !strings.Contains(notes, "3 items of 3 benchmarks") {
		t.Errorf("notes: %s", notes)
	}
	if notes := strings.Join(s.Notes(), "\n"); !strings.Contains(notes, "bench (1 items, 1 rows that can't be read): 1 exact") {
		t.Errorf("notes: %s", notes)
	}
}

func TestEverySpecIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, k := range kinds() {
		n := 0
		for _, set := range []bool{k.filter != nil, k.judge != nil, k.arranger != nil} {
			if set {
				n++
			}
		}
		if n != 1 || names[k.Name] || k.Usage == "" || k.Whole != (k.arranger != nil) {
			t.Errorf("step %q: %d ways to make it", k.Name, n)
		}
		names[k.Name] = true
		main := k.Main == ""
		for _, o := range k.Options {
			main = main || o.Name == k.Main
			if o.Usage == "" || o.Type == "" || o.Type == recipe.Choice && !slices.Contains(o.Among, o.Default) && o.Default != "" {
				t.Errorf("step %q: option %+v", k.Name, o)
			}
		}
		if !main {
			t.Errorf("step %q has no option %q", k.Name, k.Main)
		}
	}
}
