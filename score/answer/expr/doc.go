// Package expr reads mathematical answers, in LaTeX or plain notation, to typed values, and decides
// whether two of them are the same.
//
// [Parse] takes an extracted answer, without its box, and returns a [Value]; [Equal] compares two and
// says why. Extraction from a model's text, profiles and rewards live elsewhere (score/answer).
//
// # Reading
//
// A lexer (lexer.go, names.go) makes tokens of the text, one spelling for each meaning; classify.go
// decides what words are: functions, separators, units (units.go), letters next to each other. The
// reader (reader.go, reader_expr.go, reader_ratio.go) cuts the answer at separators, relations and set
// operators outside of brackets, and recognises tuples, intervals and sets; a recursive descent parser
// (parse_expr.go, parse_primary.go, parse_command.go) makes expressions ([node], node.go) of the rest,
// folding exact arithmetic on the way. What has no reading is kept as [KindNotation] and compared token by
// token: two unreadable formulas are never equal because they end in the same number. Unbalanced braces
// and nothing at all are [ErrUnreadable].
//
// # Comparing
//
// equal.go has the table of which kinds are compared how. Expressions are compared, in this order
// (equal_number.go):
//
//   - numbers exactly, as fractions of integers; a decimal literal also to [Options.Places] decimals,
//     see near;
//   - polynomials and rational functions in symbols, π, i and square roots of numbers exactly, by normal
//     forms in a ring where only zero is zero (poly.go, ratfunc.go);
//   - everything else by values at fixed points (equal_points.go), computed with bounds of error
//     (ball.go, elementary.go, evaluate.go). Values that differ by more than their errors are different
//     for certain. To be the same they must agree at several points to at least 48 bits more than
//     their sizes, and constants to 192 bits beyond the spread of the sizes that occur in them, so that
//     π + 10^-200 is not π. When the precision doesn't suffice, the verdict is undecided, which is not
//     equal.
//
// Sets of real numbers, whether intervals, unions or inequalities (solve.go), are compared as regions of
// the line (region.go). Equations are equal up to a factor that is not zero, inequalities up to a
// positive one (equal_relation.go).
//
// # Bounds
//
// Every loop takes steps from a budget (budget.go), sizes of numbers, nesting, terms and precision have
// limits, and there are no clocks: a pair gets the same verdict everywhere, in bounded time.
//
// # Where it differs from Math-Verify
//
// Deliberately, since the other verdict is mathematically wrong or lets wrong answers pass:
//
//   - numbers: 1\,000 and 1 000 group digits; 2(3) is 6; 2\frac{5}{3} is a product, only proper fractions
//     make mixed numbers; 1.5e3 is 1500;
//   - decimals are compared to a fixed number of places, but also to the size of small values
//     (0.0000004 is not 0.0000001), decimals of one length must be the same, and one that gives fewer
//     places than are compared must be exact (0.999 is not 1000/1001); tiny exact values are not zero;
//   - units are compared when both answers have known ones (10 cm is not 10 m, but 0.1 m); a letter that
//     is no unit in \text is a symbol (4t is not 4), unless only the prediction has it after a number and
//     a space; 10 percent is 10%;
//   - degrees are a plain number or an angle, whichever fits: 90° is 90 and π/2; in functions they are
//     angles, sin 30° is 1/2;
//   - a gold of 1010_2 is met by 10, its value, as well as by 1010, its digits; other bases differ, and a
//     prediction of 1010_2 is 10 only;
//   - words that change a number are no unit: 12 remainder 3 and 12 squared are not 12;
//   - i is the imaginary unit: √-4 is 2i, and 2 i is 2i;
//   - functions of symbols are compared where both have real values (√(1/n) is 1/√n), but ln|x| is not
//     ln x;
//   - x = 5 is compared by name as assignments, 3 is not x+y = 3; equations without real solutions are not
//     all equal; 5x = 10 is x = 2;
//   - inequalities may be scaled, turned around and written as chains, unions or sets, and equal the
//     interval they describe in both orders;
//   - a pair is an interval or a tuple as the other side has it, but never the set of its members in
//     braces; a list without brackets is a set, or a tuple in its order;
//   - times of the day with minutes that start in zero, seconds, AM or PM are no ratios; 12:30 PM is
//     not 12:30;
//   - words for the same are the same for a few: DNE, no solution and ∅, all real numbers and ℝ;
//   - a full stop at the end does not matter.
package expr
