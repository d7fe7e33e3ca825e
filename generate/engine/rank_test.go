package engine

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRank(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		logits := make([]float32, 1+r.IntN(50))
		for i := range logits {
			logits[i] = float32(r.IntN(9)) - 4 // with ties
		}
		temperature := []float32{0, 0.5, 1, 2}[r.IntN(4)]
		n := r.IntN(len(logits) + 3)
		got := Rank(logits, temperature, n)

		if temperature == 0 {
			temperature = 1
		}
		sum := 0.0
		ids := make([]int32, len(logits))
		for i, z := range logits {
			sum += math.Exp(float64(z / temperature))
			ids[i] = int32(i)
		}
		slices.SortStableFunc(ids, func(a, b int32) int { return int(logits[b]) - int(logits[a]) })
		if len(got) != min(n, len(logits)) {
			t.Fatalf("%d of %d", len(got), n)
		}
		for i, g := range got {
			want := float64(logits[ids[i]]/temperature) - math.Log(sum)
			if g.ID != ids[i] || math.Abs(float64(g.LogProb)-want) > 1e-6*(1+math.Abs(want)) {
				t.Fatalf("%v at %v: place %d is %+v, want %d with %v", logits, temperature, i, g, ids[i], want)
			}
		}
	}
}

// TestEach checks that a request is told of every token, and that a completion ends where it is told to
// while its neighbours go on as if nothing had happened.
func TestEach(t *testing.T) {
	m := newModel(t)
	request := Request{ProblemID: "p", Prompt: []int32{3, 1, 4, 1, 5}, Samples: 3, MaxNewTokens: 30, Temperature: 1, Seed: 9, Stop: []int32{5, 17}}
	want, _ := generate(t, m, Options{MaxSequences: 8, CacheTokens: 512}, request)

	told := make([][]Token, 3)
	cut := len(want["p"].Completions[1].Tokens) / 2
	request.TopLogProbs = 2
	request.Each = func(k Token) bool {
		told[k.Sample] = append(told[k.Sample], k)
		return k.Sample != 1 || len(told[1]) < cut
	}
	got, stats := generate(t, m, Options{MaxSequences: 8, CacheTokens: 512}, request)
	if stats.SampledTokens == 0 || cut < 2 {
		t.Fatalf("sampled %d tokens, cut at %d", stats.SampledTokens, cut)
	}
	for i, c := range got["p"].Completions {
		w := want["p"].Completions[i]
		if i == 1 {
			w.Tokens, w.LogProbs, w.FinishReason = w.Tokens[:cut], w.LogProbs[:cut], FinishStop
		}
		if !slices.Equal(c.Tokens, w.Tokens) || !slices.Equal(c.LogProbs, w.LogProbs) || c.FinishReason != w.FinishReason {
			t.Errorf("sample %d: %v (%s), want %v (%s)", i, c.Tokens, c.FinishReason, w.Tokens, w.FinishReason)
		}
		if len(told[i]) != len(c.Tokens) {
			t.Fatalf("sample %d: told of %d tokens of %d", i, len(told[i]), len(c.Tokens))
		}
		for k, tok := range told[i] {
			last := k == len(told[i])-1
			if tok.ID != c.Tokens[k] || tok.LogProb != c.LogProbs[k] || len(tok.Top) != 2 || (tok.Finish != "") != (last && i != 1) {
				t.Errorf("sample %d token %d: told %+v", i, k, tok)
			}
			for _, r := range tok.Top {
				if r.ID == tok.ID && math.Abs(float64(r.LogProb-tok.LogProb)) > 1e-5 {
					t.Errorf("sample %d token %d: ranked at %v, sampled at %v", i, k, r.LogProb, tok.LogProb)
				}
			}
		}
	}
}
