package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// ErrFormat marks a tokenizer file that is malformed or contradicts itself, ErrUnsupported one that
// uses a component this package does not have.
var (
	ErrFormat      = errors.New("malformed tokenizer")
	ErrUnsupported = errors.New("unsupported tokenizer")
)

// The names of a model folder's tokenizer files.
const (
	File         = "tokenizer.json"
	ConfigFile   = "tokenizer_config.json"
	TemplateFile = "chat_template.jinja"
)

// Tokenizer is a byte-level BPE tokenizer with its chat template.
type Tokenizer struct {
	nfc    bool
	split  splitter // pre-tokenizer
	bpe    *bpe
	added  added
	vocab  *vocabulary
	before []int32 // what the post-processor puts around a text
	after  []int32
	config settings
}

// Load reads a tokenizer from the files of a model folder. tokenizer.json must exist. Errors name
// the file, the place in it, what was expected and what was found, and wrap [ErrFormat] or
// [ErrUnsupported].
func Load(fsys fs.FS) (*Tokenizer, error) {
	data, err := fs.ReadFile(fsys, File)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %w", err)
	}
	t, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("load tokenizer: %s: %w", File, err)
	}
	if t.config, err = readSettings(fsys); err != nil {
		return nil, fmt.Errorf("load tokenizer: %w", err)
	}
	for key, name := range t.config.tokens {
		if _, ok := t.ID(name); !ok {
			return nil, fmt.Errorf("load tokenizer: %s: %w: %s: expected a token of %s, found %q", ConfigFile, ErrFormat, key, File, name)
		}
	}
	if t.config.llama {
		t.before, t.after = nil, nil
		if bos, ok := t.BOS(); ok && t.config.addBOS {
			t.before = []int32{bos}
		}
		if eos, ok := t.EOS(); ok && t.config.addEOS {
			t.after = []int32{eos}
		}
	}
	return t, nil
}

// Encode returns the token ids of a text. Added tokens that stand in the text are recognised, special
// ones too, as a rendered chat template needs it; nothing is put before or after.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.AppendEncode(nil, text)
}

// EncodeSpecial is [Tokenizer.Encode] with the tokens around it that the post-processor asks for, such
// as <|begin_of_text|> in Llama 3, or with the class LlamaTokenizerFast, add_bos_token and
// add_eos_token. It is for plain text: a chat template writes these tokens itself, and encoding its
// text in this way would double them.
func (t *Tokenizer) EncodeSpecial(text string) []int32 {
	return append(t.AppendEncode(slices.Clone(t.before), text), t.after...)
}

// AppendEncode appends the ids of a text to dst.
func (t *Tokenizer) AppendEncode(dst []int32, text string) []int32 {
	piece := func(piece string) { dst = t.bpe.append(dst, piece) }
	normalized := func(part string, id int32) {
		if id >= 0 {
			dst = append(dst, id)
			return
		}
		t.split(part, piece)
	}
	// Tokens marked "normalized" are looked for in the normalised text, the others in the text as it is.
	t.added.raw.split(text, func(part string, id int32) {
		if id >= 0 {
			dst = append(dst, id)
			return
		}
		if t.nfc {
			part = nfc(part)
		}
		t.added.normalized.split(part, normalized)
	})
	return dst
}

// ID returns the id of a token by its text as tokenizer.json spells it (added tokens first; a piece
// of the vocabulary is spelt in the byte-level alphabet, so " the" is "Ġthe").
func (t *Tokenizer) ID(token string) (int32, bool) {
	return t.vocab.spelled(token)
}

// VocabSize is one more than the largest token id. A model may have more rows than that.
func (t *Tokenizer) VocabSize() int { return len(t.vocab.spans) }

// BOS returns the id of tokenizer_config.json's bos_token, false where there is none.
func (t *Tokenizer) BOS() (int32, bool) { return t.named("bos_token") }

// EOS returns the id of tokenizer_config.json's eos_token, false where there is none.
func (t *Tokenizer) EOS() (int32, bool) { return t.named("eos_token") }

// Pad returns the id of tokenizer_config.json's pad_token, false where there is none.
func (t *Tokenizer) Pad() (int32, bool) { return t.named("pad_token") }

func (t *Tokenizer) named(key string) (int32, bool) {
	name, ok := t.config.tokens[key]
	if !ok {
		return 0, false
	}
	return t.ID(name)
}
