// Package rows holds the rows on their way through the steps of a recipe.
//
// A [Row] is a problem with the place that it was read from. A [Spool] is a temporary file of rows:
// what has to wait until all rows are known (for an order, or a mixture) waits there and not in memory,
// where a row is only its place, 8 bytes. Rows are read back one by one in any order, so the file is rows
// in a plain binary form (codec.go) behind each other and not Arrow's columns, of which a batch would have to
// be read for each row.
package rows
