package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"openrs/schemas"
)

func allRows(r RowReader) (rows []map[string]any, err error) {
	defer r.Close()
	for {
		row, err := r.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
}

func rowsOf(t *testing.T, name, text string) ([]map[string]any, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	r, err := OpenRows(path)
	if err != nil {
		return nil, err
	}
	return allRows(r)
}

func TestRowsJSON(t *testing.T) {
	const one = `{"s":"ü","i":9007199254740993,"min":-9223372036854775808,"f":27.0,"e":1e3,"t":true,"n":null,` +
		`"big":123456789012345678901234567890,"huge":1e400,"l":[1,2.5,"x",[],{}],"m":{"a":{"b":1}}}`
	want := map[string]any{"s": "ü", "i": int64(9007199254740993), "min": int64(-1 << 63), "f": 27.0, "e": 1000.0, "t": true, "n": nil,
		"big": json.Number("123456789012345678901234567890"), "huge": json.Number("1e400"),
		"l": []any{int64(1), 2.5, "x", []any{}, map[string]any{}}, "m": map[string]any{"a": map[string]any{"b": int64(1)}}}
	for name, text := range map[string]string{
		"a.jsonl": one + "\n\n{}\n",
		"b.jsonl": one + "\r\n{}",
		"c.json":  "[" + one + ", {}]\n",
		"d.json":  " [\n" + one + "\n,\n{}\n]",
		"e.JSON":  "[" + one + ",{}]",
	} {
		rows, err := rowsOf(t, name, text)
		if err != nil || len(rows) != 2 || !reflect.DeepEqual(rows[0], want) || len(rows[1]) != 0 {
			t.Errorf("%s: got %#v, %v", name, rows, err)
		}
	}
	if rows, err := rowsOf(t, "empty.json", "[]"); len(rows) != 0 || err != nil {
		t.Errorf("empty array: %v, %v", rows, err)
	}
}

func TestRowsFaults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		err        error
		want       string
		rows       int
	}{
		{"a.jsonl", "{}\n{\"a\":", ErrCorrupt, "line 2: corrupt: the line ends inside a value", 1},
		{"a.jsonl", "{}\n{} {}", ErrCorrupt, "line 2: corrupt: at byte 4: more after the object", 1},
		{"a.jsonl", "[1]", ErrCorrupt, "line 1: corrupt: found array, want an object", 0},
		{"a.jsonl", "{\"a\":\"\xff\"}", ErrCorrupt, "line 1: corrupt: it is not valid UTF-8", 0},
		{"a.jsonl", "", ErrTruncated, "0 bytes", 0},
		{"a.json", "", ErrTruncated, "0 bytes", 0},
		{"a.json", " ", ErrTruncated, "at the start", 0},
		{"a.json", "{\"a\":1}", ErrCorrupt, "want an array of objects", 0},
		{"a.json", "[{},{}", ErrTruncated, "after row 1: truncated", 2},
		{"a.json", "[{},{\"a\":", ErrTruncated, "row 1: truncated", 1},
		{"a.json", "[{},7]", ErrCorrupt, "row 1: corrupt: found number, want an object", 1},
		{"a.json", "[{},null]", ErrCorrupt, "row 1: corrupt: null, want an object", 1},
		{"a.json", "[{}] []", ErrCorrupt, "after the array", 1},
		{"a.json", "[{} {}]", ErrCorrupt, "at byte", 1},
		{"a.csv", "a,b", ErrFormat, ".json", 0},
		{"a.parquet", "PAR1 and more PAR1", ErrCorrupt, "open as Parquet", 0},
	} {
		rows, err := rowsOf(t, c.name, c.text)
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.Contains(fmt.Sprint(err), c.name) || len(rows) != c.rows {
			t.Errorf("%s %q: %d rows, %v; want %d and %q", c.name, c.text, len(rows), err, c.rows, c.want)
		}
	}
}

// TestRowsOfOurFiles reads what Create wrote, in every format, as plain rows.
func TestRowsOfOurFiles(t *testing.T) {
	var want []map[string]any
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "p"+ending)
		writeFile(t, path, schemas.Problems(), someProblems(), 2)
		r, err := OpenRows(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := allRows(r)
		if err != nil {
			t.Fatalf("%s: %v", ending, err)
		}
		for _, row := range rows {
			// JSON has the shortest digits of a float32; the others widen it.
			if d, ok := row["difficulty"].(float64); ok {
				row["difficulty"] = float32(d)
			}
		}
		if want == nil {
			want = rows
			if rows[2]["solution"] != "ü" || !reflect.DeepEqual(rows[2]["prompt_ids"], []any{int64(5), int64(-6)}) ||
				!reflect.DeepEqual(rows[2]["metadata"], map[string]any{"z": "", "a": "ß"}) || rows[0]["metadata"] != nil || rows[0]["prompt_ids"] != nil {
				t.Errorf("%s: got %v", ending, rows)
			}
		}
		if !reflect.DeepEqual(rows, want) {
			t.Errorf("%s:\ngot  %v\nwant %v", ending, rows, want)
		}
	}
}

