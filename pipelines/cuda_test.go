//go:build cuda

package pipelines

import (
	"slices"
	"testing"
	"time"

	"openrs/stages/device/cuda/driver"
)

// buildFlags and buildEnv make the binaries that users of GPUs have. The environment of the test says
// where cgo finds the driver.
var (
	buildFlags = []string{"-tags", "cuda"}
	buildEnv   = []string{"CGO_ENABLED=1"}
)

// patience bounds every wait for a process. The fake driver compiles a kernel when it is first used.
const patience = 8 * time.Minute

// onGPUs is a run of a few steps.
func onGPUs(generate, update, shards, dtype string) plan {
	p := small(0)
	p.steps = 3
	return p.with("generate", "--device", generate, "--dtype", dtype).with("update", "--device", update, "--dtype", dtype, "--gradient-shards", shards)
}

// A run on several GPUs is the run on one, bit for bit: with all of them shared between sampling and
// training, and with one for sampling and the others for training. On each, what generate recorded is what
// update computes.
func TestRunOnGPUs(t *testing.T) {
	needGPUs(t, 4)
	for _, c := range []struct{ name, generate, update, shards, dtype string }{
		{"all shared", "cuda:0-3", "cuda:0-3", "4", "f32"},
		{"divided", "cuda:3", "cuda:0-2", "3", "f32"},
		{"all shared, bf16", "cuda:0-3", "cuda:0-3", "4", "bf16"},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(generate, update string) outcome {
				r := newRun(t, onGPUs(generate, update, c.shards, c.dtype))
				r.train()
				checkOnPolicy(t, r)
				return r.outcome()
			}
			run("cuda:0", "cuda:0").same(t, run(c.generate, c.update))
		})
	}
}

// checkOnPolicy fails the test unless the run learned something and every importance ratio was exactly 1.
func checkOnPolicy(t *testing.T, r *run) {
	t.Helper()
	metrics := r.metrics()
	ones := slices.Repeat([]float64{1}, r.plan.steps)
	for _, name := range []string{"sampling/importance_sampling_ratio/min", "sampling/importance_sampling_ratio/max"} {
		if !slices.Equal(metrics[name], ones) {
			t.Errorf("metric %s is %v, want %v", name, metrics[name], ones)
		}
	}
	if norms := metrics["grad_norm"]; len(norms) != r.plan.steps || slices.Max(norms) == 0 {
		t.Errorf("gradient norms %v: the run shows nothing", norms)
	}
}

// needGPUs skips the test where there are fewer.
func needGPUs(t *testing.T, n int) {
	t.Helper()
	all, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < n {
		t.Skipf("needs %d GPUs, there are %d", n, len(all))
	}
}

// Nearly all completions on GPUs are those on the CPU: the devices differ by rounding only.
func TestGPUSamplesLikeCPU(t *testing.T) {
	dir := t.TempDir()
	command(t, dir, "curate", "synth", "--n", "16", "--seed", "3", "--out", "p.jsonl")
	sample := func(device string) []string {
		command(t, dir, "generate", "--model", "tiny", "--device", device, "--max-new-tokens", "32", "--in", "p.jsonl", "--out", "r.jsonl")
		var texts []string
		for _, row := range readJSONLines(t, dir+"/r.jsonl") {
			texts = append(texts, row["completion"].(string))
		}
		return texts
	}
	cpu, gpu := sample("cpu"), sample("cuda")
	same := 0
	for i := range min(len(cpu), len(gpu)) {
		if cpu[i] == gpu[i] {
			same++
		}
	}
	if len(cpu) != len(gpu) || same < len(cpu)*95/100 {
		t.Errorf("%d of %d completions are among the CPU's %d", same, len(gpu), len(cpu))
	}
}
