// Package cpu runs the operations of [device.Device] on the processor, over the SIMD kernels of the
// sub-package kernel. Values and sums are float32; a weight is float32 or bfloat16, and what is multiplied
// with one of bfloat16 is rounded to it first, gradients of activations included. Gradients of weights are
// float32 products of float32 values. [New] makes a device.
//
// What lives here is everything between an operation and a kernel call: how a weight is laid out
// (weight.go), what is multiplied with it (left.go), how rows, panels and heads are split over threads (split.go), the blocking of attention
// (attention.go is the one inner routine; packed.go and paged.go feed it from a packed batch and from
// the cache), log-softmax over chunks of the vocabulary (logprobs.go, used by sample.go too), and
// sampling. Instruction sets, threads and page alignment live in kernel.
//
// # Same bits
//
// Nothing here lets the batch, the split over threads or the tile a row happens to fall into change the
// order in which an element is summed. Every product is a chain of fused multiply-adds over its inner
// dimension, in order, whichever tile computes it; row operations look at one row only; attention goes
// through key blocks of [device.KeyBlock] positions counted from the start of the sequence, and each
// query's block is cut at the query's own position, so that what lies behind it (zeros, other tokens,
// what an earlier owner left in a cache page) never enters. The tests compare bits, not tolerances.
//
// Bits do differ between instruction sets: pin one with Options.Kernels or the environment variable
// OPENRS_KERNELS where machines must agree.
package cpu
