package trl

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// testdata reads a configuration.
func testdata(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// convert converts text and reads back what was written: "section.flag" to its values joined by spaces.
func convert(t *testing.T, text string, opt Options) (map[string]string, *Result, string) {
	t.Helper()
	r, err := Convert(strings.NewReader(text), opt)
	if err != nil {
		t.Fatal(err)
	}
	flags, written := reread(t, r)
	return flags, r, written
}

// reread writes a recipe and reads it as YAML.
func reread(t *testing.T, r *Result) (map[string]string, string) {
	t.Helper()
	var b strings.Builder
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	var sections map[string]map[string]yaml.Node
	if err := yaml.Unmarshal([]byte(b.String()), &sections); err != nil {
		t.Fatalf("%v in\n%s", err, b.String())
	}
	flags := map[string]string{}
	for name, body := range sections {
		for flag, n := range body {
			if n.Kind == yaml.SequenceNode {
				var all []string
				if err := n.Decode(&all); err != nil {
					t.Fatalf("%s.%s: %v in\n%s", name, flag, err, b.String())
				}
				flags[name+"."+flag] = strings.Join(all, " ")
				continue
			}
			if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
				t.Fatalf("%s.%s is no value in\n%s", name, flag, b.String())
			}
			flags[name+"."+flag] = n.Value
		}
	}
	return flags, b.String()
}

func keys(notes []Note) []string {
	var all []string
	for _, n := range notes {
		all = append(all, n.Key)
	}
	slices.Sort(all)
	return all
}

