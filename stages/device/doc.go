// Package device defines what a transformer needs from the hardware that runs it: memory, packed
// weights, and about thirty operations, forward and backward. The model is written once over the
// [Device] interface; stages/device/cpu and stages/device/cuda implement it, and
// stages/device/devicetest holds a plain reference implementation and the conformance tests that
// every device passes.
//
// # Conventions
//
// All activations are float32, row-major, one row a token: sequences are packed one after another
// without padding. A [Tensor] is a view (buffer, offset, rows, columns, stride), so that parts of a
// fused matrix (q, k and v; gate and up) are views of one buffer. Weights are stored [out, in] as
// in Hugging Face checkpoints and used as y = x·Wᵀ; a [Weight] is such a matrix packed in the
// device's own layout and data type.
//
// # Batch invariance
//
// The value of an output element never depends on which other rows are computed with it, on how
// rows are split over calls, on the number of threads, or on whether it is computed in prefill,
// decode or training. Each operation states its order of summation; a device may choose the order,
// but only as a function of the operation's fixed sizes (columns, head size, vocabulary), never of
// the batch. [Device.Attention] and [Device.PagedAttention] give the same bits for the same query,
// keys and values, and so do [Device.LogProbs] and the log-probabilities of [Device.Sample].
// Key blocks are [KeyBlock] positions from the start of the sequence, vocabulary chunks are
// [VocabChunk] tokens from token 0.
//
// # Errors
//
// A shape that does not fit is a programming error and panics with a message that names the
// operation. Faults of the hardware are asynchronous: they stick to the device and are returned by
// [Device.Sync] and [Device.Download]. Only allocations return errors of their own.
package device

// KeyBlock is the number of consecutive key positions, counted from the start of a sequence, that
// attention treats as one block: scores, running maximum and running sum are updated block by block
// in order. The page size of a [Cache] is a multiple of it.
const KeyBlock = 32

// GradRows is the number of consecutive rows, counted from the first of a call, that a product of [BF16]
// for the gradient of a weight may sum in an order of the device's own before the sum goes on from
// there: matrix units take several rows at a time. Calls that are split at multiples of it give the same
// bits as one; how the last rows of a call are filled up to it changes none.
const GradRows = 16

// VocabChunk is the number of consecutive tokens, counted from token 0, over which log-softmax
// updates its running maximum and sum; logits are never materialised for more tokens than that in
// training.
const VocabChunk = 2048
