package load

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// rows is a file in memory.
type rows struct {
	list   []map[string]any
	fail   error // returned after the last row instead of io.EOF
	closed bool
}

func (r *rows) Next() (map[string]any, error) {
	if len(r.list) == 0 {
		if r.fail != nil {
			return nil, r.fail
		}
		return nil, io.EOF
	}
	row := r.list[0]
	r.list = r.list[1:]
	return row, nil
}

func (r *rows) Close() error { r.closed = true; return nil }

// readAll drains a reader.
func readAll(list []map[string]any, opt Options) ([]schemas.Problem, Summary, error) {
	r := NewReader(&rows{list: list}, "dir/set.jsonl", opt)
	var out []schemas.Problem
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, r.Summary(), nil
		}
		if err != nil {
			return out, r.Summary(), err
		}
		out = append(out, p)
	}
}

type row = map[string]any

func TestCellsBecomeText(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{"033", "033"},
		{" 9.6\n", "9.6"},
		{"27.0", "27.0"},
		{`\frac{1}{2}`, `\frac{1}{2}`},
		{27.0, "27"},
		{-3.0, "-3"},
		{math.Copysign(0, -1), "0"},
		{0.5, "0.5"},
		{0.1, "0.1"},
		{float32(0.1), "0.1"},
		{123456789.25, "123456789.25"},
		{1e100, "1e+100"},
		{1e-9, "1e-09"},
		{int64(42), "42"},
		{int32(-1), "-1"},
		{uint8(7), "7"},
		{true, "true"},
		{nil, ""},
		{json.Number("27.0"), "27"},
		{json.Number("123456789012345678901234567890"), "123456789012345678901234567890"},
		{json.Number("1e3"), "1000"},
		{[]any{"2"}, "2"},
		{[]any{"$-1$", "$7$"}, "$-1$, $7$"},
		{[]any{1.0, nil, "x"}, "1, x"},
		{[]any{}, ""},
		{[]string{"a", "b"}, "a, b"},
		{[]float64{1, 2.5}, "1, 2.5"},
		{[]byte("bytes"), "bytes"},
	} {
		if got, err := text(c.in); err != nil || got != c.want {
			t.Errorf("%T %v: got %q (%v), want %q", c.in, c.in, got, err, c.want)
		}
	}
	for _, bad := range []any{math.NaN(), math.Inf(1), row{"a": 1}, []any{row{}}, json.Number("1e999"), struct{}{}} {
		if got, err := text(bad); err == nil {
			t.Errorf("%T %v became %q, want an error", bad, bad, got)
		}
	}
}

func TestMapping(t *testing.T) {
	worked := "6*3 = 18\n#### 18"
	for _, c := range []struct {
		name string
		row  row
		opt  Options
		want schemas.Problem // ids are not compared
	}{
		{"plain", row{"problem": "P", "solution": "S", "answer": "A"}, Options{},
			schemas.Problem{Source: "set", Problem: "P", Solution: new("S"), Answer: "A", Metadata: map[string]string{"row": "1"}}},
		{"problem before question", row{"question": "Q", "problem": "P", "answer": 27.0, "id": 0.0}, Options{},
			schemas.Problem{Source: "set", Problem: "P", Answer: "27", Metadata: map[string]string{"row": "1", "id": "0"}}},
		{"lists", row{"question": "Q", "solution": []any{"one", "two"}, "final_answer": []any{"$3$"}, "context": nil}, Options{},
			schemas.Problem{Source: "set", Problem: "Q", Solution: new("one, two"), Answer: "$3$", Metadata: map[string]string{"row": "1"}}},
		{"worked answer", row{"question": "Q", "answer": worked}, Options{},
			schemas.Problem{Source: "set", Problem: "Q", Solution: &worked, Answer: "18", Metadata: map[string]string{"row": "1"}}},
		{"worked answer beside a solution", row{"question": "Q", "answer": worked, "solution": "S"}, Options{},
			schemas.Problem{Source: "set", Problem: "Q", Solution: new("S"), Answer: "18", Metadata: map[string]string{"row": "1"}}},
		{"hashes inside a line", row{"question": "Q", "answer": "a #### b"}, Options{},
			schemas.Problem{Source: "set", Problem: "Q", Answer: "a #### b", Metadata: map[string]string{"row": "1"}}},
		{"named columns", row{"q": "Q", "a": "A", "s": "S", "from": "aime", "n": 7.0, "grade": 3.0, "problem": "no"},
			Options{Columns: Columns{Problem: "q", Answer: "a", Solution: "s", Source: "from", ID: "n", Metadata: []string{"grade", "absent"}}},
			schemas.Problem{Source: "aime", Problem: "Q", Solution: new("S"), Answer: "A", Metadata: map[string]string{"row": "1", "id": "7", "grade": "3"}}},
		{"columns refused", row{"problem": "P", "solution": "S", "answer": "A", "level": 2.0, "id": "x", "source": "y"},
			Options{Source: "mine", Columns: Columns{Solution: "-", Source: "-", ID: "-", Metadata: []string{}}},
			schemas.Problem{Source: "mine", Problem: "P", Answer: "A", Metadata: map[string]string{"row": "1"}}},
		{"guessed metadata", row{"problem": "P", "answer": "A", "difficulty": 2.5, "type": "Algebra", "level": nil, "subject": row{"a": 1}}, Options{},
			schemas.Problem{Source: "set", Problem: "P", Answer: "A", Metadata: map[string]string{"row": "1", "difficulty": "2.5", "type": "Algebra"}}},
		{"a chat and a nested answer", row{
			"prompt":       []any{row{"role": "system", "content": "be brief"}, row{"role": "user", "content": " P "}},
			"reward_model": row{"ground_truth": "34"}, "data_source": "dapo"},
			Options{Columns: Columns{Answer: "reward_model.ground_truth"}},
			schemas.Problem{Source: "dapo", Problem: "P", Answer: "34", Metadata: map[string]string{"row": "1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := readAll([]map[string]any{c.row}, c.opt)
			if err != nil || len(got) != 1 {
				t.Fatalf("got %d problems, %v", len(got), err)
			}
			c.want.ProblemID = schemas.ProblemID(c.want.Source, c.want.Problem)
			if !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("got  %+v\nwant %+v", got[0], c.want)
			}
		})
	}
}

