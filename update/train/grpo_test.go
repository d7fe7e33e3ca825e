package train

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/stages/device"
	"openrs/update/grpo"
	"openrs/update/steps"
)

// mixed are groups with every kind of advantage: the second teaches nothing, the third's middle
// completion neither.
var mixed = []groupSpec{
	{id: "a", advantages: []float32{1.2, -0.4, -0.8}},
	{id: "b", advantages: []float32{0, 0, 0}},
	{id: "c", advantages: []float32{-1, 0, 1}},
}

// TestStepSkipsZeroAdvantages compares a step with one in which every completion goes through the
// model, once by a divergence term that is exactly zero and once by the loss written out.
func TestStepSkipsZeroAdvantages(t *testing.T) {
	tr := newTiny(t, 1)
	step := makeStep(t, tr, 0, mixed...)
	got := run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}, step)
	skipped := gradients(t, tr)

	// The reference is what training starts from: the divergence and its gradient are 0.
	all := newTiny(t, 1)
	o := objective(t, grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, Beta: 1e-3})
	forced := run(t, &GRPO{Live: true, Trainer: all, Objective: o, Reference: newReference(t, all, 1), OnPolicy: true}, step)
	closeGradients(t, tr, skipped, gradients(t, all), 1e-5)
	for _, name := range []string{"grad_norm", "loss", "clip_ratio/low_mean", "reward", "completions/mean_length"} {
		near(t, name, got[name], forced[name], 1e-6)
	}
	if a, b := tr.Updates(), all.Updates(); a != 1 || b != 1 {
		t.Errorf("%d and %d updates", a, b)
	}

	plain := newTiny(t, 1)
	tokens, at := 0, 0
	var advantages []float32
	for _, g := range step.Groups {
		for _, r := range g.Rows {
			tokens += len(r.CompletionIDs)
			advantages = append(advantages, r.Advantage)
		}
	}
	var loss float64
	_, err := plain.update((&GRPO{Objective: o, Reference: newReference(t, plain, 1)}).collect(step).groups, func(m microBatch) ([][]float32, error) {
		grads := make([][]float32, len(m.logprobs))
		for i, row := range m.logprobs {
			for range row {
				loss -= float64(advantages[at]) / float64(tokens)
				grads[i] = append(grads[i], -advantages[at]/float32(tokens))
			}
			at++
		}
		return grads, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "loss", got["loss"], loss, 1e-9)
	closeGradients(t, tr, skipped, gradients(t, plain), 1e-5)
}

// TestStepIterations: the second update from the same groups is that of an off-policy step whose
// recorded log-probabilities are those of the first.
func TestStepIterations(t *testing.T) {
	twice, once := newTiny(t, 1), newTiny(t, 1)
	step := makeStep(t, twice, 0, mixed...)
	later := cloneStep(step)
	later.Number = 1 // its rows stay those of policy 0

	got := run(t, &GRPO{Live: true, Trainer: twice, Objective: dapo(t), Iterations: 2, OnPolicy: true}, step)
	g := &GRPO{Live: true, Trainer: once, Objective: dapo(t), OnPolicy: true}
	first := run(t, g, step)
	if r := first["sampling/importance_sampling_ratio/min"]; r != 1 || first["sampling/importance_sampling_ratio/max"] != 1 || first["clip_ratio/region_mean"] != 0 {
		t.Errorf("first iteration: ratios from %v to %v, %v clipped; expected exactly 1",
			r, first["sampling/importance_sampling_ratio/max"], first["clip_ratio/region_mean"])
	}
	second := run(t, g, later)
	sameBits(t, "weights after two updates", weights(t, twice), weights(t, once))
	if got["loss"] != second["loss"] || got["clip_ratio/region_mean"] != second["clip_ratio/region_mean"] {
		t.Errorf("loss %v and clipped %v, want %v and %v", got["loss"], got["clip_ratio/region_mean"], second["loss"], second["clip_ratio/region_mean"])
	}
	if clipped := got["clip_ratio/region_mean"]; clipped == 0 || clipped > 0.9 || got["loss"] == first["loss"] {
		t.Errorf("the first update is to move some ratios beyond the bounds and not all: %v clipped, loss %v", got["clip_ratio/region_mean"], got["loss"])
	}
	if twice.Updates() != 2 || once.Updates() != 2 {
		t.Errorf("%d and %d updates, want 2", twice.Updates(), once.Updates())
	}
}

