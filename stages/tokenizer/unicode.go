package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// class is what the split patterns tell apart: a set of bits, one of them set for each character.
type class uint8

const (
	letter  class = 1 << iota // \p{L}
	mark                      // \p{M}
	digit                     // \p{N}
	symbol                    // \p{P} and \p{S}
	space                     // \s but not a line break
	newline                   // \r and \n
	control                   // the rest: controls, unassigned, bytes that are not UTF-8
)

const (
	anySpace = space | newline
	// outside is [^\s\p{L}\p{N}].
	outside = mark | symbol | control
)

// Hugging Face's patterns run on Oniguruma, whose tables are those of Unicode 16; Go's are of
// Unicode 15. What came between is listed here, so that a new letter is a letter for both.
var newCharacters = []struct {
	class  class
	ranges []rune // first and last of each range
}{
	{letter, []rune{0x1c89, 0x1c8a, 0xa7cb, 0xa7cd, 0xa7da, 0xa7dc, 0x105c0, 0x105f3, 0x10d4a, 0x10d65, 0x10d6f, 0x10d85,
		0x10ec2, 0x10ec4, 0x11380, 0x11389, 0x1138b, 0x1138b, 0x1138e, 0x1138e, 0x11390, 0x113b5, 0x113b7, 0x113b7,
		0x113d1, 0x113d1, 0x113d3, 0x113d3, 0x11bc0, 0x11be0, 0x13460, 0x143fa, 0x16100, 0x1611d, 0x16d40, 0x16d6c,
		0x18cff, 0x18cff, 0x1e5d0, 0x1e5ed, 0x1e5f0, 0x1e5f0, 0x2ebf0, 0x2ee5d}},
	{digit, []rune{0x10d40, 0x10d49, 0x116d0, 0x116e3, 0x11bf0, 0x11bf9, 0x16130, 0x16139, 0x16d70, 0x16d79,
		0x1ccf0, 0x1ccf9, 0x1e5f1, 0x1e5fa}},
	{mark, []rune{0x897, 0x897, 0x10d69, 0x10d6d, 0x10efc, 0x10efc, 0x113b8, 0x113c0, 0x113c2, 0x113c2, 0x113c5, 0x113c5,
		0x113c7, 0x113ca, 0x113cc, 0x113d0, 0x113d2, 0x113d2, 0x113e1, 0x113e2, 0x11f5a, 0x11f5a, 0x1611e, 0x1612f,
		0x1e5ee, 0x1e5ef}},
	{symbol, []rune{0x1b4e, 0x1b4f, 0x1b7f, 0x1b7f, 0x2427, 0x2429, 0x2ffc, 0x2fff, 0x31e4, 0x31e5, 0x31ef, 0x31ef,
		0x10d6e, 0x10d6e, 0x10d8e, 0x10d8f, 0x113d4, 0x113d5, 0x113d7, 0x113d8, 0x11be1, 0x11be1, 0x16d6d, 0x16d6f,
		0x1cc00, 0x1ccef, 0x1cd00, 0x1ceb3, 0x1e5ff, 0x1e5ff, 0x1f8b2, 0x1f8bb, 0x1f8c0, 0x1f8c1, 0x1fa89, 0x1fa89,
		0x1fa8f, 0x1fa8f, 0x1fabe, 0x1fabe, 0x1fac6, 0x1fac6, 0x1fadc, 0x1fadc, 0x1fadf, 0x1fadf, 0x1fae9, 0x1fae9,
		0x1fbcb, 0x1fbef}},
}

// asciiClass is the class of each ASCII character; classPages[classIndex[r>>8]][r&0xff] that of any.
var (
	asciiClass             [utf8.RuneSelf]class
	classIndex, classPages = makeClasses()
)

func makeClasses() (index [utf8.MaxRune>>8 + 1]uint8, pages [][256]class) {
	flat := make([]class, utf8.MaxRune+1)
	for i := range flat {
		flat[i] = control
	}
	fill := func(first, last, stride rune, c class) {
		for r := first; r <= last; r += stride {
			flat[r] = c
		}
	}
	for _, t := range []struct {
		table *unicode.RangeTable
		class class
	}{{unicode.L, letter}, {unicode.M, mark}, {unicode.N, digit}, {unicode.P, symbol}, {unicode.S, symbol}, {unicode.White_Space, space}} {
		for _, r := range t.table.R16 {
			fill(rune(r.Lo), rune(r.Hi), rune(r.Stride), t.class)
		}
		for _, r := range t.table.R32 {
			fill(rune(r.Lo), rune(r.Hi), rune(r.Stride), t.class)
		}
	}
	for _, n := range newCharacters {
		for i := 0; i < len(n.ranges); i += 2 {
			fill(n.ranges[i], n.ranges[i+1], 1, n.class)
		}
	}
	flat['\r'], flat['\n'] = newline, newline
	copy(asciiClass[:], flat)
	seen := map[[256]class]uint8{}
	for p := range index {
		page := [256]class(flat[p<<8:])
		n, ok := seen[page]
		if !ok {
			n = uint8(len(pages))
			seen[page] = n
			pages = append(pages, page)
		}
		index[p] = n
	}
	return index, pages
}

// classOf is the class of a character; r must be at most [utf8.MaxRune].
func classOf(r rune) class { return classPages[classIndex[r>>8]][r&0xff] }

// next is the class and the end of the character at a position; at the end of the text the class is
// none and the end −1. A byte that is not UTF-8 is a character of its own.
func next(text string, at int) (class, int) {
	if at >= len(text) {
		return 0, -1
	}
	if b := text[at]; b < utf8.RuneSelf {
		return asciiClass[b], at + 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	if r == utf8.RuneError && n == 1 {
		return control, at + 1
	}
	return classOf(r), at + n
}

// run is the end of the characters of some classes from a position on.
func run(text string, at int, set class) int {
	for at < len(text) {
		if b := text[at]; b < utf8.RuneSelf {
			if asciiClass[b]&set == 0 {
				return at
			}
			at++
			continue
		}
		c, end := next(text, at)
		if c&set == 0 {
			return at
		}
		at = end
	}
	return at
}