func TestStudy(t *testing.T) {
	study := testdata(t, "open-rs.yaml")
	got, r, written := convert(t, study, Options{Name: "grpo.yaml", Processes: 3})
	if system := got["generate.system"]; !strings.Contains(system, ` within \boxed{{}} . The `) || !strings.HasSuffix(system, "Note that respond by English, NOT use other languages.") {
		t.Errorf("system message %q", system)
	}
	delete(got, "generate.system")
	want := map[string]string{
		"common.model": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", "common.dtype": "bf16", "common.seed": "42", "common.steps": "500",
		"common.group-size": "6", "common.groups-per-step": "12",
		"curate.shuffle":       "true",
		"generate.temperature": "0.7", "generate.max-new-tokens": "3584",
		"score.reward": "format=1 cosine=2:max_len=1000,min_correct=0.5,max_correct=1.0,min_wrong=0.0,max_wrong=-0.5",
		"update.loss":  "bnpo", "update.beta": "0.04", "update.epsilon": "0.2", "update.temperature": "1", "update.micro-batch": "6",
		"update.lr": "1.0e-06", "update.schedule": "cosine_with_min_lr", "update.min-lr-ratio": "0.1", "update.warmup-steps": "50", "update.checkpoint-every": "50",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if u := keys(r.Unsupported); !slices.Equal(u, []string{"max_prompt_length"}) {
		t.Errorf("not supported: %v", u)
	}
	for _, text := range []string{"grpo.yaml, 44 keys", "TRL 0.16.0.dev0", "NOT SUPPORTED, and left out (1):\n#   max_prompt_length: 512 ", "beta: 0.04 # beta's default in TRL 0.16.0.dev0", "# compat: open-rs"} {
		if !strings.Contains(written, text) {
			t.Errorf("no %q in\n%s", text, written)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(study), "\n")[1:] {
		if key, _, _ := strings.Cut(line, ":"); !strings.Contains(written, key) {
			t.Errorf("%s is nowhere in the recipe", key)
		}
	}
}

// What a file leaves out is what that version of TRL would have taken.
func TestVersions(t *testing.T) {
	for _, c := range []struct{ version, temperature, beta, loss, topK, trained string }{
		{"0.14", "0.9", "0.04", "grpo", "", "1"},
		{"0.15.2", "0.9", "0.04", "grpo", "", "1"},
		{"open-rs", "0.9", "0.04", "bnpo", "", "1"},
		{"0.16.0.dev0", "0.9", "0.04", "bnpo", "", "1"},
		{"v0.16.0", "0.9", "0.04", "bnpo", "50", ""},
		{"0.17", "0.9", "0.04", "bnpo", "50", ""},
		{"0.18.0", "1.0", "0.04", "bnpo", "", ""},
		{"0.19.1", "1.0", "0.0", "bnpo", "", ""},
		{"0.22", "1.0", "0.0", "dapo", "", ""},
		{"1.9.0", "1.0", "0.0", "dapo", "", ""},
	} {
		got, _, _ := convert(t, "max_steps: 10\ngradient_accumulation_steps: 1\nper_device_train_batch_size: 16\n", Options{Version: c.version})
		for flag, want := range map[string]string{
			"generate.temperature": c.temperature, "update.beta": c.beta, "update.loss": c.loss, "generate.top-k": c.topK, "update.temperature": c.trained,
		} {
			if got[flag] != want {
				t.Errorf("TRL %s: %s is %q, want %q", c.version, flag, got[flag], want)
			}
		}
	}
	for _, bad := range []string{"", "new", "0", "0.13.0", "0.18.x", "0.18.0.1", "-1.0"} {
		if _, err := parseVersion(bad); err == nil {
			t.Errorf("version %q is accepted", bad)
		}
	}
	if _, err := Convert(strings.NewReader("seed: 1"), Options{Version: "next"}); err == nil || errors.Is(err, ErrFile) {
		t.Errorf("version next: %v", err)
	}
}

func TestConvert(t *testing.T) {
	const batch = "per_device_train_batch_size: 8\nnum_generations: 8\ngradient_accumulation_steps: 2\n"
	for _, c := range []struct {
		name, text  string
		opt         Options
		want        map[string]string // "": the flag must not be there
		unsupported []string
	}{
		{name: "steps of epochs", text: batch + "num_train_epochs: 1.5\nwarmup_ratio: 0.1\nsave_strategy: epoch", opt: Options{Processes: 2, Rows: 1003},
			want: map[string]string{"common.groups-per-step": "4", "common.steps": "375", "curate.epochs": "2", "update.warmup-steps": "38", "update.checkpoint-every": "250"}},
		{name: "epochs of steps", text: batch + "max_steps: 500", opt: Options{Processes: 2, Rows: 700}, want: map[string]string{"common.steps": "500", "curate.epochs": "3"}},
		{name: "epochs, rows not known", text: batch + "warmup_ratio: 0.1\nsave_strategy: epoch", want: map[string]string{"common.steps": "", "curate.epochs": "3", "update.warmup-steps": "", "update.checkpoint-every": ""},
			unsupported: []string{"max_steps", "save_strategy", "warmup_ratio"}},
		{name: "one epoch saved at its end", text: batch + "num_train_epochs: 1\nsave_strategy: epoch", want: map[string]string{"update.checkpoint-every": "0"}, unsupported: []string{"max_steps"}},
		{name: "data smaller than a step", text: batch + "num_train_epochs: 2", opt: Options{Rows: 1}, want: map[string]string{"common.steps": "2"}},
		{name: "warm-up in steps", text: batch + "max_steps: 10\nwarmup_steps: 3\nwarmup_ratio: 0.5", want: map[string]string{"update.warmup-steps": "3"}},
		{name: "warm-up as a share, the new way", text: batch + "max_steps: 10\nwarmup_steps: 0.25", want: map[string]string{"update.warmup-steps": "3"}},
		{name: "constant has no warm-up", text: batch + "max_steps: 10\nwarmup_ratio: 0.5\nlr_scheduler_type: constant", want: map[string]string{"update.warmup-steps": "", "update.schedule": "constant"}},
		{name: "another schedule", text: batch + "max_steps: 10\nwarmup_ratio: 0.5\nlr_scheduler_type: polynomial", want: map[string]string{"update.schedule": ""}, unsupported: []string{"lr_scheduler_type"}},
		{name: "minimum as a rate", text: batch + "max_steps: 10\nlearning_rate: 2e-5\nlr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 1e-6}", want: map[string]string{"update.min-lr-ratio": "0.05"}},
		{name: "arguments as JSON", text: batch + "max_steps: 10\nlr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: '{\"min_lr_rate\": 0.2, \"num_cycles\": 0.5}'", want: map[string]string{"update.min-lr-ratio": "0.2"}},
		{name: "arguments of another schedule", text: batch + "max_steps: 10\nlr_scheduler_kwargs: {power: 2, min_lr_rate: 0.1}", want: map[string]string{"update.min-lr-ratio": ""},
			unsupported: []string{"lr_scheduler_kwargs.min_lr_rate", "lr_scheduler_kwargs.power"}},
		{name: "saving a share", text: batch + "max_steps: 30\nsave_steps: 0.05", want: map[string]string{"update.checkpoint-every": "2"}},
		{name: "saving not", text: batch + "max_steps: 30\nsave_strategy: 'no'\nsave_steps: 7", want: map[string]string{"update.checkpoint-every": "0"}},
		{name: "saving the best", text: batch + "max_steps: 30\nsave_strategy: best\nload_best_model_at_end: true", unsupported: []string{"load_best_model_at_end", "save_strategy"}},
		{name: "type", text: batch + "max_steps: 1\ndtype: float32\nbf16: true", want: map[string]string{"common.dtype": "f32"}},
		{name: "type by the cast", text: batch + "max_steps: 1\ntorch_dtype: auto\nbf16: yes", want: map[string]string{"common.dtype": "bf16"}},
		{name: "half precision", text: batch + "max_steps: 1\ntorch_dtype: float16\nfp16: true", want: map[string]string{"common.dtype": ""}, unsupported: []string{"fp16", "torch_dtype"}},
		{name: "nucleus", text: batch + "max_steps: 1\ntop_p: 0.95\ntop_k: -1\nmin_p: 0.1\nrepetition_penalty: 1.0", want: map[string]string{"generate.top-p": "0.95", "generate.top-k": "", "generate.min-p": "0.1"}},
		{name: "dr_grpo", text: batch + "max_steps: 1\nloss_type: dr_grpo\nscale_rewards: False\nmax_completion_length: 8192", want: map[string]string{
			"update.loss": "dr_grpo", "update.max-completion-length": "8192", "score.scale-rewards": "none", "update.micro-batch": ""}},
		{name: "other losses", text: batch + "max_steps: 1\nloss_type: cispo\nimportance_sampling_level: sequence_token", want: map[string]string{"update.loss": ""}, unsupported: []string{"importance_sampling_level", "loss_type"}},
		{name: "sequence level", text: batch + "max_steps: 1\nimportance_sampling_level: sequence\nepsilon_high: 0.28\nepsilon: 3e-4\ndelta: null", want: map[string]string{
			"update.importance-sampling-level": "sequence", "update.epsilon": "3e-4", "update.epsilon-high": "0.28", "update.delta": ""}},
		{name: "rewards by default", text: batch + "max_steps: 1", opt: Options{Version: "0.18.0"}, want: map[string]string{"score.reward": "accuracy=1 format=1 tag_count=1:tags=4"}},
		{name: "rewards with parameters", text: batch + "max_steps: 1\nreward_funcs: [repetition_penalty, soft_overlong_punishment, length]\nreward_weights: [0.5, 1, -1.0e-1]\nmax_completion_len: 2048\nsoft_punish_cache: 512\ncosine_max_len: 7",
			want: map[string]string{"score.reward": "repetition_penalty=0.5:ngram_size=3,max_penalty=-1.0 soft_overlong_punishment=1:max_completion_len=2048,soft_punish_cache=512 length=-0.1"}},
		{name: "one reward", text: batch + "max_steps: 1\nreward_funcs: accuracy_reward", want: map[string]string{"score.reward": "accuracy=1"}},
		{name: "rewards that run code", text: batch + "max_steps: 1\nreward_funcs: [code, format]\nreward_weights: [1.0, 0.1]\ncode_language: cpp", want: map[string]string{"score.reward": "format=0.1"}, unsupported: []string{"reward_funcs"}},
		{name: "generation batches", text: batch + "max_steps: 1\nsteps_per_generation: 2\ngeneration_batch_size: 64", unsupported: []string{"generation_batch_size"}},
		{name: "null is left out", text: batch + "max_steps: 1\nbeta: null\nmax_prompt_length: null\nsystem_prompt:", want: map[string]string{"update.beta": "0.04", "generate.system": ""}},
		{name: "adapters", text: testdata(t, "adapter.yaml"), unsupported: []string{"model_post_train_type"}, want: map[string]string{
			"update.lora-rank": "32", "update.lora-alpha": "128", "update.lora-dropout": "0.05", "update.lora-targets": "q_proj k_proj v_proj o_proj down_proj up_proj gate_proj"}},
		{name: "adapters by default", text: batch + "max_steps: 1\nuse_peft: true\nuse_dora: false\nlora_modules_to_save: null", want: map[string]string{
			"update.lora-rank": "16", "update.lora-alpha": "32", "update.lora-dropout": "0.05", "update.lora-targets": "q_proj v_proj"}},
		{name: "adapters everywhere", text: batch + "max_steps: 1\nuse_peft: true\nlora_target_modules: all-linear", want: map[string]string{
			"update.lora-targets": "q_proj v_proj k_proj o_proj gate_proj up_proj down_proj"}},
		{name: "adapters elsewhere", text: batch + "max_steps: 1\nuse_peft: true\nuse_rslora: true\nlora_modules_to_save: [lm_head]\nlora_target_modules: [q_proj, embed_tokens]", want: map[string]string{
			"update.lora-targets": "q_proj"}, unsupported: []string{"lora_modules_to_save", "lora_target_modules", "use_rslora"}},
		{name: "off", text: batch + "max_steps: 1\nuse_peft: false\nlora_r: 8\nmask_truncated_completions: false\nsync_ref_model: false\nload_in_4bit: False\ncallbacks: []\nmodel_init_kwargs: {}"},
		{name: "on", text: batch + "max_steps: 1\nmask_truncated_completions: true\nsync_ref_model: true\nload_in_4bit: true\ncallbacks: [x]\nmodel_init_kwargs: {a: {b: 1}}\nchat_template: '{{ x }}'\noptim: paged_adamw_8bit",
			unsupported: []string{"callbacks", "chat_template", "load_in_4bit", "mask_truncated_completions", "model_init_kwargs", "optim", "sync_ref_model"}},
		{name: "unknown", text: batch + "max_steps: 1\ntemprature: 1\n", unsupported: []string{"temprature"}},
		{name: "alias", text: "x: &n 8\nper_device_train_batch_size: *n\ngradient_accumulation_steps: 1\nmax_steps: 1", want: map[string]string{"common.groups-per-step": "1"}, unsupported: []string{"x"}},
		{name: "whole numbers written as others", text: batch + "max_steps: 5.0e+02", want: map[string]string{"common.steps": "500"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, r, written := convert(t, c.text, c.opt)
			for flag, want := range c.want {
				if v, there := got[flag]; v != want || there != (want != "") {
					t.Errorf("%s is %q, want %q", flag, v, want)
				}
			}
			if u := keys(r.Unsupported); !slices.Equal(u, c.unsupported) {
				t.Errorf("not supported: %v, want %v", u, c.unsupported)
			}
			for _, u := range c.unsupported {
				if !strings.Contains(written, u) {
					t.Errorf("%s is not in the recipe:\n%s", u, written)
				}
			}
		})
	}
	_, r, _ := convert(t, "temprature: 1\nmax_steps: 1", Options{})
	if len(r.Unsupported) != 1 || !strings.Contains(r.Unsupported[0].Why, `did you mean "temperature"`) {
		t.Errorf("a typing mistake: %v", r.Unsupported)
	}
}

func TestConvertRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "empty file",
		"# only a comment":               "empty file",
		"- a":                            "line 1: expected keys and values",
		"a: [":                           "yaml",
		"seed: 1\n---\nseed: 2":          "one YAML document",
		"seed: 1\nseed: 2":               `line 2: "seed" is set twice`,
		"? [a]\n: 1":                     "line 1: expected a name",
		"\nbeta: lots":                   "line 2: beta is lots, expected a number",
		"beta: [1]":                      "line 1: beta is [1], expected one value",
		"beta: .nan":                     "expected a number",
		"seed: -1":                       "expected a whole number from 0",
		"max_steps: 1.5":                 "expected a whole number",
		"bf16: maybe":                    "expected true or false",
		"num_generations: 0":             "num_generations is 0, expected a whole number from 1",
		"num_generations: 7":             "no multiple of num_generations 7: is the number of processes right",
		"reward_funcs: {a: 1}":           "expected a list of names",
		"reward_funcs: [format, format]": "each reward once",
		"reward_weights: [1]":            "as many weights as reward_funcs, 3",
		"reward_weights: [1, x, 2]":      "expected a list of numbers",
		"scale_rewards: most":            "expected true, false, group, batch or none",
		"lr_scheduler_kwargs: [1]":       "expected keys and values",
		"warmup_ratio: 2\nmax_steps: 3":  "warmup_ratio is 2, expected a number of steps",
		"save_steps: -1":                 "save_steps is -1, expected a number of steps",
		"num_train_epochs: -2":           "num_train_epochs is -2",
		"packing: true\nmax_length: 10":  "update sft",
		"per_device_train_batch_size: 2000000000\ngradient_accumulation_steps: 2000000000": "too many",
	} {
		if _, err := Convert(strings.NewReader(text), Options{}); err == nil || !errors.Is(err, ErrFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
	if _, err := Convert(strings.NewReader("seed: 1"), Options{Processes: -1}); err == nil {
		t.Error("a negative number of processes is accepted")
	}
	if _, err := Convert(strings.NewReader(strings.Repeat("#", maxFile+1)), Options{}); !errors.Is(err, ErrFile) {
		t.Errorf("a file too long: %v", err)
	}
}

// Each key has one row, each row one fate, and each key of a file is in the recipe that comes of it.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	parts := map[string]bool{}
	for _, r := range table() {
		if seen[r.key] {
			t.Errorf("%s has two rows", r.key)
		}
		seen[r.key] = true
		if r.to != "" && (r.part != "" || r.off != nil) || r.part != "" && r.off != nil {
			t.Errorf("%s has two fates", r.key)
		}
		if r.to == "" && r.part == "" && r.why == "" {
			t.Errorf("%s is dropped without a reason", r.key)
		}
		parts[r.part] = true
		value := map[kind]string{anything: "2", text: "2", number: "2", whole: "2", natural: "2", truth: "true", words: "[a]"}[r.kind]
		special := map[string]string{
			"lr_scheduler_kwargs": "{min_lr_rate: 0.1}", "reward_weights": "[1, 2, 3]", "scale_rewards": "true", "num_generations": "4", "per_device_train_batch_size": "16", "warmup_ratio": "0.5",
		}
		if v, ok := special[r.key]; ok {
			value = v
		}
		for _, more := range []string{"", "max_steps: 8\n", "use_peft: true\n"} {
			if strings.HasPrefix(more, r.key) {
				continue
			}
			_, _, written := convert(t, more+r.key+": "+value+"\n", Options{Version: "0.18.0"})
			if !strings.Contains(written, r.key) {
				t.Errorf("%s: %s, with %q: not mentioned in\n%s", r.key, value, more, written)
			}
		}
	}
	for key := range defaults() {
		if !seen[key] {
			t.Errorf("a default for %s, which has no row", key)
		}
	}
}

// Whatever comes in, what comes out is YAML that says the same when read back, and no key is lost.
func FuzzConvert(f *testing.F) {
	versions := []string{Study, "0.14", "0.16", "0.18.0", "0.19", "1.9"}
	for i, name := range []string{"open-rs.yaml", "code.yaml", "adapter.yaml"} {
		f.Add(testdata(f, name), uint8(i))
	}
	f.Add("system_prompt: \"\\u2028\\x7f\\U0001f600 # : ' \\\\ \\t\\n\"\nmodel_name_or_path: '- x'", uint8(3))
	f.Add("reward_funcs: [accuracy, cosine]\ncosine_max_len: 1e3\nx: &a {b: *a}", uint8(5))
	f.Add("lr_scheduler_kwargs: '{a: [1'\nseed: 0x10", uint8(4))
	f.Fuzz(func(t *testing.T, text string, version uint8) {
		r, err := Convert(strings.NewReader(text), Options{Name: text, Version: versions[int(version)%len(versions)], Rows: int64(len(text))})
		if err != nil {
			return
		}
		got, written := reread(t, r)
		for _, s := range r.sections {
			for _, e := range s.entries {
				if want := strings.Join(e.values, " "); got[s.name+"."+e.name] != want {
					t.Errorf("%s.%s is %q, want %q", s.name, e.name, got[s.name+"."+e.name], want)
				}
			}
		}
		values, err := parse(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			if key := oneLine(v.key, 200); len(key) < 100 && !strings.Contains(written, key) {
				t.Errorf("key %q is lost:\n%s", v.key, written)
			}
		}
	})
}
