// Package reward turns groups of rollouts into rewards and advantages. It is pure: rollouts in, scored
// rollouts, failures and statistics out.
//
// Start at [Config] and [New], then [Scorer.Score]. The reward functions are a table by name
// (functions.go); a user picks some with weights ([Parse], weights.go). Advantages follow the
// group-relative scheme of GRPO (advantage.go), statistics have TRL's metric names (stats.go).
//
// A group of which not every completion can be judged (an unreadable gold answer, a failed or a
// missing rollout) is not judged at all: its rows go on with a null reward and advantage 0, so that
// the step they belong to stays complete, and the reason is returned as a [Failure].
//
// What does not live here: reading answers (score/answer), losses (update/grpo).
package reward
