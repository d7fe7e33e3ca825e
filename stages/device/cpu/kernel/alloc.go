package kernel

import "unsafe"

// hugeBytes is the size of a huge page, and the size from which [AllocFloats] asks for memory of its own.
const hugeBytes = 2 << 20

// AllocFloats returns n zeroed values that start on a cache line. On Linux, 2 MiB and more are a mapping
// of their own, aligned to and advised for huge pages, which weights and caches read up to half faster;
// it does not count as Go memory and must be returned with [FreeFloats]. Other memory is Go's. It
// returns nil if the system has no memory left, and for n ≤ 0.
func AllocFloats(n int) []float32 {
	if n <= 0 {
		return nil
	}
	if 4*n < hugeBytes {
		return goFloats(n)
	}
	return mapFloats(n)
}

// FreeFloats returns what [AllocFloats] returned, the whole slice of it. It must not be used afterwards.
func FreeFloats(s []float32) {
	if 4*cap(s) >= hugeBytes {
		unmapFloats(s)
	}
}

// goFloats returns n zeroed values of Go memory, aligned to 64 bytes.
func goFloats(n int) []float32 {
	if n == 0 {
		return nil
	}
	s := make([]float32, n+15)
	skip := int(-uintptr(unsafe.Pointer(&s[0]))&63) / 4
	return s[skip : skip+n : skip+n]
}
