package cpu

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

func TestNew(t *testing.T) {
	if _, err := New(Options{Kernels: "sse9"}); !errors.Is(err, kernel.ErrLevel) || !strings.Contains(err.Error(), "sse9") {
		t.Errorf("an unknown kernel set gives %v", err)
	}
	if _, err := New(Options{Threads: -1}); err == nil {
		t.Error("-1 threads are accepted")
	}
	t.Setenv(kernel.EnvLevel, "portable")
	for threads, want := range map[int]string{
		1: "cpu: portable, 1 thread",
		2: "cpu: portable, 2 threads",
		0: fmt.Sprintf("cpu: portable, %d threads", runtime.GOMAXPROCS(0)),
	} {
		if got := openDevice(t, "", threads).Name(); got != want && runtime.GOMAXPROCS(0) > 1 {
			t.Errorf("name %q, want %q", got, want)
		}
	}
	t.Setenv(kernel.EnvLevel, "nonsense")
	if _, err := New(Options{}); err == nil || !strings.Contains(err.Error(), kernel.EnvLevel) {
		t.Errorf("a wrong %s gives %v", kernel.EnvLevel, err)
	}
}

func TestAllocationErrors(t *testing.T) {
	d := openDevice(t, "", 1)
	for _, n := range []int{-1, 1 << 39, math.MaxInt} {
		if b, err := d.Alloc(n); err == nil {
			t.Errorf("alloc of %d values gives a buffer of %d", n, b.Len())
		}
	}
	for _, s := range [][2]int{{0, 4}, {4, -1}, {1 << 30, 1 << 30}, {math.MaxInt, math.MaxInt}, {1 << 20, 1 << 19}} {
		for _, dtype := range []device.DType{device.F32, device.BF16} {
			if _, err := d.NewWeight(s[0], s[1], dtype, true); err == nil {
				t.Errorf("a weight of %d×%d in %v is made", s[0], s[1], dtype)
			}
		}
	}
	if _, err := d.NewWeight(4, 4, device.DType(9), false); err == nil {
		t.Error("a weight of an unknown type is made")
	}
	good := device.CacheConfig{Layers: 1, KVHeads: 1, HeadDim: 8, Pages: 1, PageSize: 32}
	for _, change := range []func(*device.CacheConfig){
		func(c *device.CacheConfig) { c.Layers = 0 },
		func(c *device.CacheConfig) { c.PageSize = 48 },
		func(c *device.CacheConfig) { c.Pages = -1 },
		func(c *device.CacheConfig) { c.Pages = 1 << 40 },
		func(c *device.CacheConfig) { c.HeadDim = math.MaxInt },
		func(c *device.CacheConfig) { c.HeadDim = 1 << 34 },
	} {
		cfg := good
		change(&cfg)
		if _, err := d.NewCache(cfg); err == nil {
			t.Errorf("a cache of %+v is made", cfg)
		}
	}
	if len(d.live) != 0 {
		t.Errorf("%d failed allocations are still held", len(d.live))
	}
}

// message returns what f panics with, or "".
func message(f func()) (msg string) {
	defer func() {
		if v := recover(); v != nil {
			msg = fmt.Sprint(v)
		}
	}()
	f()
	return ""
}

