package train

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
	"openrs/update/grpo"
	"openrs/update/optim"
	"openrs/update/steps"
)

// whole is a token budget that any golden batch fits in.
const whole = 1 << 20

// TestGoldenGRPO sends the golden batch through the model forwards, the loss and the model backwards,
// for every variant of the loss.
func TestGoldenGRPO(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		tr := g.trainer(t, dev, whole, false, optim.Settings{})
		before := weights(t, tr)
		for _, name := range slices.Sorted(maps.Keys(g.GRPO)) {
			t.Run(name, func(t *testing.T) { g.checkVariant(t, tr, g.GRPO[name]) })
		}
		sameBits(t, "weights after updates at learning rate 0", weights(t, tr), before)
	})
}

func metric(t *testing.T, s grpo.Stats, name string) float64 {
	t.Helper()
	for _, m := range s.Metrics() {
		if m.Name == name {
			return m.Value
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

// TestGoldenGRPOReference does two of the variants on the reference device, whose plain loops are slow.
func TestGoldenGRPOReference(t *testing.T) {
	if underRace {
		t.Skip("slow under the race detector")
	}
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := openGolden(t, dir)
			tr := g.trainer(t, testdevice.Reference(t), whole, false, optim.Settings{})
			for _, name := range []string{"openrs", "dapo_clip_higher"} {
				v, ok := g.GRPO[name]
				if !ok {
					continue
				}
				t.Run(name, func(t *testing.T) { g.checkVariant(t, tr, v) })
			}
		})
	}
}

func (g *golden) checkVariant(t *testing.T, tr *Trainer, v variant) {
	stats, report := g.update(t, tr, v)
	near(t, "loss", stats.Loss(), v.Loss, lossTol)
	near(t, "reported gradient norm", report.GradNorm, v.GradNorm, normTol*v.GradNorm)
	// No ratio of the fixtures lies close to a bound, so float32 clips the very same tokens.
	near(t, "fraction clipped low", metric(t, stats, "clip_ratio/low_mean"), v.Metrics["clip_low_fraction"], 1e-12)
	near(t, "fraction clipped high", metric(t, stats, "clip_ratio/high_mean"), v.Metrics["clip_high_fraction"], 1e-12)
	if want, ok := v.Metrics["kl_token_mean"]; ok {
		near(t, "kl", metric(t, stats, "kl"), want, lossTol)
		kl, _ := stats.KLSequenceMean()
		near(t, "kl of sequences", kl, v.Metrics["kl_mean_of_sequence_means"], lossTol)
	}
	g.checkGradients(t, tr, v.expectedGradients)
}

// TestGoldenStep does what can be said with a step of scored rollouts through [GRPO.Step]: the losses
// without a reference model. The third group has equal rewards, so it never passes the model, and
// loss and gradients are still those of the whole batch.
func TestGoldenStep(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		tr := g.trainer(t, dev, whole, false, optim.Settings{})
		tested := 0
		for _, name := range slices.Sorted(maps.Keys(g.GRPO)) {
			v := g.GRPO[name]
			batch, _ := g.totals(v)
			if v.Beta > 0 || v.TruncatedIS > 0 || v.NumItems > 0 && v.NumItems != batch.Tokens {
				continue // needs numbers that are no model's, or a step of more than this batch
			}
			tested++
			t.Run(name, func(t *testing.T) {
				step := g.step(v)
				trainer := &GRPO{Live: true, Trainer: tr, Objective: v.objective(t), Temperature: float32(v.Temperature)}
				if b := trainer.collect(step); len(b.skipped) == 0 || b.total != batch {
					t.Errorf("%d completions skipped, totals %+v; want some and %+v", len(b.skipped), b.total, batch)
				}
				got := run(t, trainer, step)
				near(t, "loss", got["loss"], v.Loss, lossTol)
				near(t, "fraction clipped low", got["clip_ratio/low_mean"], v.Metrics["clip_low_fraction"], 1e-12)
				near(t, "fraction clipped high", got["clip_ratio/high_mean"], v.Metrics["clip_high_fraction"], 1e-12)
				g.checkGradients(t, tr, v.expectedGradients)
			})
		}
		if tested == 0 {
			t.Error("no variant without a reference model")
		}
	})
}

