package steps

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
)

func rows(step int64, samples int, ids ...string) []schemas.Scored {
	var out []schemas.Scored
	for _, id := range ids {
		for i := range samples {
			out = append(out, schemas.Scored{Rollout: schemas.Rollout{GroupID: id, Step: step, Sample: int32(i)}})
		}
	}
	return out
}

// describe writes a step as "3: a b".
func describe(s Step) string {
	text := fmt.Sprintf("%d:", s.Number)
	for _, g := range s.Groups {
		text += " " + g.ID
	}
	return text
}

func TestAssemblerStories(t *testing.T) {
	type message struct {
		seq  uint64
		rows []schemas.Scored
	}
	for _, c := range []struct {
		name     string
		perStep  int
		first    int64
		messages []message
		taken    []string // after each message: the steps taken, and where to resume
		flushed  []string
	}{
		{
			name: "in order", perStep: 2,
			messages: []message{{1, rows(0, 2, "a", "b")}, {2, rows(1, 2, "c", "d")}},
			taken:    []string{"0: a b; resume at 2", "1: c d; resume at 3"},
		},
		{
			name: "a later step arrives first", perStep: 2,
			messages: []message{{1, rows(1, 1, "c")}, {2, rows(0, 1, "b")}, {3, rows(0, 1, "a")}, {4, rows(1, 1, "d")}},
			taken:    []string{"resume at 1", "resume at 1", "0: a b; resume at 1", "1: c d; resume at 5"},
		},
		{
			name: "twice changes nothing", perStep: 2,
			messages: []message{{1, rows(0, 1, "a")}, {2, rows(0, 1, "a")}, {3, rows(0, 1, "b")}, {4, rows(0, 1, "b")}},
			taken:    []string{"resume at 1", "resume at 1", "0: a b; resume at 4", "resume at 5"},
		},
		{
			name: "one message may hold two steps", perStep: 1,
			messages: []message{{7, append(rows(0, 3, "a"), rows(1, 3, "b")...)}},
			taken:    []string{"0: a; 1: b; resume at 8"},
		},
		{
			name: "after a checkpoint earlier steps are passed over", perStep: 1, first: 5,
			messages: []message{{9, rows(4, 1, "x")}, {10, rows(5, 1, "y")}},
			taken:    []string{"resume at 10", "5: y; resume at 11"},
		},
		{
			name: "an incomplete last step is handed out at the end", perStep: 3,
			messages: []message{{1, rows(0, 1, "a", "b")}},
			taken:    []string{"resume at 1"},
			flushed:  []string{"0: a b"},
		},
		{
			name:     "without a step size, when a later step begins",
			messages: []message{{1, rows(0, 1, "a", "b")}, {2, rows(2, 1, "c")}, {3, rows(3, 1, "d")}},
			taken:    []string{"resume at 1", "0: a b; resume at 2", "2: c; resume at 3"},
			flushed:  []string{"3: d"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := NewAssembler(c.perStep, c.first)
			for i, m := range c.messages {
				if err := a.Add(m.seq, m.rows); err != nil {
					t.Fatal(err)
				}
				var parts []string
				for {
					s, ok := a.Take()
					if !ok {
						break
					}
					parts = append(parts, describe(s))
				}
				parts = append(parts, fmt.Sprintf("resume at %d", a.ResumeAt()))
				if got := strings.Join(parts, "; "); got != c.taken[i] {
					t.Errorf("after message %d: %q, want %q", m.seq, got, c.taken[i])
				}
			}
			var flushed []string
			for {
				s, ok := a.Flush()
				if !ok {
					break
				}
				flushed = append(flushed, describe(s))
			}
			if !slices.Equal(flushed, c.flushed) {
				t.Errorf("at the end %q, want %q", flushed, c.flushed)
			}
		})
	}
}

