package model

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"openrs/stages/device"
)

func TestPack(t *testing.T) {
	for _, c := range []struct {
		name   string
		groups []Group
		want   Packed
	}{
		{"nothing", nil, Packed{}},
		{"no completions", []Group{{Prompt: []int32{1, 2}}, {Prompt: []int32{3}, Completions: [][]int32{{}}}}, Packed{}},
		{"one completion is one plain sequence", []Group{{Prompt: []int32{5, 6}, Completions: [][]int32{{7, 8, 9}}}}, Packed{
			IDs: []int32{5, 6, 7, 8}, Positions: []int32{0, 1, 2, 3}, Segments: []device.Segment{{Len: 4}},
			Rows: []int32{1, 2, 3}, Targets: []int32{7, 8, 9}, Temperature: []float32{1, 1, 1}, Numbers: []int32{0, 1, 2, 3},
		}},
		{"a shared prompt", []Group{{Prompt: []int32{5, 6}, Completions: [][]int32{{7, 8, 9}, {3}, {}, {4, 4}}, Temperature: 0.5}}, Packed{
			IDs: []int32{5, 6, 7, 8, 4}, Positions: []int32{0, 1, 2, 3, 2},
			Segments: []device.Segment{{Len: 2}, {Row: 2, Len: 2, PrefixLen: 2}, {Row: 4, Len: 1, PrefixLen: 2}},
			Rows:     []int32{1, 2, 3, 1, 1, 4}, Targets: []int32{7, 8, 9, 3, 4, 4}, Temperature: []float32{.5, .5, .5, .5, .5, .5}, Numbers: []int32{0, 1, 2, 3, 4},
		}},
		{"two groups", []Group{{Prompt: []int32{1}, Completions: [][]int32{{2}, {3}}}, {Prompt: []int32{4, 5}, Completions: [][]int32{{6, 7}, {8, 9}}}}, Packed{
			IDs: []int32{1, 4, 5, 6, 8}, Positions: []int32{0, 0, 1, 2, 2},
			Segments: []device.Segment{{Len: 1}, {Row: 1, Len: 2}, {Row: 3, Len: 1, PrefixRow: 1, PrefixLen: 2}, {Row: 4, Len: 1, PrefixRow: 1, PrefixLen: 2}},
			Rows:     []int32{0, 0, 2, 3, 2, 4}, Targets: []int32{2, 3, 6, 7, 8, 9}, Temperature: []float32{1, 1, 1, 1, 1, 1}, Numbers: []int32{0, 1, 2, 3, 4},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Pack(c.groups, Whole(c.groups))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
			if err := got.check(10); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPackNumbers: a row has the same number whatever is packed with it.
func TestPackNumbers(t *testing.T) {
	groups := []Group{
		{Prompt: []int32{1}, Completions: [][]int32{{2}, {3, 4, 5}}},
		{Prompt: []int32{9}}, // nothing to predict: no rows
		{Prompt: []int32{4, 5}, Completions: [][]int32{{6, 7}, {}, {8, 9, 1}, {2, 3}}},
	}
	for _, c := range []struct {
		pieces []Piece
		want   []int32
	}{
		{Whole(groups), []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{[]Piece{{Group: 2, To: 1}}, []int32{3, 4, 5}},
		{[]Piece{{Group: 2, From: 1, To: 4}}, []int32{3, 4, 6, 7, 8}},
		{[]Piece{{Group: 2, From: 3, To: 4}, {Group: 0, From: 1, To: 2}}, []int32{3, 4, 8, 0, 1, 2}},
	} {
		p, err := Pack(groups, c.pieces)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(p.Numbers, c.want) {
			t.Errorf("%v: rows %v, want %v", c.pieces, p.Numbers, c.want)
		}
	}
}

func TestPackErrors(t *testing.T) {
	groups := []Group{{Prompt: []int32{1}, Completions: [][]int32{{2}, {3}}}, {Completions: [][]int32{{2}}}}
	for _, pieces := range [][]Piece{{{Group: 2, To: 1}}, {{Group: -1}}, {{From: 1, To: 3}}, {{From: -1, To: 1}}, {{From: 2, To: 1}}, {{Group: 1, To: 1}}} {
		if p, err := Pack(groups, pieces); !errors.Is(err, ErrInput) {
			t.Errorf("%+v: %v, %v", pieces, p, err)
		}
	}
	for n := range 5 {
		_, err := Ragged(groups, []Piece{{To: 2}}, make([]float32, n))
		if (err == nil) != (n == 2) || err != nil && !errors.Is(err, ErrInput) {
			t.Errorf("%d values for 2 tokens: %v", n, err)
		}
	}
}

// TestSplit checks, for random groups and budgets, that micro-batches hold every completion once and in
// order, keep the budget wherever a single completion allows, and divide only groups that must be.
func TestSplit(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 2000 {
		groups := make([]Group, rng.IntN(6))
		for i := range groups {
			groups[i].Prompt = make([]int32, 1+rng.IntN(10))
			for range rng.IntN(6) {
				groups[i].Completions = append(groups[i].Completions, make([]int32, rng.IntN(20)))
			}
		}
		budget := 1 + rng.IntN(80)
		batches := Split(groups, budget)
		if again := Split(groups, budget); !reflect.DeepEqual(batches, again) {
			t.Fatalf("split twice: %v and %v", batches, again)
		}
		next := Piece{}
		for _, pieces := range batches {
			p, err := Pack(groups, pieces)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.check(1); err != nil {
				t.Fatal(err)
			}
			if len(p.IDs) > budget && (len(pieces) != 1 || pieces[0].To != pieces[0].From+1) {
				t.Fatalf("%v has %d rows, budget %d", pieces, len(p.IDs), budget)
			}
			for _, piece := range pieces {
				if piece.Group != next.Group || piece.From != next.To {
					t.Fatalf("%v: piece %+v after %+v", batches, piece, next)
				}
				g := groups[piece.Group]
				if whole := piece.From == 0 && piece.To == len(g.Completions); !whole && g.Rows() <= budget {
					t.Fatalf("%v: group %d of %d rows is divided, budget %d", batches, piece.Group, g.Rows(), budget)
				}
				if next = piece; piece.To == len(g.Completions) {
					next = Piece{Group: piece.Group + 1}
				}
			}
		}
		if next != (Piece{Group: len(groups)}) {
			t.Fatalf("%v ends at %+v of %d groups", batches, next, len(groups))
		}
		values := make([]float32, 0)
		for i := range groups {
			for range tokens(groups[i]) {
				values = append(values, float32(len(values)))
			}
		}
		ragged, err := Ragged(groups, slices.Concat(batches...), values)
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.Concat(ragged...); !slices.Equal(got, values) {
			t.Fatalf("ragged gave %d of %d values", len(got), len(values))
		}
	}
}

func TestSplitKeepsGroupsTogether(t *testing.T) {
	group := func(prompt int, completions ...int) Group {
		g := Group{Prompt: make([]int32, prompt)}
		for _, n := range completions {
			g.Completions = append(g.Completions, make([]int32, n))
		}
		return g
	}
	groups := []Group{group(10, 11, 11), group(10, 11), group(10, 41, 41, 41), group(5, 2)}
	want := [][]Piece{{{0, 0, 2}, {1, 0, 1}}, {{2, 0, 1}}, {{2, 1, 2}}, {{2, 2, 3}, {3, 0, 1}}}
	if got := Split(groups, 60); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
