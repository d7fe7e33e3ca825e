package tokenizer

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// realTokenizer loads the tokenizer of the folder that OPENRS_TOKENIZER names.
func realTokenizer(b *testing.B) *Tokenizer {
	b.Helper()
	dir := os.Getenv("OPENRS_TOKENIZER")
	if dir == "" {
		b.Skip("set OPENRS_TOKENIZER to a folder with a tokenizer.json")
	}
	tok, err := Load(os.DirFS(dir))
	if err != nil {
		b.Fatal(err)
	}
	return tok
}

// BenchmarkEncode encodes English text of the problem sets on one goroutine: warm repeats a text whose
// words are in the cache of pieces, cold begins with an empty cache each time.
func BenchmarkEncode(b *testing.B) {
	tok := realTokenizer(b)
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "gsm8k_test.jsonl"))
	if err != nil {
		b.Skip(err)
	}
	text := string(data)
	for _, warm := range []bool{true, false} {
		name := map[bool]string{true: "warm", false: "cold"}[warm]
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			var ids []int32
			for b.Loop() {
				if !warm {
					tok.bpe.cache = newCache()
				}
				ids = tok.AppendEncode(ids[:0], text)
			}
			b.ReportMetric(float64(len(ids)), "tokens")
		})
	}
}

// BenchmarkDecode decodes the same text's tokens.
func BenchmarkDecode(b *testing.B) {
	tok := realTokenizer(b)
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "gsm8k_test.jsonl"))
	if err != nil {
		b.Skip(err)
	}
	ids := tok.Encode(string(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		tok.Decode(ids, false)
	}
}

// BenchmarkLoad reports the time of a load, and as heap-MB what stays allocated after it.
func BenchmarkLoad(b *testing.B) {
	realTokenizer(b) // warms the file up
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var tok *Tokenizer
	best := time.Hour
	for b.Loop() {
		start := time.Now()
		tok = realTokenizer(b)
		best = min(best, time.Since(start))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
	b.ReportMetric(best.Seconds()*1e3, "best-ms")
	runtime.KeepAlive(tok)
}
