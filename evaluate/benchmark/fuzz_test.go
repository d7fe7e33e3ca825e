package benchmark

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a file holds, reading it as any benchmark gives problems with
// questions and answers, or an error that says which file.
func FuzzRows(f *testing.F) {
	for _, row := range []string{
		`{"problem":"q","answer":"033","solution":"s"}`,
		`{"question":"q","final_answer":["$1$,$2$"],"context":"c","error":"1e-1"}`,
		`{"problem":"\\boxed{1}","solution":"\\boxed{2}","answer":["1"]}`,
		`{"question":"q","answer":"x\n#### 1,000"}`,
		`{"Question":"{A}","Correct Answer":"a","Incorrect Answer 1":"b","Incorrect Answer 2":"c","Incorrect Answer 3":"d"}`,
		`{"problem":"q","answer":1e300}`, `{"problem":"q","answer":123456789012345678901234567890}`, `{}`, `[]`, ``,
		"Question,Correct Answer\n\"a\n",
	} {
		f.Add(row, false)
		f.Add(row, true)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, asCSV bool) {
		path := filepath.Join(dir, "rows.jsonl")
		if asCSV {
			path = filepath.Join(dir, "rows.csv")
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, b := range All() {
			if b.BuiltIn() {
				continue
			}
			set, err := Load(b.Name, Options{Data: path})
			if err != nil {
				if !strings.Contains(err.Error(), path) || !errors.Is(err, ErrData) {
					t.Errorf("%s: the error %q does not say which file, or is no ErrData", b.Name, err)
				}
				continue
			}
			for _, p := range set.Problems {
				if strings.TrimSpace(p.Problem) == "" || strings.TrimSpace(p.Answer) == "" || p.ProblemID == "" {
					t.Errorf("%s: %+v", b.Name, p)
				}
			}
		}
	})
}

func FuzzLookup(f *testing.F) {
	for _, name := range []string{"aime24", "lighteval|math_500|0|0", "|||", "HuggingFaceH4/MATH-500", "gpqa:diamond|0"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		b, err := Lookup(name)
		if (err == nil) == (b.Name == "") || err != nil && !errors.Is(err, ErrUnknown) {
			t.Errorf("%q: %q, %v", name, b.Name, err)
		}
	})
}