var mixed = []map[string]any{
	{"problem": "one", "answer": "1"},
	{"problem": "two", "answer": nil},
	{"problem": " ", "answer": "3"},
	{"problem": "four", "answer": []any{}},
	{"problem": "five", "answer": row{"x": 5}},
	{"problem": "one", "answer": "again"},
	{"answer": "7"},
	{"problem": "eight", "answer": 8.0, "solution": "late"},
}

func TestRowsLeftOutAreCounted(t *testing.T) {
	got, s, err := readAll(mixed, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, p := range got {
		kept = append(kept, p.Problem+"="+p.Answer)
	}
	if want := []string{"one=1", "eight=8"}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
	if want := map[string]int{NoAnswer: 2, NoProblem: 2, Unreadable: 1, Repeated: 1}; !reflect.DeepEqual(s.Skipped, want) {
		t.Errorf("skipped %v, want %v", s.Skipped, want)
	}
	if want := map[string]int{NoAnswer: 2, NoProblem: 3, Unreadable: 5, Repeated: 6}; !reflect.DeepEqual(s.First, want) {
		t.Errorf("first %v, want %v", s.First, want)
	}
	if s.Rows != 8 || s.Kept != 2 {
		t.Errorf("%d rows and %d kept, want 8 and 2", s.Rows, s.Kept)
	}
	want := `8 rows, 2 problems; columns: problem=problem answer=answer solution=solution; left out: 2 no answer (first: row 2), 2 no problem (first: row 3), 1 repeated problem (first: row 6), 1 unreadable value (first: row 5)`
	if got := s.String(); got != want {
		t.Errorf("summary:\n got %s\nwant %s", got, want)
	}
}

func TestStrictModeStops(t *testing.T) {
	for at, want := range map[int]string{
		1: "dir/set.jsonl: row 2: no answer",
		2: "row 2: no problem",
		4: `row 2: unreadable value in column "answer": want text`,
		5: "row 2: repeated problem (the one of row 1)",
	} {
		_, _, err := readAll([]map[string]any{mixed[0], mixed[at]}, Options{Strict: true})
		if !errors.Is(err, ErrRow) || !strings.Contains(err.Error(), want) {
			t.Errorf("row %d: got %v, want %q", at, err, want)
		}
	}
}

func TestWrongMapping(t *testing.T) {
	list := []map[string]any{{"text": "P", "gold": "A"}, {"text": "Q", "gold": "B"}}
	for _, strict := range []bool{false, true} {
		for _, c := range []struct {
			cols Columns
			want string
		}{
			{Columns{}, "dir/set.jsonl: no column for the problem: looked for problem, question, prompt; the file has gold, text"},
			{Columns{Problem: "text"}, "no column for the answer: looked for answer, final_answer"},
			{Columns{Problem: "text", Answer: "golden"}, `no column "golden" for the answer: the file has gold, text`},
		} {
			_, _, err := readAll(list, Options{Columns: c.cols, Strict: strict})
			if !errors.Is(err, ErrColumn) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("strict %v: got %v, want %q", strict, err, c.want)
			}
		}
	}
	if got, s, err := readAll(nil, Options{}); err != nil || len(got) != 0 || s.Rows != 0 {
		t.Errorf("an empty file: %d problems, %v", len(got), err)
	}
}