// TestStepRatios: with recorded log-probabilities that are ln 2 too low, off-policy rows have a ratio of
// 2, and truncated importance sampling weighs on-policy rows by its cap.
func TestStepRatios(t *testing.T) {
	one := []groupSpec{{id: "a", advantages: []float32{1}}}
	base := newTiny(t, 1)
	low := makeStep(t, base, 3, one...)
	for _, r := range low.Groups[0].Rows {
		for i := range r.LogProbs {
			r.LogProbs[i] -= math.Ln2
		}
	}
	exact := run(t, &GRPO{Live: true, Trainer: base, Objective: dapo(t)}, makeStep(t, base, 3, one...))

	behind := cloneStep(low)
	behind.Groups[0].Rows[0].PolicyVersion = 2
	got := run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: dapo(t), OnPolicy: true}, behind)
	near(t, "off-policy loss", got["loss"], -1.2, 1e-6)
	near(t, "off-policy clipped", got["clip_ratio/high_mean"], 1, 0)
	near(t, "off-policy gradient norm", got["grad_norm"], 0, 0)
	near(t, "ratio", got["sampling/importance_sampling_ratio/mean"], 2, 1e-5)

	truncated := objective(t, grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, TruncatedIS: 1.5})
	got = run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: truncated}, low)
	near(t, "truncated loss", got["loss"], -1.5, 1e-6)
	near(t, "truncated gradient norm", got["grad_norm"], 1.5*exact["grad_norm"], 1e-5*exact["grad_norm"])
	near(t, "ratio that was used", got["sampling/importance_sampling_ratio/max"], 1.5, 0)
	near(t, "difference", got["sampling/sampling_logp_difference/max"], math.Ln2, 1e-5)

	_, err := (&GRPO{Live: true, Trainer: newTiny(t, 1), Objective: truncated, Temperature: 0.5}).Step(low)
	if !errors.Is(err, grpo.ErrInput) || !strings.Contains(err.Error(), "truncated importance sampling") || !strings.Contains(err.Error(), "step 3") {
		t.Errorf("log-probabilities of another temperature: error %v", err)
	}
}

// TestStepOffPolicyCheck alters one recorded log-probability by the smallest amount there is.
func TestStepOffPolicyCheck(t *testing.T) {
	tr := newTiny(t, 1)
	step := makeStep(t, tr, 2, mixed...)
	before := weights(t, tr)
	g := &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}
	for name, towards := range map[string]float32{"up": 1, "down": -100} {
		bad := cloneStep(step)
		row := &bad.Groups[2].Rows[2]
		last := &row.LogProbs[len(row.LogProbs)-1]
		*last = math.Nextafter32(*last, towards)
		if _, err := g.Step(bad); !errors.Is(err, ErrOffPolicy) || !strings.Contains(err.Error(), "step 2") {
			t.Errorf("%s: error %v, want ErrOffPolicy", name, err)
		}
		sameBits(t, "weights after a refused step", weights(t, tr), before)

		run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: dapo(t)}, bad)                                   // no check
		run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: dapo(t), OnPolicy: true, Temperature: 0.5}, bad) // nothing to compare
		row.PolicyVersion = 1
		run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: dapo(t), OnPolicy: true}, bad) // not on policy
	}
	if tr.Updates() != 0 {
		t.Errorf("%d updates, want 0", tr.Updates())
	}
	if _, err := g.Step(step); err != nil {
		t.Errorf("the step as recorded: %v", err)
	}
}

