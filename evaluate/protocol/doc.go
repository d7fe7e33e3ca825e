// Package protocol says how a model is asked when it is measured: how often
// each problem, how hot, how long, from which seed. Published numbers differ
// by these as much as by the models, so they have names: start with Lookup.
//
// protocol.go has the table of presets and what a benchmark gets of one;
// override.go changes single settings. What is asked is package benchmark's,
// what the answers say package stats' and report's.
//
// # Seeds and samples
//
// The published protocols repeat a whole evaluation with other seeds: "10 seeds"
// is ten runs that answer every problem once. Here every completion is drawn
// from its own random numbers, keyed by seed, problem and number of the sample,
// so the samples of one seed are as independent of each other as those of
// several seeds are. A preset therefore gives the number of samples, and one
// seed; the mean over samples is the mean over seeds. The spread between the
// published seeds is what stats calls the variance within problems.
package protocol
