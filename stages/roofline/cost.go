package roofline

import (
	"openrs/stages/checkpoint"
	"openrs/stages/device"
)

// Cost knows what a model's passes cost.
type Cost struct {
	layer  int64 // weights of the matrices of one block
	head   int64 // weights of the output head, which is the embedding of a tied model
	vector int64 // norms and biases
	keys   int64 // query values a row and layer, for attention
	cache  int64 // key and value values a position and layer
	layers int64
	dtype  device.DType
	value  int64 // bytes of one key or value
}

// NewCost returns the costs of a model whose matrices are of dtype.
func NewCost(cfg checkpoint.Config, dtype device.DType) Cost {
	hidden, q, kv := int64(cfg.Hidden), int64(cfg.Heads*cfg.HeadDim), int64(cfg.KVHeads*cfg.HeadDim)
	c := Cost{
		layer: hidden*(q+2*kv) + q*hidden + 3*hidden*int64(cfg.FFN),
		head:  hidden * int64(cfg.Vocab),
		keys:  q, cache: 2 * kv, layers: int64(cfg.Layers), dtype: dtype, value: 4,
	}
	block := 2 * hidden
	if cfg.QKVBias {
		block += q + 2*kv
	}
	if cfg.QKNorm {
		block += 2 * int64(cfg.HeadDim)
	}
	c.vector = block*c.layers + hidden
	return c
}

// Forward is the operations of a forward pass of rows tokens that attend to keys positions, summed over
// the rows, themselves included ([Causal]), and predictions of which the whole vocabulary is computed.
func (c Cost) Forward(rows int, keys int64, predictions int) float64 {
	products := float64(c.layer*c.layers)*float64(rows) + float64(c.head)*float64(predictions)
	attention := 2 * float64(c.keys*c.layers) * float64(keys) // scores, and the sum of values
	return 2 * (products + attention)
}

// Training is the operations of Forward and of its backward pass, which is twice as much: a gradient
// for each of the two factors of a product.
func (c Cost) Training(rows int, keys int64, predictions int) float64 {
	return 3 * c.Forward(rows, keys, predictions)
}

// TrainingAdapters is the operations of training adapters of so many parameters while the model's own weights
// stay as they are: these take no gradients.
func (c Cost) TrainingAdapters(rows int, keys int64, predictions, adapters int) float64 {
	all, forward := c.Training(rows, keys, predictions), 2*(float64(c.layer*c.layers)*float64(rows)+float64(c.head)*float64(predictions))
	return all - forward + 6*float64(adapters)*float64(rows)
}

// WeightBytes is the bytes of weights that a forward pass reads: all of them but for an embedding that
// is not also the head, of which it reads a row a token.
func (c Cost) WeightBytes() int64 {
	return (c.layer*c.layers+c.head)*int64(c.dtype.Bytes()) + 4*c.vector
}

// WithCache returns the costs with a cache that takes so many bytes for each key or value, instead of the
// four of float32.
func (c Cost) WithCache(value int64) Cost {
	c.value = value
	return c
}

// CacheBytes is the bytes of keys and values of a number of positions.
func (c Cost) CacheBytes(positions int64) int64 { return c.value * c.cache * c.layers * positions }

// CacheValue is the bytes that a device takes for each key or value, about.
func CacheValue(dev device.Device) int64 {
	one := device.CacheConfig{Layers: 1, KVHeads: 1, HeadDim: 128, Pages: 1, PageSize: device.KeyBlock}
	return device.CacheBytes(dev, one) / int64(2*one.HeadDim*one.PageSize)
}

// Causal is the number of keys that the rows at positions [start, start+n) attend to together.
func Causal(start, n int) int64 {
	s, m := int64(start), int64(n)
	return m*s + m*(m+1)/2
}
