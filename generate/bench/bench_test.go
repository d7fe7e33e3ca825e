package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"openrs/stages"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/model"
	"openrs/stages/roofline"
)

// command runs `generate bench` and returns its output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := stages.App("generate", "", "", nil, nil, stages.Command("generate bench", "", Flags(), Run))
	app.Writer = &out
	err := app.RunContext(context.Background(), append([]string{"generate", "bench"}, args...))
	return out.String(), err
}

func TestRun(t *testing.T) {
	out, err := command(t, "--model", "shape:tiny", "--batch", "1,3", "--prompt-tokens", "5", "--new-tokens", "4", "--threads", "2")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want one for each batch size:\n%s", len(lines), out)
	}
	for i, batch := range []float64{1, 3} {
		var got map[string]any
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]any{
			"model": "shape:tiny", "dtype": "f32", "threads": 2.0, "batch": batch, "prompt_tokens": 5.0, "new_tokens": 4.0,
			// The embedding, two blocks (q, k and v with bias; o; gate and up; down; two norms) and a norm.
			"weight_bytes": 4 * (288*128 + 2*(128*256+256+128*128+3*128*256+2*128) + 128.0),
		} {
			if got[key] != want {
				t.Errorf("line %d: %s is %v, want %v", i, key, got[key], want)
			}
		}
		for _, key := range []string{
			"tokens_per_second", "prefill_tokens_per_second", "memory_gb_per_second", "memory_limit_gb_per_second",
			"gflops", "prefill_gflops", "gflops_limit", "roofline_tokens_per_second",
		} {
			if v, _ := got[key].(float64); !(v > 0) || math.IsInf(v, 0) {
				t.Errorf("line %d: %s is %v, want a positive number", i, key, got[key])
			}
		}
		if name, _ := got["device"].(string); !strings.Contains(name, "2 threads") {
			t.Errorf("line %d: device %q", i, name)
		}
		weights, cache := got["weight_memory_bytes"].(float64), got["cache_bytes"].(float64)
		// Of each position two layers keep keys and values of two heads; all sequences end on one page.
		if want := 32 * (batch + 1) * 2 * 2 * 2 * 32 * 4; weights != got["weight_bytes"] || cache != want {
			t.Errorf("line %d: %v bytes of weights and %v of cache, want %v and %v", i, weights, cache, got["weight_bytes"], want)
		}
		planned, peak := got["planned_memory_bytes"].(float64), got["peak_memory_bytes"].(float64)
		if planned <= weights+cache || runtime.GOOS == "linux" && peak < planned {
			t.Errorf("line %d: %v bytes planned, %v taken", i, planned, peak)
		}
		if len(got) != 20 {
			t.Errorf("line %d has %d keys, want 20: %s", i, len(got), lines[i])
		}
	}
}

func TestRunBF16(t *testing.T) {
	out, err := command(t, "--model", "shape:tiny", "--batch", "2", "--prompt-tokens", "5", "--new-tokens", "2", "--dtype", "bf16")
	if err != nil {
		t.Fatal(err)
	}
	var got Result
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	// Two bytes for an entry of a matrix, four for one of a vector.
	if want := int64(2*(288*128+2*(128*256+128*128+3*128*256)) + 4*(2*(256+2*128)+128)); got.DType != "bf16" || got.WeightBytes != want {
		t.Errorf("%s, %d bytes of weights, want bf16, %d", got.DType, got.WeightBytes, want)
	}
	if !(got.TokensPerSecond > 0) || !(got.GFLOPS > 0) || !(got.Limits.GFLOPS > 0) {
		t.Errorf("a rate is not positive: %s", out)
	}
}

func TestRunErrors(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"", "expected --model"},
		{"--model shape:none", "unknown shape"},
		{"--model shape:tiny --batch 0", "--batch is 0"},
		{"--model shape:tiny --batch 1,-2", "--batch is -2"},
		{"--model shape:tiny --prompt-tokens 0", "--prompt-tokens is 0"},
		{"--model shape:tiny --new-tokens 0", "--new-tokens is 0"},
		{"--model shape:tiny --prefill-chunk -1", "--prefill-chunk is -1"},
		{"--model shape:tiny --prompt-tokens 1000", "positions, the model has 1024"},
		{"--model shape:tiny --device none", "expected cpu"},
		{"--model shape:tiny --dtype f64", `--dtype: data type "f64": expected f32 or bf16`},
	} {
		out, err := command(t, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.err) || out != "" {
			t.Errorf("%q: error %v, output %q, want an error with %q alone", c.args, err, out, c.err)
		}
	}
}

