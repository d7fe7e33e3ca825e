package corpus

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.corpus")
	if err := os.WriteFile(path, []byte("# why\n\"a b\" \"\\x80\\\"\"\n\"\" \"#\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, want := Read(t, path, 2), [][]string{{"a b", "\x80\""}, {"", "#"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
