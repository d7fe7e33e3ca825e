package engine

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
)

func newModel(t *testing.T) *model.Model {
	return newModelOn(t, testdevice.Open(t, 0, 2, device.F32), device.F32)
}

// newModelOn is a model with matrices of dtype.
func newModelOn(t *testing.T, dev device.Device, dtype device.DType) *model.Model {
	t.Helper()
	m, err := model.New(dev, checkpoint.Config{
		Architecture: "qwen2", QKVBias: true, TieEmbeddings: true,
		Hidden: 48, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 16, FFN: 80, Vocab: 101,
		MaxPositions: 256, RopeTheta: 1e4, RMSEps: 1e-6,
	}, model.Options{DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Init(7); err != nil {
		t.Fatal(err)
	}
	return m
}

// generate runs requests to their end and returns the results by problem.
func generate(t *testing.T, m *model.Model, opt Options, requests ...Request) (map[string]Result, Stats) {
	t.Helper()
	e, err := New(m, opt)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := map[string]Result{}
	for _, r := range requests {
		if err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	for !e.Idle() {
		results, err := e.Step()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			out[r.Request.ProblemID] = r
		}
	}
	if len(out) != len(requests) {
		t.Fatalf("%d of %d requests finished", len(out), len(requests))
	}
	return out, e.Stats()
}

func randomRequests(rng *rand.Rand, n int) []Request {
	var out []Request
	for i := range n {
		r := Request{
			ProblemID: fmt.Sprint("p", i), Seed: 3, Samples: 1 + rng.IntN(5), MaxNewTokens: 1 + rng.IntN(40),
			Temperature: []float32{0, 0.7, 1, 1.3}[rng.IntN(4)], Stop: []int32{5, 17},
		}
		for range 1 + rng.IntN(70) {
			r.Prompt = append(r.Prompt, rng.Int32N(101))
		}
		switch rng.IntN(4) {
		case 0:
			r.TopK = 1 + rng.IntN(20)
		case 1:
			r.TopP = 0.9
		case 2:
			r.MinP = 0.05
		}
		out = append(out, r)
	}
	return out
}

func equal(a, b Result) bool {
	return slices.EqualFunc(a.Completions, b.Completions, func(x, y Completion) bool {
		return x.FinishReason == y.FinishReason && slices.Equal(x.Tokens, y.Tokens) &&
			slices.EqualFunc(x.LogProbs, y.LogProbs, func(p, q float32) bool { return math.Float32bits(p) == math.Float32bits(q) })
	})
}

// Whatever else is in the batch, however the prompt is cut, whatever the pages: the same tokens and
// the same bits. And the recorded log-probabilities are those that training computes.
func TestCompletionsDependOnNothingElse(t *testing.T) {
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		t.Run(dtype.String(), func(t *testing.T) {
			testdevice.Set{Best: dtype == device.F32, DType: dtype}.Each(t, func(t *testing.T, dev device.Device) {
				completionsDependOnNothingElse(t, newModelOn(t, dev, dtype))
			})
		})
	}
}

func completionsDependOnNothingElse(t *testing.T, m *model.Model) {
	rng := rand.New(rand.NewPCG(5, 6))
	requests := randomRequests(rng, 12)
	together, _ := generate(t, m, Options{}, requests...)
	alone := map[string]Result{}
	for _, r := range requests {
		one, _ := generate(t, m, Options{MaxSequences: 1}, r)
		alone[r.ProblemID] = one[r.ProblemID]
	}
	ends := map[string]int{}
	preempted := 0
	for name, got := range map[string]func() (map[string]Result, Stats){
		"alone": func() (map[string]Result, Stats) { return alone, Stats{} },
		"small chunks": func() (map[string]Result, Stats) {
			return generate(t, m, Options{MaxSequences: 5, PrefillChunk: 7}, requests...)
		},
		"large pages": func() (map[string]Result, Stats) {
			return generate(t, m, Options{PageSize: 4 * device.KeyBlock}, requests...)
		},
		"a cache that is too small": func() (map[string]Result, Stats) {
			return generate(t, m, Options{MaxSequences: 16, CacheTokens: 128, PrefillChunk: 50}, requests...)
		},
		"another order": func() (map[string]Result, Stats) {
			other := slices.Clone(requests)
			slices.Reverse(other)
			return generate(t, m, Options{MaxSequences: 6}, other...)
		},
	} {
		results, stats := got()
		preempted += stats.Preemptions
		for id, want := range together {
			if !equal(results[id], want) {
				t.Errorf("%s: %s differs", name, id)
			}
		}
	}
	if preempted == 0 {
		t.Error("no sequence was preempted: the test is too easy")
	}
	for _, r := range requests {
		group := model.Group{Prompt: r.Prompt, Temperature: max(r.Temperature, 0)}
		if r.Temperature == 0 {
			group.Temperature = 1
		}
		var recorded []float32
		for i, c := range together[r.ProblemID].Completions {
			ends[c.FinishReason]++
			if c.FinishReason == FinishStop != slices.Contains(r.Stop, c.Tokens[len(c.Tokens)-1]) {
				t.Errorf("%s sample %d: finish reason %s, last token %d", r.ProblemID, i, c.FinishReason, c.Tokens[len(c.Tokens)-1])
			}
			group.Completions = append(group.Completions, c.Tokens)
			recorded = append(recorded, c.LogProbs...)
		}
		packed, err := model.Pack([]model.Group{group}, model.Whole([]model.Group{group}))
		if err != nil {
			t.Fatal(err)
		}
		computed, _, err := m.LogProbs(packed)
		if err != nil {
			t.Fatal(err)
		}
		for i := range computed {
			if math.Float32bits(computed[i]) != math.Float32bits(recorded[i]) {
				t.Fatalf("%s: log-probability %d recorded as %v, computed as %v", r.ProblemID, i, recorded[i], computed[i])
			}
		}
	}
	if ends[FinishStop] == 0 || ends[FinishLength] == 0 {
		t.Errorf("finish reasons %v: the test is too easy", ends)
	}
}

func TestSamplesDiffer(t *testing.T) {
	m := newModel(t)
	r := Request{ProblemID: "p", Prompt: []int32{1, 2, 3}, Samples: 4, MaxNewTokens: 20, Temperature: 1}
	first, _ := generate(t, m, Options{}, r)
	for i, c := range first["p"].Completions {
		for j, d := range first["p"].Completions[:i] {
			if slices.Equal(c.Tokens, d.Tokens) {
				t.Errorf("samples %d and %d are the same", i, j)
			}
		}
	}
	// Sample 2 alone is sample 2 of the group; another seed or problem is another text.
	r.Samples, r.FirstSample = 1, 2
	one, _ := generate(t, m, Options{}, r)
	if !slices.Equal(one["p"].Completions[0].Tokens, first["p"].Completions[2].Tokens) {
		t.Error("sample 2 alone differs from sample 2 of the group")
	}
	r.Seed = 1
	other, _ := generate(t, m, Options{}, r)
	if slices.Equal(other["p"].Completions[0].Tokens, one["p"].Completions[0].Tokens) {
		t.Error("another seed gives the same text")
	}
}

func TestAddRefuses(t *testing.T) {
	m := newModel(t)
	e, err := New(m, Options{MaxSequences: 2, CacheTokens: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ok := Request{ProblemID: "p", Prompt: []int32{1}, Samples: 1, MaxNewTokens: 1}
	for _, c := range []struct {
		name   string
		change func(*Request)
		err    string
	}{
		{"empty prompt", func(r *Request) { r.Prompt = nil }, "empty prompt"},
		{"prompt of the whole context", func(r *Request) { r.Prompt = make([]int32, 256) }, "prompt too long"},
		{"outgrows the cache", func(r *Request) { r.MaxNewTokens = 100 }, "outgrow the cache of 64"},
		{"no samples", func(r *Request) { r.Samples = 0 }, "0 samples"},
		{"no tokens", func(r *Request) { r.MaxNewTokens = 0 }, "at most 0 tokens"},
		{"token beyond the vocabulary", func(r *Request) { r.Prompt = []int32{1, 101} }, "prompt token 1 is 101"},
		{"negative temperature", func(r *Request) { r.Temperature = -1 }, "temperature -1"},
	} {
		r := ok
		c.change(&r)
		if err := e.Add(r); err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
	if err := e.Add(Request{ProblemID: "p", Prompt: make([]int32, 300), Samples: 1, MaxNewTokens: 1}); !errors.Is(err, ErrPromptTooLong) {
		t.Errorf("a long prompt: %v, want ErrPromptTooLong", err)
	}
	if err := e.Add(ok); err != nil {
		t.Error(err)
	}
	for _, opt := range []Options{{PageSize: 33}, {MaxSequences: -1}, {CacheTokens: 8}} {
		if _, err := New(m, opt); err == nil {
			t.Errorf("options %+v: no error", opt)
		}
	}
}