// TestStepTemperature: log-probabilities are taken at the temperature of sampling, or at the one that is
// set, in which case what was recorded at another one is no old policy.
func TestStepTemperature(t *testing.T) {
	hot := []groupSpec{{id: "a", advantages: []float32{1, -1}, temperature: 0.7}, {id: "c", advantages: []float32{2, -2}, temperature: 1.3}}
	a, b, c := newTiny(t, 1), newTiny(t, 1), newTiny(t, 1)
	sampled := makeStep(t, a, 0, hot...)

	own := run(t, &GRPO{Live: true, Trainer: a, Objective: dapo(t), OnPolicy: true}, sampled)
	behind := cloneStep(sampled)
	for i := range behind.Groups {
		for j := range behind.Groups[i].Rows {
			behind.Groups[i].Rows[j].PolicyVersion = -1
		}
	}
	set := run(t, &GRPO{Live: true, Trainer: b, Objective: dapo(t), OnPolicy: true, Temperature: 1}, behind)

	plain := cloneStep(sampled)
	for i := range plain.Groups {
		for j := range plain.Groups[i].Rows {
			plain.Groups[i].Rows[j].Temperature = 1
		}
		record(t, c, plain.Groups[i].Rows)
	}
	want := run(t, &GRPO{Live: true, Trainer: c, Objective: dapo(t), OnPolicy: true}, plain)

	sameBits(t, "weights after a step at temperature 1", weights(t, b), weights(t, c))
	if set["entropy"] != want["entropy"] || set["entropy"] == own["entropy"] {
		t.Errorf("entropy %v at temperature 1, want %v; at that of sampling %v", set["entropy"], want["entropy"], own["entropy"])
	}
	if slices.Equal(weights(t, a), weights(t, b)) {
		t.Error("the temperature changed nothing")
	}
	if _, ok := set["sampling/importance_sampling_ratio/mean"]; ok {
		t.Error("log-probabilities of two temperatures were compared")
	}
}

// TestStepMixedTemperatures: rows of one group that were sampled at several temperatures each keep
// theirs.
func TestStepMixedTemperatures(t *testing.T) {
	tr := newTiny(t, 1)
	step := makeStep(t, tr, 0, groupSpec{id: "a", advantages: []float32{1, -1, 2, -2}})
	rows := step.Groups[0].Rows
	rows[1].Temperature, rows[2].Temperature = 0.6, 0.6
	record(t, tr, rows)
	if _, err := (&GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}).Step(step); err != nil {
		t.Error(err)
	}
}

// TestStepReference: the divergence from what training starts with is 0 at first and grows.
func TestStepReference(t *testing.T) {
	tr := newTiny(t, 1)
	g := &GRPO{Live: true, Trainer: tr, Objective: objective(t, grpo.OpenRS()), Reference: newReference(t, tr, 1), OnPolicy: true, Iterations: 1}
	first := run(t, g, makeStep(t, tr, 0, mixed...))
	if kl, ok := first["kl"]; !ok || kl != 0 {
		t.Errorf("kl of the first step is %v, expected exactly 0", kl)
	}
	second := run(t, g, makeStep(t, tr, 1, mixed...))
	if !(second["kl"] > 0) {
		t.Errorf("kl of the second step is %v, expected more than 0", second["kl"])
	}
	// A step without rewards to learn from is still pulled to the reference.
	third := run(t, g, makeStep(t, tr, 2, mixed[1]))
	if !(third["grad_norm"] > 0) || tr.Updates() != 3 {
		t.Errorf("gradient norm %v, %d updates", third["grad_norm"], tr.Updates())
	}
}

