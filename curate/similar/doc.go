// Package similar finds problems that are the same problem: duplicates within
// the training data, and training rows that repeat an item of a benchmark.
//
// Everything starts from a Text, made once per row by Prepare: it holds the
// text in a normal form in which spelling no longer matters (case, white
// space, punctuation, \dfrac or \frac or a slash, $ or \( or nothing, three or
// 3). Three finders use it:
//
//   - Exact: the same normal form, by hash.
//   - Near: the same up to a few words, by MinHash and locality sensitive
//     hashing, each hit verified by the exact Jaccard similarity.
//   - Index: contamination by benchmark items. Several methods look at a row,
//     from open-r1's rule (any eight words in a row in common) to the
//     comparison of weighted character n-grams, which also finds items that
//     were reworded, embedded in a longer text or cut short.
//
// The package does no I/O and starts no goroutines. Prepare, Near.Sketch and
// Index.Check may be called from many goroutines at once; Exact.Add and
// Near.Add are called in row order, since the first of several duplicates is
// the one that stays. Same rows in the same order, same result.
//
// Start reading in text.go and normalise.go (the normal form), then exact.go
// and near.go, then index.go and the methods: ngram.go, jaccard.go and
// reworded.go. planted_test.go measures all of it on real data.
package similar
