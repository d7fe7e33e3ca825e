//go:build cuda

package mutants

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"gorgonia.org/cu"

	"openrs/stages/device/cuda/driver"
)

// double adds a vector to another; tile wants dynamic shared memory.
const ptx = `.version 7.0
.target sm_80
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.visible .entry add(.param .u64 from, .param .u64 to)
.maxntid 256, 1, 1
{
	.reg .b32 %r<4>; .reg .b64 %rd<8>; .reg .f32 %f<4>;
	ld.param.u64 %rd1, [from]; ld.param.u64 %rd2, [to]; mov.u32 %r1, %tid.x; mul.wide.u32 %rd3, %r1, 4;
	add.s64 %rd4, %rd1, %rd3; add.s64 %rd5, %rd2, %rd3;
	ld.global.f32 %f1, [%rd4]; ld.global.f32 %f2, [%rd5]; add.f32 %f3, %f1, %f2; st.global.f32 [%rd5], %f3;
	ret;
}
`

// host is a program on the fake devices.
type host struct {
	context []cu.CUContext
	module  []cu.Module
	stream  []cu.Stream
}

func must[T any](v T, err error) T {
	check(err)
	return v
}

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(3)
	}
}

func open() *host {
	runtime.LockOSThread()
	h := &host{}
	for i := range 2 {
		c := must(cu.Device(i).RetainPrimaryCtx())
		h.context = append(h.context, c)
		check(cu.SetCurrentContext(c))
		h.module = append(h.module, must(cu.LoadData(ptx)))
		h.stream = append(h.stream, must(cu.MakeStream(cu.NonBlocking)))
	}
	h.on(0)
	return h
}

func (h *host) on(i int) { check(cu.SetCurrentContext(h.context[i])) }

const bytes = 1024 // of a vector

func (h *host) vector() cu.DevicePtr {
	p := must(cu.MemAlloc(bytes))
	check(cu.MemsetD32(p, 0, bytes/4))
	return p
}

func (h *host) add(device int, s cu.Stream, from, to cu.DevicePtr, threads int) error {
	f := must(h.module[device].Function("add"))
	a, b := uint64(from), uint64(to)
	return f.Launch(1, 1, 1, threads, 1, 1, 0, s, []unsafe.Pointer{unsafe.Pointer(&a), unsafe.Pointer(&b)})
}

// A hostMutant is what a careless host does; careful is the same with the mistake mended, which must work.
type hostMutant struct {
	name, report string
	run          func(h *host, careful bool) error
}

