package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// step is one pre-tokenizer: it cuts each piece that it is given into smaller ones.
type step struct {
	pattern     string  // what match stands for
	match       matcher // nil: no cutting
	prefixSpace bool    // ByteLevel's add_prefix_space: a piece that has no space in front gets one
}

// splitter cuts a text into pieces and emits them in order, none of them empty.
type splitter func(text string, emit func(string))

// newSplitter makes one splitter of pre-tokenizers that follow one another: a faster one where the
// sequence is known.
func newSplitter(steps []step) splitter {
	switch names := patternsOf(steps); {
	case len(names) == 1:
		match := steps[0].match
		return func(text string, emit func(string)) { isolate(match, text, emit) }
	case len(names) == 3 && [3]string(names) == [3]string{numberPattern, cjkPattern, deepPattern}:
		return splitDeepSeek
	}
	return func(text string, emit func(string)) { splitPieces(steps, text, emit) }
}

// patternsOf returns the patterns of steps that do nothing but split by one, else none.
func patternsOf(steps []step) []string {
	var names []string
	for _, s := range steps {
		if s.match == nil || s.prefixSpace {
			return nil
		}
		names = append(names, s.pattern)
	}
	return names
}

// splitPieces sends a text through the steps.
func splitPieces(steps []step, text string, emit func(string)) {
	if text == "" {
		return
	}
	if len(steps) == 0 {
		emit(text)
		return
	}
	s, rest := steps[0], steps[1:]
	if s.prefixSpace && !strings.HasPrefix(text, " ") {
		text = " " + text
	}
	if s.match == nil {
		splitPieces(rest, text, emit)
		return
	}
	if len(rest) > 0 {
		inner := emit
		emit = func(part string) { splitPieces(rest, part, inner) }
	}
	isolate(s.match, text, emit)
}

// isolate is a Split with the behavior "Isolated": matches are pieces, and so is what lies between.
func isolate(match matcher, text string, emit func(string)) {
	gap, at := 0, 0
	for at < len(text) {
		end := match(text, at)
		if end <= at { // no match here: go on one character further
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
			continue
		}
		if gap < at {
			emit(text[gap:at])
		}
		emit(text[at:end])
		gap, at = end, end
	}
	if gap < at {
		emit(text[gap:])
	}
}

// splitDeepSeek is DeepSeek-V3's three patterns in one pass: numbers stay as the first pattern cuts
// them, since the others match no digits; runs of CJK characters and what lies between them are cut
// by the third.
func splitDeepSeek(text string, emit func(string)) {
	for at := 0; at < len(text); {
		if end := number(text, at, 3); end > at {
			emit(text[at:end])
			at = end
			continue
		}
		r, _ := utf8.DecodeRuneInString(text[at:])
		cjk := isCJK(r)
		end := at
		for end < len(text) {
			if b := text[end]; b < utf8.RuneSelf {
				if cjk || asciiClass[b] == digit {
					break
				}
				end++
				continue
			}
			r, n := utf8.DecodeRuneInString(text[end:])
			if isCJK(r) != cjk || classOf(r) == digit {
				break
			}
			end += n
		}
		isolate(matchDeepSeek, text[at:end], emit)
		at = end
	}
}
