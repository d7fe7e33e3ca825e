package optim

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"openrs/stages/device"
)

func randomValues(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestStepsAgainstTwin runs a schedule, clipping and partial weight decay over ranges in any order,
// with a gap, and compares every parameter with the plain twin.
func TestStepsAgainstTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const n = 37
	ranges := []Range{
		{Name: "norm", Offset: 30, Len: 4}, {Name: "a", Offset: 0, Len: 10, Decay: true}, {Name: "b", Offset: 10, Len: 12, Decay: true},
		{Name: "bias", Offset: 22, Len: 3}, {Name: "empty", Offset: 25, Len: 0}, {Name: "c", Offset: 25, Len: 5, Decay: true}, // 34 to 36: padding
	}
	for _, decayAll := range []bool{false, true} {
		s := Settings{LR: 0.02, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, WeightDecay: 0.3, DecayAll: decayAll, MaxGradNorm: 1,
			Schedule: Schedule{Name: "linear", WarmupSteps: 2, TotalSteps: 8, MinRate: 0.1}}
		weights := randomValues(r, n)
		h := newHarness(t, weights, ranges, s)
		if want := map[bool]int{false: 4, true: 1}[decayAll]; len(h.opt.runs) != want {
			t.Errorf("decay all %v: %d runs (%v), want %d", decayAll, len(h.opt.runs), h.opt.runs, want)
		}
		twin := make([]adamw, n)
		for i, w := range weights {
			twin[i].w = float64(w)
		}
		for step := range int64(9) {
			grads := randomValues(r, n)
			for i := 34; i < n; i++ {
				grads[i] = 0
			}
			var squares float64
			for _, g := range grads {
				squares += float64(g) * float64(g)
			}
			report := h.step(grads)
			if report.Step != step || h.opt.Steps() != step+1 {
				t.Errorf("step %d: report %d, %d done", step, report.Step, h.opt.Steps())
			}
			near(t, "rate", report.LR, 0.02*s.Schedule.Factor(step), 0)
			near(t, "norm", report.GradNorm, math.Sqrt(squares), 1e-5)
			near(t, "clip", report.Clip, 1/(math.Sqrt(squares)+1e-6), 1e-5)
			for _, p := range ranges {
				for i := p.Offset; i < p.Offset+p.Len; i++ {
					c := device.AdamWStep{LR: report.LR, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, T: step + 1, GradScale: report.Clip}
					if p.Decay || decayAll {
						c.WeightDecay = 0.3
					}
					twin[i].step(float64(grads[i]), c)
				}
			}
			for i, w := range h.weights() {
				near(t, "weight", float64(w), twin[i].w, 2e-6)
			}
		}
	}
}

// TestResume checks that a run stopped and taken up again from its state gives the same bits.
func TestResume(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	s := Settings{LR: 0.01, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1, MaxGradNorm: 1, Schedule: Schedule{Name: "cosine", WarmupSteps: 1, TotalSteps: 6}}
	weights := randomValues(r, 20)
	ranges := []Range{{Name: "w", Len: 15, Decay: true}, {Name: "b", Offset: 15, Len: 5}}
	grads := make([][]float32, 6)
	for i := range grads {
		grads[i] = randomValues(r, 20)
	}
	whole := newHarness(t, weights, ranges, s)
	first := newHarness(t, weights, ranges, s)
	for i, g := range grads {
		whole.step(g)
		if i < 3 {
			first.step(g)
		}
	}
	state, err := first.opt.State()
	if err != nil {
		t.Fatal(err)
	}
	second := newHarness(t, first.weights(), ranges, s)
	if err := second.opt.SetState(state); err != nil {
		t.Fatal(err)
	}
	for _, g := range grads[3:] {
		second.step(g)
	}
	if !slices.Equal(whole.weights(), second.weights()) {
		t.Error("the resumed run has other weights")
	}
	a, _ := whole.opt.State()
	b, _ := second.opt.State()
	if a.Steps != 6 || b.Steps != 6 || !slices.Equal(a.M, b.M) || !slices.Equal(a.V, b.V) {
		t.Error("the resumed run has another state")
	}
}

func TestNonFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		h := newHarness(t, []float32{1, 2}, nil, Settings{LR: 1, Beta1: 0.9, Beta2: 0.9, Eps: 1e-8})
		h.dev.Upload(h.grads, []float32{1, float32(bad)})
		squares, err := h.dev.SumSquares(h.grads)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.opt.Step(squares); !errors.Is(err, ErrNonFinite) {
			t.Errorf("gradient %v: error %v", bad, err)
		}
		state, _ := h.opt.State()
		if !slices.Equal(h.weights(), []float32{1, 2}) || !slices.Equal(state.M, []float32{0, 0}) || h.opt.Steps() != 0 {
			t.Errorf("gradient %v: the step was taken", bad)
		}
	}
}

