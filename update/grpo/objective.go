package grpo

import (
	"errors"
	"fmt"
	"math"
)

// ErrInput marks a completion whose numbers can't be used: missing or of the wrong length, not
// finite, or so far from the old policy that the ratio overflows.
var ErrInput = errors.New("grpo: bad completion")

// Completion is what the loss needs of one completion. All slices but the optional ones have one
// entry a completion token; log-probabilities and entropies are in nats.
type Completion struct {
	LogProbs  []float32 // under the current policy
	Old       []float32 // under the policy that the ratio is against; nil: the current one, ratio 1
	Ref       []float32 // under the reference model; needed if Beta > 0, else optional and only measured
	Sampling  []float32 // as recorded by the sampler; needed if TruncatedIS > 0, else optional and only measured
	Entropies []float32 // of the current policy's distributions; optional, only measured
	Advantage float32
	// Micro is the micro-batch that the means of grpo, bnpo and dr_grpo are over; the zero value: what the
	// normalizer says.
	Micro Micro
}

// Micro is a micro-batch whose mean counts by itself, of several that a step's loss is the mean of.
type Micro struct {
	Totals     // of the micro-batch
	Of     int // micro-batches in the step
}

// Objective is a validated [Config]. It has no state and may be shared by goroutines.
type Objective struct {
	cfg    Config
	loss   lossType
	lo, hi float64
}

// New returns the objective of cfg, or an error that wraps [ErrConfig].
func New(cfg Config) (*Objective, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.RatioLevel == "" {
		cfg.RatioLevel = RatioToken
	}
	return &Objective{cfg: cfg, loss: lossTypes[cfg.Loss], lo: 1 - cfg.EpsLow, hi: 1 + cfg.EpsHigh}, nil
}

// Config returns the settings the objective was made of.
func (o *Objective) Config() Config { return o.cfg }

// Compute returns dloss/dlogp of every token of the batch, ragged like the completions' LogProbs, and
// adds the loss and the metrics to into. Sums are in float64, one addition to into a completion, so
// that splitting a batch into calls that follow each other changes no bit of either (given the same
// [Normalizer]). On an error, which wraps [ErrInput], into is as it was.
func (o *Objective) Compute(batch []Completion, n Normalizer, into *Stats) ([][]float32, error) {
	for i := range batch {
		if err := o.check(&batch[i]); err != nil {
			return nil, fmt.Errorf("completion %d: %w", i, err)
		}
	}
	stats := *into
	grads := make([][]float32, len(batch))
	for i := range batch {
		grads[i] = make([]float32, len(batch[i].LogProbs))
		s := o.completion(&batch[i], n, grads[i])
		if math.IsNaN(s.loss) || math.IsInf(s.loss, 0) {
			return nil, fmt.Errorf("completion %d: %w: its loss is %v (log ratio out of range)", i, ErrInput, s.loss)
		}
		for t, g := range grads[i] {
			if g-g != 0 { // NaN or infinite
				return nil, fmt.Errorf("completion %d, token %d: %w: its gradient is %v (log ratio out of range)", i, t, ErrInput, g)
			}
		}
		stats.add(s)
	}
	*into = stats
	return grads, nil
}

// completion computes one completion: its gradients into grads, everything else returned.
func (o *Objective) completion(c *Completion, n Normalizer, grads []float32) Stats {
	tokens := len(c.LogProbs)
	s := Stats{sequences: 1, tokens: int64(tokens)}
	if tokens == 0 {
		return s
	}
	if c.Micro.Of > 0 {
		n = PerMicroBatch(c.Micro.Totals, n.step, c.Micro.Of)
	}
	weight := o.loss.weight(n, tokens, o.cfg.MaxCompletionLength)
	advantage := float64(c.Advantage)

	// At sequence level the policy term is one value for all tokens, and the derivative of its ratio
	// for each token's ℓ is ρ / tokens: each token gets the mean of what the tokens' terms give.
	var shared surrogate
	var sharedGrad float64
	sequence := o.cfg.RatioLevel == RatioSequence
	if sequence {
		var logRatio, correction float64
		for t := range c.LogProbs {
			logRatio += c.logRatio(t)
			_, w := o.correction(c, t)
			correction += w
		}
		shared = o.surrogate(logRatio/float64(tokens), advantage)
		sharedGrad = shared.grad * correction / float64(tokens)
	}
	var loss, kl float64
	low, high := 0, 0
	for t, logp := range c.LogProbs {
		diff, correction := o.correction(c, t)
		p, grad := shared, sharedGrad
		if !sequence {
			p = o.surrogate(c.logRatio(t), advantage)
			grad = correction * p.grad
		}
		loss += correction * p.loss
		if c.Ref != nil {
			r := float64(c.Ref[t]) - float64(logp)
			e := math.Exp(r)
			kl += e - r - 1
			if o.cfg.Beta > 0 {
				grad += o.cfg.Beta * (1 - e)
			}
		}
		grads[t] = float32(weight * grad)
		if p.low {
			low++
		}
		if p.high {
			high++
		}
		if c.Entropies != nil {
			s.entropy += float64(c.Entropies[t])
		}
		if c.Sampling != nil {
			s.observeSampling(math.Abs(diff), o.capped(math.Exp(diff)))
		}
	}
	if c.Ref != nil && o.cfg.Beta > 0 {
		loss += o.cfg.Beta * kl
	}
	s.loss = weight * loss
	s.observe(c, kl, low, high)
	return s
}

