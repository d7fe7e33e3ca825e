package stages

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// double sets y to twice x.
func double(o Object) error {
	var x float64
	if err := o.Get("x", "a number", &x); err != nil {
		return err
	}
	if x < 0 {
		return errors.New("x is negative")
	}
	return o.Set("y", 2*x)
}

func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, in, out string
		err           string // behind the name of the input
	}{
		{"order and other keys", "{\"x\":1,\"b\":[1,{}],\"a\":null}\n{\"x\":2}\n", "{\"a\":null,\"b\":[1,{}],\"x\":1,\"y\":2}\n{\"x\":2,\"y\":4}\n", ""},
		{"empty", "", "", ""},
		{"blank lines, no end", "\n{\"x\":1}\n  \n{\"x\":2}", "{\"x\":1,\"y\":2}\n{\"x\":2,\"y\":4}\n", ""},
		{"a result anew", "{\"x\":1,\"y\":7}", "{\"x\":1,\"y\":2}\n", ""},
		{"numbers stay as written", "{\"x\":1,\"z\":1e400}", "{\"x\":1,\"y\":2,\"z\":1e400}\n", ""},
		{"no JSON", "{\"x\":1}\n\n{\"x\":", "", ":3: expected a JSON object: "},
		{"not an object", "[1]", "", ":1: expected a JSON object: "},
		{"null", "null", "", ":1: expected a JSON object, found null"},
		{"two objects", "{\"x\":1} {\"x\":2}", "", ":1: expected a JSON object: "},
		{"missing key", "{\"x\":1}\n{\"a\":1}", "", `:2: expected the key "x" with a number`},
		{"wrong type", "{\"x\":\"1\"}", "", ":1: x: expected a number: "},
		{"refused", "{\"x\":1}\n{\"x\":-1}", "", ":2: x is negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl")
			if err := errors.Join(os.WriteFile(in, []byte(c.in), 0o666), os.WriteFile(out, []byte("old"), 0o666)); err != nil {
				t.Fatal(err)
			}
			err := Lines(in, out, double)
			want := c.out
			if c.err == "" {
				has(t, err)
			} else {
				has(t, err, in+c.err)
				want = "old"
			}
			if got, err := os.ReadFile(out); string(got) != want || err != nil {
				t.Errorf("output %q, %v; want %q", got, err, want)
			}
		})
	}
}

// To a pipe, the lines before a faulty one are written: its reader sees how far it went.
func TestLinesBeforeAFault(t *testing.T) {
	var b strings.Builder
	err := editLines("-", strings.NewReader("{\"x\":1}\n{\"x\":2}\noops\n{\"x\":4}\n"), &b, double)
	has(t, err, "-:3: expected a JSON object")
	if want := "{\"x\":1,\"y\":2}\n{\"x\":2,\"y\":4}\n"; b.String() != want {
		t.Errorf("written %q, want %q", b.String(), want)
	}
}

func TestLongLines(t *testing.T) {
	long := `{"x":1,"a":"` + strings.Repeat("a", 1<<20) + `"}`
	var b strings.Builder
	if err := editLines("-", strings.NewReader(long), &b, double); err != nil || b.Len() < len(long) {
		t.Errorf("%d bytes of %d, %v", b.Len(), len(long), err)
	}
	endless := strings.NewReader(strings.Repeat("a", maxLine+1))
	has(t, editLines("big.jsonl", endless, &b, double), "big.jsonl: ", "too long")
}

func TestLinesWithoutInput(t *testing.T) {
	has(t, Lines(filepath.Join(t.TempDir(), "none"), "-", double), "none", "no such file")
}
