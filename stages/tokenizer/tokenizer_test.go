package tokenizer

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// texts returns the pieces that ids stand for, joined by "|".
func texts(tok *Tokenizer, ids []int32) string {
	var out []string
	for _, id := range ids {
		text, _, _ := tok.Token(id)
		out = append(out, text)
	}
	return strings.Join(out, "|")
}

func TestEncode(t *testing.T) {
	tok := mustLoad(t, fixture(t), "")
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"hello", "hello"},
		{"hello hello", "hello| hello"},
		{"hellos", "hello|s"},
		{"ahello", "a|hello"},
		{"ababab", "abab|ab"},
		{"lll", "ll|l"},
		{"12", "1|2"},
		{"  hello", " | hello"},
		{"\t\n x", "\t|\n| |x"},
		{"é", "\xc3|\xa9"},
		{"e\u0301", "\xc3|\xa9"}, // NFC
		{"a<s>b", "a|<s>|b"},
		{"a <s> b", "a| |<s>| |b"},
		{"<s>x<s>", "<s>x|<s>"},
		{"<think>hello</s>", "<think>|hello|</s>"},
		{"a  <l>  b", "a|<l>| | |b"}, // the last space begins b's piece
		{"a  <r>  b", "a|  |<r>|b"},
		{"a <lr> <lr> b", "a|<lr>|<lr>|b"},
		{"word swordx word", "word| |s|w|o|r|d|x| |word"},
		{"words", "w|o|r|d|s"},
		{"ne\u0304\u0301", "n\u1e17"}, // a normalised token
		{"\xffhello", "\xff|hello"},
	} {
		if got := texts(tok, tok.Encode(c.text)); got != c.want {
			t.Errorf("%q: expected %q, found %q", c.text, c.want, got)
		}
	}
}

func TestPieces(t *testing.T) {
	qwen, llama, gpt2 := patterns[qwenPattern], patterns[llamaPattern], patterns[gpt2Pattern]
	if qwen == nil || llama == nil || gpt2 == nil {
		t.Fatal("a pattern is not in the table")
	}
	for _, c := range []struct {
		match      matcher
		text, want string
	}{
		{qwen, "It's 2024, isn'T it?\n\n  Yes", "It|'s| |2|0|2|4|,| isn|'T| it|?\n\n| | Yes"},
		{llama, "It's 2024, x", "It|'s| |202|4|,| x"},
		{gpt2, "It's 2024, isn'T\n\n  Yes", "It|'s| 2024|,| isn|'|T|\n\n | Yes"},
		{qwen, "a \n \n b", "a| \n \n| b"},
		{gpt2, "a \n \n b", "a| \n \n| b"},
		{qwen, "   ", "   "},
		{qwen, "x   ", "x|   "},
		{qwen, "\r\n\t x", "\r\n|\t| x"},
		{qwen, "\tx", "\tx"},
		{qwen, "$x $$x", "$x| $$|x"},
		{qwen, "'ſ 'LLx", "'ſ| '|LLx"},
		{qwen, `\boxed{38}`, `\boxed|{|3|8|}`},
		{qwen, "}\n\n\n x", "}\n\n\n| x"},
		{qwen, "½x", "½|x"},
		{qwen, "a\u0301b", "a|\u0301b"},
		{qwen, "x\u00a0y", "x|\u00a0y"},
	} {
		var got []string
		splitPieces([]step{{match: c.match}}, c.text, func(p string) { got = append(got, p) })
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q: expected %q, found %q", c.text, c.want, s)
		}
	}
}

// mergePlain is merging as the rule says it: look for the best pair, merge it, again.
func mergePlain(b *bpe, piece string) []int32 {
	var ids []int32
	for i := range len(piece) {
		ids = append(ids, b.bytes[piece[i]])
	}
	for {
		best, at := int32(none), -1
		for i := range len(ids) - 1 {
			if r := b.merges.find(ids[i], ids[i+1]); r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return ids
		}
		ids = slices.Replace(ids, at, at+2, b.merges.products[best])
	}
}

