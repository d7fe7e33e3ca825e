package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// model is tokenizer.json's model without its vocabulary and merges. Fields that only matter for
// characters outside the vocabulary (unk_token, fuse_unk) are left out: all 256 bytes are in it.
type model struct {
	Type                    string   `json:"type"`
	Dropout                 *float64 `json:"dropout"`
	ContinuingSubwordPrefix string   `json:"continuing_subword_prefix"`
	EndOfWordSuffix         string   `json:"end_of_word_suffix"`
	ByteFallback            bool     `json:"byte_fallback"`
	IgnoreMerges            bool     `json:"ignore_merges"`
}

func (t *Tokenizer) parseModel(data []byte) error {
	if len(data) == 0 || string(data) == "null" {
		return fmt.Errorf("%w: expected an object, found nothing", ErrFormat)
	}
	rest, large, err := without(data, "vocab", "merges")
	if err != nil {
		return err
	}
	var m model
	if err := json.Unmarshal(rest, &m); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	if m.Type != "BPE" {
		return fmt.Errorf("%w: type: expected BPE, found %q", ErrUnsupported, m.Type)
	}
	for name, used := range map[string]bool{
		"byte_fallback": m.ByteFallback, "dropout": m.Dropout != nil && *m.Dropout != 0,
		"continuing_subword_prefix": m.ContinuingSubwordPrefix != "", "end_of_word_suffix": m.EndOfWordSuffix != "",
	} {
		if used {
			return fmt.Errorf("%w: %s: expected none", ErrUnsupported, name)
		}
	}
	if err := t.parseVocab(large["vocab"]); err != nil {
		return fmt.Errorf("vocab: %w", err)
	}
	t.bpe = &bpe{cache: newCache()}
	for i := range 256 {
		id, ok := t.vocab.find([]byte{byte(i)})
		if !ok {
			return fmt.Errorf("vocab: %w: byte %#02x (%q) is missing: expected all 256 bytes", ErrUnsupported, i, string(byteToRune[i]))
		}
		t.bpe.bytes[i] = id
	}
	if err := t.parseMerges(large["merges"]); err != nil {
		return fmt.Errorf("merges: %w", err)
	}
	if m.IgnoreMerges {
		t.bpe.whole = t.vocab
	}
	return nil
}

func (t *Tokenizer) parseVocab(data []byte) error {
	// Each token has a colon, and tokens are most of the bytes.
	t.vocab = newVocabulary(bytes.Count(data, []byte{':'}), len(data)/2)
	s := scanner{data: data}
	var raw []byte
	return s.each('{', '}', func(int) error {
		token, err := s.text()
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		id, err := s.integer()
		if err != nil {
			return fmt.Errorf("token %q: %w", token, err)
		}
		if id < 0 || id >= maxID { // before it is narrowed
			return fmt.Errorf("token %q: %w: id: expected 0 to %d, found %d", token, ErrFormat, maxID-1, id)
		}
		var spelt bool
		if raw, spelt = unspell(raw[:0], string(token)); spelt {
			err = t.vocab.enter(int32(id), raw)
		} else if err = t.vocab.set(int32(id), token, false); err == nil {
			t.vocab.names[string(token)] = int32(id)
		}
		if err != nil {
			return fmt.Errorf("token %q: %w", token, err)
		}
		return nil
	})
}

// parseMerges reads both spellings: ["a b", …] and, since 2024, [["a", "b"], …].
func (t *Tokenizer) parseMerges(data []byte) error {
	if len(data) == 0 || string(data) == "null" {
		return fmt.Errorf("%w: expected a list, found nothing", ErrFormat)
	}
	// A merge has at least one comma behind it, or is the last.
	most := bytes.Count(data, []byte{','}) + 1
	if most >= maxMerges {
		most = maxMerges
	}
	var merges []merge
	s := scanner{data: data}
	m := merge{}
	var raw []byte
	err := s.each('[', ']', func(i int) error {
		first, second, ok, err := s.merge()
		if err != nil {
			return fmt.Errorf("[%d]: %w", i, err)
		}
		if !ok {
			return nil // the "#version" line of old files
		}
		if len(merges) >= most {
			return fmt.Errorf("[%d]: %w: expected at most %d merges", i, ErrFormat, maxMerges)
		}
		if m, raw, ok = t.vocab.merge(raw[:0], first, second); !ok {
			return fmt.Errorf("[%d]: %w: expected %q, %q and %q in the vocabulary", len(merges), ErrFormat, first, second, first+second)
		}
		merges = append(merges, m)
		return nil
	})
	if err != nil {
		return err
	}
	t.bpe.merges = newMergeTable(len(merges))
	for rank, m := range merges {
		t.bpe.merges.add(m.first, m.second, int32(rank), m.product)
	}
	return nil
}

type merge struct{ first, second, product int32 }

// merge reads one merge; ok is false for a comment.
func (s *scanner) merge() (first, second string, ok bool, err error) {
	if s.skip() == '"' {
		line, err := s.text()
		if err != nil {
			return "", "", false, err
		}
		if strings.HasPrefix(string(line), "#version") {
			return "", "", false, nil
		}
		first, second, ok = strings.Cut(string(line), " ")
		if !ok || strings.Contains(second, " ") {
			return "", "", false, fmt.Errorf("%w: expected two parts and a space between, found %q", ErrFormat, line)
		}
		return first, second, true, nil
	}
	var parts [2]string
	n := 0
	err = s.each('[', ']', func(i int) error {
		part, err := s.text()
		if i < 2 {
			parts[i] = string(part)
		}
		n = i + 1
		return err
	})
	if err != nil {
		return "", "", false, err
	}
	if n != 2 {
		return "", "", false, fmt.Errorf("%w: expected 2 parts, found %d", ErrFormat, n)
	}
	return parts[0], parts[1], true, nil
}

// merge looks up two pieces and what they make together. raw is a buffer to use.
func (v *vocabulary) merge(raw []byte, first, second string) (merge, []byte, bool) {
	raw, ok1 := unspell(raw, first)
	n := len(raw)
	raw, ok2 := unspell(raw, second)
	if !ok1 || !ok2 {
		a, ok1 := v.spelled(first)
		b, ok2 := v.spelled(second)
		c, ok3 := v.spelled(first + second)
		return merge{a, b, c}, raw, ok1 && ok2 && ok3
	}
	a, ok1 := v.find(raw[:n])
	b, ok2 := v.find(raw[n:])
	c, ok3 := v.find(raw)
	return merge{a, b, c}, raw, ok1 && ok2 && ok3
}
