package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Where Unicode 9 and Go's tables agree, and no run of marks is long, both normalisations do.
func TestNFC(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	check := func(text string) {
		t.Helper()
		if strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(afterUnicode9, c) }) {
			return
		}
		if got, want := nfc(text), norm.NFC.String(text); got != want {
			t.Fatalf("%+q: expected %+q, found %+q", text, want, got)
		}
	}
	for c := rune(0); c < 0x2fa20; c++ {
		if c >= 0xd800 && c < 0xe000 || c >= 0x3400 && c < 0xf900 && c%64 != 0 || c >= 0x1f000 && c < 0x2f800 && c%64 != 0 {
			continue // CJK, Hangul and emoji are much alike
		}
		check(string(c) + "\u0301")
		check("a\u0301" + string(c) + "\u0323")
		check(norm.NFD.String(string(c)))
	}
	check("e\u0301\xff\u0301e\u0301")
	for range 5000 {
		var b strings.Builder
		for range 1 + r.IntN(20) {
			switch r.IntN(6) {
			case 0:
				b.WriteRune(anyRune(r, 0x3000))
			case 1:
				b.WriteRune(rune(0x0300 + r.IntN(0x60)))
			case 2:
				b.WriteRune([]rune{0x1100, 0x1161, 0x11a8, 0xac00, 0xac01, 0x0dd9, 0x0dca, 0x0dcf, 0x0cc6, 0x0cc2, 0x0cd5}[r.IntN(11)])
			default:
				b.WriteString("aéô"[:1+r.IntN(2)])
			}
		}
		check(strings.ToValidUTF8(b.String(), ""))
	}
}

func TestNFCBeyondGo(t *testing.T) {
	marks := strings.Repeat("\u0323\u0301", 40)
	for text, want := range map[string]string{
		"":                            "",
		"a" + marks:                   "\u1ea1" + strings.Repeat("\u0323", 39) + strings.Repeat("\u0301", 40), // no U+034F in the run
		"\u0315\u07fd\u0301":          "\u0315\u07fd\u0301",                                                   // U+07FD is of Unicode 11
		"\U00011935\U00011930":        "\U00011935\U00011930",                                                 // composes since Unicode 13
		"\U00011935\U00011930e\u0301": "\U00011935\U00011930é",
		"a\u0301\xff\u0301":           "á\xff\u0301",
	} {
		if got := nfc(text); got != want {
			t.Errorf("%+q: expected %+q, found %+q", text, want, got)
		}
	}
}

// The classes are those of Oniguruma's Unicode 16. A newer Go has newer tables: then newCharacters must
// lose what they have by now, and what is newer than Oniguruma's must be taken out again.
func TestClasses(t *testing.T) {
	counts := map[class]int{}
	for c := rune(0); c <= unicode.MaxRune; c++ {
		counts[classOf(c)]++
	}
	for c, want := range map[class]int{letter: 141028, mark: 2501, digit: 1911, symbol: 855 + 8514, space: 23, newline: 2} {
		if counts[c] != want {
			t.Errorf("class %#x: expected %d characters, found %d (Go's tables are of Unicode %s)", uint8(c), want, counts[c], unicode.Version)
		}
	}
	for c, want := range map[rune]class{'a': letter, ' ': space, '\n': newline, '\u0085': space, '½': digit, '_': symbol, '+': symbol, 0x0301: mark, 0: control, 0x378: control, 0x2ebf0: letter, 0x10ffff: control} {
		if got := classOf(c); got != want {
			t.Errorf("%U: expected class %#x, found %#x", c, uint8(want), uint8(got))
		}
	}
}
