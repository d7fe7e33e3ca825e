//go:build cuda

package driver

// #cgo noescape launch
// #cgo nocallback launch
// #include <cuda.h>
// #include <stdlib.h>
//
// // launch starts f with n parameters, each behind an 8-byte word of which it is the lower part.
// static CUresult launch(CUfunction f, const unsigned *dims, unsigned shared, CUstream s, void *words, int n) {
//   void *params[64];
//   for (int i = 0; i < n; i++) params[i] = (char *)words + 8 * i;
//   return cuLaunchKernel(f, dims[0], dims[1], dims[2], dims[3], dims[4], dims[5], shared, s, params, 0);
// }
//
// static CUresult load(CUmodule *m, const char *ptx, char *log, size_t size) {
//   CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
//   void *values[] = {log, (void *)size};
//   return cuModuleLoadDataEx(m, ptx, 2, options, values);
// }
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// Dim is the size of a grid in blocks, or of a block in threads. A zero Y or Z counts as 1.
type Dim struct{ X, Y, Z int }

// Threads is the product of the three.
func (d Dim) Threads() int { return d.X * max(d.Y, 1) * max(d.Z, 1) }

// MaxArgs is how many parameters a kernel may have.
const MaxArgs = 56

// Launch is a kernel with all it needs to start.
type Launch struct {
	Function    *Function
	Grid, Block Dim
	Shared      int // bytes of dynamic shared memory
	Stream      Stream
	Args        [MaxArgs]uint64 // one word each; a parameter of 4 bytes is the lower half
	N           int             // of Args that count
}

// Module is PTX that the driver has compiled for the GPU.
type Module struct{ m C.CUmodule }

// LoadModule compiles PTX text and loads it, on the thread. The driver keeps what it compiles in a cache of its own. An
// error has what the compiler said.
func LoadModule(ptx []byte) (Module, error) {
	text := C.CString(string(ptx))
	defer C.free(unsafe.Pointer(text))
	const size = 4 << 10
	log := (*C.char)(C.calloc(1, size))
	defer C.free(unsafe.Pointer(log))
	var m Module
	if err := result(C.load(&m.m, text, log, size)); err != nil {
		if said := strings.TrimSpace(C.GoString(log)); said != "" {
			return m, fmt.Errorf("%w: %s", err, said)
		}
		return m, err
	}
	return m, nil
}

// Unload frees the module and its functions, on the thread.
func (m Module) Unload() error { return result(C.cuModuleUnload(m.m)) }

// Function is a kernel of one GPU. Load is called on the thread at its first launch: modules that are never used are
// never compiled.
type Function struct {
	Name string
	Load func() (Module, error)
	f    C.CUfunction
}

// start launches l, on the thread.
func (c *Context) start(l *Launch) error {
	if err := c.prepare(l); err != nil {
		return err
	}
	if err := l.enqueue(); err != nil {
		return err
	}
	c.last.Store(&l.Function.Name)
	if !c.blocking {
		return nil
	}
	if err := l.Stream.Record(c.idle); err != nil {
		return err
	}
	return c.Await(c.idle)
}

// prepare does what a function needs before its first launch, on the thread.
func (c *Context) prepare(l *Launch) error {
	fn := l.Function
	if fn.f == nil {
		m, err := fn.Load()
		if err != nil {
			return fmt.Errorf("loading its module: %w", err)
		}
		name := C.CString(fn.Name)
		defer C.free(unsafe.Pointer(name))
		if err := result(C.cuModuleGetFunction(&fn.f, m.m, name)); err != nil {
			return err
		}
	}
	const unasked = 48 << 10 // beyond it a function must be told
	if l.Shared > unasked && l.Shared > c.opted[fn] {
		if err := result(C.cuFuncSetAttribute(fn.f, C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(l.Shared))); err != nil {
			return fmt.Errorf("%d bytes of dynamic shared memory: %w", l.Shared, err)
		}
		c.opted[fn] = l.Shared
	}
	return nil
}

// enqueue puts l into its stream, on the thread; it is prepared.
func (l *Launch) enqueue() error {
	dims := [6]C.uint{
		C.uint(l.Grid.X), C.uint(max(l.Grid.Y, 1)), C.uint(max(l.Grid.Z, 1)),
		C.uint(l.Block.X), C.uint(max(l.Block.Y, 1)), C.uint(max(l.Block.Z, 1)),
	}
	return result(C.launch(l.Function.f, &dims[0], C.uint(l.Shared), stream(l.Stream), unsafe.Pointer(&l.Args[0]), C.int(l.N)))
}
