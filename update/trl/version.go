package trl

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Study names the TRL of the open-rs study: the commit 69ad852e of 25 February 2025, between 0.15 and 0.16.
const Study = "open-rs"

const studyVersion = "0.16.0.dev0"

// version is a TRL version, comparable with slices.Compare: major, minor, patch; −1 for a patch is a development version
// before the release.
type version []int

// parseVersion reads "0.18", "0.18.0", "0.16.0.dev0", "v1.9.0" or "open-rs".
func parseVersion(s string) (version, error) {
	text := strings.TrimPrefix(s, "v")
	if s == Study {
		text = studyVersion
	}
	parts := strings.Split(text, ".")
	dev := len(parts) > 1 && strings.HasPrefix(parts[len(parts)-1], "dev")
	if dev {
		parts = parts[:len(parts)-1]
	}
	v := version{0, 0, 0}
	bad := len(parts) < 2 || len(parts) > 3
	for i := 0; i < len(parts) && !bad; i++ {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		bad, v[i] = err != nil, int(n)
	}
	if bad {
		return nil, fmt.Errorf("TRL version %q, expected %s or a number such as 0.18.0", s, Study)
	}
	if dev {
		v[2] = -1
	}
	if slices.Compare(v, version{0, 14, 0}) < 0 {
		return nil, fmt.Errorf("TRL version %q has no GRPO, expected 0.14 or later", s)
	}
	return v, nil
}

func (v version) String() string {
	if v[2] < 0 {
		return fmt.Sprintf("%d.%d.0.dev0", v[0], v[1])
	}
	return fmt.Sprintf("%d.%d.%d", v[0], v[1], v[2])
}

// atLeast reports whether v is other or later.
func (v version) atLeast(other ...int) bool { return slices.Compare(v, version(other)) >= 0 }

// changed is a default that holds from a version on.
type changed struct {
	since version
	value string
}

// defaults are the values that TRL's GRPOConfig, transformers' TrainingArguments and open-r1's script
// arguments give to keys that a file leaves out, oldest first. Only keys that matter here have a row.
func defaults() map[string][]changed {
	always := func(value string) []changed { return []changed{{version{0, 0, 0}, value}} }
	from := func(old, value string, since ...int) []changed {
		return append(always(old), changed{version(since), value})
	}
	return map[string][]changed{
		"num_generations":       always("8"),
		"max_completion_length": always("256"),
		"temperature":           from("0.9", "1.0", 0, 18, 0),
		"beta":                  from("0.04", "0.0", 0, 19, 0),
		"epsilon":               always("0.2"),
		"loss_type": {
			{version{0, 0, 0}, "grpo"}, {version{0, 16, -1}, "bnpo"}, {version{0, 22, 0}, "dapo"},
		},
		"scale_rewards": always("true"),
		// 50 came from transformers' generation and was handed to vLLM, too.
		"top_k": {{version{0, 0, 0}, "0"}, {version{0, 16, 0}, "50"}, {version{0, 18, 0}, "0"}},

		"lora_r":       always("16"),
		"lora_alpha":   always("32"),
		"lora_dropout": always("0.05"),

		"per_device_train_batch_size": {{version{0, 0, 0}, "1"}, {version{0, 15, 0}, "8"}},
		"gradient_accumulation_steps": {{version{0, 0, 0}, "8"}, {version{0, 15, 0}, "1"}},
		"num_train_epochs":            always("3"),
		"max_steps":                   always("-1"),
		"learning_rate":               always("1e-6"),
		"lr_scheduler_type":           always("linear"),
		"warmup_ratio":                always("0"),
		"warmup_steps":                always("0"),
		"seed":                        always("42"),
		"shuffle_dataset":             always("true"),
		"save_strategy":               always("steps"),
		"save_steps":                  always("500"),

		"cosine_min_value_wrong":   always("0.0"),
		"cosine_max_value_wrong":   always("-0.5"),
		"cosine_min_value_correct": always("0.5"),
		"cosine_max_value_correct": always("1.0"),
		"cosine_max_len":           always("1000"),
		"repetition_n_grams":       always("3"),
		"repetition_max_penalty":   always("-1.0"),
		"max_completion_len":       always("16384"),
		"soft_punish_cache":        always("4096"),
	}
}

// pick is what holds at a version, "" of nothing.
func (v version) pick(values []changed) string {
	value := ""
	for _, c := range values {
		if v.atLeast(c.since...) {
			value = c.value
		}
	}
	return value
}
