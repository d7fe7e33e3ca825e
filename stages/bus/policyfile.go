package bus

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Policies on disk are named by their content: <sha-256>.safetensors. A file appears under its name
// only when all of it is on the disk, so a file with a right name is whole, and a process that dies
// while writing leaves nothing but a temporary that nobody reads.

const (
	policyExt = ".safetensors"
	// copyBuffer is large enough that hashing, not system calls, is what takes the time.
	copyBuffer = 1 << 20
)

func policyFile(dir, digest string) string { return filepath.Join(dir, digest+policyExt) }

// hashFile returns the digest and size of a file.
func hashFile(path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	size, err = io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{f}, make([]byte, copyBuffer))
	if err != nil {
		return "", 0, fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), size, nil
}

// checkFile reads a file and compares its digest.
func checkFile(path, digest string) error {
	got, size, err := hashFile(path)
	if err != nil {
		return err
	}
	if got != digest {
		return fmt.Errorf("%w: %s has %d bytes with sha-256 %s, expected %s", ErrDigest, path, size, got, digest)
	}
	return nil
}

// store writes what r delivers as the file of this digest in dir and returns its path. Other
// content is ErrDigest and leaves nothing behind.
func store(dir, digest string, r io.Reader) (path string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, ".policy-*.tmp")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	h := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(tmp, h), struct{ io.Reader }{r}, make([]byte, copyBuffer))
	if err != nil {
		return "", fmt.Errorf("writing %s: %w", policyFile(dir, digest), err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digest {
		return "", fmt.Errorf("%w: received %d bytes with sha-256 %s, expected %s", ErrDigest, n, got, digest)
	}
	if err := errors.Join(tmp.Chmod(0o644), tmp.Sync()); err != nil {
		return "", err
	}
	if err := tmp.Close(); err != nil {
		return "", err
	}
	path = policyFile(dir, digest)
	if err := os.Rename(tmp.Name(), path); err != nil {
		return "", err
	}
	return path, syncDir(dir)
}

// place makes the file of this digest in dir from a local file. A file that is there already and
// whole is kept.
func place(dir, digest, from string) (string, error) {
	path := policyFile(dir, digest)
	switch err := checkFile(path, digest); {
	case err == nil:
		return path, nil
	case errors.Is(err, ErrDigest), errors.Is(err, fs.ErrNotExist):
		// Damaged on the disk, or not there: write it.
	default:
		return "", err
	}
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return store(dir, digest, f)
}

// syncDir makes a rename in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Evict removes from dir the policy files (and temporaries) of all policies but those given. It is
// for the folder that [Policies.Open] downloads to; other files are left alone.
func Evict(dir string, keep ...Policy) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := make(map[string]bool)
	for _, p := range keep {
		kept[p.Digest] = true
	}
	var errs []error
	for _, e := range entries {
		digest, isPolicy := strings.CutSuffix(e.Name(), policyExt)
		isPolicy = isPolicy && validDigest(digest)
		isTemp := strings.HasPrefix(e.Name(), ".policy-") && strings.HasSuffix(e.Name(), ".tmp")
		if (isPolicy && !kept[digest]) || isTemp {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
