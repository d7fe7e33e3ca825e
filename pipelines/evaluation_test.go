package pipelines

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// evaluation is the command line of an evaluation that takes a second or so, by a model of both kinds of
// tasks: one that is drawn and one that is read from a file.
func evaluation(more ...string) []string {
	data, err := filepath.Abs("testdata/aime24.jsonl")
	if err != nil {
		panic(err)
	}
	return append([]string{
		"run", "--model", "base=tiny", "--task", "synth", "--task", "aime24", "--data", data, "--n", "60", "--samples", "8",
		"--max-new-tokens", "400", "--temperature", "1", "--seed", "3", "--date", "2026-01-02T03:04:05Z",
	}, more...)
}

// slow makes an evaluation take long enough to be disturbed.
var slow = []string{"--threads", "1", "--max-sequences", "4"}

// reported is what an evaluation has written, by file, without what it needs to go on.
func reported(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := hashes(t, dir)
	maps.DeleteFunc(files, func(name, _ string) bool { return strings.HasPrefix(name, "work/") })
	if _, ok := files["report.json"]; !ok || len(files) < 4 {
		t.Fatalf("%s has %v, want a report", dir, slices.Sorted(maps.Keys(files)))
	}
	return files
}

// sameReport fails the test unless both folders have the same files.
func sameReport(t *testing.T, want, got map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is not that of the undisturbed evaluation", name)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d files, want %d", len(got), len(want))
	}
}

// undisturbed evaluates once and returns what was reported.
func undisturbed(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	command(t, dir, "evaluate", evaluation("--out-dir", "out")...)
	return reported(t, filepath.Join(dir, "out"))
}

// finished is how many samples an evaluation had when it began.
func (p *process) finished() int {
	p.t.Helper()
	m := regexp.MustCompile(`msg=evaluating .*finished=(\d+)`).FindStringSubmatch(p.stderr())
	if m == nil {
		return -1
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// children are the processes that p has started, by name.
func (p *process) children() map[string]int {
	found := map[string]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		var pid, parent int
		var state string
		open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
		if open < 0 || end < 0 {
			continue
		}
		fmt.Sscan(string(text[:open]), &pid)
		fmt.Sscan(string(text[end+1:]), &state, &parent)
		if parent == p.cmd.Process.Pid && state != "Z" {
			found[string(text[open+1:end])] = pid
		}
	}
	return found
}

// awaitSize waits until the file has so many bytes, or the process has ended.
func awaitSize(p *process, path string, size int64) {
	p.t.Helper()
	for began := time.Now(); !p.exited(); time.Sleep(time.Millisecond) {
		if info, err := os.Stat(path); err == nil && info.Size() >= size {
			return
		}
		if time.Since(began) > patience {
			p.t.Fatalf("%s has less than %d bytes after %s\n%s", path, size, patience, p.tail())
		}
	}
}

// An evaluation that is killed again and again, or whose generate or score is, goes on and reports what an
// undisturbed one does. What was finished stays finished, and nothing is left running.
func TestEvaluationKilled(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	samples := filepath.Join(out, "work", "base.samples")
	rng := rand.New(rand.NewPCG(6, 7))
	before, grew := 0, 0
	for round := 0; ; round++ {
		p := start(t, dir, nil, "evaluate", evaluation(append(slow, "--out-dir", out)...)...)
		var size int64
		if info, err := os.Stat(samples); err == nil {
			size = info.Size()
		}
		awaitSize(p, samples, size+20_000+rng.Int64N(100_000))
		children := p.children()
		victim := []string{"evaluate", "generate", "score", "evaluate"}[round%4]
		if pid := children[victim]; pid > 0 && !p.exited() {
			kill(t, pid)
			p.status()
			if p.cmd.ProcessState.ExitCode() != 0 {
				fails(t, p, victim+" failed (signal: killed)")
			}
		} else {
			p.kill()
		}
		n := p.finished()
		if n < before {
			t.Fatalf("round %d began with %d finished samples, an earlier one with %d", round, n, before)
		}
		if n > before {
			grew++
		}
		before = max(before, n)
		if runtime.GOOS == "linux" {
			for name, pid := range children {
				gone(t, name, pid)
			}
		}
		if p.cmd.ProcessState.Success() || round > 40 {
			break
		}
	}
	if grew < 3 {
		t.Errorf("it had more finished samples than before in %d rounds: the test shows too little", grew)
	}
	// A half written end and a damaged piece are noticed; what they held is made again.
	f, err := os.OpenFile(samples, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := f.Stat()
	if err := f.Truncate(info.Size() - 100); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{0xff, 0xfe, 0xfd}, 5000); err != nil {
		t.Fatal(err)
	}
	f.Close()
	p := start(t, dir, nil, "evaluate", evaluation("--out-dir", out)...)
	p.ok()
	if said := p.stderr(); !strings.Contains(said, "half written") || !strings.Contains(said, "damaged") {
		t.Errorf("nothing is said of the damage\n%s", p.tail())
	}
	if n := p.finished(); n < 400 || n >= 520 {
		t.Errorf("after the damage %d samples of 520 are finished, want most", n)
	}
	sameReport(t, want, reported(t, out))
	// Once more there is nothing left to do, and nothing is done.
	p = start(t, dir, nil, "evaluate", evaluation("--out-dir", out, "--bin", bin)...)
	p.ok()
	if n := p.finished(); n != 520 {
		t.Errorf("a finished evaluation begins with %d samples, want 520", n)
	}
	sameReport(t, want, reported(t, out))
}

// kill ends a process that is not the test's own.
func kill(t *testing.T, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Logf("kill %d: %v", pid, err)
	}
}

