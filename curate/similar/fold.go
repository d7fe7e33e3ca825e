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
			if c == '=' && strings.HasPrefix(raw[i+1:], "\u0338") { // ≠, decomposed
				put(i, "!")
			}
			b.WriteByte(c)
			offsets = append(offsets, int32(i))
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(raw[i:])
		switch {
		case r == utf8.RuneError:
			put(i, " ")
		default:
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
	if unicode.Is(unicode.No, r) { // ½: not part of a number before it
		put(" ")
	}
	for _, q := range d {
		w, ok := spelling(q)
		if !ok {
			w = plain(q, string(q))
		}
		put(w)
	}
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