func TestMergesAgainstPlain(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	// Random merges over four letters, so that pairs compete.
	b := &bpe{merges: newMergeTable(200), cache: newCache()}
	for i := range b.bytes {
		b.bytes[i] = int32(i)
	}
	symbols := []int32{'a', 'b', 'c', 'd'}
	for rank := range 200 {
		product := int32(256 + rank)
		b.merges.add(symbols[r.IntN(len(symbols))], symbols[r.IntN(len(symbols))], int32(rank), product)
		symbols = append(symbols, product)
	}
	for range 3000 {
		n := 1 + r.IntN(heapAbove)
		if r.IntN(4) == 0 {
			n = 1 + r.IntN(300)
		}
		raw := make([]byte, n)
		for i := range raw {
			raw[i] = "abcd"[r.IntN(4)]
		}
		piece := string(raw)
		want := mergePlain(b, piece)
		if n <= heapAbove {
			if got := b.mergeShort(nil, piece); !slices.Equal(got, want) {
				t.Fatalf("short %q: expected %v, found %v", piece, want, got)
			}
		}
		if got := b.mergeLong(nil, piece); !slices.Equal(got, want) {
			t.Fatalf("long %q: expected %v, found %v", piece, want, got)
		}
		for range 2 { // into the cache, out of the cache
			if got := b.append([]int32{7}, piece); !slices.Equal(got[1:], want) || got[0] != 7 {
				t.Fatalf("%q: expected %v, found %v", piece, want, got)
			}
		}
	}
}

func TestIgnoreMerges(t *testing.T) {
	tree := fixture(t)
	part(t, tree, "model", "vocab")["wxyz"] = 300
	if got := texts(mustLoad(t, tree, ""), mustLoad(t, tree, "").Encode("wxyz")); got != "w|x|y|z" {
		t.Errorf("found %q", got)
	}
	part(t, tree, "model")["ignore_merges"] = true
	tok := mustLoad(t, tree, "")
	if got := texts(tok, tok.Encode("wxyz")); got != "wxyz" {
		t.Errorf("found %q", got)
	}
}

func TestPrefixSpace(t *testing.T) {
	tree := fixture(t)
	tree["pre_tokenizer"] = map[string]any{"type": "ByteLevel", "add_prefix_space": true, "use_regex": true}
	tok := mustLoad(t, tree, "")
	for text, want := range map[string]string{"hello": " hello", " hello": " hello", "hello<s>hello": " hello|<s>| hello"} {
		if got := texts(tok, tok.Encode(text)); got != want {
			t.Errorf("%q: expected %q, found %q", text, want, got)
		}
	}
}

func TestPostProcessor(t *testing.T) {
	tree := fixture(t)
	tree["post_processor"] = map[string]any{"type": "Sequence", "processors": []any{map[string]any{"type": "ByteLevel"},
		map[string]any{"type": "TemplateProcessing", "single": []any{
			map[string]any{"SpecialToken": map[string]any{"id": "<s>", "type_id": 0}},
			map[string]any{"Sequence": map[string]any{"id": "A", "type_id": 0}},
			map[string]any{"SpecialToken": map[string]any{"id": "</s>", "type_id": 0}},
		}, "special_tokens": map[string]any{"<s>": map[string]any{"id": "<s>", "ids": []int{265}, "tokens": []string{"<s>"}},
			"</s>": map[string]any{"id": "</s>", "ids": []int{266}}}}}}
	tok := mustLoad(t, tree, "")
	if got := texts(tok, tok.EncodeSpecial("hello")); got != "<s>|hello|</s>" {
		t.Errorf("found %q", got)
	}
	if got := texts(tok, tok.Encode("hello")); got != "hello" {
		t.Errorf("found %q", got)
	}
}

