//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"time"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// Options configures [Open].
type Options struct {
	// Ordinal is the number of the GPU, from 0.
	Ordinal int
	// MemoryBytes bounds what the device allocates, and is reserved at once; 0 means what is free on the GPU less a
	// reserve for the driver.
	MemoryBytes int64
	// Deadline bounds every wait for the GPU; 0 means [driver.DefaultDeadline].
	Deadline time.Duration
	// Blocking waits after every kernel, so that a fault is reported under the kernel's name. It is slow.
	Blocking bool
	// Attention is the data type of attention's products and of the key-value cache: F32, or BF16 for tensor cores.
	Attention device.DType
}

// Device is one GPU. It implements [device.Device]; like any device it is owned by one goroutine. An operation checks its
// arguments in the caller's goroutine, hands its launches to the thread of the GPU and returns; Download, Sync and the
// few other calls that return values wait.
type Device struct {
	ctx       *driver.Context
	stream    driver.Stream // in which everything happens
	idle      driver.Event  // for Sync
	info      driver.Info
	functions map[string]*function
	modules   []*module

	limit, used int64 // bytes of device memory
	live        map[releaser]struct{}
	pinned      ring
	indices     indexStore
	space       scratch
	replay      replays
	plan        *pagedPlan   // of the last PagedAttention
	left        left         // of WeightGrad
	attention   device.DType // Options.Attention
	op          string       // the operation under way, for messages
	closed      bool
}

// releaser is anything that holds memory of the device.
type releaser interface{ release() }

// reserve is how much of the GPU's free memory is left to the driver when Options.MemoryBytes is 0: it loads the
// kernels there, and their stacks.
func reserve(total int64) int64 { return max(256<<20, total/50) }

// Open returns a device on GPU opt.Ordinal.
func Open(opt Options) (*Device, error) {
	info, err := driver.Describe(opt.Ordinal)
	if err != nil {
		return nil, err
	}
	if err := suits(info); err != nil {
		return nil, fmt.Errorf("cuda:%d: %s: %w", info.Ordinal, info.Name, err)
	}
	d := &Device{info: info, live: map[releaser]struct{}{}, attention: opt.Attention}
	d.replay.off = opt.Blocking // a graph would hide which kernel it is
	if err := d.loadKernels(); err != nil {
		return nil, err
	}
	if d.ctx, err = driver.Open(opt.Ordinal, driver.Options{Deadline: opt.Deadline, Blocking: opt.Blocking}); err != nil {
		return nil, err
	}
	if err := d.ctx.Do("open", func() error { return d.start(opt.MemoryBytes) }); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	if err := d.indices.open(d); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// suits says what a GPU lacks.
func suits(info driver.Info) error {
	const needs = 80 // bf16 products and asynchronous copies to shared memory
	if have := 10*info.Major + info.Minor; have < needs {
		return fmt.Errorf("compute capability %d.%d is below 8.0 (Ampere)", info.Major, info.Minor)
	}
	if !info.Pools {
		return errors.New("no stream-ordered allocation: the driver is older than 11.4, or the GPU is a virtual one without it")
	}
	return nil
}

// start makes what the device keeps until Close, on the thread.
func (d *Device) start(memory int64) error {
	var err error
	if d.stream, err = driver.NewStream(); err != nil {
		return err
	}
	if d.idle, err = driver.NewEvent(false); err != nil {
		return err
	}
	free, total, err := driver.MemInfo()
	if err != nil {
		return err
	}
	if err := driver.KeepFreed(d.ctx.Ordinal()); err != nil {
		return err
	}
	d.limit = memory
	if memory <= 0 {
		d.limit = max(0, free-reserve(total))
	} else if addr, err := d.stream.Alloc(memory); err != nil {
		return fmt.Errorf("reserving %s of device memory, of which %s are free: %w", size(memory), size(free), err)
	} else if err := d.stream.Free(addr); err != nil { // the pool keeps it
		return err
	}
	return d.pinned.open()
}

// Name returns the GPU's number, name and size, such as "cuda:0: NVIDIA A40, 84 multiprocessors, 44.6 GiB".
func (d *Device) Name() string {
	return fmt.Sprintf("cuda:%d: %s, %d multiprocessors, %s", d.info.Ordinal, d.info.Name, d.info.Multiprocessors, size(d.info.Memory))
}

// size writes a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// begin starts an operation: what scratch has handed out before may be used again. It panics after Close.
func (d *Device) begin(op string) {
	d.open(op)
	d.op = op
	d.indices.spent = 0
	d.space.reset(d)
}

// open panics when the device has been closed.
func (d *Device) open(op string) {
	if d.closed {
		panic("device: " + op + " after Close")
	}
}

// Sync implements [device.Memory].
func (d *Device) Sync() error {
	d.open("Sync")
	d.settle()
	return d.ctx.Do("sync", func() error {
		if err := d.stream.Record(d.idle); err != nil {
			return err
		}
		return d.ctx.Await(d.idle)
	})
}

// Close waits for the GPU, frees every buffer, weight and cache, and ends the device's thread. Using any of them, or the
// device, afterwards panics. It returns the first fault, if there was one. A second Close does nothing.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	var err error
	if d.stream != (driver.Stream{}) {
		err = d.Sync()
	}
	for r := range d.live {
		r.release()
	}
	d.live = nil
	d.dropRecordings()
	d.indices.close(d)
	d.space.close(d)
	d.closed = true
	failed := d.ctx.Release("close", func() error {
		errs := []error{d.pinned.close(), d.unloadKernels()}
		if d.stream != (driver.Stream{}) {
			errs = append(errs, d.idle.Destroy(), d.stream.Destroy(), driver.Trim(d.ctx.Ordinal()))
		}
		return errors.Join(errs...)
	})
	if err == nil { // after a fault the driver refuses everything
		err = failed
	}
	if closed := d.ctx.Close(); err == nil {
		err = closed
	}
	return err
}

var _ device.Capacity = (*Device)(nil)

// FreeMemory implements [device.Capacity].
func (d *Device) FreeMemory() int64 {
	d.open("FreeMemory")
	left := d.limit - d.used
	err := d.ctx.Do("free memory", func() error {
		free, _, err := driver.MemInfo()
		if err != nil {
			return err
		}
		pooled, err := driver.Pooled(d.ctx.Ordinal())
		left = min(left, free+pooled)
		return err
	})
	if err != nil {
		return 0
	}
	return max(0, left)
}
