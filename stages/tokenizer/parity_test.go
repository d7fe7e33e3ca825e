package tokenizer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestParityWithHuggingFace compares ids and texts with Hugging Face's own library: more than 20 MB of
// text for each of three real tokenizers, less for the small ones of this repository.
func TestParityWithHuggingFace(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	dir := npmFolder(t, ctx)
	flags := t.TempDir()
	if err := os.WriteFile(filepath.Join(flags, File), marshal(t, fixture(t)), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, folder string
		bytes        int
	}{
		{"flags", flags, 1 << 20}, {"tiny", filepath.Join("..", "model", "tiny", "assets"), 1 << 20},
		{"qwen3", npmModel(dir, "qwen3"), 21_000_000}, {"llama3", npmModel(dir, "llama3"), 21_000_000},
		{"deepseek_v3", npmModel(dir, "deepseek_v3"), 21_000_000}, {"llama3_2", npmModel(dir, "llama3_2"), 1 << 20},
		{"qwen2_5", npmModel(dir, "qwen2_5"), 1 << 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			tok, err := Load(os.DirFS(c.folder))
			if err != nil {
				t.Fatal(err)
			}
			compareWithHuggingFace(t, ctx, dir, filepath.Join(c.folder, File), tok, parityTexts(t, tok, c.bytes))
		})
	}
}

