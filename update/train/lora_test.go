package train

import (
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/testdevice"
	"openrs/stages/model"
	"openrs/update/grpo"
	"openrs/update/optim"
)

// dropped are adapters whose training forgets nothing easily: all projections, with dropout.
var dropped = model.LoRA{Rank: 4, Alpha: 8, Dropout: 0.1}

// newAdapted makes a trainer of adapters on the tiny model, on n devices of one thread each.
func newAdapted(t *testing.T, l model.LoRA, n int, opt Options) *Trainer {
	t.Helper()
	var devices []device.Device
	for rank := range n {
		devices = append(devices, testdevice.Open(t, rank, 1, opt.DType))
	}
	if opt.Optimizer == (optim.Settings{}) {
		opt.Optimizer = settings()
	}
	if opt.TokenBudget == 0 {
		opt.TokenBudget = 40
	}
	opt.LoRA, opt.Seed = &l, 3
	return newTrainerOn(t, devices, open(t, shape, 1), opt)
}

// TestLoRALeavesTheBase: training changes the adapters alone, and in a live run what is sampled from them has the
// bits that training finds, with and without dropout and in bfloat16.
func TestLoRALeavesTheBase(t *testing.T) {
	for _, c := range []struct {
		name string
		lora model.LoRA
		opt  Options
	}{
		{"plain", model.LoRA{Rank: 4, Alpha: 8}, Options{}},
		{"dropout", dropped, Options{}},
		{"bf16", dropped, Options{DType: device.BF16, Recompute: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := newAdapted(t, c.lora, 1, c.opt)
			if full := newTiny(t, 1).Parameters(); tr.Parameters()*10 > full {
				t.Fatalf("%d parameters are trained, the model has %d", tr.Parameters(), full)
			}
			g := &GRPO{Live: true, Trainer: tr, Objective: dapo(t), OnPolicy: true}
			first := makeStep(t, tr, 0, mixed...)
			score := func(s Scorer) []float32 {
				r := first.Groups[0].Rows[0]
				groups := []model.Group{{Prompt: r.PromptIDs, Completions: [][]int32{r.CompletionIDs}, Temperature: r.Temperature}}
				p, err := model.Pack(groups, model.Whole(groups))
				if err != nil {
					t.Fatal(err)
				}
				logp, _, err := s.LogProbs(p)
				if err != nil {
					t.Fatal(err)
				}
				return logp
			}
			base, m := tr.Bases()[0], tr.replicas[0].model
			before := score(base)
			sameBits(t, "fresh adapters", score(m), before)
			run(t, g, first)
			for step := int64(1); step < 3; step++ {
				got := run(t, g, makeStep(t, tr, step, mixed...)) // as sampled from the weights of that moment
				near(t, "sampler and trainer", got["sampling/sampling_logp_difference/max"], 0, 0)
			}
			sameBits(t, "the base", score(base), before)
			if slices.Equal(score(m), before) {
				t.Error("training changed nothing")
			}
			other := cloneStep(makeStep(t, tr, 3, mixed...))
			other.Groups[0].Rows[0].LogProbs[0] += 1e-3
			if _, err := g.Step(other); !errors.Is(err, ErrOffPolicy) {
				t.Errorf("a log-probability of another model: %v", err)
			}
		})
	}
}

// TestLoRAReference: the base under the adapters is as good a reference as a frozen copy.
func TestLoRAReference(t *testing.T) {
	config := grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, Beta: 0.1}
	for _, recompute := range []bool{false, true} {
		a, b := newAdapted(t, dropped, 1, Options{Recompute: recompute}), newAdapted(t, dropped, 1, Options{})
		withBase := &GRPO{Live: true, Trainer: a, Objective: objective(t, config), Reference: a.Bases(), Iterations: 2}
		withCopy := &GRPO{Live: true, Trainer: b, Objective: objective(t, config), Reference: newReference(t, b, 1), Iterations: 2}
		for step := range int64(3) {
			got, want := run(t, withBase, makeStep(t, a, step, mixed...)), run(t, withCopy, makeStep(t, b, step, mixed...))
			if !maps.Equal(got, want) {
				t.Errorf("step %d: metrics %v, want %v", step, got, want)
			}
			if got["kl"] == 0 {
				t.Errorf("step %d: no divergence", step)
			}
		}
		sameTrainer(t, a, b)
	}
	if bases := newTiny(t, 1).Bases(); bases != nil {
		t.Errorf("training all weights has bases: %v", bases)
	}
}

