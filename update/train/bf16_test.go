package train

import (
	"fmt"
	"path/filepath"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
)

// TestBF16OnPolicy trains with matrices of bfloat16: at every step, what a model that was loaded from the
// exported float32 parameters gives to the completions, on a device of its own, are the bits that training
// computes; and updates much smaller than the precision of bfloat16 are not lost in the parameters.
func TestBF16OnPolicy(t *testing.T) {
	small := settings()
	small.LR = 1e-6
	source := open(t, shape, 1)
	tr := newTrainerOf(t, source, Options{Optimizer: small, TokenBudget: 100, DType: device.BF16})
	dev := testdevice.Open(t, 0, 3, device.BF16)
	sampler, err := model.New(dev, source.Config, model.Options{DType: device.BF16})
	if err != nil {
		t.Fatal(err)
	}
	defer sampler.Close()
	start := weights(t, tr)
	for n := range int64(3) {
		dir := filepath.Join(t.TempDir(), "policy")
		if err := tr.Export(dir, checkpoint.F32); err != nil {
			t.Fatal(err)
		}
		folder, err := checkpoint.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := sampler.Load(folder); err != nil {
			t.Fatal(err)
		}
		if err := folder.Close(); err != nil {
			t.Fatal(err)
		}
		step := makeStep(t, &Trainer{replicas: []*replica{{model: sampler}}}, n, mixed...)
		metrics := run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}, step)
		if !(metrics["grad_norm"] > 0) {
			t.Errorf("step %d: gradient norm %v", n, metrics["grad_norm"])
		}
	}
	changed := 0
	for i, w := range weights(t, tr) {
		if w != start[i] {
			changed++
		}
	}
	if changed < len(start)/2 {
		t.Errorf("%d of %d parameters changed", changed, len(start))
	}
}

// TestBF16Learns: matrices of bfloat16, in the gradients too, follow the losses of float32 and learn as
// much.
func TestBF16Learns(t *testing.T) {
	source := open(t, shape, 1)
	s := settings()
	s.LR, s.Schedule.TotalSteps = 3e-3, 1000
	var losses [2][]float64
	for i, dtype := range []device.DType{device.F32, device.BF16} {
		tr := newTrainerOf(t, source, Options{Optimizer: s, TokenBudget: 100, DType: dtype})
		examples := examplesOf(t, tr, sums(4))
		for range 20 {
			values, err := tr.SFT(examples)
			if err != nil {
				t.Fatal(err)
			}
			losses[i] = append(losses[i], byName(t, values)["loss"])
		}
	}
	for i, want := range losses[0] {
		near(t, fmt.Sprintf("loss %d", i), losses[1][i], want, 0.02*want+0.02)
	}
	first, last := losses[1][0], losses[1][19]
	if last > 0.6*first {
		t.Errorf("loss %v after 20 updates, %v before", last, first)
	}
	t.Logf("float32 %.4f to %.4f, bfloat16 %.4f to %.4f", losses[0][0], losses[0][19], first, last)
}
