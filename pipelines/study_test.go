package pipelines

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// study starts one of the study's scripts at the tiny scale, with its run below runs. The script and all that it starts
// are one process group.
func study(t *testing.T, runs, script string, args ...string) (cmd *exec.Cmd, output func() string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	cmd = exec.Command("./"+script, append([]string{"--scale", "tiny", "--bin", bin, "--runs-dir", runs, "--run", "r"}, args...)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // there may be none left
	return cmd, func() string {
		text, err := os.ReadFile(out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
}

// completed waits for a script to end well.
func completed(t *testing.T, cmd *exec.Cmd, output func() string) string {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("%v\n%s", err, output())
		}
	case <-time.After(patience):
		t.Fatalf("still running after %s\n%s", patience, output())
	}
	return output()
}

// studyReport is what is read of a report.
type studyReport struct {
	Models []struct {
		Name     string
		Problems int
		Samples  int
		Accuracy struct {
			Mean float64
			CI95 [2]float64
		}
	}
}

func readStudy(t *testing.T, runs string) studyReport {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(runs, "r", "evaluation", "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r studyReport
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// losses are those that a run recorded, by step.
func losses(t *testing.T, runs string) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, row := range readJSONLines(t, filepath.Join(runs, "r", "metrics-update.jsonl")) {
		if row["name"] == "loss" {
			out[fmt.Sprint(row["step"])] = row["value"].(float64)
		}
	}
	return out
}

// The recommended pipeline, undisturbed and killed at several moments, ends with the same model and the same scores,
// and what it has chosen by held-out problems is better than the base.
func TestStudy(t *testing.T) {
	t.Parallel()
	whole := t.TempDir()
	cmd, output := study(t, whole, "open-rs1.sh")
	text := completed(t, cmd, output)
	if !strings.Contains(text, "chosen by held-out problems: step ") {
		t.Errorf("no checkpoint was chosen:\n%s", text)
	}
	r := readStudy(t, whole)
	if len(r.Models) != 2 || r.Models[0].Name != "base" || r.Models[1].Name != "trained" || r.Models[1].Problems < 64 {
		t.Fatalf("report: %+v", r)
	}
	if base, trained := r.Models[0].Accuracy, r.Models[1].Accuracy; trained.CI95[0] <= base.CI95[1] {
		t.Errorf("accuracy %v before and %v after training, with intervals %v and %v that overlap", base.Mean, trained.Mean, base.CI95, trained.CI95)
	}
	// What was trained on and what the checkpoint was chosen by have nothing in common.
	train, heldOut := problemTexts(t, whole, "train.jsonl"), problemTexts(t, whole, "heldout.jsonl")
	if len(train) < 200 || len(train) > 24*12 || len(heldOut) == 0 {
		t.Errorf("%d problems to train on and %d held out", len(train), len(heldOut))
	}
	for p := range heldOut {
		if train[p] {
			t.Errorf("%q is trained on and held out", p)
		}
	}
	again, output := study(t, whole, "open-rs1.sh")
	if err := again.Wait(); err == nil || !strings.Contains(output(), "--resume goes on with it") {
		t.Errorf("a second run in the same folder: %v, %s", err, output())
	}

	killed := t.TempDir()
	for _, at := range []string{"data/open-s1-scored.parquet", "metrics-update.jsonl", "selection/step-8.right", "evaluation/work/settings.json"} {
		cmd, output := study(t, killed, "open-rs1.sh", "--resume")
		deadline := time.Now().Add(patience)
		for {
			if _, err := os.Stat(filepath.Join(killed, "r", at)); err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s is still not there:\n%s", at, output())
			}
			time.Sleep(5 * time.Millisecond)
		}
		// The script alone: what it has started goes on until the next one ends it.
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	}
	cmd, output = study(t, killed, "open-rs1.sh", "--resume")
	completed(t, cmd, output)
	for _, part := range []string{"model", "checkpoints/checkpoint-8", "checkpoints/checkpoint-16"} {
		sameFiles(t, hashes(t, filepath.Join(whole, "r", part)), hashes(t, filepath.Join(killed, "r", part)))
	}
	if got := readStudy(t, killed); fmt.Sprint(got) != fmt.Sprint(r) {
		t.Errorf("scores %+v, undisturbed %+v", got, r)
	}
}

func problemTexts(t *testing.T, runs, name string) map[string]bool {
	t.Helper()
	texts := map[string]bool{}
	for _, row := range readJSONLines(t, filepath.Join(runs, "r", name)) {
		texts[row["problem"].(string)] = true
	}
	return texts
}

// The pipeline with the study's mistakes: every checkpoint is measured, with the published rewards and losses.
func TestStudyFaithful(t *testing.T) {
	t.Parallel()
	runs := t.TempDir()
	var args []string
	if data, err := filepath.Abs("../../shared/data"); err == nil {
		if _, err := os.Stat(data); err == nil { // else the built-in task is measured
			args = []string{"--benchmarks", data}
		}
	}
	cmd, output := study(t, runs, "open-rs3.sh", append(args, "--faithful")...)
	text := completed(t, cmd, output)
	if !strings.Contains(text, "picked on the very problems it is scored on") {
		t.Errorf("no word on how the best was picked:\n%s", text)
	}
	r := readStudy(t, runs)
	var names []string
	for _, m := range r.Models {
		names = append(names, m.Name)
	}
	if want := []string{"base", "step-8", "step-16", "step-24"}; !slices.Equal(names, want) {
		t.Errorf("measured %v, want %v", names, want)
	}
	log, err := os.ReadFile(filepath.Join(runs, "r", "logs", "score.log"))
	if err != nil || !strings.Contains(string(log), "compatible with the published open-rs") {
		t.Errorf("score was not in the compatible mode: %v\n%s", err, log)
	}
	// The raw data went through the recipes, with ledgers and data cards.
	for _, name := range []string{"data/open-s1-ledger.parquet", "data/open-deepscaler-card/card.html", "open-rs-card/card.md", "open-rs-ledger.parquet"} {
		if _, err := os.Stat(filepath.Join(runs, "r", name)); err != nil {
			t.Error(err)
		}
	}
	// By the published cosine reward in characters, a right answer of 20 to 150 of them is worth all but 2, a wrong one
	// little less than 0; with format at 1.
	var rewards []float64
	for _, row := range readJSONLines(t, filepath.Join(runs, "r", "metrics-update.jsonl")) {
		if row["name"] == "rewards/cosine/mean" {
			rewards = append(rewards, row["value"].(float64))
		}
	}
	if len(rewards) != 24 || slices.Min(rewards) < -0.01 || slices.Max(rewards) > 1 || slices.Max(rewards) < 0.5 {
		t.Errorf("cosine rewards %v", rewards)
	}
	if l := losses(t, runs); len(l) != 24 {
		t.Errorf("%d losses", len(l))
	}
}

// flatten reads a recipe as it stands: "section.key" to its value, a list joined by spaces.
func flatten(t *testing.T, data []byte) map[string]string {
	t.Helper()
	var sections map[string]map[string]yaml.Node
	if err := yaml.Unmarshal(data, &sections); err != nil {
		t.Fatal(err)
	}
	flat := map[string]string{}
	for section, keys := range sections {
		for key, n := range keys {
			values := []string{n.Value}
			if n.Kind == yaml.SequenceNode {
				if err := n.Decode(&values); err != nil {
					t.Fatal(err)
				}
			}
			flat[section+"."+key] = strings.Join(values, " ")
		}
	}
	return flat
}

// Recipes of the study: the published values, and nothing between the two variants but the mistakes.
func TestStudyRecipes(t *testing.T) {
	t.Parallel()
	read := func(name string) map[string]string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("recipes", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return flatten(t, data)
	}
	published := map[string]string{
		"common.seed": "42", "common.steps": "500", "common.groups-per-step": "12", "common.group-size": "6", "common.max-lag": "0", "common.dtype": "bf16",
		"generate.temperature": "0.7", "generate.max-new-tokens": "3584",
		"score.scale-rewards": "group", "update.loss": "bnpo", "update.beta": "0.04", "update.epsilon": "0.2", "update.num-iterations": "1",
		"update.lr": "1e-6", "update.schedule": "cosine_with_min_lr", "update.min-lr-ratio": "0.1", "update.warmup-steps": "50", "update.checkpoint-every": "50",
	}
	mistakes := []string{"curate.column-answer", "evaluate-run.preset", "evaluate-run.prompt", "evaluate-run.task", "score.compat", "score.prefix", "update.micro-batch", "update.temperature"}
	for n := 1; n <= 3; n++ {
		name := fmt.Sprintf("open-rs%d", n)
		recommended, faithful := read(name), read(name+"-faithful")
		for key, want := range published {
			if n == 1 && key == "generate.max-new-tokens" {
				want = "4096"
			}
			if recommended[key] != want || faithful[key] != want {
				t.Errorf("%s: %s is %q and %q, want %q", name, key, recommended[key], faithful[key], want)
			}
		}
		var differ []string
		for key := range maps.Keys(union(recommended, faithful)) {
			if recommended[key] != faithful[key] {
				differ = append(differ, key)
			}
		}
		slices.Sort(differ)
		want := mistakes
		if n == 3 {
			want = slices.Sorted(slices.Values(append([]string{"score.reward"}, mistakes...)))
		}
		if !slices.Equal(differ, want) {
			t.Errorf("%s: the variants differ in %v, want %v", name, differ, want)
		}
		// The wording that was trained with is evaluation's prompt of that name.
		system := command(t, t.TempDir(), "evaluate", "prompts", "--name", recommended["evaluate-run.prompt"])
		if system == "" || system != recommended["generate.system"] {
			t.Errorf("%s: the system message\n%s\nis not evaluation's\n%s", name, recommended["generate.system"], system)
		}
	}
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

// What the converter makes of the study's published file is the recipe of its last experiment, and every command
// reads what it makes of any file.
func TestConvertedRecipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	configs, err := filepath.Glob("../update/trl/testdata/*.yaml")
	if err != nil || len(configs) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, config := range configs {
		config, err := filepath.Abs(config)
		if err != nil {
			t.Fatal(err)
		}
		p := start(t, dir, nil, "update", "recipe", "--from-trl", config, "--num-processes", "3", "--rows", "7000")
		recipe := p.ok()
		path := filepath.Join(dir, filepath.Base(config))
		if err := os.WriteFile(path, []byte(recipe), 0o666); err != nil {
			t.Fatal(err)
		}
		for _, binary := range []string{"curate", "generate", "score", "update"} {
			fails(t, start(t, dir, nil, binary, "--config", path, "--log-level", "chatty"), `--log-level "chatty"`)
		}
		fails(t, start(t, dir, nil, "update", "recipe", "--strict", "--from-trl", config, "--num-processes", "3"), "not supported")
		if filepath.Base(config) != "open-rs.yaml" {
			continue
		}
		faithful, err := os.ReadFile("recipes/open-rs3-faithful.yaml")
		if err != nil {
			t.Fatal(err)
		}
		want := flatten(t, faithful)
		for key, value := range flatten(t, []byte(recipe)) {
			switch {
			case key == "common.model" || key == "curate.epochs": // given by the script
			case key == "score.reward": // the file leaves out --cosine_max_len 3584
				if strings.ReplaceAll(normal(value), "max_len=1000", "max_len=3584") != normal(want[key]) {
					t.Errorf("rewards %s, want %s", value, want[key])
				}
			case normal(value) != normal(want[key]):
				t.Errorf("%s is %s, want %s", key, value, want[key])
			}
		}
	}
}

// normal writes numbers in one way.
func normal(s string) string {
	return strings.NewReplacer("1.0e-06", "1e-6", "=1.0,", "=1,", "=0.0,", "=0,").Replace(s)
}
