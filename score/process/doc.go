// Package process computes a reward in another process, in any language that has Arrow.
//
// The process reads an Arrow IPC stream of rollouts from its standard input and writes an Arrow IPC
// stream of one float32 column (named as it likes) to its standard output: for each batch that it
// reads, which is one group, one batch with as many rows in the same order, flushed. A null or NaN is
// "no reward". What it writes to standard error goes to the log of the stage. It ends when its input ends.
// pipelines/examples/length_reward.py is such a process in Python.
//
// Start at [Start] and [Process.Reward]. A process that ends, writes something else or takes longer
// than its limit is killed and started again, and the group is given to it once more; a group that fails
// twice fails like any other that can't be scored. After [MaxRestarts] restarts in a row without a group
// that went well the process is given up ([ErrGivenUp], [Process.Err]).
//
// What does not live here: which rewards there are and what a failure means (score/reward, score/stage).
package process
