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
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
	"openrs/update/optim"
	"openrs/update/steps"
	"openrs/update/train"
)

// command runs `update bench` and returns its output.
func command(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := stages.App("update", "", "", nil, nil, stages.Command("update bench", "", Flags(), Run))
	app.Writer = &out
	err := app.RunContext(context.Background(), append([]string{"update", "bench"}, args...))
	return out.String(), err
}

func TestRun(t *testing.T) {
	for _, c := range []struct {
		args string
		want map[string]any
	}{
		{"--sequences 2 --tokens 6", map[string]any{"prompt_tokens": 1.0, "group_size": 1.0, "rows": 10.0, "recompute": false}},
		{"--sequences 4 --tokens 9 --prompt-tokens 5 --group-size 2 --recompute --token-budget 12",
			map[string]any{"prompt_tokens": 5.0, "group_size": 2.0, "rows": 2*5 + 4*3.0, "recompute": true}},
		{"--sequences 2 --tokens 6 --dtype bf16 --warmup 0", map[string]any{"rows": 10.0, "dtype": "bf16"}},
		{"--sequences 2 --tokens 6 --lora-rank 4 --lora-dropout 0.1", map[string]any{"rows": 10.0, "lora_rank": 4.0, "trained_parameters": 16384.0}},
		{"--sequences 4 --tokens 6 --device cpu:0-1 --threads 4", map[string]any{"rows": 20.0, "devices": 2.0, "threads": 4.0}},
	} {
		out, err := command(t, strings.Fields("--model shape:tiny --threads 2 --iterations 2 "+c.args)...)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatal(err)
		}
		c.want["model"], c.want["iterations"] = "shape:tiny", 2.0
		for key, usual := range map[string]any{"dtype": "f32", "devices": 1.0, "threads": 2.0} {
			if c.want[key] == nil {
				c.want[key] = usual
			}
		}
		for key, want := range c.want {
			if got[key] != want {
				t.Errorf("%s: %s is %v, want %v", c.args, key, got[key], want)
			}
		}
		for _, key := range []string{
			"sequences", "tokens", "tokens_per_second", "completion_tokens_per_second", "gflops", "mfu", "gflops_limit", "memory_limit_gb_per_second",
			"planned_memory_bytes",
		} {
			if v, _ := got[key].(float64); !(v > 0) || math.IsInf(v, 0) {
				t.Errorf("%s: %s is %v, want a positive number", c.args, key, got[key])
			}
		}
		if peak, _ := got["peak_memory_bytes"].(float64); runtime.GOOS == "linux" && (peak < 1<<20 || peak > 1<<40) {
			t.Errorf("%s: peak_memory_bytes is %v", c.args, got["peak_memory_bytes"])
		}
		if name, _ := got["device"].(string); !strings.Contains(name, "2 threads") {
			t.Errorf("%s: device %q", c.args, name)
		}
	}
}

func TestRunErrors(t *testing.T) {
	for _, c := range []struct{ args, err string }{
		{"", "expected --model"},
		{"--model shape:tiny --sequences 0", "--sequences is 0"},
		{"--model shape:tiny --tokens 0", "--tokens is 0"},
		{"--model shape:tiny --prompt-tokens 0", "--prompt-tokens is 0"},
		{"--model shape:tiny --iterations 0", "--iterations is 0"},
		{"--model shape:tiny --warmup -1", "--warmup is -1"},
		{"--model shape:tiny --group-size 0", "--group-size is 0"},
		{"--model shape:tiny --group-size 3 --sequences 4", "multiple of --group-size 3"},
		{"--model shape:tiny --tokens 8 --prompt-tokens 8", "less than --tokens 8"},
		{"--model shape:tiny --tokens 1025", "the model has 1024 positions"},
		{"--model shape:tiny --token-budget 0", "token budget is 0"},
		{"--model shape:tiny --lora-dropout 0.1", "expected --lora-rank"},
		{"--model shape:tiny --dtype int8", `--dtype: data type "int8": expected f32 or bf16`},
	} {
		out, err := command(t, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.err) || out != "" {
			t.Errorf("%q: error %v, output %q, want an error with %q alone", c.args, err, out, c.err)
		}
	}
}

