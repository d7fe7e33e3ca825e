// Package study reads scores that were published, or printed by any harness,
// and says what they can and can't show: how much of what separates checkpoints
// or models is the noise of the evaluation itself.
//
// It knows nothing but a table: model, step, benchmark, score, number of
// problems and of samples (scores.go has the format). Two questions are asked of
// it, by what the rows have:
//
//   - A model with several steps is a training run (checkpoints.go): do its
//     checkpoints differ more than one checkpoint measured again would; would
//     the best of so many be as high if all were equal; do scores rise or fall with
//     training; and how large would a gain have to be to be seen at all.
//   - Rows with a deviation between seeds are repeated measurements
//     (repeats.go): each model's difference from the baseline, with interval
//     and p-value, corrected for the number of benchmarks.
//
// Start with Analyze. Two tables are embedded, see Examples: the checkpoints of
// open-rs, and its released models measured again by others.
//
// # The example
//
// `evaluate compare --scores open-rs` prints what the published checkpoints of
// open-rs show. The figures that it is known for, 46.7 on AIME24 and 80 on
// AMC23, are the best of 21 checkpoints, each answering every problem once. If
// all 21 were equally good, their best would be expected at 46.3 and 81.5, and
// would be as high as it was with a chance of 58 and 78 %: nothing is left for
// training to explain. The deviation between checkpoints, 6.7 and 6.4 points, is
// below what sampling alone may cause (8.4 and 7.4), and the reported gains of
// 17.9 and 17.1 points are smaller than what two such scores can show (28 and 26
// on the same problems). MATH-500 with its 500 problems is measured well enough to
// show something: checkpoints differ more than sampling makes them, and scores
// fall with training.
//
// `evaluate compare --scores sober` is the released models against their base,
// measured again with several seeds: no difference, while models of other
// studies, trained longer on more data, do differ.
//
// What evaluations made here show is package report's: it has every sample, and
// need not assume a binomial.
package study