var hostMutants = []hostMutant{
	{"a peer's memory without access", "no peer access", func(h *host, careful bool) error {
		x := h.vector()
		h.on(1)
		if careful {
			check(h.context[0].EnablePeerAccess(0))
		}
		check(h.add(1, h.stream[1], x, h.vector(), 256))
		return h.stream[1].Synchronize()
	}},
	{"a pointer of the host", "a host pointer?", func(h *host, careful bool) error {
		own := make([]float32, 256)
		p := cu.DevicePtr(uintptr(unsafe.Pointer(&own[0])))
		if careful {
			p = h.vector()
		}
		check(h.add(0, h.stream[0], p, h.vector(), 256))
		return h.stream[0].Synchronize()
	}},
	{"a stream of another device", "a stream of device 0 is used while the context of device 1 is current", func(h *host, careful bool) error {
		h.on(1)
		x := h.vector()
		if careful {
			return h.add(1, h.stream[1], x, x, 256)
		}
		return h.add(1, h.stream[0], x, x, 256)
	}},
	{"no current context", "no context is current", func(h *host, careful bool) error {
		if !careful {
			check(cu.SetCurrentContext(cu.CUContext{}))
		}
		_, err := cu.MemAlloc(16)
		return err
	}},
	{"a block too large", "compiled for 256 at most", func(h *host, careful bool) error {
		x := must(cu.MemAlloc(4 * bytes))
		if careful {
			return h.add(0, h.stream[0], x, x, 256)
		}
		return h.add(0, h.stream[0], x, x, 512)
	}},
	{"shared memory over 48 KB", "the limit is 49152", func(h *host, careful bool) error {
		f, x := must(h.module[0].Function("add")), uint64(h.vector())
		shared := 64 << 10
		if careful {
			shared = 48 << 10
		}
		return f.Launch(1, 1, 1, 32, 1, 1, shared, h.stream[0], []unsafe.Pointer{unsafe.Pointer(&x), unsafe.Pointer(&x)})
	}},
	{"a missing event between streams", "have no order between them", func(h *host, careful bool) error {
		x, y := h.vector(), h.vector()
		other := must(cu.MakeStream(cu.NonBlocking))
		check(h.add(0, h.stream[0], x, x, 256))
		if careful {
			e := must(cu.MakeEvent(cu.DisableTiming))
			check(e.Record(h.stream[0]))
			check(other.Wait(e, 0))
		}
		check(h.add(0, other, x, y, 256))
		if err := other.Synchronize(); err != nil {
			return err
		}
		return h.stream[0].Synchronize()
	}},
	{"a missing event between devices", "have no order between them", func(h *host, careful bool) error {
		x := h.vector()
		check(h.add(0, h.stream[0], x, x, 256))
		e := must(cu.MakeEvent(cu.DisableTiming))
		check(e.Record(h.stream[0]))
		h.on(1)
		y := h.vector()
		if careful {
			check(h.stream[1].Wait(e, 0))
		}
		check(cu.MemcpyPeerAsync(y, h.context[1], x, h.context[0], bytes, h.stream[1]))
		if err := h.stream[1].Synchronize(); err != nil {
			return err
		}
		h.on(0)
		return h.stream[0].Synchronize()
	}},
	{"pinned memory filled again too early", "the host changed the pinned source", func(h *host, careful bool) error {
		pinned, x := must(driver.AllocPinned(bytes)), h.vector()
		check(cu.MemcpyHtoDAsync(x, unsafe.Pointer(&pinned[0]), bytes, h.stream[0]))
		if careful {
			check(h.stream[0].Synchronize())
		}
		pinned[5]++
		return h.stream[0].Synchronize()
	}},
	{"a copy that overruns", "overrun their allocation", func(h *host, careful bool) error {
		n := int64(bytes + 4)
		if careful {
			n = bytes
		}
		return cu.MemcpyHtoD(h.vector(), unsafe.Pointer(&make([]byte, 2*bytes)[0]), n)
	}},
	{"freed memory in a kernel", "memory freed earlier", func(h *host, careful bool) error {
		x, y := h.vector(), h.vector()
		if !careful {
			check(cu.MemFree(x))
		}
		check(h.add(0, h.stream[0], x, y, 256))
		return h.stream[0].Synchronize()
	}},
	{"memory freed twice", "memory freed earlier", func(h *host, careful bool) error {
		x := h.vector()
		check(cu.MemFree(x))
		if careful {
			return nil
		}
		return cu.MemFree(x)
	}},
	{"a kernel that reaches past its vector", "past the end of an allocation", func(h *host, careful bool) error {
		x, n := must(cu.MemAlloc(bytes-4)), 256
		if careful {
			n = 255
		}
		check(h.add(0, h.stream[0], x, x, n))
		return h.stream[0].Synchronize()
	}},
	{"stream-ordered memory used after its free", "memory freed earlier", func(h *host, careful bool) error {
		s := must(driver.NewStream())
		x := must(s.Alloc(bytes))
		check(s.Clear(x, bytes))
		if careful {
			check(s.CopyOut(make([]byte, bytes), x))
		}
		check(s.Free(x))
		check(cu.Synchronize())
		if careful {
			return nil
		}
		return s.Clear(x, bytes)
	}},
	{"stream-ordered memory in another stream", "have no order between them|not allocated at this point", func(h *host, careful bool) error {
		s := must(driver.NewStream())
		x := must(s.Alloc(bytes))
		if careful {
			check(cu.Synchronize())
		}
		check(cu.MemsetD32Async(cu.DevicePtr(x), 0, bytes/4, h.stream[0]))
		return cu.Synchronize()
	}},
	{"an allocation in a capture", "while a stream of the context captures", func(h *host, careful bool) error {
		s := must(driver.NewStream())
		check(s.BeginCapture())
		if !careful {
			if _, err := cu.MemAlloc(bytes); err != nil {
				return err
			}
		}
		_, err := s.EndCapture()
		return err
	}},
	{"a module's kernel on another device", "was loaded on device 0", func(h *host, careful bool) error {
		h.on(1)
		x, i := h.vector(), 0
		if careful {
			i = 1
		}
		return h.add(i, h.stream[1], x, x, 256)
	}},
}

const caseVariable = "OPENRS_HOST_MUTANT"

// TestHostMutants runs every case in a process of its own, with and without the mistake, under several
// orders of the streams.
func TestHostMutants(t *testing.T) {
	if name := os.Getenv(caseVariable); name != "" {
		for _, m := range hostMutants {
			if name == m.name || name == "careful "+m.name {
				check(m.run(open(), name != m.name))
			}
		}
		return
	}
	for _, m := range hostMutants {
		t.Run(m.name, func(t *testing.T) {
			for _, seed := range []string{"1", "2", "3"} {
				if out, err := runCase("careful "+m.name, seed); err != nil {
					t.Fatalf("seed %s, without the mistake: %v\n%s", seed, err, out)
				}
				out, err := runCase(m.name, seed)
				if err == nil {
					t.Fatalf("seed %s: nothing noticed\n%s", seed, out)
				}
				said := false
				for _, report := range strings.Split(m.report, "|") {
					said = said || strings.Contains(out, report)
				}
				if !said {
					t.Errorf("seed %s: the report does not say %q:\n%s", seed, m.report, out)
				}
			}
		})
	}
}

func runCase(name, seed string) (string, error) {
	cmd := exec.Command(os.Args[0], "-test.run", "^TestHostMutants$")
	cmd.Env = append(os.Environ(), caseVariable+"="+name, "FAKECUDA_SEED="+seed)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
