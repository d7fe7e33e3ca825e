// Package job carries out an evaluation: it has every sample that a [Plan] asks for made and judged,
// keeps what is finished, and goes on where it was stopped.
//
// A sample is known by its problem and its number, and what it says follows from the weights and the
// sampling settings alone. So it does not matter who makes it, when, or in which order: finished
// samples are kept in a [Store] as they come, and what is still missing is what the next start asks
// for. The rows that a report is made of come from [Rows], in the plan's order and free of everything
// that depends on how the work was divided; they are the same bytes after any number of kills.
//
//	plan.go      the samples of an evaluation, cut into pieces, and the rows that ask for them
//	settings.go  what a finished sample depends on, and the refusal of a changed setting
//	store.go     finished samples on disk, each piece with its digest; frame.go has the format
//	rows.go      from finished samples to a report's rows
//	local.go     generate and score as child processes (children.go) beside this one
//	remote.go    any number of generate and score workers that meet in a run's streams
//	progress.go  how far it is, and how long it will take
//
// What lives elsewhere: the benchmarks (evaluate/benchmark), how often and how hot they are sampled
// (evaluate/protocol), the figures (evaluate/report), and the choice of policies to evaluate while a
// model is trained (evaluate/watch).
package job
