package engine

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// describe writes a step as one line: "p0+3 a[0:3)*" is request a's prompt, tokens 0 to 3, whose last
// token predicts the next.
func describe(step []work) string {
	var parts []string
	for _, w := range step {
		name := w.seq.req.ProblemID
		if w.seq.sample >= 0 {
			name += fmt.Sprint(w.seq.sample)
		}
		part := fmt.Sprintf("%s[%d:%d)", name, w.start, w.start+w.n)
		if w.sample {
			part += "*"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " ")
}

// nextToken is the scheduler tests' model: a token from all tokens before it and the sample's number.
func nextToken(q *sequence) int32 {
	h := int32(q.sample + 1)
	for _, t := range q.tokens {
		h = h*31 + t
	}
	return h & 0xff
}

// run steps the scheduler as Engine.Step does and returns each step's description.
func run(t *testing.T, s *scheduler, steps int) (story []string, done []*request) {
	t.Helper()
	for range steps {
		if s.idle() {
			return story, done
		}
		step := s.plan()
		if len(step) == 0 {
			t.Fatalf("nothing can run: %d wait, %d pages free", len(s.waiting), s.pages.available())
		}
		story = append(story, describe(step))
		for _, w := range step {
			if got := len(w.seq.pages); got < s.pages.count(w.start+w.n) {
				t.Fatalf("%s: %d pages held", describe([]work{w}), got)
			}
		}
		s.computed(step)
		var owners []*sequence
		for _, w := range step {
			switch {
			case !w.sample:
			case w.seq.sample >= 0:
				owners = append(owners, w.seq)
			default:
				s.fork(w.seq)
				owners = append(owners, w.seq.req.samples...)
			}
		}
		for _, q := range owners {
			if s.sampled(q, nextToken(q), 0) {
				done = append(done, q.req)
			}
		}
	}
	return story, done
}

func newScheduler(pageCount, pageSize, maxSeqs, chunk int) *scheduler {
	return &scheduler{pages: newPages(pageCount, pageSize), maxSeqs: maxSeqs, chunk: chunk}
}

func newRequest(name string, prompt, samples, maxNew int) *request {
	r := &request{Request: Request{ProblemID: name, Samples: samples, MaxNewTokens: maxNew, Stop: []int32{-1}}}
	for i := range prompt {
		r.Prompt = append(r.Prompt, int32(i+len(name)*7))
	}
	return r
}

func TestScheduleStories(t *testing.T) {
	for _, c := range []struct {
		name     string
		sched    *scheduler
		requests []*request
		story    []string
	}{
		{
			name:     "a prompt is computed once for its group, then all samples decode",
			sched:    newScheduler(8, 4, 8, 100),
			requests: []*request{newRequest("a", 5, 2, 3)},
			story:    []string{"a[0:5)*", "a0[5:6)* a1[5:6)*", "a0[6:7)* a1[6:7)*"},
		},
		{
			name:     "a long prompt is computed in chunks while others decode",
			sched:    newScheduler(16, 4, 8, 4),
			requests: []*request{newRequest("a", 2, 1, 4), newRequest("b", 7, 1, 2)},
			story:    []string{"a[0:2)* b[0:2)", "a0[2:3)* b[2:6)", "a0[3:4)* b[6:7)*", "a0[4:5)* b0[7:8)*"},
		},
		{
			name:     "a group that does not fit the batch waits for room",
			sched:    newScheduler(16, 4, 3, 100),
			requests: []*request{newRequest("a", 2, 2, 2), newRequest("b", 2, 2, 1)},
			story:    []string{"a[0:2)*", "a0[2:3)* a1[2:3)*", "b[0:2)*"},
		},
		{
			name:     "without a free page the youngest gives way and is computed again",
			sched:    newScheduler(3, 2, 8, 100),
			requests: []*request{newRequest("a", 2, 1, 4), newRequest("b", 1, 1, 4)},
			// a takes its second page for its third token and then b cannot have its own second one.
			story: []string{"a[0:2)* b[0:1)*", "a0[2:3)* b0[1:2)*", "a0[3:4)*", "a0[4:5)*", "b0[0:3)*", "b0[3:4)*"},
		},
		{
			name:     "samples without a page for the fork's last, partly filled page are computed again",
			sched:    newScheduler(2, 4, 8, 100),
			requests: []*request{newRequest("a", 3, 3, 2)},
			story:    []string{"a[0:3)*", "a0[3:4)* a1[3:4)*", "a2[0:4)*"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range c.requests {
				c.sched.add(r)
			}
			story, done := run(t, c.sched, 100)
			if !slices.Equal(story, c.story) {
				t.Errorf("story\n  %s\nwant\n  %s", strings.Join(story, "\n  "), strings.Join(c.story, "\n  "))
			}
			if len(done) != len(c.requests) || c.sched.pages.available() != len(c.sched.pages.holders) {
				t.Errorf("%d of %d requests done, %d of %d pages free", len(done), len(c.requests), c.sched.pages.available(), len(c.sched.pages.holders))
			}
		})
	}
}

// Whatever the sizes, every request ends with the tokens that it would have alone.
func TestScheduleChangesNoToken(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	preempted := 0
	for range 300 {
		size := 1 + rng.IntN(5)
		var requests []*request
		longest := 0
		for i := range 1 + rng.IntN(6) {
			r := newRequest(strings.Repeat("r", i+1), 1+rng.IntN(12), 1+rng.IntN(4), 1+rng.IntN(9))
			longest = max(longest, len(r.Prompt)+r.MaxNewTokens)
			requests = append(requests, r)
		}
		s := newScheduler((longest+size-1)/size+rng.IntN(6), size, 1+rng.IntN(8), 1+rng.IntN(10))
		for _, r := range requests {
			s.add(r)
		}
		_, done := run(t, s, 10000)
		if len(done) != len(requests) {
			t.Fatalf("%d of %d requests done", len(done), len(requests))
		}
		if s.pages.available() != len(s.pages.holders) {
			t.Fatalf("%d of %d pages free at the end", s.pages.available(), len(s.pages.holders))
		}
		preempted += s.preemptions
		for _, r := range requests {
			for i, q := range r.samples {
				want := &sequence{sample: i, tokens: slices.Clone(r.Prompt)}
				for range r.MaxNewTokens {
					want.tokens = append(want.tokens, nextToken(want))
				}
				if !slices.Equal(q.tokens, want.tokens) {
					t.Fatalf("request %s sample %d: tokens %v, alone %v", r.ProblemID, i, q.tokens, want.tokens)
				}
			}
		}
	}
	if preempted == 0 {
		t.Error("no sequence was ever preempted: the test is too easy")
	}
}