// TestRows compares rows and keys with what the model packs.
func TestRows(t *testing.T) {
	for _, opt := range []Options{
		{Sequences: 1, Tokens: 2, PromptTokens: 1, GroupSize: 1},
		{Sequences: 3, Tokens: 9, PromptTokens: 4, GroupSize: 1},
		{Sequences: 6, Tokens: 9, PromptTokens: 8, GroupSize: 3},
		{Sequences: 8, Tokens: 40, PromptTokens: 33, GroupSize: 4},
	} {
		var groups []model.Group
		var pieces []model.Piece
		for i, g := range randomGroups(opt, 50) {
			in := model.Group{Prompt: g.Rows[0].PromptIDs}
			for _, r := range g.Rows {
				in.Completions = append(in.Completions, r.CompletionIDs)
			}
			groups, pieces = append(groups, in), append(pieces, model.Piece{Group: i, To: len(in.Completions)})
		}
		p, err := model.Pack(groups, pieces)
		if err != nil {
			t.Fatal(err)
		}
		var keys int64
		for _, s := range p.Segments {
			keys += roofline.Causal(s.PrefixLen, s.Len)
		}
		if opt.rows() != len(p.IDs) || opt.keys() != keys || opt.Sequences*opt.completion() != len(p.Targets) {
			t.Errorf("%+v: %d rows, %d keys; packed %d, %d", opt, opt.rows(), opt.keys(), len(p.IDs), keys)
		}
	}
}

func TestRandomGroups(t *testing.T) {
	opt := Options{Sequences: 6, Tokens: 20, PromptTokens: 8, GroupSize: 3, Seed: 2}
	groups := randomGroups(opt, 50)
	if len(groups) != 2 || slices.Equal(groups[0].Rows[0].PromptIDs, groups[1].Rows[0].PromptIDs) {
		t.Fatalf("%d groups, or equal prompts", len(groups))
	}
	var sum float32
	for _, g := range groups {
		if len(g.Rows) != 3 {
			t.Fatalf("group %s has %d rows", g.ID, len(g.Rows))
		}
		for _, r := range g.Rows {
			sum += r.Advantage
			if len(r.PromptIDs) != 8 || len(r.CompletionIDs) != 12 || r.Advantage == 0 || slices.Max(r.CompletionIDs) >= 50 {
				t.Errorf("row %+v", r)
			}
		}
	}
	if sum != 0 {
		t.Errorf("advantages add up to %g", sum)
	}
	if again := randomGroups(opt, 50); !slices.EqualFunc(groups, again, func(a, b steps.Group) bool {
		return slices.Equal(a.Rows[2].CompletionIDs, b.Rows[2].CompletionIDs)
	}) {
		t.Error("the same seed made other tokens")
	}
}

// TestMeasure checks that the weights really change in every step, and that a canceled context ends it.
func TestMeasure(t *testing.T) {
	source, err := pretrained.Open("shape:tiny", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	settings := optim.Default()
	settings.LR = 1e-6
	trainer, err := train.New([]device.Device{dev}, source, train.Options{Optimizer: settings, TokenBudget: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	opt := Options{Sequences: 2, Tokens: 7, PromptTokens: 3, GroupSize: 2, Iterations: 3, Warmup: 1}
	if d, err := measure(context.Background(), trainer, opt, source.Config.Vocab); err != nil || d <= 0 {
		t.Fatalf("%v, %v", d, err)
	}
	if n := trainer.Updates(); n != 4 {
		t.Errorf("%d updates, want 3 and one to warm up", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := measure(ctx, trainer, opt, source.Config.Vocab); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestRates(t *testing.T) {
	cfg := checkpoint.Config{Hidden: 10, Layers: 2, Heads: 1, KVHeads: 1, HeadDim: 10, FFN: 20, Vocab: 100}
	opt := Options{Sequences: 4, Tokens: 8, PromptTokens: 5, GroupSize: 2}
	// Two prompts of 5 rows and four completions of 2; 15 keys a prompt, 6 + 7 a completion.
	r := opt.rates(roofline.NewCost(cfg, device.F32), 0, time.Second/2)
	if r.Rows != 18 || r.TokensPerSecond != 36 || r.CompletionTokensPerSecond != 24 {
		t.Errorf("%+v", r)
	}
	// Weights that are not trained take no gradients; adapters of 50 parameters do.
	lora := opt.rates(roofline.NewCost(cfg, device.F32), 50, time.Second/2)
	if want := (2*2*(18*2000+12*1000) + 3*4*2*10*(2*15+4*13.0) + 6*50*18) / 0.5 / 1e9; math.Abs(lora.GFLOPS-want) > 1e-9*want {
		t.Errorf("%v GFLOP/s with adapters, want %v", lora.GFLOPS, want)
	}
	// A block has 1,000 weights, the head too.
	want := 3 * (2*(18*2000+12*1000) + 4*2*10*(2*15+4*13.0)) / 0.5 / 1e9
	if math.Abs(r.GFLOPS-want) > 1e-9*want {
		t.Errorf("%v GFLOP/s, want %v", r.GFLOPS, want)
	}
}
