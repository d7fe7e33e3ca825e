//go:build cuda

package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// add1 adds 1 to n values of x, and spin does nothing for a while.
const ptx = `.version 7.0
.target sm_80
.address_size 64
.visible .entry add1(.param .u64 add1_param_0, .param .u32 add1_param_1)
{
	.reg .pred %p<2>;
	.reg .b32 %r<6>;
	.reg .b64 %rd<5>;
	ld.param.u64 %rd1, [add1_param_0];
	ld.param.u32 %r1, [add1_param_1];
	mov.u32 %r2, %ctaid.x;
	mov.u32 %r3, %ntid.x;
	mov.u32 %r4, %tid.x;
	mad.lo.s32 %r5, %r2, %r3, %r4;
	setp.ge.u32 %p1, %r5, %r1;
	@%p1 bra $L1;
	cvta.to.global.u64 %rd2, %rd1;
	mul.wide.u32 %rd3, %r5, 4;
	add.s64 %rd4, %rd2, %rd3;
	ld.global.u32 %r2, [%rd4];
	add.s32 %r2, %r2, 1;
	st.global.u32 [%rd4], %r2;
$L1:
	ret;
}
`

// gpu is a context with a stream and a pinned buffer.
type gpu struct {
	*Context
	s    Stream
	e    Event
	add1 *Function
	host []byte
}

func open(t testing.TB, ordinal int, opt Options) *gpu {
	t.Helper()
	c, err := Open(ordinal, opt)
	if err != nil {
		t.Fatal(err)
	}
	g := &gpu{Context: c, add1: &Function{Name: "add1", Load: func() (Module, error) { return LoadModule([]byte(ptx)) }}}
	check(t, c.Do("setup", func() error {
		var errs [3]error
		g.s, errs[0] = NewStream()
		g.e, errs[1] = NewEvent(false)
		g.host, errs[2] = AllocPinned(1 << 16)
		return errors.Join(errs[:]...)
	}))
	t.Cleanup(func() {
		c.Release("cleanup", func() error {
			return errors.Join(g.e.Destroy(), g.s.Destroy(), FreePinned(g.host))
		})
		c.Close()
	})
	return g
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// alloc returns n zeroed values of device memory that are freed at the end.
func (g *gpu) alloc(t testing.TB, n int) uint64 {
	t.Helper()
	var addr uint64
	check(t, g.Do("alloc", func() error {
		var err error
		if addr, err = g.s.Alloc(4 * int64(n)); err != nil {
			return err
		}
		return g.s.Clear(addr, 4*int64(n))
	}))
	t.Cleanup(func() { g.Release("free", func() error { return g.s.Free(addr) }) })
	return addr
}

// increment enqueues add1.
func (g *gpu) increment(addr uint64, n int) {
	l := Launch{Function: g.add1, Grid: Dim{X: (n + 63) / 64}, Block: Dim{X: 64}, Stream: g.s, N: 2}
	l.Args[0], l.Args[1] = addr, uint64(n)
	g.Launch(&l)
}

// values waits and returns n values at addr.
func (g *gpu) values(t testing.TB, addr uint64, n int) []uint32 {
	t.Helper()
	check(t, g.Do("download", func() error {
		if err := g.s.CopyOut(g.host[:4*n], addr); err != nil {
			return err
		}
		if err := g.s.Record(g.e); err != nil {
			return err
		}
		return g.Await(g.e)
	}))
	xs := make([]uint32, n)
	for i := range xs {
		xs[i] = binary.LittleEndian.Uint32(g.host[4*i:])
	}
	return xs
}

func all(t testing.TB, xs []uint32, want uint32) {
	t.Helper()
	for i, x := range xs {
		if x != want {
			t.Fatalf("value %d is %d, want %d", i, x, want)
		}
	}
}

func TestLaunchesRunInOrder(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		g := open(t, 0, Options{Blocking: blocking})
		addr := g.alloc(t, 100)
		for range 300 {
			g.increment(addr, 100)
		}
		all(t, g.values(t, addr, 100), 300)
	}
}

