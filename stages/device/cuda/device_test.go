//go:build cuda

package cuda

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

func openDevice(t testing.TB, opt Options) *Device {
	t.Helper()
	d, err := Open(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return d
}

func random(rng *rand.Rand, n int) []float32 {
	xs := make([]float32, n)
	for i := range xs {
		xs[i] = rng.Float32()
	}
	return xs
}

// Values go to the device and back through pinned memory, whatever the size and the gaps.
func TestUploadDownload(t *testing.T) {
	d := openDevice(t, Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	buf, err := d.Alloc(3 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ offset, rows, cols, stride int }{
		{0, 1, 1, 1}, {0, 0, 5, 5}, {3, 7, 0, 9}, {1, 1, 70000, 70000}, {5, 700, 31, 33}, {0, 3, 3, 3}, {2, 1, 7, 3},
		{0, 3, 1 << 20, 1 << 20}, {1, 2, 1 << 20, 1<<20 + 5}, {0, 70000, 3, 40},
	} {
		if err := zeroAll(d, buf); err != nil {
			t.Fatal(err)
		}
		x := device.Tensor{Buf: buf, Offset: c.offset, Rows: c.rows, Cols: c.cols, Stride: c.stride}
		want := random(rng, x.Len())
		given := slices.Clone(want)
		d.Upload(x, given)
		clear(given) // it is not kept
		got := make([]float32, x.Len())
		if err := d.Download(got, x); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v: other values came back", c)
		}
		all := make([]float32, buf.Len())
		if err := d.Download(all, device.View(buf, 0, 1, buf.Len())); err != nil {
			t.Fatal(err)
		}
		for i, v := range all {
			r, col := 0, i-c.offset
			if c.rows > 1 && col >= 0 {
				r, col = col/c.stride, col%c.stride
			}
			in := col >= 0 && col < c.cols && r < c.rows
			if !in && v != 0 || in && v != want[r*c.cols+col] {
				t.Fatalf("%+v: element %d is %g", c, i, v)
			}
		}
	}
}

func zeroAll(d *Device, buf device.Buffer) error {
	d.Zero(device.View(buf, 0, 1, buf.Len()))
	return d.Sync()
}

func TestCopyAndZero(t *testing.T) {
	d := openDevice(t, Options{})
	buf, err := d.Alloc(1000)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	all := device.View(buf, 0, 10, 100)
	values := random(rng, 1000)
	for _, c := range []struct{ fromCol, toCol, cols, fromRow, toRow, rows int }{
		{0, 50, 50, 0, 0, 10}, {0, 0, 100, 0, 5, 5}, {7, 93, 7, 9, 2, 1}, {1, 40, 33, 0, 0, 10}, {0, 3, 0, 0, 0, 4},
	} {
		d.Upload(all, values)
		want := slices.Clone(values)
		for r := range c.rows {
			copy(want[(c.toRow+r)*100+c.toCol:][:c.cols], values[(c.fromRow+r)*100+c.fromCol:][:c.cols])
		}
		part := func(row, col int) device.Tensor { return all.RowRange(row, row+c.rows).ColRange(col, col+c.cols) }
		d.Copy(part(c.toRow, c.toCol), part(c.fromRow, c.fromCol))
		got := make([]float32, 1000)
		if err := d.Download(got, all); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("copy %+v", c)
		}
		d.Zero(part(c.toRow, c.toCol))
		for r := range c.rows {
			clear(want[(c.toRow+r)*100+c.toCol:][:c.cols])
		}
		if err := d.Download(got, all); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("zero %+v", c)
		}
	}
}

