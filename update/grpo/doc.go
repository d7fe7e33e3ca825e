// Package grpo computes the losses of group-relative policy optimisation (Shao et al., DeepSeekMath,
// arXiv 2402.03300) and their gradients with respect to the log-probabilities of the completion
// tokens. It knows no model: log-probabilities and advantages go in, the loss, dloss/dlogp and
// metrics come out.
//
// Start at [Config], which names the objective, then [New] and [Objective.Compute]. How token losses
// are averaged is the business of a [Normalizer] (normalize.go); what was observed on the way
// collects in [Stats] (stats.go).
//
// For each completion token with log-probability ℓ and the advantage A of its completion:
//
//	ρ = exp(ℓ − ℓ_old)                      exp(mean over the completion of ℓ − ℓ_old) at ratio level "sequence"
//	L = −min(min(ρ, delta)·A, clip(ρ, 1 − eps_low, 1 + eps_high)·A)
//	L ← L · min(exp(ℓ_old − ℓ_sampling), cap)                  truncated importance sampling, if set
//	L ← L + beta · (exp(ℓ_ref − ℓ) − (ℓ_ref − ℓ) − 1)          the k3 estimate of the divergence from the reference
//
// Without old log-probabilities ℓ_old is ℓ itself without a gradient, so ρ is exactly 1 and the
// gradient is that of A·ℓ: this is on-policy training with one update a batch.
//
// What does not live here: advantages (score/reward), the optimizer step (update/optim), the order in
// which completions are packed and sent through the model (the trainer).
package grpo
