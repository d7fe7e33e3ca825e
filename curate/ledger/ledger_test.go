package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"openrs/stages/table"
)

func entries(n int) []Entry {
	var list []Entry
	for i := range n {
		e := Entry{ProblemID: fmt.Sprint(i), Source: "s", File: "f.jsonl", Row: int64(i + 1), Step: "length", Reason: "too long", Problem: "a < b & \"c\""}
		if i%2 == 0 {
			e.Detail, e.OtherID, e.OtherFile, e.OtherRow = "similarity 0.9", "x", "g.jsonl", 3
		}
		list = append(list, e)
	}
	return list
}

func write(t *testing.T, path string, list []Entry) {
	t.Helper()
	w, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if err := w.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Errorf("%s is there before Close", path)
	}
	if w.Rows() != len(list) {
		t.Errorf("%d rows, want %d", w.Rows(), len(list))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w.Abort() // does nothing
}

// read reads a ledger as any reader of tables would.
func read(t *testing.T, path string) []Entry {
	t.Helper()
	r, err := table.OpenRows(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var list []Entry
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range row {
			if v == nil {
				delete(row, k)
			}
		}
		b, err := json.Marshal(row)
		if err != nil {
			t.Fatal(err)
		}
		var e Entry
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
}

func TestLedgersComeBack(t *testing.T) {
	dir := t.TempDir()
	for _, ending := range Endings() {
		path := filepath.Join(dir, "l"+ending)
		want := entries(flushRows/1000 + 3)
		write(t, path, want)
		if got := read(t, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %d entries, want %d: %+v", ending, len(got), len(want), got[:min(2, len(got))])
		}
	}
	many := filepath.Join(dir, "many.parquet")
	write(t, many, entries(2*flushRows+1))
	if got := read(t, many); len(got) != 2*flushRows+1 || got[flushRows].Row != flushRows+1 {
		t.Errorf("several row groups: %d entries", len(got))
	}
}

func TestNothingIsLeftOfAnAbortedLedger(t *testing.T) {
	dir := t.TempDir()
	for _, ending := range Endings() {
		w, err := Create(filepath.Join(dir, "l"+ending))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(entries(1)[0]); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestBadPlaces(t *testing.T) {
	for path, want := range map[string]string{
		"l.csv": "expected a file ending in .parquet, .jsonl", "no/such/folder/l.jsonl": "no/such/folder/l.jsonl",
	} {
		if _, err := Create(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
