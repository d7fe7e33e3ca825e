package tiny

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"openrs/stages/checkpoint"
	"openrs/stages/tokenizer"
)

func load(t *testing.T) *tokenizer.Tokenizer {
	t.Helper()
	tok, err := tokenizer.Load(FS())
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestConfigFitsTokenizer(t *testing.T) {
	cfg, err := checkpoint.ReadConfig(FS())
	if err != nil {
		t.Fatal(err)
	}
	gen, err := checkpoint.ReadGeneration(FS())
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Architecture != "qwen2" || cfg.Hidden != 128 || cfg.Layers != 2 || cfg.Heads != 4 || cfg.KVHeads != 2 || cfg.HeadDim != 32 ||
		cfg.FFN != 256 || cfg.Vocab != 288 || cfg.MaxPositions != 1024 || !cfg.TieEmbeddings || cfg.RopeTheta != 10000 || cfg.RMSEps != 1e-6 {
		t.Errorf("found %+v", cfg)
	}
	tok := load(t)
	if tok.VocabSize() > cfg.Vocab {
		t.Errorf("vocabulary: expected at most %d, found %d", cfg.Vocab, tok.VocabSize())
	}
	eos, ok := tok.EOS()
	if !ok || !slices.Equal(cfg.EOS, []int32{eos}) || !slices.Contains(gen.EOS, eos) {
		t.Errorf("end of text: the tokenizer says %d, config.json %v, generation_config.json %v", eos, cfg.EOS, gen.EOS)
	}
	if pad, ok := tok.Pad(); !ok || pad == eos {
		t.Errorf("padding: found %d, %v", pad, ok)
	}
}

func TestTokens(t *testing.T) {
	tok := load(t)
	for _, text := range []string{"user", "assistant", `\boxed`, "<think>", "</think>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"} {
		ids := tok.Encode(text)
		if len(ids) != 1 {
			t.Errorf("%s: expected one token, found %v", text, ids)
		}
		special := strings.HasPrefix(text, "<|")
		if got := tok.Decode(ids, true); special != (got == "") || !special && got != text {
			t.Errorf("%s: decodes to %q without special tokens", text, got)
		}
	}
	for b := range 256 {
		if got, _, ok := tok.Token(int32(b)); !ok || got != string([]byte{byte(b)}) {
			t.Errorf("id %d: expected the byte, found %q", b, got)
		}
	}
	for _, c := range []struct {
		text string
		ids  int
	}{
		{"<think>\n7*8=56\n12+56=68\n68-30=38\n</think>\n\\boxed{38}<|im_end|>", 35},
		{"<think>\n7*8=56\n</think>\n\\boxed{56}<|im_end|>", 17},
		{"<think>\n99+99=198\n198+99=297\n297+99=396\n396+99=495\n</think>\n\\boxed{495}<|im_end|>", 54},
		{"Zoë said: “½ + ½ = 1”\r\n\t👍", -1},
	} {
		ids := tok.Encode(c.text)
		if got := tok.Decode(ids, false); got != c.text {
			t.Errorf("expected %q, found %q", c.text, got)
		}
		if c.ids >= 0 && len(ids) != c.ids {
			t.Errorf("%q: expected %d tokens, found %d", c.text, c.ids, len(ids))
		}
	}
}

func TestPrompts(t *testing.T) {
	tok := load(t)
	user := func(s string) tokenizer.Message { return tokenizer.Message{Role: "user", Content: s} }
	for _, c := range []struct {
		messages []tokenizer.Message
		prompt   bool
		want     string
		ids      int
	}{
		{[]tokenizer.Message{user("12+7*8-30")}, true, "<|im_start|>user\n12+7*8-30<|im_end|>\n<|im_start|>assistant\n", 17},
		{[]tokenizer.Message{user("7*8")}, true, "<|im_start|>user\n7*8<|im_end|>\n<|im_start|>assistant\n", 11},
		{[]tokenizer.Message{user("12+34+56-78*90")}, true, "<|im_start|>user\n12+34+56-78*90<|im_end|>\n<|im_start|>assistant\n", 22},
		{[]tokenizer.Message{{Role: "system", Content: "s"}, user("1+1"), {Role: "assistant", Content: "2"}, user("?")}, false,
			"<|im_start|>system\ns<|im_end|>\n<|im_start|>user\n1+1<|im_end|>\n<|im_start|>assistant\n2<|im_end|>\n<|im_start|>user\n?<|im_end|>\n", -1},
	} {
		got, err := tok.ApplyChatTemplate(c.messages, c.prompt, nil)
		if err != nil || got != c.want {
			t.Errorf("expected %q, found %q, %v", c.want, got, err)
		}
		if n := len(tok.Encode(got)); c.ids >= 0 && n != c.ids {
			t.Errorf("%q: expected %d tokens, found %d", got, c.ids, n)
		}
	}
}

// The weights, where they are in the folder, must be those of the configuration.
func TestWeights(t *testing.T) {
	if _, err := fs.Stat(FS(), checkpoint.WeightsFile); err != nil {
		t.Skipf("no weights yet: %v", err)
	}
	f, err := checkpoint.OpenFS(FS())
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, name := range f.Names() {
		tensor, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := tensor.CheckFinite(); err != nil {
			t.Error(err)
		}
		total += tensor.Len()
	}
	if total != 332_928 {
		t.Errorf("parameters: expected 332928, found %d", total)
	}
}