// TestStepNothing: a step without anything to learn is a step with a gradient of zero; before momentum
// has built up that leaves the weights alone.
func TestStepNothing(t *testing.T) {
	still := settings()
	still.WeightDecay = 0
	tr := newTrainerOf(t, open(t, shape, 1), Options{Optimizer: still, TokenBudget: 100})
	before := weights(t, tr)
	g := &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true, Iterations: 3}
	failed := makeStep(t, tr, 0, mixed[1])
	for i := range failed.Groups[0].Rows {
		fail(&failed.Groups[0].Rows[i])
	}
	for name, step := range map[string]steps.Step{
		"equal rewards": makeStep(t, tr, 0, mixed[1], groupSpec{id: "d", advantages: []float32{0}}),
		"failed":        failed,
		"empty":         {Number: 7},
	} {
		got := run(t, g, step)
		if got["loss"] != 0 {
			t.Errorf("%s: loss %v", name, got["loss"])
		}
		if norm, ok := got["grad_norm"]; !ok || norm != 0 {
			t.Errorf("%s: gradient norm %v", name, norm)
		}
		if name == "equal rewards" && (got["frac_reward_zero_std"] != 1 || got["completions/mean_length"] == 0) {
			t.Errorf("%s: metrics %v", name, got)
		}
	}
	sameBits(t, "weights", weights(t, tr), before)
	if tr.Updates() != 9 { // three steps of three iterations
		t.Errorf("%d updates", tr.Updates())
	}
}

// fail turns a row into one for which no completion could be made.
func fail(r *schemas.Scored) {
	r.PromptIDs, r.CompletionIDs, r.LogProbs = nil, nil, nil
	r.FinishReason, r.Reward, r.Advantage, r.Rewards = schemas.FinishError, nil, 0, nil
}

// TestStepIgnoresErrors: rows without tokens change nothing, wherever they are.
func TestStepIgnoresErrors(t *testing.T) {
	a, b := newTiny(t, 1), newTiny(t, 1)
	step := makeStep(t, a, 0, mixed...)
	holes := cloneStep(step)
	for i := range holes.Groups {
		var bad schemas.Scored
		fail(&bad)
		holes.Groups[i].Rows = slices.Insert(holes.Groups[i].Rows, i, bad)
	}
	for _, loss := range []grpo.Config{{Loss: "grpo"}, {Loss: "dr_grpo", MaxCompletionLength: 12}} {
		o := objective(t, loss)
		want, got := run(t, &GRPO{Live: true, Trainer: a, Objective: o}, step), run(t, &GRPO{Live: true, Trainer: b, Objective: o}, holes)
		if got["loss"] != want["loss"] || got["completions/mean_length"] != want["completions/mean_length"] {
			t.Errorf("%s: loss %v and length %v, want %v and %v", loss.Loss, got["loss"], got["completions/mean_length"], want["loss"], want["completions/mean_length"])
		}
		sameBits(t, "weights", weights(t, b), weights(t, a))
	}
}

// TestStepMetrics lists what a step reports.
func TestStepMetrics(t *testing.T) {
	tr := newTiny(t, 1)
	names := []string{
		"reward", "reward_std", "frac_reward_zero_std", "rewards/accuracy/mean", "rewards/accuracy/std",
		"completions/mean_length", "completions/min_length", "completions/max_length", "completions/clipped_ratio",
		"completions/mean_terminated_length", "completions/min_terminated_length", "completions/max_terminated_length",
		"loss", "entropy", "grad_norm", "learning_rate",
		"clip_ratio/low_mean", "clip_ratio/low_min", "clip_ratio/high_mean", "clip_ratio/high_max", "clip_ratio/region_mean",
		"sampling/sampling_logp_difference/mean", "sampling/sampling_logp_difference/max",
		"sampling/importance_sampling_ratio/min", "sampling/importance_sampling_ratio/mean", "sampling/importance_sampling_ratio/max",
	}
	check := func(got map[string]float64, names []string) {
		t.Helper()
		for _, name := range names {
			if _, ok := got[name]; !ok {
				t.Errorf("no metric %s", name)
			}
		}
		if len(got) != len(names) {
			t.Errorf("%d metrics %v, want the %d listed", len(got), got, len(names))
		}
	}
	got := run(t, &GRPO{Live: true, Trainer: tr, Objective: dapo(t), Iterations: 2}, makeStep(t, tr, 0, mixed...))
	check(got, names)
	near(t, "frac_reward_zero_std", got["frac_reward_zero_std"], 1./3, 1e-12)
	near(t, "learning_rate", got["learning_rate"], 3e-4*19/20, 1e-12)
	if got["entropy"] <= 0 || got["grad_norm"] <= 0 {
		t.Errorf("entropy %v, gradient norm %v", got["entropy"], got["grad_norm"])
	}
	g := &GRPO{Live: true, Trainer: tr, Objective: objective(t, grpo.OpenRS()), Reference: newReference(t, tr, 1)}
	check(run(t, g, makeStep(t, tr, 1, mixed...)), append(names, "kl"))
}

