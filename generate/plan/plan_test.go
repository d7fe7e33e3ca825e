package plan

import (
	"math"
	"testing"

	"openrs/stages/backend"
	"openrs/stages/device"
	"openrs/stages/pretrained"
	"openrs/stages/roofline"
)

// TestDecoding compares the plan of the study's sampling with the bytes that decoding reads, added up step
// by step.
func TestDecoding(t *testing.T) {
	m, err := pretrained.Open("shape:deepseek-r1-distill-qwen-1.5b", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	a40, err := roofline.MachineByName("A40")
	if err != nil {
		t.Fatal(err)
	}
	job := Job{Job: backend.Job{Groups: 12, GroupSize: 6, PromptTokens: 512, NewTokens: 3584}}
	for _, devices := range []int{1, 4} {
		p := &roofline.Plan{Machine: a40, Devices: devices, Efficiency: 1}
		if err := job.fill(p, m.Config, device.BF16); err != nil {
			t.Fatal(err)
		}
		cost := roofline.NewCost(m.Config, device.BF16).WithCache(2)
		want := 0.0
		for step := range job.NewTokens {
			want += float64(cost.WeightBytes()) + float64(cost.CacheBytes(int64(72/devices*(job.PromptTokens+step+1))))
		}
		if got := p.Work[1].Bytes; math.Abs(got/want-1) > 1e-9 {
			t.Errorf("%d devices: %g bytes read in decoding, want %g", devices, got, want)
		}
		if !p.Fits || p.Tokens != 72*3584 {
			t.Errorf("%d devices: fits %v, %d tokens", devices, p.Fits, p.Tokens)
		}
	}
}

func TestUnknownMachine(t *testing.T) {
	if _, err := roofline.MachineByName("a41"); err == nil {
		t.Error("machine a41 is taken")
	}
}
