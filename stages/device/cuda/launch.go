//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"regexp"

	"openrs/stages/device/cuda/driver"
	"openrs/stages/device/cuda/kernels"
)

// function is a kernel by name.
type function struct {
	driver.Function
	params int
}

// module is a compiled source; it is loaded when the first of its kernels is launched.
type module struct {
	ptx    []byte
	m      driver.Module
	loaded bool
}

// load is called on the thread.
func (m *module) load() (driver.Module, error) {
	if m.loaded {
		return m.m, nil
	}
	var err error
	m.m, err = driver.LoadModule(m.ptx)
	m.loaded = err == nil
	return m.m, err
}

var (
	entries = regexp.MustCompile(`(?s)\.entry\s+(\w+)\s*(\(.*?\))?\s*[.{]`)
	params  = regexp.MustCompile(`\.param\s`)
)

// loadKernels notes which kernels there are, by the PTX that is embedded.
func (d *Device) loadKernels() error {
	sources, err := kernels.Modules()
	if err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	d.functions = map[string]*function{}
	for _, source := range sources {
		m := &module{ptx: source.PTX}
		d.modules = append(d.modules, m)
		for _, entry := range entries.FindAllSubmatch(source.PTX, -1) {
			name := string(entry[1])
			if d.functions[name] != nil {
				return fmt.Errorf("cuda: module %s has another kernel %s", source.Name, name)
			}
			d.functions[name] = &function{driver.Function{Name: name, Load: m.load}, len(params.FindAll(entry[2], -1))}
		}
	}
	return nil
}

// unloadKernels is called on the thread.
func (d *Device) unloadKernels() error {
	for _, m := range d.modules {
		if m.loaded {
			if err := m.m.Unload(); err != nil {
				return err
			}
			m.loaded = false
		}
	}
	return nil
}

// What every GPU allows.
const (
	maxGrid  = 1<<16 - 1 // blocks along y and z
	maxBlock = 1 << 10   // threads
)

// launch enqueues a kernel with shared bytes of dynamic shared memory, unless grid.X is 0. An argument is a word of 8 bytes; a
// parameter of 4 bytes sits in the lower half (see u32 and f32). A fault sticks to the device.
func (d *Device) launch(kernel string, grid, block driver.Dim, shared int, args ...uint64) {
	f := d.functions[kernel]
	switch {
	case f == nil:
		panic("device: there is no kernel " + kernel)
	case len(args) != f.params || len(args) > driver.MaxArgs:
		panic(fmt.Sprintf("device: %d arguments for kernel %s, which takes %d (at most %d)", len(args), kernel, f.params, driver.MaxArgs))
	case grid.X < 0 || grid.X > math.MaxInt32 || grid.Y < 0 || grid.Y > maxGrid || grid.Z < 0 || grid.Z > maxGrid,
		block.X < 1 || block.Y < 0 || block.Z < 0 || block.Threads() > maxBlock, shared < 0:
		panic(fmt.Sprintf("device: kernel %s: a grid of %v blocks of %v threads with %d bytes of shared memory", kernel, grid, block, shared))
	case grid.X == 0:
		return
	}
	l := driver.Launch{Function: &f.Function, Grid: grid, Block: block, Shared: shared, Stream: d.stream, N: len(args)}
	copy(l.Args[:], args)
	if rec := d.replay.now; rec != nil {
		rec.hold(&l)
		return
	}
	d.ctx.Launch(&l)
	d.replay.launched.Kernels++
}

// u32 is an int32 or uint32 kernel argument.
func u32(n int) uint64 { return uint64(uint32(n)) }

// f32 is a float kernel argument.
func f32(v float32) uint64 { return uint64(math.Float32bits(v)) }
