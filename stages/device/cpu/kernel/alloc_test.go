package kernel

import (
	"testing"
	"unsafe"
)

func TestAllocFloats(t *testing.T) {
	if AllocFloats(0) != nil || AllocFloats(-1) != nil {
		t.Error("memory for nothing")
	}
	FreeFloats(nil)
	for _, n := range []int{1, 15, 16, 1000, hugeBytes/4 - 1, hugeBytes / 4, hugeBytes/4 + 1, hugeBytes} {
		for range 3 {
			x := AllocFloats(n)
			if len(x) != n || cap(x) != n {
				t.Fatalf("length %d, capacity %d, want %d", len(x), cap(x), n)
			}
			if uintptr(unsafe.Pointer(&x[0]))%64 != 0 {
				t.Errorf("%d values at %p: not on a cache line", n, &x[0])
			}
			for i := range x {
				if x[i] != 0 {
					t.Fatalf("value %d of %d is %g", i, n, x[i])
				}
				x[i] = 1
			}
			FreeFloats(x)
		}
	}
}
