//go:build cuda

package cuda

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
	"openrs/stages/device/cuda/driver"
	"openrs/update/parallel"
)

// openAll opens n GPUs, or skips the test.
func openAll(t *testing.T, n int) []device.Device {
	t.Helper()
	infos, err := driver.Devices()
	if err != nil {
		t.Fatal(err)
	}
	if len(infos) < n {
		t.Skipf("needs %d GPUs, there are %d", n, len(infos))
	}
	all := make([]device.Device, n)
	for i := range all {
		all[i] = openDevice(t, Options{Ordinal: i})
	}
	return all
}

// alone runs a test again in a process of its own, with other settings of the driver, and returns what it printed.
func alone(t *testing.T, test string, settings ...string) string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.v", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), settings...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s with %v: %v\n%s", test, settings, err, out)
	}
	return string(out)
}

// newView returns a tensor with values of its own.
func newView(t *testing.T, dev device.Device, rows, cols, stride int, values []float32) device.Tensor {
	t.Helper()
	buf, err := dev.Alloc(rows * stride)
	if err != nil {
		t.Fatal(err)
	}
	x := device.Tensor{Buf: buf, Rows: rows, Cols: cols, Stride: stride}
	if values != nil {
		dev.Upload(x, values)
	}
	return x
}

// Every GPU reads from every other one, whole tensors and views with gaps.
func TestCopyFrom(t *testing.T) {
	gpus := openAll(t, 2)
	if !gpus[0].(device.Peer).Reaches(gpus...) {
		t.Skip("these GPUs can't read each other's memory")
	}
	gpus = openAll(t, min(4, len(gpus)*2)) // also two devices on one GPU
	rng := rand.New(rand.NewPCG(8, 9))
	for _, c := range []struct{ rows, cols, stride, from int }{{1, 1, 1, 1}, {1, 70_000, 70_000, 70_000}, {7, 33, 33, 33}, {7, 33, 40, 50}, {3, 5, 9, 5}, {0, 4, 4, 4}} {
		values := make([][]float32, len(gpus))
		sources := make([]device.Tensor, len(gpus))
		for i, dev := range gpus {
			values[i] = random(rng, c.rows*c.cols)
			sources[i] = newView(t, dev, c.rows, c.cols, c.from, values[i])
			if err := dev.Sync(); err != nil {
				t.Fatal(err)
			}
		}
		for i, dev := range gpus {
			for j, from := range gpus {
				dst := newView(t, dev, c.rows, c.cols, c.stride, nil)
				if err := dev.(device.Peer).CopyFrom(dst, from, sources[j]); err != nil {
					t.Fatal(err)
				}
				got := make([]float32, dst.Len())
				if err := dev.Download(got, dst); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, values[j]) {
					t.Errorf("%+v: GPU %d read other values from GPU %d", c, i, j)
				}
			}
		}
	}
}

func TestCopyFromRefuses(t *testing.T) {
	d := openDevice(t, Options{})
	host, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	if d.Reaches(d, host) {
		t.Error("a GPU reads the memory of the CPU device")
	}
	x := newView(t, d, 1, 4, 4, nil)
	if err := d.CopyFrom(x, host, x); err == nil || !strings.Contains(err.Error(), "is no GPU") {
		t.Errorf("%v, want an error", err)
	}
	defer func() {
		if p := fmt.Sprint(recover()); !strings.Contains(p, "CopyFrom") {
			t.Errorf("panic %s", p)
		}
	}()
	d.CopyFrom(x, d, x.ColRange(0, 3))
}

// TestExchange sums and gathers over two to four GPUs, by reading each other's memory or through the host: the plain sums,
// bit for bit.
func TestExchange(t *testing.T) {
	for n := 2; n <= 4; n++ {
		gpus := openAll(t, n)
		for _, total := range []int{1, 1000, 300_001} {
			testExchange(t, gpus, total)
		}
	}
}

// unlinked is a GPU that can't be read from by others, distant one whose way to the host is slow.
type (
	unlinked struct{ device.Device }
	distant  struct{ *Device }
)

func (d distant) Download(dst []float32, t device.Tensor) error {
	time.Sleep(20 * time.Millisecond)
	return d.Device.Download(dst, t)
}

func (d distant) Reaches(devices ...device.Device) bool { return d.Device.Reaches(d.inner(devices)...) }

func (d distant) CopyFrom(dst device.Tensor, from device.Device, src device.Tensor) error {
	return d.Device.CopyFrom(dst, d.inner([]device.Device{from})[0], src)
}

func (distant) inner(devices []device.Device) (all []device.Device) {
	for _, dev := range devices {
		all = append(all, dev.(distant).Device)
	}
	return all
}

func testExchange(t *testing.T, gpus []device.Device, total int) {
	t.Helper()
	linked := gpus[0].(device.Peer).Reaches(gpus...)
	for _, direct := range []bool{false, true} {
		var wrapped []device.Device
		for _, dev := range gpus {
			if direct {
				wrapped = append(wrapped, distant{dev.(*Device)})
			} else {
				wrapped = append(wrapped, unlinked{dev})
			}
		}
		x, err := parallel.NewExchange(wrapped, total)
		if err != nil {
			t.Fatal(err)
		}
		if x.Direct() != (direct && linked) {
			t.Errorf("%d GPUs: directly %v, want %v", len(gpus), x.Direct(), direct && linked)
		}
		rng := rand.New(rand.NewPCG(uint64(total), uint64(len(gpus))))
		tensors := make([]device.Tensor, len(gpus))
		want := make([]float32, total)
		for rank, dev := range gpus {
			values := random(rng, total)
			for i, v := range values {
				want[i] += v // ((0 + a) + b) + …
			}
			tensors[rank] = newView(t, dev, 1, total, total, values)
		}
		if err := x.Reduce(tensors); err != nil {
			t.Fatal(err)
		}
		if err := x.Gather(tensors); err != nil {
			t.Fatal(err)
		}
		for rank, dev := range gpus {
			got := make([]float32, total)
			if err := dev.Download(got, tensors[rank]); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d GPUs, %d values, directly %v: GPU %d has other sums", len(gpus), total, x.Direct(), rank)
			}
			dev.Free(tensors[rank].Buf)
		}
		t.Logf("%d GPUs, %d values: linked %v, directly %v", len(gpus), total, linked, x.Direct())
		x.Close()
	}
}

// Without links between the GPUs they don't reach each other, and the exchange goes through the host. The setting is the fake
// driver's; on real GPUs this is the same test again.
func TestExchangeWithoutLinks(t *testing.T) {
	out := alone(t, "TestExchange", "FAKECUDA_PEERS=0")
	if os.Getenv("FAKECUDA_CACHE") != "" && (!strings.Contains(out, "linked false, directly false") || strings.Contains(out, "true")) {
		t.Errorf("GPUs without links:\n%s", out)
	}
}
