// Package synth makes problems of the built-in arithmetic task: expressions
// such as 12+7*8-30, to be worked out step by step.
//
// The task exists so that a run can be tried, tested and measured without any
// data: it is endless, its answers are certain, its difficulty is known (the
// level is the number of operations), and its held-out part is disjoint from
// its training part by construction (a hash of the expression decides).
//
// Start with New and Generator.Problem. Problem i is a pure function of the
// seed, the split, the levels and i, so a stream can be cut, resumed at any
// index, or made by several workers. expression.go holds the task itself,
// random.go the random numbers, synth.go the generator.
//
// What does not live here: prompts and chat templates (the stage that samples
// renders those) and the end-of-text token of the solutions (training adds it).
package synth
