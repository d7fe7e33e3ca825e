//go:build cuda

package cuda

import (
	"errors"
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

var _ device.Limits = (*Device)(nil)

// Threads implements [device.Limits]: the processor computes nothing.
func (d *Device) Threads() int { return 0 }

// A measurement's work is doubled until it takes enough, or there is most of it, and repeated until all took inTotal.
const (
	enough  = 5.0 // milliseconds
	inTotal = 100.0
)

// ArithmeticLimit implements [device.Limits]: fused multiply-adds for F32, and for BF16 the products of tensor cores.
func (d *Device) ArithmeticLimit(dtype device.DType) (float64, error) {
	d.begin("ArithmeticLimit")
	const (
		warps = 8 // a block
		waves = 2 // blocks a multiprocessor
		most  = 1 << 20
	)
	var kernel string
	var flops float64 // of a warp in a round
	switch dtype {
	case device.F32:
		kernel, flops = "limit_fma_f32", 16*32*2
	case device.BF16:
		kernel, flops = "limit_mma_bf16", 8*16*8*16*2
	default:
		return 0, fmt.Errorf("cuda: arithmetic of type %v", dtype)
	}
	blocks := waves * d.info.Multiprocessors
	sink := d.scratch(4)
	return d.bestRate(most, func(rounds int) float64 {
		d.launch(kernel, driver.Dim{X: blocks}, driver.Dim{X: 32 * warps}, 0, sink, u32(rounds))
		return float64(blocks*warps) * float64(rounds) * flops
	})
}

// MemoryLimit implements [device.Limits]. It takes up to 1 GiB for the time of the call.
func (d *Device) MemoryLimit() (float64, error) {
	d.begin("MemoryLimit")
	const least, most = 32 << 20, 1 << 30
	bytes := int64(most)
	for bytes > least && bytes > d.limit-d.used {
		bytes /= 2
	}
	addr, err := d.allocate(bytes, "measuring the memory")
	if err != nil {
		return 0, err
	}
	defer d.free(addr, bytes)
	sink := d.scratch(4)
	blocks := 16 * d.info.Multiprocessors
	return d.bestRate(int(bytes/least), func(parts int) float64 {
		n := int64(parts) * least
		d.launch("limit_read_f32", driver.Dim{X: blocks}, driver.Dim{X: 256}, 0, sink, addr, uint64(n/16))
		return float64(n)
	})
}

// bestRate measures what enqueue enqueues, which returns how much that is, and returns the highest rate in 10⁹ a second.
// Enqueue is told how much to do, from 1 to most.
func (d *Device) bestRate(most int, enqueue func(amount int) float64) (float64, error) {
	var start, end driver.Event
	d.settle()
	err := d.ctx.Do(d.op, func() error {
		var err, err2 error
		start, err = driver.NewEvent(true)
		end, err2 = driver.NewEvent(true)
		return errors.Join(err, err2)
	})
	if err != nil {
		return 0, err
	}
	defer d.ctx.SendAlways(d.op, func() error { return errors.Join(start.Destroy(), end.Destroy()) })
	measure := func(amount int) (done, ms float64, err error) {
		d.ctx.Send(d.op, func() error { return d.stream.Record(start) })
		done = enqueue(amount)
		err = d.ctx.Do(d.op, func() error {
			err := d.stream.Record(end)
			if err == nil {
				err = d.ctx.Await(end)
			}
			if err == nil {
				ms, err = end.Since(start)
			}
			return err
		})
		return done, ms, err
	}
	var best, spent float64
	for amount := 1; spent < inTotal; {
		done, ms, err := measure(amount)
		if err != nil {
			return 0, err
		}
		best = max(best, done/max(ms, 1e-6)/1e6)
		spent += ms
		if ms < enough {
			amount = min(2*amount, most)
		}
	}
	return best, nil
}
