package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// step is one pre-tokenizer: it cuts each piece that it is given into smaller ones.
type step struct {
	match       matcher // nil: no cutting
	prefixSpace bool    // ByteLevel's add_prefix_space: a piece that has no space in front gets one
}

// splitPieces sends a text through the steps and emits the pieces in order, none of them empty.
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
	send := emit
	if len(rest) > 0 {
		send = func(part string) { splitPieces(rest, part, emit) }
	}
	// "Isolated": matches are pieces, and so is what lies between them.
	gap, at := 0, 0
	for at < len(text) {
		end := s.match(text, at)
		if end <= at { // no match here: go on one character further
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
			continue
		}
		if gap < at {
			send(text[gap:at])
		}
		send(text[at:end])
		gap, at = end, end
	}
	if gap < at {
		send(text[gap:])
	}
}
