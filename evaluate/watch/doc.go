// Package watch evaluates the policies of a run while it is trained.
//
// [Watcher.Run] takes each policy that its [Budget] allows, has it evaluated, and writes down what came out,
// until training has ended and its last policy is evaluated. What it has done stands in a ledger of its own, so
// that it goes on after a kill where it was, and so that any number of watchers (with other benchmarks, say)
// watch the same run without knowing of each other. It takes no part in training: nobody waits for it.
//
// Training keeps only the newest policies. So a second goroutine, the catcher, makes a folder of each policy
// that is due as soon as it is published, whether or not the evaluation before is finished. When more come than
// can be evaluated, the newest waits and those before it are skipped, by number and with the reason.
//
//	choose.go   which policy is next: a pure rule
//	catcher.go  from the policy store to model folders, ahead of the evaluations
//	folder.go   a policy's bytes as a folder that generate opens
//	ledger.go   what has been evaluated and skipped
//	watcher.go  the loop
//	table.go    accuracy over steps
//
// How a policy is evaluated is package job's business and comes in as a function.
package watch