// gone fails the test if the process still runs after a while.
func gone(t *testing.T, name string, pid int) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || !bytes.Contains(text, []byte("("+name+")")) || bytes.Contains(text, []byte(") Z ")) {
			return
		}
		if time.Since(began) > 10*time.Second {
			t.Errorf("%s, process %d, outlives evaluate", name, pid)
			return
		}
	}
}

// What finished samples depend on can't be changed under them; what they don't, can.
func TestEvaluationSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	line := func(more ...string) []string {
		return append([]string{"run", "--model", "m=" + model, "--n", "6", "--out-dir", "out", "--max-new-tokens", "8"}, more...)
	}
	tinyFolder(t, model)
	command(t, dir, "evaluate", line("--samples", "2")...)
	for _, c := range []struct{ flags, want string }{
		{"--temperature 0.5", "synth temperature was 0.8, now it is 0.5"},
		{"--top-p 1", "synth top-p was 0.9, now it is 1"},
		{"--preset open-rs --max-new-tokens 8", "synth temperature was 0.8, now it is 0.6"},
		{"--seed 9", "synth problems was 6 with digest"},
		{"--max-new-tokens 9", "synth max-tokens was 8, now it is 9"},
		{"--n 7", "synth problems was 6 with digest"},
		{"--profile reward", "profile was benchmark, now it is reward"},
		{"--dtype bf16", "dtype was f32, now it is bf16"},
		{"--device cuda:1", "device was cpu, now it is cuda"},
		{"--model m=tiny", "now it is tiny"},
	} {
		words := strings.Fields(c.flags)
		all := line(append([]string{"--samples", "2"}, words...)...)
		if words[0] == "--model" {
			all = slices.Delete(all, 1, 3)
		}
		fails(t, start(t, dir, nil, "evaluate", all...), c.want, "--fresh begins anew")
	}
	// More samples, another task and another model are added to what is there.
	p := start(t, dir, nil, "evaluate", line("--samples", "5")...)
	p.ok()
	if n := p.finished(); n != 12 {
		t.Errorf("with 5 samples instead of 2 of 6 problems, %d are finished, want 12", n)
	}
	whole := hashes(t, filepath.Join(dir, "out"))["samples.parquet"]
	p = start(t, dir, nil, "evaluate", line("--samples", "2", "--model", "tiny")...)
	if out := p.ok(); !strings.Contains(out, "tiny − m") {
		t.Errorf("two models are not compared\n%s", out)
	}
	if n := p.finished(); n != 12 {
		t.Errorf("of the first model %d samples are finished, want 12", n)
	}
	command(t, dir, "evaluate", line("--samples", "5", "--fresh")...)
	if hashes(t, filepath.Join(dir, "out"))["samples.parquet"] != whole {
		t.Error("samples made in two goes are not those made in one")
	}
	// The folder may be moved; other weights in the same folder are other settings.
	moved := filepath.Join(dir, "moved")
	if err := os.Rename(model, moved); err != nil {
		t.Fatal(err)
	}
	p = start(t, dir, nil, "evaluate", "run", "--model", "m="+moved, "--n", "6", "--out-dir", "out", "--max-new-tokens", "8", "--samples", "5")
	p.ok()
	if n := p.finished(); n != 30 {
		t.Errorf("of a model that was moved %d samples are finished, want 30", n)
	}
	command(t, dir, "curate", "synth", "--n", "8", "--out", "p.jsonl")
	command(t, dir, "update", "sft", "--model", "tiny", "--in", "p.jsonl", "--steps", "1", "--dir", "trained")
	if err := os.Rename(filepath.Join(dir, "trained", "model"), model); err != nil {
		t.Fatal(err)
	}
	fails(t, start(t, dir, nil, "evaluate", line("--samples", "5")...), "model m was a folder with digest ", "now it is a folder with digest")
}

