package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// Decode returns the text of token ids. With skipSpecial the added tokens marked special are left
// out; other added tokens (<think>) are text. Bytes that are not UTF-8 become U+FFFD, one for each
// longest beginning of a character; ids without a token, such as a model's padding rows, become
// nothing. No spaces are cleaned up. An added token is its own text, also where its letters could be
// read as the byte-level alphabet, which Hugging Face's decoder would do to "né".
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) string {
	var raw []byte
	for _, id := range ids {
		raw = append(raw, t.bytes(id, skipSpecial)...)
	}
	if utf8.Valid(raw) {
		return string(raw)
	}
	var out strings.Builder
	writeValid(&out, raw, true)
	return out.String()
}

// Token returns the bytes that one id stands for, which need not be whole characters, and whether it
// is a special token; ok is false for an id without a token.
func (t *Tokenizer) Token(id int32) (text string, special, ok bool) {
	if id < 0 || int(id) >= len(t.vocab.spans) {
		return "", false, false
	}
	s := t.vocab.spans[id]
	return t.vocab.text[s.start:s.end], s.special, s.known
}

func (t *Tokenizer) bytes(id int32, skipSpecial bool) string {
	text, special, _ := t.Token(id)
	if special && skipSpecial {
		return ""
	}
	return text
}

// Decoder decodes tokens as they come. It holds back the bytes of a character that is not complete
// yet, so that the strings it returns, put together, are what [Tokenizer.Decode] returns for all ids.
type Decoder struct {
	t           *Tokenizer
	skipSpecial bool
	pending     []byte
}

// NewDecoder returns a decoder at the beginning of a text.
func (t *Tokenizer) NewDecoder(skipSpecial bool) *Decoder {
	return &Decoder{t: t, skipSpecial: skipSpecial}
}

// Next takes one token and returns the text that is complete now, possibly none.
func (d *Decoder) Next(id int32) string {
	d.pending = append(d.pending, d.t.bytes(id, d.skipSpecial)...)
	var out strings.Builder
	used := writeValid(&out, d.pending, false)
	d.pending = d.pending[:copy(d.pending, d.pending[used:])]
	return out.String()
}

// Flush ends the text: what is still incomplete comes out as U+FFFD. The decoder is then ready for
// another text.
func (d *Decoder) Flush() string {
	var out strings.Builder
	writeValid(&out, d.pending, true)
	d.pending = d.pending[:0]
	return out.String()
}

// writeValid writes bytes as UTF-8 with U+FFFD for what is not, and returns how many it used: all of
// them when final, else all but an unfinished character at the end.
func writeValid(out *strings.Builder, raw []byte, final bool) int {
	at := 0
	for at < len(raw) {
		if _, n := utf8.DecodeRune(raw[at:]); n > 1 || raw[at] < utf8.RuneSelf {
			out.Write(raw[at : at+n])
			at += n
			continue
		}
		n, open := brokenLength(raw[at:])
		if open && !final {
			break
		}
		out.WriteRune(utf8.RuneError)
		at += n
	}
	return at
}

// brokenLength is the length of what one U+FFFD replaces at the start of bytes that are not a
// character: the longest beginning of one (the Unicode standard's "maximal subpart"), at least a
// byte. It is open when more bytes could still complete it.
func brokenLength(raw []byte) (n int, open bool) {
	for n = 1; n <= len(raw) && n < utf8.UTFMax; n++ {
		if !canBegin(raw[:n]) {
			return max(1, n-1), false
		}
	}
	return n - 1, n-1 == len(raw)
}

// canBegin reports whether bytes are the beginning of a character but not all of it. (FullRune is
// also true of bytes that can't become a character whatever follows.)
func canBegin(raw []byte) bool { return !utf8.FullRune(raw) }
