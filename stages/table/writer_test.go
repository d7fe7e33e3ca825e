package table

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"openrs/schemas"
)

// fullDisk fails once it has taken some bytes.
type fullDisk struct {
	w    io.Writer
	left int
}

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.left {
		n, _ := d.w.Write(b[:d.left])
		d.left = 0
		return n, syscall.ENOSPC
	}
	d.left -= len(b)
	return d.w.Write(b)
}

// folderHas fails the test unless a folder holds exactly these files.
func folderHas(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("folder has %v, want %v", got, want)
	}
}

func holds(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); string(got) != want || err != nil {
		t.Errorf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func TestFullDisk(t *testing.T) {
	for _, ending := range endings() {
		for _, left := range []int{0, 40, 700} {
			dir := t.TempDir()
			path := filepath.Join(dir, "out"+ending)
			if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
				t.Fatal(err)
			}
			f, err := formatOf(path, func(f format) bool { return f.create != nil })
			if err != nil {
				t.Fatal(err)
			}
			w, err := createFile(path, schemas.KindRollouts, f, func(w io.Writer) io.Writer { return &fullDisk{w, left} })
			if err != nil {
				t.Fatal(err)
			}
			// Random text does not compress, so that every format outgrows the disk.
			var failed error
			for range 40 {
				rows := group("g", 20)
				for i := range rows {
					rows[i].Completion = randomText(4000)
				}
				rec := encode(t, schemas.Rollouts(), checked(t), rows)
				err := w.Write(rec)
				rec.Release()
				if failed != nil && err != failed {
					t.Errorf("%s: second error %v after %v", ending, err, failed)
				}
				failed = err
			}
			err = w.Close()
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s with %d bytes left: got %v", ending, left, err)
			}
			if err2 := w.Close(); err2 != err {
				t.Errorf("%s: second Close: %v", ending, err2)
			}
			holds(t, path, "old")
			folderHas(t, dir, "out"+ending)
		}
	}
}

func randomText(n int) string {
	var b strings.Builder
	x := uint64(n)
	for range n {
		x = x*6364136223846793005 + 1442695040888963407
		b.WriteByte(' ' + byte(x>>33)%95)
	}
	return b.String()
}

func TestAbortAndErrorsKeepTheOldFile(t *testing.T) {
	for _, ending := range endings() {
		dir := t.TempDir()
		path := filepath.Join(dir, "out"+ending)
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		start := func() Writer {
			w, err := Create(path, schemas.KindRollouts)
			if err != nil {
				t.Fatal(err)
			}
			rec := encode(t, schemas.Rollouts(), checked(t), group("a", 2))
			defer rec.Release()
			if err := w.Write(rec); err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := start()
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("Close after Abort: %v", err)
		}
		holds(t, path, "old")
		folderHas(t, dir, "out"+ending)

		w = start()
		wrong := encode(t, schemas.Metrics(), checked(t), someMetrics())
		defer wrong.Release()
		if err := w.Write(wrong); !errors.Is(err, schemas.ErrKind) || !strings.Contains(err.Error(), path) {
			t.Errorf("wrong kind: %v", err)
		}
		if err := w.Close(); !errors.Is(err, schemas.ErrKind) {
			t.Errorf("Close after an error: %v", err)
		}
		holds(t, path, "old")
		folderHas(t, dir, "out"+ending)

		w = start()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if err := w.Abort(); err != nil {
			t.Errorf("Abort after Close: %v", err)
		}
		folderHas(t, dir, "out"+ending)
		rec := encode(t, schemas.Rollouts(), checked(t), group("a", 2))
		defer rec.Release()
		if err := w.Write(rec); !errors.Is(err, errClosed) {
			t.Errorf("Write after Close: %v", err)
		}
		r, err := Open(path, schemas.KindRollouts)
		if err != nil {
			t.Fatal(err)
		}
		if rows, _ := readAll(t, r, schemas.Rollouts()); len(rows) != 2 {
			t.Errorf("%s: %d rows", ending, len(rows))
		}
	}
}

func TestCreateFollowsLinksAndModes(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real.jsonl"), filepath.Join(dir, "link.jsonl")
	if err := os.WriteFile(real, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	writeFile(t, link, schemas.Metrics(), someMetrics())
	if st, err := os.Lstat(link); err != nil || st.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v", err)
	}
	plain := filepath.Join(dir, "plain.jsonl")
	if err := os.WriteFile(plain, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	want, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.Stat(real); err != nil || got.Mode() != want.Mode() || got.Size() < 10 {
		t.Errorf("got %v, want the mode of any new file %v", got, want.Mode())
	}
	if err := os.Mkdir(filepath.Join(dir, "d.arrow"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "d.arrow"), filepath.Join(dir, "no", "such.arrow")} {
		if _, err := Create(path, schemas.KindMetrics); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestAbortedStreamHasNoEnd(t *testing.T) {
	var b strings.Builder
	w, err := CreateStream(&b, schemas.KindRollouts)
	if err != nil {
		t.Fatal(err)
	}
	rec := encode(t, schemas.Rollouts(), checked(t), group("a", 2))
	defer rec.Release()
	if err := w.Write(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	r, err := openStream("in", strings.NewReader(b.String()), schemas.KindRollouts, checked(t))
	if err != nil {
		t.Fatal(err)
	}
	rows, _, err := drain(r, schemas.Rollouts())
	if len(rows) != 2 || !errors.Is(err, ErrTruncated) {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