// Pinned memory is not used again before the copies from it have run: many uploads are more than the ring holds.
func TestStagingWraps(t *testing.T) {
	d := openDevice(t, Options{})
	rng := rand.New(rand.NewPCG(5, 6))
	const n, buffers = segmentBytes / 4 * 3 / 4, 2*segments + 3
	var tensors []device.Tensor
	var want [][]float32
	for range buffers {
		buf, err := d.Alloc(n)
		if err != nil {
			t.Fatal(err)
		}
		tensors = append(tensors, device.View(buf, 0, 1, n))
		want = append(want, random(rng, n))
	}
	for i, x := range tensors {
		d.Upload(x, want[i])
	}
	got := make([]float32, n)
	for i, x := range tensors {
		if err := d.Download(got, x); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want[i]) {
			t.Fatalf("buffer %d", i)
		}
	}
}

// Indices lie where ints says until the next begin, and after it until they are told anew.
func TestInts(t *testing.T) {
	d := openDevice(t, Options{})
	rng := rand.New(rand.NewPCG(7, 8))
	slices1 := func(n int) []int32 {
		xs := make([]int32, n)
		for i := range xs {
			xs[i] = rng.Int32()
		}
		return xs
	}
	d.begin("test")
	a := slices1(100)
	if first := d.ints(a); d.ints(slices1(100)) == first || d.ints(slices.Clone(a)) != first {
		t.Error("the same indices are copied twice, or others are not")
	}
	total := 0
	for op := range 60 {
		d.begin("test")
		var given [][]int32
		var addrs []uint64
		for i := range 5 {
			xs := slices1([]int{0, 1, 100, 1 << 16, 70_001}[rng.IntN(5)])
			if op%10 == 9 && i == 2 {
				xs = slices1(indexValues/2 + 1000) // more than an operation may keep in the store
			}
			given, addrs = append(given, xs), append(addrs, d.ints(xs))
			total += len(xs)
		}
		given, addrs = append(given, a), append(addrs, d.ints(a))
		for i, xs := range given {
			got := make([]int32, len(xs))
			if err := d.fetch(bytesOf(got), addrs[i]); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, xs) {
				t.Fatalf("operation %d, slice %d of %d", op, i, len(xs))
			}
		}
	}
	if total < 2*indexValues {
		t.Errorf("%d values do not go round", total)
	}
}