func TestBadStates(t *testing.T) {
	h := newHarness(t, []float32{1, 2}, nil, Settings{LR: 1})
	nan := float32(math.NaN())
	for _, s := range []State{
		{M: []float32{1}, V: []float32{1, 2}}, {M: []float32{1, 2}, V: nil}, {Steps: -1, M: []float32{1, 2}, V: []float32{1, 2}},
		{M: []float32{1, 2}, V: []float32{1, -2}}, {M: []float32{nan, 2}, V: []float32{1, 2}}, {M: []float32{1, 2}, V: []float32{1, nan}},
	} {
		if err := h.opt.SetState(s); !errors.Is(err, ErrState) {
			t.Errorf("%+v: error %v", s, err)
		}
	}
}

func TestBadRanges(t *testing.T) {
	for _, tc := range []struct {
		says   string
		ranges []Range
	}{
		{"overlaps a", []Range{{Name: "b", Offset: 3, Len: 2}, {Name: "a", Offset: 0, Len: 4}}},
		{"leaves the 8", []Range{{Name: "a", Offset: 7, Len: 2}}},
		{"leaves the 8", []Range{{Name: "a", Offset: -1, Len: 2}}},
		{"leaves the 8", []Range{{Name: "a", Offset: 1, Len: math.MaxInt}}},
	} {
		if _, err := merge(tc.ranges, 8, false); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%v: error %v, want %q", tc.ranges, err, tc.says)
		}
	}
}

func TestBadSettings(t *testing.T) {
	for _, tc := range []struct {
		says string
		s    Settings
	}{
		{"learning rate", Settings{LR: -1}}, {"learning rate", Settings{LR: math.NaN()}}, {"learning rate", Settings{LR: math.Inf(1)}},
		{"beta1", Settings{Beta1: 1}}, {"beta2", Settings{Beta2: 1.5}}, {"eps", Settings{Eps: -1}},
		{"weight decay", Settings{WeightDecay: -0.1}}, {"max_grad_norm", Settings{MaxGradNorm: -1}},
		{"constant_with_warmup", Settings{Schedule: Schedule{Name: "step"}}},
		{`did you mean "linear"`, Settings{Schedule: Schedule{Name: "liner"}}},
		{"warmup_steps", Settings{Schedule: Schedule{Name: "linear", WarmupSteps: -1, TotalSteps: 5}}},
		{"has no warm-up", Settings{Schedule: Schedule{WarmupSteps: 3}}},
		{"total", Settings{Schedule: Schedule{Name: "cosine"}}},
		{"min_lr_rate", Settings{Schedule: Schedule{Name: "linear", TotalSteps: 3, MinRate: 2}}},
		{"has no minimum", Settings{Schedule: Schedule{Name: "cosine", TotalSteps: 3, MinRate: 0.1}}},
	} {
		if err := tc.s.Validate(); !errors.Is(err, ErrSettings) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%+v: error %v, want one about %q", tc.s, err, tc.says)
		}
	}
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestSchedulesByHand(t *testing.T) {
	for _, tc := range []struct {
		s    Schedule
		want map[int64]float64
	}{
		{Schedule{}, map[int64]float64{0: 1, 9: 1}},
		{Schedule{Name: "constant_with_warmup", WarmupSteps: 4}, map[int64]float64{0: 0, 1: 0.25, 4: 1, 100: 1}},
		{Schedule{Name: "linear", TotalSteps: 10}, map[int64]float64{0: 1, 5: 0.5, 10: 0, 12: 0}},
		{Schedule{Name: "linear", WarmupSteps: 5, TotalSteps: 85, MinRate: 0.1}, map[int64]float64{0: 0, 1: 0.2, 5: 1, 45: 0.55, 85: 0.1, 90: 0.1}},
		{Schedule{Name: "cosine", WarmupSteps: 2, TotalSteps: 12}, map[int64]float64{0: 0, 1: 0.5, 2: 1, 7: 0.5, 12: 0}},
		{Schedule{Name: "cosine_with_min_lr", TotalSteps: 10, MinRate: 0.2}, map[int64]float64{0: 1, 5: 0.6, 10: 0.2}},
	} {
		if err := tc.s.Validate(); err != nil {
			t.Error(err)
		}
		for step, want := range tc.want {
			near(t, tc.s.name(), tc.s.Factor(step), want, 1e-15)
		}
	}
	if got := WarmupSteps(0.1, 500); got != 50 {
		t.Errorf("warm-up of a tenth of 500 steps: %d", got)
	}
	if got := WarmupSteps(0.1, 81); got != 9 {
		t.Errorf("warm-up of a tenth of 81 steps: %d, want 9 (rounded up)", got)
	}
}
