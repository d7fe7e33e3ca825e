package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ErrUnsupported marks a well-formed configuration that asks for something the model code does not do.
var ErrUnsupported = errors.New("unsupported model")

// Config is what config.json says about a decoder-only transformer.
type Config struct {
	// Architecture is config.json's model_type: "qwen2", "llama" or "qwen3".
	Architecture string
	// Hidden is the width of the residual stream, FFN that of the gated MLP, Vocab the number of rows
	// of the embedding (which may exceed the tokenizer's vocabulary).
	Hidden, Layers, Heads, KVHeads, HeadDim, FFN, Vocab int
	// MaxPositions is the longest sequence the model was made for, in tokens; with yarn the length that
	// it reaches.
	MaxPositions int
	// RopeTheta is the base of the rotary frequencies; RMSEps is added to the mean square in RMSNorm.
	RopeTheta, RMSEps float64
	// Rope says how the rotary frequencies are scaled, the zero value not at all.
	Rope RopeScaling
	// TieEmbeddings: the output head is the embedding. QKVBias: the q, k and v projections have
	// biases (qwen2). QKNorm: each q and k head goes through RMSNorm before the rotation (qwen3).
	TieEmbeddings, QKVBias, QKNorm bool
	// EOS are the tokens that end a sequence, possibly none; BOS begins one, nil where there is none.
	EOS []int32
	BOS *int32
	// DType is the name of the type that the weights are stored in ("bfloat16"), "" where unsaid.
	DType string
	// Raw is the whole object as it was read (numbers as json.Number), so that [Config.JSON] can write
	// back what this package does not interpret. Nil for a configuration that was not read.
	Raw map[string]any
}

// architecture is one row of what the transformers library assumes where config.json is silent.
type architecture struct {
	class           string // the only entry of "architectures" that has our tensors
	qkvBias, qkNorm bool
	headDim         int // 0: hidden / heads
	kvHeads         int // 0: as many as heads
	maxPositions    int
	biasOption      bool // has attention_bias and, set, a bias on o_proj too
	mlpBiasOption   bool
	slidingOption   bool // has use_sliding_window
}

// architectures by model_type. The defaults are those of Qwen2Config, LlamaConfig and Qwen3Config.
var architectures = map[string]architecture{
	"qwen2": {class: "Qwen2ForCausalLM", qkvBias: true, kvHeads: 32, maxPositions: 32768, slidingOption: true},
	"llama": {class: "LlamaForCausalLM", maxPositions: 2048, biasOption: true, mlpBiasOption: true},
	"qwen3": {class: "Qwen3ForCausalLM", qkNorm: true, headDim: 128, kvHeads: 32, maxPositions: 32768, biasOption: true, slidingOption: true},
}

// Architectures lists the model types that [ParseConfig] accepts.
func Architectures() []string { return slices.Sorted(maps.Keys(architectures)) }

// ParseConfig parses a config.json. Sizes must be present; the rest has the defaults of the
// transformers library. A feature that would change the result and is not implemented is an error
// wrapping [ErrUnsupported]; a value that is missing, mistyped or contradictory one wrapping
// [ErrFormat]. Both name the key, what was expected and what was found.
func ParseConfig(data []byte) (Config, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var raw map[string]any
	if err := dec.Decode(&raw); err != nil {
		return Config{}, fmt.Errorf("%w: expected a JSON object: %w", ErrFormat, err)
	}
	if raw == nil {
		return Config{}, fmt.Errorf("%w: expected a JSON object, found null", ErrFormat)
	}
	if dec.More() {
		return Config{}, fmt.Errorf("%w: expected nothing behind the JSON object", ErrFormat)
	}
	return configFromRaw(raw)
}

func configFromRaw(raw map[string]any) (Config, error) {
	o := object{m: raw}
	kind := o.str("model_type", "")
	arch, ok := architectures[kind]
	if o.err == nil && !ok {
		return Config{}, unsupported("model_type", strings.Join(Architectures(), ", "), kind)
	}
	if err := checkFeatures(&o, kind, arch); err != nil {
		return Config{}, err
	}
	c := Config{
		Architecture: kind, QKVBias: arch.qkvBias, QKNorm: arch.qkNorm, Raw: raw,
		Hidden: o.size("hidden_size", 0), Layers: o.size("num_hidden_layers", 0), Heads: o.size("num_attention_heads", 0),
		FFN: o.size("intermediate_size", 0), Vocab: o.size("vocab_size", 0),
		MaxPositions:  o.size("max_position_embeddings", arch.maxPositions),
		RMSEps:        o.float("rms_norm_eps", 1e-6),
		RopeTheta:     o.float("rope_theta", 10000),
		TieEmbeddings: o.boolean("tie_word_embeddings", false),
		EOS:           o.ids("eos_token_id"),
	}
	if o.has("rope_parameters") { // the newer place of rope_theta
		rope := o.object("rope_parameters")
		c.RopeTheta = rope.float("rope_theta", c.RopeTheta)
		o.keep(rope.err)
	}
	rope, err := ropeScaling(&o, c.MaxPositions)
	if err != nil {
		return Config{}, err
	}
	c.Rope, c.MaxPositions = rope, rope.reach(c.MaxPositions)
	// A missing count is the class's default, an explicit null means one for each query head.
	c.KVHeads = c.Heads
	if _, present := raw["num_key_value_heads"]; o.has("num_key_value_heads") {
		c.KVHeads = o.size("num_key_value_heads", 0)
	} else if !present && arch.kvHeads > 0 {
		c.KVHeads = arch.kvHeads
	}
	switch {
	case o.has("head_dim"):
		c.HeadDim = o.size("head_dim", 0)
	case arch.headDim > 0:
		c.HeadDim = arch.headDim
	case o.err == nil:
		if c.Hidden%c.Heads != 0 {
			return Config{}, fmt.Errorf("%w: head_dim is not given and hidden_size %d is not a multiple of num_attention_heads %d", ErrFormat, c.Hidden, c.Heads)
		}
		c.HeadDim = c.Hidden / c.Heads
	}
	switch bos := o.ids("bos_token_id"); len(bos) {
	case 0:
	case 1:
		c.BOS = &bos[0]
	default:
		return Config{}, fmt.Errorf("%w: bos_token_id: expected one id, found %d", ErrFormat, len(bos))
	}
	if c.DType = o.str("dtype", o.str("torch_dtype", "")); c.DType != "" && o.err == nil {
		d, err := ParseDType(c.DType)
		if err != nil {
			return Config{}, fmt.Errorf("%w: torch_dtype: %w", ErrFormat, err)
		}
		c.DType = d.TorchName()
	}
	if o.err != nil {
		return Config{}, o.err
	}
	return c, c.Validate()
}