func TestAssemblerRefuses(t *testing.T) {
	a := NewAssembler(1, 0)
	if err := a.Add(1, rows(0, 1, "a", "b")); err == nil || !strings.Contains(err.Error(), "--groups-per-step") {
		t.Errorf("a group too many: %v", err)
	}
	b := NewAssembler(2, 0)
	if err := b.Add(1, rows(0, 1, "a", "b")); err != nil {
		t.Fatal(err)
	}
	b.Take()
	if err := b.Add(2, rows(0, 1, "a")); err != nil {
		t.Errorf("a delivery of the same work: %v", err)
	}
	if err := b.Add(3, rows(0, 1, "c")); err == nil || !strings.Contains(err.Error(), "--groups-per-step") {
		t.Errorf("a group too many for a step handed out: %v", err)
	}
	c := NewAssembler(0, 0)
	if err := c.Add(1, append(rows(0, 1, "a"), rows(1, 1, "b")...)); err != nil {
		t.Fatal(err)
	}
	c.Take()
	if err := c.Add(2, rows(0, 1, "z")); err == nil || !strings.Contains(err.Error(), "in order of step") {
		t.Errorf("rows out of order: %v", err)
	}
	bad := rows(0, 2, "g")
	bad[1].Sample = 5
	if err := a.Add(2, bad); err == nil || !strings.Contains(err.Error(), "expected sample 1") {
		t.Errorf("a gap in the samples: %v", err)
	}
}

// A sampler writes groups when they are finished, so that a file may have some of a later step before the last of an
// earlier one.
func TestRecordedStepsInAnyOrder(t *testing.T) {
	messages := [][]schemas.Scored{rows(3, 2, "d"), rows(0, 2, "b"), rows(1, 1, "c"), append(rows(0, 2, "a"), rows(3, 2, "e")...), rows(3, 2, "f")}
	for _, c := range []struct {
		first int64
		want  string
	}{{0, "0: a b; 1: c; 3: d e f; "}, {1, "1: c; 3: d e f; "}} {
		a := NewRecorded(map[int64]int{0: 2, 1: 1, 3: 3}, c.first)
		got := ""
		for i, m := range messages {
			if err := a.Add(uint64(i+1), m); err != nil {
				t.Fatal(err)
			}
			for s, ok := a.Take(); ok; s, ok = a.Take() {
				got += describe(s) + "; "
			}
		}
		if _, more := a.Flush(); more || got != c.want {
			t.Errorf("from %d: got %q, want %q; more: %v", c.first, got, c.want, more)
		}
	}
}

// Resuming from any checkpoint hands out the same steps as going on.
func TestResumeReplaysTheSameSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		perStep, steps := 1+rng.IntN(4), 1+rng.IntN(5)
		var messages [][]schemas.Scored
		for s := range steps {
			for g := range perStep {
				m := rows(int64(s), 2, fmt.Sprintf("%03d", s*perStep+g))
				messages = append(messages, m)
				if rng.IntN(3) == 0 {
					messages = append(messages, m) // delivered twice
				}
			}
		}
		// Workers are at most a few messages out of order.
		for i := range messages {
			j := min(len(messages)-1, i+rng.IntN(4))
			messages[i], messages[j] = messages[j], messages[i]
		}
		var whole []string
		type checkpoint struct {
			next int64
			seq  uint64
			done int
		}
		var checkpoints []checkpoint
		a := NewAssembler(perStep, 0)
		for i, m := range messages {
			if err := a.Add(uint64(i+1), m); err != nil {
				t.Fatal(err)
			}
			for {
				s, ok := a.Take()
				if !ok {
					break
				}
				whole = append(whole, describe(s))
				checkpoints = append(checkpoints, checkpoint{a.Next(), a.ResumeAt(), len(whole)})
			}
		}
		if len(whole) != steps {
			t.Fatalf("%d of %d steps", len(whole), steps)
		}
		for _, c := range checkpoints {
			b := NewAssembler(perStep, c.next)
			resumed := slices.Clone(whole[:c.done])
			for i := c.seq - 1; i < uint64(len(messages)); i++ {
				if err := b.Add(i+1, messages[i]); err != nil {
					t.Fatal(err)
				}
				for {
					s, ok := b.Take()
					if !ok {
						break
					}
					resumed = append(resumed, describe(s))
				}
			}
			if !slices.Equal(resumed, whole) {
				t.Fatalf("resumed at %d: %v, want %v", c.seq, resumed, whole)
			}
		}
	}
}
