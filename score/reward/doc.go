// Package reward turns groups of rollouts into rewards and advantages. It is pure: rollouts in, scored
// rollouts, failures and findings out.
//
// Start at [Config] and [New], then [Scorer.Score]. The reward functions are rows of one table
// ([Definitions], table.go): each row has the name that recipes use, the formula, its range, its source and
// its parameters. Rows are in correct.go (is the answer right), form.go (does the text look right) and
// length.go (is it short, does it repeat itself). [Parse] (spec.go) reads what a user picks, with weights
// and parameters. Advantages follow the group-relative scheme of GRPO (advantage.go). [Preflight] finds
// rewards that tell nothing apart.
//
// A group of which not every completion can be judged (an unreadable gold answer, a failed or a
// missing rollout) is not judged at all: its rows go on with a null reward and advantage 0, so that
// the step they belong to stays complete, and the reason is returned as a [Failure].
//
// # Rewards
//
// Lengths are counted in tokens, stop token included, and are clamped where the formula has an end.
//
//	accuracy                  1 if the final answer equals the gold answer, else 0
//	reasoning_accuracy        1 if thinking is closed and the answer after it is right, else 0
//	format                    1 for <think>, thoughts, </think> and an answer, ended by the model, else 0
//	think_closed              1 for exactly one </think> on its own line, else 0
//	tag_count                 k / tags for k expected tags that come exactly once
//	reasoning_steps           min(1, n / 3) for n signs of steps
//	language                  letters in the expected script / letters, formulas aside
//	length                    λ or min(0, λ), λ = 1/2 − (len − min) / (max − min)
//	cosine                    b + (a − b)/2 · (1 + cos(π · min(1, len/max_len))), a at length 0, b at max_len
//	repetition_penalty        max_penalty · (1 − distinct n-grams / n-grams)
//	soft_overlong_punishment  −clamp((len − (max_completion_len − soft_punish_cache)) / soft_punish_cache, 0, 1)
//
// # The compatible mode
//
// [Config.Compat] reproduces what open-rs published, to compare with its results:
//
//   - lengths (cosine, length) are characters of the completion, not tokens, and cosine is not clamped: beyond
//     max_len it rises again, with period 2 max_len;
//   - cosine's defaults for wrong answers are 0 at length 0 and −0.5 at max_len, so that the shortest wrong
//     answer costs least (here: −1 and −0.5);
//   - a gold answer that is not in a LaTeX environment or box is unreadable, and then accuracy and cosine are
//     1 and length takes every answer for right (here: a bare gold is read, and an unreadable one fails the group);
//   - the answer is compared with the gold answer in reverse order, which matters for an inequality against
//     an interval; sloppy LaTeX (\frac12, \sqrt2, .5) is not read; the last box anywhere counts, also inside the thinking
//     ([openrs/score/answer.OpenRS]);
//   - format is think_closed.
//
// What does not live here: reading answers (score/answer), external processes (score/process), losses
// (update/grpo), statistics (stages/summary).
package reward
