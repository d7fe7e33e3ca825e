package table

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

const metricLine = `{"time":"2025-02-03T04:05:06.000789Z","stage":"s","step":1,"name":"n","value":2.5}`

func readMetrics(t *testing.T, text string) ([]schemas.Metric, error) {
	t.Helper()
	r, err := openBytes("m.jsonl", []byte(text), schemas.KindMetrics, checked(t))
	if err != nil {
		return nil, err
	}
	rows, _, err := drain(r, schemas.Metrics())
	return rows, err
}

func TestJSONLFaults(t *testing.T) {
	with := func(old, new string) string {
		return metricLine + "\n\n" + strings.Replace(metricLine, old, new, 1) + "\n"
	}
	for name, c := range map[string]struct {
		text string
		err  error
		want string
	}{
		"fine":             {with("x", "x"), nil, ""},
		"other key":        {with(`"step"`, `"note":{"a":[1]},"step"`), nil, ""},
		"other zone":       {with(`06.000789Z`, `06.000789+02:00`), nil, ""},
		"spaces":           {with(`:1,`, ` : 1 , `), nil, ""},
		"windows":          {strings.ReplaceAll(with("x", "x"), "\n", "\r\n"), nil, ""},
		"no last newline":  {metricLine, nil, ""},
		"integer as float": {with(`2.5`, `2`), nil, ""},
		"nan":              {with(`2.5`, `"NaN"`), nil, ""},
		"nan small":        {with(`2.5`, `"nan"`), schemas.ErrValue, `line 3: column "value": unexpected value: found "nan", want a number (float64)`},
		"missing":          {with(`"step":1,`, ``), schemas.ErrColumn, `line 3: unexpected column: "step" (int64) is missing`},
		"null":             {with(`:1,`, `:null,`), schemas.ErrValue, `line 3: column "step": unexpected value: found null, want an integer (int64)`},
		"float":            {with(`:1,`, `:1.0,`), schemas.ErrValue, `found 1.0, want an integer`},
		"too large":        {with(`:1,`, `:9223372036854775808,`), schemas.ErrValue, `found 9223372036854775808, want an integer`},
		"text number":      {with(`:1,`, `:"1",`), schemas.ErrValue, `found "1", want an integer`},
		"number text":      {with(`"s"`, `7`), schemas.ErrValue, `column "stage": unexpected value: found 7, want a string`},
		"object":           {with(`"s"`, `{"a":1}`), schemas.ErrValue, `found {"a":1}, want a string`},
		"time":             {with(`2025-02-03T`, `2025-02-30T`), schemas.ErrValue, `column "time"`},
		"overflow":         {with(`2.5`, `1e999`), schemas.ErrValue, `found 1e999, want a number`},
		"cut":              {metricLine + "\n" + metricLine[:40], ErrCorrupt, "line 2: corrupt: the line ends inside a value"},
		"comma":            {with(`:1,`, `:1,,`), ErrCorrupt, "line 3: corrupt: at byte"},
		"two":              {metricLine + metricLine, ErrCorrupt, "line 1: corrupt: at byte"},
		"array":            {"[" + metricLine + "]", ErrCorrupt, "line 1: corrupt: found array, want an object"},
		"null line":        {"null", ErrCorrupt, "line 1: corrupt: null, want an object"},
		"not utf-8":        {with(`"s"`, "\"\xff\""), ErrCorrupt, "line 3: corrupt: it is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			rows, err := readMetrics(t, c.text)
			if c.err == nil && (err != nil || len(rows) == 0) {
				t.Errorf("%d rows, %v", len(rows), err)
			}
			if c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(err.Error(), "m.jsonl: ") || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %v with %q", err, c.err, c.want)
			}
		})
	}
}

func TestJSONLNestedFaults(t *testing.T) {
	problem := func(ids, metadata string) string {
		return `{"problem_id":"","source":"","problem":"","answer":"","prompt_ids":` + ids + `,"metadata":` + metadata + "}"
	}
	for _, c := range []struct{ ids, metadata, want string }{
		{`[ 1 , 2 ]`, `{ "a" : "b" }`, ""},
		{`null`, `null`, ""},
		{`[]`, `{}`, ""},
		{`[1,null]`, `{}`, `column "prompt_ids": element 1: unexpected value: found null, want an integer (int32)`},
		{`[1,[2]]`, `{}`, `element 1: unexpected value: found [2]`},
		{`["a,b",1]`, `{}`, `element 0`},
		{`[{"a":1}]`, `{}`, `element 0`},
		{`[2147483648]`, `{}`, `element 0: unexpected value: found 2147483648, want an integer (int32)`},
		{`[true]`, `{}`, `element 0`},
		{`{}`, `{}`, `found {}, want an array of int32`},
		{`"1"`, `{}`, `found "1", want an array of int32`},
		{`[]`, `{"a":1}`, `column "metadata": key "a": unexpected value: found 1, want a string`},
		{`[]`, `{"a":null}`, `key "a": unexpected value: found null, want a string`},
		{`[]`, `[]`, `found [], want an object of utf8`},
	} {
		r, err := openBytes("p.jsonl", []byte(problem(c.ids, c.metadata)), schemas.KindProblems, checked(t))
		if err == nil {
			_, _, err = drain(r, schemas.Problems())
		}
		if c.want == "" && err != nil || c.want != "" && !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%s %s: got %v, want %q", c.ids, c.metadata, err, c.want)
		}
	}
}

