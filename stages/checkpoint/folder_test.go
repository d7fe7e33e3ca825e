package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func testConfig(t *testing.T) Config {
	t.Helper()
	cfg, err := ParseConfig([]byte(with("torch_dtype", `"float32"`, "eos_token_id", "5")))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func testTensors(offset float32) []NamedTensor {
	var out []NamedTensor
	for i := range 5 {
		values := make([]float32, 10)
		for j := range values {
			values[j] = offset + float32(10*i+j)
		}
		out = append(out, NamedTensor{Name: fmt.Sprintf("t%d", i), Shape: []int{2, 5}, Values: values})
	}
	return out
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestSaveAndOpen(t *testing.T) {
	extra := []ExtraFile{{Name: "tokenizer.json", Data: []byte("{}")},
		{Name: GenerationFile, Write: func(w io.Writer) error { _, err := io.WriteString(w, `{"eos_token_id": [6, 7]}`); return err }}}
	for _, c := range []struct {
		limit int64
		files []string
	}{
		{0, []string{"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"}},
		{80, []string{"config.json", "generation_config.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
			"model-00003-of-00003.safetensors", "model.safetensors.index.json", "tokenizer.json"}},
		{1, nil},
	} {
		parent := t.TempDir()
		dir := filepath.Join(parent, "runs", "a")
		for _, offset := range []float32{0, 100} { // the second replaces the first, which is still open
			opt := SaveOptions{MaxShardBytes: c.limit, Files: extra}
			if err := Save(dir, testConfig(t), testTensors(offset), opt); err != nil {
				t.Fatal(err)
			}
			f, err := OpenDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				tensor, err := f.Tensor("t4")
				if err != nil {
					t.Fatal(err)
				}
				if v, err := tensor.Float32s(); err != nil || v[0] != offset+40 {
					t.Errorf("the open folder changed under its reader: %v, %v", v, err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			})
			if got := listing(t, dir); c.files != nil && !slices.Equal(got, c.files) {
				t.Errorf("limit %d: expected %v, found %v", c.limit, c.files, got)
			}
			if got := listing(t, filepath.Dir(dir)); len(got) != 1 {
				t.Errorf("left beside the folder: %v", got)
			}
			for _, want := range testTensors(offset) {
				tensor, err := f.Tensor(want.Name)
				if err != nil {
					t.Fatal(err)
				}
				if v, err := tensor.Float32s(); err != nil || !slices.Equal(v, want.Values) {
					t.Errorf("%s: expected %v, found %v, %v", want.Name, want.Values, v, err)
				}
			}
			if got := f.EOS(); !slices.Equal(got, []int32{6, 7}) {
				t.Errorf("eos: expected those of the generation configuration, found %v", got)
			}
			files, err := Companions(os.DirFS(dir))
			if err != nil || len(files) != 2 {
				t.Errorf("companions: found %v, %v", files, err)
			}
		}
	}
}

func TestSaveKeepsWhatWasThere(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "model")
	if err := Save(dir, testConfig(t), testTensors(0), SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no more")
	bad := testTensors(1)
	bad[3].Values, bad[3].Read = nil, func() ([]float32, error) { return nil, failed }
	if err := Save(dir, testConfig(t), bad, SaveOptions{}); !errors.Is(err, failed) || !strings.Contains(err.Error(), "t3") {
		t.Errorf("expected the reader's error, found %v", err)
	}
	for name, opt := range map[string]SaveOptions{
		"twice":      {Files: []ExtraFile{{Name: ConfigFile}}},
		"plain file": {Files: []ExtraFile{{Name: "../x"}}},
		"data type":  {DType: "I8"},
		"shard size": {MaxShardBytes: -1},
	} {
		if err := Save(dir, testConfig(t), testTensors(1), opt); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: found %v", name, err)
		}
	}
	after, err := os.ReadFile(filepath.Join(dir, WeightsFile))
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the old weights changed: %v", err)
	}
	if got := listing(t, parent); !slices.Equal(got, []string{"model"}) {
		t.Errorf("left behind: %v", got)
	}
	// What does not look like a model folder is not replaced.
	for _, c := range []struct{ file, want string }{{"home/letter.txt", "has no config.json"}, {"repo/.git/config", "has the folder .git"}} {
		path := filepath.Join(parent, c.file)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
		target := filepath.Join(parent, strings.Split(c.file, "/")[0])
		if err := Save(target, testConfig(t), testTensors(1), SaveOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected %q, found %v", c.file, c.want, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

// With an exchange of names and without one, the new folder ends in the same place.
func TestReplaceDir(t *testing.T) {
	for name, replace := range map[string]func(temp, dir string) error{"best": replaceDir, "renames": replaceByRenames} {
		t.Run(name, func(t *testing.T) { testReplace(t, replace) })
	}
}

func testReplace(t *testing.T, replace func(temp, dir string) error) {
	parent := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.Mkdir(filepath.Join(parent, name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(parent, name, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := replace(filepath.Join(parent, "a"), filepath.Join(parent, "b")); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, filepath.Join(parent, "b")); !slices.Equal(got, []string{"a"}) {
		t.Errorf("expected the new folder, found %v", got)
	}
	if got := listing(t, parent); !slices.Equal(got, []string{"b"}) {
		t.Errorf("left behind: %v", got)
	}
}

// Each way in which a sharded folder can be broken is an error that names the file and the tensor.
func TestBrokenFolders(t *testing.T) {
	shard := "model-00002-of-00003.safetensors"
	edit := func(name, from, to string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), from, to, 1)
			if changed == string(text) {
				t.Fatalf("%s has no %s", name, from)
			}
			if err := os.WriteFile(path, []byte(changed), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(names ...string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(*testing.T, string)
		want  []string
	}{
		{"missing shard", remove(shard), []string{shard, IndexFile}},
		{"missing config", remove(ConfigFile), []string{ConfigFile}},
		{"broken config", edit(ConfigFile, `"hidden_size": 64`, `"hidden_size": "64"`), []string{ConfigFile, "hidden_size", "integer", `"64"`}},
		{"no weights", remove(IndexFile), []string{"expected model.safetensors or model.safetensors.index.json"}},
		{"not in its shard", edit(shard, `"t3"`, `"t9"`), []string{shard, "t3"}},
		{"listed nowhere", edit(IndexFile, `"t3": "model-00002-of-00003.safetensors",`, ``), []string{shard, "t3", "not listed"}},
		{"index is no JSON", edit(IndexFile, "{", "["), []string{IndexFile}},
		{"shard elsewhere", edit(IndexFile, `"model-00003-of-00003.safetensors"`, `"../x.safetensors"`), []string{IndexFile, "../x.safetensors"}},
		{"truncated shard", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, shard), 200); err != nil {
				t.Fatal(err)
			}
		}, []string{shard}},
		{"empty shard", func(t *testing.T, dir string) {
			if err := os.Truncate(filepath.Join(dir, shard), 0); err != nil {
				t.Fatal(err)
			}
		}, []string{shard, "found 0 bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "m")
			if err := Save(dir, testConfig(t), testTensors(0), SaveOptions{MaxShardBytes: 80}); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, dir)
			_, err := OpenDir(dir)
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("expected %q, found %v", want, err)
				}
			}
		})
	}
	if _, err := OpenDir(filepath.Join(t.TempDir(), "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("expected not to exist, found %v", err)
	}
	dir := filepath.Join(t.TempDir(), "m")
	if err := Save(dir, testConfig(t), nil, SaveOptions{}); err != nil {
		t.Fatal(err)
	}
	f, err := OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Tensor("lm_head.weight"); !errors.Is(err, ErrNoTensor) || !strings.Contains(err.Error(), "lm_head.weight") {
		t.Errorf("expected ErrNoTensor, found %v", err)
	}
}
