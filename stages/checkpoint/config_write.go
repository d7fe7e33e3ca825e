package checkpoint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// JSON writes the configuration as a config.json with keys in alphabetical order. A configuration
// that was read keeps all its keys; where a field of c says something else than Raw, the field wins.
func (c Config) JSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	out := maps.Clone(c.Raw)
	if out == nil {
		out = map[string]any{}
	}
	read, err := configFromRaw(out)
	if err != nil || !c.sameFields(read) {
		maps.Copy(out, c.fields())
		if scaled := c.Rope.json(); scaled != nil {
			out["rope_scaling"] = scaled
		} else if out["rope_scaling"] != nil {
			out["rope_scaling"] = nil
		}
		if _, ok := out["rope_parameters"].(map[string]any); ok {
			rope := map[string]any{"rope_theta": c.RopeTheta, "rope_type": "default"}
			maps.Copy(rope, c.Rope.json())
			out["rope_parameters"] = rope
		}
	}
	delete(out, "dtype") // its newer name, which would win over torch_dtype
	if c.DType != "" {
		out["torch_dtype"] = c.DType
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write model configuration: %w", err)
	}
	return append(text, '\n'), nil
}

// fields are the typed fields under the keys of config.json.
func (c Config) fields() map[string]any {
	m := map[string]any{
		"model_type": c.Architecture, "architectures": []string{architectures[c.Architecture].class}, "hidden_act": "silu",
		"hidden_size": c.Hidden, "num_hidden_layers": c.Layers, "num_attention_heads": c.Heads,
		"num_key_value_heads": c.KVHeads, "head_dim": c.HeadDim, "intermediate_size": c.FFN,
		"vocab_size": c.Vocab, "max_position_embeddings": c.MaxPositions, "rms_norm_eps": c.RMSEps,
		"rope_theta": c.RopeTheta, "tie_word_embeddings": c.TieEmbeddings,
		"eos_token_id": nil, "bos_token_id": nil,
	}
	switch len(c.EOS) {
	case 0:
	case 1:
		m["eos_token_id"] = c.EOS[0]
	default:
		m["eos_token_id"] = c.EOS
	}
	if c.BOS != nil {
		m["bos_token_id"] = *c.BOS
	}
	return m
}

// sameFields compares everything but Raw and DType.
func (c Config) sameFields(d Config) bool {
	sameBOS := (c.BOS == nil) == (d.BOS == nil) && (c.BOS == nil || *c.BOS == *d.BOS)
	sameEOS := slices.Equal(c.EOS, d.EOS)
	c.EOS, c.BOS, c.Raw, c.DType = nil, nil, nil, ""
	d.EOS, d.BOS, d.Raw, d.DType = nil, nil, nil, ""
	type sizes struct {
		arch                                                         string
		hidden, layers, heads, kv, headDim, ffn, vocab, maxPositions int
		theta, eps                                                   float64
		rope                                                         RopeScaling
		tie, bias, norm                                              bool
	}
	pick := func(c Config) sizes {
		return sizes{c.Architecture, c.Hidden, c.Layers, c.Heads, c.KVHeads, c.HeadDim, c.FFN, c.Vocab, c.MaxPositions,
			c.RopeTheta, c.RMSEps, c.Rope, c.TieEmbeddings, c.QKVBias, c.QKNorm}
	}
	return sameBOS && sameEOS && pick(c) == pick(d)
}
