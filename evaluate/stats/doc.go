// Package stats turns right and wrong answers into figures that can be
// believed: accuracies with standard errors and intervals, paired comparisons
// of two models, pass@k and majority votes.
//
// Everything here is a pure function of its arguments; what is random (the
// bootstrap, the permutation test) is keyed by a seed. The unit of chance is
// the problem, not the sample: four samples of one problem are not four
// independent facts, so every error, interval and test works on one number a
// problem, the mean over its samples.
//
// Start with Accuracy and Compare. accuracy.go holds the mean, its standard
// error and its bootstrap interval, paired.go the comparison of two models,
// passk.go pass@k and maj@k. Reading rollouts and writing pages is the report
// package's job.
package stats
