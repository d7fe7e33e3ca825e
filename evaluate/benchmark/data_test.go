package benchmark

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/score/answer"
)

// published is the folder with the published files.
func published(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("OPENRS_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no data sets in %s: %v", dir, err)
	}
	return dir
}

// Every published file is read whole, is the edition that the table knows, and
// every gold answer of it is right by the metric.
func TestPublishedFiles(t *testing.T) {
	dir := published(t)
	for _, c := range []struct {
		name, file string
		warnings   int // to be expected: what was put right
		golds      map[int]string
	}{
		{"aime24", "aime24.jsonl", 0, map[int]string{0: "204", 7: "25", 15: "73", 24: "33"}},
		{"amc23", "amc23.jsonl", 0, map[int]string{0: "27", 3: "3159", 15: "-1"}},
		{"math_500", "math500.json", 0, map[int]string{0: `\left( 3, \frac{\pi}{2} \right)`, 1: "p - q"}},
		{"minerva", "minerva_math.json", 2, map[int]string{0: "9.6", 17: "6630", 41: "0.53", 128: `1 \times 10^{-8}`}},
		{"olympiadbench", "olympiadbench.jsonl", 0, map[int]string{0: "2"}},
		{"gsm8k", "gsm8k_test.jsonl", 0, map[int]string{0: "18", 2: "70000"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := Load(c.name, Options{Data: dir})
			if err != nil {
				t.Fatal(err)
			}
			if len(set.Files) != 1 || filepath.Base(set.Files[0]) != c.file {
				t.Errorf("read %v, want %s", set.Files, c.file)
			}
			if len(set.Warnings) != c.warnings || set.Hash != set.Benchmark.Hash || set.Rows != set.Benchmark.Rows {
				t.Errorf("%d rows with hash %s, want %d with %s; warnings %q", set.Rows, set.Hash, set.Benchmark.Rows, set.Benchmark.Hash, set.Warnings)
			}
			profile, err := set.Benchmark.Metric.Answer()
			if err != nil {
				t.Fatal(err)
			}
			ids := map[string]bool{}
			for i, p := range set.Problems {
				if p.Source != c.name || p.Answer == "" || ids[p.ProblemID] || !strings.HasPrefix(p.Problem, "Solve the following math problem") {
					t.Fatalf("problem %d: %+v", i, p)
				}
				ids[p.ProblemID] = true
				if p.ProblemID != schemas.ProblemID(c.name, unrender(p.Problem)) {
					t.Errorf("problem %d: its id is not of its bare question", i)
				}
				if want, ok := c.golds[i]; ok && p.Answer != want {
					t.Errorf("problem %d: gold answer %q, want %q", i, p.Answer, want)
				}
				v, err := answer.Verify(p.Answer, `Therefore, the final answer is: $\boxed{`+strings.Trim(p.Answer, "$")+`}$. I hope it is correct`, profile)
				if err != nil || !v.Equal && !strings.Contains(p.Answer, "$") {
					t.Errorf("problem %d: its gold answer %q in a box is %+v, %v", i, p.Answer, v, err)
				}
			}
			few, err := Load(c.name, Options{Data: set.Files[0], N: 7, Prompt: Plain})
			if err != nil || len(few.Problems) != 7 {
				t.Fatalf("%d problems, %v", len(few.Problems), err)
			}
			for i, p := range few.Problems {
				if p.ProblemID != set.Problems[i].ProblemID || p.Problem == set.Problems[i].Problem {
					t.Errorf("problem %d under another prompt: %s is %q", i, p.ProblemID, p.Problem)
				}
			}
			if _, err := Load(c.name, Options{Data: dir, N: set.Rows + 1}); err == nil || !strings.Contains(err.Error(), c.file) {
				t.Errorf("more problems than there are: %v", err)
			}
		})
	}
}

// The answers of minerva's file are an earlier part's in some rows; each that
// is put right is the box of the row's own solution.
func TestMinervaGoldsAreOfTheQuestionAsked(t *testing.T) {
	b, err := Lookup("minerva")
	if err != nil {
		t.Fatal(err)
	}
	items, err := b.readFile(filepath.Join(published(t), "minerva_math.json"))
	if err != nil {
		t.Fatal(err)
	}
	right, several := 0, 0
	for _, it := range items {
		boxes := boxed(it.solution)
		switch {
		case it.note != "":
			right++
			if it.answer != powers(boxes[len(boxes)-1]) || it.meta["answers"] == "" {
				t.Errorf("row %d: %q, solution %q", it.row, it.answer, boxes)
			}
		case len(it.golds) > 1:
			several++
			if it.meta["answers"] == "" {
				t.Errorf("row %d: %q without the others", it.row, it.golds)
			}
		}
	}
	if right != 31 || several < 60 {
		t.Errorf("%d rows put right, want 31; %d with several writings", right, several)
	}
}

func TestBoxed(t *testing.T) {
	for text, want := range map[string]string{
		`\boxed{1} and \boxed{\frac{1}{2}}`: `1|\frac{1}{2}`,
		`\boxed{\{1, 2\}}`:                  `\{1, 2\}`,
		`\boxed{1`:                          ``,
		`\boxed{a\boxed{b}}`:                `a\boxed{b}|b`,
		`none`:                              ``,
		`\boxed{`:                           ``,
		`\boxed{\`:                          ``,
	} {
		if got := strings.Join(boxed(text), "|"); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
}
