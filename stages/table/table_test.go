package table

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

func ptr[T any](v T) *T { return &v }

// checked is an allocator that fails the test when a buffer is not released.
func checked(t testing.TB) *memory.CheckedAllocator {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

func endings() []string { return []string{".arrow", ".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst"} }

func encode[T any](t testing.TB, table schemas.Table[T], mem memory.Allocator, rows []T) arrow.Record {
	t.Helper()
	rec, err := table.Encode(mem, rows)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// writeFile writes rows in batches of the given sizes (the rest in one more).
func writeFile[T any](t testing.TB, path string, table schemas.Table[T], rows []T, sizes ...int) {
	t.Helper()
	w, err := Create(path, table.Kind())
	if err != nil {
		t.Fatal(err)
	}
	mem := checked(t)
	for _, n := range append(sizes, len(rows)) {
		n = min(n, len(rows))
		rec := encode(t, table, mem, rows[:n])
		err := w.Write(rec)
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
		rows = rows[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// readAll decodes everything that a reader gives, and the sizes of its batches.
func readAll[T any](t testing.TB, r Reader, table schemas.Table[T]) (rows []T, sizes []int) {
	t.Helper()
	rows, sizes, err := drain(r, table)
	if err != nil {
		t.Fatal(err)
	}
	return rows, sizes
}

func drain[T any](r Reader, table schemas.Table[T]) (rows []T, sizes []int, err error) {
	defer r.Close()
	for {
		rec, err := r.Next()
		if err == io.EOF {
			return rows, sizes, nil
		}
		if err != nil {
			return rows, sizes, err
		}
		if !rec.Schema().Equal(table.Schema()) {
			return nil, nil, fmt.Errorf("schema %v", rec.Schema())
		}
		part, err := table.Decode(rec)
		rec.Release()
		if err != nil {
			return nil, nil, err
		}
		rows, sizes = append(rows, part...), append(sizes, len(part))
	}
}

func someScored() []schemas.Scored {
	base := schemas.Rollout{
		GroupID: "g∑", ProblemID: "p", Source: "s", Problem: "<What> is 1+1 & \u2028 𝛼\"\\\n?", Answer: "2",
		Sample: math.MaxInt32, Step: math.MaxInt64, PolicyVersion: 1<<53 + 1, Seed: math.MinInt64,
		PromptIDs: []int32{1, math.MaxInt32, 0}, CompletionIDs: []int32{7, 8, 9, 10, 11},
		LogProbs:   []float32{-0.1, -math.SmallestNonzeroFloat32, -1e-30, -16777217, float32(math.Copysign(0, -1))},
		Completion: "\\boxed{2}\x00\x7f", FinishReason: schemas.FinishLength, Temperature: 0.7,
	}
	first := schemas.Scored{Rollout: base, Rewards: map[string]float32{"format": 0.1, "accuracy": 1, "": -0.5, "ü": math.MaxFloat32},
		Reward: ptr(float32(1.1)), Advantage: -1.5, Correct: ptr(true), Extracted: ptr("")}
	second := schemas.Scored{Rollout: base, Rewards: map[string]float32{}}
	second.PromptIDs, second.CompletionIDs, second.LogProbs = []int32{}, []int32{}, []float32{}
	second.FinishReason, second.Completion = schemas.FinishError, ""
	third := first
	third.Correct, third.Extracted, third.FinishReason = ptr(false), nil, schemas.FinishStop
	return []schemas.Scored{first, second, third}
}

func someRollouts() []schemas.Rollout {
	var out []schemas.Rollout
	for _, s := range someScored() {
		out = append(out, s.Rollout)
	}
	return out
}

func someProblems() []schemas.Problem {
	return []schemas.Problem{
		{ProblemID: "a", Source: "x", Problem: "p", Answer: "1"},
		{ProblemID: "b", Solution: ptr(""), PromptIDs: []int32{}, Difficulty: ptr(float32(0)), Metadata: map[string]string{}},
		{ProblemID: "c", Solution: ptr("ü"), PromptIDs: []int32{5, -6}, Difficulty: ptr(float32(0.1)), Metadata: map[string]string{"z": "", "a": "ß"}},
		{ProblemID: "d", PromptIDs: []int32{7}},
	}
}

func someMetrics() []schemas.Metric {
	return []schemas.Metric{
		{Time: time.Date(2025, 2, 3, 4, 5, 6, 789000, time.UTC), Stage: "update", Step: 3, Name: "loss", Value: math.Pi},
		{Time: time.Date(1969, 12, 31, 23, 59, 59, 1000, time.UTC), Value: math.Inf(-1)},
		{Time: time.Unix(0, 0).UTC(), Step: -1 << 62, Value: 5e-324},
	}
}

func TestRoundTrip(t *testing.T) {
	for _, ending := range endings() {
		t.Run(ending, func(t *testing.T) {
			t.Run("problems", func(t *testing.T) { roundTrip(t, ending, schemas.Problems(), someProblems()) })
			t.Run("rollouts", func(t *testing.T) { roundTrip(t, ending, schemas.Rollouts(), someRollouts()) })
			t.Run("scored", func(t *testing.T) { roundTrip(t, ending, schemas.ScoredRollouts(), someScored()) })
			t.Run("metrics", func(t *testing.T) { roundTrip(t, ending, schemas.Metrics(), someMetrics()) })
		})
	}
}

func roundTrip[T any](t *testing.T, ending string, table schemas.Table[T], rows []T) {
	for n := 0; n <= len(rows); n++ {
		path := filepath.Join(t.TempDir(), "table"+ending)
		writeFile(t, path, table, rows[:n], 1, 0)
		r, err := open(path, table.Kind(), checked(t))
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readAll(t, r, table)
		if len(got) != n || n > 0 && !reflect.DeepEqual(got, rows[:n]) {
			t.Errorf("%d rows:\ngot  %+v\nwant %+v", n, got, rows[:n])
		}
		kind, err := KindOf(path)
		if strings.Contains(ending, ".jsonl") {
			if !errors.Is(err, ErrNoKind) {
				t.Errorf("KindOf: %q, %v", kind, err)
			}
		} else if kind != table.Kind() || err != nil {
			t.Errorf("KindOf: %q, %v", kind, err)
		}
	}
}

func TestNaN(t *testing.T) {
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "m"+ending)
		writeFile(t, path, schemas.Metrics(), []schemas.Metric{{Value: math.NaN()}, {Value: math.Inf(1)}})
		r, err := Open(path, schemas.KindMetrics)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := readAll(t, r, schemas.Metrics())
		if !math.IsNaN(got[0].Value) || !math.IsInf(got[1].Value, 1) {
			t.Errorf("%s: got %v", ending, got)
		}
	}
}

// TestRandomRoundTrip compares float32 bits and group sizes on random rollouts in all formats.
func TestRandomRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var rows []schemas.Rollout
	for g := range 40 {
		n := 1 + rng.IntN(12)
		if g == 20 {
			n = BatchRows + 20
		}
		for i := range n {
			r := schemas.Rollout{GroupID: fmt.Sprint("g", g), Sample: int32(i), FinishReason: schemas.FinishReasons()[rng.IntN(3)],
				Problem: strings.Repeat("x", rng.IntN(50)), Temperature: math.Float32frombits(rng.Uint32() >> 2), PromptIDs: []int32{}, CompletionIDs: []int32{}, LogProbs: []float32{}}
			for range rng.IntN(700) {
				r.CompletionIDs = append(r.CompletionIDs, int32(rng.Uint32()))
				r.LogProbs = append(r.LogProbs, -math.Float32frombits(rng.Uint32()>>2))
			}
			rows = append(rows, r)
		}
	}
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "r"+ending)
		writeFile(t, path, schemas.Rollouts(), rows, 3, 5, 100, 1, 1)
		r, err := open(path, schemas.KindRollouts, checked(t))
		if err != nil {
			t.Fatal(err)
		}
		got, sizes := readAll(t, r, schemas.Rollouts())
		if !reflect.DeepEqual(got, rows) {
			t.Errorf("%s: rows differ", ending)
		}
		at := 0
		for i, n := range sizes {
			at += n
			if at < len(rows) && rows[at].GroupID == rows[at-1].GroupID {
				t.Errorf("%s: batch %d splits group %s", ending, i, rows[at].GroupID)
			}
			if n > BatchRows && rows[at-1].GroupID != rows[at-n].GroupID {
				t.Errorf("%s: batch %d has %d rows of several groups", ending, i, n)
			}
		}
		if len(sizes) > 12 {
			t.Errorf("%s: %d batches for %d rows: %v", ending, len(sizes), len(rows), sizes)
		}
	}
}

