//go:build unix

package checkpoint

import (
	"fmt"
	"math"
	"os"
	"syscall"
)

// mapFile maps a whole file for reading. The mapping outlives the file's name, so a checkpoint may
// be replaced (by rename) while it is open.
func mapFile(path string) ([]byte, func() error, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close() // the mapping keeps what it needs
	info, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%s: expected a regular file", path)
	}
	size := info.Size()
	if size == 0 {
		return nil, nil, nil // an empty mapping is an error of the system; the parser names the file
	}
	if size > math.MaxInt {
		return nil, nil, fmt.Errorf("%s: %d bytes are too many for this machine's addresses", path, size)
	}
	data, err := syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, fmt.Errorf("map %s: %w", path, err)
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