// TestNewRefuses: settings that can't be used are found before any training.
func TestNewRefuses(t *testing.T) {
	source := open(t, shape, 1)
	bad := settings()
	bad.Beta1 = 2
	for name, opt := range map[string]Options{
		"token budget":  {Optimizer: settings()},
		"beta1":         {Optimizer: bad, TokenBudget: 10},
		"max positions": {Optimizer: settings(), TokenBudget: 10, MaxPositions: 1 << 20},
	} {
		if tr, err := New([]device.Device{newDevice(t)}, source, opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: trainer %v, error %v", name, tr, err)
		}
	}
	tr := newTrainerOf(t, source, Options{Optimizer: settings(), TokenBudget: 10})
	if n := tr.Parameters(); n < 300_000 || n > 400_000 {
		t.Errorf("%d parameters", n)
	}
	_, err := (&GRPO{Live: true, Trainer: tr, Objective: dapo(t)}).Step(steps.Step{Groups: []steps.Group{{Rows: []schemas.Scored{{
		Advantage: 1, Rollout: schemas.Rollout{PromptIDs: []int32{1}, CompletionIDs: []int32{1 << 20}, LogProbs: []float32{-1}, Temperature: 1},
	}}}}})
	if err == nil || !strings.Contains(err.Error(), "step 0") || !strings.Contains(err.Error(), "target") {
		t.Errorf("a token beyond the vocabulary: error %v", err)
	}
}

// TestStepMicroBatches: the loss of a step is the mean of its micro-batches' means, one of each group as large
// as a micro-batch here. A group in which nothing was sampled does not count, also in the middle.
func TestStepMicroBatches(t *testing.T) {
	base := newTiny(t, 1)
	groups := []groupSpec{
		{id: "a", advantages: []float32{1.2, -0.4, -0.8}},
		{id: "b", advantages: []float32{1, -1, 0}},
		{id: "c", advantages: []float32{-1, 0, 1}},
		{id: "d", advantages: []float32{0, 0, 0}},
	}
	step := makeStep(t, base, 0, groups...)
	for i := range step.Groups[1].Rows {
		step.Groups[1].Rows[i].CompletionIDs, step.Groups[1].Rows[i].LogProbs = nil, nil
	}
	bnpo := objective(t, grpo.Config{Loss: "bnpo", EpsLow: 0.2, EpsHigh: 0.2})
	var want, wide, tokens float64
	for _, g := range step.Groups {
		var sum, n float64
		for _, r := range g.Rows {
			sum -= float64(r.Advantage) * float64(len(r.CompletionIDs))
			n += float64(len(r.CompletionIDs))
		}
		if n > 0 {
			want += sum / n / 3
			wide, tokens = wide+sum, tokens+n
		}
	}
	got := run(t, &GRPO{Live: true, Trainer: base, Objective: bnpo, MicroBatch: 3}, step)
	near(t, "loss", got["loss"], want, 1e-6)
	whole := run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: bnpo}, step)
	near(t, "loss over the whole step", whole["loss"], wide/tokens, 1e-6)
	if math.Abs(want-wide/tokens) < 1e-3 {
		t.Errorf("losses %v and %v: lengths must differ for the test to tell them apart", want, wide/tokens)
	}
	all := run(t, &GRPO{Live: true, Trainer: newTiny(t, 1), Objective: bnpo, MicroBatch: 1000}, step)
	near(t, "loss of one large micro-batch", all["loss"], wide/tokens, 1e-6)
}