// step is the batch as scored rollouts. Those with old log-probabilities come from earlier weights.
func (g *golden) step(v variant) steps.Step {
	s := steps.Step{Number: 1}
	for i, c := range g.Batch.Completions {
		if i%g.Batch.GroupSize == 0 {
			s.Groups = append(s.Groups, steps.Group{})
		}
		row := schemas.Scored{Advantage: g.Batch.Advantages[i], Rollout: schemas.Rollout{
			Sample: int32(i % g.Batch.GroupSize), Step: 1, PolicyVersion: 1, Temperature: float32(v.Temperature),
			PromptIDs: g.Batch.Prompts[i], CompletionIDs: c, LogProbs: g.Batch.Old[i],
		}}
		if v.UseOld {
			row.PolicyVersion = 0
		}
		last := &s.Groups[len(s.Groups)-1]
		last.Rows = append(last.Rows, row)
	}
	return s
}

// TestGoldenSFT compares the supervised loss and its gradients.
func TestGoldenSFT(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		tr := g.trainer(t, dev, 60, false, optim.Settings{})
		var examples []Example
		for i, c := range g.Batch.Completions {
			examples = append(examples, Example{Prompt: g.Batch.Prompts[i], Completion: c})
		}
		values, err := tr.SFT(examples)
		if err != nil {
			t.Fatal(err)
		}
		got := byName(t, values)
		near(t, "loss", got["loss"], g.SFT.Loss, lossTol)
		near(t, "grad_norm", got["grad_norm"], g.SFT.GradNorm, normTol*g.SFT.GradNorm)
		g.checkGradients(t, tr, g.SFT.expectedGradients)
	})
}

// TestGoldenAccumulation sums the gradients of three micro-batches, each normalised by itself as TRL
// does under gradient accumulation.
func TestGoldenAccumulation(t *testing.T) {
	eachGolden(t, false, func(t *testing.T, g *golden, dev device.Device) {
		tr := g.trainer(t, dev, whole, false, optim.Settings{})
		micro := g.Accumulation.MicroBatches
		for _, name := range slices.Sorted(maps.Keys(g.Accumulation.Cases)) {
			t.Run(name, func(t *testing.T) {
				v := g.Accumulation.Cases[name]
				_, step := g.totals(v)
				groups, rows := g.groups(v.Temperature), g.rows(v)
				own := func(part []grpo.Completion) grpo.Normalizer {
					return grpo.PerMicroBatch(grpo.Count(part), step, len(micro))
				}
				tr.replicas[0].model.ZeroGrads()
				var sum float64
				for i, r := range micro {
					var stats grpo.Stats
					if _, err := tr.replicas[0].accumulate(groups, microBatch{pieces: g.pieces(r[0], r[1]), first: r[0]}, g.loss(t, v, rows, own, &stats)); err != nil {
						t.Fatal(err)
					}
					near(t, "loss of a micro-batch", stats.Loss(), v.MicroLosses[i], lossTol)
					sum += stats.Loss()
				}
				near(t, "loss", sum, v.Loss, lossTol)
				g.checkGradients(t, tr, v.expectedGradients)
			})
		}
	})
}

// pieces are rows [from, to) of the batch.
func (g *golden) pieces(from, to int) []model.Piece {
	var out []model.Piece
	for from < to {
		group := from / g.Batch.GroupSize
		start := group * g.Batch.GroupSize
		end := min(to, start+g.Batch.GroupSize)
		out = append(out, model.Piece{Group: group, From: from - start, To: end - start})
		from = end
	}
	return out
}

// goldenTrain are three optimizer steps with one of the losses.
type goldenTrain struct {
	LR          float64    `json:"base_lr"`
	Betas       [2]float64 `json:"betas"`
	Eps         float64    `json:"eps"`
	WeightDecay float64    `json:"weight_decay"`
	MaxGradNorm float64    `json:"max_grad_norm"`
	Warmup      int64      `json:"warmup_steps"`
	Total       int64      `json:"total_steps"`
	MinRate     float64    `json:"min_lr_rate"`
	Steps       int        `json:"steps"`
	Log         []struct {
		LR       float64 `json:"lr"`
		Loss     float64 `json:"loss"`
		KL       float64 `json:"kl_token_mean"`
		GradNorm float64 `json:"grad_norm_before_clip"`
		Clip     float64 `json:"clip_coefficient"`
	} `json:"log"`
	LossAfter   float64 `json:"loss_after"`
	File        string  `json:"params_file"`
	WithoutRank struct {
		LossAfter float64            `json:"loss_after"`
		Norms     map[string]float64 `json:"param_norm_after"`
	} `json:"without_decay_on_rank1"`
}

