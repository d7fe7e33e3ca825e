package parallel

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu"
)

func TestPart(t *testing.T) {
	for _, total := range []int{0, 1, 63, 64, 65, 1000, 123_457} {
		for n := 1; n <= 5; n++ {
			at := 0
			for rank := range n {
				from, to := Part(total, rank, n)
				if from != at || to < from || to-from > total/n+2*align || from%align != 0 && from != total {
					t.Errorf("part %d of %d of %d: [%d, %d)", rank, n, total, from, to)
				}
				at = to
			}
			if at != total {
				t.Errorf("%d parts of %d end at %d", n, total, at)
			}
		}
	}
}

func TestShares(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		n     int
		want  []int
	}{
		{nil, 2, []int{0, 0, 0}},
		{[]int{5}, 1, []int{0, 1}},
		{[]int{5, 5, 5, 5}, 2, []int{0, 2, 4}},
		{[]int{5, 5, 5, 5}, 3, []int{0, 1, 3, 4}},
		{[]int{9, 1, 1, 1}, 2, []int{0, 1, 4}},
		{[]int{1, 1, 1, 9}, 2, []int{0, 3, 4}},
		{[]int{7}, 3, []int{0, 0, 1, 1}},
	} {
		if got := Shares(c.sizes, c.n); !slices.Equal(got, c.want) {
			t.Errorf("shares of %v among %d: %v, want %v", c.sizes, c.n, got, c.want)
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		sizes, n, largest, total := make([]int, rng.IntN(30)), 1+rng.IntN(5), 0, 0
		for i := range sizes {
			sizes[i] = 1 + rng.IntN(100)
			largest, total = max(largest, sizes[i]), total+sizes[i]
		}
		bounds := Shares(sizes, n)
		if len(bounds) != n+1 || bounds[0] != 0 || bounds[n] != len(sizes) || !slices.IsSorted(bounds) {
			t.Fatalf("shares of %v among %d: %v", sizes, n, bounds)
		}
		for i := range n {
			sum := 0
			for _, s := range sizes[bounds[i]:bounds[i+1]] {
				sum += s
			}
			if sum > total/n+largest+1 {
				t.Errorf("shares of %v among %d: %v, of which %d takes %d of %d", sizes, n, bounds, i, sum, total)
			}
		}
	}
}

// peer is a CPU device that reads the memory of others of its kind.
type peer struct {
	device.Device
	copies int
}

func (p *peer) Reaches(others ...device.Device) bool {
	return !slices.ContainsFunc(others, func(d device.Device) bool { _, ok := d.(*peer); return !ok })
}

func (p *peer) CopyFrom(dst device.Tensor, from device.Device, src device.Tensor) error {
	p.copies++
	values := make([]float32, src.Len())
	if err := from.Download(values, src); err != nil {
		return err
	}
	p.Upload(dst, values)
	return nil
}

func devices(t *testing.T, n int, peers bool) []device.Device {
	t.Helper()
	devs := make([]device.Device, n)
	for i := range devs {
		dev, err := cpu.New(cpu.Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dev.Close() })
		if devs[i] = dev; peers {
			devs[i] = &peer{Device: dev}
		}
	}
	return devs
}

// TestExchange sums and gathers random tensors, through the host and directly, in one chunk and in many.
func TestExchange(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4} {
		for _, direct := range []bool{false, true} {
			for _, total := range []int{1, 64, 1000, 70_001} {
				for _, chunk := range []int{64, 4096, 1 << 20} {
					testExchange(t, devices(t, n, direct), total, chunk, direct)
				}
			}
		}
	}
}

func testExchange(t *testing.T, devs []device.Device, total, chunk int, direct bool) {
	t.Helper()
	x, err := NewExchange(devs, total)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	var scratch int64
	for _, b := range x.owned[0] {
		scratch += 4 * int64(b.Len())
	}
	if want := Scratch(total, len(devs)); len(devs) > 1 && scratch != want {
		t.Errorf("%d devices, %d values: %d bytes of scratch, want %d", len(devs), total, scratch, want)
	}
	x.direct = direct && len(devs) > 1
	for rank := range devs {
		n := min(chunk, x.sum[0].Cols)
		x.sum[rank], x.in[rank] = x.sum[rank].ColRange(0, n), x.in[rank].ColRange(0, n)
	}
	rng := rand.New(rand.NewPCG(uint64(total), uint64(len(devs))))
	values := make([][]float32, len(devs))
	tensors := make([]device.Tensor, len(devs))
	want := make([]float32, total)
	for rank, dev := range devs {
		values[rank] = make([]float32, total)
		for i := range values[rank] {
			values[rank][i] = rng.Float32() - 0.5
			if rank == 0 {
				want[i] = values[rank][i]
			} else {
				want[i] += values[rank][i]
			}
		}
		buf, err := dev.Alloc(total)
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Free(buf)
		tensors[rank] = device.View(buf, 0, 1, total)
		dev.Upload(tensors[rank], values[rank])
	}
	got := func(rank int) []float32 {
		out := make([]float32, total)
		if err := devs[rank].Download(out, tensors[rank]); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if err := x.Reduce(tensors); err != nil {
		t.Fatal(err)
	}
	for rank := range devs {
		from, to := Part(total, rank, len(devs))
		after := got(rank)
		if !slices.Equal(after[from:to], want[from:to]) {
			t.Errorf("%d devices, %d values, chunks of %d: the sum of part %d is wrong", len(devs), total, chunk, rank)
		}
		if !slices.Equal(after[:from], values[rank][:from]) || !slices.Equal(after[to:], values[rank][to:]) {
			t.Errorf("%d devices, %d values, chunks of %d: device %d lost values of others' parts", len(devs), total, chunk, rank)
		}
	}
	if err := x.Gather(tensors); err != nil {
		t.Fatal(err)
	}
	for rank := range devs {
		if !slices.Equal(got(rank), want) {
			t.Errorf("%d devices, %d values, chunks of %d: device %d has not gathered all", len(devs), total, chunk, rank)
		}
	}
	if p, ok := devs[0].(*peer); ok && len(devs) > 1 && p.copies == 0 {
		t.Error("nothing was copied directly")
	}
}

func TestEach(t *testing.T) {
	broken := errors.New("broken")
	if err := Each(3, func(rank int) error {
		if rank == 1 {
			return broken
		}
		return nil
	}); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}
