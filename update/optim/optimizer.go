package optim

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"openrs/stages/device"
)

// ErrNonFinite says that the gradients hold a NaN or an infinity; the step was not taken.
var ErrNonFinite = errors.New("optim: gradient norm is not finite")

// ErrState marks a saved state that does not fit the parameters.
var ErrState = errors.New("optim: state does not fit")

// Settings of AdamW (Loshchilov and Hutter, arXiv 1711.05101) and its schedule.
type Settings struct {
	LR           float64 // base learning rate
	Beta1, Beta2 float64
	Eps          float64
	WeightDecay  float64
	DecayAll     bool    // decay every parameter, also biases and norms
	MaxGradNorm  float64 // bound on the global gradient norm; 0: none
	Schedule     Schedule
}

// Default returns the settings of the open-rs study's trainer but for its learning rate and schedule:
// betas 0.9 and 0.999, eps 1e-8, no weight decay, gradients clipped to norm 1.
func Default() Settings {
	return Settings{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, MaxGradNorm: 1}
}

// Validate returns an error, wrapping [ErrSettings], about the first setting that can't be used.
func (s Settings) Validate() error {
	for _, v := range []struct {
		name       string
		value, end float64 // valid in [0, end)
	}{
		{"learning rate", s.LR, math.Inf(1)}, {"beta1", s.Beta1, 1}, {"beta2", s.Beta2, 1}, {"eps", s.Eps, math.Inf(1)},
		{"weight decay", s.WeightDecay, math.Inf(1)}, {"max_grad_norm", s.MaxGradNorm, math.Inf(1)},
	} {
		if !(v.value >= 0 && v.value < v.end) {
			return fmt.Errorf("%w: %s is %v, expected at least 0 and less than %v", ErrSettings, v.name, v.value, v.end)
		}
	}
	return s.Schedule.Validate()
}

// LearningRate is the rate of step s, from 0.
func (s Settings) LearningRate(step int64) float64 { return s.LR * s.Schedule.Factor(step) }

// Range is one parameter's place in the flat buffers.
type Range struct {
	Name        string
	Offset, Len int
	Decay       bool // subject to weight decay: matrices are, biases and norm weights are not
}

// Device is what of a [device.Device] the optimizer uses.
type Device interface {
	device.Memory
	device.Optimizing
}

// Optimizer is AdamW over one flat tensor of parameters. It owns the two moments, on the device. Like
// the device it belongs to one goroutine.
type Optimizer struct {
	dev           Device
	params, grads device.Tensor
	moments       [2]device.Buffer
	m, v          device.Tensor
	runs          []run
	settings      Settings
	t             int64 // updates done
}

// run is a stretch of neighbouring parameters with the same weight decay.
type run struct {
	from, to int
	decay    bool
}

// New returns an optimizer for params and grads, both 1 × total, whose ranges say which part is
// which parameter. Stretches of no range (padding) are left alone and their gradients must be zero.
// Ranges that overlap or leave the tensor are an error, as are bad settings ([ErrSettings]). Close
// frees the moments.
func New(dev Device, params, grads device.Tensor, ranges []Range, s Settings) (*Optimizer, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if params.Rows != 1 || grads.Rows != 1 || params.Cols != grads.Cols {
		return nil, fmt.Errorf("optim: parameters %v and gradients %v, expected the same 1 × total", params, grads)
	}
	runs, err := merge(ranges, params.Cols, s.DecayAll)
	if err != nil {
		return nil, err
	}
	o := &Optimizer{dev: dev, params: params, grads: grads, runs: runs, settings: s}
	for i := range o.moments {
		if o.moments[i], err = dev.Alloc(params.Cols); err != nil {
			o.Close()
			return nil, fmt.Errorf("optim: moments of %d parameters: %w", params.Cols, err)
		}
	}
	o.m = device.View(o.moments[0], 0, 1, params.Cols)
	o.v = device.View(o.moments[1], 0, 1, params.Cols)
	return o, nil
}

