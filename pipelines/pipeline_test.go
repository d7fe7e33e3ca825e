package pipelines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
)

// The five stages as processes over JetStream: all end well and leave what the user came for.
func TestRunOverJetStream(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0))
	r.train()
	for _, file := range []string{
		"model/config.json", "model/model.safetensors", "model/tokenizer.json", "model/tokenizer_config.json",
		"checkpoints/checkpoint-2/optimizer.safetensors", "checkpoints/checkpoint-4/model.safetensors", "checkpoints/checkpoint-6/trainer_state.json",
	} {
		if info, err := os.Stat(r.path(file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want a file", file, err)
		}
	}
	want := r.plan.steps * r.plan.groups * r.plan.samples
	for _, stream := range []string{"rollouts", "scored"} {
		if n := len(r.rows(stream)); n != want {
			t.Errorf("stream %s has %d rollouts, want %d", stream, n, want)
		}
	}
	metrics := r.metrics()
	for _, name := range []string{"reward", "loss", "grad_norm", "entropy", "completions/mean_length", "step_time"} {
		if got := len(metrics[name]); got != r.plan.steps {
			t.Errorf("metric %s has %d values, want one a step", name, got)
		}
	}
	// The log-probabilities that generate recorded are those that update computes, bit for bit.
	ones := slices.Repeat([]float64{1}, r.plan.steps)
	zeros := slices.Repeat([]float64{0}, r.plan.steps)
	for name, want := range map[string][]float64{
		"sampling/importance_sampling_ratio/min": ones, "sampling/importance_sampling_ratio/mean": ones, "sampling/importance_sampling_ratio/max": ones,
		"sampling/sampling_logp_difference/max": zeros,
	} {
		if !slices.Equal(metrics[name], want) {
			t.Errorf("metric %s is %v, want %v", name, metrics[name], want)
		}
	}
	if slices.Max(metrics["grad_norm"]) == 0 {
		t.Error("every gradient was zero: the run shows nothing")
	}
	// The model is one that generate takes.
	command(t, r.dir, "curate", "synth", "-n", "4", "--out", "p.jsonl")
	command(t, r.dir, "generate", "--model", r.path("model"), "--in", "p.jsonl", "--out", "r.jsonl", "--max-new-tokens", "8")
	if n := len(readJSONLines(t, r.dir+"/r.jsonl")); n != 4*8 {
		t.Errorf("the trained model gave %d completions, want %d", n, 4*8)
	}
}

// Of the lag rule: a step's rollouts come from exactly the version that the plan says.
func TestPolicyVersions(t *testing.T) {
	t.Parallel()
	for _, lag := range []int{0, 1} {
		for _, row := range reference(t, small(lag)).rows {
			var r struct {
				Step    int64 `json:"step"`
				Version int64 `json:"policy_version"`
			}
			if err := json.Unmarshal([]byte(row), &r); err != nil {
				t.Fatal(err)
			}
			if want := max(0, r.Step-int64(lag)); r.Version != want {
				t.Errorf("lag %d: a rollout of step %d is from version %d, want %d", lag, r.Step, r.Version, want)
			}
		}
	}
}

// What may not change a run's results: doing it again, more workers, other batch sizes, other numbers
// of threads.
func TestSameResults(t *testing.T) {
	t.Parallel()
	workers := func(p plan, n int) plan {
		p.generators, p.scorers = n, n
		return p
	}
	for _, c := range []struct {
		name string
		plan plan
	}{
		{"again", small(0)},
		{"two workers", workers(small(0), 2)},
		{"small batches", small(0).with("generate", "--max-sequences", "5", "--prefill-chunk", "7", "--page-size", "64")},
		{"one thread", small(0).with("generate", "--threads", "1").with("update", "--threads", "1")},
		{"recompute", small(0).with("update", "--recompute")},
		{"other message sizes", small(0).with("curate", "--batch", "8")},
		{"lag 1 again", small(1)},
		{"lag 1, three workers, small batches", workers(small(1), 3).with("generate", "--max-sequences", "6", "--threads", "1")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, c.plan)
			r.train()
			reference(t, c.plan).same(t, r.outcome())
		})
	}
}

// The other way round: what should change the results does, so that the comparison is worth something.
func TestOtherResults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		stage string
		flags []string
	}{
		{"generate", []string{"--seed", "8"}},
		{"curate", []string{"--seed", "6"}},
		{"update", []string{"--lr", "1e-3"}},
	} {
		t.Run(c.stage, func(t *testing.T) {
			t.Parallel()
			p := small(0)
			p.steps = 2
			r := newRun(t, p.with(c.stage, c.flags...))
			r.train()
			want := reference(t, small(0)).files["checkpoints/checkpoint-2/model.safetensors"]
			if got := r.outcome().files["checkpoints/checkpoint-2/model.safetensors"]; got == want || got == "" {
				t.Errorf("%s %v: weights %q are those of the run without", c.stage, c.flags, got)
			}
		})
	}
}

// A recipe says the same as flags.
func TestRecipeRun(t *testing.T) {
	t.Parallel()
	p := small(0)
	recipe := fmt.Sprintf(`
common: {run: r, steps: %d, groups-per-step: %d, group-size: %d, max-lag: 0, model: tiny, ack-wait: 2s}
curate-synth: {n: %d, batch: 3, level: [1, 2], seed: 5}
generate: {max-new-tokens: 32, seed: 7}
score: {reward: [accuracy, format=0.1]}
update: {lr: 5e-4, checkpoint-every: 2}
`, p.steps, p.groups, p.samples, p.steps*p.groups)
	r := newRun(t, p)
	if err := os.WriteFile(r.dir+"/recipe.yaml", []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--config", "recipe.yaml", "--nats", r.server.url}
	var all []*process
	for _, stage := range []string{"curate", "generate", "score", "update"} {
		args := flags
		if stage == "curate" {
			args = append([]string{"synth"}, flags...)
		}
		all = append(all, start(t, r.dir, nil, stage, args...))
	}
	finish(t, all...)
	reference(t, small(0)).same(t, r.outcome())
}

// The recipes that ship are understood by every command of their run.
func TestShippedRecipes(t *testing.T) {
	t.Parallel()
	recipes, err := os.ReadDir("recipes")
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range recipes {
		path, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		path += "/recipes/" + f.Name()
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(text, []byte("\ncommon:")) { // of a data set, not of a run
			fails(t, start(t, t.TempDir(), nil, "curate", "--config", path, "--out", "x.jsonl"), "no data file")
			continue
		}
		for _, stage := range []string{"curate synth", "generate", "score", "update"} {
			// Refused for the port, after the recipe was read.
			args := []string{"--config", path, "--run", "r", "--nats", "nats://user:secret@127.0.0.1:" + strconv.Itoa(1+i)}
			binary := stage
			switch stage {
			case "curate synth":
				binary, args = "curate", append([]string{"synth"}, args...)
			case "generate", "update":
				args = append(args, "--model", "tiny")
			}
			fails(t, start(t, t.TempDir(), nil, binary, args...), "credentials in the server address")
		}
	}
}
