package model

import (
	"fmt"

	"openrs/stages/device"
)

// Group is a prompt and what followed it, several times. A single sequence whose tokens are all to be
// predicted is Group{Prompt: ids[:1], Completions: [][]int32{ids[1:]}}.
type Group struct {
	Prompt      []int32
	Completions [][]int32
	Temperature float32 // divides the logits of every completion token; 0 means 1
}

// Piece is a run of completions of one group: Completions[From:To] of groups[Group]. A micro-batch is a
// list of pieces.
type Piece struct {
	Group, From, To int
}

// Whole returns one piece for each group.
func Whole(groups []Group) []Piece {
	pieces := make([]Piece, len(groups))
	for i, g := range groups {
		pieces[i] = Piece{Group: i, To: len(g.Completions)}
	}
	return pieces
}

// Pack builds the rows that predict every completion token of the pieces; predictions come in order of
// piece, completion and token ([Ragged] takes results apart again). A prompt is computed once for all
// completions of its piece, whose first tokens are predicted by its last row. The last token of a
// completion predicts nothing and has no row.
func Pack(groups []Group, pieces []Piece) (*Packed, error) {
	p := &Packed{}
	number, counted := 0, 0 // the number of the first row of the group that is counted next
	for _, piece := range pieces {
		g, err := pieceOf(groups, piece)
		if err != nil {
			return nil, err
		}
		if counted > piece.Group {
			number, counted = 0, 0
		}
		for ; counted < piece.Group; counted++ {
			number += groups[counted].Rows()
		}
		if tokens(g) == 0 {
			continue
		}
		if len(g.Prompt) == 0 {
			return nil, fmt.Errorf("%w: group %d has no prompt, so nothing predicts its first completion tokens", ErrInput, piece.Group)
		}
		p.group(g, number, before(groups[piece.Group], piece.From))
	}
	return p, nil
}

func pieceOf(groups []Group, p Piece) (Group, error) {
	if p.Group < 0 || p.Group >= len(groups) || p.From < 0 || p.To < p.From || p.To > len(groups[p.Group].Completions) {
		return Group{}, fmt.Errorf("%w: piece %+v of %d groups", ErrInput, p, len(groups))
	}
	g := groups[p.Group]
	g.Completions = g.Completions[p.From:p.To]
	return g, nil
}

// before is how many rows the completions of g before one have.
func before(g Group, completion int) int {
	n := 0
	for _, c := range g.Completions[:completion] {
		n += max(0, len(c)-1)
	}
	return n
}

// group appends one prompt and its completions. The prompt's rows are numbered from one number on, and the
// completions' follow, some others in between.
func (p *Packed) group(g Group, number, others int) {
	prompt := device.Segment{Row: len(p.IDs), Len: len(g.Prompt)}
	p.rows(g.Prompt, 0, number)
	number += len(g.Prompt) + others
	p.Segments = append(p.Segments, prompt)
	temperature := g.Temperature
	if temperature == 0 {
		temperature = 1
	}
	for _, c := range g.Completions {
		if len(c) == 0 {
			continue
		}
		own := device.Segment{Row: len(p.IDs), Len: len(c) - 1, PrefixRow: prompt.Row, PrefixLen: prompt.Len}
		p.rows(c[:own.Len], prompt.Len, number)
		number += own.Len
		switch {
		case own.Len == 0:
		case len(g.Completions) == 1: // nothing to share: one plain sequence
			p.Segments[len(p.Segments)-1].Len += own.Len
		default:
			p.Segments = append(p.Segments, own)
		}
		for t, target := range c {
			row := prompt.Row + prompt.Len - 1
			if t > 0 {
				row = own.Row + t - 1
			}
			p.Rows = append(p.Rows, int32(row))
			p.Targets = append(p.Targets, target)
			p.Temperature = append(p.Temperature, temperature)
		}
	}
}

func (p *Packed) rows(ids []int32, position, number int) {
	for i, id := range ids {
		p.IDs = append(p.IDs, id)
		p.Positions = append(p.Positions, int32(position+i))
		p.Numbers = append(p.Numbers, int32(number+i))
	}
}

// Ragged cuts values, one for each prediction of Pack(groups, pieces), into one slice for each
// completion, in order. They are parts of values.
func Ragged(groups []Group, pieces []Piece, values []float32) ([][]float32, error) {
	var out [][]float32
	left := values
	for _, piece := range pieces {
		g, err := pieceOf(groups, piece)
		if err != nil {
			return nil, err
		}
		for _, c := range g.Completions {
			if len(c) > len(left) {
				return nil, fmt.Errorf("%w: %d values are too few for these pieces", ErrInput, len(values))
			}
			out, left = append(out, left[:len(c):len(c)]), left[len(c):]
		}
	}
	if len(left) > 0 {
		return nil, fmt.Errorf("%w: %d values, the pieces have %d tokens", ErrInput, len(values), len(values)-len(left))
	}
	return out, nil
}

// Split cuts groups into micro-batches of at most budget rows each, in order. A group stays whole where
// it fits into a micro-batch of its own, and is divided between completions otherwise (each part then
// computes the prompt again). A completion that exceeds the budget by itself is a micro-batch.
func Split(groups []Group, budget int) [][]Piece {
	var out [][]Piece
	var batch []Piece
	used := 0
	flush := func() {
		if len(batch) > 0 {
			out = append(out, batch)
		}
		batch, used = nil, 0
	}
	for i, g := range groups {
		n := g.Rows()
		if used+n > budget {
			flush()
		}
		if n <= budget {
			batch, used = append(batch, Piece{Group: i, To: len(g.Completions)}), used+n
			continue
		}
		piece, cost := Piece{Group: i}, len(g.Prompt)
		for j, c := range g.Completions {
			more := max(0, len(c)-1)
			if piece.To > piece.From && cost+more > budget {
				batch = []Piece{piece}
				flush()
				piece, cost = Piece{Group: i, From: j}, len(g.Prompt)
			}
			piece.To, cost = j+1, cost+more
		}
		batch, used = []Piece{piece}, cost
	}
	flush()
	return out
}

// Rows is the number of rows that [Pack] makes of a whole group.
func (g Group) Rows() int {
	if tokens(g) == 0 {
		return 0
	}
	n := len(g.Prompt)
	for _, c := range g.Completions {
		n += max(0, len(c)-1)
	}
	return n
}

// tokens is the number of completion tokens.
func tokens(g Group) int {
	n := 0
	for _, c := range g.Completions {
		n += len(c)
	}
	return n
}