// Llama's classes decide on their own what goes around a text: DeepSeek-R1-Distill-Qwen has one of them. A
// template that writes the token itself does not get it twice.
func TestLlamaClass(t *testing.T) {
	withBOS := fixture(t)
	withBOS["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{
		map[string]any{"SpecialToken": map[string]any{"id": "<s>"}}, map[string]any{"Sequence": map[string]any{"id": "A"}},
	}, "special_tokens": map[string]any{"<s>": map[string]any{"id": "<s>", "ids": []int{265}}}}
	for _, c := range []struct{ config, want, bare string }{
		{`{"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": true, "bos_token": {"content": "<s>"}}`, "<s>|hello", "<s>|hello"},
		{`{"tokenizer_class": "LlamaTokenizerFast", "legacy": true, "bos_token": "<s>"}`, "<s>|hello", "<s>|hello"},
		{`{"tokenizer_class": "LlamaTokenizer", "add_bos_token": false, "add_eos_token": true, "bos_token": "<s>", "eos_token": "</s>"}`, "hello|</s>", "hello|</s>"},
		{`{"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": null, "bos_token": null}`, "hello", "hello"},
		{`{"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": true, "bos_token": "<s>"}`, "<s>|hello", "hello"},
		{`{"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": false}`, "<s>|hello", "hello"},
	} {
		for _, tree := range []struct {
			tree map[string]any
			want string
		}{{withBOS, c.want}, {fixture(t), c.bare}} {
			tok := mustLoad(t, tree.tree, c.config)
			if got := texts(tok, tok.EncodeSpecial("hello")); got != tree.want {
				t.Errorf("%s: expected %q, found %q", c.config, tree.want, got)
			}
		}
	}
	tok := mustLoad(t, withBOS, `{"tokenizer_class": "LlamaTokenizerFast", "add_bos_token": true, "bos_token": "<s>", "chat_template": "{{ bos_token }}{{ messages[0].content }}"}`)
	text, err := tok.ApplyChatTemplate([]Message{{Role: "user", Content: "hello"}}, true, nil)
	if got := texts(tok, tok.Encode(text)); err != nil || got != "<s>|hello" {
		t.Errorf("expected one token in front, found %q, %v", got, err)
	}
}

func TestNamedTokens(t *testing.T) {
	tok := mustLoad(t, fixture(t), `{"bos_token": null, "eos_token": "</s>", "pad_token": {"content": "<s>", "lstrip": false},
		"model_max_length": 1000000000000000019884624838656}`)
	eos, ok := tok.EOS()
	if id, _ := tok.ID("</s>"); !ok || eos != id {
		t.Errorf("eos: found %d, %v", eos, ok)
	}
	pad, ok := tok.Pad()
	if id, _ := tok.ID("<s>"); !ok || pad != id {
		t.Errorf("pad: found %d, %v", pad, ok)
	}
	if _, ok := tok.BOS(); ok {
		t.Error("bos: expected none")
	}
	if id, ok := tok.ID("Ġhello"); !ok || texts(tok, []int32{id}) != " hello" {
		t.Errorf("Ġhello: found %d, %v", id, ok)
	}
	if n := tok.VocabSize(); n != 256+9+9 {
		t.Errorf("vocabulary: found %d", n)
	}
}

