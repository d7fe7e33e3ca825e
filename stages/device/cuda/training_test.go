//go:build cuda

package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"openrs/generate/engine"
	"openrs/schemas"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/cuda"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/update/grpo"
	"openrs/update/optim"
	"openrs/update/steps"
	"openrs/update/train"
)

// bounds are how far training on GPUs may be from training on the CPU. Both compute the same sums in other orders: an
// element of a product is one chain over all of its terms on the GPU and several chains on the CPU, so results of float32
// differ by some 1e-7 of the largest term for each, and by some 1e-6 after all layers. In bfloat16 such a difference now and
// then rounds an activation to the neighbouring value, 2⁻⁸ away; besides, the GPU rounds keys, values and attention's
// probabilities to bfloat16 and the CPU does not. So the bounds of bfloat16 are some thousand times as wide. Adam divides a
// gradient by its own size, so that noise in a small gradient moves its parameter as far as a large gradient does; this is
// why the weights are bound by the distance of all parameters from the CPU's, over the distance that training has moved them,
// and not one by one. What was measured is between a fifth and a fifteenth of each bound.
type bounds struct {
	weights float64 // distance of the weights over the distance moved
	norm    float64 // of the gradients of each step, relative
	logprob float64 // mean difference from the recorded log-probabilities over a step's tokens, in nats
}

// TestTraining makes GRPO steps of a tiny model: an engine on one GPU samples from the weights that four GPUs train, with
// shared prompts, chunks of prompts and too small a cache; all four find the recorded log-probabilities again, bit for
// bit; one GPU that computes the same four shards gets the same weights, bit for bit; and the CPU, trained on the same
// completions, gets nearly the same.
func TestTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute on the fake driver")
	}
	for _, c := range []struct {
		dtype device.DType
		steps int
		bounds
	}{
		{device.F32, 20, bounds{weights: 1e-4, norm: 1e-5, logprob: 2e-5}},
		{device.BF16, 6, bounds{weights: 0.2, norm: 2e-2, logprob: 4e-2}},
	} {
		t.Run(c.dtype.String(), func(t *testing.T) {
			source, err := pretrained.Open("shape:tiny", 5)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { source.Close() })
			four := newTrainer(t, source, c.dtype, gpu(t, 0, c.dtype), gpu(t, 1, c.dtype), gpu(t, 2, c.dtype), gpu(t, 3, c.dtype))
			one := newTrainer(t, source, c.dtype, gpu(t, 0, c.dtype))
			host, err := cpu.New(cpu.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { host.Close() })
			plain := newTrainer(t, source, c.dtype, host)
			sampler, err := model.New(gpu(t, 3, c.dtype), source.Config, model.Options{DType: c.dtype})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(sampler.Close)

			start := weights(t, four)
			var rewards []float64
			preempted := 0
			var norm, logprob float64 // largest differences from the CPU
			for n := range int64(c.steps) {
				load(t, sampler, four)
				step, stats := sample(t, sampler, n)
				preempted += stats.Preemptions
				rewards = append(rewards, meanReward(step))
				got, same, near := update(t, four, step, true), update(t, one, step, true), update(t, plain, step, false)
				for name, v := range same {
					if got[name] != v {
						t.Errorf("step %d: %s is %v on four GPUs, %v on one", n, name, got[name], v)
					}
				}
				norm = max(norm, math.Abs(got["grad_norm"]/near["grad_norm"]-1))
				logprob = max(logprob, near["sampling/sampling_logp_difference/mean"])
			}
			if preempted == 0 {
				t.Error("no sequence was preempted: the test is too easy")
			}
			if first, last := mean(rewards[:3]), mean(rewards[len(rewards)-3:]); !(last > first) {
				t.Errorf("rewards went from %v to %v", first, last)
			}
			end := weights(t, four)
			for i, v := range weights(t, one) {
				if math.Float32bits(v) != math.Float32bits(end[i]) {
					t.Fatalf("weight %d is %v on four GPUs, %v on one", i, end[i], v)
				}
			}
			onCPU := weights(t, plain)
			off := distance(end, onCPU) / distance(end, start)
			if !(off <= c.weights && norm <= c.norm && logprob <= c.logprob) {
				t.Error("training is farther from the CPU's than it may be")
			}
			t.Logf("rewards %.2f, %d preemptions", rewards, preempted)
			t.Logf("from the CPU: weights %.2g of the distance moved (at most %g), gradient norms %.2g (%g), log-probabilities %.2g (%g)",
				off, c.weights, norm, c.norm, logprob, c.logprob)
		})
	}
}

