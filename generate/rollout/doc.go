// Package rollout is the generate stage: problems in, groups of sampled completions out.
//
// [Worker.Run] keeps an engine's batch full from a source of problems, and writes each batch of
// problems back as one batch of rollouts, acknowledged once it is stored. Which weights a group is
// sampled from follows from the number of its problem alone (see [Plan]), so any number of workers,
// restarted at any moment, make the same rollouts.
package rollout
