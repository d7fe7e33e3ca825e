package benchmark

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Content is a hash of what the rows of a benchmark say: of each question, its
// gold answers and its options. White space, the order of the rows, the other
// columns and the file format do not enter, so the same rows as Parquet and as
// JSON lines have the same hash; a changed word does.
func Content(items []item) string {
	rows := make([]string, len(items))
	for i, it := range items {
		h := sha256.New()
		for _, part := range append(append([]string{it.question}, it.golds...), it.choices...) {
			io.WriteString(h, solid(part))
			h.Write([]byte{0})
		}
		rows[i] = string(h.Sum(nil))
	}
	slices.Sort(rows)
	sum := sha256.Sum256([]byte(strings.Join(rows, "")))
	return hex.EncodeToString(sum[:8])
}

// solid is a text without white space.
func solid(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
}
