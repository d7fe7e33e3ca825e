//go:build cuda

package cuda

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// weight is an [out, in] matrix, row-major, of 2 or 4 bytes a value. Rows are filled up with zeros to what paddedRow says.
type weight struct {
	owner   *Device
	out, in int
	ld      int // values from a row to the next
	dtype   device.DType
	grad    bool
	data    uint64 // address; 0 once freed
	bytes   int64
}

// Out implements [device.Weight].
func (w *weight) Out() int { return w.out }

// In implements [device.Weight].
func (w *weight) In() int { return w.in }

// DType implements [device.Weight].
func (w *weight) DType() device.DType { return w.dtype }

// Bytes implements [device.Weight].
func (w *weight) Bytes() int64 { return w.bytes }

func (w *weight) release() {
	w.owner.free(w.data, w.bytes)
	w.data = 0
}

// NewWeight implements [device.Memory]. The products of the backward pass read the same memory, so that grad takes no
// more of it.
func (d *Device) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	d.open("NewWeight")
	if out <= 0 || in <= 0 {
		return nil, fmt.Errorf("cuda: a weight of %d×%d", out, in)
	}
	if dtype != device.F32 && dtype != device.BF16 {
		return nil, fmt.Errorf("cuda: a weight of type %v", dtype)
	}
	w := &weight{owner: d, out: out, in: in, ld: paddedRow(in, dtype), dtype: dtype, grad: grad}
	w.bytes = product(out, w.ld, dtype.Bytes())
	var err error
	if w.data, err = d.allocate(w.bytes, "a weight of %d×%d", out, in); err != nil {
		return nil, err
	}
	d.live[w] = struct{}{}
	return w, nil
}

// FreeWeight implements [device.Memory].
func (d *Device) FreeWeight(w device.Weight) {
	p, _ := w.(*weight)
	forget(d, "FreeWeight", p)
}

// Pack implements [device.Memory].
func (d *Device) Pack(dst device.Weight, t device.Tensor) {
	const op = "Pack"
	w, m := d.weightOf(op, dst), d.view(op, "t", t)
	if m.rows != w.out || m.cols != w.in {
		device.Mismatch(op, "w", shapeOf(w), "t", t)
	}
	d.begin(op)
	d.pack(w, 0, m)
}

var _ device.RowPacker = (*Device)(nil)

// PackRows implements [device.RowPacker]; from may be any row, and w may have been made with grad.
func (d *Device) PackRows(dst device.Weight, from int, t device.Tensor) {
	const op = "PackRows"
	w, m := d.weightOf(op, dst), d.view(op, "t", t)
	if m.cols != w.in || from < 0 || from+m.rows > w.out {
		device.Mismatch(op, "w", shapeOf(w), "from", from, "t", t)
	}
	d.begin(op)
	d.pack(w, from, m)
}

// PackBF16Rows implements [device.RowPacker]: the values of a checkpoint are stored as they are.
func (d *Device) PackBF16Rows(dst device.Weight, from int, values []byte) {
	const op = "PackBF16Rows"
	w := d.weightOf(op, dst)
	row := 2 * w.in
	rows := len(values) / row
	if w.dtype != device.BF16 || len(values) != rows*row || from < 0 || from+rows > w.out {
		device.Mismatch(op, "w", shapeOf(w), "dtype", w.dtype, "from", from, "bytes", len(values))
	}
	d.begin(op)
	if w.ld == w.in {
		d.send(w.row(from), values)
		return
	}
	const most = 8 << 20 // bytes of scratch
	strip := max(1, most/row)
	plain := d.scratch(min(strip, rows) * row)
	for r := 0; r < rows; r += strip {
		n := min(strip, rows-r)
		d.send(plain, values[r*row:(r+n)*row])
		d.launch("pad_bf16", vectors(n, w.ld, w.dtype), driver.Dim{X: 256}, 0, w.row(from+r), u32(w.ld), plain, u32(n), u32(w.in))
	}
}

// pack stores m as rows of w from a row on.
func (d *Device) pack(w *weight, from int, m matrix) {
	kernel := "pack_f32"
	if w.dtype == device.BF16 {
		kernel = "pack_bf16"
	}
	d.launch(kernel, vectors(m.rows, w.ld, w.dtype), driver.Dim{X: 256}, 0, w.row(from), u32(w.ld), m.addr, u32(m.stride), u32(m.rows), u32(m.cols))
}

// row is the address of a row.
func (w *weight) row(i int) uint64 { return w.data + uint64(i)*uint64(w.ld)*uint64(w.dtype.Bytes()) }

// vectors is a grid of blocks of 256 threads, one a vector of 16 bytes of so many rows of ld values.
func vectors(rows, ld int, dtype device.DType) driver.Dim {
	return driver.Dim{X: (rows*ld*dtype.Bytes()/16 + 255) / 256}
}
