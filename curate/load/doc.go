// Package load reads problems from data sets as people publish them: Parquet,
// JSON and JSON lines files whose columns are called what their authors liked.
//
// File reads a whole file, shuffles it if asked and returns the problems with
// an account of what was done: which columns were used, how many rows were
// read, how many were left out and why. Reader does the same row by row for
// files of any size.
//
// columns.go decides which column is which, value.go turns what is in a cell
// into text, load.go puts the two together, shuffle.go orders the result. The
// file formats themselves are the table package's job; judging whether an
// answer can be read is score/answer's.
package load
