package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"openrs/stages/model"
)

// ErrFormat marks an adapter that is malformed, or that asks for what is not supported.
var ErrFormat = errors.New("adapter can't be used")

// Config is what adapter_config.json says.
type Config struct {
	// LoRA are the settings. Which projections have adapters is known from the weights; [ParseConfig] leaves
	// Targets empty.
	LoRA model.LoRA
	// Base is the model that the adapters are for: a folder, as a rule, or a name on a hub. Empty if not known.
	Base string
}

// A field of adapter_config.json that is not simply read.
type rule int

const (
	ignored rule = iota // changes nothing for a trained adapter, or is known otherwise
	empty               // must be null, false, empty or absent: anything else would be computed otherwise
)

// rules of the fields of PEFT's LoraConfig; those that none is for must be empty.
var rules = map[string]rule{
	"auto_mapping": ignored, "base_model_name_or_path": ignored, "corda_config": ignored, "eva_config": ignored,
	"exclude_modules": ignored, "inference_mode": ignored, "layers_pattern": ignored, "loftq_config": ignored,
	"lora_ga_config": ignored, "megatron_core": ignored, "peft_version": ignored, "qalora_group_size": ignored,
	"revision": ignored, "runtime_config": ignored, "target_modules": ignored, "task_type": ignored,
	"fan_in_fan_out": ignored, // PEFT itself sets it aside for the linear layers of these models

	"alora_invocation_tokens": empty, "alpha_pattern": empty, "layer_replication": empty, "layers_to_transform": empty,
	"lora_bias": empty, "megatron_config": empty, "modules_to_save": empty, "rank_pattern": empty,
	"target_parameters": empty, "trainable_token_indices": empty, "use_dora": empty, "use_qalora": empty,
}

// innocent are the values of init_lora_weights that leave the base's weights as they are; the others (PiSSA,
// OLoRA, LoftQ, CorDA) change them, so that the adapter alone is not what was trained.
var innocent = []any{nil, true, false, "gaussian", "eva", "orthogonal"}

// ParseConfig reads adapter_config.json.
func ParseConfig(data []byte) (Config, error) {
	bad := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&fields); err != nil {
		return bad("%v", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return bad("expected one JSON object, found more")
	}
	if fields["peft_type"] != "LORA" {
		return bad("peft_type: expected \"LORA\", found %s", show(fields["peft_type"]))
	}
	var c Config
	rank, ok := fields["r"].(float64)
	if c.LoRA.Rank = int(rank); !ok || rank != float64(c.LoRA.Rank) {
		return bad("r: expected an integer, found %s", show(fields["r"]))
	}
	if c.LoRA.Alpha, ok = fields["lora_alpha"].(float64); !ok {
		return bad("lora_alpha: expected a number, found %s", show(fields["lora_alpha"]))
	}
	for _, f := range []struct {
		name, expected string
		into           any
	}{
		{"lora_dropout", "a number", &c.LoRA.Dropout}, {"use_rslora", "true or false", &c.LoRA.RankStabilized},
		{"base_model_name_or_path", "a string", &c.Base},
	} {
		if fields[f.name] != nil && !assign(f.into, fields[f.name]) {
			return bad("%s: expected %s, found %s", f.name, f.expected, show(fields[f.name]))
		}
	}
	if b := fields["bias"]; b != nil && b != "none" {
		return bad("bias: %s is not supported, expected \"none\"", show(b))
	}
	if v := fields["init_lora_weights"]; !isOneOf(v, innocent) {
		return bad("init_lora_weights: %s changes the weights of the base, which these adapters alone do not tell", show(v))
	}
	for _, name := range []string{"peft_type", "r", "lora_alpha", "lora_dropout", "use_rslora", "bias", "init_lora_weights"} {
		delete(fields, name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if r, known := rules[name]; (!known || r == empty) && !isEmpty(fields[name]) {
			return bad("%s: %s is not supported", name, show(fields[name]))
		}
	}
	if _, err := c.LoRA.Validate(); err != nil {
		return Config{}, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return c, nil
}

// assign sets *into to v if v is of its type.
func assign(into, v any) (ok bool) {
	switch p := into.(type) {
	case *float64:
		*p, ok = v.(float64)
	case *bool:
		*p, ok = v.(bool)
	case *string:
		*p, ok = v.(string)
	}
	return ok
}

// isOneOf compares with plain values.
func isOneOf(v any, list []any) bool {
	switch v.(type) {
	case nil, bool, string, float64:
		return slices.Contains(list, v)
	}
	return false
}

// isEmpty reports whether a value says that something is not used.
func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// show writes a value shortly.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	if len(text) > 60 {
		text = append(text[:60:60], "…"...)
	}
	return string(text)
}

// JSON writes adapter_config.json with the fields that PEFT writes, in alphabetical order; those that only its newest
// versions know are left out, because older ones stop at them.
func (c Config) JSON() ([]byte, error) {
	l, err := c.LoRA.Validate()
	if err != nil {
		return nil, err
	}
	fields := map[string]any{
		"alpha_pattern": map[string]any{}, "auto_mapping": nil, "base_model_name_or_path": c.Base, "bias": "none",
		"corda_config": nil, "eva_config": nil, "exclude_modules": nil, "fan_in_fan_out": false, "inference_mode": true,
		"init_lora_weights": true, "layer_replication": nil, "layers_pattern": nil, "layers_to_transform": nil,
		"loftq_config": map[string]any{}, "lora_alpha": l.Alpha, "lora_bias": false, "lora_dropout": l.Dropout,
		"megatron_config": nil, "megatron_core": "megatron.core", "modules_to_save": nil, "peft_type": "LORA",
		"r": l.Rank, "rank_pattern": map[string]any{}, "revision": nil, "target_modules": l.Targets,
		"task_type": "CAUSAL_LM", "trainable_token_indices": nil, "use_dora": false, "use_rslora": l.RankStabilized,
	}
	text, err := json.MarshalIndent(fields, "", "  ")
	if err != nil {
		return nil, err
	}
	return append(text, '\n'), nil
}
