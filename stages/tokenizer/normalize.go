package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// nfc is Unicode's normalisation form C as Hugging Face's library computes it. It differs from
// [norm.NFC] in two ways: its tables are those of Unicode 9, and it puts no U+034F into a run of more
// than 30 combining marks.
//
// A text that is in this form by today's tables is so by the older ones, where each younger mark is
// a character that combines with nothing; so only other texts take the slow path.
func nfc(text string) string {
	if norm.NFC.IsNormalString(text) {
		return text
	}
	var out strings.Builder
	out.Grow(len(text))
	// Text between characters that start anew is normalised on its own: the buffer holds one of them
	// and what combines with it.
	var buffer []combining
	for at := 0; at < len(text); {
		if b := text[at]; b < utf8.RuneSelf { // starts anew
			writeComposed(&out, buffer)
			buffer = append(buffer[:0], combining{rune(b), 0})
			at++
			continue
		}
		r, n := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && n == 1 {
			writeComposed(&out, buffer)
			buffer = buffer[:0]
			out.WriteByte(text[at])
			at++
			continue
		}
		before := len(buffer)
		buffer = decompose(buffer, r, text[at:at+n])
		if before > 0 && buffer[before].class == 0 && !mayFollow(buffer[before].r) {
			writeComposed(&out, buffer[:before])
			buffer = buffer[:copy(buffer, buffer[before:])]
		}
		at += n
	}
	writeComposed(&out, buffer)
	return out.String()
}

// combining is a character and its canonical combining class, 0 for those that others combine with.
type combining struct {
	r     rune
	class uint8
}

const (
	hangulBase, hangulCount      = 0xac00, 11172
	hangulL, hangulV, hangulT    = 0x1100, 0x1161, 0x11a7
	hangulLs, hangulVs, hangulTs = 19, 21, 28
)

// decompose appends a character's full canonical decomposition.
func decompose(dst []combining, r rune, text string) []combining {
	if s := r - hangulBase; s >= 0 && s < hangulCount {
		dst = append(dst, combining{hangulL + s/(hangulVs*hangulTs), 0}, combining{hangulV + s%(hangulVs*hangulTs)/hangulTs, 0})
		if t := s % hangulTs; t > 0 {
			dst = append(dst, combining{hangulT + t, 0})
		}
		return dst
	}
	if unicode.Is(afterUnicode9, r) {
		return append(dst, combining{r, 0})
	}
	p := norm.NFD.PropertiesString(text)
	d := p.Decomposition()
	if d == nil {
		return append(dst, combining{r, p.CCC()})
	}
	for len(d) > 0 {
		r, n := utf8.DecodeRune(d)
		dst = append(dst, combining{r, norm.NFD.Properties(d).CCC()})
		d = d[n:]
	}
	return dst
}

// mayFollow reports whether a character of class 0 may combine with one before it; if not, the text can
// be cut in front of it.
func mayFollow(r rune) bool {
	return r >= hangulV && r < hangulV+hangulVs || r > hangulT && r < hangulT+hangulTs || compositions().starters[r]
}

// writeComposed writes a stretch of decomposed text in canonical order and composed.
func writeComposed(out *strings.Builder, s []combining) {
	if len(s) == 1 {
		out.WriteRune(s[0].r)
		return
	}
	// Marks are put in the order of their classes; characters of class 0 stay where they are.
	for from := 0; from < len(s); {
		to := from + 1
		for s[from].class != 0 && to < len(s) && s[to].class != 0 {
			to++
		}
		slices.SortStableFunc(s[from:to], func(a, b combining) int { return int(a.class) - int(b.class) })
		from = to
	}
	// Each character combines with the last of class 0 unless one in between has its class or a higher.
	starter, kept := -1, 0
	for _, c := range s {
		if starter >= 0 {
			free := starter == kept-1 || s[kept-1].class != 0 && s[kept-1].class < c.class
			if whole, ok := compose(s[starter].r, c.r); ok && free {
				s[starter].r = whole
				continue
			}
		}
		if c.class == 0 {
			starter = kept
		}
		s[kept] = c
		kept++
	}
	for _, c := range s[:kept] {
		out.WriteRune(c.r)
	}
}

