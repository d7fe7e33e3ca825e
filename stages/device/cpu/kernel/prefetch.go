package kernel

import "unsafe"

// Prefetch asks for s to be brought to the second level cache of the calling thread's core and does not
// wait for it. It reads nothing: s may have been freed, and others may write to it.
func Prefetch[T float32 | uint32](s []T) {
	if len(s) > 0 {
		prefetch(uintptr(unsafe.Pointer(&s[0])), (len(s)*4+63)/64)
	}
}