func TestRefusals(t *testing.T) {
	level := map[string]any{"type": "ByteLevel"}
	for _, c := range []struct {
		name   string
		change func(tree map[string]any)
		want   string
		kind   error
	}{
		{"wordpiece", func(tree map[string]any) { part(t, tree, "model")["type"] = "WordPiece" }, `model: unsupported tokenizer: type: expected BPE, found "WordPiece"`, ErrUnsupported},
		{"unigram", func(tree map[string]any) {
			tree["model"] = map[string]any{"type": "Unigram", "vocab": []any{[]any{"a", 0.5}}}
		}, "Unigram", ErrUnsupported},
		{"no model", func(tree map[string]any) { delete(tree, "model") }, "model", ErrFormat},
		{"byte fallback", func(tree map[string]any) { part(t, tree, "model")["byte_fallback"] = true }, "byte_fallback", ErrUnsupported},
		{"dropout", func(tree map[string]any) { part(t, tree, "model")["dropout"] = 0.1 }, "dropout", ErrUnsupported},
		{"suffix", func(tree map[string]any) { part(t, tree, "model")["end_of_word_suffix"] = "</w>" }, "end_of_word_suffix", ErrUnsupported},
		{"missing byte", func(tree map[string]any) { delete(part(t, tree, "model", "vocab"), "Ġ") }, "byte 0x20", ErrUnsupported},
		{"negative id", func(tree map[string]any) { part(t, tree, "model", "vocab")["zz"] = -1 }, `token "zz": malformed tokenizer: id`, ErrFormat},
		{"huge id", func(tree map[string]any) { part(t, tree, "model", "vocab")["zz"] = 1 << 30 }, `token "zz"`, ErrFormat},
		{"id of two", func(tree map[string]any) { part(t, tree, "model", "vocab")["zz"] = 256 }, "id 256 is also that of", ErrFormat},
		{"merge of strangers", func(tree map[string]any) { part(t, tree, "model")["merges"] = []any{"q q"} }, `merges: [0]: malformed tokenizer: expected "q", "q" and "qq"`, ErrFormat},
		{"merge of three", func(tree map[string]any) { part(t, tree, "model")["merges"] = []any{"a b c"} }, "two parts", ErrFormat},
		{"merge of one", func(tree map[string]any) { part(t, tree, "model")["merges"] = []any{[]any{"a"}} }, "expected 2 parts", ErrFormat},
		{"merges of numbers", func(tree map[string]any) { part(t, tree, "model")["merges"] = []any{3} }, "merges", ErrFormat},
		{"no merges", func(tree map[string]any) { delete(part(t, tree, "model"), "merges") }, "merges", ErrFormat},
		{"normalizer", func(tree map[string]any) { tree["normalizer"] = map[string]any{"type": "Lowercase"} }, `normalizer: unsupported tokenizer: type: expected NFC or none, found "Lowercase"`, ErrUnsupported},
		{"normalizer in sequence", func(tree map[string]any) {
			tree["normalizer"] = map[string]any{"type": "Sequence", "normalizers": []any{map[string]any{"type": "Replace", "pattern": map[string]any{"String": " "}, "content": "_"}}}
		}, "normalizer: [0]", ErrUnsupported},
		{"pattern", func(tree map[string]any) {
			part(t, tree, "pre_tokenizer", "pretokenizers", 0, "pattern")["Regex"] = `\d+(?=x)`
		}, `unknown pattern \d+(?=x)`, ErrUnsupported},
		{"plain pattern", func(tree map[string]any) {
			part(t, tree, "pre_tokenizer", "pretokenizers", 0)["pattern"] = map[string]any{"String": " "}
		}, "expected a Regex", ErrUnsupported},
		{"behavior", func(tree map[string]any) {
			part(t, tree, "pre_tokenizer", "pretokenizers", 0)["behavior"] = "Removed"
		}, "Removed", ErrUnsupported},
		{"metaspace", func(tree map[string]any) { tree["pre_tokenizer"] = map[string]any{"type": "Metaspace"} }, "Metaspace", ErrUnsupported},
		{"no pre-tokenizer", func(tree map[string]any) { tree["pre_tokenizer"] = nil }, "pre_tokenizer", ErrUnsupported},
		{"no byte level", func(tree map[string]any) {
			tree["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{}}
		}, "ByteLevel as the last step", ErrUnsupported},
		{"behind byte level", func(tree map[string]any) {
			tree["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{level, level}}
		}, "nothing behind ByteLevel", ErrUnsupported},
		{"decoder", func(tree map[string]any) { tree["decoder"] = map[string]any{"type": "WordPiece"} }, "decoder", ErrUnsupported},
		{"no decoder", func(tree map[string]any) { tree["decoder"] = nil }, "decoder", ErrUnsupported},
		{"post-processor", func(tree map[string]any) { tree["post_processor"] = map[string]any{"type": "BertProcessing"} }, "BertProcessing", ErrUnsupported},
		{"template without text", func(tree map[string]any) {
			tree["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{}}
		}, "expected one Sequence, found 0", ErrFormat},
		{"template of unknown token", func(tree map[string]any) {
			tree["post_processor"] = map[string]any{"type": "TemplateProcessing", "single": []any{map[string]any{"SpecialToken": map[string]any{"id": "?"}}}}
		}, `token "?" is not in special_tokens`, ErrFormat},
		{"empty added token", func(tree map[string]any) { tree["added_tokens"] = []any{addedToken{ID: 300}} }, "added_tokens[0]", ErrFormat},
		{"added token's id", func(tree map[string]any) { tree["added_tokens"] = []any{addedToken{ID: 300, Content: "hello"}} }, `token "hello" has id 300, but also`, ErrFormat},
		{"added token's taken id", func(tree map[string]any) { tree["added_tokens"] = []any{addedToken{ID: 3, Content: "<x>"}} }, "id 3 is also that of", ErrFormat},
	} {
		tree := fixture(t)
		c.change(tree)
		_, err := loadTree(t, tree, "")
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), File) {
			t.Errorf("%s: expected %q, found %v", c.name, c.want, err)
		}
	}
	for config, want := range map[string]string{
		`{"eos_token": "<nope>"}`:    `eos_token: expected a token of tokenizer.json, found "<nope>"`,
		`{"eos_token": 3}`:           "eos_token",
		`[]`:                         "expected a JSON object",
		`{"chat_template": 3}`:       "chat_template",
		`{"chat_template": [{}]}`:    "expected a name",
		`{"add_bos_token": "maybe"}`: "add_bos_token",
	} {
		if _, err := loadTree(t, fixture(t), config); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), ConfigFile) {
			t.Errorf("%s: expected %q, found %v", config, want, err)
		}
	}
	if _, err := Load(fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), File) {
		t.Errorf("no file: found %v", err)
	}
}

