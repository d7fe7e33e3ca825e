package model

import (
	"errors"
	"math"
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/devicetest"
)

// good returns a batch of a prompt and two completions for the tiny model.
func good() *Packed {
	return &Packed{
		IDs: []int32{1, 2, 3, 4, 5}, Positions: []int32{0, 1, 2, 2, 3},
		Segments: []device.Segment{{Len: 2}, {Row: 2, Len: 1, PrefixLen: 2}, {Row: 3, Len: 2, PrefixLen: 2}},
		Rows:     []int32{1, 2, 1, 4}, Targets: []int32{3, 9, 4, 30}, Temperature: []float32{1, 1, 0.5, 2},
	}
}

func TestPackedErrors(t *testing.T) {
	m := newModel(t, devicetest.NewReference(), tiny("llama"), Options{MaxPositions: 50})
	for _, c := range []struct {
		name  string
		spoil func(p *Packed)
		says  string
	}{
		{"nothing", func(*Packed) {}, ""},
		{"empty", func(p *Packed) { *p = Packed{} }, ""},
		{"no temperatures", func(p *Packed) { p.Temperature = nil }, ""},
		{"no predictions", func(p *Packed) { p.Rows, p.Targets, p.Temperature = nil, nil, nil }, ""},
		{"part of a prompt", func(p *Packed) { p.Segments[1].PrefixLen = 1 }, ""},
		{"positions", func(p *Packed) { p.Positions = p.Positions[1:] }, "4 positions for 5 rows"},
		{"targets", func(p *Packed) { p.Targets = p.Targets[1:] }, "3 targets for 4"},
		{"temperatures", func(p *Packed) { p.Temperature = p.Temperature[1:] }, "3 temperatures for 4"},
		{"token", func(p *Packed) { p.IDs[3] = 31 }, "row 3 is 31, expected 0 to 30"},
		{"negative token", func(p *Packed) { p.IDs[0] = -1 }, "row 0 is -1"},
		{"row", func(p *Packed) { p.Rows[0] = 5 }, "prediction 0 is 5, expected 0 to 4"},
		{"target", func(p *Packed) { p.Targets[1] = -2 }, "prediction 1 is -2"},
		{"zero temperature", func(p *Packed) { p.Temperature[2] = 0 }, "prediction 2 is 0"},
		{"temperature that is no number", func(p *Packed) { p.Temperature[2] = float32(math.NaN()) }, "NaN"},
		{"infinite temperature", func(p *Packed) { p.Temperature[2] = float32(math.Inf(1)) }, "Inf"},
		{"position", func(p *Packed) { p.Positions[4] = 50 }, "row 4 is at position 50, the model has positions 0 to 49"},
		{"negative position", func(p *Packed) { p.Positions[4] = -1 }, "position -1"},
		{"segment past the rows", func(p *Packed) { p.Segments[2].Len = 3 }, "segment 2 has rows [3, 6) of 5"},
		{"overlap", func(p *Packed) { p.Segments[2].Row = 2 }, "row 2 is in segments 1 and 2"},
		{"gap", func(p *Packed) { p.Segments[2].Len = 1 }, "row 4 is in no segment"},
		{"later prefix", func(p *Packed) { p.Segments[1].PrefixRow = 3 }, "prefix of segment 1"},
		{"prefix of a prefix", func(p *Packed) { p.Segments[2].PrefixRow, p.Segments[2].PrefixLen = 2, 1 }, "prefix of segment 2"},
		{"prefix from the middle", func(p *Packed) { p.Segments[2].PrefixRow, p.Segments[2].PrefixLen = 1, 1 }, "prefix of segment 2"},
		{"long prefix", func(p *Packed) { p.Segments[2].PrefixLen = 3 }, "prefix of segment 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := good()
			c.spoil(p)
			_, _, err := m.LogProbs(p)
			checkError(t, err, c.says)
		})
	}
}

func TestBatchErrors(t *testing.T) {
	m := newModel(t, devicetest.NewReference(), tiny("llama"), Options{MaxPositions: 90})
	c, err := m.NewCache(4, testPage)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		spoil func(b *Batch)
		says  string
	}{
		{"nothing", func(*Batch) {}, ""},
		{"empty", func(b *Batch) { *b = Batch{} }, ""},
		{"no logits", func(b *Batch) { b.LogitRows = nil }, ""},
		{"slots", func(b *Batch) { b.Slots = b.Slots[1:] }, "3 positions and 2 slots for 3 rows"},
		{"token", func(b *Batch) { b.IDs[1] = 31 }, "row 1 is 31"},
		{"logit row", func(b *Batch) { b.LogitRows[0] = 3 }, "logit row 0 is 3"},
		{"rows of a sequence", func(b *Batch) { b.Seqs[1].Len = 2 }, "sequence 1 has rows [2, 4)"},
		{"gap", func(b *Batch) { b.Seqs[1].Row = 1 }, "sequence 1 has rows [1, 2)"},
		{"missing sequence", func(b *Batch) { b.Seqs = b.Seqs[:1] }, "sequences have 2 rows, the batch 3"},
		{"too few pages", func(b *Batch) { b.Seqs[1].Pages = b.Seqs[1].Pages[:1] }, "sequence 1 has room for 64 tokens in its 1 pages, needs 71"},
		{"page", func(b *Batch) { b.Seqs[1].Pages[1] = 4 }, "sequence 1: page 1 is 4"},
		{"slot", func(b *Batch) { b.Slots[2]++ }, "row 2 of sequence 1"},
		{"position", func(b *Batch) { b.Positions[0] = 1 }, "row 0 of sequence 0"},
		{"too long", func(b *Batch) {
			*b = Batch{IDs: []int32{1}}
			addSequence(b, 1, 90, []int32{0, 1})
		}, "position 90, the model has positions 0 to 89"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := &Batch{IDs: []int32{1, 2, 3}, LogitRows: []int32{1, 2}}
			addSequence(b, 2, 0, []int32{3})
			addSequence(b, 1, 70, []int32{2, 1})
			test.spoil(b)
			_, err := m.Infer(b, c)
			checkError(t, err, test.says)
		})
	}
}

func checkError(t *testing.T, err error, says string) {
	t.Helper()
	switch {
	case says == "":
		if err != nil {
			t.Error(err)
		}
	case !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), says):
		t.Errorf("error %v, want one that says %q", err, says)
	}
}
