// Package goldentest finds the files of expected numbers that tests compare with: models with what
// another implementation computed with them, and tables for losses, optimizers and data types. They lie
// in the folder that OPENRS_GOLDEN names, or in ../shared/golden beside the repository; one of the models
// comes with the source. What the numbers mean is known to the tests.
package goldentest

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// Variable is the environment variable that names the folder.
const Variable = "OPENRS_GOLDEN"

// own is where the model that comes with the source lies, from the repository's root.
var own = filepath.Join("stages", "model", "testdata", "golden")

// Path returns the path of a file or folder. The test is skipped when it is not there.
func Path(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no expected values: name the folder of %s in %s (%v)", name, Variable, err)
	}
	return path
}

// Models returns the folders of models with expected values (config.json and expected.json, beside the
// weights). A model that comes with the source is used from there only if the folder lacks it.
func Models(t testing.TB) []string {
	t.Helper()
	models, err := modelsIn(root(t), filepath.Join(repository(t), own))
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 {
		t.Skipf("no models with expected values: name a folder of them in %s", Variable)
	}
	return models
}

// modelsIn looks for models in the folders; of those with the same name the first counts.
func modelsIn(folders ...string) (models []string, err error) {
	var names []string
	for _, folder := range folders {
		found, err := filepath.Glob(filepath.Join(folder, "*", "expected.json"))
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			dir := filepath.Dir(path)
			if _, err := os.Stat(filepath.Join(dir, "config.json")); errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, err
			}
			if name := filepath.Base(dir); !slices.Contains(names, name) {
				names, models = append(names, name), append(models, dir)
			}
		}
	}
	return models, nil
}

// Decode reads a JSON file.
func Decode(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// root is the folder of the expected values, which need not exist.
func root(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv(Variable); dir != "" {
		return dir
	}
	return filepath.Join(repository(t), "..", "shared", "golden")
}

// repository is the root of the module: a test runs in its package's folder, somewhere below it.
func repository(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = parent
	}
}
