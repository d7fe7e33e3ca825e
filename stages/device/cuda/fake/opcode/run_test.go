//go:build cuda

package opcode

import (
	"runtime"
	"testing"
	"unsafe"

	"gorgonia.org/cu"
)

const header = ".version 7.0\n.target sm_80\n.address_size 64\n"

// registers that every piece of PTX finds declared.
const registers = ".reg .b16 %h<16>; .reg .b32 %r<40>; .reg .b64 %rd<20>; .reg .f32 %f<20>; .reg .f64 %d<8>; .reg .pred %p<8>;\n"

// gpu is one fake device with a module.
type gpu struct {
	t      *testing.T
	module cu.Module
	stream cu.Stream
}

func load(t *testing.T, ptx string) *gpu {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	g := &gpu{t: t}
	context, err := cu.Device(0).MakeContext(cu.SchedAuto) // its own: a fault sticks to it
	g.check(err)
	_ = context
	g.module, err = cu.LoadData(header + ptx)
	g.check(err)
	g.stream, err = cu.MakeStream(cu.NonBlocking)
	g.check(err)
	return g
}

func (g *gpu) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *gpu) alloc(bytes int) cu.DevicePtr {
	p, err := cu.MemAlloc(int64(bytes))
	g.check(err)
	return p
}

func upload[T any](g *gpu, v []T) cu.DevicePtr {
	n := len(v) * int(unsafe.Sizeof(v[0]))
	p := g.alloc(n)
	g.check(cu.MemcpyHtoD(p, unsafe.Pointer(&v[0]), int64(n)))
	return p
}

func download[T any](g *gpu, p cu.DevicePtr, n int) []T {
	v := make([]T, n)
	g.check(cu.MemcpyDtoH(unsafe.Pointer(&v[0]), p, int64(n)*int64(unsafe.Sizeof(v[0]))))
	return v
}

// launch runs one block and gives what went wrong.
func (g *gpu) launch(kernel string, threads, shared int, args ...uint64) error {
	g.t.Helper()
	f, err := g.module.Function(kernel)
	g.check(err)
	var p []unsafe.Pointer
	for i := range args {
		p = append(p, unsafe.Pointer(&args[i]))
	}
	if err := f.Launch(1, 1, 1, threads, 1, 1, shared, g.stream, p); err != nil {
		return err
	}
	return g.stream.Synchronize()
}
