package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// A file whose groups stand in the order in which they were finished makes whole steps.
func TestStepsOfAFileInAnyOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scored.jsonl")
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	w, err := table.Create(path, schemas.KindScored)
	if err != nil {
		t.Fatal(err)
	}
	var batches [][]schemas.Scored
	for _, g := range []struct {
		step int64
		id   string
	}{{0, "a"}, {1, "c"}, {0, "b"}, {1, "d"}} {
		reward := float32(0)
		list := []schemas.Scored{{Reward: &reward, Rollout: schemas.Rollout{
			GroupID: g.id, ProblemID: schemas.ProblemID("s", g.id), Source: "s", Problem: g.id, Answer: "1", Step: g.step,
			PromptIDs: []int32{1}, CompletionIDs: []int32{2}, LogProbs: []float32{-1}, FinishReason: schemas.FinishStop, Temperature: 1,
		}}}
		rec, err := schemas.ScoredRollouts().Encode(mem, list)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write(rec)
		rec.Release()
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, list)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	a, err := assembler(path, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := ""
	for i, list := range batches {
		if err := a.Add(uint64(i+1), list); err != nil {
			t.Fatal(err)
		}
		for s, ok := a.Take(); ok; s, ok = a.Take() {
			got += fmt.Sprintf("%d:", s.Number)
			for _, g := range s.Groups {
				got += " " + g.ID
			}
			got += "; "
		}
	}
	if want := "0: a b; 1: c d; "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := os.WriteFile(path, []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := assembler(path, 0, 0); err == nil {
		t.Error("a file that is no table was counted")
	}
	for _, c := range []struct {
		path    string
		perStep int
	}{{"-", 0}, {path, 2}, {filepath.Join(t.TempDir(), "absent.jsonl"), 0}} { // nothing is read
		if _, err := assembler(c.path, c.perStep, 0); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
