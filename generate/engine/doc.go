// Package engine samples completions: continuous batching over a paged key-value cache.
//
// An [Engine] holds requests (a prompt and how many samples of it), and [Engine.Step] advances all of
// them by one forward pass of the model. Every sequence is just a list of tokens of which the first
// few are already in the cache; a step computes some of the rest of it. So a prompt, a piece of a
// long prompt, the one new token of a decoding sequence, and the whole of a sequence that lost its
// pages and is computed again are one case, not four.
//
// Start reading at engine.go (the model and the sampler), then schedule.go (what the next step
// computes: a state machine without a model, stepped by hand in its tests), pages.go (who holds which
// page of the cache) and random.go.
//
// A completion is a function of the weights, the prompt, the seed, the problem and the sample's
// number, and of nothing else: the random number of a token comes from a counter keyed by those and
// the position, and the device's kernels are batch-invariant. Batch composition, the order of
// arrival, chunked prefill, preemption and the page size change no bit of the tokens or of their
// log-probabilities.
package engine
