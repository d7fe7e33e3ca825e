package grpo

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// plainLoss is the definition of the package comment, written out token by token without gradients,
// for one micro-batch that is the whole step. detached holds the values that no gradient flows
// through when a completion has no old log-probabilities.
func plainLoss(cfg Config, batch []Completion, logps, detached [][]float64) float64 {
	var tokens int
	for i := range batch {
		tokens += len(logps[i])
	}
	var loss float64
	for i, c := range batch {
		n := float64(len(logps[i]))
		old := func(t int) float64 {
			if c.Old == nil {
				return detached[i][t]
			}
			return float64(c.Old[t])
		}
		var mean float64
		for t, l := range logps[i] {
			mean += (l - old(t)) / n
		}
		var sum float64
		for t, l := range logps[i] {
			ratio := math.Exp(l - old(t))
			if cfg.RatioLevel == RatioSequence {
				ratio = math.Exp(mean)
			}
			a := float64(c.Advantage)
			first := ratio
			if cfg.Delta > 0 {
				first = min(ratio, cfg.Delta)
			}
			x := -min(first*a, max(1-cfg.EpsLow, min(1+cfg.EpsHigh, ratio))*a)
			if cfg.TruncatedIS > 0 {
				x *= min(math.Exp(old(t)-float64(c.Sampling[t])), cfg.TruncatedIS)
			}
			if cfg.Beta > 0 {
				r := float64(c.Ref[t]) - l
				x += cfg.Beta * (math.Exp(r) - r - 1)
			}
			sum += x
		}
		switch cfg.Loss {
		case "grpo":
			if n > 0 {
				loss += sum / n / float64(len(batch))
			}
		case "bnpo", "dapo":
			loss += sum / float64(tokens)
		case "dr_grpo":
			loss += sum / float64(len(batch)*cfg.MaxCompletionLength)
		}
	}
	return loss
}

func randomRow(r *rand.Rand, n int, spread float64) []float32 {
	row := make([]float32, n)
	for i := range row {
		row[i] = float32(-r.ExpFloat64() - spread*r.Float64())
	}
	return row
}

// randomBatch draws completions whose ratios fall on both sides of the clip bounds.
func randomBatch(r *rand.Rand, size int, withOld bool) []Completion {
	batch := make([]Completion, size)
	for i := range batch {
		n := r.IntN(7) // sometimes empty
		c := Completion{LogProbs: randomRow(r, n, 1), Ref: randomRow(r, n, 1), Entropies: randomRow(r, n, 0), Advantage: float32(r.NormFloat64())}
		near := func() []float32 {
			row := make([]float32, n)
			for t := range row {
				row[t] = c.LogProbs[t] + float32(0.4*r.NormFloat64())
			}
			return row
		}
		c.Sampling = near()
		if withOld {
			c.Old = near()
		}
		if r.IntN(5) == 0 {
			c.Advantage = 0
		}
		batch[i] = c
	}
	return batch
}

// configs are one of each loss type and option.
func configs() []Config {
	return []Config{
		{Loss: "grpo", EpsLow: 0.2, EpsHigh: 0.2},
		{Loss: "bnpo", Beta: 0.04, EpsLow: 0.2, EpsHigh: 0.28, RatioLevel: RatioToken},
		{Loss: "dr_grpo", EpsLow: 0.1, EpsHigh: 0.1, MaxCompletionLength: 9, Delta: 1.3},
		{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.28, TruncatedIS: 1.2},
		{Loss: "grpo", Beta: 0.1, EpsLow: 0.05, EpsHigh: 0.1, RatioLevel: RatioSequence, TruncatedIS: 1.1},
		{Loss: "bnpo", EpsLow: 0.05, EpsHigh: 0.1, RatioLevel: RatioSequence, Delta: 1.2},
		OpenRS(),
	}
}