// TestRowsStayValid checks that rows do not share memory with pages or lines that are read later.
func TestRowsStayValid(t *testing.T) {
	var problems []schemas.Problem
	for i := range 2500 {
		problems = append(problems, schemas.Problem{ProblemID: fmt.Sprint("id", i), Problem: strings.Repeat(fmt.Sprint(i, " "), 20), Metadata: map[string]string{"k": fmt.Sprint(i)}})
	}
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "p"+ending)
		writeFile(t, path, schemas.Problems(), problems, 700, 700)
		r, err := OpenRows(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := allRows(r)
		if err != nil || len(rows) != len(problems) {
			t.Fatalf("%s: %d rows, %v", ending, len(rows), err)
		}
		for i, row := range rows {
			if row["problem_id"] != problems[i].ProblemID || row["problem"] != problems[i].Problem || !reflect.DeepEqual(row["metadata"], map[string]any{"k": fmt.Sprint(i)}) {
				t.Fatalf("%s: row %d is %v", ending, i, row)
			}
		}
	}
}

// TestRealDataSets reads the data sets of ../shared, when they are there.
func TestRealDataSets(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data")
	want := map[string]struct {
		rows    int
		columns string
	}{
		"aime24.jsonl": {30, "answer"}, "amc23.jsonl": {40, "answer"}, "amc22_23.json": {83, "answer"}, "math500.json": {500, "unique_id"},
		"minerva_math.json": {272, "solution"}, "olympiadbench.jsonl": {675, "final_answer"}, "gsm8k_test.jsonl": {1319, "question"},
		"math_train.json": {7474, "problem"}, "aime_train.json": {975, "year"},
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no data sets here: ", err)
	}
	for name, w := range want {
		r, err := OpenRows(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		rows, err := allRows(r)
		if err != nil || len(rows) != w.rows {
			t.Errorf("%s: %d rows, want %d; %v", name, len(rows), w.rows, err)
			continue
		}
		for i, row := range rows {
			if row[w.columns] == nil {
				t.Errorf("%s: row %d has no %q", name, i, w.columns)
				break
			}
		}
	}
}

// TestForeignParquet reads the files that other programs wrote and that the Parquet library keeps for
// its own tests. Some hold types that are refused; none may do worse than that.
func TestForeignParquet(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/parquet-go/parquet-go").Output()
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "testdata", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Skip("the Parquet library's test files are not here: ", err)
	}
	// The first rows of files whose content is known, as JSON.
	known := map[string]string{
		"nested_maps.snappy.parquet":   `[{"a":{"a":{"1":true,"2":false}},"b":1,"c":1},{"a":{"b":{"1":true}},"b":1,"c":1},{"a":{"c":null},"b":1,"c":1},{"a":{"d":{}},"b":1,"c":1}]`,
		"nested_lists.snappy.parquet":  `[{"a":[[["a","b"],["c"]],[null,["d"]]],"b":1},{"a":[[["a","b"],["c","d"]],[null,["e"]]],"b":1},{"a":[[["a","b"],["c","d"],["e"]],[null,["f"]]],"b":1}]`,
		"list_columns.parquet":         `[{"int64_list":[1,2,3],"utf8_list":["abc","efg","hij"]},{"int64_list":[null,1],"utf8_list":null},{"int64_list":[4],"utf8_list":["efg",null,"hij","xyz"]}]`,
		"fixed_length_decimal.parquet": `[{"value":1.00},{"value":2.00},{"value":3.00},{"value":4.00}]`,
	}
	read := 0
	for _, path := range files {
		if st, err := os.Stat(path); err != nil || st.Size() > 1<<20 {
			continue
		}
		r, err := OpenRows(path)
		if err == nil {
			var rows []map[string]any
			rows, err = allRows(r)
			if err == nil && len(rows) > 0 {
				read++
			}
			if want := known[filepath.Base(path)]; want != "" {
				if got, err := json.Marshal(rows[:min(4, len(rows))]); string(got) != want || err != nil {
					t.Errorf("%s: got %s, want %s", filepath.Base(path), got, want)
				}
			}
		}
		if err != nil {
			t.Logf("%v", err)
		}
	}
	t.Logf("%d of %d files have rows that can be read", read, len(files))
	if read < len(files)/2 {
		t.Errorf("only %d of %d files could be read", read, len(files))
	}
}
