//go:build cuda

package driver

// #include <cuda.h>
import "C"

import (
	"unsafe"

	"gorgonia.org/cu"
)

// Alloc returns the address of n bytes of the thread's GPU, aligned to 256, for use in s from here on. Their content is
// undefined. The driver keeps a pool: what has been freed in s can be had again at once, without waiting for the GPU.
func (s Stream) Alloc(n int64) (uint64, error) {
	var addr C.CUdeviceptr
	err := result(C.cuMemAllocAsync(&addr, C.size_t(n), stream(s)))
	return uint64(addr), err
}

// Free returns memory of Alloc; what has been put into s up to here may still use it. Use in other streams must be over,
// or s must have been made to wait for it.
func (s Stream) Free(addr uint64) error {
	return result(C.cuMemFreeAsync(C.CUdeviceptr(addr), stream(s)))
}

// MemInfo returns the free and all the memory of the thread's GPU, in bytes.
func MemInfo() (free, total int64, err error) {
	free, total, err = cu.MemInfo()
	return free, total, of(err)
}

// AllocPinned returns n zeroed bytes of host memory that GPUs copy from and to by themselves; all contexts may use it. On
// the thread of any.
func AllocPinned(n int) ([]byte, error) {
	var p unsafe.Pointer
	if err := result(C.cuMemHostAlloc(&p, C.size_t(n), C.CU_MEMHOSTALLOC_PORTABLE)); err != nil {
		return nil, err
	}
	b := unsafe.Slice((*byte)(p), n)
	clear(b)
	return b, nil
}

// FreePinned frees memory of AllocPinned. No copy may be under way.
func FreePinned(b []byte) error { return of(cu.MemFreeHost(unsafe.Pointer(unsafe.SliceData(b)))) }

// stream is the handle of s. Those of package cu are structs of one word, and its C types are its own.
func stream(s Stream) C.CUstream { return *(*C.CUstream)(unsafe.Pointer(&s.s)) }
