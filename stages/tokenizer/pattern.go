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
	gpt2Pattern:   matchGPT2,
	qwenPattern:   func(text string, at int) int { return matchWords(text, at, 1) },
	llamaPattern:  func(text string, at int) int { return matchWords(text, at, 3) },
	numberPattern: func(text string, at int) int { return number(text, at, 3) },
	cjkPattern:    matchCJK,
	deepPattern:   matchDeepSeek,
}

const (
	// gpt2Pattern is also what ByteLevel's use_regex stands for.
	gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	// qwenPattern is that of Qwen2, Qwen2.5 and Qwen3, llamaPattern that of Llama 3.
	qwenPattern  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	llamaPattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// DeepSeek-V3 splits three times.
	numberPattern = `\p{N}{1,3}`
	cjkPattern    = `[一-龥぀-ゟ゠-ヿ]+`
	deepPattern   = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// number is \p{N}{1,limit}.
func number(text string, at, limit int) int {
	end := -1
	for range limit {
		c, after := next(text, at)
		if c != digit {
			break
		}
		at, end = after, after
	}
	return end
}

// contraction is 's|'t|'re|'ve|'m|'ll|'d behind an apostrophe that stands at the position.
func contraction(text string, at int, anyCase bool) int {
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
		if c&anySpace == 0 {
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
func matchWords(text string, at, limit int) int {
	if text[at] == '\'' {
		if end := contraction(text, at, true); end >= 0 {
			return end
		}
	}
	c, end := next(text, at)
	switch c {
	case letter:
		return run(text, end, letter)
	case digit:
		return number(text, at, limit)
	case newline:
	default: // [^\r\n\p{L}\p{N}]?\p{L}+
		if after, from := next(text, end); after == letter {
			return run(text, from, letter)
		}
	}
	// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
	start := at
	if text[at] == ' ' {
		start = at + 1
	}
	if stop := run(text, start, outside); stop > start {
		return run(text, stop, newline)
	}
	return blank(text, at, true)
}

func matchGPT2(text string, at int) int {
	if text[at] == '\'' {
		if end := contraction(text, at, false); end >= 0 {
			return end
		}
	}
	start := at
	if text[at] == ' ' {
		start++
	}
	switch c, end := next(text, start); c {
	case 0, space, newline:
		return blank(text, at, false)
	case letter, digit:
		return run(text, end, c)
	default:
		return run(text, end, outside)
	}
}

// isCJK is [一-龥぀-ゟ゠-ヿ].
func isCJK(r rune) bool { return r >= 0x4e00 && r <= 0x9fa5 || r >= 0x3040 && r <= 0x30ff }

func matchCJK(text string, at int) int {
	end := -1
	for i, r := range text[at:] {
		if !isCJK(r) {
			break
		}
		end = at + i + utf8.RuneLen(r)
	}
	return end
}

func matchDeepSeek(text string, at int) int {
	first, end := next(text, at)
	if first == symbol && end == at+1 { // ASCII punctuation and ASCII letters
		stop := end
		for stop < len(text) && (text[stop]|0x20)-'a' < 26 {
			stop++
		}
		if stop > end {
			return stop
		}
	}
	if first&(newline|letter|symbol) == 0 { // [^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
		if stop := run(text, end, letter|mark); stop > end {
			return stop
		}
	}
	if first&(letter|mark) != 0 {
		return run(text, end, letter|mark)
	}
	start := at
	if text[at] == ' ' {
		start++
	}
	if stop := run(text, start, symbol); stop > start {
		return run(text, stop, newline)
	}
	if first&anySpace == 0 {
		return -1
	}
	return blank(text, at, true)
}
