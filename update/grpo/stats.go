package grpo

// Stats collects what [Objective.Compute] observes over the micro-batches of one optimizer step. The
// zero value is ready for use.
type Stats struct {
	loss              float64
	sequences, tokens int64

	klSequences, klTokens int64
	kl, klSequenceMeans   float64 // sums over tokens, and of the completions' means

	entropyTokens int64
	entropy       float64

	clipTokens, low, high, region int64
	lowMin, highMax               float64 // fractions of one completion; valid if clipSequences > 0
	clipSequences                 int64

	samplingTokens                  int64
	logpDiff, logpDiffMax           float64
	isRatio, isRatioMin, isRatioMax float64
}

// Metric is one named number, for logs and metric records.
type Metric struct {
	Name  string
	Value float64
}

// Loss is the loss so far: after all micro-batches, that of the step.
func (s *Stats) Loss() float64 { return s.loss }

// Totals counts the completions and tokens so far.
func (s *Stats) Totals() Totals { return Totals{Sequences: int(s.sequences), Tokens: int(s.tokens)} }

// KLSequenceMean is the mean over completions of each one's mean divergence from the reference, which
// is what TRL logged as kl at the commit open-rs pinned; the metric "kl" is the mean over tokens, as
// in later versions. False if there was no reference.
func (s *Stats) KLSequenceMean() (float64, bool) {
	if s.klSequences == 0 {
		return 0, false
	}
	return s.klSequenceMeans / float64(s.klSequences), true
}

// Skip counts completions that were not computed because their advantage and with it their gradient
// is zero. They enter the clip fractions, in which they are never clipped, and nothing else.
func (s *Stats) Skip(lengths ...int) {
	for _, n := range lengths {
		if n == 0 {
			continue
		}
		s.add(Stats{clipSequences: 1, clipTokens: int64(n)})
	}
}

// Metrics returns what was observed, under TRL's names and in a fixed order:
//
//   - loss: as [Stats.Loss]
//   - kl: mean over tokens of the k3 estimate of the divergence from the reference, nats
//   - entropy: mean over tokens of the policy's entropy, nats
//   - clip_ratio/low_mean, high_mean, region_mean: fraction of tokens whose ratio is below the lower
//     bound with a negative advantage, above the upper with a positive one, either
//   - clip_ratio/low_min, high_max: the smallest and largest such fraction of one completion
//   - sampling/sampling_logp_difference/mean, max: |ℓ_old − ℓ_sampling| over tokens, nats
//   - sampling/importance_sampling_ratio/min, mean, max: exp(ℓ_old − ℓ_sampling) over tokens, after the
//     cap if there is one
//
// A metric without observations (no reference, no sampler's log-probabilities) is left out.
func (s *Stats) Metrics() []Metric {
	m := []Metric{{"loss", s.loss}}
	if s.klTokens > 0 {
		m = append(m, Metric{"kl", s.kl / float64(s.klTokens)})
	}
	if s.entropyTokens > 0 {
		m = append(m, Metric{"entropy", s.entropy / float64(s.entropyTokens)})
	}
	if s.clipTokens > 0 {
		n := float64(s.clipTokens)
		m = append(m,
			Metric{"clip_ratio/low_mean", float64(s.low) / n},
			Metric{"clip_ratio/low_min", s.lowMin},
			Metric{"clip_ratio/high_mean", float64(s.high) / n},
			Metric{"clip_ratio/high_max", s.highMax},
			Metric{"clip_ratio/region_mean", float64(s.region) / n})
	}
	if s.samplingTokens > 0 {
		n := float64(s.samplingTokens)
		m = append(m,
			Metric{"sampling/sampling_logp_difference/mean", s.logpDiff / n},
			Metric{"sampling/sampling_logp_difference/max", s.logpDiffMax},
			Metric{"sampling/importance_sampling_ratio/min", s.isRatioMin},
			Metric{"sampling/importance_sampling_ratio/mean", s.isRatio / n},
			Metric{"sampling/importance_sampling_ratio/max", s.isRatioMax})
	}
	return m
}

// observe fills in what is known of a completion of at least one token after all its tokens.
func (s *Stats) observe(c *Completion, kl float64, low, high int) {
	n := len(c.LogProbs)
	if c.Ref != nil {
		s.klSequences, s.klTokens = 1, int64(n)
		s.kl, s.klSequenceMeans = kl, kl/float64(n)
	}
	if c.Entropies != nil {
		s.entropyTokens = int64(n)
	}
	s.clipSequences, s.clipTokens = 1, int64(n)
	s.low, s.high, s.region = int64(low), int64(high), int64(low+high)
	s.lowMin, s.highMax = float64(low)/float64(n), float64(high)/float64(n)
}

// observeSampling adds one token's distance between trainer and sampler.
func (s *Stats) observeSampling(diff, ratio float64) {
	s.mergeSampling(Stats{samplingTokens: 1, logpDiff: diff, logpDiffMax: diff, isRatio: ratio, isRatioMin: ratio, isRatioMax: ratio})
}

// Add adds the observations of u, of other micro-batches of the same step.
func (s *Stats) Add(u *Stats) { s.add(*u) }

func (s *Stats) add(u Stats) {
	s.loss += u.loss
	s.sequences += u.sequences
	s.tokens += u.tokens
	s.klSequences += u.klSequences
	s.klTokens += u.klTokens
	s.kl += u.kl
	s.klSequenceMeans += u.klSequenceMeans
	s.entropyTokens += u.entropyTokens
	s.entropy += u.entropy
	if u.clipSequences > 0 {
		if s.clipSequences == 0 {
			s.lowMin, s.highMax = u.lowMin, u.highMax
		}
		s.lowMin, s.highMax = min(s.lowMin, u.lowMin), max(s.highMax, u.highMax)
		s.clipSequences += u.clipSequences
		s.clipTokens += u.clipTokens
		s.low += u.low
		s.high += u.high
		s.region += u.region
	}
	s.mergeSampling(u)
}

func (s *Stats) mergeSampling(u Stats) {
	if u.samplingTokens == 0 {
		return
	}
	if s.samplingTokens == 0 {
		s.isRatioMin, s.isRatioMax = u.isRatioMin, u.isRatioMax
	}
	s.samplingTokens += u.samplingTokens
	s.logpDiff += u.logpDiff
	s.logpDiffMax = max(s.logpDiffMax, u.logpDiffMax)
	s.isRatio += u.isRatio
	s.isRatioMin = min(s.isRatioMin, u.isRatioMin)
	s.isRatioMax = max(s.isRatioMax, u.isRatioMax)
}
