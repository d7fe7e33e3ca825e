package benchmark

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"openrs/score/answer"
)

// write makes a file and its folders.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines is rows as JSON lines.
func lines[T any](t *testing.T, rows []T) string {
	t.Helper()
	var b strings.Builder
	for _, r := range rows {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	return b.String()
}

type aimeRow struct {
	ID      int64  `json:"id" parquet:"id"`
	Problem string `json:"problem" parquet:"problem"`
	Answer  string `json:"answer" parquet:"answer"`
	Year    string `json:"year" parquet:"year"`
}

func aimeRows(n int) (rows []aimeRow) {
	for i := range n {
		rows = append(rows, aimeRow{int64(i), fmt.Sprintf("What is %d?", i), fmt.Sprintf("%03d", i), "2025"})
	}
	return rows
}

// The same rows have the same content hash in every format, in any order, and with
// other white space; another word, answer or number of rows does not.
func TestContentIsThatOfTheRows(t *testing.T) {
	dir := t.TempDir()
	rows := aimeRows(30)
	paths := []string{write(t, filepath.Join(dir, "a.jsonl"), lines(t, rows))}

	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	paths = append(paths, write(t, filepath.Join(dir, "b.json"), string(text)))

	var zipped strings.Builder
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(lines(t, rows)))
	z.Close()
	paths = append(paths, write(t, filepath.Join(dir, "c.jsonl.gz"), zipped.String()))

	columnar := filepath.Join(dir, "d.parquet")
	if err := parquet.WriteFile(columnar, rows); err != nil {
		t.Fatal(err)
	}
	paths = append(paths, columnar)

	var table strings.Builder
	w := csv.NewWriter(&table)
	w.Write([]string{"problem", "answer"})
	for _, r := range rows {
		w.Write([]string{r.Problem, strings.TrimLeft(r.Answer, "0") + strings.Repeat("0", btoi(r.Answer == "000"))})
	}
	w.Flush()
	paths = append(paths, write(t, filepath.Join(dir, "e.csv"), "\ufeff"+table.String()))

	spaced := slices.Clone(rows)
	slices.Reverse(spaced)
	spaced[3].Problem = "  What \n is\t" + spaced[3].Problem[len("What is"):] + "\n"
	paths = append(paths, write(t, filepath.Join(dir, "f.jsonl"), lines(t, spaced)))

	var first Set
	for i, path := range paths {
		set, err := Load("aime25", Options{Data: path})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = set
		}
		if set.Hash != first.Hash || set.Rows != 30 {
			t.Errorf("%s: %d rows with hash %s, want 30 with %s", filepath.Base(path), set.Rows, set.Hash, first.Hash)
		}
		if len(set.Warnings) != 1 || !strings.Contains(set.Warnings[0], "can't be checked") || !strings.Contains(set.Warnings[0], set.Hash) {
			t.Errorf("%s: warnings %q, want that the content can't be checked", filepath.Base(path), set.Warnings)
		}
	}
	for name, change := range map[string]func(rows []aimeRow) []aimeRow{
		"word":   func(r []aimeRow) []aimeRow { r[4].Problem = "What's 4?"; return r },
		"answer": func(r []aimeRow) []aimeRow { r[4].Answer = "005"; return r },
		"rows":   func(r []aimeRow) []aimeRow { return r[:29] },
	} {
		path := write(t, filepath.Join(dir, name+".jsonl"), lines(t, change(aimeRows(30))))
		set, err := Load("aime25", Options{Data: path})
		if err != nil || set.Hash == first.Hash {
			t.Errorf("another %s: hash %s, %v", name, set.Hash, err)
		}
		if name == "rows" && (len(set.Warnings) != 1 || !strings.Contains(set.Warnings[0], "has 29 problems, aime25 has 30")) {
			t.Errorf("29 rows: warnings %q", set.Warnings)
		}
		// The same rows where the edition is known.
		if set, err = Load("aime24", Options{Data: path}); err != nil || name != "rows" && !strings.Contains(strings.Join(set.Warnings, ""), "differs from the edition") {
			t.Errorf("another %s of a known edition: warnings %q, %v", name, set.Warnings, err)
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Files are found by the names under which people keep them, and as Hugging
// Face lays them out.
func TestFilesAreFound(t *testing.T) {
	text := lines(t, aimeRows(30))
	half := lines(t, aimeRows(15))
	second := lines(t, aimeRows(30)[15:])
	worked := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "{\"question\":\"q%d\",\"answer\":\"so\\n#### 1,%03d\"}\n", i, i)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		benchmark string
		files     map[string]string // path: text
		data      string            // within the folder; "" is the folder
		want      []string
		rows      int
	}{
		"plain name":             {"aime25", map[string]string{"aime25.jsonl": text, "aime24.jsonl": half, "aime_train.jsonl": half}, "", []string{"aime25.jsonl"}, 30},
		"other spelling":         {"aime25", map[string]string{"AIME_2025.jsonl": text}, "", []string{"AIME_2025.jsonl"}, 30},
		"two papers":             {"aime25", map[string]string{"aime2025-I.jsonl": half, "aime2025-II.jsonl": second}, "", []string{"aime2025-I.jsonl", "aime2025-II.jsonl"}, 30},
		"hugging face folder":    {"aime25", map[string]string{"aime_2025/data/train-00000-of-00001.jsonl": text, "aime_2025/README.md": "x"}, "", []string{"aime_2025/data/train-00000-of-00001.jsonl"}, 30},
		"the folder itself":      {"aime25", map[string]string{"aime_2025/data/train-00000-of-00001.jsonl": text}, "aime_2025", []string{"aime_2025/data/train-00000-of-00001.jsonl"}, 30},
		"hugging face cache":     {"aime25", map[string]string{"datasets--yentinglin--aime_2025/snapshots/abc/data/train-00000.jsonl": text}, "", []string{"datasets--yentinglin--aime_2025/snapshots/abc/data/train-00000.jsonl"}, 30},
		"only a test part":       {"aime25", map[string]string{"aime25/test.jsonl": text}, "", []string{"aime25/test.jsonl"}, 30},
		"parts":                  {"aime25", map[string]string{"aime25/train-00000-of-00002.jsonl": half, "aime25/train-00001-of-00002.jsonl": second, "aime25/test-00000-of-00001.jsonl": half}, "", []string{"aime25/train-00000-of-00002.jsonl", "aime25/train-00001-of-00002.jsonl"}, 30},
		"a file of any name":     {"aime25", map[string]string{"x.jsonl": text}, "x.jsonl", []string{"x.jsonl"}, 30},
		"gsm8k, main and test":   {"gsm8k", map[string]string{"gsm8k/main/test-0.jsonl": worked(3), "gsm8k/main/train-0.jsonl": worked(9), "gsm8k/socratic/test-0.jsonl": worked(5)}, "", []string{"gsm8k/main/test-0.jsonl"}, 3},
		"gsm8k by its test file": {"gsm8k", map[string]string{"gsm8k_train.jsonl": worked(9), "gsm8k_test.jsonl": worked(4)}, "", []string{"gsm8k_test.jsonl"}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for path, text := range c.files {
				write(t, filepath.Join(dir, path), text)
			}
			set, err := Load(c.benchmark, Options{Data: filepath.Join(dir, c.data)})
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, w := range c.want {
				want = append(want, filepath.Join(dir, w))
			}
			if !slices.Equal(set.Files, want) || set.Rows != c.rows {
				t.Errorf("read %d rows of %v, want %d of %v", set.Rows, set.Files, c.rows, want)
			}
		})
	}
}

func TestFilesThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "gpqa_diamond.csv"), "x\n")
	write(t, filepath.Join(dir, "twice", "aime25.jsonl"), "{}\n")
	write(t, filepath.Join(dir, "twice", "aime25.json"), "[]\n")
	write(t, filepath.Join(dir, "many", "aime25", "x.jsonl"), "{}\n")
	write(t, filepath.Join(dir, "many", "AIME_2025", "x.jsonl"), "{}\n")
	write(t, filepath.Join(dir, "empty", "aime25", "README.md"), "")
	for data, want := range map[string]string{
		dir:                          "has no file or folder with a name of it",
		filepath.Join(dir, "none"):   "no such file",
		filepath.Join(dir, "twice"):  "want one of them",
		filepath.Join(dir, "many"):   "several folders",
		filepath.Join(dir, "empty"):  "no file with rows",
		filepath.Join(dir, "x.text"): "no such file",
	} {
		if _, err := Load("aime25", Options{Data: data}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "benchmark aime25: ") {
			t.Errorf("%s: got %v, want an error with %q", data, err, want)
		}
	}
}

// A row that is no problem is named by file, row and column, with what was found.
func TestMalformedFiles(t *testing.T) {
	const good = `{"problem":"q","answer":"1"}` + "\n"
	for _, c := range []struct{ benchmark, ending, text, want string }{
		{"aime24", ".jsonl", good + `{"problem":"q","answer":"1000"}`, `row 2: column "answer": found text "1000", want an integer from 0 to 999`},
		{"aime24", ".jsonl", `{"problem":"q","answer":27.5}`, `row 1: column "answer": found the number 27.5, want an integer`},
		{"aime24", ".jsonl", `{"problem":"q","answer":-3}`, `row 1: column "answer": found the number -3`},
		{"aime24", ".jsonl", `{"problem":"q","answer":null}`, `row 1: column "answer": null, want a value`},
		{"aime24", ".jsonl", `{"problem":"q"}`, "row 1: no column answer: it has problem"},
		{"aime24", ".jsonl", `{"text":"q","answer":1}`, "row 1: no column problem or question: it has answer, text"},
		{"aime24", ".jsonl", `{"problem":" ","answer":1}`, `row 1: column "problem": empty`},
		{"aime24", ".jsonl", `{"problem":["q"],"answer":1}`, `row 1: column "problem": found a list of 1, want text`},
		{"aime24", ".jsonl", good + "{\"problem\":\"q\"", "line 2"},
		{"aime24", ".jsonl", "", "it is empty"},
		{"aime24", ".json", "[]", "no rows"},
		{"aime24", ".json", `{"problem":"q"}`, "want an array of objects"},
		{"aime24", ".parquet", "PAR0", ".parquet"},
		{"amc23", ".jsonl", `{"problem":"q","answer":[27]}`, `row 1: column "answer": found a list of 1, want a number or text`},
		{"math_500", ".jsonl", `{"problem":"q","answer":7}`, `row 1: column "answer": found the number 7, want text`},
		{"minerva", ".jsonl", `{"problem":"q","solution":"s","answer":[]}`, `row 1: column "answer": an empty list`},
		{"minerva", ".jsonl", `{"problem":"q","solution":"s","answer":["1",{}]}`, `row 1: column "answer": found an object, want text or a list of texts`},
		{"olympiadbench", ".jsonl", `{"question":"q","final_answer":["\n"]}`, `row 1: column "final_answer": found text "\n"`},
		{"gsm8k", ".jsonl", `{"question":"q","answer":"so it is 7"}`, `row 1: column "answer": no "####"`},
		{"gsm8k", ".jsonl", `{"question":"q","answer":"so\n#### "}`, `row 1: column "answer": nothing after "####"`},
		{"gpqa", ".csv", "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2\nq,a,b,c\n", "row 1: no column Incorrect Answer 3"},
		{"gpqa", ".csv", "Question,Correct Answer,Incorrect Answer 1,Incorrect Answer 2,Incorrect Answer 3\nq,a,b,c,d\nq,a,,c,d\n", `row 2: column "Incorrect Answer 1": empty`},
		{"gpqa", ".csv", "Question,Question\n", `two columns are called "Question"`},
		{"gpqa", ".csv", "Question,Correct Answer\nq\n", "wrong number of fields"},
		{"gpqa", ".csv", "", "empty, want a line with the names of columns"},
		{"gpqa", ".csv", "a,\"b\n", "names of columns"},
	} {
		path := write(t, filepath.Join(t.TempDir(), "file"+c.ending), c.text)
		_, err := Load(c.benchmark, Options{Data: path})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s, %q: got %v, want the file's name and %q", c.benchmark, c.text, err, c.want)
		}
		if c.ending != ".parquet" && !errors.Is(err, ErrData) {
			t.Errorf("%s, %q: %v is no ErrData", c.benchmark, c.text, err)
		}
	}
}