// TestLoRAShards: several devices train the adapters as one does that computes as many shards, bit for bit,
// with dropout, and however small the micro-batches.
func TestLoRAShards(t *testing.T) {
	config := grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2, Beta: 0.04}
	counts := []int{2, 3}
	if testdevice.GPU(t) {
		counts = counts[:1] // a fake GPU is slow; TestShards has more of them
	}
	for _, n := range counts {
		train := func(tr *Trainer) []map[string]float64 {
			g := &GRPO{Live: true, Trainer: tr, Objective: objective(t, config), Reference: tr.Bases(), OnPolicy: true, Iterations: 2}
			var all []map[string]float64
			for step := range int64(3) {
				all = append(all, run(t, g, makeStep(t, tr, step, several...)))
			}
			return all
		}
		one, many := newAdapted(t, dropped, 1, Options{Shards: n}), newAdapted(t, dropped, n, Options{Recompute: true})
		whole, small := newAdapted(t, dropped, 1, Options{TokenBudget: 10_000}), newAdapted(t, dropped, 1, Options{TokenBudget: 10})
		want, got, first, again := train(one), train(many), train(whole), train(small)
		for rank := range many.replicas {
			sameBits(t, "adapters", weightsOf(t, many, rank), weights(t, one))
		}
		for step := range got {
			if !maps.Equal(got[step], want[step]) {
				t.Errorf("%d devices, step %d: %v, one device has %v", n, step, got[step], want[step])
			}
			for name, v := range first[step] {
				near(t, name+" in shards", want[step][name], v, 2e-4) // the masks are the same
				near(t, name+" in small micro-batches", again[step][name], v, 2e-4)
			}
		}
	}
}

