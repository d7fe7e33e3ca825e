package checkpoint

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// with is a small valid config.json with keys added or replaced ("key": value text), "-" removes.
func with(kv ...string) string {
	keys := []string{"model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size", "vocab_size"}
	values := map[string]string{"model_type": `"qwen2"`, "hidden_size": "64", "num_hidden_layers": "2", "num_attention_heads": "4",
		"num_key_value_heads": "2", "intermediate_size": "128", "vocab_size": "100"}
	for i := 0; i < len(kv); i += 2 {
		if _, ok := values[kv[i]]; !ok {
			keys = append(keys, kv[i])
		}
		values[kv[i]] = kv[i+1]
	}
	var parts []string
	for _, k := range keys {
		if values[k] != "-" {
			parts = append(parts, fmt.Sprintf("%q: %s", k, values[k]))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func TestConfigDefaults(t *testing.T) {
	for _, c := range []struct {
		name, json string
		check      func(Config) bool
	}{
		{"head size", with(), func(c Config) bool { return c.HeadDim == 16 && c.QKVBias && !c.QKNorm && !c.TieEmbeddings }},
		{"qwen3 head size", with("model_type", `"qwen3"`), func(c Config) bool { return c.HeadDim == 128 && !c.QKVBias && c.QKNorm }},
		{"null head size", with("head_dim", "null", "model_type", `"llama"`), func(c Config) bool { return c.HeadDim == 16 && !c.QKVBias }},
		{"theta and eps", with(), func(c Config) bool { return c.RopeTheta == 10000 && c.RMSEps == 1e-6 && c.MaxPositions == 32768 }},
		{"llama key heads", with("model_type", `"llama"`, "num_key_value_heads", "-"), func(c Config) bool { return c.KVHeads == 4 && c.MaxPositions == 2048 }},
		{"null key heads", with("num_key_value_heads", "null"), func(c Config) bool { return c.KVHeads == 4 }},
		{"qwen2 key heads", with("num_key_value_heads", "-", "num_attention_heads", "32"), func(c Config) bool { return c.KVHeads == 32 }},
		{"newer rope", with("rope_parameters", `{"rope_theta": 5e5, "rope_type": "default"}`), func(c Config) bool { return c.RopeTheta == 5e5 }},
		{"default scaling", with("rope_scaling", `{"type": "default"}`), func(c Config) bool { return c.RopeTheta == 10000 }},
		{"eos list", with("eos_token_id", "[7, 8]"), func(c Config) bool { return len(c.EOS) == 2 && c.EOS[1] == 8 && c.BOS == nil }},
		{"bos", with("bos_token_id", "3"), func(c Config) bool { return c.BOS != nil && *c.BOS == 3 }},
		{"window not used", with("sliding_window", "4096", "use_sliding_window", "false"), func(c Config) bool { return true }},
		{"full layers", with("layer_types", `["full_attention", "full_attention"]`), func(c Config) bool { return true }},
		{"newer dtype", with("dtype", `"bfloat16"`), func(c Config) bool { return c.DType == "bfloat16" }},
	} {
		got, err := ParseConfig([]byte(c.json))
		if err != nil || !c.check(got) {
			t.Errorf("%s: found %+v, %v", c.name, got, err)
		}
	}
}

func TestConfigRefusals(t *testing.T) {
	for _, c := range []struct {
		json, want string
		kind       error
	}{
		{with("model_type", `"gpt2"`), "model_type: expected llama, qwen2, qwen3, found gpt2", ErrUnsupported},
		{with("model_type", "-"), "model_type", ErrUnsupported},
		{with("model_type", "3"), "model_type: expected a string, found 3", ErrFormat},
		{with("architectures", `["Qwen2ForSequenceClassification"]`), "architectures: expected Qwen2ForCausalLM", ErrUnsupported},
		{with("use_sliding_window", "true"), "use_sliding_window", ErrUnsupported},
		{with("layer_types", `["full_attention", "sliding_attention"]`), "sliding_attention", ErrUnsupported},
		{with("model_type", `"llama"`, "attention_bias", "true"), "attention_bias", ErrUnsupported},
		{with("model_type", `"qwen3"`, "attention_bias", "true"), "attention_bias", ErrUnsupported},
		{with("model_type", `"llama"`, "mlp_bias", "true"), "mlp_bias", ErrUnsupported},
		{with("hidden_act", `"gelu"`), "hidden_act", ErrUnsupported},
		{with("rope_parameters", `{"full_attention": {"rope_theta": 1}}`), "rope_parameters", ErrUnsupported},
		{with("quantization_config", `{"quant_method": "awq"}`), "awq", ErrUnsupported},
		{with("partial_rotary_factor", "0.5"), "partial_rotary_factor", ErrUnsupported},
		{with("hidden_size", "-"), "hidden_size: expected an integer from 1 to 1073741824, found nothing", ErrFormat},
		{with("hidden_size", "0"), "hidden_size", ErrFormat},
		{with("hidden_size", "64.5"), "hidden_size", ErrFormat},
		{with("hidden_size", `"64"`), `found "64"`, ErrFormat},
		{with("hidden_size", "66"), "head_dim is not given", ErrFormat},
		{with("head_dim", "15"), "head_dim: expected an even number", ErrFormat},
		{with("num_key_value_heads", "3"), "num_attention_heads: expected a multiple of num_key_value_heads 3, found 4", ErrFormat},
		{with("rope_theta", "0"), "rope_theta", ErrFormat},
		{with("rms_norm_eps", "-1"), "rms_norm_eps", ErrFormat},
		{with("tie_word_embeddings", "1"), "tie_word_embeddings", ErrFormat},
		{with("eos_token_id", "100"), "eos_token_id: expected 0 to 99, found 100", ErrFormat},
		{with("eos_token_id", `"x"`), "eos_token_id", ErrFormat},
		{with("bos_token_id", "[1, 2]"), "bos_token_id", ErrFormat},
		{with("torch_dtype", `"int8"`), "int8", ErrFormat},
		{"[]", "expected a JSON object", ErrFormat},
		{"null", "expected a JSON object", ErrFormat},
		{"{} {}", "behind", ErrFormat},
		{"", "expected a JSON object", ErrFormat},
	} {
		_, err := ParseConfig([]byte(c.json))
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.kind) {
			t.Errorf("%s:\n expected %q, found %v", c.json, c.want, err)
		}
	}
}

func TestConfigWrittenBack(t *testing.T) {
	cfg, err := ParseConfig([]byte(with("eos_token_id", "7", "torch_dtype", `"float32"`, "my_own_key", `{"a": 12345678901234567}`, "rope_theta", "1000000.0")))
	if err != nil {
		t.Fatal(err)
	}
	cfg.DType = "bfloat16"
	text, err := cfg.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12345678901234567", `"torch_dtype": "bfloat16"`, `"rope_theta": 1000000.0`, `"eos_token_id": 7`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("expected %s in\n%s", want, text)
		}
	}
	again, err := ParseConfig(text)
	if err != nil || !again.sameFields(cfg) || again.DType != "bfloat16" {
		t.Errorf("expected %+v, found %+v, %v", cfg, again, err)
	}
	// A field that was changed wins over what was read; a configuration from nothing is complete.
	cfg.Layers, cfg.EOS = 9, []int32{1, 2}
	for _, c := range []Config{cfg, {Architecture: "qwen3", Hidden: 8, Layers: 1, Heads: 2, KVHeads: 1, HeadDim: 6, FFN: 3, Vocab: 5,
		MaxPositions: 10, RopeTheta: 7, RMSEps: 1e-5, QKNorm: true, DType: "float32"}} {
		text, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseConfig(text)
		if err != nil || !again.sameFields(c) || again.DType != c.DType {
			t.Errorf("expected %+v, found %+v, %v", c, again, err)
		}
	}
}

