package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mappedBytes is the size of the mapping behind n values.
func mappedBytes(n int) uintptr { return (uintptr(n)*4 + hugeBytes - 1) &^ (hugeBytes - 1) }

func mapFloats(n int) []float32 {
	size := mappedBytes(n)
	base, err := unix.MmapPtr(-1, 0, nil, size+hugeBytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	// Give back what lies before and after the aligned part. A failure there only costs address space.
	head := -uintptr(base) & (hugeBytes - 1)
	p := unsafe.Add(base, head)
	if head > 0 {
		_ = unix.MunmapPtr(base, head)
	}
	if tail := hugeBytes - head; tail > 0 {
		_ = unix.MunmapPtr(unsafe.Add(p, size), tail)
	}
	// Huge pages are a wish: without them everything works, more slowly.
	_ = unix.Madvise(unsafe.Slice((*byte)(p), size), unix.MADV_HUGEPAGE)
	return unsafe.Slice((*float32)(p), n)
}

func unmapFloats(s []float32) {
	if err := unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(s)), mappedBytes(cap(s))); err != nil {
		panic("kernel: FreeFloats of a slice that AllocFloats did not return: " + err.Error())
	}
}
