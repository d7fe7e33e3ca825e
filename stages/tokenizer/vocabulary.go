package tokenizer

import (
	"fmt"
	"hash/maphash"
	"math/bits"
)

// maxID bounds token ids, so that a damaged file can't ask for any amount of memory.
const maxID = 1 << 21

// vocabulary holds the texts of all tokens in one string, and finds a token by its text. It grows
// while a file is read and does not change afterwards.
type vocabulary struct {
	text  string // all tokens, one behind the other
	grow  []byte // text while reading
	spans []span // by id

	seed  maphash.Seed
	slots []int32 // open addressing: ids + 1 by the hash of their bytes, 0 for empty
	shift uint
	// names are tokens found by another text than their bytes: added tokens, and pieces that are not
	// in the byte-level alphabet (they are never the result of a merge, but decode to themselves).
	names map[string]int32
}

// span is where a token's text lies; an id without a token has none.
type span struct {
	start, end int32
	known      bool
	special    bool
}

// newVocabulary returns an empty vocabulary with room for n tokens and their bytes.
func newVocabulary(n, size int) *vocabulary {
	size2 := bits.Len(uint(n + n/2))
	return &vocabulary{
		grow: make([]byte, 0, size), spans: make([]span, 0, n), seed: maphash.MakeSeed(),
		slots: make([]int32, 1<<size2), shift: uint(64 - size2), names: map[string]int32{},
	}
}

// set enters what an id decodes to; two texts for one id are an error.
func (v *vocabulary) set(id int32, text []byte, special bool) error {
	if id < 0 || id >= maxID {
		return fmt.Errorf("%w: id: expected 0 to %d, found %d", ErrFormat, maxID-1, id)
	}
	if n := int(id) + 1 - len(v.spans); n > 0 {
		v.spans = append(v.spans, make([]span, n)...)
	}
	if old := v.spans[id]; old.known && string(v.grow[old.start:old.end]) != string(text) {
		return fmt.Errorf("%w: id %d is also that of %q", ErrFormat, id, v.grow[old.start:old.end])
	}
	start := len(v.grow)
	v.grow = append(v.grow, text...)
	v.spans[id] = span{start: int32(start), end: int32(len(v.grow)), known: true, special: special}
	return nil
}

// enter is set for a piece of the vocabulary that can be found by its bytes.
func (v *vocabulary) enter(id int32, text []byte) error {
	if err := v.set(id, text, false); err != nil {
		return err
	}
	i := v.slot(maphash.Bytes(v.seed, text))
	for ; v.slots[i] != 0; i = (i + 1) & (len(v.slots) - 1) {
		if s := v.spans[v.slots[i]-1]; string(v.grow[s.start:s.end]) == string(text) {
			break // the text a second time: the later id counts
		}
	}
	v.slots[i] = id + 1
	return nil
}

func (v *vocabulary) slot(hash uint64) int { return int(hash >> v.shift) }

// freeze ends the growing.
func (v *vocabulary) freeze() { v.text, v.grow = string(v.grow), nil }

// find returns the piece that has these bytes, while reading.
func (v *vocabulary) find(text []byte) (int32, bool) {
	for i := v.slot(maphash.Bytes(v.seed, text)); v.slots[i] != 0; i = (i + 1) & (len(v.slots) - 1) {
		if s := v.spans[v.slots[i]-1]; string(v.grow[s.start:s.end]) == string(text) {
			return v.slots[i] - 1, true
		}
	}
	return 0, false
}

// findText is find after freeze.
func (v *vocabulary) findText(text string) (int32, bool) {
	for i := v.slot(maphash.String(v.seed, text)); v.slots[i] != 0; i = (i + 1) & (len(v.slots) - 1) {
		if s := v.spans[v.slots[i]-1]; v.text[s.start:s.end] == text {
			return v.slots[i] - 1, true
		}
	}
	return 0, false
}

// spelled finds a token by its text as tokenizer.json spells it, while reading (the text is the result
// of unspell) or after.
func (v *vocabulary) spelled(token string) (int32, bool) {
	if id, ok := v.names[token]; ok {
		return id, true
	}
	raw, ok := unspell(nil, token)
	if !ok {
		return 0, false
	}
	if v.grow != nil {
		return v.find(raw)
	}
	return v.findText(string(raw))
}
