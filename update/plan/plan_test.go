package plan

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"openrs/stages/backend"
	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
)

func open(t *testing.T, name string) *pretrained.Model {
	t.Helper()
	m, err := pretrained.Open(name, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func planOn(t *testing.T, machine string, devices int) *roofline.Plan {
	t.Helper()
	m, err := roofline.MachineByName(machine)
	if err != nil {
		t.Fatal(err)
	}
	return &roofline.Plan{Machine: m, Devices: devices, Efficiency: 0.5}
}

// TestStep compares a step of the 1.5B model with six operations a parameter and token, and checks how
// devices share it.
func TestStep(t *testing.T) {
	cfg := open(t, "shape:deepseek-r1-distill-qwen-1.5b").Config
	job := Job{Job: backend.Job{Groups: 12, GroupSize: 6, PromptTokens: 512, NewTokens: 3584}, TokenBudget: 16384}
	one, three := planOn(t, "h100", 1), planOn(t, "h100", 3)
	job.fill(one, cfg, device.BF16)
	job.fill(three, cfg, device.BF16)

	params, tokens := float64(one.Memory.Parameters), float64(12*(512+6*3584))
	if low, high := 5*params*tokens, 8*params*tokens; ops(one) < low || ops(one) > high {
		t.Errorf("%g operations, expected between %g and %g", ops(one), low, high)
	}
	if got := ops(one) / ops(three); math.Abs(got-3) > 1e-9 {
		t.Errorf("three devices do one of %v parts each", got)
	}
	if one.Memory.Optimizer != 8*int64(one.Memory.Parameters) || three.Memory.Optimizer != one.Memory.Optimizer/3 {
		t.Errorf("moments of %d and %d bytes on one and on three devices", one.Memory.Optimizer, three.Memory.Optimizer)
	}
	for _, w := range one.Work {
		if w.Sent > 0 {
			t.Errorf("one device sends %g bytes: %s", w.Sent, w.Name)
		}
		if want := max(w.Ops/989.4e12, w.Bytes/3350e9); math.Abs(w.Limit-want) > 1e-12 {
			t.Errorf("%s takes %v s, want %v", w.Name, w.Limit, want)
		}
	}
	if one.Expected != one.Seconds/0.5 || one.Tokens != 72*3584 {
		t.Errorf("%v s expected of %v, %d tokens", one.Expected, one.Seconds, one.Tokens)
	}
	job.Recompute, job.Reference = true, true
	more := planOn(t, "h100", 1)
	job.fill(more, cfg, device.BF16)
	if got := ops(more) / ops(one); math.Abs(got-5.0/3) > 1e-9 {
		t.Errorf("with the reference and the second forward pass the work is %v times as much, want 5/3", got)
	}
	if more.Memory.Activations >= one.Memory.Activations || more.Memory.Weights <= one.Memory.Weights {
		t.Errorf("memory %+v, and %+v with a reference and activations computed again", one.Memory, more.Memory)
	}
}

// Adapters need no gradients of the weights, no masters and moments of them, and no copy as a reference.
func TestAdapters(t *testing.T) {
	cfg := open(t, "shape:deepseek-r1-distill-qwen-1.5b").Config
	job := Job{Job: backend.Job{Groups: 12, GroupSize: 6, PromptTokens: 512, NewTokens: 3584}, TokenBudget: 16384, Recompute: true, Reference: true}
	full, adapted := planOn(t, "h100", 1), planOn(t, "h100", 1)
	job.fill(full, cfg, device.BF16)
	job.LoRA = &model.LoRA{Rank: 32, Alpha: 128}
	job.fill(adapted, cfg, device.BF16)
	const trained = 36_929_536 // what PEFT counts for rank 32 on all projections of this model
	m := adapted.Memory
	if m.Trained != trained || m.Masters != 4*trained || m.Gradients != 4*trained || m.Optimizer != 8*trained {
		t.Errorf("memory %+v, want %d trained parameters", m, trained)
	}
	if m.Weights >= full.Memory.Weights*6/10 { // one copy of them, and not two
		t.Errorf("weights take %d bytes, %d with a reference", m.Weights, full.Memory.Weights)
	}
	if r := ops(adapted) / ops(full); r < 0.75 || r > 0.95 {
		t.Errorf("adapters take %v of the work", r)
	}
	if !strings.Contains(adapted.Job, "training adapters of rank 32") {
		t.Error(adapted.Job)
	}
}

func TestStudyFits(t *testing.T) {
	cfg := open(t, "shape:deepseek-r1-distill-qwen-1.5b").Config
	job := Job{Job: backend.Job{Groups: 12, GroupSize: 6, PromptTokens: 512, NewTokens: 3584}, TokenBudget: 16384, Recompute: true, Reference: true}
	p := planOn(t, "a40", 3)
	job.fill(p, cfg, device.BF16)
	var text bytes.Buffer
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !p.Fits {
		t.Errorf("the study's step does not fit three A40:\n%s", &text)
	}
	for _, s := range []string{"3 devices of a40", "there is (fits)", "all-gather parameters", "activations computed again"} {
		if !strings.Contains(text.String(), s) {
			t.Errorf("the plan lacks %q:\n%s", s, &text)
		}
	}
	small := planOn(t, "rtx4090", 1)
	job.fill(small, cfg, device.F32)
	if small.Fits {
		t.Error("full training of 1.5B parameters in float32 fits 24 GB")
	}
}

// ops is the operations of all parts of a plan.
func ops(p *roofline.Plan) (sum float64) {
	for _, w := range p.Work {
		sum += w.Ops
	}
	return sum
}
