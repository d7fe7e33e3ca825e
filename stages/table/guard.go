package table

import (
	"fmt"
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow/memory"
)

// guard is an allocator for decoding what came from outside. It bounds what one message may take, by
// panicking in the Arrow library, which recovers and reports it; and since the library forgets its
// buffers when it panics, it can free what was allocated since a point in time.
type guard struct {
	mem memory.Allocator

	mu    sync.Mutex
	left  int64
	since map[*byte][]byte // allocated since begin and not freed; nil when nobody asks
	gone  map[*byte]bool   // freed by undo: the library may still free them when it is closed
}

// begin starts counting: buffers from now on are freed by undo unless keep is called first.
func (g *guard) begin() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since, g.left = map[*byte][]byte{}, 0
}

// allow adds to what may be allocated.
func (g *guard) allow(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left += n
}

func (g *guard) keep() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.since = nil
}

func (g *guard) undo() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.gone = map[*byte]bool{}
	for at, b := range g.since {
		g.gone[at] = true
		g.mem.Free(b)
	}
	g.since = nil
}

// Allocate implements [memory.Allocator].
func (g *guard) Allocate(size int) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spend(size)
	b := g.mem.Allocate(size)
	g.add(b)
	return b
}

// Reallocate implements [memory.Allocator].
func (g *guard) Reallocate(size int, b []byte) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spend(size - len(b))
	if len(b) > 0 {
		delete(g.since, unsafe.SliceData(b))
	}
	b = g.mem.Reallocate(size, b)
	g.add(b)
	return b
}

// Free implements [memory.Allocator].
func (g *guard) Free(b []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(b) > 0 {
		at := unsafe.SliceData(b)
		if g.gone[at] {
			return
		}
		delete(g.since, at)
	}
	g.mem.Free(b)
}

func (g *guard) add(b []byte) {
	if g.since != nil && len(b) > 0 {
		g.since[unsafe.SliceData(b)] = b
	}
}

func (g *guard) spend(n int) {
	if n < 0 {
		return
	}
	if g.left -= int64(n); g.left < 0 {
		panic(fmt.Errorf("a buffer asks for more memory (%d bytes) than its message can fill", n))
	}
}
