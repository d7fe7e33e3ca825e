package device

// Device runs the operations of a decoder-only transformer. It is owned by one goroutine: calls are
// made from one at a time and take effect in order; a device may run them asynchronously until
// [Memory.Download] or [Memory.Sync]. Slices passed as arguments are not kept after the call.
type Device interface {
	// Name says what runs, for logs and benchmarks, such as "cpu: avx512, 2 threads".
	Name() string
	Memory
	Forward
	Decoding
	Backward
	Optimizing
	// Close frees everything the device has allocated.
	Close() error
}

// Memory allocates and moves values.
type Memory interface {
	// Alloc returns a zeroed buffer of n float32 values.
	Alloc(n int) (Buffer, error)
	// Free returns a buffer of Alloc; views of it are invalid afterwards.
	Free(Buffer)
	// NewWeight returns room for a packed [out, in] matrix, all zero. With grad it can also be used
	// in MatMulBackward.
	NewWeight(out, in int, dtype DType, grad bool) (Weight, error)
	// FreeWeight returns a weight of NewWeight.
	FreeWeight(Weight)
	// Pack stores the [out, in] tensor t in w, rounding to w's data type (to nearest even).
	Pack(w Weight, t Tensor)
	// Upload copies host values, row by row, into t; len(src) = t.Len().
	Upload(t Tensor, src []float32)
	// Download waits for everything enqueued so far and copies t, row by row, into dst;
	// len(dst) = t.Len().
	Download(dst []float32, t Tensor) error
	// Copy copies src to dst, of the same shape.
	Copy(dst, src Tensor)
	// Zero clears t.
	Zero(t Tensor)
	// Sync waits for everything enqueued so far and returns the first fault, if any.
	Sync() error
}

// Weight is an [out, in] matrix packed by a device for products with it.
type Weight interface {
	Out() int
	In() int
	DType() DType
	// Bytes is the memory it takes.
	Bytes() int64
}

// Forward is what prefill, decode and training share.
type Forward interface {
	// Embed sets row i of y to row ids[i] of the [vocabulary, hidden] matrix w.
	Embed(y Tensor, w Weight, ids []int32)
	// RMSNorm sets each row of y to w ⊙ x / sqrt(mean(x²) + eps); w is 1 × Cols. To normalise heads,
	// pass views with a head a row. y may be x.
	RMSNorm(y, x, w Tensor, eps float32)
	// MatMul computes y = x·Wᵀ + bias; bias is 1 × Out or none. Each element is the chain of fused
	// multiply-adds over In from zero, in order, and then the bias.
	MatMul(y, x Tensor, w Weight, bias Tensor)
	// MatMulAdd computes y += x·Wᵀ; the product is summed as in MatMul, then added to y.
	MatMulAdd(y, x Tensor, w Weight)
	// RoPE rotates every head of x (Rows × heads·headDim) in place by its row's position, in the
	// "rotate half" layout: for i < headDim/2 with (c, s) = table[position][i], table[position][headDim/2+i],
	// x[i], x[i+headDim/2] = x[i]·c − x[i+headDim/2]·s, x[i+headDim/2]·c + x[i]·s.
	// table is positions × headDim, cosines first. With inverse it rotates by the negative angle (the
	// backward pass).
	RoPE(x Tensor, headDim int, table Tensor, positions []int32, inverse bool)
	// SwiGLU computes y = silu(gate) ⊙ up of gateUp = [gate | up], Rows × 2·y.Cols.
	SwiGLU(y, gateUp Tensor)
	// Attention computes causal attention of packed segments: out and q are rows × Heads·HeadDim, k and
	// v rows × KVHeads·HeadDim, lse rows × Heads (the log of the softmax sum of each query head, for the
	// backward pass; may be none).
	Attention(out, lse, q, k, v Tensor, shape AttentionShape, segs []Segment)
	// GatherRows sets row i of y to row rows[i] of x.
	GatherRows(y, x Tensor, rows []int32)
	// LogProbs computes, for each row i of h with z = h[i]·Wᵀ / temperature[i], the log-probability of
	// targets[i] under softmax(z), the log-sum-exp of z and the entropy in nats, without ever holding
	// more than VocabChunk logits a row. The three outputs are rows × 1; lse and entropy may be none.
	// Temperature 0 counts as 1, here and in LogProbsBackward: that is what Sample reports for a greedy
	// choice.
	LogProbs(logp, lse, entropy, h Tensor, w Weight, targets []int32, temperature []float32)
}

// AttentionShape describes grouped-query attention: query head h reads key-value head
// h·KVHeads/Heads. Scores are q·k·Scale.
type AttentionShape struct {
	Heads, KVHeads, HeadDim int
	Scale                   float32
}

// Segment is one sequence of a packed batch, or the part of one that follows a shared prefix: its Len
// own rows start at Row. Each attends to the PrefixLen rows that start at PrefixRow (all of them;
// they are rows of another, earlier segment, which has no prefix itself) and causally to its own.
// Key positions count from the start of the prefix.
type Segment struct {
	Row, Len             int
	PrefixRow, PrefixLen int
}