func TestDevices(t *testing.T) {
	infos, err := Devices()
	check(t, err)
	if len(infos) == 0 {
		t.Fatal("no devices")
	}
	for i, info := range infos {
		if info.Ordinal != i || info.Name == "" || info.Memory < 1<<30 || info.Major < 5 || info.Multiprocessors < 1 || info.SharedPerBlock < 48<<10 {
			t.Errorf("device %d: %+v", i, info)
		}
		if len(info.Peers) != len(infos)-1 {
			t.Errorf("device %d: %d links", i, len(info.Peers))
		}
	}
	if major, _ := Version(); major < 11 {
		t.Errorf("version %d", major)
	}
	if _, err := Open(len(infos), Options{}); err == nil {
		t.Error("a device too many opens")
	}
}

// A closure's error goes to whoever waits for it and does not stick; that of a closure that nobody waits for does.
func TestErrors(t *testing.T) {
	g := open(t, 0, Options{})
	mine := errors.New("mine")
	if err := g.Do("first", func() error { return mine }); !errors.Is(err, mine) || err.Error() != "cuda:0: first: mine" {
		t.Fatal(err)
	}
	check(t, g.Fault())
	err := g.Do("too much", func() error { _, err := g.s.Alloc(1 << 50); return err })
	if !errors.Is(err, OutOfMemory) || err.Error() != "cuda:0: too much: CUDA_ERROR_OUT_OF_MEMORY (2)" {
		t.Fatal(err)
	}
	check(t, g.Do("next", func() error { return nil }))

	ran := false
	g.Send("second", func() error { return mine })
	g.Send("third", func() error { ran = true; return nil })
	err = g.Do("fourth", func() error { ran = true; return nil })
	if !errors.Is(err, mine) || err.Error() != "cuda:0: second: mine" {
		t.Fatal(err)
	}
	if ran {
		t.Error("work went on after a fault")
	}
	freed := false
	check(t, g.Release("free", func() error { freed = true; return nil }))
	if !freed {
		t.Error("Release was dropped after a fault")
	}
	if err := g.Close(); !errors.Is(err, mine) {
		t.Error(err)
	}
	if err := g.Do("fifth", func() error { return nil }); err == nil {
		t.Error("Do after Close")
	}
}

