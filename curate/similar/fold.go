package similar

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold rewrites a text that isn't all ASCII: symbols by their ASCII or TeX
// spelling, other characters by their compatibility decomposition without
// accents, bytes that aren't UTF-8 by blanks. offsets says for each byte of the
// result, and its end, where in raw it comes from.
func fold(raw string) (s string, offsets []int32) {
	var b strings.Builder
	b.Grow(len(raw) + 16)
	offsets = make([]int32, 0, len(raw)+16)
	put := func(at int, w string) {
		b.WriteString(w)
		for range len(w) {
			offsets = append(offsets, int32(at))
		}
	}
	for i := 0; i < len(raw); {
		c := raw[i]
		if c < utf8.RuneSelf {
			if strings.HasPrefix(raw[i+1:], struck) { // ≠ and others, decomposed
				switch {
				case c == '=':
					put(i, "!")
				case c == '<' || c == '>' || c == '|':
					put(i, " \\not ")
				}
			}
			b.WriteByte(c)
			offsets = append(offsets, int32(i))
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(raw[i:])
		run := superscripts(raw[i:])
		switch {
		case r == utf8.RuneError:
			put(i, " ")
		case run > size: // 10⁻³ is 10^{-3}
			size = run
			put(i, "^{")
			for _, r := range raw[i : i+run] {
				put(i, symbolSpelling[r][1:])
			}
			put(i, "}")
		default:
			if strings.HasPrefix(raw[i+size:], struck) && unicode.IsSymbol(r) {
				put(i, " \\not ")
			}
			foldRune(r, raw[i:i+size], func(w string) { put(i, w) })
		}
		i += size
	}
	return b.String(), append(offsets, int32(len(raw)))
}

// foldRune gives the spelling of one character, whose UTF-8 form is s.
func foldRune(r rune, s string, put func(string)) {
	if w, ok := spelling(r); ok {
		put(w)
		return
	}
	d := norm.NFKD.String(s)
	if d == s {
		put(plain(r, s))
		return
	}
	switch {
	case unicode.Is(unicode.No, r): // ½: not part of a number before it
		put(" ")
	case strings.Contains(d, struck): // ⊄ is ⊂ struck out, which must not be taken for an accent
		put(" \\not ")
	}
	for _, q := range d {
		w, ok := spelling(q)
		if !ok {
			w = plain(q, string(q))
		}
		put(w)
	}
}

// struck is the stroke through a symbol that negates it.
const struck = "\u0338"

// superscripts is the length of the digits and signs above the line that s begins with.
func superscripts(s string) int {
	for i, r := range s {
		if w := symbolSpelling[r]; len(w) < 2 || w[0] != '^' {
			return i
		}
	}
	return len(s)
}

// spelling is the table's spelling of a character in either case.
func spelling(r rune) (string, bool) {
	w, ok := symbolSpelling[r]
	if !ok {
		w, ok = symbolSpelling[unicode.ToLower(r)]
	}
	return w, ok
}

// plain is the spelling of a character that doesn't decompose.
func plain(r rune, s string) string {
	switch {
	case r >= 0x300 && r <= 0x36F, unicode.Is(unicode.Cf, r): // accents, and characters of no width
		return ""
	case unicode.IsSpace(r), unicode.IsPunct(r), unicode.IsControl(r):
		return " "
	}
	return s
}
