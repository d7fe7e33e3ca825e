package tokenizer

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// file is tokenizer.json without its model. Its truncation and padding are settings of a caller, not of the model, and
// are ignored as the transformers library does.
type file struct {
	AddedTokens   []addedToken `json:"added_tokens"`
	Normalizer    *component   `json:"normalizer"`
	PreTokenizer  *component   `json:"pre_tokenizer"`
	PostProcessor *component   `json:"post_processor"`
	Decoder       *component   `json:"decoder"`
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

func parse(data []byte) (*Tokenizer, error) {
	rest, large, err := without(data, "model")
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(rest, &f); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	t := &Tokenizer{}
	if err := t.parseModel(large["model"]); err != nil {
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
	t.split = newSplitter(steps)
	if err := checkDecoder(f.Decoder); err != nil {
		return nil, fmt.Errorf("decoder: %w", err)
	}
	for i, a := range f.AddedTokens {
		if err := t.addToken(a); err != nil {
			return nil, fmt.Errorf("added_tokens[%d]: %w", i, err)
		}
	}
	t.added.raw.sort()
	t.added.normalized.sort()
	t.vocab.freeze()
	if f.PostProcessor != nil {
		if err := t.parsePostProcessor(*f.PostProcessor); err != nil {
			return nil, fmt.Errorf("post_processor: %w", err)
		}
	}
	return t, nil
}

func (t *Tokenizer) addToken(a addedToken) error {
	if a.Content == "" || !utf8.ValidString(a.Content) {
		return fmt.Errorf("%w: content: expected a text, found %q", ErrFormat, a.Content)
	}
	if id, ok := t.ID(a.Content); ok {
		if id != a.ID {
			return fmt.Errorf("%w: token %q has id %d, but also %d", ErrFormat, a.Content, a.ID, id)
		}
		t.vocab.spans[id] = span{} // in the vocabulary too, under the same id: the added token's text counts
	}
	if err := t.vocab.set(a.ID, []byte(a.Content), a.Special); err != nil {
		return fmt.Errorf("token %q: %w", a.Content, err)
	}
	t.vocab.names[a.Content] = a.ID
	if !a.Normalized {
		t.added.raw.add(a)
		return nil
	}
	if t.nfc {
		a.Content = nfc(a.Content)
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
			s.pattern, s.match = gpt2Pattern, matchGPT2
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
		return []step{{pattern: pattern, match: match}}, false, nil
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