// Any text comes back, whatever goroutine encodes it.
func TestRoundTrip(t *testing.T) {
	tok := mustLoad(t, fixture(t), "")
	var group sync.WaitGroup
	for g := range 4 {
		group.Go(func() {
			r := rand.New(rand.NewPCG(uint64(g), 1))
			for range 500 {
				var b strings.Builder
				for range r.IntN(40) {
					switch r.IntN(3) {
					case 0:
						b.WriteRune(rune(r.IntN(0x110000)))
					case 1:
						b.WriteString([]string{"hello", " ", "\n", "ab", "'s", "<s>", "word", "1"}[r.IntN(8)])
					default:
						b.WriteByte(byte(' ' + r.IntN(95)))
					}
				}
				text := norm.NFC.String(b.String())
				if got := tok.Decode(tok.Encode(text), false); got != text {
					t.Errorf("expected %q, found %q", text, got)
					return
				}
			}
		})
	}
	group.Wait()
}

func FuzzRoundTrip(f *testing.F) {
	tree := fixture(f)
	tree["normalizer"] = nil
	tree["added_tokens"] = tree["added_tokens"].([]any)[:4] // the others eat white space
	tok := mustLoad(f, tree, "")
	for _, s := range []string{"", "hello <s> 'ſ\r\n \u00a0x", "ababababab", "\xff\xfe", strings.Repeat("ab", 40)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ids := tok.Encode(text)
		got := tok.Decode(ids, false)
		if utf8.ValidString(text) && got != text {
			t.Fatalf("expected %q, found %q", text, got)
		}
		if !utf8.ValidString(got) {
			t.Fatalf("%q decodes to broken text %q", text, got)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(marshal(f, fixture(f)), []byte(`{"eos_token": "<s>", "chat_template": "{{ messages[0].content }}"}`))
	f.Add([]byte(`{"model": {"type": "BPE", "vocab": {"a": 1}, "merges": [["a", "b"]]}}`), []byte(`{"chat_template": [{"name": "a", "template": "{% for %}"}]}`))
	f.Fuzz(func(t *testing.T, tokenizer, config []byte) {
		tok, err := Load(fstest.MapFS{File: {Data: tokenizer}, ConfigFile: {Data: config}})
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("expected ErrFormat or ErrUnsupported, found %v", err)
			}
			return
		}
		tok.Decode(tok.EncodeSpecial("hello wörld 12\n"), false)
	})
}

// TestManyAddedTokens: a file of as many added tokens as there can be is read in a moment, and at one place the
// longest is found.
func TestManyAddedTokens(t *testing.T) {
	const n = 200_000
	tree := fixture(t)
	list := tree["added_tokens"].([]any)
	first := int32(len(part(t, tree, "model", "vocab")) + len(list))
	for i := range n {
		list = append(list, addedToken{ID: first + int32(i), Content: fmt.Sprintf("<%d>%.*s", i, i%3, "++"), Special: true})
	}
	tree["added_tokens"] = list
	tok := mustLoad(t, tree, "")
	if got := tok.Encode("<8>++<9><199998>"); !slices.Equal(got, []int32{first + 8, first + 9, first + n - 2}) {
		t.Errorf("%v, want %d and others", got, first+8)
	}
}