func compose(first, second rune) (rune, bool) {
	l, v := first-hangulL, second-hangulV
	if l >= 0 && l < hangulLs && v >= 0 && v < hangulVs {
		return hangulBase + (l*hangulVs+v)*hangulTs, true
	}
	s, t := first-hangulBase, second-hangulT
	if s >= 0 && s < hangulCount && s%hangulTs == 0 && t > 0 && t < hangulTs {
		return first + t, true
	}
	whole, ok := compositions().pairs[[2]rune{first, second}]
	return whole, ok
}

// pairs are the characters that two others make together, and which characters of class 0 are the
// second of such a pair.
type pairs struct {
	pairs    map[[2]rune]rune
	starters map[rune]bool
}

// compositions turns Go's decompositions round. A composed character is one that normalisation keeps.
var compositions = sync.OnceValue(func() pairs {
	p := pairs{map[[2]rune]rune{}, map[rune]bool{}}
	for r := rune(0x80); r < 0x20000; r++ { // no composed character is beyond
		whole := string(r)
		d := norm.NFD.PropertiesString(whole).Decomposition()
		if d == nil || unicode.Is(afterUnicode9, r) || norm.NFC.String(whole) != whole {
			continue
		}
		second, n := utf8.DecodeLastRune(d)
		rest := norm.NFC.String(string(d[:len(d)-n]))
		first, m := utf8.DecodeRuneInString(rest)
		if m == 0 || m != len(rest) {
			continue
		}
		p.pairs[[2]rune{first, second}] = r
		if norm.NFD.PropertiesString(string(second)).CCC() == 0 {
			p.starters[second] = true
		}
	}
	return p
})

// afterUnicode9 are the characters that Unicode 9 did not have and whose normalisation matters: marks
// with a combining class, and the one pair that composes.
var afterUnicode9 = rangeTable(
	0x7fd, 0x7fd, 0x898, 0x89f, 0x8ca, 0x8d3, 0x9fe, 0x9fe, 0xc3c, 0xc3c, 0xd3b, 0xd3c, 0xeba, 0xeba, 0x1715, 0x1715,
	0x1abf, 0x1ace, 0x1df6, 0x1dfa, 0xa82c, 0xa82c, 0x10d24, 0x10d27, 0x10eab, 0x10eac, 0x10efd, 0x10eff, 0x10f46, 0x10f50,
	0x10f82, 0x10f85, 0x11070, 0x11070, 0x1133b, 0x1133b, 0x1145e, 0x1145e, 0x11839, 0x1183a, 0x11930, 0x11930, 0x11938, 0x11938,
	0x1193d, 0x1193e, 0x11943, 0x11943, 0x119e0, 0x119e0, 0x11a34, 0x11a34, 0x11a47, 0x11a47, 0x11a99, 0x11a99, 0x11d42, 0x11d42,
	0x11d44, 0x11d45, 0x11d97, 0x11d97, 0x11f41, 0x11f42, 0x16ff0, 0x16ff1, 0x1e08f, 0x1e08f, 0x1e130, 0x1e136, 0x1e2ae, 0x1e2ae,
	0x1e2ec, 0x1e2ef, 0x1e4ec, 0x1e4ef,
)

// rangeTable makes a table of first and last characters, in ascending order.
func rangeTable(bounds ...rune) *unicode.RangeTable {
	t := &unicode.RangeTable{}
	for i := 0; i < len(bounds); i += 2 {
		if bounds[i+1] <= 0xffff {
			t.R16 = append(t.R16, unicode.Range16{Lo: uint16(bounds[i]), Hi: uint16(bounds[i+1]), Stride: 1})
		} else {
			t.R32 = append(t.R32, unicode.Range32{Lo: uint32(bounds[i]), Hi: uint32(bounds[i+1]), Stride: 1})
		}
	}
	return t
}
