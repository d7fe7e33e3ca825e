package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"openrs/stages/atomicfile"
)

// AdapterFile is the configuration of an adapter's folder, as PEFT has it: see stages/adapter.
const AdapterFile = "adapter_config.json"

// WriteFolder writes a folder of the given files alone, as [Save] writes that of a model: a reader never sees
// half of it, and what is there already is replaced if it looks like a model or an adapter.
func WriteFolder(dir string, files []ExtraFile) error {
	if err := writeFolder(dir, files); err != nil {
		return fmt.Errorf("save %s: %w", dir, err)
	}
	return nil
}

// writeFolder writes files into a temporary folder beside dir and puts it in dir's place.
func writeFolder(dir string, files []ExtraFile) error {
	// A link stays a link: what it points to is replaced.
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := checkReplaceable(dir); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, f := range files {
		if f.Name == "" || f.Name == "." || f.Name == ".." || filepath.Base(f.Name) != f.Name {
			return fmt.Errorf("expected a plain file name, found %q", f.Name)
		}
		if seen[f.Name] {
			return fmt.Errorf("file %s is given twice", f.Name)
		}
		seen[f.Name] = true
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	temp := tempName(dir)
	if err := os.Mkdir(temp, 0o777); err != nil {
		return err
	}
	if err := fillFolder(temp, files); err != nil {
		os.RemoveAll(temp)
		return err
	}
	if err := replaceDir(temp, dir); err != nil {
		os.RemoveAll(temp)
		return err
	}
	return atomicfile.SyncDir(parent)
}

func fillFolder(dir string, files []ExtraFile) error {
	for _, f := range files {
		write := f.Write
		if write == nil {
			write = func(w io.Writer) error {
				_, err := w.Write(f.Data)
				return err
			}
		}
		if err := writeSynced(filepath.Join(dir, f.Name), write); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return atomicfile.SyncDir(dir)
}

// checkReplaceable guards against a mistyped path: only what looks like the folder of a model or an adapter is replaced.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	model := len(entries) == 0
	for _, e := range entries {
		if e.IsDir() {
			return fmt.Errorf("%s exists and has the folder %s in it: not replaced, expected a model folder or a new name", dir, e.Name())
		}
		model = model || e.Name() == ConfigFile || e.Name() == AdapterFile
	}
	if !model {
		return fmt.Errorf("%s exists and has no %s: not replaced, expected a model folder or a new name", dir, ConfigFile)
	}
	return nil
}

// replaceDir puts temp in dir's place, by one exchange where the system has it. Without it there is
// a moment in which dir is absent and the old folder lies beside it, complete, under another name.
func replaceDir(temp, dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return os.Rename(temp, dir)
	}
	if exchange(temp, dir) == nil {
		return os.RemoveAll(temp) // now the old folder
	}
	return replaceByRenames(temp, dir)
}

func replaceByRenames(temp, dir string) error {
	old := filepath.Join(filepath.Dir(dir), fmt.Sprintf("%s.old-%08x", filepath.Base(dir), rand.Uint32()))
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return os.RemoveAll(old)
}

// tempName is a name beside path that no other writer uses; a reader of the folder can tell by it
// what a crash has left behind.
func tempName(path string) string {
	return fmt.Sprintf("%s.tmp-%08x", filepath.Clean(path), rand.Uint32())
}

// writeSynced creates a file, which must not exist, and returns when its bytes are on disk. Its name is
// final: it is the folder around it that is temporary.
func writeSynced(path string, write func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}
