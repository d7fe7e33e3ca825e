package pipelines

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// adapted is a small run that trains adapters, with dropout and a divergence from the base.
func adapted() plan {
	return small(0).with("update", "--lora-rank", "4", "--lora-dropout", "0.05", "--beta", "0.02", "--lr", "2e-3", "--merge", "--resume")
}

// What training adapters gives does not depend on update being killed and started again, on where policies
// are kept, or on how many devices share a step of as many parts. Policies are the adapters alone.
func TestAdaptersSurvive(t *testing.T) {
	t.Parallel()
	results := func(r *run) outcome {
		o := r.outcome()
		for name, sum := range hashes(t, r.path("adapter")) {
			o.files["adapter/"+name] = sum
		}
		return o
	}
	first := newRun(t, adapted().with("update", "--gradient-shards", "2"))
	first.train()
	want := results(first)
	if got := folders(t, first.path()); !slices.Contains(got, "adapter") || !slices.Contains(got, "model") {
		t.Errorf("folders %v", got)
	}
	policies, err := filepath.Glob(first.path("policies", "*.safetensors"))
	if err != nil || len(policies) == 0 {
		t.Fatalf("policies %v, %v", policies, err)
	}
	head, body := splitTensors(t, policies[0])
	if !strings.Contains(string(head), "base_model.model.model.layers.1.mlp.down_proj.lora_B.weight") || len(body) > 100_000 {
		t.Errorf("a policy of %d bytes: %s", len(body), head)
	}

	second := newRun(t, adapted().with("update", "--device", "cpu:0-1", "--policy-store", "object").with("generate", "--policy-store", "object"))
	running := map[string]*process{}
	for _, s := range []string{"curate", "update", "generate", "score"} {
		running[s] = second.start(s)
	}
	for range 2 {
		second.awaitStep(second.steps()+1, running)
		running["update"].kill()
		running["update"] = second.start("update")
	}
	finish(t, running["curate"], running["update"], running["generate"], running["score"])
	want.same(t, results(second))
}

// Adapters are put on no other weights than those that they are trained on.
func TestAdaptersOfAnotherBase(t *testing.T) {
	t.Parallel()
	r := newRun(t, adapted().with("generate", "--model", "shape:tiny"))
	r.start("curate")
	r.start("update")
	fails(t, r.start("generate"), "another base", "digest")
	r.plan = r.plan.with("generate", "--adapter", "somewhere")
	fails(t, r.start("generate"), "--adapter", "--frozen")
}

// Adapters, alone by their folder or beside their base, and the model that they have been merged into write the
// same greedy text.
func TestMergedAndUnmerged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command(t, dir, "curate", "synth", "--n", "200", "--direct", "1", "--out", "problems.arrow")
	command(t, dir, "curate", "synth", "--n", "40", "--seed", "9", "--out", "asked.arrow")
	command(t, dir, "update", "sft", "--model", "tiny", "--in", "problems.arrow", "--lr", "2e-3", "--lora-rank", "8", "--lora-alpha", "16", "--dir", ".", "--merge")
	command(t, dir, "update", "export", "--model", "tiny", "--adapter", "adapter", "--out-dir", "exported", "--save-dtype", "f32")
	var texts []string
	for i, flags := range [][]string{
		{"--model", "adapter"}, {"--model", "tiny", "--adapter", "adapter"}, {"--model", "model"}, {"--model", "exported"}, {"--model", "tiny"},
	} {
		command(t, dir, "generate", append(flags, "--temperature", "0", "--group-size", "1", "--max-new-tokens", "48", "--in", "asked.arrow", "--out", "out.jsonl")...)
		var all []string
		for _, row := range readJSONLines(t, filepath.Join(dir, "out.jsonl")) {
			all = append(all, row["completion"].(string))
		}
		texts = append(texts, strings.Join(all, "\n"))
		if same := texts[i] == texts[0]; len(all) != 40 || same != (i < 4) {
			t.Errorf("%v: %d completions, the same as the adapters': %v", flags, len(all), same)
		}
	}
	fails(t, start(t, dir, nil, "update", "sft", "--model", "adapter", "--in", "problems.arrow", "--dir", "more", "--lora-rank", "4"), "the model has adapters", "merge them first")
	command(t, dir, "update", "sft", "--model", "adapter", "--in", "problems.arrow", "--dir", "more", "--steps", "2")
	if _, err := os.Stat(filepath.Join(dir, "more", "adapter", "adapter_config.json")); err != nil {
		t.Error(err)
	}
	fails(t, start(t, dir, nil, "update", "sft", "--model", "tiny", "--in", "problems.arrow", "--dir", "no", "--merge"), "--merge: expected adapters")
	// A merged model does not take the place of the base of its adapters.
	command(t, dir, "score", "--in", "out.jsonl", "--reward", "accuracy", "--out", "scored.arrow")
	for _, line := range [][]string{{"sft", "--in", "problems.arrow"}, {"--in", "scored.arrow", "--groups-per-step", "0"}} {
		fails(t, start(t, dir, nil, "update", append(line, "--model", "model", "--lora-rank", "4", "--merge", "--dir", ".")...), "--merge", "model would be replaced", "another --dir")
	}
}

// A shape's random weights can be written as a folder, which is the same model.
func TestExportOfAShape(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command(t, dir, "update", "export", "--model", "shape:tiny", "--seed", "3", "--save-dtype", "f32", "--out-dir", "written")
	ids := filepath.Join(dir, "ids.jsonl")
	if err := os.WriteFile(ids, []byte(`{"ids":[1,2,3,40,5]}`+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	random := command(t, dir, "generate", "logprobs", "--model", "shape:tiny", "--seed", "3", "--in", ids)
	if written := command(t, dir, "generate", "logprobs", "--model", "written", "--in", ids); written != random || random == "" {
		t.Errorf("%q of the shape, %q of its folder", random, written)
	}
	fails(t, start(t, dir, nil, "update", "export", "--model", "tiny"), "--out-dir")
}