// A recipe says what flags do.
func TestEvaluationRecipe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	recipe := `
common: {seed: 4, threads: 1}
evaluate-run: {model: [a=tiny, b=shape:tiny], task: synth, n: 4, samples: 2, max-new-tokens: 8, preset: open-rs, out-dir: by-recipe, date: 2026-01-02T03:04:05Z}
`
	if err := os.WriteFile(filepath.Join(dir, "recipe.yaml"), []byte(recipe), 0o644); err != nil {
		t.Fatal(err)
	}
	command(t, dir, "evaluate", "run", "--config", "recipe.yaml")
	command(t, dir, "evaluate", "run", "--seed", "4", "--threads", "1", "--model", "a=tiny", "--model", "b=shape:tiny", "--task", "synth", "--n", "4", "--samples", "2",
		"--max-new-tokens", "8", "--preset", "open-rs", "--out-dir", "by-flags", "--date", "2026-01-02T03:04:05Z")
	sameReport(t, reported(t, filepath.Join(dir, "by-flags")), reported(t, filepath.Join(dir, "by-recipe")))
}

// tinyFolder makes a model folder of tiny.
func tinyFolder(t *testing.T, dir string) {
	t.Helper()
	if err := os.CopyFS(dir, os.DirFS("../stages/model/tiny/assets")); err != nil {
		t.Fatal(err)
	}
}

// What stands in an evaluation's way is told in one line.
func TestEvaluationRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, c := range []struct {
		flags string
		want  []string
	}{
		{"", []string{"expected --model"}},
		{"--model tiny --model tiny", []string{"expected names of their own"}},
		{"--model tiny --task amie24", []string{"--task", `did you mean "aime24"`}},
		{"--model tiny --preset sobre", []string{"--preset", `did you mean "sober"`}},
		{"--model tiny --samples 0", []string{"samples"}},
		{"--model tiny --bin nowhere", []string{"there is no nowhere/generate", "--bin DIR"}},
		{"--model nothing --n 2", []string{"model nothing: generate failed (exit status 1); it said last: generate: ", "nothing"}},
		{"--model shape:none --n 2", []string{"unknown shape"}},
		{"--model tiny --n 2 --profile none", []string{`no profile "none"`}},
		{"--model p.txt/none", []string{"--model"}},
		{"--model tiny --date yesterday", []string{"--date"}},
	} {
		args := append([]string{"run", "--out-dir", "out"}, strings.Fields(c.flags)...)
		fails(t, start(t, dir, nil, "evaluate", args...), c.want...)
	}
	// Two at a time in one folder would make samples twice.
	first := start(t, dir, nil, "evaluate", evaluation(append(slow, "--out-dir", "both")...)...)
	awaitSize(first, filepath.Join(dir, "both", "work", "base.samples"), 1)
	fails(t, start(t, dir, nil, "evaluate", evaluation("--out-dir", "both")...), "another evaluation is at work here")
	if first.exited() {
		t.Error("the first evaluation has ended: the test shows nothing")
	}
	if code := first.stop(); code != 130 {
		t.Errorf("after a signal the exit status is %d, want 130\n%s", code, first.tail())
	}
}

// workers is an evaluation over the streams of a run, by any number of workers.
type workers struct {
	t      *testing.T
	server *server
	dir    string
}

func (w workers) evaluate(more ...string) *process {
	return start(w.t, w.dir, nil, "evaluate", evaluation(append([]string{"--run", "e", "--nats", w.server.url, "--out-dir", "out"}, more...)...)...)
}

func (w workers) generate(more ...string) *process {
	return start(w.t, w.dir, nil, "generate", append([]string{
		"--run", "e", "--nats", w.server.url, "--frozen", "--model", "tiny", "--ack-wait", "1s", "--threads", "1", "--max-sequences", "4",
		"--temperature", "0.1", "--max-new-tokens", "3", // the problems say otherwise
	}, more...)...)
}

func (w workers) score(more ...string) *process {
	return start(w.t, w.dir, nil, "score", append([]string{"--run", "e", "--nats", w.server.url, "--profile", "benchmark", "--ack-wait", "1s"}, more...)...)
}

