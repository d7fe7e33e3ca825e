package pipelines

import (
	"bytes"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fails waits for a process that must end with exit status 1 and, beside its log, one line on standard
// error that starts with the binary's name and contains all of want.
func fails(t *testing.T, p *process, want ...string) {
	t.Helper()
	if got := p.status(); got != 1 {
		t.Errorf("%s: exit status %d, want 1\n%s", p.line, got, p.tail())
		return
	}
	binary, _, _ := strings.Cut(p.line, " ")
	var said []string
	for line := range strings.Lines(p.stderr()) {
		if !strings.HasPrefix(line, "time=") {
			said = append(said, line)
		}
	}
	if len(said) != 1 || !strings.HasPrefix(said[0], binary+": ") {
		t.Errorf("%s: %d lines on standard error beside the log, want one that starts with %q\n%s", p.line, len(said), binary+": ", p.tail())
		return
	}
	for _, w := range want {
		if !strings.Contains(said[0], w) {
			t.Errorf("%s:\n  it says     %s  and lacks   %s", p.line, said[0], w)
		}
	}
}

// goodFiles makes a folder with one good file of everything: problems, rollouts and scored rollouts in
// all formats (p.*, r.*, s.*; .ipc is what goes through a pipe), a model folder, and a file "old".
func goodFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	shell(t, dir, `
		for f in arrow parquet jsonl; do
			curate synth -n 12 --level 1 --out p.$f
			generate --model tiny --group-size 4 --max-new-tokens 24 --in p.$f --out r.$f
			score --in r.$f --out s.$f
		done
		curate synth -n 12 --level 1 > p.ipc
		generate --model tiny --group-size 4 --max-new-tokens 24 < p.ipc > r.ipc
		score < r.ipc > s.ipc
		update sft --model shape:tiny --in p.arrow --steps 1 --dir trained --save-dtype f32
		mv trained/model model
		rm -r trained logs 2> logs || rm logs
		echo "what was there" > old`)
	return dir
}

// edit changes a file.
func edit(t *testing.T, path string, change func([]byte) []byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(bytes.Clone(data))
	if bytes.Equal(changed, data) {
		t.Fatalf("%s: the edit changes nothing", path)
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
}

// swap is an edit that replaces the first from with to.
func swap(from, to string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(from), []byte(to), 1) }
}

// cut is an edit that drops the last n bytes.
func cut(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:len(b)-n] } }

