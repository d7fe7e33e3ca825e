package rows

import (
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"

	"openrs/schemas"
)

func examples() []*Row {
	half, solution := float32(0.5), "so \\boxed{2}"
	empty := ""
	return []*Row{
		{},
		{Num: 7, File: 3, Line: 1 << 40, Problem: schemas.Problem{ProblemID: "id", Source: "s", Problem: "1+1?", Answer: "2"}},
		{Num: 8, Problem: schemas.Problem{Problem: "π", Solution: &solution, Difficulty: &half, PromptIDs: []int32{0, -1, math.MaxInt32, math.MinInt32},
			Metadata: map[string]string{"b": "2", "a": "", "": "x"}}},
		{Num: 9, Problem: schemas.Problem{Solution: &empty, PromptIDs: []int32{}, Metadata: map[string]string{}}},
		{Num: 10, Problem: schemas.Problem{Problem: strings.Repeat("long ", 3000)}},
		{Num: 11, Problem: schemas.Problem{Problem: strings.Repeat("x", bufferBytes+5)}},
	}
}

func TestRowsComeBack(t *testing.T) {
	for _, r := range examples() {
		got, err := Decode(string(Append(nil, r)))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, r) {
			t.Errorf("got %+v, want %+v", got, r)
		}
	}
}

func TestDecodeRefusesWhatIsNoRow(t *testing.T) {
	b := Append(nil, examples()[2])
	for n := range b {
		if _, err := Decode(string(b[:n])); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := Decode(string(b) + "x"); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a byte too many: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range examples()[:4] {
		f.Add(string(Append(nil, r)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Decode(text)
		if err != nil {
			return
		}
		again, err := Decode(string(Append(nil, r)))
		if err != nil {
			t.Fatal(err)
		}
		if r.Difficulty != nil && *r.Difficulty != *r.Difficulty {
			return // NaN is not equal to itself
		}
		if !reflect.DeepEqual(again, r) {
			t.Errorf("got %+v, want %+v", again, r)
		}
	})
}

func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s, err := NewSpool(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a file is visible while the spool is in use: %v", left)
	}
	var places []Place
	var want []string
	some := examples()
	for i := range 3000 {
		k := i % len(some)
		if k == 5 && i > 30 {
			k = 1 // not gigabytes
		}
		r := &Row{Problem: some[k].Problem}
		r.Num, r.Answer = i, fmt.Sprint("answer ", i)
		at, err := s.Keep(r)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := s.Keep(r); again != at {
			t.Fatal("a row that did not change was written twice")
		}
		if i%500 == 0 {
			r.Answer += " changed"
			r.Change()
			next, err := s.Keep(r)
			if err != nil || next == at {
				t.Fatalf("a changed row was not written again: %v", err)
			}
			if old, err := s.Read(at); err != nil || old.Answer != fmt.Sprint("answer ", i) {
				t.Fatalf("the row's first state is lost: %v", err)
			}
			at = next
		}
		places, want = append(places, at), append(want, r.Answer)
	}
	if s.Rows() != 3006 {
		t.Errorf("%d rows, want 3006", s.Rows())
	}
	var wg sync.WaitGroup
	for k := range 3 {
		wg.Go(func() {
			for j := range places {
				i := (j*1009 + k) % len(places)
				r, err := s.Read(places[i])
				if err != nil {
					t.Error(err)
					return
				}
				if r.Num != i || r.Answer != want[i] {
					t.Errorf("row %d: got %d, %q, want %q", i, r.Num, r.Answer, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestSpoolSaysWhatIsWrong(t *testing.T) {
	if _, err := NewSpool("no/such/folder"); err == nil || !strings.Contains(err.Error(), "temporary file") {
		t.Errorf("got %v", err)
	}
	s, err := NewSpool(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	r := &Row{Problem: schemas.Problem{Problem: strings.Repeat("x", bufferBytes)}}
	if _, err := s.Keep(r); err == nil || !strings.Contains(err.Error(), "temporary file") {
		t.Errorf("got %v", err)
	}
}
