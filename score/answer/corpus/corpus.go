// Package corpus reads the inputs that hours of fuzzing have found to reach new code, for fuzz targets to
// begin with and for every test run to try.
package corpus

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// Read returns the inputs of a file, each of which has n strings: a line each, as quoted Go strings
// between spaces. Lines that begin with # are comments.
func Read(t testing.TB, path string, n int) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]string
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var input []string
		for rest := line; rest != ""; {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				t.Fatalf("%s:%d: %v: %q", path, i+1, err, rest)
			}
			s, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatalf("%s:%d: %v: %s", path, i+1, err, quoted)
			}
			input = append(input, s)
			rest = strings.TrimPrefix(rest[len(quoted):], " ")
		}
		if len(input) != n {
			t.Fatalf("%s:%d: %d strings, expected %d", path, i+1, len(input), n)
		}
		out = append(out, input)
	}
	return out
}
