package checkpoint

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A range is the tensor's own elements; what is forgotten can be read again; and the file's name may go.
func TestRangesOfMappedFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	if err := Save(dir, testConfig(t), testTensors(0), SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, WeightsFile)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseTensors("memory", data)
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := OpenTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*File{read, mapped} {
		for _, name := range f.Names() {
			whole, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			want, err := whole.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			n := whole.Len()
			for _, c := range [][2]int{{0, n}, {0, 0}, {n, n}, {n / 3, n/3 + n/2}, {n - 1, n}} {
				part := whole.Range(c[0], c[1])
				got, err := part.Float32s()
				if err != nil || !slices.Equal(got, want[c[0]:c[1]]) || !slices.Equal(part.Shape, []int{c[1] - c[0]}) {
					t.Errorf("%s: elements %v are %v of shape %v, %v, want %v", name, c, got, part.Shape, err, want[c[0]:c[1]])
				}
				part.Forget()
			}
			whole.Forget()
			if again, err := whole.Float32s(); err != nil || !slices.Equal(again, want) {
				t.Errorf("%s: after Forget %v, %v, want %v", name, again, err, want)
			}
		}
	}
	for range 2 {
		if err := errors.Join(read.Close(), mapped.Close()); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenTensorsRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "short": "\x05\x00\x00\x00\x00\x00\x00\x00{"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenTensors(path); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenTensors(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := OpenTensors(dir); err == nil {
		t.Error("a folder opens")
	}
}

func TestRangePanics(t *testing.T) {
	tensor := Tensor{Name: "x", DType: BF16, raw: make([]byte, 8)}
	for _, c := range [][2]int{{-1, 2}, {3, 2}, {0, 5}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("elements %v of 4: no panic", c)
				}
			}()
			tensor.Range(c[0], c[1])
		}()
	}
}
