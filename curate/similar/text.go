package similar

import (
	"strings"
	"unicode/utf8"
)

// Text is a problem text made ready for comparing. It does not change after
// Prepare, so any number of goroutines may read it.
type Text struct {
	raw   string
	norm  string
	words []word
}

// word is one word of the normal form.
type word struct {
	hash       uint64
	start, end int32 // in Text.norm
	raw        int32 // where it begins in Text.raw
	kind       wordKind
}

type wordKind uint8

const (
	kindWord   wordKind = iota
	kindNumber          // digits, possibly with a decimal point
	kindName            // a variable or the name of points: x, AB, ABCD
	kindSymbol          // an operator or a bracket
)

// Prepare normalises a problem text (see Normalise) and keeps what the
// comparisons need of it. It costs a few microseconds for a competition
// problem and about 24 bytes a word.
func Prepare(raw string) *Text {
	return normalise(raw)
}

// Normalise returns the normal form of a problem text: its words, joined by
// single blanks. Normalising a normal form changes nothing. What is unified:
//
//   - Unicode: compatibility forms (NFKC), accents, letter case, and the
//     symbols that have a TeX or ASCII spelling (≤, π, ½, ², −).
//   - TeX: math delimiters, \left and \right, sizes, fonts and spacing go;
//     \text{...} and the like leave their content; \dfrac, \tfrac, \frac and \over
//     become a slash; a group of more than one word becomes brackets;
//     synonyms such as \leq and \le get one name; ^\circ becomes degrees.
//     Environments leave their content, [asy] drawings one word that differs
//     from drawing to drawing.
//   - Numbers: 1,000 and 1{,}000 become 1000, .50 becomes 0.5, and number
//     words become digits (three, twenty-one, five hundred). They are kept.
//   - Words: split where letters meet digits; hyphens and punctuation go;
//     operators are words of their own; subscripts lose their underscore;
//     signs of multiplication go. Ideographs are words one by one.
//
// Case and grouping of variables are lost on purpose (A and a, xy and XY), so
// two texts with one normal form may differ in a way that matters, but hardly
// ever do.
func Normalise(raw string) string { return normalise(raw).norm }

// Raw is the text as it was given to Prepare.
func (t *Text) Raw() string { return t.raw }

// Normalised is the text's normal form (see Normalise).
func (t *Text) Normalised() string { return t.norm }

// Words is the number of words of the normal form.
func (t *Text) Words() int { return len(t.words) }

// word is the i-th word of the normal form.
func (t *Text) word(i int) string { return t.norm[t.words[i].start:t.words[i].end] }

// excerptLength bounds the excerpts shown in a Match, in bytes.
const excerptLength = 160

// excerpt is the part of the raw text from word i up to but without word j, on
// one line and of bounded length.
func (t *Text) excerpt(i, j int) string {
	if i >= j || i >= len(t.words) {
		return ""
	}
	end := len(t.raw)
	if j < len(t.words) {
		end = int(t.words[j].raw)
	}
	start := int(t.words[i].raw)
	if end < start { // a fraction's slash stands where its command does
		end = start
	}
	return shorten(t.raw[start:end])
}

// shorten puts s on one line and cuts it to excerptLength.
func shorten(s string) string {
	cut := false
	if len(s) > 4*excerptLength {
		s, cut = s[:4*excerptLength], true
	}
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "\uFFFD")), " ")
	if len(s) > excerptLength {
		n := excerptLength
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s, cut = s[:n], true
	}
	if cut {
		s += "…"
	}
	return s
}
