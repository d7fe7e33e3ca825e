package rollout

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"openrs/stages/adapter"
	"openrs/stages/atomicfile"
	"openrs/stages/bus"
	"openrs/stages/bus/bustest"
	"openrs/stages/checkpoint"
	"openrs/stages/device/cpu"
	"openrs/stages/model"
	"openrs/stages/pretrained"
)

// TestAdapterPolicies loads policies that are adapters: the base comes once, each version's adapters replace the
// others, settings may change, and a base of another digest is refused.
func TestAdapterPolicies(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	server := bustest.Start(t)
	b, err := bus.Connect(ctx, bus.Options{URL: server.URL, Name: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	run, err := b.Run(ctx, "r", bus.RunOptions{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	source, err := pretrained.Open("shape:tiny", 1)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	newModel := func(opt model.Options) *model.Model {
		m, err := model.New(dev, source.Config, opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		return m
	}
	logprobs := func(m *model.Model) []float32 {
		groups := []model.Group{{Prompt: []int32{1}, Completions: [][]int32{{2, 3, 4}}}}
		p, err := model.Pack(groups, model.Whole(groups))
		if err != nil {
			t.Fatal(err)
		}
		logp, _, err := m.LogProbs(p)
		if err != nil {
			t.Fatal(err)
		}
		return logp
	}
	digest, err := source.Digest()
	if err != nil {
		t.Fatal(err)
	}
	// publish makes a version of adapters and returns what they give the tokens.
	publish := func(version int64, l model.LoRA, base string) []float32 {
		m := newModel(model.Options{Train: true, LoRA: &l})
		if err := source.Load(m); err != nil {
			t.Fatal(err)
		}
		params, _ := m.Flat()
		values := make([]float32, params.Len())
		for i := range values {
			values[i] = float32((i+int(version))%13-6) / 64
		}
		dev.Upload(params, values)
		m.Repack()
		tensors, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "policy.safetensors")
		if err := atomicfile.Write(path, func(w io.Writer) error { return checkpoint.WriteTensors(w, tensors, checkpoint.F32, nil) }); err != nil {
			t.Fatal(err)
		}
		notes, err := adapter.Config{LoRA: l, Base: source.Name}.Notes(base)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Policies().Publish(ctx, bus.Policy{Version: version, Step: version - 1, Parent: version - 1, Meta: notes}, path); err != nil {
			t.Fatal(err)
		}
		return logprobs(m)
	}
	sampler := newModel(model.Options{})
	policies := &RunPolicies{
		Store: run.Policies(), Models: []*model.Model{sampler}, Base: source, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	}
	narrow, wide := model.LoRA{Rank: 2, Alpha: 3, Dropout: 0.1}, model.LoRA{Rank: 4, Alpha: 3, Targets: []string{"v_proj"}}
	for version, l := range []model.LoRA{narrow, narrow, wide} {
		want := publish(int64(version), l, digest)
		if err := policies.Load(ctx, int64(version), int64(version)); err != nil {
			t.Fatal(err)
		}
		if got := logprobs(sampler); !slices.Equal(got, want) {
			t.Errorf("version %d: %v, want %v", version, got, want)
		}
	}
	publish(3, narrow, strings.Repeat("0", 64))
	if err := policies.Load(ctx, 3, 3); !errors.Is(err, ErrBase) {
		t.Errorf("adapters of another base: %v", err)
	}
	policies.Base, policies.adapted = nil, nil
	if err := policies.Load(ctx, 2, 3); err == nil || !strings.Contains(err.Error(), "no model to put them on") {
		t.Errorf("no base: %v", err)
	}
}
