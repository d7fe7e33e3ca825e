package model

import (
	"fmt"
	"slices"

	"openrs/stages/device"
)

// Packed is a batch for scoring and training: tokens of several sequences, one row a token, without
// padding, and which of them predict what. [Pack] builds one.
type Packed struct {
	// IDs and Positions have one entry a row. Positions count from 0 at the start of a sequence, and a
	// completion's continue its prompt's.
	IDs, Positions []int32
	// Segments say which rows attend to which; each row belongs to exactly one.
	Segments []device.Segment
	// Rows[i] is the row whose hidden state predicts the token Targets[i]. A row may predict several
	// tokens: a prompt's last row predicts the first token of each completion.
	Rows, Targets []int32
	// Temperature divides the logits of each prediction; nil means 1 for all.
	Temperature []float32
	// Numbers and Seed decide what dropout drops of each row in Forward ([device.Dropout]): rows of the same
	// number and seed lose the same. [Pack] numbers the rows of its groups one after another, so that a
	// row's number does not depend on the pieces. nil will do where nothing is dropped.
	Numbers []int32
	Seed    uint64
}

// temperatures returns Temperature with nil filled in.
func (p *Packed) temperatures() []float32 {
	if p.Temperature != nil {
		return p.Temperature
	}
	t := make([]float32, len(p.Rows))
	for i := range t {
		t[i] = 1
	}
	return t
}

// clone copies everything, so that a Pass does not depend on what its caller does next.
func (p *Packed) clone() *Packed {
	return &Packed{
		IDs: slices.Clone(p.IDs), Positions: slices.Clone(p.Positions), Segments: slices.Clone(p.Segments),
		Rows: slices.Clone(p.Rows), Targets: slices.Clone(p.Targets), Temperature: slices.Clone(p.temperatures()),
		Numbers: slices.Clone(p.Numbers), Seed: p.Seed,
	}
}

// check returns an error that names the first entry that does not fit a model of the given vocabulary.
// Positions are checked where the rotary table is made.
func (p *Packed) check(vocab int) error {
	n := len(p.IDs)
	switch {
	case len(p.Positions) != n:
		return fmt.Errorf("%w: %d positions for %d rows", ErrInput, len(p.Positions), n)
	case len(p.Targets) != len(p.Rows):
		return fmt.Errorf("%w: %d targets for %d predictions", ErrInput, len(p.Targets), len(p.Rows))
	case p.Temperature != nil && len(p.Temperature) != len(p.Rows):
		return fmt.Errorf("%w: %d temperatures for %d predictions", ErrInput, len(p.Temperature), len(p.Rows))
	}
	if err := checkRange("token id of row", p.IDs, vocab); err != nil {
		return err
	}
	if err := checkRange("row of prediction", p.Rows, n); err != nil {
		return err
	}
	if err := checkRange("target of prediction", p.Targets, vocab); err != nil {
		return err
	}
	for i, t := range p.Temperature {
		if !(t > 0) || t > maxTemperature {
			return fmt.Errorf("%w: temperature of prediction %d is %v, expected above 0", ErrInput, i, t)
		}
	}
	return p.checkSegments()
}

// maxTemperature refuses infinities.
const maxTemperature = 1e30

// checkSegments makes sure that the segments tile the rows and that prefixes are beginnings of segments
// without a prefix.
func (p *Packed) checkSegments() error {
	owner := make([]int, len(p.IDs)) // 1 + the segment of each row
	for i, s := range p.Segments {
		if s.Row < 0 || s.Len < 0 || s.Row+s.Len > len(owner) {
			return fmt.Errorf("%w: segment %d has rows [%d, %d) of %d", ErrInput, i, s.Row, s.Row+s.Len, len(owner))
		}
		for r := s.Row; r < s.Row+s.Len; r++ {
			if owner[r] != 0 {
				return fmt.Errorf("%w: row %d is in segments %d and %d", ErrInput, r, owner[r]-1, i)
			}
			owner[r] = i + 1
		}
		if s.PrefixLen == 0 {
			continue
		}
		if s.PrefixRow < 0 || s.PrefixLen < 0 || s.PrefixRow+s.PrefixLen > len(owner) || owner[s.PrefixRow] == 0 {
			return fmt.Errorf("%w: the prefix of segment %d, rows [%d, %d), is in no earlier segment", ErrInput, i, s.PrefixRow, s.PrefixRow+s.PrefixLen)
		}
		if of := p.Segments[owner[s.PrefixRow]-1]; of.PrefixLen != 0 || of.Row != s.PrefixRow || s.PrefixLen > of.Len {
			return fmt.Errorf("%w: the prefix of segment %d, rows [%d, %d), is not the beginning of a sequence", ErrInput, i, s.PrefixRow, s.PrefixRow+s.PrefixLen)
		}
	}
	if r := slices.Index(owner, 0); r >= 0 {
		return fmt.Errorf("%w: row %d is in no segment", ErrInput, r)
	}
	return nil
}

// checkRange checks that all values are in [0, limit).
func checkRange(what string, values []int32, limit int) error {
	for i, v := range values {
		if v < 0 || int(v) >= limit {
			return fmt.Errorf("%w: %s %d is %d, expected 0 to %d", ErrInput, what, i, v, limit-1)
		}
	}
	return nil
}