// Editions write an answer in several ways.
func TestAnswersInEveryWriting(t *testing.T) {
	for _, c := range []struct{ benchmark, row, want string }{
		{"aime24", `{"problem":"q","answer":"033"}`, "33"},
		{"aime24", `{"problem":"q","answer":33}`, "33"},
		{"aime24", `{"question":"q","answer":33.0}`, "33"},
		{"aime24", `{"problem":"q","answer":" 000\n"}`, "0"},
		{"aime25", `{"question":"q","answer":"336^\\circ"}`, "336"},
		{"amc23", `{"problem":"q","answer":27.0}`, "27"},
		{"amc23", `{"problem":"q","answer":"27.0"}`, "27"},
		{"amc23", `{"problem":"q","answer":-1.5}`, "-1.5"},
		{"amc23", `{"problem":"q","answer":"\\frac{1}{2}"}`, `\frac{1}{2}`},
		{"math_500", `{"problem":"q","answer":" 3\\sqrt{2}\n"}`, `3\sqrt{2}`},
		{"minerva", `{"problem":"q","answer":["9.6\n"]}`, "9.6"},
		{"minerva", `{"problem":"q","answer":"9.6"}`, "9.6"},
		{"minerva", `{"problem":"q","solution":"so \\boxed{6630}","answer":["6630.65","6630"]}`, "6630"},
		{"minerva", `{"problem":"q","solution":"so \\boxed{7}","answer":["6630.65","6630"]}`, "6630.65"},
		{"minerva", `{"problem":"part 0: \\boxed{12}. part 1?","solution":"so \\boxed{7}","answer":["12"]}`, "7"},
		{"minerva", `{"problem":"part 0: \\boxed{12}. part 1?","solution":"so \\boxed{12}","answer":["12.0"]}`, "12.0"},
		{"minerva", `{"problem":"q","answer":"1e-8"}`, `1 \times 10^{-8}`},
		{"olympiadbench", `{"question":"q","final_answer":["$69$,$84$"]}`, "$69$,$84$"},
		{"olympiadbench", `{"question":"q","final_answer":["1","2"]}`, "1, 2"},
		{"olympiadbench", `{"question":"q","answer":"2"}`, "2"},
		{"gsm8k", `{"question":"q","answer":"1+1\n#### 1,450,000"}`, "1450000"},
	} {
		path := write(t, filepath.Join(t.TempDir(), "file.jsonl"), c.row)
		set, err := Load(c.benchmark, Options{Data: path, Prompt: Plain})
		if err != nil {
			t.Errorf("%s: %v", c.row, err)
			continue
		}
		if got := set.Problems[0].Answer; got != c.want {
			t.Errorf("%s: got %q, want %q", c.row, got, c.want)
		}
		if _, err := answer.ReadGold(set.Problems[0].Answer, answer.Benchmark()); err != nil {
			t.Errorf("%s: %v", c.row, err)
		}
	}
}

func TestOddRows(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "x.jsonl"), `{"problem":"same","answer":1}`+"\n"+`{"problem":"same","answer":2}`+"\n")
	set, err := Load("aime24", Options{Data: path})
	if err != nil || len(set.Problems) != 2 || set.Problems[0].ProblemID == set.Problems[1].ProblemID {
		t.Errorf("two rows with the same question: %+v, %v", set.Problems, err)
	}
	path = write(t, filepath.Join(t.TempDir(), "x.jsonl"), `{"question":"q","context":"Let $x$ be 1.","final_answer":["\\frac{"],"unit":"km","error":"1e-1"}`)
	set, err = Load("olympiadbench", Options{Data: path, Prompt: Plain})
	if err != nil || set.Problems[0].Problem != "Let $x$ be 1.\nq" || set.Problems[0].Metadata["unit"] != "km" || set.Problems[0].Metadata["error"] != "1e-1" {
		t.Errorf("with a context: %+v, %v", set.Problems, err)
	}
	if !strings.Contains(strings.Join(set.Warnings, "\n"), "row 1: the gold answer can't be read") {
		t.Errorf("an unreadable gold answer: warnings %q", set.Warnings)
	}
}