// Decoding is what generation needs beside Forward.
type Decoding interface {
	// NewCache returns an empty paged key-value cache.
	NewCache(CacheConfig) (Cache, error)
	// FreeCache returns a cache of NewCache.
	FreeCache(Cache)
	// CacheWrite stores row i of k and v (rows × KVHeads·HeadDim, k already rotated) of a layer in
	// slot slots[i] = page·PageSize + position within the page.
	CacheWrite(c Cache, layer int, k, v Tensor, slots []int32)
	// CacheCopy copies page src to page dst, in every layer.
	CacheCopy(c Cache, src, dst int32)
	// PagedAttention is Attention with keys and values read from the cache, the queries' own included
	// (CacheWrite comes first).
	PagedAttention(out, q Tensor, c Cache, layer int, shape AttentionShape, seqs []PagedSeq)
	// Sample draws one token a row of logits (rows × vocabulary). It sets ids[i] and logp[i]; see
	// [Sampling]. It waits for everything enqueued so far.
	Sample(logits Tensor, params []Sampling, ids []int32, logp []float32) error
}

// CacheConfig sizes a paged key-value cache. PageSize is a multiple of KeyBlock.
type CacheConfig struct {
	Layers, KVHeads, HeadDim int
	Pages, PageSize          int
}

// Cache is a paged key-value cache in the device's own layout.
type Cache interface {
	Config() CacheConfig
	// Bytes is the memory it takes.
	Bytes() int64
}

// PagedSeq is the part of one sequence that is computed in a call: rows [Row, Row+Len) of q, at
// positions [Start, Start+Len). Pages lists the sequence's pages from position 0 on.
type PagedSeq struct {
	Row, Len, Start int
	Pages           []int32
}

// Sampling says how to draw a token from a row of logits. With z = logits / Temperature and
// p = softmax(z): top-k keeps the TopK most probable tokens (0: all); then top-p, of these, the smallest
// set of the most probable whose share of what top-k left reaches TopP (0 or 1: all); then min-p those
// with p ≥ MinP·max p; ties go to the lower token id. The order, and that top-p counts within what
// top-k left, is that of vLLM and Hugging Face's generate. The token is the inverse of the cumulative
// distribution of what is kept, in order of token id, at U. Temperature 0 takes the largest logit (the
// lowest id of equals) and reports its log-probability at temperature 1; any other reports log p before
// any truncation, the same bits as LogProbs.
type Sampling struct {
	Temperature float32
	TopK        int
	TopP, MinP  float32
	U           float64 // uniform in [0, 1)
}

// Backward is the reverse of Forward. Gradients of weights (dw, db, dTable) are always added to what is
// there; each element is one chain over rows in order, so that splitting a batch into calls that
// follow each other changes nothing. Products of [BF16] for dw ([Backward].WeightGrad and LogProbsBackward)
// chain blocks of [GradRows] rows, counted from the first row of the call, and there only splitting at
// multiples of GradRows changes nothing.
type Backward interface {
	// MatMulBackward computes dx = dy·W, or dx += dy·W with add. w must have been made with grad.
	MatMulBackward(dx, dy Tensor, w Weight, add bool)
	// WeightGrad computes dw += dyᵀ·x for dw [out, in], as a matrix of dtype multiplies: with BF16, dy and
	// x are rounded to bfloat16 (to nearest even) as they enter. Sums are float32 in either.
	WeightGrad(dw, dy, x Tensor, dtype DType)
	// BiasGrad adds the sum of the rows of dy to db, 1 × Cols.
	BiasGrad(db, dy Tensor)
	// RMSNormBackward adds the gradient for x to dx (or sets it, without add; dx may then be dy) and
	// that for w to dw, which may be none.
	RMSNormBackward(dx, dw, dy, x, w Tensor, eps float32, add bool)
	// SwiGLUBackward sets dGateUp from dy. dGateUp may be gateUp.
	SwiGLUBackward(dGateUp, dy, gateUp Tensor)
	// AttentionBackward sets dq, dk and dv from dout and what Attention was given and returned.
	AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v Tensor, shape AttentionShape, segs []Segment)
	// ScatterAddRows adds row i of dy to row rows[i] of dx, in order of i.
	ScatterAddRows(dx, dy Tensor, rows []int32)
	// LogProbsBackward sets dh (or adds to it, with add) and adds to dw, given dlogp (rows × 1), the
	// gradient of the loss for each log-probability, and LogProbs' lse. dw is [vocabulary, hidden] and
	// summed as in WeightGrad, with the data type of w; it may be none, where w is not trained.
	LogProbsBackward(dh, dw, dlogp, lse, h Tensor, w Weight, targets []int32, temperature []float32, add bool)
	// EmbedGrad adds row i of dy to row ids[i] of dTable, in order of i.
	EmbedGrad(dTable, dy Tensor, ids []int32)
	// Dropout sets y to x without some of its elements: a share rate of them is 0, the others are multiplied
	// by 1/(1 − rate) (see [Dropout], where rows[i] is the number of row i). With add it adds that to y. It is
	// its own reverse. y may be x without add.
	Dropout(y, x Tensor, rate float32, seed uint64, rows []int32, add bool)
}

// Optimizing is what the optimizer needs.
type Optimizing interface {
	// SumSquares returns the sum of the squares of t's elements, in float64, in an order that depends
	// on t's shape only. It waits for everything enqueued so far.
	SumSquares(t Tensor) (float64, error)
	// Scale multiplies every element of t by s.
	Scale(t Tensor, s float32)
	// AdamW applies one step to the parameters p given gradients g, moments m and v, all of one shape.
	AdamW(p, g, m, v Tensor, step AdamWStep)
}

// AdamWStep holds the constants of one AdamW update (Loshchilov and Hutter, Decoupled Weight Decay
// Regularization): w ← w(1 − LR·WeightDecay); m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
// w ← w − LR/(1 − β₁ᵗ) · m / (sqrt(v/(1 − β₂ᵗ)) + Eps), with g scaled by GradScale first.
type AdamWStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	T                                  int64   // number of this update, from 1
	GradScale                          float64 // the clipping factor
}
