package load

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{
		"one.jsonl", "two.json.gz", "notes.txt", "dataset_info.json",
		"s1/data/train-00000-of-00002.parquet", "s1/data/train-00001-of-00002.parquet", "s1/data/test-00000-of-00001.parquet", "s1/.cache/x.parquet",
		"deep/main/train/0000.parquet", "deep/main/test/0000.parquet",
		"set/aime.jsonl", "set/gsm8k.jsonl", "set/.hidden.jsonl",
		"empty/readme.md",
	} {
		file := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name, path string
		want       []string // file=source
		splits     int
	}{
		{"a file", "one.jsonl", []string{"one.jsonl=one"}, 0},
		{"a part by itself", "s1/data/train-00000-of-00002.parquet", []string{"s1/data/train-00000-of-00002.parquet=train-00000-of-00002"}, 0},
		{"an export", "s1", []string{"s1/data/train-00000-of-00002.parquet=s1", "s1/data/train-00001-of-00002.parquet=s1"}, 1},
		{"splits as folders", "deep", []string{"deep/main/train/0000.parquet=deep"}, 1},
		{"several data sets", "set", []string{"set/aime.jsonl=aime", "set/gsm8k.jsonl=gsm8k"}, 0},
		{"a pattern", "s1/data/train-*.parquet", []string{"s1/data/train-00000-of-00002.parquet=s1", "s1/data/train-00001-of-00002.parquet=s1"}, 0},
		{"a pattern takes what it says", "s1/data/t*t-*.parquet", []string{"s1/data/test-00000-of-00001.parquet=s1"}, 0},
		{"folders in a pattern", "*/*/train-00000*", []string{"s1/data/train-00000-of-00002.parquet=s1"}, 0},
		{"any folders", "**/train*/*.parquet", []string{"deep/main/train/0000.parquet=deep"}, 0},
		{"none or more folders", "**/*.json*", []string{"one.jsonl=one", "set/aime.jsonl=aime", "set/gsm8k.jsonl=gsm8k", "two.json.gz=two"}, 0},
		{"a character of several", "set/[a-b]*.jsonl", []string{"set/aime.jsonl=aime"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := Find(filepath.Join(root, filepath.FromSlash(c.path)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found.Files {
				rel, err := filepath.Rel(root, f)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, filepath.ToSlash(rel)+"="+found.Source(f))
			}
			if !slices.Equal(got, c.want) || len(found.Splits) != c.splits {
				t.Errorf("got %v and %d of other splits, want %v and %d", got, len(found.Splits), c.want, c.splits)
			}
		})
	}
	for path, want := range map[string]string{
		"absent.jsonl":      "absent.jsonl",
		"empty":             "in this folder",
		"absent/*.parquet":  "fits this pattern",
		"s1/data/dev-*.par": "fits this pattern",
	} {
		if _, err := Find(filepath.Join(root, path)); !errors.Is(err, ErrNoFile) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := Find(filepath.Join(root, "[")); err == nil || errors.Is(err, ErrNoFile) {
		t.Errorf("a bad pattern: %v", err)
	}
}

func TestSourceOfFilesWithoutNames(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("train-00000-of-00001.parquet", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	found, err := Find("*.parquet")
	if err != nil {
		t.Fatal(err)
	}
	if got := found.Source(found.Files[0]); got != "train-00000-of-00001" {
		t.Errorf("got %q", got)
	}
}
