package table

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
)

// bigFile writes groups of 8 rollouts, about 40 KB each.
func bigFile(t testing.TB, path string, groups int) {
	t.Helper()
	w, err := Create(path, schemas.KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	for g := range groups {
		rows := group(fmt.Sprint("g", g), 8)
		for i := range rows {
			rows[i].Completion = strings.Repeat(fmt.Sprint(g, i, " "), 250)
			rows[i].CompletionIDs, rows[i].LogProbs = make([]int32, 512), make([]float32, 512)
			for k := range rows[i].CompletionIDs {
				rows[i].CompletionIDs[k], rows[i].LogProbs[k] = int32((g*31+i*17+k*k)%150_000), -float32(g+i+k)/1000
			}
		}
		rec := encode(t, schemas.Rollouts(), memory.DefaultAllocator, rows)
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryDoesNotGrowWithTheFile reads a file of 100 groups, 4.4 MB, in the memory of a few batches.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const batch = BatchRows * 5500 // bytes
	for _, ending := range endings() {
		path := filepath.Join(t.TempDir(), "big"+ending)
		bigFile(t, path, 100)
		mem := &bounded{mem: memory.DefaultAllocator, limit: 4 * batch}
		r, err := open(path, schemas.KindRollouts, mem)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for {
			rec, err := r.Next()
			if err != nil {
				if rows != 800 {
					t.Errorf("%s: %d rows, %v", ending, rows, err)
				}
				break
			}
			rows += int(rec.NumRows())
			rec.Release()
		}
		r.Close()
		if mem.now != 0 {
			t.Errorf("%s: %d bytes were not given back", ending, mem.now)
		}
		if mem.peak > 4*batch {
			t.Errorf("%s: %d bytes at the peak", ending, mem.peak)
		}
		t.Logf("%s: peak of %d KB, a batch is about %d KB", ending, mem.peak>>10, batch>>10)
	}
}

// BenchmarkRead reads and decodes rollouts; MB/s are of tokens, log-probabilities and text.
func BenchmarkRead(b *testing.B) {
	for _, ending := range endings() {
		b.Run(ending, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "big"+ending)
			bigFile(b, path, 100)
			b.SetBytes(100 * 8 * 5500)
			for b.Loop() {
				r, err := Open(path, schemas.KindRollouts)
				if err != nil {
					b.Fatal(err)
				}
				if rows, _ := readAll(b, r, schemas.Rollouts()); len(rows) != 800 {
					b.Fatal(len(rows))
				}
			}
		})
	}
}

// BenchmarkIPC encodes and decodes one message of eight rollouts.
func BenchmarkIPC(b *testing.B) {
	rows := group("g", 8)
	for i := range rows {
		rows[i].Completion = strings.Repeat("x", 16384)
		rows[i].CompletionIDs, rows[i].LogProbs = make([]int32, 4096), make([]float32, 4096)
	}
	rec := encode(b, schemas.Rollouts(), memory.DefaultAllocator, rows)
	msg, err := EncodeIPC(rec)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(msg)))
		for b.Loop() {
			if _, err := EncodeIPC(rec); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(msg)))
		for b.Loop() {
			rec, err := DecodeIPC(msg, memory.DefaultAllocator)
			if err != nil {
				b.Fatal(err)
			}
			rec.Release()
		}
	})
}
