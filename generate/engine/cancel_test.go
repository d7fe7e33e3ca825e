package engine

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestEachUnderPressure ends completions at random places where pages are short: samples that wait for a page,
// that have lost theirs, or whose neighbours have ended. What goes on must be what it is without them, and every page free in
// the end.
func TestEachUnderPressure(t *testing.T) {
	m := newModel(t)
	rng := rand.New(rand.NewPCG(11, 12))
	preempted := 0
	for range 15 {
		requests := randomRequests(rng, 6)
		want, _ := generate(t, m, Options{MaxSequences: 32, CacheTokens: 32 * 256}, requests...)
		longest := 0
		cuts := map[string][]int{}
		for i := range requests {
			r := &requests[i]
			longest = max(longest, len(r.Prompt)+r.MaxNewTokens)
			told := make([]int, r.Samples)
			for range r.Samples {
				cuts[r.ProblemID] = append(cuts[r.ProblemID], 1+rng.IntN(45))
			}
			cut := cuts[r.ProblemID]
			r.Each = func(k Token) bool {
				told[k.Sample]++
				return told[k.Sample] < cut[k.Sample]
			}
		}
		e, err := New(m, Options{MaxSequences: 12, CacheTokens: (longest + 63) / 32 * 32, PrefillChunk: 1 + rng.IntN(40)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range requests {
			if err := e.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		finished := 0
		for !e.Idle() {
			results, err := e.Step()
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				finished++
				for i, c := range r.Completions {
					w := want[r.Request.ProblemID].Completions[i]
					n := min(cuts[r.Request.ProblemID][i], len(w.Tokens))
					if !slices.Equal(c.Tokens, w.Tokens[:n]) || !slices.Equal(c.LogProbs, w.LogProbs[:n]) {
						t.Fatalf("%s sample %d: %v, want %v", r.Request.ProblemID, i, c.Tokens, w.Tokens[:n])
					}
				}
			}
		}
		if free, all := e.sched.pages.available(), len(e.sched.pages.holders); finished != len(requests) || free != all {
			t.Fatalf("%d of %d requests finished, %d of %d pages are free", finished, len(requests), free, all)
		}
		preempted += e.Stats().Preemptions
		e.Close()
	}
	if preempted == 0 {
		t.Error("there were pages enough")
	}
}