func TestScoredReadAsRollouts(t *testing.T) {
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "s"+ending)
		writeFile(t, path, schemas.ScoredRollouts(), someScored())
		r, err := open(path, schemas.KindRollouts, checked(t))
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := readAll(t, r, schemas.Rollouts()); !reflect.DeepEqual(got, someRollouts()) {
			t.Errorf("%s: got %+v", ending, got)
		}
	}
}

func TestWriteScoredAsRollouts(t *testing.T) {
	mem := checked(t)
	var b bytes.Buffer
	w, err := CreateStream(&b, schemas.KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	rec := encode(t, schemas.ScoredRollouts(), mem, someScored())
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := openStream("in", &b, schemas.KindRollouts, mem)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := readAll(t, r, schemas.Rollouts()); !reflect.DeepEqual(got, someRollouts()) {
		t.Errorf("got %+v", got)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kinds := map[string]string{}
	for _, ending := range endings() {
		kinds[ending] = filepath.Join(dir, "metrics"+ending)
		writeFile(t, kinds[ending], schemas.Metrics(), someMetrics())
	}
	for _, c := range []struct {
		path string
		err  error
		text string
	}{
		{kinds[".arrow"], schemas.ErrKind, "found metrics, want problems"},
		{kinds[".parquet"], schemas.ErrKind, "found metrics, want problems"},
		{kinds[".jsonl"], schemas.ErrColumn, `line 1: unexpected column: "problem_id" (utf8) is missing`},
		{kinds[".jsonl.gz"], schemas.ErrColumn, "line 1"},
		{put("e.arrow", ""), ErrTruncated, "0 bytes"},
		{put("e.parquet", ""), ErrTruncated, "0 bytes"},
		{put("e.jsonl", ""), ErrTruncated, "0 bytes"},
		{put("e.jsonl.gz", ""), ErrTruncated, "0 bytes"},
		{put("x.arrow", "hello, world, this is text"), ErrCorrupt, "want an Arrow file"},
		{put("y.arrow", "ARROW1"), ErrTruncated, "6 bytes"},
		{put("z.arrow", "ARROW1\x00\x00 and then nothing"), ErrTruncated, "does not end with"},
		{put("x.parquet", "hello, world, this is text"), ErrCorrupt, "open as Parquet"},
		{put("x.jsonl.gz", "hello"), ErrTruncated, "compressed"},
		{put("y.jsonl.gz", "hello, world, this is text"), ErrCorrupt, "decompress"},
		{put("x.jsonl.zst", "hello, world, this is text"), ErrCorrupt, "decompress"},
		{put("x.csv", "a,b"), ErrFormat, ".arrow, .parquet, .jsonl, .jsonl.gz, .jsonl.zst"},
		{put("x.json", "[]"), ErrFormat, ".jsonl"},
		{filepath.Join(dir, "missing.arrow"), os.ErrNotExist, "missing.arrow"},
	} {
		r, err := open(c.path, schemas.KindProblems, checked(t))
		if r != nil {
			r.Close()
		}
		if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.text) || !strings.Contains(fmt.Sprint(err), c.path) {
			t.Errorf("%s: got %v, want %v with %q", filepath.Base(c.path), err, c.err, c.text)
		}
	}
	if _, err := Open(dir, schemas.KindProblems); err == nil {
		t.Error("a folder was opened")
	}
	if _, err := Create(filepath.Join(dir, "x.arrow"), "answers"); !errors.Is(err, schemas.ErrKind) {
		t.Errorf("unknown kind: %v", err)
	}
}

// openBytes opens what would be a file of that name.
func openBytes(name string, b []byte, kind schemas.Kind, mem memory.Allocator) (Reader, error) {
	f, err := formatOf(name, func(f format) bool { return f.open != nil })
	if err != nil {
		return nil, err
	}
	return openFormat(f, bytesInput(name, b), kind, mem)
}

func bytesInput(name string, b []byte) *input {
	return &input{path: name, file: bytes.NewReader(b), size: int64(len(b)), order: bytes.NewReader(b), close: func() error { return nil }}
}

// TestCutAndFlipped damages whole files of each format: an error or rows, never a panic, and a cut file
// never passes for a whole one.
func TestCutAndFlipped(t *testing.T) {
	for _, ending := range endings() {
		t.Run(ending, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "whole"+ending)
			writeFile(t, path, schemas.ScoredRollouts(), someScored(), 1)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			read := func(b []byte) (int, error) {
				mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
				defer mem.AssertSize(t, 0)
				r, err := openBytes("bad"+ending, b, schemas.KindScored, mem)
				if err != nil {
					return 0, err
				}
				rows, _, err := drain(r, schemas.ScoredRollouts())
				return len(rows), err
			}
			step := max(1, len(whole)/150)
			for n := 0; n < len(whole); n += step {
				rows, err := read(whole[:n])
				if err == nil && !(ending == ".jsonl" && (whole[n-1] == '\n' || whole[n] == '\n')) {
					t.Errorf("cut at %d of %d: %d rows and no error", n, len(whole), rows)
				}
			}
			rng := rand.New(rand.NewPCG(3, 4))
			for range 300 {
				b := bytes.Clone(whole)
				b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
				read(b)
			}
		})
	}
}