// What an operation asks for does not overlap, whether it fits into the block or not.
func TestScratch(t *testing.T) {
	d := openDevice(t, Options{})
	for op, sizes := range [][]int{{1, 2, 300}, {10, scratchLeast, 20, scratchLeast, 7}, {10, scratchLeast, 20, scratchLeast, 7}, {0, 5}} {
		d.begin("test")
		type span struct{ from, to uint64 }
		var spans []span
		for _, n := range sizes {
			addr := d.scratch(n)
			if addr%256 != 0 || addr == 0 {
				t.Fatalf("scratch at %#x", addr)
			}
			for _, s := range spans {
				if addr < s.to && s.from < addr+uint64(n) {
					t.Fatal("scratch overlaps")
				}
			}
			spans = append(spans, span{addr, addr + uint64(n)})
		}
		if extra := len(d.space.extra); op == 1 && extra == 0 || op != 1 && extra > 0 {
			t.Errorf("operation %d: %d pieces beside the block", op, extra)
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
}

func TestMemoryLimit(t *testing.T) {
	const bytes = 200 << 20
	d := openDevice(t, Options{MemoryBytes: bytes})
	before := d.FreeMemory()
	if before <= 0 || before > bytes {
		t.Fatalf("%d bytes free", before)
	}
	buf, err := d.Alloc(10 << 20)
	if err != nil {
		t.Fatal(err)
	}
	if left := d.FreeMemory(); left != before-40<<20 {
		t.Errorf("%d bytes left of %d", left, before)
	}
	if _, err := d.Alloc(bytes / 4); !errors.Is(err, driver.OutOfMemory) || !strings.Contains(err.Error(), "asked for") {
		t.Errorf("too much memory: %v", err)
	}
	for _, n := range []int{-1, 1 << 62} {
		if _, err := d.Alloc(n); err == nil {
			t.Errorf("%d values were allocated", n)
		}
	}
	d.Free(buf)
	if left := d.FreeMemory(); left != before {
		t.Errorf("%d bytes left of %d", left, before)
	}
	if _, err := Open(Options{MemoryBytes: 1 << 50}); !errors.Is(err, driver.OutOfMemory) {
		t.Errorf("a petabyte: %v", err)
	}
}

// A fault sticks: what comes later is dropped, and every wait returns it. It spoils the GPU's context for the whole process,
// so that the test goes on in another one.
func TestFaultSticks(t *testing.T) {
	const mark = "OPENRS_TEST_ALONE"
	if os.Getenv(mark) == "" {
		child := exec.Command(os.Args[0], "-test.v", "-test.run", "^TestFaultSticks$")
		child.Env = append(os.Environ(), mark+"=1")
		if out, err := child.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestFaultSticks") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	d, err := Open(Options{Blocking: true})
	if err != nil {
		t.Fatal(err)
	}
	buf, err := d.Alloc(8)
	if err != nil {
		t.Fatal(err)
	}
	x := device.View(buf, 0, 1, 8)
	d.begin("test")
	d.launch("zero_f32", driver.Dim{X: 1}, driver.Dim{X: 32, Y: 8}, 0, 16, u32(1), u32(8), 8)
	d.Upload(x, make([]float32, 8))
	const want = "cuda:0: zero_f32: CUDA_ERROR_ILLEGAL_ADDRESS (700)"
	if err := d.Sync(); err == nil || err.Error() != want {
		t.Errorf("sync: %v", err)
	}
	if err := d.Download(make([]float32, 8), x); err == nil || err.Error() != want {
		t.Errorf("download: %v", err)
	}
	if _, err := d.Alloc(8); err == nil {
		t.Error("allocated after a fault")
	}
	if err := d.Close(); err == nil || err.Error() != want {
		t.Errorf("close: %v", err)
	}
}

func TestLaunchPanics(t *testing.T) {
	d := openDevice(t, Options{})
	for name, f := range map[string]func(){
		"no kernel":      func() { d.launch("nothing", driver.Dim{X: 1}, driver.Dim{X: 1}, 0) },
		"arguments":      func() { d.launch("zero_f32", driver.Dim{X: 1}, driver.Dim{X: 1}, 0, 1, 2, 3) },
		"a grid of":      func() { d.launch("zero_f32", driver.Dim{X: 1, Y: 1 << 16}, driver.Dim{X: 1}, 0, 1, 2, 3, 4) },
		"blocks of":      func() { d.launch("zero_f32", driver.Dim{X: 1}, driver.Dim{X: 32, Y: 33}, 0, 1, 2, 3, 4) },
		"has been freed": func() { b, _ := d.Alloc(4); d.Free(b); d.Zero(device.Tensor{Buf: b, Rows: 1, Cols: 4, Stride: 4}) },
	} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, name) {
					t.Errorf("%s: %q", name, s)
				}
			}()
			f()
		}()
	}
	d.launch("zero_f32", driver.Dim{}, driver.Dim{X: 1}, 0, 0, 0, 0, 0) // nothing to do
	if err := d.Sync(); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	d := openDevice(t, Options{})
	for _, dtype := range []device.DType{device.F32, device.BF16} {
		rate, err := d.ArithmeticLimit(dtype)
		if err != nil || rate <= 0 {
			t.Errorf("%v: %g GFLOP/s, %v", dtype, rate, err)
		}
		t.Logf("%v: %.0f GFLOP/s", dtype, rate)
	}
	if _, err := d.ArithmeticLimit(9); err == nil {
		t.Error("arithmetic of an unknown type")
	}
	rate, err := d.MemoryLimit()
	if err != nil || rate <= 0 {
		t.Errorf("%g GB/s, %v", rate, err)
	}
	t.Logf("%.1f GB/s", rate)
}
