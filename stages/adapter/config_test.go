package adapter

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"

	"openrs/stages/model"
)

// peft is an adapter_config.json as PEFT 0.17 writes it for the setting of Tina.
const peft = `{
  "alpha_pattern": {}, "auto_mapping": null, "base_model_name_or_path": "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B",
  "bias": "none", "corda_config": null, "eva_config": null, "exclude_modules": null, "fan_in_fan_out": false,
  "inference_mode": true, "init_lora_weights": true, "layer_replication": null, "layers_pattern": null,
  "layers_to_transform": null, "loftq_config": {}, "lora_alpha": 128, "lora_bias": false, "lora_dropout": 0.05,
  "megatron_config": null, "megatron_core": "megatron.core", "modules_to_save": null, "peft_type": "LORA",
  "qalora_group_size": 16, "r": 32, "rank_pattern": {}, "revision": null,
  "target_modules": ["down_proj", "o_proj", "k_proj", "q_proj", "gate_proj", "up_proj", "v_proj"],
  "target_parameters": null, "task_type": "CAUSAL_LM", "trainable_token_indices": null,
  "use_dora": false, "use_qalora": false, "use_rslora": false
}`

func TestParseConfig(t *testing.T) {
	got, err := ParseConfig([]byte(peft))
	if err != nil {
		t.Fatal(err)
	}
	want := Config{LoRA: model.LoRA{Rank: 32, Alpha: 128, Dropout: 0.05}, Base: "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if s := got.LoRA.Scale(); s != 4 {
		t.Errorf("scale %v", s)
	}
	for _, c := range []struct {
		key, value string
		says       string // "": it is taken
	}{
		{"lora_alpha", "1.5", ""},
		{"use_rslora", "true", ""},
		{"init_lora_weights", `"gaussian"`, ""},
		{"base_model_name_or_path", "null", ""},
		{"target_modules", `"all-linear"`, ""},
		{"something_new", "null", ""},
		{"something_new", "{}", ""},
		{"something_new", "0.1", "something_new: 0.1 is not supported"},
		{"something_new", `"yes"`, `something_new: "yes"`},
		{"peft_type", `"IA3"`, "peft_type"},
		{"r", "0", "rank is 0"},
		{"r", "2.5", "r: expected an integer"},
		{"r", `"8"`, "r: expected an integer"},
		{"lora_alpha", "0", "alpha is 0"},
		{"lora_alpha", "null", "lora_alpha: expected a number"},
		{"lora_dropout", "1.5", "dropout is 1.5"},
		{"lora_dropout", "[]", "lora_dropout: expected a number"},
		{"use_rslora", "1", "use_rslora: expected true or false"},
		{"base_model_name_or_path", "7", "base_model_name_or_path: expected a string"},
		{"bias", `"lora_only"`, "bias"},
		{"lora_bias", "true", "lora_bias"},
		{"use_dora", "true", "use_dora"},
		{"use_qalora", "true", "use_qalora"},
		{"init_lora_weights", `"pissa_niter_16"`, "init_lora_weights"},
		{"init_lora_weights", "{}", "init_lora_weights"},
		{"rank_pattern", `{"q_proj":8}`, "rank_pattern"},
		{"alpha_pattern", `{"q_proj":8}`, "alpha_pattern"},
		{"modules_to_save", `["lm_head"]`, `modules_to_save: ["lm_head"] is not supported`},
		{"layers_to_transform", "[0]", "layers_to_transform"},
		{"layer_replication", "[[0,4],[2,5]]", "layer_replication"},
		{"trainable_token_indices", "[1,2]", "trainable_token_indices"},
		{"target_parameters", `["experts"]`, "target_parameters"},
		{"megatron_config", `{"a":1}`, "megatron_config"},
	} {
		var fields map[string]json.RawMessage
		if err := json.Unmarshal([]byte(peft), &fields); err != nil {
			t.Fatal(err)
		}
		fields = maps.Clone(fields)
		fields[c.key] = json.RawMessage(c.value)
		text, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		_, err = ParseConfig(text)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %s: %v, want %q", c.key, c.value, err, c.says)
		}
	}
	for _, text := range []string{"", "null", "[]", "{}", peft + "{}", peft[:100]} {
		if _, err := ParseConfig([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestConfigJSON: what is written has the fields that PEFT writes, and is read as what it was.
func TestConfigJSON(t *testing.T) {
	want := Config{LoRA: model.LoRA{Rank: 8, Alpha: 12, Dropout: 0.1, RankStabilized: true, Targets: []string{"v_proj", "q_proj"}}, Base: "a/b"}
	text, err := want.JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	got.LoRA.Targets = want.LoRA.Targets
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	var ours, theirs map[string]any
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(peft), &theirs); err != nil {
		t.Fatal(err)
	}
	for key := range ours {
		if _, ok := theirs[key]; !ok {
			t.Errorf("PEFT has no field %s", key)
		}
	}
	if modules := ours["target_modules"]; !reflect.DeepEqual(modules, []any{"q_proj", "v_proj"}) {
		t.Errorf("target_modules %v", modules)
	}
	if _, err := (Config{}).JSON(); !errors.Is(err, model.ErrLoRA) {
		t.Errorf("no rank: %v", err)
	}
}

// FuzzParseConfig: any text is read or refused, and what is read can be written and read again.
func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(peft))
	f.Add([]byte(`{"peft_type":"LORA","r":1,"lora_alpha":1e300,"use_dora":[]}`))
	f.Add([]byte(`{"peft_type":"LORA","r":1e400,"lora_alpha":-1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseConfig(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("%v", err)
			}
			return
		}
		text, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseConfig(text); err != nil || again.LoRA.Scale() != c.LoRA.Scale() || again.Base != c.Base {
			t.Errorf("%+v, read again %+v, %v", c, again, err)
		}
	})
}
