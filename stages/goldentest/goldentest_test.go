package goldentest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func write(t *testing.T, path ...string) string {
	t.Helper()
	name := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(`{"a":[1]}`), 0o666); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestModelsIn(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	for _, dir := range []string{filepath.Join(a, "one"), filepath.Join(b, "one"), filepath.Join(b, "two")} {
		write(t, dir, "config.json")
		write(t, dir, "expected.json")
	}
	write(t, a, "weights-only", "config.json")
	write(t, a, "values-only", "expected.json")
	got, err := modelsIn(a, filepath.Join(a, "none"), b)
	if want := []string{filepath.Join(a, "one"), filepath.Join(b, "two")}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

// The model that comes with the source is found wherever the others are, or are not.
func TestOwnModel(t *testing.T) {
	t.Setenv(Variable, t.TempDir())
	models := Models(t)
	if len(models) == 0 || !filepath.IsAbs(models[0]) {
		t.Fatalf("found %v", models)
	}
	if _, err := os.Stat(filepath.Join(repository(t), own)); err != nil {
		t.Error(err)
	}
}

func TestPathAndDecode(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(Variable, dir)
	want := write(t, dir, "x.json")
	if got := Path(t, "x.json"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var into struct{ A []int }
	if Decode(t, want, &into); !slices.Equal(into.A, []int{1}) {
		t.Errorf("got %v", into)
	}
	skipped := false
	t.Run("absent", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		Path(t, "y.json")
		t.Error("a path that is not there")
	})
	if !skipped {
		t.Error("the test was not skipped")
	}
}
