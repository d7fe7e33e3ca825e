package optim

import (
	"math"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/goldentest"
)

// goldenFile is optim.json of the golden fixtures.
type goldenFile struct {
	AdamW struct {
		Weights []float32   `json:"weights"`
		Grads   [][]float32 `json:"grads"`
		Cases   []struct {
			LR          float64     `json:"lr"`
			Betas       [2]float64  `json:"betas"`
			Eps         float64     `json:"eps"`
			WeightDecay float64     `json:"weight_decay"`
			After       [][]float64 `json:"weights_after_each_step"`
			M           []float64   `json:"m"`
			V           []float64   `json:"v"`
		} `json:"cases"`
	} `json:"adamw"`
	Schedule []struct {
		Warmup  int64     `json:"warmup_steps"`
		Total   int64     `json:"total_steps"`
		MinRate float64   `json:"min_lr_rate"`
		Steps   []int64   `json:"steps"`
		Factor  []float64 `json:"factor"`
	} `json:"schedule_cosine_with_min_lr"`
	Clip struct {
		A     []float32 `json:"grad_a"`
		B     []float32 `json:"grad_b"`
		Cases []struct {
			MaxNorm     float64   `json:"max_norm"`
			Norm        float64   `json:"norm"`
			Coefficient float64   `json:"coefficient"`
			ClippedA    []float64 `json:"clipped_a"`
			ClippedB    []float64 `json:"clipped_b"`
		} `json:"cases"`
	} `json:"clip_grad_norm"`
}

func readGolden(t *testing.T) goldenFile {
	t.Helper()
	var f goldenFile
	goldentest.Decode(t, goldentest.Path(t, "optim.json"), &f)
	if len(f.AdamW.Cases) == 0 || len(f.Schedule) == 0 || len(f.Clip.Cases) == 0 {
		t.Fatal("optim.json lacks cases")
	}
	return f
}

// adamw is the plain twin: one parameter, in float64, as the formulas are written.
type adamw struct{ w, m, v float64 }

func (a *adamw) step(g float64, s device.AdamWStep) {
	g *= s.GradScale
	a.w *= 1 - s.LR*s.WeightDecay
	a.m = s.Beta1*a.m + (1-s.Beta1)*g
	a.v = s.Beta2*a.v + (1-s.Beta2)*g*g
	a.w -= s.LR / (1 - math.Pow(s.Beta1, float64(s.T))) * a.m / (math.Sqrt(a.v/(1-math.Pow(s.Beta2, float64(s.T)))) + s.Eps)
}

func TestGoldenOptim(t *testing.T) {
	f := readGolden(t)
	t.Run("schedule", func(t *testing.T) {
		for _, c := range f.Schedule {
			s := Schedule{Name: "cosine_with_min_lr", WarmupSteps: c.Warmup, TotalSteps: c.Total, MinRate: c.MinRate}
			if err := s.Validate(); err != nil {
				t.Fatal(err)
			}
			for i, step := range c.Steps {
				if got := s.Factor(step); math.Abs(got-c.Factor[i]) > 1e-14 {
					t.Errorf("%+v: factor(%d) = %v, want %v", s, step, got, c.Factor[i])
				}
			}
		}
	})
	t.Run("clip", func(t *testing.T) {
		for _, c := range f.Clip.Cases {
			if got := ClipCoefficient(c.Norm, c.MaxNorm); math.Abs(got-c.Coefficient) > 1e-15 {
				t.Errorf("max_norm %v: %v, want %v", c.MaxNorm, got, c.Coefficient)
			}
			// Through the optimizer: with beta1 0, lr 1 and nothing else, m is the clipped gradient.
			grads := append(append([]float32(nil), f.Clip.A...), f.Clip.B...)
			want := append(append([]float64(nil), c.ClippedA...), c.ClippedB...)
			h := newHarness(t, make([]float32, len(grads)), nil, Settings{LR: 1, Eps: 1, MaxGradNorm: c.MaxNorm})
			r := h.step(grads)
			near(t, "norm", r.GradNorm, c.Norm, 1e-6*c.Norm)
			near(t, "coefficient", r.Clip, c.Coefficient, 1e-6*c.Coefficient)
			state, err := h.opt.State()
			if err != nil {
				t.Fatal(err)
			}
			for i := range want {
				near(t, "clipped gradient", float64(state.M[i]), want[i], 1e-6*math.Abs(want[i]))
			}
		}
	})
	t.Run("adamw", func(t *testing.T) {
		for _, c := range f.AdamW.Cases {
			n := len(f.AdamW.Weights)
			plain := make([]adamw, n)
			for i, w := range f.AdamW.Weights {
				plain[i].w = float64(w)
			}
			h := newHarness(t, f.AdamW.Weights, nil, Settings{LR: c.LR, Beta1: c.Betas[0], Beta2: c.Betas[1], Eps: c.Eps, WeightDecay: c.WeightDecay, DecayAll: true})
			for s, grads := range f.AdamW.Grads {
				for i := range plain {
					plain[i].step(float64(grads[i]), device.AdamWStep{LR: c.LR, Beta1: c.Betas[0], Beta2: c.Betas[1], Eps: c.Eps, WeightDecay: c.WeightDecay, T: int64(s + 1), GradScale: 1})
					near(t, "plain weight", plain[i].w, c.After[s][i], 1e-12)
				}
				h.step(grads)
				for i, w := range h.weights() {
					near(t, "weight on the device", float64(w), c.After[s][i], 1e-6)
				}
			}
			state, err := h.opt.State()
			if err != nil {
				t.Fatal(err)
			}
			for i := range plain {
				near(t, "plain m", plain[i].m, c.M[i], 1e-10)
				near(t, "plain v", plain[i].v, c.V[i], 1e-6)
				near(t, "m on the device", float64(state.M[i]), c.M[i], 1e-5*math.Abs(c.M[i]))
				near(t, "v on the device", float64(state.V[i]), c.V[i], 1e-5*math.Abs(c.V[i]))
			}
		}
	})
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.9g, want %.9g", what, got, want)
	}
}

// harness is an optimizer on the reference device, or a GPU, with its buffers.
type harness struct {
	t             *testing.T
	dev           device.Device
	params, grads device.Tensor
	opt           *Optimizer
}

func newHarness(t *testing.T, weights []float32, ranges []Range, s Settings) *harness {
	t.Helper()
	h := &harness{t: t, dev: testdevice.Reference(t)}
	buffer := func() device.Tensor {
		b, err := h.dev.Alloc(len(weights))
		if err != nil {
			t.Fatal(err)
		}
		return device.View(b, 0, 1, len(weights))
	}
	h.params, h.grads = buffer(), buffer()
	h.dev.Upload(h.params, weights)
	if ranges == nil {
		ranges = []Range{{Name: "all", Len: len(weights)}}
	}
	var err error
	if h.opt, err = New(h.dev, h.params, h.grads, ranges, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.opt.Close()
		h.opt.Close() // a second time is harmless
		h.dev.Free(h.params.Buf)
		h.dev.Free(h.grads.Buf)
	})
	return h
}

func (h *harness) step(grads []float32) Report {
	h.t.Helper()
	h.dev.Upload(h.grads, grads)
	squares, err := h.dev.SumSquares(h.grads)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := h.opt.Step(squares)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func (h *harness) weights() []float32 {
	h.t.Helper()
	w := make([]float32, h.params.Len())
	if err := h.dev.Download(w, h.params); err != nil {
		h.t.Fatal(err)
	}
	return w
}
