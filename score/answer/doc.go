// Package answer finds the final answer in a model's text and decides whether it is the same as a
// problem's gold answer.
//
// Start at [Verify], or at [ReadGold] to judge several texts by one gold answer. The work is in three
// steps: candidates for the answer are found in the text (extract.go says in which order, box.go,
// formula.go, anchor.go and words.go find them), each is freed of its carrier (clean.go), and the first that can
// be read is compared. Reading and comparing mathematics is the package expr. Accuracy rewards and benchmark
// scores differ in what counts as an answer: see [Profile].
//
// # Where the answer is
//
// The part after the last </think> is searched first, then the whole text for a marked answer. In each, in
// this order:
//
//  1. "the final answer is X. I hope", if it comes after the last box
//  2. the last \boxed{X} (or \fbox); braces may nest, of boxes in each other the inner one counts, \boxed 5 needs
//     none; boxes with nothing but commas, "and" or "y =" between them are one list; a percent sign after
//     it belongs to it. When the text ends inside a box there is no answer.
//  3. X after "final answer is" or "final answer:", then after "answer:" (also <answer>X</answer> and a heading), then
//     after "answer … is"; among equals the last one
//  4. X after the last "####"
//  5. a short text as a whole; else from the last lines upwards what is in bold, or the last mathematics of
//     the line that is not in a remark in brackets
//
// Under [Reward] only 1 to 3 count, and after "answer" only a formula in its marks ($…$, \(…\), \[…\], …) that begins
// within 50 characters (100 after "final answer"). Under [Benchmark] all count. Candidates of 4 and 5 must
// be mathematics, unless the gold answer is words; 5 is not applied to thoughts that were cut off. If the gold
// answer is the letter of a choice, "(B) 12" and "option B" answer B.
//
// # Differences from Math-Verify
//
// The verdicts of Hugging Face's Math-Verify, which open-rs and lighteval use, are kept where they are
// right or a matter of taste (decimals to a fixed number of places; 1011 for 1011 in base 2; a bare list
// for a tuple). Different, on purpose:
//
//   - the answer after the thoughts wins over a box inside them
//   - boxes are not joined because "or" is inside a word between them ("for", "more")
//   - one unreadable formula is not equal to another because both end in the same number
//   - plain LaTeX without dollar signs, \fbox, text and lists without dollar signs are found (benchmark)
//   - \boxed{12.}, \frac12, \sqrt2 and .5 are read in rewards too
//   - a gold answer needs no dollar signs; one that can't be read is [ErrGold], not a full reward
//   - the order of gold answer and prediction does not matter for an inequality against an interval
//   - what expr lists: nearly equal small values, units, complex numbers, equations without solutions, …
//
// [OpenRS] is the exception: it keeps to the reward that open-rs published, mistakes included.
//
// Work is bounded by the length of the text and of the numbers, not by a clock: extraction is linear, at
// most a dozen candidates are read, answers beyond [MaxAnswer] bytes are not, and expr has a budget of steps.
// Nothing here panics on any input, and nothing starts a goroutine.
//
// What does not live here: rewards and what an unreadable gold answer means for a group
// (score/reward).
package answer
