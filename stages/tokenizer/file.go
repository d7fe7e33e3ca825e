package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// file is tokenizer.json. Its truncation and padding are settings of a caller, not of the model, and
// are ignored as the transformers library does.
type file struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    *component      `json:"normalizer"`
	PreTokenizer  *component      `json:"pre_tokenizer"`
	PostProcessor *component      `json:"post_processor"`
	Decoder       *component      `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// component is any of the pipeline's parts: the union of the fields that the accepted types have.
type component struct {
	Type string `json:"type"`
	// Sequence, under the name that belongs to its place
	Normalizers   []component `json:"normalizers"`
	PreTokenizers []component `json:"pretokenizers"`
	Processors    []component `json:"processors"`
	Decoders      []component `json:"decoders"`
	// Split
	Pattern  map[string]string `json:"pattern"`
	Behavior string            `json:"behavior"`
	Invert   bool              `json:"invert"`
	// ByteLevel; both are true where an old file leaves them out
	AddPrefixSpace *bool `json:"add_prefix_space"`
	UseRegex       *bool `json:"use_regex"`
	// TemplateProcessing
	Single        []map[string]struct{ ID string } `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
}

// maxID bounds token ids, so that a damaged file can't ask for any amount of memory.
const maxID = 1 << 21

func parse(data []byte) (*Tokenizer, error) {
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t := &Tokenizer{ids: map[string]int32{}}
	if err := t.parseModel(f.Model); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := t.parseNormalizer(f.Normalizer); err != nil {
		return nil, fmt.Errorf("normalizer: %w", err)
	}
	if f.PreTokenizer == nil {
		return nil, fmt.Errorf("pre_tokenizer: %w: expected ByteLevel, found none", ErrUnsupported)
	}
	steps, level, err := parsePreTokenizer(*f.PreTokenizer)
	if err != nil {
		return nil, fmt.Errorf("pre_tokenizer: %w", err)
	}
	if !level {
		return nil, fmt.Errorf("pre_tokenizer: %w: expected ByteLevel as the last step, found none", ErrUnsupported)
	}
	t.steps = steps
	if err := checkDecoder(f.Decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	for i, a := range f.AddedTokens {
		if err := t.addToken(a); err != nil {
			return nil, fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
	}
	if f.PostProcessor != nil {
		if err := t.parsePostProcessor(*f.PostProcessor); err != nil {
			return nil, fmt.Errorf("post_processor: %w", err)
		}
	}
	return t, nil
}

// model is tokenizer.json's model. Fields that only matter for characters outside the vocabulary
// (unk_token, fuse_unk) are left out: all 256 bytes are in it.
type model struct {
	Type                    string           `json:"type"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  json.RawMessage  `json:"merges"`
	Dropout                 *float64         `json:"dropout"`
	ContinuingSubwordPrefix string           `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string           `json:"end_of_word_suffix"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
}

func (t *Tokenizer) parseModel(data json.RawMessage) error {
	var kind struct{ Type string }
	if len(data) == 0 || string(data) == "null" {
		return fmt.Errorf("%w: expected an object, found nothing", ErrFormat)
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if kind.Type != "BPE" {
		return fmt.Errorf("%w: type: expected BPE, found %q", ErrUnsupported, kind.Type)
	}
	var m model
	if err := json.Unmarshal(data, &m); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	for name, used := range map[string]bool{
		"byte_fallback": m.ByteFallback, "dropout": m.Dropout != nil && *m.Dropout != 0,
		"continuing_subword_prefix": m.ContinuingSubwordPrefix != "", "end_of_word_suffix": m.EndOfWordSuffix != "",
	} {
		if used {
			return fmt.Errorf("%w: %s: expected none", ErrUnsupported, name)
		}
	}
	merges, err := parseMerges(m.Merges)
	if err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	b := &bpe{merges: newMergeTable(len(merges)), cache: newCache()}
	raw := make(map[string]int32, len(m.Vocab))
	for token, id := range m.Vocab {
		bytes, ok := unspell(token)
		if ok {
			raw[bytes] = id
		} else {
			bytes = token // never the result of a merge, but it decodes to itself
		}
		if err := t.setPiece(id, piece{bytes: bytes, known: true}); err != nil {
			return fmt.Errorf("vocab: token %q: %w", token, err)
		}
		t.ids[token] = id
	}
	for i := range 256 {
		id, ok := raw[string([]byte{byte(i)})]
		if !ok {
			return fmt.Errorf("vocab: %w: byte %#02x (%q) is missing: expected all 256 bytes", ErrUnsupported, i, string(byteToRune[i]))
		}
		b.bytes[i] = id
	}
	for rank, pair := range merges {
		first, ok1 := m.Vocab[pair[0]]
		second, ok2 := m.Vocab[pair[1]]
		product, ok3 := m.Vocab[pair[0]+pair[1]]
		if !ok1 || !ok2 || !ok3 {
			return fmt.Errorf("merges[%d]: %w: expected %q, %q and %q in the vocabulary", rank, ErrFormat, pair[0], pair[1], pair[0]+pair[1])
		}
		b.merges.add(first, second, int32(rank), product)
	}
	if m.IgnoreMerges {
		b.whole = raw
	}
	t.bpe = b
	return nil
}

// parseMerges reads both spellings: ["a b", …] and, since 2024, [["a", "b"], …].
func parseMerges(data json.RawMessage) ([][2]string, error) {
	if len(data) == 0 || string(data) == "null" {
		return nil, fmt.Errorf("%w: expected a list, found nothing", ErrFormat)
	}
	var lines []string
	if json.Unmarshal(data, &lines) != nil {
		var pairs [][]string
		if err := json.Unmarshal(data, &pairs); err != nil {
			return nil, fmt.Errorf("%w: expected \"a b\" or [\"a\", \"b\"]: %w", ErrFormat, err)
		}
		out := make([][2]string, len(pairs))
		for i, p := range pairs {
			if len(p) != 2 {
				return nil, fmt.Errorf("%w: [%d]: expected 2 parts, found %d", ErrFormat, i, len(p))
			}
			out[i] = [2]string(p)
		}
		return out, nil
	}
	out := make([][2]string, 0, len(lines))
	for i, line := range lines {
		if strings.HasPrefix(line, "#version") {
			continue
		}
		a, b, ok := strings.Cut(line, " ")
		if !ok || strings.Contains(b, " ") {
			return nil, fmt.Errorf("%w: [%d]: expected two parts and a space between, found %q", ErrFormat, i, line)
		}
		out = append(out, [2]string{a, b})
	}
	return out, nil
}

// setPiece enters what an id decodes to; two texts for one id are an error.
func (t *Tokenizer) setPiece(id int32, p piece) error {
	if id < 0 || id >= maxID {
		return fmt.Errorf("%w: id: expected 0 to %d, found %d", ErrFormat, maxID-1, id)
	}
	for int(id) >= len(t.pieces) {
		t.pieces = append(t.pieces, make([]piece, int(id)+1-len(t.pieces))...)
	}
	if old := t.pieces[id]; old.known && old.bytes != p.bytes {
		return fmt.Errorf("%w: id %d is also that of %q", ErrFormat, id, old.bytes)
	}
	t.pieces[id] = p
	return nil
}

func (t *Tokenizer) addToken(a addedToken) error {
	if a.Content == "" || !utf8.ValidString(a.Content) {
		return fmt.Errorf("%w: content: expected a text, found %q", ErrFormat, a.Content)
	}
	if id, ok := t.ids[a.Content]; ok && id != a.ID {
		return fmt.Errorf("%w: token %q has id %d, but also %d", ErrFormat, a.Content, a.ID, id)
	}
	if id, ok := t.ids[a.Content]; ok {
		t.pieces[id] = piece{} // in the vocabulary too, under the same id: the added token's text counts
	}
	if err := t.setPiece(a.ID, piece{bytes: a.Content, known: true, special: a.Special}); err != nil {
		return fmt.Errorf("token %q: %w", a.Content, err)
	}
	t.ids[a.Content] = a.ID
	if !a.Normalized {
		t.added.raw.add(a)
		return nil
	}
	if t.nfc {
		a.Content = norm.NFC.String(a.Content)
	}
	t.added.normalized.add(a)
	return nil
}

func (t *Tokenizer) parseNormalizer(c *component) error {
	if c == nil {
		return nil
	}
	switch c.Type {
	case "NFC":
		t.nfc = true
	case "Sequence":
		for i := range c.Normalizers {
			if err := t.parseNormalizer(&c.Normalizers[i]); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
	default:
		return fmt.Errorf("%w: type: expected NFC or none, found %q", ErrUnsupported, c.Type)
	}
	return nil
}

// parsePreTokenizer returns the steps and whether ByteLevel is among them: it must be, as the last
// one, since what comes after it would see the byte-level spelling.
func parsePreTokenizer(c component) (steps []step, level bool, err error) {
	switch c.Type {
	case "Sequence":
		for i, inner := range c.PreTokenizers {
			if level {
				return nil, false, fmt.Errorf("[%d]: %w: expected nothing behind ByteLevel, found %q", i, ErrUnsupported, inner.Type)
			}
			var more []step
			if more, level, err = parsePreTokenizer(inner); err != nil {
				return nil, false, fmt.Errorf("[%d]: %w", i, err)
			}
			steps = append(steps, more...)
		}
		return steps, level, nil
	case "ByteLevel":
		s := step{prefixSpace: c.AddPrefixSpace == nil || *c.AddPrefixSpace}
		if c.UseRegex == nil || *c.UseRegex {
			s.match = matchGPT2
		}
		if s.match == nil && !s.prefixSpace {
			return nil, true, nil
		}
		return []step{s}, true, nil
	case "Split":
		pattern, ok := c.Pattern["Regex"]
		if !ok {
			return nil, false, fmt.Errorf("%w: Split: pattern: expected a Regex, found %v", ErrUnsupported, c.Pattern)
		}
		match, ok := patterns[pattern]
		if !ok {
			return nil, false, fmt.Errorf("%w: Split: unknown pattern %s", ErrUnsupported, pattern)
		}
		if c.Behavior != "Isolated" || c.Invert {
			return nil, false, fmt.Errorf("%w: Split: behavior: expected Isolated, not inverted, found %q, invert %v", ErrUnsupported, c.Behavior, c.Invert)
		}
		return []step{{match: match}}, false, nil
	}
	return nil, false, fmt.Errorf("%w: type: expected Sequence, Split or ByteLevel, found %q", ErrUnsupported, c.Type)
}

func checkDecoder(c *component) error {
	switch {
	case c == nil:
		return fmt.Errorf("%w: expected ByteLevel, found none", ErrUnsupported)
	case c.Type == "Sequence" && len(c.Decoders) == 1:
		return checkDecoder(&c.Decoders[0])
	case c.Type != "ByteLevel":
		return fmt.Errorf("%w: type: expected ByteLevel, found %q", ErrUnsupported, c.Type)
	}
	return nil
}

// parsePostProcessor finds what goes around a single text. ByteLevel only changes character offsets.
func (t *Tokenizer) parsePostProcessor(c component) error {
	switch c.Type {
	case "ByteLevel":
		return nil
	case "Sequence":
		for i, inner := range c.Processors {
			if err := t.parsePostProcessor(inner); err != nil {
				return fmt.Errorf("[%d]: %w", i, err)
			}
		}
		return nil
	case "TemplateProcessing":
	default:
		return fmt.Errorf("%w: type: expected ByteLevel, TemplateProcessing or Sequence, found %q", ErrUnsupported, c.Type)
	}
	around := [2][]int32{}
	side := 0
	for i, item := range c.Single {
		if _, ok := item["Sequence"]; ok && len(item) == 1 {
			side++
			continue
		}
		token, ok := item["SpecialToken"]
		if !ok || len(item) != 1 || side > 1 {
			return fmt.Errorf("%w: single[%d]: expected a SpecialToken or one Sequence", ErrFormat, i)
		}
		ids := c.SpecialTokens[token.ID].IDs
		if len(ids) == 0 {
			return fmt.Errorf("%w: single[%d]: token %q is not in special_tokens", ErrFormat, i, token.ID)
		}
		for _, id := range ids {
			if _, _, ok := t.Token(id); !ok {
				return fmt.Errorf("%w: special_tokens: %q: no token has id %d", ErrFormat, token.ID, id)
			}
		}
		around[side] = append(around[side], ids...)
	}
	if side != 1 {
		return fmt.Errorf("%w: single: expected one Sequence, found %d", ErrFormat, side)
	}
	t.before, t.after = append(around[0], t.before...), append(t.after, around[1]...)
	return nil
}
