package tokenizer

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is one entry of added_tokens: a text that is one token wherever it stands.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only where no word character touches it
	LStrip     bool   `json:"lstrip"`      // takes the white space before it
	RStrip     bool   `json:"rstrip"`      // and after it
	Normalized bool   `json:"normalized"`  // looked for after normalisation
	Special    bool   `json:"special"`     // dropped when decoding without special tokens
}

// added finds added tokens in a text and in a normalised text.
type added struct {
	raw, normalized tokenSet
}

// tokenSet finds tokens leftmost first and, at one place, longest first.
type tokenSet struct {
	byFirst [256][]addedToken // by first byte, longest first
	any     bool
}

// add enters a token; sort must follow the last.
func (s *tokenSet) add(t addedToken) {
	s.byFirst[t.Content[0]] = append(s.byFirst[t.Content[0]], t)
	s.any = true
}

// sort puts the tokens in order, the earlier one first of two that are as long.
func (s *tokenSet) sort() {
	for _, list := range s.byFirst {
		slices.SortStableFunc(list, func(a, b addedToken) int { return cmp.Compare(len(b.Content), len(a.Content)) })
	}
}

// find is the first token at or after a position, and where it begins.
func (s *tokenSet) find(text string, from int) (*addedToken, int) {
	for i := from; i < len(text); i++ {
		list := s.byFirst[text[i]]
		for j := range list {
			if strings.HasPrefix(text[i:], list[j].Content) {
				return &list[j], i
			}
		}
	}
	return nil, len(text)
}

// split emits the parts of a text in order: a token's id, or a text between tokens with id −1.
func (s *tokenSet) split(text string, emit func(part string, id int32)) {
	done := 0 // everything before is emitted
	for from := 0; s.any; {
		t, start := s.find(text, from)
		if t == nil {
			break
		}
		end := start + len(t.Content)
		from = end
		if t.SingleWord && (wordBefore(text[:start]) || wordAfter(text[end:])) {
			continue
		}
		if t.LStrip {
			start = len(strings.TrimRightFunc(text[:start], unicode.IsSpace))
		}
		start = max(start, done) // the token before may have taken the space
		if t.RStrip {
			end = len(text) - len(strings.TrimLeftFunc(text[end:], unicode.IsSpace))
		}
		if done < start {
			emit(text[done:start], -1)
		}
		emit(text[start:max(start, end)], t.ID)
		done = max(done, end)
	}
	if done < len(text) {
		emit(text[done:], -1)
	}
}

func wordBefore(text string) bool {
	r, n := utf8.DecodeLastRuneInString(text)
	return n > 0 && isWord(r)
}

func wordAfter(text string) bool {
	r, n := utf8.DecodeRuneInString(text)
	return n > 0 && isWord(r)
}

// isWord is \w: alphabetic characters, marks, decimal digits, connecting punctuation and joiners.
func isWord(r rune) bool {
	return classOf(r)&(letter|mark) != 0 || unicode.In(r, unicode.Nd, unicode.Nl, unicode.Other_Alphabetic, unicode.Pc, unicode.Join_Control)
}