func compareWithHuggingFace(t *testing.T, ctx context.Context, dir, file string, tok *Tokenizer, texts []string) {
	r := rand.New(rand.NewPCG(7, 8))
	var decoded [][]int32
	for range 3000 { // random ids, most of which make broken text together
		ids := make([]int32, 1+r.IntN(8))
		for i := range ids {
			ids[i] = int32(r.IntN(tok.VocabSize()))
			if r.IntN(2) == 0 {
				ids[i] = int32(r.IntN(min(1000, tok.VocabSize())))
			}
		}
		decoded = append(decoded, ids)
	}
	for range 300 {
		decoded = append(decoded, tok.AppendEncode([]int32{}, texts[r.IntN(len(texts))]))
	}
	cmd := node(t, ctx, dir, "reference.js", file)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { // what can't be written shows as an answer that is missing
		defer in.Close()
		w := bufio.NewWriter(in)
		defer w.Flush()
		for _, s := range texts {
			w.Write(jsonLine(s))
		}
		for _, ids := range decoded {
			w.Write(jsonLine(ids))
		}
	}()
	size, tokens, wrong := 0, 0, 0
	dec := json.NewDecoder(bufio.NewReaderSize(out, 1<<20))
	for _, text := range texts {
		var want []int32
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		size, tokens = size+len(text), tokens+len(want)
		if got := tok.Encode(text); !slices.Equal(got, want) {
			if wrong++; wrong < 30 {
				i := 0
				for i < min(len(got), len(want)) && got[i] == want[i] {
					i++
				}
				t.Errorf("from token %d, behind %+q:\n expected %+q\n    found %+q", i, pieces(tok, want[max(0, i-4):i]), pieces(tok, want[i:]), pieces(tok, got[i:]))
			}
		}
	}
	for _, ids := range decoded {
		var want [2]string
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		for i, special := range []bool{true, false} {
			if got := tok.Decode(ids, special); got != want[i] {
				wrong++
				t.Errorf("ids %v, skip special %v: expected %+q, found %+q", ids[:min(len(ids), 8)], special, short(want[i]), short(got))
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d texts, %d bytes, %d tokens; %d lists of ids decoded; %d mismatches", len(texts), size, tokens, len(decoded), wrong)
}

func jsonLine(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // a string or a list of numbers
	}
	return b.Bytes()
}

func pieces(tok *Tokenizer, ids []int32) []string {
	var out []string
	for _, id := range ids[:min(8, len(ids))] {
		text, _, _ := tok.Token(id)
		out = append(out, text)
	}
	return out
}

func short(s string) string { return s[:min(len(s), 200)] }

// parityTexts are hand-picked edges, every character in several places, the texts of the problem sets,
// Go sources, and random strings until there are enough bytes.
func parityTexts(t *testing.T, tok *Tokenizer, size int) []string {
	texts := slices.Clone(edgeTexts)
	total := func() (n int) {
		for _, s := range texts {
			n += len(s)
		}
		return n
	}
	full := size > 10_000_000
	if full {
		texts = append(texts, everyCharacter()...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "*.json*"))
	sources, _ := filepath.Glob(filepath.Join("..", "..", "*", "*", "*.go"))
	for _, f := range append(files, sources...) {
		texts = append(texts, chunks(t, f, r, full)...)
	}
	special := specialTexts(tok)
	limit := max(size, total()+size/5) // random strings are a fifth at least
	for n := total(); n < limit; {
		s := randomText(r, special)
		texts = append(texts, s)
		n += len(s)
	}
	return texts
}

// chunks cuts a file into texts of up to 4 KB; of a large file not all, unless everything is asked for.
func chunks(t *testing.T, file string, r *rand.Rand, all bool) []string {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	// Problem sets are JSON: what stands in their strings is text with real line breaks and LaTeX.
	text := string(data)
	if strings.Contains(filepath.Ext(file), "json") {
		text = strings.NewReplacer(`\n`, "\n", `\\`, `\`, `\"`, `"`).Replace(text)
	}
	var out []string
	for rest := strings.ToValidUTF8(text, ""); rest != ""; {
		n := min(len(rest), 1+r.IntN(4096))
		part := strings.ToValidUTF8(rest[:n], "")
		rest = rest[n:]
		if all || r.IntN(20) == 0 {
			out = append(out, part)
		}
	}
	return out
}

// everyCharacter has each code point, assigned or not, between letters, digits and marks, and as the
// only character of a line.
func everyCharacter() []string {
	var out []string
	var b strings.Builder
	for c := rune(0); c <= 0x10ffff; c++ {
		if c >= 0xd800 && c < 0xe000 {
			continue
		}
		if c < 0x20000 || c >= 0xe0000 && c < 0xe0200 || c%37 == 0 { // the other planes are CJK and empty
			s := string(c)
			b.WriteString("a" + s + "b 1" + s + "2!" + s + "  " + s + s + "e\u0301" + s + "\u0334\n" + s + "\n")
		}
		if b.Len() > 2000 || c == 0x10ffff {
			out = append(out, b.String())
			b.Reset()
		}
	}
	return out
}

// specialTexts are added tokens, whole and broken.
func specialTexts(tok *Tokenizer) []string {
	out := []string{"<|im_end|>", "<think>", "</think>", "<|eot_id|>", "<｜User｜>", "<｜end▁of▁sentence｜>", "<|endoftext|>", "<|im_start", "|>", "<l>", " <r> ", "word"}
	for _, set := range []*tokenSet{&tok.added.raw, &tok.added.normalized} {
		for _, list := range set.byFirst {
			for _, a := range list[:min(len(list), 40)] {
				out = append(out, a.Content, a.Content[:len(a.Content)/2])
			}
		}
	}
	for i := range out {
		out[i] = strings.ToValidUTF8(out[i], "")
	}
	return out
}

var randomParts = []string{
	" ", "  ", "   ", "\n", "\r\n", "\n\n", "\r", "\t", "\t\t", "\v", "\f", "\u00a0", "\u0085", "\u2028", "\u2029", "\u3000", "\u2003", "\u200b", "\u202f", "\u1680", "\ufeff",
	"'s", "'S", "'t", "'re", "'VE", "'m", "'Ll", "'d", "'ſ", "’s", "'", "''", "\"", "The", "the", " the", " of", "and", "isn't", "I'm", "X", "a", "é", "e\u0301", "ñ", "n\u0303", "ö", "o\u0308\u0304", "ạ̈", "Å", "ﬁ", "Ⅻ", "ǅ", "ª",
	"\u0301", "\u0323\u0301", "\u0334", "\u0f71\u0f72", "\u0344", "각", "\u1100\u1161\u11a8", "\u1100\u1161", "\u11a8", "가\u11a8", "\u0cc6\u0cc2\u0cd5", "\u09c7\u09be", "\U00011935\U00011930", "\u0315\u07fd\u0301", "\u2126", "\u212b", "\u0958", "\U0002f800",
	"中", "中文字符", "日本語のテスト", "ー・", "゛", "ｶﾞ", "𠀀𠀁", "\U0002ebf0", "\U000323af", "한국어", "مرحبا", "שלום", "हिन्दी", "ไทย", "Ελλάδα", "Привет",
	"👍", "👍🏽", "👩‍👩‍👧‍👦", "🇫🇷🇩", "❤️", "\u200d", "\ufe0f", "½", "²", "٣٤٥", "一二三", "①", "1", "12", "123", "1234567890", "3.14159", "1,000,000", "0x1F",
	"\\frac{1}{2}", "$x^2+y_1$", "\\boxed{", "}", "\\\\", "\\sqrt[3]{x}", "\\begin{align*}", "&=", "∑_{i=1}^n", "≥", "≤π", "```go\n", "func main() {\n\tfmt.Println(\"hi\")\n}\n", "// comment", "x != y && z", "->", "::", "_", "__init__", "#include <a>", "http://a.b/c?d=e&f#g", "😀", "\x00", "\x7f", "\x01", "…", "—", "«", "™", "€", "\ufffd",
}

func randomText(r *rand.Rand, special []string) string {
	var b strings.Builder
	kind := r.IntN(8)
	for range 1 + r.IntN(200) {
		switch k := r.IntN(10); {
		case kind == 0: // any character of any plane
			b.WriteRune(anyRune(r, 0x110000))
		case kind == 1 && k < 5:
			b.WriteRune(anyRune(r, 0x20000))
		case kind == 2 && k < 3:
			b.WriteString(special[r.IntN(len(special))])
		case kind == 3 && k == 0: // long runs
			b.WriteString(strings.Repeat(randomParts[r.IntN(len(randomParts))], 1+r.IntN(60)))
		case kind == 4 && k < 3:
			b.WriteString(strconv.FormatUint(r.Uint64()>>r.IntN(60), 10))
		case kind == 5 && k < 6: // marks and what they change
			b.WriteRune([]rune{'a', 'e', 0x0300 + rune(r.IntN(0x70)), 0x0300 + rune(r.IntN(0x70)), 0x1ab0 + rune(r.IntN(0x20)), 0x0590 + rune(r.IntN(0x40)), 0x1e00 + rune(r.IntN(0x100)), 0xac00 + rune(r.IntN(11172)), 0x1100 + rune(r.IntN(0x100))}[r.IntN(9)])
		case kind == 6 && k < 8: // a long word
			b.WriteByte("abcdefghijklmnopqrstuvwxyzaeiou"[r.IntN(31)])
		default:
			b.WriteString(randomParts[r.IntN(len(randomParts))])
		}
	}
	return b.String()
}

func anyRune(r *rand.Rand, limit int) rune {
	c := rune(r.IntN(limit))
	if c >= 0xd800 && c < 0xe000 {
		c = 'x'
	}
	return c
}

// edgeTexts are small texts at the borders of the rules.
var edgeTexts = []string{
	"", " ", "  ", "a  <l>  b", "a  <r>  b", "a <lr> <lr> b", "<l><r>  <l>", "word swordx word words _word Ⓐword ½word word\u200dx \u0301word", "ne\u0304\u0301 n\u1e17", "<s>x<s><s>x",
	"\n", " \n", "\n ", "a", " a", "  a", "a ", "\t\ta\t", "a\r\n\r\nb", "a \n \n  b  \n", "x\u00a0y", "x\u0085y", "\u2028\u2029", "\u3000中",
	"I'm we'Ll IT'S 'ſ 'S 'T don'ta 're'", "12345 ½ ² ٣٤٥ 一二三 Ⅻ", "e\u0301 é \u0301a a\u0301\u0302", "한국어 각 ᄀ", "👩‍👩‍👧‍👦 🇫🇷 👍🏽", "\x00\x01\x7f", "\ufeffhi",
	"<|im_start|>user\nhi<|im_end|>\n<think>\n</think>\n\\boxed{38}<|endoftext|>", "<|im_start|", "a<|endoftext|>b <think> c", "<|begin_of_text|><|eot_id|> x",
	"if (x != y) { return \"é\"; } // ok\n\n\n\tfoo_bar", "Ⓐ ª º ǅ ʰ ːx", "_a -b +c $d €e #f", "a’s ’t “q”", "∑_{i=1}^{n} x_i² ≥ ∫₀¹",
	strings.Repeat("ab", 5000), strings.Repeat(" ", 3000) + "x", strings.Repeat("=", 2000), strings.Repeat("1234567", 1000), strings.Repeat("中", 3000), strings.Repeat("\n", 999), strings.Repeat("\r\n ", 500),
	strings.Repeat("supercalifragilistic", 2000), "e" + strings.Repeat("\u0301", 100) + "x", "a" + strings.Repeat("\u0323\u0301", 40), strings.Repeat("\u1100", 50) + "\u1161", "\u0344\u0301", "\u0dd9\u0dca\u0dcf",
	"￼\ufffd", "ﬁ Å K ſ", "à la carte... <｜User｜>hi<｜Assistant｜>",
}
