// Package load reads problems from data sets as people publish them: Parquet,
// JSON and JSON lines files whose columns are called what their authors liked.
//
// A Reader reads a file of any size row by row and keeps an account of what was
// done: which columns were used, how many rows were read, how many were left
// out and why. Find lists the files that a path, a folder or a pattern stands
// for.
//
// columns.go decides which column is which, value.go turns what is in a cell
// into text, load.go puts the two together, own.go carries on what this
// project's own tables know more. order.go and shuffle.go order the result. The
// file formats themselves are the table package's job; judging whether an
// answer can be read is score/answer's.
package load