// TestGradientsByDifferences compares loss and gradients with central differences of plainLoss.
func TestGradientsByDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const h = 1e-6
	for trial := range 60 {
		for _, cfg := range configs() {
			objective, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			batch := randomBatch(r, 1+r.IntN(5), trial%2 == 0)
			var stats Stats
			grads, err := objective.Compute(batch, StepWide(Count(batch)), &stats)
			if err != nil {
				t.Fatal(err)
			}
			logps := make([][]float64, len(batch))
			detached := make([][]float64, len(batch))
			for i := range batch {
				for _, l := range batch[i].LogProbs {
					logps[i] = append(logps[i], float64(l))
					detached[i] = append(detached[i], float64(l))
				}
			}
			if Count(batch).Tokens > 0 {
				near(t, cfg.Loss+" loss", stats.Loss(), plainLoss(cfg, batch, logps, detached), 1e-12)
			}
			for i := range logps {
				for j := range logps[i] {
					at := logps[i][j]
					logps[i][j] = at + h
					up := plainLoss(cfg, batch, logps, detached)
					logps[i][j] = at - h
					down := plainLoss(cfg, batch, logps, detached)
					logps[i][j] = at
					if want := (up - down) / (2 * h); math.Abs(float64(grads[i][j])-want) > 2e-6 {
						t.Fatalf("%+v: gradient %d, %d: got %v, want %v", cfg, i, j, grads[i][j], want)
					}
				}
			}
		}
	}
}

// TestSplitChangesNothing checks that with step-wide means the split into micro-batches changes no bit.
func TestSplitChangesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, cfg := range configs() {
		objective, _ := New(cfg)
		batch := randomBatch(r, 13, true)
		n := StepWide(Count(batch))
		var whole Stats
		want, err := objective.Compute(batch, n, &whole)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			var split Stats
			for at := 0; at < len(batch); {
				to := min(len(batch), at+1+r.IntN(5))
				got, err := objective.Compute(batch[at:to], n, &split)
				if err != nil {
					t.Fatal(err)
				}
				for i := range got {
					for j := range got[i] {
						if got[i][j] != want[at+i][j] {
							t.Fatalf("%s: gradient %d, %d: %v, want %v", cfg.Loss, at+i, j, got[i][j], want[at+i][j])
						}
					}
				}
				at = to
			}
			if split != whole {
				t.Fatalf("%s: stats %+v, want %+v", cfg.Loss, split, whole)
			}
		}
	}
}