func newModel(t *testing.T) *model.Model {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	m, err := model.New(dev, checkpoint.Config{
		Architecture: "llama", Hidden: 16, Layers: 1, Heads: 2, KVHeads: 1, HeadDim: 8, FFN: 24, Vocab: 40,
		MaxPositions: 256, RopeTheta: 1e4, RMSEps: 1e-6,
	}, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if err := m.Init(1); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestMeasure checks, for batches that take one step or many to start, that only whole steps count: the
// keys that are attended to follow from the lengths.
func TestMeasure(t *testing.T) {
	m := newModel(t)
	for _, c := range []struct {
		opt  Options
		keys float64 // exact where all sequences start in one step, 0 otherwise
	}{
		// Three tokens are sampled before the first timed step: with the prompt, and two to warm up.
		{Options{Batch: 1, PromptTokens: 1, NewTokens: 1}, 1 + 3},
		{Options{Batch: 1, PromptTokens: 40, NewTokens: 5}, 40 + 3 + 2},
		{Options{Batch: 4, PromptTokens: 6, NewTokens: 4}, 4 * (6 + 3 + 1.5)},
		{Options{Batch: 4, PromptTokens: 6, NewTokens: 4, PrefillChunk: 24}, 4 * (6 + 3 + 1.5)},
		{Options{Batch: 9, PromptTokens: 32, NewTokens: 3, PrefillChunk: 40}, 0},
		{Options{Batch: 5, PromptTokens: 7, NewTokens: 33, PrefillChunk: 1}, 0},
		{Options{Batch: 70, PromptTokens: 1, NewTokens: 2, PrefillChunk: 1}, 0},
	} {
		got, err := Measure(context.Background(), m, c.opt)
		if err != nil {
			t.Errorf("%+v: %v", c.opt, err)
			continue
		}
		if got.Prefill <= 0 || got.Decode <= 0 {
			t.Errorf("%+v: %+v", c.opt, got)
		}
		low := float64(c.opt.Batch*(c.opt.PromptTokens+3)) + float64(c.opt.Batch*(c.opt.NewTokens-1))/2
		high := float64(c.opt.Batch * c.opt.length())
		if c.keys > 0 {
			low, high = c.keys, c.keys
		}
		if got.Keys < low || got.Keys > high {
			t.Errorf("%+v: %g keys a step, want %g to %g", c.opt, got.Keys, low, high)
		}
	}
	if _, err := Measure(context.Background(), m, Options{Batch: 1, PromptTokens: 300, NewTokens: 1}); err == nil {
		t.Error("no error for a prompt beyond the context")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Measure(ctx, m, Options{Batch: 1, PromptTokens: 3, NewTokens: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestPrompts(t *testing.T) {
	opt := Options{Batch: 6, PromptTokens: 20, Seed: 3}
	a, b := prompts(opt, 50), prompts(opt, 50)
	for i := range a {
		if len(a[i]) != 20 || slices.Min(a[i]) < 0 || slices.Max(a[i]) >= 50 || !slices.Equal(a[i], b[i]) {
			t.Fatalf("prompt %d is %v and %v", i, a[i], b[i])
		}
		for j := range i {
			if slices.Equal(a[i], a[j]) {
				t.Errorf("prompts %d and %d are equal", i, j)
			}
		}
	}
}

func TestRates(t *testing.T) {
	cfg := checkpoint.Config{Hidden: 10, Layers: 2, Heads: 1, KVHeads: 1, HeadDim: 10, FFN: 20, Vocab: 100}
	cost := roofline.NewCost(cfg, device.F32)
	// A block has 4·10·10 + 3·10·20 weights; with the head 3,000 in all, and 50 of norms.
	r := Measurement{Prefill: 2 * time.Second, Decode: time.Second / 4, Keys: 60}.rates(cost, Options{Batch: 5, PromptTokens: 8, NewTokens: 3},
		roofline.Limits{GFLOPS: 1, Memory: 2})
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9*want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	near("tokens per second", r.TokensPerSecond, 20)
	near("prefill tokens per second", r.PrefillTokensPerSecond, 20)
	near("weight bytes", float64(r.WeightBytes), 4*3050)
	near("memory", r.Memory, 4*(4*3050+60*4*2*2*10)/1e9)
	near("roofline", r.Roofline, 5/max((2*5*3000+4*2*10*60)/1e9, (4*3050+60*4*2*2*10)/2e9))
	near("decode", r.GFLOPS, 4*(2*5*3000+4*2*10*60)/1e9)
	near("prefill", r.PrefillGFLOPS, (2*(40*2000+5*1000)+4*2*10*5*36)/2/1e9)
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		times []time.Duration
		want  time.Duration
	}{{[]time.Duration{7}, 7}, {[]time.Duration{9, 1}, 5}, {[]time.Duration{5, 100, 3}, 5}, {[]time.Duration{0}, 1}} {
		if got := median(c.times); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.times, got, c.want)
		}
	}
}
