package steps

import (
	"fmt"
	"maps"
	"slices"

	"openrs/schemas"
)

// Group is the scored completions of one problem at one step, in order of sample.
type Group struct {
	ID   string
	Rows []schemas.Scored
	seq  uint64 // of the message it came in
}

// Step is everything that one optimizer step is made from.
type Step struct {
	Number int64
	Groups []Group // in order of id
}

// Assembler collects groups until their step is complete.
type Assembler struct {
	perStep int
	sizes   map[int64]int // groups of each step of a recorded file, see NewRecorded
	order   []int64       // its steps that were not handed out
	next    int64
	last    uint64 // the highest sequence number seen
	pending map[int64]map[string]Group
	done    map[int64]map[string]bool // ids of the steps handed out
}

// NewAssembler starts at a step. perStep is the number of groups of every step; 0 is for what was
// recorded and comes through a pipe, in which steps follow each other and may differ in size: a step is complete when a
// later one begins.
func NewAssembler(perStep int, first int64) *Assembler {
	return &Assembler{perStep: perStep, next: first, pending: map[int64]map[string]Group{}, done: map[int64]map[string]bool{}}
}

// NewRecorded starts at a step of a recorded file that has so many groups of each step, in whatever order.
func NewRecorded(sizes map[int64]int, first int64) *Assembler {
	a := NewAssembler(0, first)
	a.sizes = sizes
	for _, step := range slices.Sorted(maps.Keys(sizes)) {
		if step >= first {
			a.order = append(a.order, step)
		}
	}
	return a
}

// Add takes the rows of one message. Rows of a group are consecutive and in order of sample. Groups
// of steps already handed out and groups already there are dropped: they are deliveries of the same
// work.
func (a *Assembler) Add(seq uint64, rows []schemas.Scored) error {
	a.last = max(a.last, seq)
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].GroupID == rows[0].GroupID {
			n++
		}
		g := Group{ID: rows[0].GroupID, Rows: rows[:n:n], seq: seq}
		if err := a.addGroup(g); err != nil {
			return fmt.Errorf("message %d: %w", seq, err)
		}
		rows = rows[n:]
	}
	return nil
}

func (a *Assembler) addGroup(g Group) error {
	step := g.Rows[0].Step
	for i, r := range g.Rows {
		if r.Step != step || r.Sample != g.Rows[0].Sample+int32(i) {
			return fmt.Errorf("group %s: row %d is sample %d of step %d, expected sample %d of step %d",
				g.ID, i, r.Sample, r.Step, g.Rows[0].Sample+int32(i), step)
		}
	}
	if ids := a.done[step]; ids != nil && !ids[g.ID] {
		return a.surplus(g, step, len(ids))
	}
	if step < a.next {
		return nil
	}
	groups := a.pending[step]
	if groups == nil {
		groups = map[string]Group{}
		a.pending[step] = groups
	}
	if _, seen := groups[g.ID]; seen {
		return nil
	}
	if a.perStep > 0 && len(groups) == a.perStep {
		return a.surplus(g, step, a.perStep)
	}
	groups[g.ID] = g
	return nil
}

// surplus is the error of a group for which its step has no place.
func (a *Assembler) surplus(g Group, step int64, have int) error {
	if a.perStep == 0 {
		return fmt.Errorf("group %s of step %d comes after a later step has begun: expected the rows in order of step, or --groups-per-step", g.ID, step)
	}
	return fmt.Errorf("group %s is one more than the %d groups of step %d: generate and update must agree on --groups-per-step", g.ID, have, step)
}

// Next is the step that will be handed out next.
func (a *Assembler) Next() int64 { return a.next }

// Take hands out the next step if it is complete.
func (a *Assembler) Take() (Step, bool) {
	if a.perStep > 0 && len(a.pending[a.next]) < a.perStep {
		return Step{}, false
	}
	switch {
	case a.sizes != nil:
		if len(a.order) == 0 || len(a.pending[a.order[0]]) < a.sizes[a.order[0]] {
			return Step{}, false
		}
		a.next, a.order = a.order[0], a.order[1:]
	case a.perStep == 0:
		if len(a.pending) < 2 {
			return Step{}, false
		}
		a.next = slices.Min(slices.Collect(maps.Keys(a.pending)))
	}
	return a.take(), true
}

// Flush hands out the next step at the end of the input, complete or not. Steps without any group are
// passed over.
func (a *Assembler) Flush() (Step, bool) {
	if len(a.pending) == 0 {
		return Step{}, false
	}
	a.next = slices.Min(slices.Collect(maps.Keys(a.pending)))
	return a.take(), true
}

func (a *Assembler) take() Step {
	s := Step{Number: a.next}
	groups := a.pending[a.next]
	ids := map[string]bool{}
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		s.Groups = append(s.Groups, groups[id])
		ids[id] = true
	}
	a.done[a.next] = ids
	delete(a.pending, a.next)
	a.next++
	return s
}

// ResumeAt is the sequence number to read from after the steps handed out so far: that of the first
// message with a group not handed out yet, or the one after the last message.
func (a *Assembler) ResumeAt() uint64 {
	at := a.last + 1
	for _, groups := range a.pending {
		for _, g := range groups {
			at = min(at, g.seq)
		}
	}
	return at
}
