// Package refine runs the steps of a recipe over the rows of its sources.
//
// [Run] reads all sources, in order, and puts every row through every step, in order, as if one row
// went after the other; really rows go through in chunks, in parallel (ordered.go, segment.go):
//
//	read ─▶ chunk ─▶ filters, and what judges prepare ─▶ judges decide ─▶ spool
//	        one goroutine      many, any order              one, in order
//
// An arranger (an order, a mixture) ends a segment of steps: its rows wait in the spool, a temporary file,
// until all have come, and the next segment reads them from there. So memory does not grow with the texts;
// what is kept of a row, besides what steps say in their comments, is two places in the spool (16 bytes)
// and its id (about 45 bytes).
//
// Every row that does not reach the end is reported to Options.Lost, in the order of the rows within a
// step, and counted in the [Report]: rows read = rows lost + rows left. The result, the report and the
// order of entries do not depend on the number of threads.
package refine
