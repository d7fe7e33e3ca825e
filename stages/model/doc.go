// Package model is the decoder-only transformer: Qwen2, Llama and Qwen3 as their config.json
// describes them, forward and backward, written once over a [device.Device].
//
// A [Model] does three things. [Model.Infer] advances sequences whose keys and values lie in a paged
// cache and returns logits: generation. [Model.LogProbs] scores given tokens. [Model.Forward] scores
// them and keeps what [Model.Backward] needs to turn gradients of the log-probabilities into gradients
// of the parameters. All three run the same operations on the same packed weights, and devices are
// batch-invariant (see package device), so for the same weights a token has the same log-probability
// in each of them, bit for bit.
//
// Scoring and training work on packed rows, one row a token, without padding ([Packed]). [Pack] builds
// them from prompts and completions; completions of one prompt share its rows. [Split] cuts a batch
// into micro-batches.
//
// When training, the parameters are one flat float32 buffer ([Model.Flat]), in the order of
// [Model.Params]; an optimizer sees nothing else. The matrices that run are packed copies of it in the
// data type of the [Options], renewed by [Model.Repack].
//
// Adapters (lora.go, [LoRA]) add a product of two narrow matrices to that of a projection. They run in all three of
// the above by the same code (lowrank.go); when training, they alone have masters and gradients, and the weights
// under them only what the gradients pass through. [Model.Base] scores without them. [Merge] builds them into
// weights that are to be written.
//
// Losses, sampling loops and optimizers are not here; neither is any arithmetic: that is the device's.
// Start reading at model.go, then layer.go for the transformer itself.
package model
