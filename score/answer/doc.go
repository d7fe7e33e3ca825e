// Package answer finds the final answer in a model's text and decides whether it is the same as a
// problem's gold answer.
//
// Start at [Verify], which does both; [Extract] is its first half (extract.go) and [Equal] its second.
// Answers are read as exact rational numbers where they are numbers (number.go): integers of any
// size, decimals, fractions, mixed numbers, percentages, powers of ten, with thousands separators,
// currency signs and units around them. Everything else is compared as text after differences of
// notation are removed (normalize.go); lists are compared element by element.
//
// Work is bounded by the length of the text and of the numbers, not by a clock: extraction is linear,
// answers beyond [MaxAnswer] bytes and numbers beyond [MaxDigits] digits are not read. Nothing here
// panics on any input.
//
// What does not live here: rewards and what an unreadable gold answer means for a group
// (score/reward).
package answer
