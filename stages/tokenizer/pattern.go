package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// A matcher finds the match of one split pattern that begins exactly at a position of a text; it
// returns the match's end, or -1. The patterns are written by hand because they look ahead, which
// Go's regexp does not; each function follows its pattern's alternatives in order.
type matcher func(text string, at int) int

// patterns are the split patterns of tokenizer.json that are known, by their exact text.
var patterns = map[string]matcher{
	gpt2Pattern: matchGPT2,
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`:      matchWords(1),
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: matchWords(3),
	// DeepSeek-V3 splits three times.
	`\p{N}{1,3}`:   func(text string, at int) int { return number(text, at, 3) },
	`[一-龥぀-ゟ゠-ヿ]+`: matchCJK,
	"[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+": matchDeepSeek,
}

// gpt2Pattern is also what ByteLevel's use_regex stands for.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// class is what the patterns tell apart.
type class uint8

const (
	letter  class = iota // \p{L}
	digit                // \p{N}
	space                // \s but not a line break
	newline              // \r and \n
	other                // the rest: punctuation, symbols, marks, controls
)

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for i := range table {
		table[i] = classOf(rune(i))
	}
	return table
}()

func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return digit
	case r == '\r' || r == '\n':
		return newline
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// next is the class and the end of the character at a position; at the end of the text the end is -1.
// A byte that is not UTF-8 is a character of its own.
func next(text string, at int) (class, int) {
	if at >= len(text) {
		return other, -1
	}
	if b := text[at]; b < utf8.RuneSelf {
		return asciiClass[b], at + 1
	}
	r, n := utf8.DecodeRuneInString(text[at:])
	return classOf(r), at + n
}

// run is the end of the characters of one class from a position on.
func run(text string, at int, c class) int {
	for {
		got, end := next(text, at)
		if end < 0 || got != c {
			return at
		}
		at = end
	}
}

// number is \p{N}{1,limit}.
func number(text string, at, limit int) int {
	end := -1
	for range limit {
		c, after := next(text, at)
		if after < 0 || c != digit {
			break
		}
		at, end = after, after
	}
	return end
}

// contraction is 's|'t|'re|'ve|'m|'ll|'d.
func contraction(text string, at int, anyCase bool) int {
	if text[at] != '\'' {
		return -1
	}
	for _, suffix := range [...]string{"s", "t", "re", "ve", "m", "ll", "d"} {
		end := at + 1
		for _, want := range suffix {
			r, n := utf8.DecodeRuneInString(text[end:])
			// (?i) also takes what folds to the letter, such as ſ for s.
			if r != want && !(anyCase && folds(r, want)) {
				end = -1
				break
			}
			end += n
		}
		if end > 0 {
			return end
		}
	}
	return -1
}

func folds(r, want rune) bool {
	for f := unicode.SimpleFold(want); f != want; f = unicode.SimpleFold(f) {
		if f == r {
			return true
		}
	}
	return false
}

// blank is \s*[\r\n]+|\s+(?!\S)|\s+, the first alternative only where breaks is true. The text has
// white space at the position.
func blank(text string, at int, breaks bool) int {
	end, last, lineEnd := at, at, -1 // last: where the last character of the run begins
	for {
		c, after := next(text, end)
		if after < 0 {
			break
		}
		if c != space && c != newline {
			// (?!\S): leave one character to what follows, unless it is the only one.
			if last > at {
				end = last
			}
			break
		}
		last, end = end, after
		if c == newline {
			lineEnd = after
		}
	}
	if breaks && lineEnd >= 0 {
		return lineEnd
	}
	return end
}

// matchWords is the pattern of Qwen2 and Llama 3 with numbers of 1 to limit digits.
func matchWords(limit int) matcher {
	return func(text string, at int) int {
		if end := contraction(text, at, true); end >= 0 {
			return end
		}
		c, end := next(text, at)
		switch c {
		case letter:
			return run(text, end, letter)
		case digit:
			return number(text, at, limit)
		case space, other: // [^\r\n\p{L}\p{N}]?\p{L}+
			if after, _ := next(text, end); after == letter && end < len(text) {
				return run(text, end, letter)
			}
		}
		// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
		start := at
		if text[at] == ' ' {
			start = at + 1
		}
		if stop := run(text, start, other); stop > start {
			return run(text, stop, newline)
		}
		return blank(text, at, true)
	}
}

func matchGPT2(text string, at int) int {
	if end := contraction(text, at, false); end >= 0 {
		return end
	}
	start := at
	if text[at] == ' ' {
		start++
	}
	if c, end := next(text, start); end >= 0 && c != space && c != newline {
		return run(text, end, c)
	}
	return blank(text, at, false)
}

func matchCJK(text string, at int) int {
	end := -1
	for i, r := range text[at:] {
		if !(r >= 0x4e00 && r <= 0x9fa5 || r >= 0x3040 && r <= 0x30ff) {
			break
		}
		end = at + i + utf8.RuneLen(r)
	}
	return end
}

func matchDeepSeek(text string, at int) int {
	isWord := func(r rune) bool { return unicode.In(r, unicode.L, unicode.M) }
	isSymbol := func(r rune) bool { return unicode.In(r, unicode.P, unicode.S) }
	while := func(at int, ok func(rune) bool) int {
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if !ok(r) || r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return at
	}
	first, n := utf8.DecodeRuneInString(text[at:])
	if first < utf8.RuneSelf && isSymbol(first) { // ASCII punctuation and ASCII letters
		if end := while(at+n, func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }); end > at+n {
			return end
		}
	}
	if first != '\r' && first != '\n' && !unicode.IsLetter(first) && !isSymbol(first) {
		if end := while(at+n, isWord); end > at+n {
			return end
		}
	}
	if end := while(at, isWord); end > at {
		return end
	}
	start := at
	if first == ' ' {
		start++
	}
	if end := while(start, isSymbol); end > start {
		return run(text, end, newline)
	}
	if !unicode.IsSpace(first) {
		return -1
	}
	return blank(text, at, true)
}
