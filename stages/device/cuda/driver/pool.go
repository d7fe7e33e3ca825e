//go:build cuda

package driver

// #include <cuda.h>
//
// static CUresult allow(CUmemoryPool pool, int ordinal) {
//   CUmemAccessDesc d = {{CU_MEM_LOCATION_TYPE_DEVICE, ordinal}, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
//   return cuMemPoolSetAccess(pool, &d, 1);
// }
import "C"

import (
	"math"
	"unsafe"
)

// pool is where a GPU's [Stream.Alloc] takes memory from; each process has one for each GPU.
func pool(ordinal int) (C.CUmemoryPool, error) {
	var p C.CUmemoryPool
	return p, result(C.cuDeviceGetDefaultMemPool(&p, C.CUdevice(ordinal)))
}

// KeepFreed makes the pool of a GPU keep what is freed for later allocations, until [Trim], rather than give it back to the
// GPU whenever there is nothing to do.
func KeepFreed(ordinal int) error {
	p, err := pool(ordinal)
	if err != nil {
		return err
	}
	keep := C.cuuint64_t(math.MaxUint64)
	return result(C.cuMemPoolSetAttribute(p, C.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, unsafe.Pointer(&keep)))
}

// Trim gives everything free in the pool of a GPU back to it.
func Trim(ordinal int) error {
	p, err := pool(ordinal)
	if err != nil {
		return err
	}
	return result(C.cuMemPoolTrimTo(p, 0))
}

// Pooled is how many bytes are free in the pool of a GPU: they count as used to [MemInfo].
func Pooled(ordinal int) (int64, error) {
	p, err := pool(ordinal)
	if err != nil {
		return 0, err
	}
	var reserved, used C.cuuint64_t
	if err := result(C.cuMemPoolGetAttribute(p, C.CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, unsafe.Pointer(&reserved))); err != nil {
		return 0, err
	}
	err = result(C.cuMemPoolGetAttribute(p, C.CU_MEMPOOL_ATTR_USED_MEM_CURRENT, unsafe.Pointer(&used)))
	return int64(reserved) - int64(used), err
}

// allow lets kernels and copies of GPU to use the memory of another's pool.
func allow(ordinal, to int) error {
	p, err := pool(ordinal)
	if err != nil {
		return err
	}
	return result(C.allow(p, C.int(to)))
}
