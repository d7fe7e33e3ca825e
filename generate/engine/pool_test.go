package engine

import (
	"errors"
	"math/rand/v2"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/testdevice"
)

// TestPool samples the same requests with one engine and with three: the same completions, and every
// engine has done something.
func TestPool(t *testing.T) {
	opt := Options{MaxSequences: 8, CacheTokens: 2048, PrefillChunk: 40}
	requests := randomRequests(rand.New(rand.NewPCG(5, 1)), 24)
	want, alone := generate(t, newModel(t), opt, requests...)

	var engines []*Engine
	for rank := range 3 {
		e, err := New(newModelOn(t, testdevice.Open(t, rank, 2, device.F32), device.F32), opt)
		if err != nil {
			t.Fatal(err)
		}
		engines = append(engines, e)
	}
	p := NewPool(engines...)
	defer p.Close()
	if p.Room() != 24 || !p.Idle() {
		t.Errorf("room for %d, idle %v", p.Room(), p.Idle())
	}
	for _, r := range requests {
		if err := p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	done := 0
	for !p.Idle() {
		results, err := p.Step()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			if !equal(r, want[r.Request.ProblemID]) {
				t.Errorf("problem %s: other completions than with one engine", r.Request.ProblemID)
			}
			done++
		}
	}
	if done != len(requests) {
		t.Errorf("%d of %d requests finished", done, len(requests))
	}
	s := p.Stats()
	if s.SampledTokens != alone.SampledTokens || s.Steps >= alone.Steps {
		t.Errorf("%d tokens in %d steps, with one engine %d in %d", s.SampledTokens, s.Steps, alone.SampledTokens, alone.Steps)
	}
	for i, e := range engines {
		if e.Stats().SampledTokens == 0 {
			t.Errorf("engine %d did nothing", i)
		}
	}
	if err := p.Add(Request{Prompt: make([]int32, 256), Samples: 1, MaxNewTokens: 1}); !errors.Is(err, ErrPromptTooLong) {
		t.Errorf("a prompt without room: %v, want ErrPromptTooLong", err)
	}
}
