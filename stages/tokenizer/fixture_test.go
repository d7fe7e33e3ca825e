package tokenizer

import (
	"encoding/json"
	"testing"
	"testing/fstest"
)

// fixture is a small tokenizer.json as a tree that a test can change: the 256 bytes, a few merges,
// Qwen2's pattern and added tokens with every flag.
func fixture(t testing.TB) map[string]any {
	t.Helper()
	vocab := map[string]any{}
	for b := range 256 {
		vocab[string(byteToRune[b])] = b
	}
	merges := []any{"h e", "l l", "he ll", "hell o", "Ġ hello", "a b", "ab ab", "abab abab", "Ġ Ġ"}
	for _, w := range []string{"he", "ll", "hell", "hello", "Ġhello", "ab", "abab", "abababab", "ĠĠ"} {
		vocab[w] = len(vocab)
	}
	added := []any{}
	for i, a := range []addedToken{
		{Content: "<s>", Special: true}, {Content: "</s>", Special: true}, {Content: "<think>"}, {Content: "<s>x", Special: true},
		{Content: "<l>", LStrip: true}, {Content: "<r>", RStrip: true}, {Content: "<lr>", LStrip: true, RStrip: true},
		{Content: "word", SingleWord: true}, {Content: "n\u1e17", Normalized: true},
	} {
		a.ID = int32(len(vocab) + i)
		added = append(added, a)
	}
	level := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	return map[string]any{
		"version": "1.0", "truncation": nil, "padding": nil, "added_tokens": added, "normalizer": map[string]any{"type": "NFC"},
		"pre_tokenizer": map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "behavior": "Isolated", "invert": false, "pattern": map[string]any{"Regex": qwenPattern}}, level}},
		"post_processor": nil, "decoder": level,
		"model": map[string]any{"type": "BPE", "vocab": vocab, "merges": merges, "byte_fallback": false, "unk_token": nil},
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// loadTree loads a tokenizer from a changed fixture and, if not empty, a tokenizer_config.json.
func loadTree(t testing.TB, tree map[string]any, config string) (*Tokenizer, error) {
	t.Helper()
	files := fstest.MapFS{File: {Data: marshal(t, tree)}}
	if config != "" {
		files[ConfigFile] = &fstest.MapFile{Data: []byte(config)}
	}
	return Load(files)
}

func mustLoad(t testing.TB, tree map[string]any, config string) *Tokenizer {
	t.Helper()
	tok, err := loadTree(t, tree, config)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// part walks to an object inside a tree.
func part(t testing.TB, tree any, path ...any) map[string]any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			tree = tree.(map[string]any)[p]
		case int:
			tree = tree.([]any)[p]
		}
	}
	return tree.(map[string]any)
}
