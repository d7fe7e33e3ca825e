package pretrained

import (
	"encoding/json"
	"maps"
	"slices"

	"openrs/stages/checkpoint"
)

// shapes are architectures for benchmarks and tests, from the config.json of the models they are
// named after.
func shapes() map[string]checkpoint.Config {
	return map[string]checkpoint.Config{
		"tiny": {
			Architecture: "qwen2", QKVBias: true, TieEmbeddings: true,
			Hidden: 128, Layers: 2, Heads: 4, KVHeads: 2, HeadDim: 32, FFN: 256, Vocab: 288,
			MaxPositions: 1024, RopeTheta: 1e4, RMSEps: 1e-6, EOS: []int32{274},
			// A narrow model starts to learn sooner from weights larger than the usual 0.02.
			Raw: map[string]any{"initializer_range": json.Number("0.05")},
		},
		"qwen2.5-0.5b": {
			Architecture: "qwen2", QKVBias: true, TieEmbeddings: true,
			Hidden: 896, Layers: 24, Heads: 14, KVHeads: 2, HeadDim: 64, FFN: 4864, Vocab: 151936,
			MaxPositions: 32768, RopeTheta: 1e6, RMSEps: 1e-6, EOS: []int32{151643},
		},
		"deepseek-r1-distill-qwen-1.5b": {
			Architecture: "qwen2", QKVBias: true,
			Hidden: 1536, Layers: 28, Heads: 12, KVHeads: 2, HeadDim: 128, FFN: 8960, Vocab: 151936,
			MaxPositions: 131072, RopeTheta: 1e4, RMSEps: 1e-6, EOS: []int32{151643},
		},
	}
}

func shapeNames() []string { return slices.Sorted(maps.Keys(shapes())) }