// checkFeatures refuses what would change the result and is not implemented.
func checkFeatures(o *object, kind string, arch architecture) error {
	if act := o.str("hidden_act", "silu"); o.err == nil && act != "silu" {
		return unsupported("hidden_act", `"silu"`, act)
	}
	if arch.slidingOption && o.boolean("use_sliding_window", false) {
		return unsupported("use_sliding_window", "false", true)
	}
	if arch.biasOption && o.boolean("attention_bias", false) {
		return unsupported("attention_bias", "false for "+kind, true)
	}
	if arch.mlpBiasOption && o.boolean("mlp_bias", false) {
		return unsupported("mlp_bias", "false", true)
	}
	if o.has("quantization_config") {
		method := o.object("quantization_config").str("quant_method", "an object")
		return unsupported("quantization_config", "none (weights in a floating-point type)", method)
	}
	if f := o.float("partial_rotary_factor", 1); o.err == nil && f != 1 {
		return unsupported("partial_rotary_factor", "1", f)
	}
	for _, typ := range o.strings("layer_types") {
		if typ != "full_attention" {
			return unsupported("layer_types", `"full_attention" only`, typ)
		}
	}
	if classes := o.strings("architectures"); o.err == nil && len(classes) > 0 && !slices.Contains(classes, arch.class) {
		return unsupported("architectures", arch.class, strings.Join(classes, ", "))
	}
	return o.err
}

// maxSize bounds every size, so that a product of two of them fits an int64.
const maxSize = 1 << 30

// Validate checks that the sizes are possible and fit together. [ParseConfig] has called it already;
// it is for configurations that a program puts together itself.
func (c Config) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
	}
	arch, ok := architectures[c.Architecture]
	if !ok {
		return unsupported("model_type", strings.Join(Architectures(), ", "), c.Architecture)
	}
	for _, s := range []struct {
		key   string
		value int
	}{
		{"hidden_size", c.Hidden}, {"num_hidden_layers", c.Layers}, {"num_attention_heads", c.Heads},
		{"num_key_value_heads", c.KVHeads}, {"head_dim", c.HeadDim}, {"intermediate_size", c.FFN},
		{"vocab_size", c.Vocab}, {"max_position_embeddings", c.MaxPositions},
	} {
		if s.value < 1 || s.value > maxSize {
			return bad("%s: expected 1 to %d, found %d", s.key, maxSize, s.value)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return bad("num_attention_heads: expected a multiple of num_key_value_heads %d, found %d", c.KVHeads, c.Heads)
	case c.HeadDim%2 != 0:
		return bad("head_dim: expected an even number (rotary pairs), found %d", c.HeadDim)
	case c.Heads > maxSize/c.HeadDim:
		return bad("num_attention_heads %d times head_dim %d is too large", c.Heads, c.HeadDim)
	case !(c.RopeTheta > 0) || math.IsInf(c.RopeTheta, 0):
		return bad("rope_theta: expected a positive number, found %v", c.RopeTheta)
	case !(c.RMSEps > 0) || math.IsInf(c.RMSEps, 0):
		return bad("rms_norm_eps: expected a positive number, found %v", c.RMSEps)
	case c.QKVBias != arch.qkvBias || c.QKNorm != arch.qkNorm:
		return bad("%s has query/key/value biases %v and query/key norms %v, found %v and %v", c.Architecture, arch.qkvBias, arch.qkNorm, c.QKVBias, c.QKNorm)
	}
	if problem := c.Rope.check(); problem != "" {
		return bad("rope_scaling: %s", problem)
	}
	for _, id := range c.EOS {
		if id < 0 || int(id) >= c.Vocab {
			return bad("eos_token_id: expected 0 to %d, found %d", c.Vocab-1, id)
		}
	}
	if c.BOS != nil && (*c.BOS < 0 || int(*c.BOS) >= c.Vocab) {
		return bad("bos_token_id: expected 0 to %d, found %d", c.Vocab-1, *c.BOS)
	}
	return nil
}

func unsupported(key, expected string, found any) error {
	return fmt.Errorf("%w: %s: expected %s, found %v", ErrUnsupported, key, expected, found)
}