// alone runs the rest of a test in a process of its own, because a GPU's fault spoils the context for the whole process. It
// returns false where there is nothing left to do.
func alone(t *testing.T) bool {
	const mark = "OPENRS_TEST_ALONE"
	if os.Getenv(mark) == t.Name() {
		return true
	}
	child := exec.Command(os.Args[0], "-test.v", "-test.run", "^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	child.Env = append(os.Environ(), mark+"="+t.Name())
	out, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// A kernel that leaves its memory is reported by the next wait; with Blocking under its own name.
func TestIllegalAddress(t *testing.T) {
	for _, blocking := range []bool{false, true} {
		t.Run(fmt.Sprint(blocking), func(t *testing.T) { illegalAddress(t, blocking) })
	}
}

func illegalAddress(t *testing.T, blocking bool) {
	if alone(t) {
		g := open(t, 0, Options{Blocking: blocking})
		g.increment(8, 1)
		err := g.Do("sync", func() error {
			if err := g.s.Record(g.e); err != nil {
				return err
			}
			return g.Await(g.e)
		})
		if !errors.Is(err, IllegalAddress) {
			t.Fatal(err)
		}
		if want := "cuda:0: add1: CUDA_ERROR_ILLEGAL_ADDRESS (700)"; blocking && err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
		t.Log(err)
	}
}

func TestBadModule(t *testing.T) {
	g := open(t, 0, Options{})
	err := g.Do("load", func() error { _, err := LoadModule([]byte("nonsense")); return err })
	if err == nil {
		t.Fatal("nonsense was loaded")
	}
	t.Log(err)
	g.Launch(&Launch{Function: &Function{Name: "none", Load: g.add1.Load}, Grid: Dim{X: 1}, Block: Dim{X: 1}, Stream: g.s})
	if err := g.Do("after", func() error { return nil }); err == nil || !strings.HasPrefix(err.Error(), "cuda:0: none: CUDA_ERROR_NOT_FOUND (500)") {
		t.Fatal(err)
	}
}

// A wait for what never comes ends, and says what it waited for.
func TestDeadlines(t *testing.T) {
	const short = 20 * time.Millisecond
	t.Run("GPU", func(t *testing.T) {
		g := open(t, 0, Options{})
		addr := g.alloc(t, 1<<16)
		for range 20 {
			g.increment(addr, 1<<16)
		}
		err := g.Do("wait", func() error {
			if err := g.s.Record(g.e); err != nil {
				return err
			}
			return g.await(g.e, 0)
		})
		if !errors.Is(err, ErrDeadline) || !strings.Contains(err.Error(), "cuda:0: wait: ") || !strings.Contains(err.Error(), "launched last: add1") {
			t.Fatal(err)
		}
		if !errors.Is(g.Fault(), ErrDeadline) {
			t.Error("the fault does not stick")
		}
		t.Log(err)
	})
	t.Run("fence", func(t *testing.T) {
		if infos, err := Devices(); err != nil || len(infos) < 2 {
			t.Skip("needs two GPUs")
		}
		g, other := open(t, 0, Options{Deadline: short}), open(t, 1, Options{})
		hold := make(chan struct{})
		defer close(hold)
		other.Send("hold", func() error { <-hold; return nil })
		f := other.Signal(other.s, 1) // never set
		g.After(g.s, f)
		err := g.Do("next", func() error { return nil })
		if !errors.Is(err, ErrDeadline) || !strings.Contains(err.Error(), "cuda:1 did not set a mark") {
			t.Fatal(err)
		}
		t.Log(err)
	})
	t.Run("thread", func(t *testing.T) {
		g := open(t, 0, Options{Deadline: short})
		hold := make(chan struct{})
		g.Send("stuck in the driver", func() error { <-hold; return nil })
		err := g.Do("next", func() error { return nil })
		if !errors.Is(err, ErrDeadline) || !strings.Contains(err.Error(), "cuda:0: next: ") || !strings.Contains(err.Error(), "it is at stuck in the driver") {
			t.Fatal(err)
		}
		t.Log(err)
		if err := g.Close(); !errors.Is(err, ErrDeadline) {
			t.Error(err)
		}
		close(hold)
	})
	t.Run("queue", func(t *testing.T) {
		g := open(t, 0, Options{Deadline: short})
		hold := make(chan struct{})
		g.Send("stuck", func() error { <-hold; return nil })
		for range queued + 2 {
			g.Send("more", func() error { return nil })
		}
		if err := g.Fault(); !errors.Is(err, ErrDeadline) {
			t.Fatal(err)
		}
		close(hold)
	})
}

// What a graph was given by pinned memory is read anew at each launch.
func TestGraph(t *testing.T) {
	g := open(t, 0, Options{})
	addr, from := g.alloc(t, 64), g.alloc(t, 64)
	g.increment(addr, 64) // loads the module
	all(t, g.values(t, addr, 64), 1)

	put := g.host[1<<15:][:256]
	fill := func(v byte) {
		for i := 0; i < len(put); i += 4 {
			put[i] = v
		}
	}
	g.Send("begin capture", g.s.BeginCapture)
	g.Send("copy", func() error { return g.s.CopyIn(from, put) })
	g.increment(from, 64)
	g.increment(from, 64)
	g.Send("copy", func() error { return g.s.Copy(addr, from, 256) })
	var graph *Graph
	check(t, g.Do("end capture", func() error {
		var err error
		graph, err = g.s.EndCapture()
		return err
	}))
	defer g.Release("destroy", func() error { return graph.Destroy() })
	all(t, g.values(t, addr, 64), 1) // recorded, not done
	for _, v := range []byte{5, 9} {
		fill(v)
		g.Send("graph", func() error { return graph.Launch(g.s) })
		g.increment(addr, 64)
		all(t, g.values(t, addr, 64), uint32(v)+3)
	}
}

// A graph of launches does them in order; one that cannot be made says why and leaves the stream as it was.
func TestCapture(t *testing.T) {
	g := open(t, 0, Options{})
	addr := g.alloc(t, 64)
	launches := make([]Launch, 5)
	for i := range launches {
		launches[i] = Launch{Function: g.add1, Grid: Dim{X: 1}, Block: Dim{X: 64}, Stream: g.s, N: 2}
		launches[i].Args[0], launches[i].Args[1] = addr, 64
	}
	capture := func() (graph *Graph, err error) {
		err = g.Do("capture", func() error {
			var err error
			graph, err = g.Capture("five", g.s, launches)
			return err
		})
		return graph, err
	}
	graph, err := capture() // which loads the module
	check(t, err)
	all(t, g.values(t, addr, 64), 0)
	for range 3 {
		g.Send("five", func() error { return g.Replay(graph, g.s) })
	}
	all(t, g.values(t, addr, 64), 15)
	launches[3].Block.X = 1 << 20
	if graph, err := capture(); err == nil || graph != nil || !strings.Contains(err.Error(), "add1") {
		t.Errorf("a block of a million threads: %v", err)
	}
	g.increment(addr, 64)
	g.Send("five", func() error { return g.Replay(graph, g.s) })
	all(t, g.values(t, addr, 64), 21)
	check(t, g.Release("destroy", graph.Destroy))
	check(t, g.Release("destroy", graph.Destroy))
}

// A value goes round over all GPUs, each adding one, with fences only; the copies go by peer access where there is any.
func TestPeers(t *testing.T) {
	infos, err := Devices()
	check(t, err)
	if len(infos) < 2 {
		t.Skip("needs two GPUs")
	}
	const n, rounds = 200, 3
	var gpus []*gpu
	var addrs []uint64
	for i := range infos {
		gpus = append(gpus, open(t, i, Options{}))
		addrs = append(addrs, gpus[i].alloc(t, n))
	}
	for i, g := range gpus {
		for j, other := range gpus {
			if i == j {
				continue
			}
			ok, err := g.EnablePeer(other.Context)
			check(t, err)
			if again, err := g.EnablePeer(other.Context); err != nil || again != ok {
				t.Fatalf("a second time: %v, %v", again, err)
			}
		}
	}
	for range rounds {
		for i, g := range gpus {
			g.increment(addrs[i], n)
			next := (i + 1) % len(gpus)
			to := gpus[next]
			done := g.Signal(g.s, 1)
			to.After(to.s, done)
			to.Send("copy", func() error { return to.s.CopyPeer(addrs[next], to.Context, addrs[i], g.Context, 4*n) })
			copied := to.Signal(to.s, 1)
			g.After(g.s, copied) // its memory may change again
		}
	}
	all(t, gpus[0].values(t, addrs[0], n), uint32(rounds*len(gpus)))
}

// Without peer access a copy takes the way through the host.
func TestCopyWithoutPeerAccess(t *testing.T) {
	infos, err := Devices()
	check(t, err)
	if len(infos) < 2 {
		t.Skip("needs two GPUs")
	}
	const n = 100
	a, b := open(t, 0, Options{}), open(t, 1, Options{})
	from, to := a.alloc(t, n), b.alloc(t, n)
	a.increment(from, n)
	b.After(b.s, a.Signal(a.s, 1))
	b.Send("copy", func() error { return b.s.CopyPeer(to, b.Context, from, a.Context, 4*n) })
	all(t, b.values(t, to, n), 1)
}

// A fault of one GPU reaches those that wait for it.
func TestFaultsTravel(t *testing.T) {
	if infos, err := Devices(); err != nil || len(infos) < 2 {
		t.Skip("needs two GPUs")
	}
	a, b := open(t, 0, Options{}), open(t, 1, Options{})
	mine := errors.New("mine")
	a.Send("broken", func() error { return mine })
	b.After(b.s, a.Signal(a.s, 1))
	err := b.Do("next", func() error { return nil })
	if !errors.Is(err, mine) || !strings.Contains(err.Error(), "cuda:0: broken") {
		t.Fatal(err)
	}
	t.Log(err)
}
