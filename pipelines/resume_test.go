package pipelines

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// A stage that is asked to stop says so, and a run in which each of them was stopped and started again
// ends like one without. Stopped stages give back what they hold: nobody waits for them.
func TestStoppedAndStartedAgain(t *testing.T) {
	t.Parallel()
	for _, stage := range []string{"update", "generate", "score"} {
		t.Run(stage, func(t *testing.T) {
			t.Parallel()
			r := newRun(t, long(0, 1, 1).with("update", "--resume"))
			running := map[string]*process{}
			for _, s := range []string{"curate", "update", "generate", "score"} {
				running[s] = r.start(s)
			}
			for range 2 {
				r.awaitStep(r.steps()+1, running) // so it is at work, and not still starting
				p := running[stage]
				if got := p.stop(); got != 130 {
					t.Errorf("exit status %d after a termination signal, want 130\n%s", got, p.tail())
				}
				if want := stage + ": stopped by a signal\n"; !strings.HasSuffix(p.stderr(), want) {
					t.Errorf("the last line is not %q\n%s", want, p.tail())
				}
				running[stage] = r.start(stage)
			}
			finish(t, running["curate"], running["update"], running["generate"], running["score"])
			want, got := reference(t, r.plan), r.outcome()
			for name := range got.files { // a stopped update saves where it stands
				if _, usual := want.files[name]; !usual && stage == "update" && strings.HasPrefix(name, "checkpoints/") {
					delete(got.files, name)
				}
			}
			want.same(t, got)
		})
	}
}

// Going on from an older checkpoint of a finished run makes the newer ones again, with the same bytes.
func TestResumeFromAnOlderCheckpoint(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0))
	r.train()
	want := r.outcome()

	fails(t, r.start("update"), "checkpoint-6 exists", "--resume")
	want.same(t, r.outcome())

	r.plan = r.plan.with("update", "--resume")
	for _, gone := range [][]string{{}, {"checkpoint-6"}, {"checkpoint-4"}, {"checkpoint-2", "checkpoint-4", "checkpoint-6"}} {
		for _, name := range gone {
			for _, folder := range []string{r.path("checkpoints", name), r.path("model")} {
				if err := os.RemoveAll(folder); err != nil {
					t.Fatal(err)
				}
			}
		}
		r.start("update").ok()
		got := r.outcome()
		if slices.Equal(gone, []string{"checkpoint-4"}) { // before the one that was gone on from
			for name := range want.files {
				if strings.HasPrefix(name, "checkpoints/checkpoint-4/") {
					got.files[name] = want.files[name]
				}
			}
		}
		want.same(t, got)
	}
}

// What a run has recorded can be scored again and trained on again without generate; with the same
// rewards the weights are the same bits.
func TestReplay(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0))
	r.train()
	want := r.outcome()
	score := func(out string, more ...string) []map[string]any {
		t.Helper()
		args := append([]string{"--run", "r", "--nats", r.server.url, "--out", out}, more...)
		start(t, r.dir, nil, "score", args...).ok()
		command(t, r.dir, "score", "--in", out, "--out", "read.jsonl") // any format as JSON lines
		return readJSONLines(t, filepath.Join(r.dir, "read.jsonl"))
	}
	p := r.plan
	all := p.steps * p.groups * p.samples
	train := func(in, dir string, more ...string) map[string]string {
		t.Helper()
		args := []string{"--in", in, "--dir", dir, "--model", "tiny", "--lr", "5e-4", "--checkpoint-every", "2", "--groups-per-step", fmt.Sprint(p.groups)}
		start(t, r.dir, nil, "update", append(args, more...)...).ok()
		got := hashes(t, filepath.Join(r.dir, dir, "model"))
		for path, sum := range hashes(t, filepath.Join(r.dir, dir, "checkpoints")) {
			got["checkpoints/"+path] = sum
		}
		return got
	}
	same := []string{"--reward", "accuracy", "--reward", "format=0.1"}

	for _, out := range []string{"again.arrow", "again.parquet", "again.jsonl"} {
		if rows := score(out, append(same, "--replay", "start")...); len(rows) != all {
			t.Errorf("%s: %d rows replayed, want %d", out, len(rows), all)
		}
		sameFiles(t, want.files, train(out, "from-"+out, "--steps", fmt.Sprint(p.steps)))
	}

	// In two parts: the second goes on from the first's checkpoint and passes over what it has seen.
	train("again.arrow", "parts", "--steps", "4")
	sameFiles(t, want.files, train("again.arrow", "parts", "--steps", fmt.Sprint(p.steps), "--resume"))

	// Without a step size a file's steps are taken as they are.
	sameFiles(t, want.files, train("again.arrow", "steps", "--groups-per-step", "0"))

	// Other rewards give another model.
	score("other.arrow", "--replay", "start", "--reward", "tag_count", "--scale-rewards", "none")
	if got := train("other.arrow", "other"); got["model.safetensors"] == want.files["model.safetensors"] {
		t.Error("other rewards gave the same weights")
	}

	// Places to begin.
	messages := r.server.messages("r", "rollouts")
	after := 0
	for _, m := range messages[5:] {
		after += len(rowsOf(t, m.Data))
	}
	for _, from := range []string{"6", messages[5].Time.UTC().Format(time.RFC3339Nano)} {
		if rows := score("part.jsonl", "--replay", from); len(rows) != after {
			t.Errorf("replay from %s: %d rows, want %d", from, len(rows), after)
		}
	}
	for _, from := range []string{"0", "-1", "yesterday", "2026-01-01"} {
		fails(t, start(t, r.dir, nil, "score", "--run", "r", "--nats", r.server.url, "--replay", from, "--out", "x.jsonl"), "--replay", from)
	}

	// Nothing of this has touched the run.
	want.same(t, r.outcome())
}

// How many tokens go through the model at once changes no bit while groups stay whole, but for a tied
// embedding, whose two uses are added up in another order.
func TestTokenBudget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	command(t, dir, "curate", "synth", "-n", "16", "--level", "1", "--level", "2", "--out", "p.arrow")
	command(t, dir, "generate", "--model", "tiny", "--in", "p.arrow", "--group-size", "4", "--max-new-tokens", "32", "--out", "r.arrow")
	command(t, dir, "score", "--in", "r.arrow", "--reward", "accuracy", "--out", "s.arrow")
	moments := func(budget string) map[string][]byte {
		t.Helper()
		out := "budget-" + budget
		command(t, dir, "update", "--in", "s.arrow", "--model", "tiny", "--groups-per-step", "16", "--token-budget", budget, "--dir", out)
		return tensors(t, filepath.Join(dir, out, "checkpoints", "checkpoint-1", "optimizer.safetensors"))
	}
	want := moments("100000")
	for _, budget := range []string{"700", "300"} {
		got := moments(budget)
		for name := range want {
			if string(got[name]) != string(want[name]) && !strings.HasSuffix(name, "embed_tokens.weight") {
				t.Errorf("budget %s: %s has other bits", budget, name)
			}
		}
	}
}

// tensors reads a safetensors file: the bytes of each tensor.
func tensors(t *testing.T, path string) map[string][]byte {
	t.Helper()
	head, body := splitTensors(t, path)
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(head, &entries); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	all := map[string][]byte{}
	for name, text := range entries {
		var e struct {
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
		if name != "__metadata__" {
			all[name] = body[e.Offsets[0]:e.Offsets[1]]
		}
	}
	return all
}