func TestGeneration(t *testing.T) {
	g, err := ParseGeneration([]byte(`{"eos_token_id": [3, 4], "temperature": 0.6, "top_p": 0.95, "top_k": 20, "do_sample": true}`))
	if err != nil || len(g.EOS) != 2 || *g.Temperature != 0.6 || *g.TopP != 0.95 || *g.TopK != 20 || g.MinP != nil {
		t.Errorf("found %+v, %v", g, err)
	}
	for _, bad := range []string{`{"temperature": "hot"}`, `{"top_p": -1}`, `{"eos_token_id": {}}`, `{"top_k": 1.5}`, `[]`} {
		if _, err := ParseGeneration([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: expected an error, found %v", bad, err)
		}
	}
}

func FuzzParseConfig(f *testing.F) {
	f.Add([]byte(with()))
	f.Add([]byte(with("model_type", `"qwen3"`, "eos_token_id", "[1]", "rope_parameters", `{"rope_theta": 2}`)))
	f.Add([]byte(with("hidden_size", "1e3", "head_dim", "-4")))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := ParseConfig(data)
		if err != nil {
			return
		}
		text, err := cfg.JSON()
		if err != nil {
			t.Fatalf("parsed but not written: %v", err)
		}
		again, err := ParseConfig(text)
		if err != nil || !again.sameFields(cfg) {
			t.Fatalf("written and read again: %v\n%s", err, text)
		}
	})
}