// afterTol, of a loss: Adam divides by the root of the gradient's square however tiny it is, so weights
// that have moved differ by more than rounding (measured: up to 5e-5), and so does what follows.
const afterTol = 2e-5

// TestGoldenTrain makes the three steps, with weight decay on every parameter and on matrices only.
func TestGoldenTrain(t *testing.T) {
	eachGolden(t, true, func(t *testing.T, g *golden, dev device.Device) {
		c, v := g.Train, g.GRPO["openrs"]
		if c.Steps != len(c.Log) || c.Steps == 0 || v.LossType == "" {
			t.Fatalf("%d steps, %d in the log, loss %q", c.Steps, len(c.Log), v.LossType)
		}
		for _, all := range []bool{true, false} {
			t.Run(map[bool]string{true: "decay all", false: "decay matrices"}[all], func(t *testing.T) {
				tr := g.trainer(t, dev, whole, false, optim.Settings{
					LR: c.LR, Beta1: c.Betas[0], Beta2: c.Betas[1], Eps: c.Eps, WeightDecay: c.WeightDecay, DecayAll: all, MaxGradNorm: c.MaxGradNorm,
					Schedule: optim.Schedule{Name: "cosine_with_min_lr", WarmupSteps: c.Warmup, TotalSteps: c.Total, MinRate: c.MinRate},
				})
				for i, want := range c.Log {
					stats, report := g.update(t, tr, v)
					near(t, "learning rate", report.LR, want.LR, 1e-12)
					if !all && i > 1 {
						continue // the log is of the run that decays all
					}
					loss, rel := lossTol, normTol
					if i > 1 { // the first update has learning rate 0
						loss, rel = afterTol, 1e-4
					}
					near(t, "loss", stats.Loss(), want.Loss, loss)
					near(t, "gradient norm", report.GradNorm, want.GradNorm, rel*want.GradNorm)
					near(t, "kl", metric(t, stats, "kl"), want.KL, 5*loss) // of an exponential of what moved
					near(t, "clip coefficient", report.Clip, want.Clip, rel*want.Clip)
				}
				got := weights(t, tr)
				stats, _ := g.update(t, tr, v) // the loss that the next step starts with
				if all {
					near(t, "loss after", stats.Loss(), c.LossAfter, afterTol)
					g.checkParams(t, tr, got)
					return
				}
				near(t, "loss after", stats.Loss(), c.WithoutRank.LossAfter, afterTol)
				for _, p := range tr.replicas[0].model.Params() {
					var squares float64
					for _, x := range got[p.Offset : p.Offset+p.Len()] {
						squares += float64(x) * float64(x)
					}
					want, ok := c.WithoutRank.Norms[p.Name]
					if !ok {
						t.Errorf("no expected norm of %s", p.Name)
					}
					// A sixth of what decay would take from the norm. Most of a key bias's gradient cancels (see
					// keyBiasTol) and Adam steps into the direction of what rounding leaves.
					tol := 3e-6 * max(1, want)
					if strings.HasSuffix(p.Name, "k_proj.bias") {
						tol = 2e-3
					}
					near(t, "norm of "+p.Name, math.Sqrt(squares), want, tol)
				}
			})
		}
	})
}

// checkParams compares the parameters after the three steps. Where a gradient is of the order of Adam's
// eps its rounding decides the direction of a whole step of the learning rate, which is what the wide
// bound allows for a thousandth of the entries.
func (g *golden) checkParams(t *testing.T, tr *Trainer, got []float32) {
	t.Helper()
	file := g.tensors(t, g.Train.File)
	if file == nil {
		return
	}
	entries, off := 0, 0
	for _, p := range tr.replicas[0].model.Params() {
		tensor, err := file.Tensor(p.Name)
		if err != nil {
			t.Fatal(err)
		}
		want := make([]float32, p.Len())
		if err := tensor.ReadFloat32s(want); err != nil {
			t.Fatal(err)
		}
		closeTo(t, p.Name, got[p.Offset:p.Offset+p.Len()], want, 2e-3)
		for i, x := range got[p.Offset : p.Offset+p.Len()] {
			entries++
			if math.Abs(float64(x)-float64(want[i])) > 1e-6 {
				off++
			}
		}
	}
	if off*1000 > entries {
		t.Errorf("%d of %d parameters are off by more than 1e-6, expected at most one in a thousand", off, entries)
	}
}
