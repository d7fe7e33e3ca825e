// Package benchmark defines what a model is measured on: one row of a table
// for each benchmark, with where its problems come from.
//
// Start with Problems. table.go has the rows; to add a benchmark, add a row.
// Asking the model is generate's job, judging its answers score's, and the
// figures are the report package's.
package benchmark
