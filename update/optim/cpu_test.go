package optim

import (
	"math"
	"math/rand/v2"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

// TestOnCPU compares some steps on the CPU device with those on the reference device, at a size that
// is no multiple of anything.
func TestOnCPU(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	r := rand.New(rand.NewPCG(11, 12))
	const n = 4099
	weights := randomValues(r, n)
	ranges := []Range{{Name: "w", Len: 4001, Decay: true}, {Name: "b", Offset: 4001, Len: 98}}
	s := Settings{LR: 1e-2, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.1, MaxGradNorm: 1, Schedule: Schedule{Name: "cosine_with_min_lr", WarmupSteps: 1, TotalSteps: 5, MinRate: 0.1}}
	want := newHarness(t, weights, ranges, s)
	buffer := func() device.Tensor {
		b, err := dev.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		return device.View(b, 0, 1, n)
	}
	params, grads := buffer(), buffer()
	dev.Upload(params, weights)
	opt, err := New(dev, params, grads, ranges, s)
	if err != nil {
		t.Fatal(err)
	}
	defer opt.Close()
	for range 4 {
		g := randomValues(r, n)
		a := want.step(g)
		dev.Upload(grads, g)
		squares, err := dev.SumSquares(grads)
		if err != nil {
			t.Fatal(err)
		}
		b, err := opt.Step(squares)
		if err != nil {
			t.Fatal(err)
		}
		near(t, "norm", b.GradNorm, a.GradNorm, 1e-5*a.GradNorm)
		near(t, "rate", b.LR, a.LR, 0)
	}
	got := make([]float32, n)
	if err := dev.Download(got, params); err != nil {
		t.Fatal(err)
	}
	for i, w := range want.weights() {
		if math.Abs(float64(got[i]-w)) > 1e-6 {
			t.Fatalf("weight %d: %v, want %v", i, got[i], w)
		}
	}
}
