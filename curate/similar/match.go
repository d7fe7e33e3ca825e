package similar

import (
	"fmt"
	"strings"
)

// Method names a way to find that a row repeats a benchmark item.
type Method string

// The methods, strongest evidence first. Where one finds a row, others often
// do as well; each method's verdict is given by itself so that a recipe can
// state exactly which rule removed a row.
const (
	// MethodExact: the same normal form.
	MethodExact Method = "exact"
	// MethodNear: Jaccard similarity of the sets of three-word shingles of the
	// normal form at or above IndexOptions.NearThreshold, and their numbers
	// agree.
	MethodNear Method = "near"
	// MethodNGram13: thirteen words in a row in common, letters and digits
	// only, as for GPT-3; items of 8 to 12 words must occur as a whole.
	MethodNGram13 Method = "ngram13"
	// MethodNGram8: eight words in a row in common, lower-cased and split at
	// white space: open-r1's rule as it is, with its false alarms for phrases
	// that belong to no problem in particular.
	MethodNGram8 Method = "ngram8"
	// MethodReworded: most of the character n-grams of one text, weighted by
	// their rarity, are in the other one, and their numbers agree.
	MethodReworded Method = "reworded"
	// MethodVariant: the same with other numbers, at a higher threshold: not
	// the item, but a sibling made from the same template.
	MethodVariant Method = "variant"
)

// Methods lists all methods, strongest evidence first.
func Methods() []Method {
	return []Method{MethodExact, MethodNear, MethodNGram13, MethodNGram8, MethodReworded, MethodVariant}
}

// DefaultMethods lists the methods an Index uses unless told otherwise: those
// that hardly ever accuse a problem of being another one. The n-gram rules are
// not among them, since on competition problems most of what they find is
// wording ("where m and n are relatively prime positive integers. Find m+n"):
// of 8,449 rows of MATH and AIME training data the eight-word rule accuses
// 1,007 of repeating an item of seven benchmarks; 14 rows are known to, and 11
// of these are among the 1,007. Nor are variants, which are other problems with
// other answers.
func DefaultMethods() []Method {
	return []Method{MethodExact, MethodNear, MethodReworded}
}

// Direction says which of the two texts contains the other.
type Direction string

// The directions of a match.
const (
	Both      Direction = "both"        // the texts have about the same extent
	Overlap   Direction = "overlap"     // they share a run of words; no more is known
	ItemInRow Direction = "item in row" // the row contains the item and more
	RowInItem Direction = "row in item" // the row is a part of the item
)

// Match says that, and why, a row repeats a benchmark item.
type Match struct {
	Benchmark string // the benchmark's name
	Item      string // the item's ID
	Method    Method
	// Score is the method's measure: 1 for exact, the number of common n-grams
	// for the n-gram rules, the Jaccard similarity, or the weighted containment.
	Score     float64
	Direction Direction
	// Numbers is the share of the numbers of the text with fewer numbers that
	// the other one has, 0 to 1; only for MethodNear, MethodReworded and
	// MethodVariant.
	Numbers float64
	// Excerpt is the matched part of the row as it stands there, on one line
	// and cut after 160 bytes; ItemExcerpt is the same of the item.
	Excerpt, ItemExcerpt string
}

// String is one line for a ledger.
func (m Match) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s %.3g", m.Benchmark, m.Item, m.Method, m.Score)
	if m.Direction != Both {
		fmt.Fprintf(&b, " (%s)", m.Direction)
	}
	fmt.Fprintf(&b, ": %q", m.Excerpt)
	if m.ItemExcerpt != m.Excerpt {
		fmt.Fprintf(&b, " against %q", m.ItemExcerpt)
	}
	return b.String()
}
