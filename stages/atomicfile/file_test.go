package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// text writes s and then returns err.
func text(s string, err error) func(io.Writer) error {
	return func(w io.Writer) error {
		if _, err := io.WriteString(w, s); err != nil {
			return err
		}
		return err
	}
}

// shows checks the content of a file, and that its folder has these names only.
func shows(t *testing.T, path, want string, names ...string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s has %q, %v; want %q", path, got, err, want)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range entries {
		found = append(found, e.Name())
	}
	if !slices.Equal(found, names) {
		t.Errorf("the folder has %v, want %v", found, names)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := Write(path, text("one", nil)); err != nil {
		t.Fatal(err)
	}
	shows(t, path, "one", "state.json")
	err := Write(path, text("half", io.ErrShortWrite))
	if !errors.Is(err, io.ErrShortWrite) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want the writer's error and the path", err)
	}
	shows(t, path, "one", "state.json")
	if err := Write(path, text("", nil)); err != nil {
		t.Fatal(err)
	}
	shows(t, path, "", "state.json")
}

// A name in the working folder has no folder of its own to put the temporary file in.
func TestBareName(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("state.json", text("one", nil)); err != nil {
		t.Fatal(err)
	}
	shows(t, "state.json", "one", "state.json")
}

func TestNothingShowsBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	f, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("new"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Commit: %v", err)
	}
	if err := errors.Join(f.Commit(), f.Commit(), f.Discard()); err != nil {
		t.Error(err)
	}
	shows(t, path, "new", "a")
	if f, err = Create(path); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Discard(), f.Discard(), f.Commit()); err != nil {
		t.Error(err)
	}
	shows(t, path, "new", "a")
}

// Two writers of one file do not disturb each other: the last to commit wins.
func TestTwoWriters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	err := Write(path, func(w io.Writer) error {
		if err := Write(path, text("inner", nil)); err != nil {
			return err
		}
		_, err := io.WriteString(w, "outer")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	shows(t, path, "outer", "a")
}

func TestLinksStay(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	link, target := filepath.Join(dir, "link"), filepath.Join(other, "target")
	if err := os.WriteFile(target, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if err := Write(link, text("new", nil)); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", st, err)
	}
	shows(t, target, "new", "target")
	shows(t, link, "new", "link")
}

// The file may be read by whom a file made in the ordinary way may be.
func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "whole"), text("x", nil)); err != nil {
		t.Fatal(err)
	}
	plain, err := os.Stat(filepath.Join(dir, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	if whole, err := os.Stat(filepath.Join(dir, "whole")); err != nil || whole.Mode() != plain.Mode() {
		t.Errorf("mode %v, %v; want %v", whole.Mode(), err, plain.Mode())
	}
}

func TestRefused(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ path, want string }{
		{dir, "not a regular file"},
		{os.DevNull, "not a regular file"},
		{filepath.Join(dir, "no", "such"), "create"},
	} {
		err := Write(c.path, func(io.Writer) error { t.Errorf("%s: written", c.path); return nil })
		if err == nil || !strings.HasPrefix(err.Error(), c.path+": ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.path, err, c.want)
		}
	}
	// The place is taken by a folder while the file is written.
	path := filepath.Join(dir, "late")
	err := Write(path, func(io.Writer) error { return os.Mkdir(path, 0o777) })
	if err == nil || !strings.HasPrefix(err.Error(), path+": write: ") {
		t.Errorf("got %v, want an error of the rename", err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}