// TestFloatsReadBack compares the digits that are written with the standard library's reading of them.
func TestFloatsReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20000 {
		x, y := math.Float32frombits(rng.Uint32()), math.Float64frombits(rng.Uint64())
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) || math.IsNaN(y) || math.IsInf(y, 0) {
			continue
		}
		a, b := appendFloat(nil, float64(x), 32), appendFloat(nil, y, 64)
		if !json.Valid(a) || !json.Valid(b) || !bytes.ContainsAny(a, ".e") || !bytes.ContainsAny(b, ".e") {
			t.Fatalf("%s or %s is not a JSON number with a point or an exponent", a, b)
		}
		back, err := jsonFloat(a, nil, 32)
		if err != nil || math.Float32bits(float32(back)) != math.Float32bits(x) {
			t.Fatalf("%x: %s reads back as %v, %v", math.Float32bits(x), a, back, err)
		}
		if back, err := strconv.ParseFloat(string(b), 64); err != nil || math.Float64bits(back) != math.Float64bits(y) {
			t.Fatalf("%x: %s reads back as %v, %v", math.Float64bits(y), b, back, err)
		}
	}
}

// FuzzJSONL reads arbitrary lines as every kind; what is accepted must be written and read back to the
// same rows.
func FuzzJSONL(f *testing.F) {
	f.Add([]byte(metricLine))
	for _, table := range []func() []byte{
		func() []byte { return jsonlOf(f, schemas.Problems(), someProblems()) },
		func() []byte { return jsonlOf(f, schemas.ScoredRollouts(), someScored()) },
	} {
		f.Add(table())
	}
	f.Add([]byte(`{"time":"0000-01-01T00:00:00Z","stage":"\ud800","step":-0,"name":"","value":1E5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		again(t, schemas.Problems(), b)
		again(t, schemas.ScoredRollouts(), b)
		again(t, schemas.Metrics(), b)
		r, err := openJSONLRows(bytesInput("rows", b))
		for err == nil {
			_, err = r.Next()
		}
		r, err = openJSONRows(bytesInput("rows", b))
		for err == nil {
			_, err = r.Next()
		}
	})
}

func jsonlOf[T any](t testing.TB, table schemas.Table[T], rows []T) []byte {
	t.Helper()
	rec := encode(t, table, memory.DefaultAllocator, rows)
	var b bytes.Buffer
	s := &jsonlSink{w: &b}
	if err := s.write(rec); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func again[T any](t *testing.T, table schemas.Table[T], b []byte) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	r, err := openBytes("fuzz.jsonl", b, table.Kind(), mem)
	if err != nil {
		return
	}
	rows, _, err := drain(r, table)
	if err != nil || len(rows) == 0 {
		return
	}
	text := jsonlOf(t, table, rows)
	r, err = openBytes("again.jsonl", text, table.Kind(), mem)
	if err != nil {
		t.Fatalf("%v, of what was written: %q", err, text)
	}
	back, _, err := drain(r, table)
	if err != nil {
		t.Fatalf("%v, of what was written: %q", err, text)
	}
	// NaN differs from itself, so the texts are compared.
	if second := jsonlOf(t, table, back); !bytes.Equal(text, second) {
		t.Fatalf("written %q, then %q", text, second)
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	l := newLines(strings.NewReader("\n a \r\n\n\t\n" + long + "\nb"))
	for _, want := range []struct {
		text string
		n    int
	}{{"a", 2}, {long, 5}, {"b", 6}} {
		got, err := l.next()
		if err != nil || string(got) != want.text || l.n != want.n {
			t.Errorf("line %d: %.20q, %v; want line %d", l.n, got, err, want.n)
		}
	}
	if _, err := l.next(); err != io.EOF {
		t.Errorf("got %v at the end", err)
	}
}