func TestReaderPassesErrorsOnAndCloses(t *testing.T) {
	broken := errors.New("line 2: bad JSON")
	src := &rows{list: mixed[:1], fail: broken}
	r := NewReader(src, "x.parquet", Options{})
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the reader's error", err)
	}
	if r.Close(); !src.closed {
		t.Error("the rows were not closed")
	}
}

func TestShuffleIsStable(t *testing.T) {
	order := func(n int, seed uint64) []int {
		v := make([]int, n)
		for i := range v {
			v[i] = i
		}
		Shuffle(v, seed)
		return v
	}
	// A promise: these orders must never change.
	if got, want := order(10, 42), []int{2, 4, 0, 7, 1, 5, 8, 6, 3, 9}; !slices.Equal(got, want) {
		t.Errorf("order by seed 42: got %v, want %v", got, want)
	}
	for _, n := range []int{0, 1, 2, 1000} {
		got := order(n, 7)
		sorted := slices.Sorted(slices.Values(got))
		for i, v := range sorted {
			if v != i {
				t.Fatalf("%d items: %v is not a permutation", n, got)
			}
		}
	}
	// Every item is as often in every place: 24,000 shuffles of 4 items.
	var count [4][4]int
	for seed := range uint64(24_000) {
		for place, item := range order(4, seed) {
			count[place][item]++
		}
	}
	for place := range count {
		for item, n := range count[place] {
			if n < 5_600 || n > 6_400 { // 6,000 expected, standard deviation 67
				t.Errorf("item %d was in place %d %d times of 24,000, want about 6,000", item, place, n)
			}
		}
	}
}

// readFile reads a whole file.
func readFile(path string, opt Options) ([]schemas.Problem, Summary, error) {
	r, err := Open(path, opt)
	if err != nil {
		return nil, Summary{}, err
	}
	defer r.Close()
	var problems []schemas.Problem
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return problems, r.Summary(), nil
		}
		if err != nil {
			return nil, r.Summary(), err
		}
		problems = append(problems, p)
	}
}

func TestOpenNamesTheFile(t *testing.T) {
	if _, err := Open("absent.jsonl", Options{}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "absent.jsonl") {
		t.Errorf("got %v", err)
	}
}

// TestOwnTablesComeBack: what curate has written is the same problem when it is read again.
func TestOwnTablesComeBack(t *testing.T) {
	dir := t.TempDir()
	half := float32(0.5)
	want := []schemas.Problem{
		{Source: "s1", Problem: "1+2", Solution: new("1+2=3"), Answer: "3", Difficulty: &half, PromptIDs: []int32{4, 5}, Metadata: map[string]string{"row": "77", "id": "x", "level": "2"}},
		{Source: "aime", Problem: "2+2", Answer: "004", Metadata: map[string]string{"row": "78", "sample": "3", "samples": "1"}},
	}
	for i := range want {
		want[i].ProblemID = schemas.ProblemID(want[i].Source, want[i].Problem)
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec, err := schemas.Problems().Encode(mem, want)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	for _, name := range []string{"p.jsonl", "p.arrow", "p.parquet", "p.jsonl.zst"} {
		path := filepath.Join(dir, name)
		w, err := table.Create(path, schemas.KindProblems)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(rec), w.Close()); err != nil {
			t.Fatal(err)
		}
		got, _, err := readFile(path, Options{})
		if len(got) == 2 {
			want[1].Metadata = map[string]string{"row": "78"} // no samples are asked for any more
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, want %+v (%v)", name, got, want, err)
		}
	}
}

func TestParquet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "problems.parquet")
	want := []schemas.Problem{
		{ProblemID: "a", Source: "synth", Problem: "1+2", Solution: new("1+2=3"), Answer: "3", Metadata: map[string]string{"level": "2", "from": "x"}},
		{ProblemID: "b", Source: "aime", Problem: "2+2", Answer: "004", Metadata: map[string]string{}},
		{ProblemID: "c", Source: "aime", Problem: "2+3", Answer: "5"},
	}
	rec, err := schemas.Problems().Encode(memory.DefaultAllocator, want)
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Release()
	w, err := table.Create(path, schemas.KindProblems)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	got, s, err := readFile(path, Options{Columns: Columns{Metadata: []string{"metadata.level"}}})
	if err != nil || len(got) != 3 {
		t.Fatalf("%d problems, %v", len(got), err)
	}
	for i, p := range got {
		if p.Problem != want[i].Problem || p.Answer != want[i].Answer || p.Source != want[i].Source || p.ProblemID != schemas.ProblemID(p.Source, p.Problem) {
			t.Errorf("problem %d: %+v", i, p)
		}
	}
	if got[0].Solution == nil || *got[0].Solution != "1+2=3" || got[1].Solution != nil {
		t.Errorf("solutions: %+v", got)
	}
	for i, level := range []string{"2", "", ""} {
		if got[i].Metadata["metadata.level"] != level {
			t.Errorf("metadata of problem %d: %v, want level %q", i, got[i].Metadata, level)
		}
	}
	if s.Columns.Source != "source" || s.Columns.Solution != "solution" {
		t.Errorf("columns: %+v", s.Columns)
	}
}

