package benchmark

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// fileNames says by what names a benchmark's data are kept. Names are compared
// without case and punctuation (see plain). stem and folder are regular
// expressions.
type fileNames struct {
	stem   string // a file's name without its ending: aime24.jsonl, gpqa_diamond.csv
	folder string // a data set's folder, as downloaded from Hugging Face: MATH-500, datasets--openai--gsm8k
	split  string // in such a folder, the part that is measured on: test-00000-of-00001.parquet
	part   string // in such a folder, the subset: gsm8k has main and socratic; "" for any
}

// endings are those of files with rows, in the order of preference when a
// folder has the same thing twice.
var endings = []string{".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".json.gz", ".json.zst", ".parquet", ".arrow", ".csv"}

// stem is a file's name without its ending, plain; ok is false for a file that
// has no rows.
func stem(path string) (name string, ok bool) {
	base := filepath.Base(path)
	for _, ending := range endings {
		if s, found := strings.CutSuffix(base, ending); found {
			return plain(s), true
		}
	}
	return "", false
}

// find returns the files with the data of b: data itself when it is a file;
// the files of the folder data that have one of the benchmark's names; the
// measured part of a subfolder with such a name; or of data itself.
func (f fileNames) find(b Benchmark, data string) ([]string, error) {
	if data == "" {
		return nil, fmt.Errorf("%w: its problems are not part of the program: want --data FOLDER with a file such as %s.jsonl, or a folder as downloaded from Hugging Face", ErrNoData, fileLike(b.Name))
	}
	info, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNoData, err)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{data}, nil
	}
	isFile, isFolder := regexp.MustCompile(f.stem), regexp.MustCompile(f.folder)
	entries, err := os.ReadDir(data)
	if err != nil {
		return nil, err
	}
	var files, folders []string
	for _, e := range entries {
		path := filepath.Join(data, e.Name())
		info, err := os.Stat(path) // follows links: Hugging Face's cache is made of them
		if err != nil {
			continue // a link to nothing
		}
		if info.IsDir() {
			if isFolder.MatchString(plain(e.Name())) {
				folders = append(folders, path)
			}
			continue
		}
		if name, ok := stem(path); ok && isFile.MatchString(name) {
			files = append(files, path)
		}
	}
	if len(files) > 0 {
		return oneOfEach(files)
	}
	if abs, err := filepath.Abs(data); err == nil && len(folders) == 0 && isFolder.MatchString(plain(filepath.Base(abs))) {
		folders = []string{data}
	}
	switch len(folders) {
	case 0:
		return nil, fmt.Errorf("%w: %s has no file or folder with a name of it (%s.jsonl, say)", ErrNoData, data, fileLike(b.Name))
	case 1:
		return f.within(folders[0])
	}
	return nil, fmt.Errorf("%w: several folders have its name: %s: want one, or name the file", ErrNoData, strings.Join(folders, ", "))
}

// fileLike is a benchmark's name as a file has it.
func fileLike(name string) string { return strings.ReplaceAll(name, ":", "_") }

// within finds the measured part in the folder of a data set.
func (f fileNames) within(folder string) ([]string, error) {
	var all []string
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, ok := stem(path); !ok || d.IsDir() {
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			all = append(all, path)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	inside := func(path string) string { // the path within the folder
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return path
		}
		return rel
	}
	isFile := regexp.MustCompile(f.stem)
	files := all
	// Each of these narrows the choice, if it leaves any.
	for _, keep := range []func(path string) bool{
		func(path string) bool { name, _ := stem(path); return isFile.MatchString(name) },
		func(path string) bool {
			return f.part == "" || slices.Contains(strings.Split(filepath.ToSlash(filepath.Dir(inside(path))), "/"), f.part)
		},
		func(path string) bool { return strings.Contains(filepath.ToSlash(inside(path)), f.split) },
	} {
		if some := slices.DeleteFunc(slices.Clone(files), func(p string) bool { return !keep(p) }); len(some) > 0 {
			files = some
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%w: %s has no file with rows (%s)", ErrNoData, folder, strings.Join(endings, " "))
	}
	return oneOfEach(files)
}

// oneOfEach puts the parts of a data set in order, and refuses the same part in
// two formats: which of the two is meant, only the user knows.
func oneOfEach(files []string) ([]string, error) {
	slices.Sort(files)
	seen := map[string]string{}
	for _, path := range files {
		name, _ := stem(path)
		name = filepath.Dir(path) + "/" + name
		if other, twice := seen[name]; twice {
			return nil, fmt.Errorf("%s and %s: want one of them, or name the file", other, path)
		}
		seen[name] = path
	}
	return files, nil
}
