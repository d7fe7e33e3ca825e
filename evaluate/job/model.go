package job

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Model is what answers.
type Model struct {
	Name    string // in the report, and, made safe, of its files
	Path    string // as generate's --model takes it
	Digest  string // of its files, so that other weights under the same path are noticed; "" for a model inside the binaries
	Version int64  // that its rollouts are marked with
}

// ParseModel reads `[NAME=]MODEL`, the model being a folder, tiny or shape:NAME, and takes the digest of a
// folder's files.
func ParseModel(spec string) (Model, error) {
	name, path, named := strings.Cut(spec, "=")
	if !named {
		path = spec
		name = filepath.Base(filepath.Clean(spec))
	}
	if name == "" || path == "" {
		return Model{}, fmt.Errorf("--model %q: expected [NAME=]MODEL", spec)
	}
	digest, err := Fingerprint(path)
	if err != nil {
		return Model{}, fmt.Errorf("--model: %w", err)
	}
	return Model{Name: name, Path: path, Digest: digest}, nil
}

// File is the model's name as it stands in file names.
func (m Model) File() string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '_'
	}, m.Name)
}

// Setting is the model as finished samples depend on it: a folder may be moved.
func (m Model) Setting() Setting {
	if m.Digest == "" {
		return Setting{"model " + m.Name, m.Path}
	}
	return Setting{"model " + m.Name, "a folder with digest " + m.Digest}
}

// String is the model as a report shows it.
func (m Model) String() string {
	if m.Digest == "" {
		return m.Path
	}
	return fmt.Sprintf("%s (digest %s)", m.Path, m.Digest)
}

// CheckModels refuses models that can't be told apart.
func CheckModels(models []Model) error {
	if len(models) == 0 {
		return errors.New("expected --model: a Hugging Face folder, tiny, or shape:NAME")
	}
	files := map[string]string{}
	for _, m := range models {
		if other, taken := files[m.File()]; taken {
			return fmt.Errorf("models %s and %s: expected names of their own, such as --model before=%s", other, m.Path, other)
		}
		files[m.File()] = m.Path
	}
	return nil
}

// Fingerprint is a digest of everything that a model folder's answers depend on: its weights, configuration,
// tokenizer and templates. A model inside the binaries has none but its name: "".
func Fingerprint(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) && !strings.ContainsRune(path, filepath.Separator) {
		return "", nil // tiny, shape:NAME; whether there is one is for generate to say
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s: expected a model folder", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for _, e := range entries { // in the order of their names
		if !slices.Contains([]string{".safetensors", ".json", ".jinja", ".txt", ".model"}, filepath.Ext(e.Name())) {
			continue
		}
		file := filepath.Join(path, e.Name())
		sum := sha256.New()
		if err := copyFile(sum, file, buf); err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %x\n", e.Name(), sum.Sum(nil))
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

func copyFile(w io.Writer, path string, buf []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{f}, buf)
	return err
}
