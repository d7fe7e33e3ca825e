package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// Write makes the file at path from what write writes. On an error, write's own included, path keeps
// what it had, and nothing is left beside it.
func Write(path string, write func(io.Writer) error) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", path, err), f.Discard())
	}
	return f.Commit()
}

// File is a file that appears under its name when it is committed. Until then it lies beside it, under
// a hidden temporary name, so that the last step is a rename within one file system. It ends with
// [File.Commit] or [File.Discard]; the second of them does nothing.
type File struct {
	*os.File
	name string // as the caller knows it, for errors
	path string // where it goes
	done bool
}

// Create starts a file that will go to path. A symbolic link there stays: what it points to is replaced.
// Anything but a regular file (a folder, a device) is refused. The file gets the permissions of any new
// file. Errors name path.
func Create(path string) (*File, error) {
	name := path
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: it is not a regular file and can't be replaced", name)
	}
	dir, base := filepath.Split(path)
	for range 100 {
		// Not os.CreateTemp: that makes files which only their owner may read, whatever the umask says.
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", base, rand.Uint32()))
		f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: create: %w", name, err)
		}
		return &File{File: f, name: name, path: path}, nil
	}
	return nil, fmt.Errorf("%s: create: no free temporary name in %s", name, dir)
}

// Commit puts the file in its place once its bytes are on the disk, and returns when its name is, too.
// On an error the place keeps what it had, except where only the last of this failed: then the new file
// is there, but a power failure may bring the old one back.
func (f *File) Commit() error {
	if f.done {
		return nil
	}
	f.done = true
	err := errors.Join(f.Sync(), f.File.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return fmt.Errorf("%s: write: %w", f.name, errors.Join(err, os.Remove(f.Name())))
	}
	if err := SyncDir(filepath.Dir(f.path)); err != nil {
		return fmt.Errorf("%s: write: %w", f.name, err)
	}
	return nil
}

// Discard removes the temporary file and leaves the place as it is.
func (f *File) Discard() error {
	if f.done {
		return nil
	}
	f.done = true
	f.File.Close() // whether all of it was written does not matter any more
	if err := os.Remove(f.Name()); err != nil {
		return fmt.Errorf("%s: discard: %w", f.name, err)
	}
	return nil
}