// TestByHand works out two completions of 1 and 3 tokens with advantages 2 and −1 on paper.
func TestByHand(t *testing.T) {
	ln := func(x float64) float32 { return float32(math.Log(x)) }
	batch := func(old bool) []Completion {
		b := []Completion{
			{LogProbs: []float32{-1}, Advantage: 2, Entropies: []float32{0.5}},
			{LogProbs: []float32{-1, -1, -1}, Advantage: -1, Entropies: []float32{0.1, 0.2, 0.4}},
		}
		if old { // ratios 1.5; 0.5, 1, 1.5
			b[0].Old = []float32{-1 - ln(1.5)}
			b[1].Old = []float32{-1 - ln(0.5), -1, -1 - ln(1.5)}
		}
		return b
	}
	for _, tc := range []struct {
		name  string
		cfg   Config
		old   bool
		loss  float64
		grads [2][]float64
		low   float64 // clip_ratio/low_mean
		high  float64
	}{
		// On policy: token losses −2; 1, 1, 1.
		{"grpo", Config{Loss: "grpo"}, false, (-2. + 1) / 2, [2][]float64{{-1}, {1. / 6, 1. / 6, 1. / 6}}, 0, 0},
		{"bnpo", Config{Loss: "bnpo"}, false, (-2. + 3) / 4, [2][]float64{{-0.5}, {0.25, 0.25, 0.25}}, 0, 0},
		{"dapo", Config{Loss: "dapo"}, false, (-2. + 3) / 4, [2][]float64{{-0.5}, {0.25, 0.25, 0.25}}, 0, 0},
		{"dr_grpo", Config{Loss: "dr_grpo", MaxCompletionLength: 5}, false, (-2. + 3) / 10, [2][]float64{{-0.2}, {0.1, 0.1, 0.1}}, 0, 0},
		// Clipped to [0.8, 1.2]: −1.2·2; 0.8 (clipped: no gradient), 1, 1.5.
		{"clip", Config{Loss: "bnpo", EpsLow: 0.2, EpsHigh: 0.2}, true, (-2.4 + 0.8 + 1 + 1.5) / 4, [2][]float64{{0}, {0, 0.25, 1.5 / 4}}, 0.25, 0.25},
		// A bound of 1.4 on the ratio acts on the last token.
		{"two-sided", Config{Loss: "bnpo", EpsLow: 0.2, EpsHigh: 0.2, Delta: 1.4}, true, (-2.4 + 0.8 + 1 + 1.4) / 4, [2][]float64{{0}, {0, 0.25, 0}}, 0.25, 0.25},
		// Ratios of the completions 1.5 and 0.75^(1/3) = 0.9086.
		{"sequence", Config{Loss: "grpo", EpsLow: 0.2, EpsHigh: 0.6, RatioLevel: RatioSequence}, true, (-3 + math.Cbrt(0.75)) / 2,
			[2][]float64{{-1.5}, {math.Cbrt(0.75) / 6, math.Cbrt(0.75) / 6, math.Cbrt(0.75) / 6}}, 0, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objective, err := New(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			rows := batch(tc.old)
			var stats Stats
			grads, err := objective.Compute(rows, StepWide(Count(rows)), &stats)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "loss", stats.Loss(), tc.loss, 1e-6)
			for i := range tc.grads {
				for j, want := range tc.grads[i] {
					near(t, "gradient", float64(grads[i][j]), want, 1e-6)
				}
			}
			near(t, "low", metric(t, &stats, "clip_ratio/low_mean"), tc.low, 0)
			near(t, "high", metric(t, &stats, "clip_ratio/high_mean"), tc.high, 0)
			near(t, "region", metric(t, &stats, "clip_ratio/region_mean"), tc.low+tc.high, 0)
			near(t, "entropy", metric(t, &stats, "entropy"), 0.3, 1e-7)
		})
	}
}

// TestMetricsByHand checks the sampler metrics, the extremes over completions and Skip.
func TestMetricsByHand(t *testing.T) {
	objective, err := New(Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, TruncatedIS: 1.5})
	if err != nil {
		t.Fatal(err)
	}
	ln2 := float32(math.Ln2)
	rows := []Completion{
		{LogProbs: []float32{-1, -1}, Sampling: []float32{-1, -1 - ln2}, Advantage: 1},                                  // weights 1, 2 → 1.5
		{LogProbs: []float32{-1, -1}, Old: []float32{-1 + ln2, -1}, Sampling: []float32{-1 + 2*ln2, -1}, Advantage: -1}, // ½, 1; ratio ½ clipped
	}
	total := Count(rows).Add(Totals{Sequences: 1, Tokens: 4})
	var stats Stats
	grads, err := objective.Compute(rows, StepWide(total), &stats)
	if err != nil {
		t.Fatal(err)
	}
	stats.Skip(4, 0)
	near(t, "weighted gradient", float64(grads[0][1]), -1.5/8, 1e-7)
	for name, want := range map[string]float64{
		"loss":                (-1 - 1.5 + 0.8*0.5 + 1) / 8,
		"clip_ratio/low_mean": 1. / 8, "clip_ratio/low_min": 0, "clip_ratio/high_mean": 0, "clip_ratio/high_max": 0, "clip_ratio/region_mean": 1. / 8,
		"sampling/sampling_logp_difference/mean": math.Ln2 / 2, "sampling/sampling_logp_difference/max": math.Ln2,
		"sampling/importance_sampling_ratio/min": 0.5, "sampling/importance_sampling_ratio/mean": 1, "sampling/importance_sampling_ratio/max": 1.5,
	} {
		near(t, name, metric(t, &stats, name), want, 1e-7)
	}
	for _, m := range stats.Metrics() {
		if m.Name == "kl" || m.Name == "entropy" {
			t.Errorf("%s reported without anything to take it from", m.Name)
		}
	}
	if _, ok := stats.KLSequenceMean(); ok {
		t.Error("kl reported without a reference")
	}
}