func gpu(t *testing.T, ordinal int, dtype device.DType) device.Device {
	t.Helper()
	dev, err := cuda.Open(cuda.Options{Ordinal: ordinal, Attention: dtype, MemoryBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
	return dev
}

func newTrainer(t *testing.T, source *pretrained.Model, dtype device.DType, devices ...device.Device) *train.Trainer {
	t.Helper()
	settings := optim.Default()
	settings.LR, settings.WeightDecay, settings.MaxGradNorm = 2e-3, 0.1, 1
	settings.Schedule = optim.Schedule{Name: "linear", TotalSteps: 40}
	tr, err := train.New(devices, source, train.Options{Optimizer: settings, TokenBudget: 200, DType: dtype, Shards: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// update makes a step, and returns its metrics.
func update(t *testing.T, tr *train.Trainer, step steps.Step, onPolicy bool) map[string]float64 {
	t.Helper()
	objective, err := grpo.New(grpo.Config{Loss: "dapo", EpsLow: 0.2, EpsHigh: 0.2})
	if err != nil {
		t.Fatal(err)
	}
	g := &train.GRPO{Trainer: tr, Objective: objective, Live: true, OnPolicy: onPolicy}
	values, err := g.Step(step)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, v := range values {
		out[v.Name] = v.Value
	}
	return out
}

// export writes the trainer's weights, and opens them.
func export(t *testing.T, tr *train.Trainer) *checkpoint.Folder {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "policy")
	if err := tr.Export(dir, checkpoint.F32); err != nil {
		t.Fatal(err)
	}
	folder, err := checkpoint.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	return folder
}

func load(t *testing.T, m *model.Model, tr *train.Trainer) {
	t.Helper()
	if err := m.Load(export(t, tr)); err != nil {
		t.Fatal(err)
	}
}

func weights(t *testing.T, tr *train.Trainer) (all []float32) {
	t.Helper()
	folder := export(t, tr)
	for _, name := range folder.Names() {
		tensor, err := folder.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		values, err := tensor.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, values...)
	}
	return all
}

// sample makes a step of groups whose reward is the share of tokens below 100.
func sample(t *testing.T, m *model.Model, number int64) (steps.Step, engine.Stats) {
	t.Helper()
	const groups, samples, longest = 5, 4, 8
	e, err := engine.New(m, engine.Options{MaxSequences: 16, CacheTokens: 6 * device.KeyBlock, PrefillChunk: 13})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	step := steps.Step{Number: number, Groups: make([]steps.Group, groups)}
	rng := rand.New(rand.NewPCG(uint64(number), 7))
	for i := range groups {
		prompt := make([]int32, 3+rng.IntN(40))
		for j := range prompt {
			prompt[j] = rng.Int32N(256)
		}
		if err := e.Add(engine.Request{
			Prompt: prompt, Samples: samples, MaxNewTokens: 4 + rng.IntN(longest), Temperature: []float32{1, 0.8}[i%2],
			Seed: number, ProblemID: fmt.Sprint(i), Tag: i,
		}); err != nil {
			t.Fatal(err)
		}
	}
	for !e.Idle() {
		results, err := e.Step()
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range results {
			step.Groups[r.Request.Tag.(int)] = score(r, number)
		}
	}
	return step, e.Stats()
}

// score makes scored rows of the completions of a prompt.
func score(r engine.Result, number int64) steps.Group {
	g := steps.Group{ID: r.Request.ProblemID}
	var sum, squares float64
	for i, c := range r.Completions {
		low := 0
		for _, id := range c.Tokens {
			if id < 100 {
				low++
			}
		}
		reward := float32(low) / float32(len(c.Tokens))
		sum, squares = sum+float64(reward), squares+float64(reward)*float64(reward)
		g.Rows = append(g.Rows, schemas.Scored{Reward: &reward, Rollout: schemas.Rollout{
			GroupID: g.ID, ProblemID: g.ID, Sample: int32(i), Step: number, PolicyVersion: number,
			PromptIDs: r.Request.Prompt, CompletionIDs: c.Tokens, LogProbs: c.LogProbs,
			FinishReason: c.FinishReason, Temperature: r.Request.Temperature,
		}})
	}
	n := float64(len(g.Rows))
	for i := range g.Rows {
		g.Rows[i].Advantage = float32((float64(*g.Rows[i].Reward) - sum/n) / (math.Sqrt(max(0, squares/n-sum/n*sum/n)) + 1e-4))
	}
	return g
}

func meanReward(step steps.Step) float64 {
	var all []float64
	for _, g := range step.Groups {
		for _, row := range g.Rows {
			all = append(all, float64(*row.Reward))
		}
	}
	return mean(all)
}

func mean(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// distance is the Euclidean one.
func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}