// merge sorts the ranges and joins neighbours of equal decay, so that a step is a few calls.
func merge(ranges []Range, total int, decayAll bool) ([]run, error) {
	sorted := slices.Clone(ranges)
	slices.SortStableFunc(sorted, func(a, b Range) int {
		return cmp.Or(cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.Len, b.Len))
	})
	var runs []run
	at, last := 0, ""
	for _, r := range sorted {
		if r.Len < 0 || r.Offset < 0 || r.Len > total-r.Offset {
			return nil, fmt.Errorf("optim: parameter %s at %d, %d values long, leaves the %d parameters", r.Name, r.Offset, r.Len, total)
		}
		if r.Len == 0 {
			continue
		}
		if r.Offset < at {
			return nil, fmt.Errorf("optim: parameter %s at %d overlaps %s, which ends at %d", r.Name, r.Offset, last, at)
		}
		at, last = r.Offset+r.Len, r.Name
		decay := r.Decay || decayAll
		if n := len(runs); n > 0 && runs[n-1].to == r.Offset && runs[n-1].decay == decay {
			runs[n-1].to = at
			continue
		}
		runs = append(runs, run{from: r.Offset, to: at, decay: decay})
	}
	return runs, nil
}

// Report says what one step did.
type Report struct {
	Step     int64   // its number, from 0
	LR       float64 // the learning rate used ("learning_rate")
	GradNorm float64 // the global L2 norm before clipping ("grad_norm")
	Clip     float64 // the factor the gradients were scaled by
}

// Step applies one update with the gradients as they are and leaves them as they are (zeroing them is
// the caller's). squares is the sum of the squares of all gradients, those of other optimizers that
// each have a part of the parameters included. If it isn't finite Step returns
// [ErrNonFinite] with the report, and parameters, moments and step number stay as they were.
func (o *Optimizer) Step(squares float64) (Report, error) {
	r := Report{Step: o.t, LR: o.settings.LearningRate(o.t)}
	r.GradNorm = math.Sqrt(squares)
	if math.IsNaN(r.GradNorm) || math.IsInf(r.GradNorm, 0) {
		return r, fmt.Errorf("%w: it is %v at step %d", ErrNonFinite, r.GradNorm, o.t)
	}
	r.Clip = ClipCoefficient(r.GradNorm, o.settings.MaxGradNorm)
	step := device.AdamWStep{LR: r.LR, Beta1: o.settings.Beta1, Beta2: o.settings.Beta2, Eps: o.settings.Eps, T: o.t + 1, GradScale: r.Clip}
	for _, run := range o.runs {
		step.WeightDecay = 0
		if run.decay {
			step.WeightDecay = o.settings.WeightDecay
		}
		part := func(t device.Tensor) device.Tensor { return t.ColRange(run.from, run.to) }
		o.dev.AdamW(part(o.params), part(o.grads), part(o.m), part(o.v), step)
	}
	o.t++
	return r, nil
}

// Steps is the number of updates done, which is the number of the next step.
func (o *Optimizer) Steps() int64 { return o.t }

// Settings returns what the optimizer was made with.
func (o *Optimizer) Settings() Settings { return o.settings }

// State is what a checkpoint keeps of the optimizer: together with parameters and settings it makes
// the next step the one that would have followed.
type State struct {
	Steps int64     // updates done
	M, V  []float32 // the moments, laid out like the flat parameters
}

// State downloads the moments.
func (o *Optimizer) State() (State, error) {
	s := State{Steps: o.t, M: make([]float32, o.m.Len()), V: make([]float32, o.v.Len())}
	if err := o.dev.Download(s.M, o.m); err != nil {
		return State{}, fmt.Errorf("optim: first moments: %w", err)
	}
	if err := o.dev.Download(s.V, o.v); err != nil {
		return State{}, fmt.Errorf("optim: second moments: %w", err)
	}
	return s, nil
}

// SetState replaces moments and step number by those of a checkpoint. A state of another size, a
// negative step, a negative second moment or a number that isn't finite is [ErrState], and changes
// nothing.
func (o *Optimizer) SetState(s State) error {
	if len(s.M) != o.m.Len() || len(s.V) != o.v.Len() {
		return fmt.Errorf("%w: moments of %d and %d values, expected %d", ErrState, len(s.M), len(s.V), o.m.Len())
	}
	if s.Steps < 0 {
		return fmt.Errorf("%w: %d steps done", ErrState, s.Steps)
	}
	for i := range s.V {
		if s.V[i] < 0 || s.V[i]-s.V[i] != 0 || s.M[i]-s.M[i] != 0 {
			return fmt.Errorf("%w: moments %v and %v at %d", ErrState, s.M[i], s.V[i], i)
		}
	}
	o.dev.Upload(o.m, s.M)
	o.dev.Upload(o.v, s.V)
	o.t = s.Steps
	return nil
}

// Close frees the moments.
func (o *Optimizer) Close() {
	for i, b := range o.moments {
		if b != nil {
			o.dev.Free(b)
			o.moments[i] = nil
		}
	}
}
