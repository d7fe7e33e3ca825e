// Package bench measures generation: prompt tokens and completion tokens a second, beside what the
// machine allows at the same moment.
//
// It measures the engine that samples rollouts, with its scheduler, cache and sampler, on prompts of
// random tokens that share nothing. [Measure] keeps prefill and decode apart: prefill passes ask for one
// token of each prompt, so that every step computes prompts only; of a decode pass only the steps count
// in which all sequences of the batch advance by one token and no prompt is computed. Each is warmed up
// first, and each rate is of the median: over the prefill passes, and over the decode steps.
//
// Rates of operations and bytes are package roofline's costs by those times. The memory rate counts
// every weight and all keys and values once a step; weights that fit into the processor's caches make it
// exceed the limit of the memory.
//
// Beside the rates stand the bytes that were planned for (weights, cache, and with activations in all) and
// the most that the process took, loading included.
package bench
