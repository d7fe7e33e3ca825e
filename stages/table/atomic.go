package table

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// atomicFile is a file that appears under its name only when commit succeeds. Until then it lies beside
// it under a hidden temporary name, so that the last step is a rename within one file system.
type atomicFile struct {
	*os.File
	path string // where it goes
	done bool
}

func createAtomic(path string) (*atomicFile, error) {
	// A link keeps pointing to what it pointed to; the file behind it is replaced.
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a regular file and can't be replaced", path)
	}
	dir, base := filepath.Split(path)
	for range 100 {
		// Not os.CreateTemp: that makes files which only their owner may read, whatever the umask says.
		tmp := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: create: %w", path, err)
		}
		return &atomicFile{File: f, path: path}, nil
	}
	return nil, fmt.Errorf("%s: create: no free temporary name in %s", path, dir)
}

// commit makes the bytes durable and then visible.
func (f *atomicFile) commit() error {
	if f.done {
		return nil
	}
	err := f.Sync()
	if err2 := f.File.Close(); err == nil {
		err = err2
	}
	f.done = true
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	// The rename itself must survive a power cut; where folders can't be synced there is nothing to do.
	if d, err := os.Open(filepath.Dir(f.path)); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

// discard removes the temporary file.
func (f *atomicFile) discard() error {
	if f.done {
		return nil
	}
	f.done = true
	f.File.Close()
	return os.Remove(f.Name())
}
