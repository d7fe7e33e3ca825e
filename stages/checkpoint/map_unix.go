//go:build linux || darwin

package checkpoint

import (
	"fmt"
	"math"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps a whole file for reading. The mapping outlives the file's name, so a checkpoint may
// be replaced (by rename) while it is open.
func mapFile(path string) (content, error) {
	file, err := os.Open(path)
	if err != nil {
		return content{}, err
	}
	defer file.Close() // the mapping keeps what it needs
	info, err := file.Stat()
	if err != nil {
		return content{}, err
	}
	if !info.Mode().IsRegular() {
		return content{}, fmt.Errorf("%s: expected a regular file", path)
	}
	size := info.Size()
	if size == 0 {
		return content{}, nil // an empty mapping is an error of the system; the parser names the file
	}
	if size > math.MaxInt {
		return content{}, fmt.Errorf("%s: %d bytes are too many for this machine's addresses", path, size)
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return content{}, fmt.Errorf("map %s: %w", path, err)
	}
	return content{data: data, mapped: true, release: func() error { return unix.Munmap(data) }}, nil
}

// forget gives back the pages of a part of a mapped file, those that it shares with its neighbours
// included. That is a wish: a failure costs memory only.
func forget(part []byte) {
	if len(part) == 0 {
		return
	}
	start := unsafe.Pointer(unsafe.SliceData(part))
	before := uintptr(start) % uintptr(os.Getpagesize()) // a mapping starts with a page
	_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Add(start, -int(before))), int(before)+len(part)), unix.MADV_DONTNEED)
}
