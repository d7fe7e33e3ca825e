//go:build cuda

package cuda

import (
	"fmt"
	"math"
	"unsafe"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// buffer is n float32 values at addr.
type buffer struct {
	owner *Device
	n     int
	addr  uint64
	freed bool
}

// Len implements [device.Buffer].
func (b *buffer) Len() int { return b.n }

func (b *buffer) release() {
	b.owner.free(b.addr, 4*int64(b.n))
	b.freed, b.addr = true, 0
}

// allocate returns the address of so many zeroed bytes, aligned to 256, or an error that says what they were for. No
// bytes are at address 0.
func (d *Device) allocate(bytes int64, what string, args ...any) (uint64, error) {
	what = fmt.Sprintf(what, args...)
	if bytes < 0 {
		return 0, fmt.Errorf("cuda:%d: %s: the size is out of range", d.info.Ordinal, what)
	}
	if bytes == 0 {
		return 0, nil
	}
	if bytes > d.limit-d.used {
		return 0, fmt.Errorf("cuda:%d: %s: %w: %s asked for, %s of %s in use", d.info.Ordinal, what, driver.OutOfMemory, size(bytes), size(d.used), size(d.limit))
	}
	var addr uint64
	err := d.ctx.Do(what, func() error {
		var err error
		if addr, err = d.stream.Alloc(bytes); err != nil {
			return fmt.Errorf("%w: %s asked for, %s of %s in use", err, size(bytes), size(d.used), size(d.limit))
		}
		return d.stream.Clear(addr, bytes)
	})
	if err != nil {
		return 0, err
	}
	d.used += bytes
	return addr, nil
}

// free returns memory of allocate. What has been enqueued up to here may still use it.
func (d *Device) free(addr uint64, bytes int64) {
	if addr == 0 {
		return
	}
	d.settle()
	d.used -= bytes
	d.ctx.SendAlways("free", func() error { return d.stream.Free(addr) })
}

// product multiplies sizes, or returns −1 when one is negative or the result is beyond what any memory holds.
func product(sizes ...int) int64 {
	n := int64(1)
	for _, s := range sizes {
		if s < 0 || s > 0 && n > math.MaxInt64/8/int64(s) {
			return -1
		}
		n *= int64(s)
	}
	return n
}

// Alloc implements [device.Memory].
func (d *Device) Alloc(n int) (device.Buffer, error) {
	d.open("Alloc")
	addr, err := d.allocate(product(n, 4), "alloc of %d values", n)
	if err != nil {
		return nil, err
	}
	b := &buffer{owner: d, n: n, addr: addr}
	d.live[b] = struct{}{}
	return b, nil
}

// Free implements [device.Memory]. Freeing what is not a living buffer of this device panics.
func (d *Device) Free(b device.Buffer) {
	p, _ := b.(*buffer)
	forget(d, "Free", p)
}

// forget releases r, which must be living.
func forget[T interface {
	comparable
	releaser
}](d *Device, op string, r T) {
	d.open(op)
	if _, ok := d.live[r]; !ok {
		panic(fmt.Sprintf("device: %s: not allocated on this device, or freed before", op))
	}
	delete(d.live, r)
	r.release()
}

// Upload implements [device.Memory].
func (d *Device) Upload(t device.Tensor, src []float32) {
	m := d.view("Upload", "t", t)
	if len(src) != t.Len() {
		device.Mismatch("Upload", "t", t, "values", len(src))
	}
	d.begin("Upload")
	d.strips(m, func(part matrix, first int, flat uint64) {
		d.send(flat, bytesOf(src[first:first+part.rows*part.cols]))
		if flat != part.addr {
			d.copyRows(part, matrix{flat, part.rows, part.cols, part.cols})
		}
	})
}

// Download implements [device.Memory].
func (d *Device) Download(dst []float32, t device.Tensor) error {
	m := d.view("Download", "t", t)
	if len(dst) != t.Len() {
		device.Mismatch("Download", "t", t, "values", len(dst))
	}
	d.begin("Download")
	if len(dst) == 0 {
		return d.Sync()
	}
	var err error
	d.strips(m, func(part matrix, first int, flat uint64) {
		if flat != part.addr {
			d.copyRows(matrix{flat, part.rows, part.cols, part.cols}, part)
		}
		if err == nil {
			err = d.fetch(bytesOf(dst[first:first+part.rows*part.cols]), flat)
		}
	})
	return err
}

// strips calls f with m, if its rows follow each other without a gap, or with parts of it one after another: first is the
// part's first element, counted row by row, and flat an address at which its values lie, or will lie, without gaps.
func (d *Device) strips(m matrix, f func(part matrix, first int, flat uint64)) {
	if m.rows == 0 || m.cols == 0 {
		return
	}
	if m.stride == m.cols || m.rows == 1 {
		f(m, 0, m.addr)
		return
	}
	const most = 8 << 20 // bytes of scratch
	rows := max(1, most/4/m.cols)
	flat := d.scratch(4 * min(rows, m.rows) * m.cols)
	for r := 0; r < m.rows; r += rows {
		part := matrix{m.addr + 4*uint64(r)*uint64(m.stride), min(rows, m.rows-r), m.cols, m.stride}
		f(part, r*m.cols, flat)
	}
}

// Copy implements [device.Memory].
func (d *Device) Copy(dst, src device.Tensor) {
	y, x := d.view("Copy", "dst", dst), d.view("Copy", "src", src)
	if y.rows != x.rows || y.cols != x.cols {
		device.Mismatch("Copy", "dst", dst, "src", src)
	}
	d.begin("Copy")
	if y.addr != x.addr || y.stride != x.stride {
		d.copyRows(y, x)
	}
}

// copyRows copies x to y, of the same shape.
func (d *Device) copyRows(y, x matrix) {
	if y.rows == 0 || y.cols == 0 {
		return
	}
	// A kernel can be held back, a copy cannot.
	if (y.stride == y.cols && x.stride == x.cols || y.rows == 1) && d.replay.now == nil {
		n := 4 * int64(y.rows) * int64(y.cols)
		d.ctx.Send(d.op, func() error { return d.stream.Copy(y.addr, x.addr, n) })
		return
	}
	grid, block := overRows(y)
	d.launch("copy_f32", grid, block, 0, y.addr, x.addr, u32(y.rows), u32(y.cols), uint64(y.stride), uint64(x.stride))
}

// Zero implements [device.Memory].
func (d *Device) Zero(t device.Tensor) {
	m := d.view("Zero", "t", t)
	d.begin("Zero")
	if m.rows == 0 || m.cols == 0 {
		return
	}
	if (m.stride == m.cols || m.rows == 1) && d.replay.now == nil {
		d.ctx.Send(d.op, func() error { return d.stream.Clear(m.addr, 4*int64(m.rows)*int64(m.cols)) })
		return
	}
	grid, block := overRows(m)
	d.launch("zero_f32", grid, block, 0, m.addr, u32(m.rows), u32(m.cols), uint64(m.stride))
}

// overRows is the grid of the kernels in memory.cu: blocks of 8 rows of 32 threads along the columns. Each goes on to
// further rows until the end, so that the grid need not reach it.
func overRows(m matrix) (grid, block driver.Dim) {
	return driver.Dim{X: min((m.cols+31)/32, 64), Y: min((m.rows+7)/8, 1<<12)}, driver.Dim{X: 32, Y: 8}
}

// bytesOf is the memory of xs.
func bytesOf[T int32 | uint32 | float32 | float64 | uint64](xs []T) []byte {
	if len(xs) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&xs[0])), len(xs)*int(unsafe.Sizeof(xs[0])))
}
