package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// ErrNoFile marks a path or pattern at which there is no data file.
var ErrNoFile = errors.New("no data file")

// Found is what a path or a pattern stands for.
type Found struct {
	Files []string // sorted
	// Splits are files left out because they are of another split than the training part of the same
	// data set, as exports of Hugging Face name them (test-00000-of-00001.parquet, or test/ as a folder).
	Splits []string
	// One is set when the path names one file itself.
	One bool
}

// Source is the name of the rows of a file that have none of their own. A file that was named by itself
// gives its own name. One of a folder or pattern does, too, without the number of its part, but names
// that say nothing (train, data, part, default, or numbers) give way to the folder's above.
func (f Found) Source(file string) string {
	if f.One {
		return stem(file)
	}
	for name, dir := shard.ReplaceAllString(stem(file), ""), filepath.Dir(file); ; name, dir = filepath.Base(dir), filepath.Dir(dir) {
		switch {
		case name == "." || name == ".." || name == string(filepath.Separator):
			return stem(file)
		case !saysNothing.MatchString(name):
			return name
		}
	}
}

var (
	shard       = regexp.MustCompile(`([-_.](\d{5,}|[0-9a-f]{16})|[-_]of[-_]\d+)+$`)
	saysNothing = regexp.MustCompile(`(?i)^(train|training|test|val|valid|validation|dev|eval|data|part|shard|default|main|all|raw|files?|\d*)$`)
	training    = regexp.MustCompile(`(?i)^(train|training)([-_.].*)?$`)
	held        = regexp.MustCompile(`(?i)^(test|val|valid|validation|dev|eval)([-_.].*)?$`)
)

// endings are those of files that table.OpenRows reads.
var endings = []string{".parquet", ".arrow", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".json", ".json.gz", ".json.zst"}

// about are JSON files that describe a data set and hold none of its rows.
var about = []string{"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json"}

func isData(name string) bool {
	if strings.HasPrefix(name, ".") || slices.Contains(about, name) {
		return false
	}
	return slices.ContainsFunc(endings, func(e string) bool { return strings.HasSuffix(strings.ToLower(name), e) })
}

// Find lists the data files that a path stands for: the file itself, all data files in and below a
// folder, or those that fit a pattern (as in path.Match, and ** for any number of folders). Of a folder with
// files of a training part and of others only the former are taken. When there is none the error wraps
// ErrNoFile.
func Find(name string) (Found, error) {
	st, err := os.Stat(name)
	switch {
	case err == nil && !st.IsDir():
		return Found{Files: []string{name}, One: true}, nil
	case err == nil:
		files, err := below(name, func(string) bool { return true })
		if err != nil {
			return Found{}, err
		}
		found := splits(name, files)
		if len(found.Files) == 0 {
			return found, fmt.Errorf("%s: %w in this folder: want files ending in %s", name, ErrNoFile, strings.Join(endings, ", "))
		}
		return found, nil
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(name, "*?["):
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrNoFile, err)
		}
		return Found{}, err
	}
	pattern := filepath.ToSlash(filepath.Clean(name))
	if _, err := path.Match(strings.ReplaceAll(pattern, "**", "*"), ""); err != nil {
		return Found{}, fmt.Errorf("%s: %w", name, err)
	}
	root := fixedPart(pattern)
	files, err := below(filepath.FromSlash(root), func(file string) bool {
		return match(strings.Split(pattern, "/"), strings.Split(filepath.ToSlash(file), "/"))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Found{}, err
	}
	if len(files) == 0 {
		return Found{}, fmt.Errorf("%s: %w fits this pattern", name, ErrNoFile)
	}
	return Found{Files: files}, nil
}

// fixedPart is the folder above the first part of a pattern that is one.
func fixedPart(pattern string) string {
	var fixed []string
	for part := range strings.SplitSeq(pattern, "/") {
		if strings.ContainsAny(part, `*?[\`) {
			break
		}
		fixed = append(fixed, part)
	}
	switch root := strings.Join(fixed, "/"); {
	case root == "" && strings.HasPrefix(pattern, "/"):
		return "/"
	case root == "":
		return "."
	default:
		return root
	}
}

// match tells whether a path fits a pattern, part by part.
func match(pattern, parts []string) bool {
	if len(pattern) == 0 {
		return len(parts) == 0
	}
	if pattern[0] == "**" {
		return match(pattern[1:], parts) || len(parts) > 0 && match(pattern, parts[1:])
	}
	if len(parts) == 0 {
		return false
	}
	ok, _ := path.Match(pattern[0], parts[0]) // a bad pattern was refused before
	return ok && match(pattern[1:], parts[1:])
}

// below lists the data files in and below a folder that are wanted. Hidden folders are passed over.
func below(root string, want func(string) bool) ([]string, error) {
	var files []string
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != root && strings.HasPrefix(d.Name(), ".") {
				return fs.SkipDir
			}
			return nil
		}
		if isData(d.Name()) && want(file) {
			files = append(files, file)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// splits takes the training part of a folder's files if they have such parts.
func splits(root string, files []string) Found {
	found := Found{}
	is := func(file string, split *regexp.Regexp) bool {
		inner, err := filepath.Rel(root, file)
		if err != nil {
			inner = filepath.Base(file)
		}
		return slices.ContainsFunc(strings.Split(filepath.ToSlash(inner), "/"), split.MatchString)
	}
	some := slices.ContainsFunc(files, func(f string) bool { return is(f, training) })
	for _, f := range files {
		if some && !is(f, training) && is(f, held) {
			found.Splits = append(found.Splits, f)
		} else {
			found.Files = append(found.Files, f)
		}
	}
	return found
}

// stem is a file's name without its folder and its endings.
func stem(name string) string {
	base := filepath.Base(name)
	for _, ext := range []string{".gz", ".zst"} {
		base = strings.TrimSuffix(base, ext)
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}
