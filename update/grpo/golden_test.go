package grpo

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"openrs/stages/goldentest"
)

// goldenBatch is the ragged input that losses.json and each model's expected.json share.
type goldenBatch struct {
	Advantages []float32   `json:"advantages"`
	LogProbs   [][]float32 `json:"logprobs"`
	Old        [][]float32 `json:"old_logprobs"`
	Ref        [][]float32 `json:"ref_logprobs"`
	Sampling   [][]float32 `json:"sampling_logprobs"`
}

// goldenVariant is one objective with what is expected of it.
type goldenVariant struct {
	LossType        string             `json:"loss_type"`
	Beta            float64            `json:"beta"`
	EpsLow          float64            `json:"eps_low"`
	EpsHigh         float64            `json:"eps_high"`
	UseOld          bool               `json:"use_old_logprobs"`
	RatioLevel      string             `json:"ratio_level"`
	Delta           float64            `json:"delta"`
	TruncatedIS     float64            `json:"truncated_is_max"`
	MaxLength       int                `json:"max_completion_length"`
	NumItems        int                `json:"num_items"`
	Temperature     float64            `json:"temperature"`
	Loss            float64            `json:"loss"`
	Metrics         map[string]float64 `json:"metrics"`
	Grads           [][]float64        `json:"dloss_dlogprob"`
	MicroLossScaled []float64          `json:"micro_losses_scaled"`
}

func (v goldenVariant) config() Config {
	return Config{Loss: v.LossType, Beta: v.Beta, EpsLow: v.EpsLow, EpsHigh: v.EpsHigh, Delta: v.Delta,
		RatioLevel: v.RatioLevel, TruncatedIS: v.TruncatedIS, MaxCompletionLength: v.MaxLength}
}

func (b goldenBatch) completions(v goldenVariant) []Completion {
	rows := make([]Completion, len(b.LogProbs))
	for i := range rows {
		rows[i] = Completion{LogProbs: b.LogProbs[i], Advantage: b.Advantages[i]}
		if v.UseOld {
			rows[i].Old = b.Old[i]
		}
		if v.Beta > 0 {
			rows[i].Ref = b.Ref[i]
		}
		if v.TruncatedIS > 0 {
			rows[i].Sampling = b.Sampling[i]
		}
	}
	return rows
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.9g, want %.9g", what, got, want)
	}
}

func metric(t *testing.T, s *Stats, name string) float64 {
	t.Helper()
	for _, m := range s.Metrics() {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// checkVariant computes one variant on one micro-batch and compares loss, metrics and, where given,
// gradients.
func checkVariant(t *testing.T, b goldenBatch, v goldenVariant) {
	t.Helper()
	objective, err := New(v.config())
	if err != nil {
		t.Fatal(err)
	}
	rows := b.completions(v)
	total := Count(rows)
	step := total
	if v.NumItems > 0 {
		step.Tokens = v.NumItems
	}
	var stats Stats
	grads, err := objective.Compute(rows, PerMicroBatch(total, step, 1), &stats)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss", stats.Loss(), v.Loss, 1e-6)
	near(t, "low", metric(t, &stats, "clip_ratio/low_mean"), v.Metrics["clip_low_fraction"], 1e-12)
	near(t, "high", metric(t, &stats, "clip_ratio/high_mean"), v.Metrics["clip_high_fraction"], 1e-12)
	if want, ok := v.Metrics["kl_token_mean"]; ok {
		near(t, "kl", metric(t, &stats, "kl"), want, 1e-6)
		got, _ := stats.KLSequenceMean()
		near(t, "kl of sequences", got, v.Metrics["kl_mean_of_sequence_means"], 1e-6)
	}
	for i := range v.Grads {
		if len(grads[i]) != len(v.Grads[i]) {
			t.Fatalf("completion %d: %d gradients, want %d", i, len(grads[i]), len(v.Grads[i]))
		}
		for j, want := range v.Grads[i] {
			if math.Abs(float64(grads[i][j])-want) > 1e-7*max(1e-2, math.Abs(want)) {
				t.Errorf("gradient of completion %d, token %d: got %.9g, want %.9g", i, j, grads[i][j], want)
			}
		}
	}
	// All of it is one micro-batch, so the trainer's own normalisation agrees (dapo's num_items apart).
	if v.NumItems == 0 || v.NumItems == total.Tokens {
		var wide Stats
		again, err := objective.Compute(rows, StepWide(total), &wide)
		if err != nil || wide != stats || !slices.EqualFunc(again, grads, slices.Equal) {
			t.Errorf("step-wide normalisation of a single micro-batch differs: %v", err)
		}
	}
}

func TestGoldenLosses(t *testing.T) {
	var file struct {
		goldenBatch
		Variants map[string]goldenVariant `json:"variants"`
	}
	goldentest.Decode(t, goldentest.Path(t, "losses.json"), &file)
	if len(file.Variants) == 0 {
		t.Fatal("no variants")
	}
	for name, v := range file.Variants {
		t.Run(name, func(t *testing.T) {
			if len(v.Grads) == 0 {
				t.Fatal("no gradients to compare")
			}
			checkVariant(t, file.goldenBatch, v)
		})
	}
}

// TestGoldenModelLosses does the same with the log-probabilities of the golden models, and with the
// accumulation of three micro-batches.
func TestGoldenModelLosses(t *testing.T) {
	for _, dir := range goldentest.Models(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var file struct {
				Batch        goldenBatch              `json:"batch"`
				GRPO         map[string]goldenVariant `json:"grpo"`
				Accumulation struct {
					MicroBatches [][2]int                 `json:"micro_batches"`
					Cases        map[string]goldenVariant `json:"cases"`
				} `json:"accumulation"`
			}
			goldentest.Decode(t, filepath.Join(dir, "expected.json"), &file)
			if len(file.GRPO) == 0 || len(file.Accumulation.Cases) == 0 {
				t.Fatalf("%s: expected.json lacks losses", dir)
			}
			for name, v := range file.GRPO {
				if v.Temperature != 1 {
					continue // its log-probabilities are not in the file
				}
				t.Run(name, func(t *testing.T) { checkVariant(t, file.Batch, v) })
			}
			for name, v := range file.Accumulation.Cases {
				t.Run("accumulation/"+name, func(t *testing.T) {
					checkAccumulation(t, file.Batch, v, file.Accumulation.MicroBatches)
				})
			}
		})
	}
}

func checkAccumulation(t *testing.T, b goldenBatch, v goldenVariant, micro [][2]int) {
	objective, err := New(v.config())
	if err != nil {
		t.Fatal(err)
	}
	rows := b.completions(v)
	step := Count(rows)
	var sum float64
	for i, r := range micro {
		part := rows[r[0]:r[1]]
		var stats Stats
		if _, err := objective.Compute(part, PerMicroBatch(Count(part), step, len(micro)), &stats); err != nil {
			t.Fatal(err)
		}
		near(t, "micro loss", stats.Loss(), v.MicroLossScaled[i], 1e-6)
		sum += stats.Loss()
	}
	near(t, "loss", sum, v.Loss, 1e-6)

	// The same in one call, each completion marked with its micro-batch.
	for _, r := range micro {
		for i := r[0]; i < r[1]; i++ {
			rows[i].Micro = Micro{Totals: Count(rows[r[0]:r[1]]), Of: len(micro)}
		}
	}
	var stats Stats
	if _, err := objective.Compute(rows, StepWide(step), &stats); err != nil {
		t.Fatal(err)
	}
	near(t, "loss in one call", stats.Loss(), v.Loss, 1e-6)
}
