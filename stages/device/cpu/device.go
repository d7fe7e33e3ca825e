package cpu

import (
	"fmt"
	"runtime"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// Options configures [New].
type Options struct {
	// Threads is the number of threads that compute, the calling one included; 0 means GOMAXPROCS.
	Threads int
	// Kernels names the kernel set ("avx512bf16", "avx512", "avx2", "portable"); "" means the environment variable
	// OPENRS_KERNELS or, when that is empty too, the best one this processor has.
	Kernels string
	// Sharing is how many devices like this one share the machine: FreeMemory is one's part. 0 means 1.
	Sharing int
}

// Device is a processor with its threads. It implements [device.Device]; like any device it is owned
// by one goroutine. Calls have finished when they return.
type Device struct {
	set      *kernel.Set
	pool     *kernel.Pool
	workers  []*worker // one a thread of the pool
	live     map[releaser]struct{}
	sharing  int64
	arena    arena
	shared   shared
	minWork  float64 // see split
	partWork float64 // the same of attention backward
	ops      uint64  // see left
	upcoming
	closed bool
}

var _ device.Device = (*Device)(nil)

// releaser is anything that holds memory of the device.
type releaser interface{ release() }

// New returns a device. It fails on an unknown kernel set or one that this processor cannot run.
func New(opt Options) (*Device, error) {
	if opt.Threads < 0 {
		return nil, fmt.Errorf("cpu: %d threads", opt.Threads)
	}
	if opt.Sharing < 0 {
		return nil, fmt.Errorf("cpu: shared by %d", opt.Sharing)
	}
	threads := opt.Threads
	if threads == 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	level := kernel.Detect()
	if opt.Kernels != "" {
		var err error
		if level, err = kernel.ParseLevel(opt.Kernels); err != nil {
			return nil, fmt.Errorf("cpu: %w", err)
		}
	}
	set, err := kernel.New(level)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	d := &Device{set: set, pool: kernel.NewPool(threads), live: map[releaser]struct{}{}, sharing: int64(max(1, opt.Sharing)), minWork: minWork, partWork: partWork}
	for range threads {
		d.workers = append(d.workers, &worker{gemm: new(kernel.Scratch)})
	}
	return d, nil
}

// Name returns the kernel set and the number of threads, such as "cpu: avx512, 2 threads".
func (d *Device) Name() string {
	plural := "s"
	if len(d.workers) == 1 {
		plural = ""
	}
	return fmt.Sprintf("cpu: %s, %d thread%s", d.set.Level(), len(d.workers), plural)
}

// Close stops the threads and frees every buffer, weight and cache. Using any of them, or the device,
// afterwards panics. A second Close does nothing.
func (d *Device) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	d.pool.Close()
	for r := range d.live {
		r.release()
	}
	d.live, d.workers, d.shared = nil, nil, shared{}
	return nil
}

// Sync returns nil: calls have finished when they return, and the processor reports no faults.
func (d *Device) Sync() error {
	d.open("Sync")
	return nil
}

// open panics when the device has been closed.
func (d *Device) open(op string) {
	if d.closed {
		panic("device: " + op + " after Close")
	}
}
