package serve

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestStopper cuts random texts into random pieces: whatever the cut, the text before the first stop
// string comes out, and nothing comes later than it must.
func TestStopper(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteByte("aab"[r.IntN(3)])
		}
		return b.String()
	}
	for range 20_000 {
		text := word(r.IntN(12))
		s := stopper{}
		for range r.IntN(3) {
			s.stops = append(s.stops, word(1+r.IntN(4)))
		}
		want, hits := text, false
		for end := 1; end <= len(text) && !hits; end++ {
			for _, stop := range s.stops {
				if before, ok := strings.CutSuffix(text[:end], stop); ok && len(before) < len(want) {
					want, hits = before, true
				}
			}
		}
		got, hit := "", false
		for rest := text; rest != "" && !hit; {
			n := 1 + r.IntN(len(rest))
			var out string
			out, hit = s.next(rest[:n])
			got += out
			rest = rest[n:]
			longest := 1
			for _, stop := range s.stops {
				longest = max(longest, len(stop))
			}
			if len(s.pending) >= longest {
				t.Fatalf("%q held back with stops %q", s.pending, s.stops)
			}
		}
		if !hit {
			got += s.rest()
		}
		if got != want || hit != hits {
			t.Fatalf("%q with stops %q: %q, %v, want %q, %v", text, s.stops, got, hit, want, hits)
		}
	}
}

func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"messages":[{"role":"user","content":"x"}]}`, `{"prompt":[[1,2],[3]],"stop":["a"]}`, `{"n":1e9}`, `null`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var chat chatRequest
		if unmarshal(text, &chat) == nil && chat.check(8) == nil {
			chat.turns()
		}
		var completion completionRequest
		if unmarshal(text, &completion) == nil && completion.check(8) == nil && completion.N != nil && (*completion.N < 1 || *completion.N > 8) {
			t.Errorf("%q: n = %d", text, *completion.N)
		}
	})
}