// Over streams, two workers of each kind report what one does, and what an evaluation without a server does;
// also where the server takes small messages only, and where everything is killed and started again.
func TestEvaluationByWorkers(t *testing.T) {
	t.Parallel()
	want := undisturbed(t)
	for _, c := range []struct {
		name    string
		workers int
		payload string
		kills   bool
	}{
		{"one", 1, "8MB", false},
		{"two, small messages", 2, "24KB", false},
		{"two, killed", 2, "8MB", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := workers{t: t, server: startServer(t), dir: t.TempDir()}
			w.server.limit(c.payload)
			if c.kills {
				w.disturbed()
			} else {
				all := []*process{w.evaluate()}
				for range c.workers {
					all = append(all, w.generate(), w.score())
				}
				finish(t, all...)
			}
			sameReport(t, want, reported(t, filepath.Join(w.dir, "out")))
			// Whoever was killed: each piece was made and judged once, and none was in two messages.
			asked := len(w.server.messages("e", "problems"))
			for _, stream := range []string{"rollouts", "scored"} {
				if n := len(w.server.messages("e", stream)); n != asked {
					t.Errorf("stream %s has %d messages, the problems %d", stream, n, asked)
				}
			}
			// Everything once more: nothing is left to do.
			w.evaluate().ok()
			sameReport(t, want, reported(t, filepath.Join(w.dir, "out")))
		})
	}
}

// limit restarts the server with another max_payload.
func (s *server) limit(payload string) {
	s.t.Helper()
	path := filepath.Join(s.dir, "nats.conf")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(text, []byte("8MB"), []byte(payload), 1), 0o644)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.restart()
}

// disturbed is an evaluation by two workers of each kind in which everything is killed.
func (w workers) disturbed() {
	rng := rand.New(rand.NewPCG(4, 4))
	for range 3 { // while it asks for samples
		p := w.evaluate()
		time.Sleep(time.Duration(20+rng.IntN(150)) * time.Millisecond)
		p.kill()
	}
	starts := map[string]func(...string) *process{"evaluate": w.evaluate, "generate": w.generate, "score": w.score}
	running := map[string]*process{}
	for _, name := range []string{"evaluate 0", "generate 0", "generate 1", "score 0", "score 1"} {
		kind, _, _ := strings.Cut(name, " ")
		running[name] = starts[kind]()
	}
	victims := []string{"generate 0", "score 0", "evaluate 0", "generate 1", "server", "evaluate 0", "score 1", "generate 0"}
	early := 0
	for _, victim := range victims {
		time.Sleep(time.Duration(30+rng.IntN(150)) * time.Millisecond)
		if running["evaluate 0"].exited() {
			early++
		}
		if victim == "server" {
			w.server.restart()
			continue
		}
		kind, _, _ := strings.Cut(victim, " ")
		running[victim].kill()
		running[victim] = starts[kind]()
	}
	if early > 3 {
		w.t.Errorf("%d of %d kills came after the end: the test shows too little", early, len(victims))
	}
	finish(w.t, slices.Collect(maps.Values(running))...)
}

// In a run, too, a changed setting and a worker that judges differently are refused.
func TestEvaluationByWorkersRefuses(t *testing.T) {
	t.Parallel()
	w := workers{t: t, server: startServer(t), dir: t.TempDir()}
	first := w.evaluate("--n", "2")
	generate, score := w.generate(), w.score()
	finish(t, first, generate, score)
	for flags, want := range map[string]string{
		"--n 2 --temperature 0.5":        "synth temperature was 1, now it is 0.5 (another --run begins anew)",
		"--n 2 --samples 9":              "synth samples was 8, now it is 9",
		"--n 3":                          "synth problems was 2",
		"--n 2 --fresh":                  "--fresh: a run keeps what it has",
		"--n 2 --model b=tiny":           "expected one --model",
		"--n 2 --max-new-tokens 9000000": "raise its max_payload",
	} {
		fails(t, w.evaluate(strings.Fields(flags)...), want)
	}
	fails(t, w.evaluate("--n", "2", "--profile", "reward"), "profile was benchmark, now it is reward")
	fails(t, w.score("--profile", "reward"), "evaluation was started with another value", "--profile is reward here and benchmark there")
	// A run that trains is not used for an evaluation, and is not changed by the attempt.
	command(t, w.dir, "curate", "synth", "--n", "4", "--run", "training", "--nats", w.server.url)
	fails(t, w.evaluate("--run", "training"), "run training has problems that are not an evaluation's")
}
