package checkpoint

import (
	"errors"
	"math"
	"strings"
	"testing"
)

// with128 is with for a model of 128 positions, where nothing else is said.
func with128(kv ...string) string {
	return with(append([]string{"max_position_embeddings", "128"}, kv...)...)
}

func TestRopeScaling(t *testing.T) {
	const llama3 = `{"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}`
	for _, c := range []struct {
		name, json string
		want       RopeScaling
		positions  int
	}{
		{"none", with128("rope_scaling", "null"), RopeScaling{}, 128},
		{"default", with128("rope_scaling", `{"type": "default"}`), RopeScaling{}, 128},
		{"linear", with128("rope_scaling", `{"type": "linear", "factor": 4}`), RopeScaling{Type: "linear", Factor: 4}, 128},
		{"Llama 3.2", with128("rope_scaling", llama3), RopeScaling{Type: "llama3", Factor: 32, LowFreq: 1, HighFreq: 4, OriginalPositions: 8192}, 128},
		{"in rope_parameters", with128("rope_parameters", llama3), RopeScaling{Type: "llama3", Factor: 32, LowFreq: 1, HighFreq: 4, OriginalPositions: 8192}, 128},
		{"Qwen2.5", with128("rope_scaling", `{"factor": 4.0, "original_max_position_embeddings": 32768, "type": "yarn"}`, "max_position_embeddings", "32768"),
			RopeScaling{Type: "yarn", Factor: 4, OriginalPositions: 32768, BetaFast: 32, BetaSlow: 1, Attention: 0.1*math.Log(4) + 1}, 131072},
		{"yarn by the ratio", with128("rope_scaling", `{"original_max_position_embeddings": 64, "rope_type": "yarn"}`),
			RopeScaling{Type: "yarn", Factor: 2, OriginalPositions: 64, BetaFast: 32, BetaSlow: 1, Attention: 0.1*math.Log(2) + 1}, 128},
		{"yarn of the length", with128("rope_scaling", `{"factor": 2, "rope_type": "yarn", "attention_factor": 1.5, "beta_fast": 16, "beta_slow": 2, "truncate": false}`),
			RopeScaling{Type: "yarn", Factor: 2, OriginalPositions: 128, BetaFast: 16, BetaSlow: 2, Attention: 1.5, Exact: true}, 256},
		{"DeepSeek's scales", with128("rope_scaling", `{"factor": 40, "type": "yarn", "mscale": 1.0, "mscale_all_dim": 0.5, "original_max_position_embeddings": 3}`),
			RopeScaling{Type: "yarn", Factor: 40, OriginalPositions: 3, BetaFast: 32, BetaSlow: 1, Attention: (0.1*math.Log(40) + 1) / (0.05*math.Log(40) + 1)}, 128},
	} {
		cfg, err := ParseConfig([]byte(c.json))
		if err != nil || cfg.Rope != c.want || cfg.MaxPositions != c.positions {
			t.Errorf("%s: expected %+v and %d positions, found %+v and %d, %v", c.name, c.want, c.positions, cfg.Rope, cfg.MaxPositions, err)
			continue
		}
		// Written whole, as a configuration with another field changed, and without what was read.
		changed, bare := cfg, cfg
		changed.Layers++
		bare.Raw = nil
		for _, cfg := range []Config{cfg, changed, bare} {
			text, err := cfg.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ParseConfig(text); err != nil || !again.sameFields(cfg) {
				t.Errorf("%s: expected %+v, found %+v, %v\n%s", c.name, cfg, again, err, text)
			}
		}
	}
	// A scaling that is taken out is out.
	cfg, err := ParseConfig([]byte(with128("rope_scaling", llama3)))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Rope = RopeScaling{}
	text, err := cfg.JSON()
	if err != nil || strings.Contains(string(text), "llama3") {
		t.Errorf("expected no scaling, found %v\n%s", err, text)
	}
}

func TestRopeScalingRefusals(t *testing.T) {
	for _, c := range []struct {
		json, want string
		kind       error
	}{
		{with128("rope_scaling", `{"type": "dynamic", "factor": 2}`), `rope_scaling: expected the type "default", "linear", "llama3" or "yarn", found dynamic`, ErrUnsupported},
		{with128("rope_scaling", `{"rope_type": "longrope"}`), "longrope", ErrUnsupported},
		{with128("rope_scaling", `{"type": "mrope", "mrope_section": [1]}`), "mrope", ErrUnsupported},
		{with128("rope_scaling", `{"type": "linear"}`), "rope_scaling: malformed checkpoint: factor", ErrFormat},
		{with128("rope_scaling", `{"type": "linear", "factor": 0.5}`), "factor: expected a number from 1, found 0.5", ErrFormat},
		{with128("rope_scaling", `{"type": "linear", "factor": "2"}`), "factor", ErrFormat},
		{with128("rope_scaling", `{"rope_type": "llama3", "factor": 8}`), "original_max_position_embeddings", ErrFormat},
		{with128("rope_scaling", `{"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 1, "original_max_position_embeddings": 8}`), "low_freq_factor below high_freq_factor", ErrFormat},
		{with128("rope_scaling", `{"rope_type": "yarn", "factor": 8, "beta_fast": 1, "beta_slow": 2}`), "beta_slow", ErrFormat},
		{with128("rope_scaling", `{"rope_type": "yarn", "factor": 8, "attention_factor": -1}`), "attention_factor", ErrFormat},
		{with128("rope_scaling", `{"rope_type": "yarn"}`), "factor", ErrFormat},
		{with128("rope_scaling", `{"type": "linear", "factor": 2}`, "rope_parameters", `{"rope_type": "linear", "factor": 3}`), "contradict", ErrFormat},
		{with128("rope_parameters", `{"rope_type": "linear", "factor": 2, "partial_rotary_factor": 0.5}`), "partial_rotary_factor", ErrUnsupported},
		{with128("rope_scaling", `{"rope_type": "yarn", "factor": 1e30}`), "max_position_embeddings", ErrFormat},
		{with128("rope_scaling", `3`), "rope_scaling", ErrFormat},
	} {
		if _, err := ParseConfig([]byte(c.json)); err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.kind) {
			t.Errorf("%s:\n expected %q, found %v", c.json, c.want, err)
		}
	}
}