func TestLifetime(t *testing.T) {
	d, other := openDevice(t, "", 1), openDevice(t, "", 1)
	l := newLab(t, d, 1)
	x, y, w := l.random(2, 4), l.empty(2, 6), l.weight(6, 4)
	c, err := d.NewCache(device.CacheConfig{Layers: 1, KVHeads: 1, HeadDim: 4, Pages: 2, PageSize: 32})
	if err != nil {
		t.Fatal(err)
	}
	gone := l.random(2, 4)
	d.Free(gone.Buf)
	for _, m := range []struct {
		what, want string
		f          func()
	}{
		{"a freed buffer", "freed", func() { d.MatMul(y, gone, w, device.Tensor{}) }},
		{"a second Free", "freed before", func() { d.Free(gone.Buf) }},
		{"a buffer of another device", "not in a buffer of this device", func() { other.Zero(x) }},
		{"no buffer", "x none", func() { d.MatMul(y, device.Tensor{}, w, device.Tensor{}) }},
		{"a weight of another device", "not a weight of this device", func() { other.Pack(w, x) }},
		{"FreeWeight of another device's", "not allocated on this device", func() { other.FreeWeight(w) }},
		{"shapes", "device: MatMul: y 2×6, x 2×6, w 6×4", func() { d.MatMul(y, y, w, device.Tensor{}) }},
	} {
		if got := message(m.f); !strings.Contains(got, m.want) {
			t.Errorf("%s: panic %q, want %q", m.what, got, m.want)
		}
	}
	d.FreeCache(c)
	if got := message(func() { d.CacheCopy(c, 0, 1) }); !strings.Contains(got, "CacheCopy") {
		t.Errorf("a freed cache: panic %q", got)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(){
		"MatMul":  func() { d.MatMul(y, x, w, device.Tensor{}) },
		"Alloc":   func() { d.Alloc(1) },
		"Sync":    func() { d.Sync() },
		"FreeBuf": func() { d.Free(x.Buf) },
	} {
		if got := message(f); !strings.Contains(got, "after Close") {
			t.Errorf("%s after Close: panic %q", name, got)
		}
	}
}

func TestSampleErrors(t *testing.T) {
	d := openDevice(t, "", 2)
	l := newLab(t, d, 1)
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	ok := device.Sampling{Temperature: 1}
	for _, c := range []struct {
		name   string
		logits []float32
		p      device.Sampling
		want   string
	}{
		{"NaN", []float32{1, nan, 0}, ok, "row 1: logit 1 is NaN"},
		{"NaN, greedy", []float32{nan, 0, 0}, device.Sampling{}, "row 1: logit 0 is NaN"},
		{"+Inf", []float32{1, 0, inf}, ok, "row 1: logit 2 is +Inf"},
		{"all -Inf", []float32{-inf, -inf, -inf}, ok, "row 1: all logits are -Inf"},
		{"temperature", []float32{1, 2, 3}, device.Sampling{Temperature: -1}, "row 1: temperature -1"},
		{"temperature NaN", []float32{1, 2, 3}, device.Sampling{Temperature: nan}, "row 1: temperature NaN"},
		{"top-k", []float32{1, 2, 3}, device.Sampling{Temperature: 1, TopK: -1}, "row 1: top-k -1"},
		{"top-p", []float32{1, 2, 3}, device.Sampling{Temperature: 1, TopP: 1.5}, "row 1: top-p 1.5"},
		{"min-p", []float32{1, 2, 3}, device.Sampling{Temperature: 1, MinP: nan}, "row 1: min-p NaN"},
		{"u", []float32{1, 2, 3}, device.Sampling{Temperature: 1, U: 1}, "row 1: u 1"},
	} {
		logits := l.of(2, 3, append([]float32{1, 2, 3}, c.logits...))
		err := d.Sample(logits, []device.Sampling{ok, c.p}, make([]int32, 2), make([]float32, 2))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
}

// TestSampleEnds: whatever U, what is drawn has been kept and can be drawn.
func TestSampleEnds(t *testing.T) {
	d := openDevice(t, "", 1)
	l := newLab(t, d, 3)
	vocab := 2*device.VocabChunk + 100
	for trial := range 60 {
		v := l.values(vocab)
		for i := range v {
			v[i] *= 3
			if i >= vocab-150 || i < 40 { // both ends can not be drawn, the whole last chunk included
				v[i] = float32(math.Inf(-1))
			}
		}
		logits := l.of(1, vocab, v)
		p := device.Sampling{Temperature: 0.7, U: []float64{0, 0.5, math.Nextafter(1, 0)}[trial%3]}
		switch trial % 4 {
		case 1:
			p.TopK = 7
		case 2:
			p.TopP = 0.3
		case 3:
			p.MinP = 0.2
		}
		ids, logp := make([]int32, 1), make([]float32, 1)
		if err := d.Sample(logits, []device.Sampling{p}, ids, logp); err != nil {
			t.Fatal(err)
		}
		x := v[ids[0]]
		higher, best := 0, float32(math.Inf(-1))
		for _, y := range v {
			if y > x {
				higher++
			}
			best = max(best, y)
		}
		switch {
		case math.IsInf(float64(x), -1), math.IsInf(float64(logp[0]), 0):
			t.Errorf("%+v drew token %d with logit %v", p, ids[0], x)
		case p.TopK > 0 && higher >= p.TopK:
			t.Errorf("%+v drew a token that %d are more probable than", p, higher)
		case p.MinP > 0 && math.Exp(float64(x-best)/0.7) < 0.2*(1-1e-5):
			t.Errorf("%+v drew a token of %v times the largest probability", p, math.Exp(float64(x-best)/0.7))
		}
	}
}

// TestGarbage: calls reuse their scratch memory.
func TestGarbage(t *testing.T) {
	d := openDevice(t, "", 2)
	l := newLab(t, d, 1)
	shape := device.AttentionShape{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.2}
	const rows, vocab, hidden = 300, 3000, 128
	x, dx, w, table := l.random(rows, hidden), l.empty(rows, hidden), l.weight(hidden, hidden), l.weight(vocab, hidden)
	dw, dtable := l.empty(hidden, hidden), l.empty(vocab, hidden)
	k, v := l.random(rows, 64), l.random(rows, 64)
	dk, dv := l.empty(rows, 64), l.empty(rows, 64)
	out, lse := l.empty(rows, hidden), l.empty(rows, 4)
	logits, sum, logp := l.random(rows, vocab), l.empty(rows, 1), l.random(rows, 1)
	targets, ids, logps := l.ids(rows, vocab), make([]int32, rows), make([]float32, rows)
	temperature, params := make([]float32, rows), make([]device.Sampling, rows)
	for i := range params {
		params[i] = device.Sampling{Temperature: 1, TopK: i % 2 * 20, U: 0.5}
	}
	segs := []device.Segment{{Len: 100}, {Row: 100, Len: 100, PrefixLen: 100}, {Row: 200, Len: 100, PrefixLen: 100}}
	norm, dnorm := l.random(1, hidden), l.empty(1, hidden)
	calls := map[string]func(){
		"MatMul":           func() { d.MatMul(dx, x, w, device.Tensor{}) },
		"MatMulBackward":   func() { d.MatMulBackward(dx, x, w, true) },
		"WeightGrad":       func() { d.WeightGrad(dw, x, x, device.F32) },
		"RMSNormBackward":  func() { d.RMSNormBackward(dx, dnorm, x, x, norm, 1e-6, true) },
		"Attention":        func() { d.Attention(out, lse, x, k, v, shape, segs) },
		"LogProbs":         func() { d.LogProbs(logp, sum, device.Tensor{}, x, table, targets, temperature) },
		"LogProbsBackward": func() { d.LogProbsBackward(dx, dtable, logp, sum, x, table, targets, temperature, true) },
		"AttentionBackward": func() {
			d.AttentionBackward(dx, dk, dv, x, out, lse, x, k, v, shape, segs)
		},
		"Sample": func() {
			if err := d.Sample(logits, params, ids, logps); err != nil {
				t.Fatal(err)
			}
		},
	}
	// A thread's scratch grows when it first gets a task, which may be late: one clean round is enough.
	for name, call := range calls {
		const rounds, n = 10, 10
		least := uint64(math.MaxUint64)
		for range rounds {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range n {
				call()
			}
			runtime.ReadMemStats(&after)
			if least = min(least, (after.TotalAlloc-before.TotalAlloc)/n); least <= 4096 {
				break
			}
		}
		if least > 4096 {
			t.Errorf("%s allocates %d bytes a call", name, least)
		}
	}
}