// The published data sets, as they are.
func TestRealDataSets(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no data sets at %s", dir)
	}
	for _, c := range []struct {
		file            string
		rows, kept      int
		problem, answer string         // columns
		solution        string         //
		answers         map[int]string // by row from 0
		solutions       bool           // every problem has one
		skipped         map[string]int
	}{
		{file: "aime24.jsonl", rows: 30, kept: 30, problem: "problem", answer: "answer", solution: "solution", solutions: true, answers: map[int]string{0: "204", 7: "025"}},
		{file: "amc23.jsonl", rows: 40, kept: 40, problem: "problem", answer: "answer", answers: map[int]string{0: "27"}},
		{file: "amc22_23.json", rows: 83, kept: 83, problem: "problem", answer: "answer", answers: map[int]string{0: "142"}},
		{file: "math500.json", rows: 500, kept: 500, problem: "problem", answer: "answer", answers: map[int]string{0: `\left( 3, \frac{\pi}{2} \right)`, 1: "p - q"}},
		{file: "minerva_math.json", rows: 272, kept: 272, problem: "problem", answer: "answer", solution: "solution", solutions: true, answers: map[int]string{0: "9.6"}},
		{file: "olympiadbench.jsonl", rows: 675, kept: 675, problem: "question", answer: "final_answer", solution: "solution", solutions: true, answers: map[int]string{0: "2"}},
		{file: "gsm8k_test.jsonl", rows: 1319, kept: 1319, problem: "question", answer: "answer", solutions: true, answers: map[int]string{0: "18"}},
		{file: "math_train.json", rows: 7474, kept: 7470, problem: "problem", answer: "answer", answers: map[int]string{0: "0"}, skipped: map[string]int{NoAnswer: 4}},
		{file: "aime_train.json", rows: 975, kept: 975, problem: "problem", answer: "answer", solution: "solution", answers: map[int]string{0: "60"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			problems, s, err := readFile(filepath.Join(dir, c.file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(s)
			if s.Rows != c.rows || s.Kept != c.kept || len(problems) != c.kept {
				t.Errorf("%d rows, %d kept, want %d and %d", s.Rows, s.Kept, c.rows, c.kept)
			}
			if s.Columns.Problem != c.problem || s.Columns.Answer != c.answer || s.Columns.Solution != c.solution {
				t.Errorf("columns %+v, want %s, %s, %s", s.Columns, c.problem, c.answer, c.solution)
			}
			if len(s.Skipped) != len(c.skipped) || len(c.skipped) > 0 && !reflect.DeepEqual(s.Skipped, c.skipped) {
				t.Errorf("skipped %v, want %v", s.Skipped, c.skipped)
			}
			for i, want := range c.answers {
				if problems[i].Answer != want {
					t.Errorf("answer %d: %q, want %q", i, problems[i].Answer, want)
				}
			}
			ids := map[string]bool{}
			for _, p := range problems {
				if p.Problem == "" || p.Answer == "" || p.Source != strings.Split(c.file, ".")[0] || ids[p.ProblemID] {
					t.Fatalf("problem %+v", p)
				}
				ids[p.ProblemID] = true
				if c.solutions && p.Solution == nil {
					t.Errorf("%s has no solution", p.Metadata["row"])
				}
				if strings.Contains(p.Answer, "####") {
					t.Errorf("answer %q", p.Answer)
				}
			}
		})
	}
}

func FuzzRow(f *testing.F) {
	f.Add(`{"problem":"P","answer":"A"}`)
	f.Add(`{"prompt":[{"role":"user","content":"x"}],"final_answer":[1,2.5,null]}`)
	f.Add(`{"question":"Q","answer":"a\n#### 1,000","level":{"a":[]}}`)
	f.Fuzz(func(t *testing.T, line string) {
		var r map[string]any
		if json.Unmarshal([]byte(line), &r) != nil {
			return
		}
		got, s, err := readAll([]map[string]any{r, r}, Options{})
		if err != nil && !errors.Is(err, ErrColumn) {
			t.Fatal(err)
		}
		total := s.Kept
		for _, n := range s.Skipped {
			total += n
		}
		if total != 2 || s.Kept != len(got) || len(got) > 1 {
			t.Fatalf("%d kept and %v skipped of 2 equal rows", s.Kept, s.Skipped)
		}
		for _, p := range got {
			if p.Problem == "" || p.Answer == "" {
				t.Fatalf("problem %+v", p)
			}
		}
	})
}