// surrogate is the policy term at one ratio: its value, its derivative for the log of the ratio, and
// whether the clip acts.
type surrogate struct {
	loss, grad float64
	low, high  bool
}

func (o *Objective) surrogate(logRatio, advantage float64) surrogate {
	ratio := math.Exp(logRatio)
	// free is the term of the plain ratio, clipped that of the clipped one; each with its derivative.
	free, dFree := ratio*advantage, ratio*advantage
	if o.cfg.Delta > 0 && ratio > o.cfg.Delta {
		free, dFree = o.cfg.Delta*advantage, 0
	}
	clipped, dClipped := ratio*advantage, ratio*advantage
	switch {
	case ratio < o.lo:
		clipped, dClipped = o.lo*advantage, 0
	case ratio > o.hi:
		clipped, dClipped = o.hi*advantage, 0
	}
	s := surrogate{
		loss: -free, grad: -dFree,
		low: ratio < o.lo && advantage < 0, high: ratio > o.hi && advantage > 0,
	}
	if clipped < free {
		s.loss, s.grad = -clipped, -dClipped
	}
	return s
}

// logRatio is ℓ − ℓ_old of token t.
func (c *Completion) logRatio(t int) float64 {
	if c.Old == nil {
		return 0
	}
	return float64(c.LogProbs[t]) - float64(c.Old[t])
}

// correction returns how far trainer and sampler are apart at token t, ℓ_old − ℓ_sampling (0 if the
// sampler's is not known), and the weight that follows from it, 1 without truncated importance
// sampling.
func (o *Objective) correction(c *Completion, t int) (diff, weight float64) {
	if c.Sampling == nil {
		return 0, 1
	}
	old := c.Old
	if old == nil {
		old = c.LogProbs
	}
	diff = float64(old[t]) - float64(c.Sampling[t])
	if o.cfg.TruncatedIS == 0 {
		return diff, 1
	}
	return diff, o.capped(math.Exp(diff))
}

// capped is an importance weight as truncated importance sampling would use it.
func (o *Objective) capped(w float64) float64 {
	if o.cfg.TruncatedIS > 0 {
		return min(w, o.cfg.TruncatedIS)
	}
	return w
}

// check returns what is wrong with the completion's numbers.
func (o *Objective) check(c *Completion) error {
	for _, s := range []struct {
		name     string
		values   []float32
		required bool
		why      string
	}{
		{"log-probabilities", c.LogProbs, false, ""},
		{"old log-probabilities", c.Old, false, ""},
		{"reference log-probabilities", c.Ref, o.cfg.Beta > 0, "beta > 0"},
		{"sampling log-probabilities", c.Sampling, o.cfg.TruncatedIS > 0, "truncated importance sampling"},
		{"entropies", c.Entropies, false, ""},
	} {
		if s.values == nil {
			if s.required && len(c.LogProbs) > 0 {
				return fmt.Errorf("%w: no %s, needed for %s", ErrInput, s.name, s.why)
			}
			continue
		}
		if len(s.values) != len(c.LogProbs) {
			return fmt.Errorf("%w: %d %s for %d tokens", ErrInput, len(s.values), s.name, len(c.LogProbs))
		}
		for t, v := range s.values {
			if v-v != 0 {
				return fmt.Errorf("%w: %s of token %d: %v is not finite", ErrInput, s.name, t, v)
			}
		}
	}
	if c.Advantage-c.Advantage != 0 {
		return fmt.Errorf("%w: its advantage is %v", ErrInput, c.Advantage)
	}
	return nil
}