func TestBadInput(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	ok := []float32{-1, -2}
	for _, tc := range []struct {
		name, says string
		cfg        Config
		c          Completion
	}{
		{"old length", "1 old log-probabilities for 2 tokens", Config{Loss: "grpo"}, Completion{LogProbs: ok, Old: []float32{-1}}},
		{"no reference", "reference", Config{Loss: "grpo", Beta: 0.1}, Completion{LogProbs: ok}},
		{"no sampler", "sampling", Config{Loss: "grpo", TruncatedIS: 2}, Completion{LogProbs: ok}},
		{"nan", "token 1", Config{Loss: "grpo"}, Completion{LogProbs: []float32{-1, nan}}},
		{"infinite", "token 0", Config{Loss: "grpo"}, Completion{LogProbs: []float32{inf, -1}}},
		{"advantage", "advantage", Config{Loss: "grpo"}, Completion{LogProbs: ok, Advantage: nan}},
		{"overflow", "out of range", Config{Loss: "grpo"}, Completion{LogProbs: ok, Old: []float32{-2000, -1}, Advantage: -1}},
		{"overflow of a gradient", "out of range", Config{Loss: "bnpo"}, Completion{LogProbs: ok, Old: []float32{-101, -1}, Advantage: -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			objective, err := New(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			good := Completion{LogProbs: ok, Old: ok, Ref: ok, Sampling: ok, Advantage: 1}
			var stats Stats
			_, err = objective.Compute([]Completion{good, tc.c}, StepWide(Totals{2, 4}), &stats)
			if !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "completion 1") || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("error %v", err)
			}
			if stats != (Stats{}) {
				t.Errorf("stats changed: %+v", stats)
			}
		})
	}
}

// TestUnusedReferenceOverflow: a reference that is only measured must not reach the gradient.
func TestUnusedReferenceOverflow(t *testing.T) {
	objective, _ := New(Config{Loss: "bnpo"})
	var stats Stats
	grads, err := objective.Compute([]Completion{{LogProbs: []float32{-2000}, Ref: []float32{0}, Advantage: 1}}, StepWide(Totals{1, 1}), &stats)
	if err != nil || grads[0][0] != -1 {
		t.Errorf("gradients %v, %v", grads, err)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		cfg  Config
		says string
	}{
		{Config{Loss: "ppo"}, "bnpo, dapo, dr_grpo, grpo"},
		{Config{Loss: "dr-grpo"}, `did you mean "dr_grpo"`},
		{Config{}, "loss"},
		{Config{Loss: "grpo", Beta: -1}, "beta"},
		{Config{Loss: "grpo", EpsLow: math.NaN()}, "eps_low"},
		{Config{Loss: "grpo", EpsLow: 1.5}, "eps_low"},
		{Config{Loss: "grpo", EpsHigh: 0.2, Delta: 1.1}, "delta"},
		{Config{Loss: "grpo", RatioLevel: "word"}, "ratio_level"},
		{Config{Loss: "dr_grpo"}, "max_completion_length"},
		{Config{Loss: "dapo", TruncatedIS: math.Inf(1)}, "truncated_is"},
	} {
		if _, err := New(tc.cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%+v: error %v, want one about %s", tc.cfg, err, tc.says)
		}
	}
}