// TestLoRARestoreGoesOn: a run of adapters taken up from a checkpoint, on another number of devices, gives the bits of
// one that never stopped. The checkpoint is an adapter folder that opens by itself.
func TestLoRARestoreGoesOn(t *testing.T) {
	dir := t.TempDir()
	kept := newAdapted(t, dropped, 2, Options{})
	g := &GRPO{Live: true, Trainer: kept, Objective: dapo(t), OnPolicy: true}
	for step := range int64(2) {
		run(t, g, makeStep(t, kept, step, several...))
	}
	if err := kept.Save(dir, State{Step: 2, NextSequence: 9}, 0); err != nil {
		t.Fatal(err)
	}
	folder, err := Latest(dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := adapter.Open(folder)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if l := a.Config.LoRA; l.Rank != 4 || l.Dropout != 0.1 || len(l.Targets) != 7 || a.Config.Base != shape {
		t.Errorf("configuration %+v", a.Config)
	}
	again := newAdapted(t, dropped, 1, Options{Shards: 2})
	state, err := again.Restore(folder)
	if err != nil {
		t.Fatal(err)
	}
	if state.Step != 2 || state.NextSequence != 9 || state.Updates != 2 || len(state.Base) != 64 {
		t.Errorf("state %+v", state)
	}
	sameTrainer(t, again, kept)
	h := &GRPO{Live: true, Trainer: again, Objective: dapo(t), OnPolicy: true}
	for step := int64(2); step < 4; step++ {
		s := makeStep(t, kept, step, several...)
		if want, got := run(t, g, s), run(t, h, s); !maps.Equal(got, want) {
			t.Errorf("step %d: metrics %v, want %v", step, got, want)
		}
	}
	sameTrainer(t, again, kept)
}

func TestLoRARestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	tr := newAdapted(t, dropped, 1, Options{})
	if err := tr.Save(dir, State{Step: 1, NextSequence: 2}, 0); err != nil {
		t.Fatal(err)
	}
	sound := filepath.Join(dir, "checkpoint-1")
	full := newTiny(t, 1)
	fullDir := t.TempDir()
	if err := full.Save(fullDir, State{Step: 1, NextSequence: 2}, 0); err != nil {
		t.Fatal(err)
	}
	other := dropped
	other.Rank, other.Alpha = 8, 16
	some := dropped
	some.Targets = []string{"q_proj"}
	otherBase := dropped
	for name, c := range map[string]struct {
		tr     *Trainer
		folder string
		says   string
	}{
		"another rank":            {newAdapted(t, other, 1, Options{}), sound, "rank 4"},
		"other targets":           {newAdapted(t, some, 1, Options{}), sound, "k_proj"},
		"another base":            {newTrainerOf(t, open(t, shape, 2), Options{Optimizer: settings(), TokenBudget: 40, LoRA: &otherBase}), sound, "digest"},
		"all weights":             {full, sound, "--lora-rank"},
		"checkpoint of all":       {tr, filepath.Join(fullDir, "checkpoint-1"), "no adapters"},
		"no adapter weights":      {tr, without(t, sound, adapter.WeightsFile), adapter.WeightsFile},
		"no moments":              {tr, without(t, sound, optimizerFile), optimizerFile},
		"no adapter's configfile": {tr, without(t, sound, adapter.ConfigFile), "no adapters"},
	} {
		if _, err := c.tr.Restore(c.folder); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	if _, err := tr.Restore(sound); err != nil {
		t.Errorf("the sound checkpoint: %v", err)
	}
}

// without copies a folder but for one file.
func without(t *testing.T, folder, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "checkpoint-1")
	if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestLoRAWrite: what a run leaves opens as a model with adapters and, merged, as one without, and both score as the
// trainer does.
func TestLoRAWrite(t *testing.T) {
	dir := t.TempDir()
	tr := newAdapted(t, dropped, 1, Options{})
	g := &GRPO{Live: true, Trainer: tr, Objective: dapo(t)}
	for step := range int64(3) {
		run(t, g, makeStep(t, tr, step, mixed...))
	}
	if err := tr.Write(dir, checkpoint.F32, false, quiet()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(ModelFolder(dir)); !os.IsNotExist(err) {
		t.Errorf("a model is there that was not asked for: %v", err)
	}
	if err := tr.Write(dir, checkpoint.F32, true, quiet()); err != nil {
		t.Fatal(err)
	}
	want := slices.Concat(recorded(t, tr)...)
	for folder, tol := range map[string]float64{AdapterFolder(dir): 0, ModelFolder(dir): 1e-4} {
		source := open(t, folder, 1)
		dev := newDevice(t)
		m, err := model.New(dev, source.Config, model.Options{LoRA: source.LoRA()})
		if err != nil {
			t.Fatal(err)
		}
		if err := source.Load(m); err != nil {
			t.Fatal(err)
		}
		closeTo(t, folder, slices.Concat(recorded(t, &Trainer{replicas: []*replica{{model: m}}})...), want, tol)
		m.Close()
	}

	// The adapters go on being trained from where they are.
	source := open(t, AdapterFolder(dir), 1)
	more := newTrainerOf(t, source, Options{Optimizer: settings(), TokenBudget: 40, LoRA: source.LoRA()})
	sameBits(t, "adapters that are trained on", weights(t, more), weights(t, tr))
	if _, err := New([]device.Device{newDevice(t)}, source, Options{Optimizer: settings(), TokenBudget: 40}); err == nil || !strings.Contains(err.Error(), "merge") {
		t.Errorf("training all weights of a model with adapters: %v", err)
	}
}

// recorded are the log-probabilities that a trainer's model gives some completions.
func recorded(t *testing.T, tr *Trainer) (all [][]float32) {
	for _, g := range makeStep(t, tr, 50, several...).Groups {
		for _, r := range g.Rows {
			all = append(all, r.LogProbs)
		}
	}
	return all
}

// fineTune makes SFT updates of what the ranges name and returns the loss before each.
func fineTune(t *testing.T, m *model.Model, trained func(model.Param) bool, lr float64, updates int) (losses []float64) {
	t.Helper()
	params, grads := m.Flat()
	var ranges []optim.Range
	for _, p := range m.Params() {
		if trained(p) {
			ranges = append(ranges, optim.Range{Name: p.Name, Offset: p.Offset, Len: p.Len()})
		}
	}
	s := optim.Default()
	s.LR, s.MaxGradNorm = lr, 0 // the norm would be that of everything
	o, err := optim.New(m.Device(), params, grads, ranges, s)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	source := open(t, shape, 1)
	tokens := 0
	var groups []model.Group
	for _, p := range sums(6) {
		e, err := NewExample(source, p)
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, model.Group{Prompt: e.Prompt, Completions: [][]int32{e.Completion}})
		tokens += len(e.Completion)
	}
	packed, err := model.Pack(groups, model.Whole(groups))
	if err != nil {
		t.Fatal(err)
	}
	d := make([]float32, tokens)
	for i := range d {
		d[i] = -1 / float32(tokens)
	}
	for range updates {
		m.ZeroGrads()
		pass, err := m.Forward(packed)
		if err != nil {
			t.Fatal(err)
		}
		loss := 0.0
		for _, l := range pass.LogProbs() {
			loss -= float64(l) / float64(tokens)
		}
		losses = append(losses, loss)
		if err := m.Backward(pass, d); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Step(1); err != nil {
			t.Fatal(err)
		}
		m.Repack()
	}
	return losses
}

// TestLoRAOfFullRank: adapters of full rank reach the loss of full fine-tuning of the same projections.
//
// With A the identity and left as it is, W = W₀ + B and B gets W's gradients: the updates are those of full
// fine-tuning, but for rounding. With A trained as well, from the usual start, the way is another one, and the
// loss it leads to as low.
func TestLoRAOfFullRank(t *testing.T) {
	if testdevice.GPU(t) {
		t.Skip("a matter of arithmetic, not of the device")
	}
	const updates = 60
	source := open(t, shape, 1)
	dev := newDevice(t)
	newModel := func(l *model.LoRA) *model.Model {
		m, err := model.New(dev, source.Config, model.Options{Train: true, LoRA: l})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(m.Close)
		if err := source.Load(m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	full := newModel(nil)
	want := fineTune(t, full, func(p model.Param) bool { return strings.Contains(p.Name, "_proj.weight") }, 1e-3, updates)
	if last := want[updates-1]; last > want[0]/10 {
		t.Fatalf("full fine-tuning goes from %v to %v", want[0], last)
	}

	rank := max(source.Config.Hidden, source.Config.FFN) // as wide as the widest input
	lora := &model.LoRA{Rank: rank, Alpha: float64(rank)}
	identity := newModel(lora)
	params, _ := identity.Flat()
	values := make([]float32, params.Len())
	for _, p := range identity.Params() {
		if _, isB, _ := model.Target(p.Name); !isB {
			for i := range p.Shape[1] {
				values[p.Offset+i*p.Shape[1]+i] = 1
			}
		}
	}
	dev.Upload(params, values)
	identity.Repack()
	onlyB := func(p model.Param) bool { _, isB, _ := model.Target(p.Name); return isB }
	got := fineTune(t, identity, onlyB, 1e-3, updates)
	worst := 0.0
	for i := range want {
		worst = max(worst, math.Abs(got[i]-want[i]))
		near(t, "loss with the identity as A", got[i], want[i], 1e-4)
	}

	usual := newModel(lora)
	if err := usual.InitAdapter(1); err != nil {
		t.Fatal(err)
	}
	got = fineTune(t, usual, func(model.Param) bool { return true }, 1e-3, updates)
	near(t, "first loss", got[0], want[0], 1e-5)
	if last := got[updates-1]; !(last < 1.5*want[updates-1]) || math.IsNaN(last) {
		t.Errorf("adapters of full rank reach a loss of %v, full fine-tuning one of %v", last, want[updates-1])
	}
	t.Logf("loss %.4f, after %d updates: full %.5f, adapters of rank %d %.5f; with the identity as A off by %.2g at most", want[0], updates, want[updates-1], rank, got[updates-1], worst)
}
