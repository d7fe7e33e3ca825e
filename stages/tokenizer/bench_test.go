package tokenizer

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkEncode encodes text of the problem sets with a real vocabulary (a model folder named by
// OPENRS_TOKENIZER), on one goroutine.
func BenchmarkEncode(b *testing.B) {
	dir := os.Getenv("OPENRS_TOKENIZER")
	if dir == "" {
		b.Skip("set OPENRS_TOKENIZER to a folder with a tokenizer.json")
	}
	tok, err := Load(os.DirFS(dir))
	if err != nil {
		b.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "gsm8k_test.jsonl"))
	if err != nil {
		b.Skip(err)
	}
	text := string(data)
	b.SetBytes(int64(len(text)))
	var ids []int32
	for b.Loop() {
		ids = tok.AppendEncode(ids[:0], text)
	}
	b.ReportMetric(float64(len(ids)), "tokens")
}