// files are the files below dir and their contents; the logs of the test itself do not count.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "logs" {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Whatever is wrong with what a user gives, there is one clear line, a bad exit status, and all files
// that were there before, the output's old contents included, are still there and nothing beside.
func TestBadInput(t *testing.T) {
	t.Parallel()
	good := goodFiles(t)
	model := func(file string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { edit(t, filepath.Join(dir, "model", file), change) }
	}
	file := func(name string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) { edit(t, filepath.Join(dir, name), change) }
	}
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	sample := "generate --model model --in p.arrow --out old.jsonl"
	train := "update --model model --in s.arrow --groups-per-step 0 --dir new"
	for _, c := range []struct {
		name   string
		line   string // the command; "< file" at its end is standard input
		damage func(t *testing.T, dir string)
		want   []string
	}{
		// Models.
		{"truncated safetensors", sample, model("model.safetensors", cut(100)), []string{"model.safetensors"}},
		{"truncated safetensors in training", train, model("model.safetensors", cut(100)), []string{"model.safetensors"}},
		{"empty safetensors", sample, model("model.safetensors", func([]byte) []byte { return nil }), []string{"model.safetensors"}},
		{"safetensors with a huge header", sample, model("model.safetensors", func(b []byte) []byte { b[6] = 0xff; return b }), []string{"model.safetensors", "header"}},
		{"tensor of another shape", sample, model("model.safetensors", swap(`"shape":[288,128]`, `"shape":[128,288]`)), []string{"embed_tokens", "[128 288]", "[288 128]"}},
		{"tensor missing", sample, model("model.safetensors", swap("layers.1.mlp.down_proj", "layers.1.mlp.down_porj")), []string{"layers.1.mlp.down_proj"}},
		{"tensor of an unknown type", sample, model("model.safetensors", swap(`"dtype":"F32"`, `"dtype":"F3X"`)), []string{"F3X"}},
		{"a shard is missing", sample, func(t *testing.T, dir string) {
			weights := filepath.Join(dir, "model", "model.safetensors")
			index := `{"metadata":{},"weight_map":{"model.norm.weight":"model-00002-of-00002.safetensors"`
			for name := range tensors(t, weights) {
				if name != "model.norm.weight" {
					index += `,"` + name + `":"model-00001-of-00002.safetensors"`
				}
			}
			write("model/model.safetensors.index.json", index+"}}")(t, dir)
			if err := os.Rename(weights, filepath.Join(dir, "model", "model-00001-of-00002.safetensors")); err != nil {
				t.Fatal(err)
			}
		}, []string{"model-00002-of-00002.safetensors"}},
		{"an unknown feature", sample, model("config.json", swap("{", `{"rope_scaling":{"type":"dynamic","factor":4.0},`)), []string{"config.json", "rope_scaling"}},
		{"a sliding window", sample, model("config.json", swap("{", `{"use_sliding_window":true,"sliding_window":128,`)), []string{"config.json", "sliding_window"}},
		{"another architecture", sample, model("config.json", swap(`"qwen2"`, `"mamba2"`)), []string{"config.json", "mamba2"}},
		{"a size that makes no sense", sample, model("config.json", swap(`"num_attention_heads": 4`, `"num_attention_heads": 0`)), []string{"config.json", "num_attention_heads"}},
		{"malformed config.json", sample, model("config.json", cut(10)), []string{"config.json"}},
		{"malformed tokenizer.json", sample, model("tokenizer.json", cut(300)), []string{"tokenizer.json"}},
		{"a tokenizer of another kind", sample, model("tokenizer.json", swap(`"BPE"`, `"Unigram"`)), []string{"tokenizer.json", "Unigram"}},
		{"malformed chat template", sample, model("tokenizer_config.json", swap("{%", "{% if ")), []string{"template"}},
		{"no tokenizer", sample, func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "model", "tokenizer.json")); err != nil {
				t.Fatal(err)
			}
		}, []string{"tokenizer.json"}},
		{"no such model", "generate --model nowhere --in p.arrow --out old.jsonl", nil, []string{"--model", "nowhere"}},
		{"no such shape", "generate --model shape:huge --in p.arrow --out old.jsonl", nil, []string{"shape:huge", "tiny"}},
		{"a file as a model", "generate --model old --in p.arrow --out old.jsonl", nil, []string{"old", "folder"}},
		{"no model", "generate --in p.arrow --out old.jsonl", nil, []string{"--model"}},

		// Records.
		{"problems into score", "score --out old.jsonl < p.ipc", nil, []string{"standard input", "rollouts", "problems"}},
		{"a file of problems into score", "score --in p.parquet --out old.jsonl", nil, []string{"p.parquet", "rollouts", "problems"}},
		{"JSON lines of problems into score", "score --in p.jsonl --out old.jsonl", nil, []string{"p.jsonl", "group_id"}},
		{"rollouts into generate", "generate --model model --out old.jsonl < r.ipc", nil, []string{"standard input", "problems", "rollouts"}},
		{"rollouts into update", "update --model model --in r.arrow --groups-per-step 0 --dir new", nil, []string{"r.arrow", "scored", "rollouts"}},
		{"rollouts into a report", "evaluate report --in r.arrow", nil, []string{"r.arrow", "scored", "rollouts"}},
		{"problems without solutions into sft", "update sft --model model --in p.jsonl --dir new", file("p.jsonl", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"solution":"`), []byte(`"solutoin":"`))
		}), []string{"p.jsonl", "no solution"}},
		{"a pipe that breaks off", "score --out old.jsonl < r.ipc", file("r.ipc", cut(1000)), []string{"standard input", "truncated"}},
		{"a pipe without its end mark", "score --out old.jsonl < r.ipc", file("r.ipc", cut(8)), []string{"standard input", "truncated"}},
		{"nothing in the pipe", "score --out old.jsonl < old.jsonl", write("old.jsonl", ""), []string{"standard input"}},
		{"text in the pipe", "score --out old.jsonl < old", nil, []string{"standard input"}},
		{"a flipped bit in the schema's length", "score --out old.jsonl < r.ipc", file("r.ipc", func(b []byte) []byte { b[6] ^= 0x40; return b }), []string{"standard input"}},
		{"a flipped bit in the kind", "score --out old.jsonl < r.ipc", file("r.ipc", swap("rollouts", "rollo5ts")), []string{"standard input", "rollo5ts"}},
		{"truncated .arrow", "score --in r.arrow --out old.jsonl", file("r.arrow", cut(20)), []string{"r.arrow", "truncated"}},
		{"truncated .parquet", "score --in r.parquet --out old.jsonl", file("r.parquet", cut(20)), []string{"r.parquet"}},
		{"truncated .jsonl", "score --in r.jsonl --out old.jsonl", file("r.jsonl", cut(20)), []string{"r.jsonl", "48"}},
		{"a mistyped column", "score --in r.jsonl --out old.jsonl", file("r.jsonl", swap(`"sample":0`, `"sample":"0"`)), []string{"r.jsonl", "sample"}},
		{"token ids beyond the vocabulary", "update --model model --in s.jsonl --groups-per-step 0 --dir new", file("s.jsonl", func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(`"prompt_ids":[273,`), []byte(`"prompt_ids":[99999,`))
		}), []string{"99999"}},

		// Command lines and recipes.
		{"unknown flag", "score --rewrad accuracy --in r.arrow --out old.jsonl", nil, []string{"--rewrad", `"reward"`}},
		{"unknown flag of a command", "evaluate report --outdir new --in s.arrow", nil, []string{"--outdir", `"out-dir"`}},
		{"mistyped command", "evaluate reprot --in s.arrow", nil, []string{"reprot", `"report"`}},
		{"mistyped subcommand", "curate snyth -n 4 --out old.jsonl", nil, []string{"snyth", `"synth"`}},
		{"no command", "update stf --model tiny", nil, []string{"stf", `"sft"`}},
		{"unknown reward", "score --reward acuracy --in r.arrow --out old.jsonl", nil, []string{"acuracy", "accuracy"}},
		{"unknown loss", "update --loss ppo --model model --in s.arrow --dir new", nil, []string{"ppo", "dapo"}},
		{"unknown schedule", "update --schedule cosign --model model --in s.arrow --dir new", nil, []string{"cosign", "cosine"}},
		{"unknown device", "generate --device tpu --model model --in p.arrow --out old.jsonl", nil, []string{"tpu", "cpu"}},
		{"unknown log level", "score --log-level loud --in r.arrow --out old.jsonl", nil, []string{"loud", "debug"}},
		{"a number that is none", "generate --model model --group-size many --in p.arrow --out old.jsonl", nil, []string{"group-size", "many"}},
		{"a group size of 0", "generate --model model --group-size 0 --in p.arrow --out old.jsonl", nil, []string{"--group-size is 0"}},
		{"a negative temperature", "generate --model model --temperature -1 --in p.arrow --out old.jsonl", nil, []string{"--temperature is -1"}},
		{"a top-p of 2", "generate --model model --top-p 2 --in p.arrow --out old.jsonl", nil, []string{"--top-p is 2", "0 to 1"}},
		{"variables of the chat template that are none", "generate --model model --chat-template-kwargs [1] --in p.arrow --out old.jsonl", nil, []string{"--chat-template-kwargs", "JSON object"}},
		{"a stop token that is none", "generate --model model --stop <no> --in p.arrow --out old.jsonl", nil, []string{"<no>"}},
		{"more memory than there is", "generate --model model --cache-tokens 1000000000000 --in p.arrow --out old.jsonl", nil, []string{"GiB", "cache"}},
		{"another format", "score --in r.arrow --out old.csv", nil, []string{"old.csv", ".parquet"}},
		{"a stream without a run", "score --in nats: --out old.jsonl", nil, []string{"nats:", "--run"}},
		{"unknown key in a recipe", "generate --config old --in p.arrow --out old.jsonl", write("old", "generate:\n  temprature: 1\n"), []string{"old", "line 2", "temprature", `"temperature"`}},
		{"unknown section in a recipe", "generate --config old --in p.arrow --out old.jsonl", write("old", "generat:\n  seed: 1\n"), []string{"old", "line 1", "generat", `"generate"`}},
		{"a value of another type in a recipe", "generate --config old --in p.arrow --out old.jsonl", write("old", "generate:\n  group-size: big\n"), []string{"old", "group-size", "big"}},
		{"a recipe that is not YAML", "generate --config old --in p.arrow --out old.jsonl", write("old", "generate: [\n"), []string{"old"}},
		{"no such recipe", "generate --config nowhere.yaml --in p.arrow --out old.jsonl", nil, []string{"nowhere.yaml"}},

		// Places.
		{"no such file", "score --in nowhere.arrow --out old.jsonl", nil, []string{"nowhere.arrow", "no such file"}},
		{"a folder as a file", "score --in r.arrow --out model.jsonl", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "model.jsonl"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, []string{"model.jsonl"}},
		{"no such folder for the output", "score --in r.arrow --out nowhere/s.jsonl", nil, []string{"nowhere", "no such file"}},
		{"training over something else", "update --model model --in s.arrow --groups-per-step 0 --dir new", func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "new", "model", "thesis"), 0o755); err != nil {
				t.Fatal(err)
			}
		}, []string{"new/model", "thesis"}},
		{"a bad run name", "score --run a.b --nats nats://127.0.0.1:1", nil, []string{"--run", `"a.b"`}},
		{"a run name that leads elsewhere", "update --model model --run ../..", nil, []string{"--run", `"../.."`}},
		{"no server", "score --run r --nats nats://127.0.0.1:1", nil, []string{"nats://127.0.0.1:1", "nats-server"}},
		{"standard output is full", "curate synth -n 5000 > /dev/full", nil, []string{"standard output", "no space left"}},
		{"the report's output is full", "evaluate report --in s.arrow > /dev/full", nil, []string{"no space left"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "old.jsonl")); err != nil {
				t.Fatal(err)
			}
			write("old", "not a table")(t, dir)
			if c.damage != nil {
				c.damage(t, dir)
			}
			before := files(t, dir)

			line, toFull := strings.CutSuffix(c.line, " > /dev/full")
			line, input, _ := strings.Cut(line, " < ")
			var stdin io.Reader
			if input != "" {
				f, err := os.Open(filepath.Join(dir, input))
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				stdin = f
			}
			words := strings.Fields(line)
			p := launch(t, dir, stdin, toFull, words[0], words[1:]...)
			fails(t, p, c.want...)

			after := files(t, dir)
			for path, text := range before {
				if after[path] != text {
					t.Errorf("%s was changed", path)
				}
			}
			for path := range after {
				// What training has finished before it failed may stay: metrics and checkpoints.
				if _, there := before[path]; !there && !strings.HasPrefix(path, filepath.Join(dir, "new")+"/") {
					t.Errorf("%s was left behind", path)
				}
			}
		})
	}
}

// Any single flipped bit in a pipe leads to an orderly end: the values may be other values, but nothing
// crashes, hangs or takes all memory.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	good := goodFiles(t)
	whole, err := os.ReadFile(filepath.Join(good, "r.ipc"))
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	dir := t.TempDir()
	refused := 0
	for i := range 60 {
		data := bytes.Clone(whole)
		at := rng.IntN(len(data))
		if i%2 == 0 {
			at = rng.IntN(2000) // the schema, and the first batch's header
		}
		data[at] ^= 1 << rng.IntN(8)
		p := start(t, dir, bytes.NewReader(data), "score", "--out", "s.jsonl")
		switch got := p.status(); got {
		case 0:
		case 1:
			refused++
			fails(t, p, "standard input")
		default:
			t.Errorf("byte %d: exit status %d\n%s", at, got, p.tail())
		}
	}
	if refused < 5 {
		t.Errorf("%d of 60 damaged streams were refused: the test shows little", refused)
	}
}

// On a full disk the old file stays whole and no half of the new one is left.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	disk := filepath.Join(dir, "disk")
	if err := os.Mkdir(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no small file system to fill: mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", disk).CombinedOutput(); err != nil {
			t.Errorf("umount %s: %v: %s", disk, err, out)
		}
	})
	shell(t, dir, `
		curate synth -n 3000 --out p.arrow
		curate synth -n 64 --out few.arrow
		generate --model shape:tiny --max-new-tokens 2 --group-size 8 --in few.arrow --out r.arrow
		score --in r.arrow --out s.arrow
		curate synth -n 4 --out disk/p.jsonl; curate synth -n 4 --out disk/p.arrow; curate synth -n 4 --out disk/p.parquet`)
	for _, line := range []string{
		"curate --in p.arrow --out disk/p.jsonl",
		"curate --in p.arrow --out disk/p.arrow",
		"curate --in p.arrow --epochs 20 --out disk/p.parquet",
		"score --in r.arrow --out disk/p.jsonl",
		"update --model tiny --in s.arrow --groups-per-step 0 --dir disk/run",
		"update sft --model tiny --in few.arrow --dir disk/run",
		"evaluate problems --n 3000 --out disk/p.jsonl",
	} {
		before := files(t, disk)
		words := strings.Fields(line)
		fails(t, start(t, dir, nil, words[0], words[1:]...), "disk/", "no space left")
		after := files(t, disk)
		for path := range after {
			if strings.Contains(path, "/metrics-") {
				delete(after, path)
			}
		}
		if !maps.Equal(before, after) {
			t.Errorf("%s: the disk has %v, before %v", line, slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
		}
		if err := os.RemoveAll(filepath.Join(disk, "run")); err != nil {
			t.Fatal(err)
		}
	}
}
