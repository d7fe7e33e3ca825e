package devicetest

import (
	"fmt"
	"math"

	"openrs/stages/device"
)

// Reference is the device of [NewReference]. Beside the interface it can say what is still allocated.
type Reference struct {
	live map[any]bool // buffers, weights and caches that have not been freed
}

// NewReference returns the plain device: row-major arrays, float64 sums in the order of the
// documentation, no threads, no blocking. It checks every view against its buffer and clears freed
// buffers, so that a use after Free panics.
func NewReference() device.Device { return &Reference{live: map[any]bool{}} }

var _ device.Device = (*Reference)(nil)

// Name returns "reference".
func (d *Reference) Name() string { return "reference" }

// Live is the number of buffers, weights and caches that have been allocated and not freed.
func (d *Reference) Live() int { return len(d.live) }

// Close forgets everything.
func (d *Reference) Close() error {
	d.live = map[any]bool{}
	return nil
}

type buffer struct{ data []float32 }

func (b *buffer) Len() int { return len(b.data) }

// Alloc implements [device.Memory].
func (d *Reference) Alloc(n int) (device.Buffer, error) {
	if n < 0 {
		return nil, fmt.Errorf("reference: alloc of %d values", n)
	}
	b := &buffer{make([]float32, n)}
	d.live[b] = true
	return b, nil
}

// Free implements [device.Memory].
func (d *Reference) Free(b device.Buffer) {
	d.forget("Free", b)
	b.(*buffer).data = nil
}

func (d *Reference) forget(op string, x any) {
	check(d.live[x], op, "%T was not allocated here or has been freed", x)
	delete(d.live, x)
}

// weight is row-major; BF16 values are kept rounded in float32.
type weight struct {
	out, in int
	dtype   device.DType
	grad    bool
	data    []float32
}

func (w *weight) Out() int                 { return w.out }
func (w *weight) In() int                  { return w.in }
func (w *weight) DType() device.DType      { return w.dtype }
func (w *weight) Bytes() int64             { return int64(w.out) * int64(w.in) * int64(w.dtype.Bytes()) }
func (w *weight) row(i int) []float32      { return w.data[i*w.in : (i+1)*w.in] }
func (w *weight) enters(x float32) float64 { return entering(x, w.dtype) }

// entering is x as it enters a product of that data type.
func entering(x float32, dtype device.DType) float64 {
	if dtype == device.BF16 {
		x = roundBF16(x)
	}
	return float64(x)
}

// NewWeight implements [device.Memory].
func (d *Reference) NewWeight(out, in int, dtype device.DType, grad bool) (device.Weight, error) {
	if out <= 0 || in <= 0 || dtype > device.BF16 {
		return nil, fmt.Errorf("reference: a %d × %d weight of type %v", out, in, dtype)
	}
	w := &weight{out: out, in: in, dtype: dtype, grad: grad, data: make([]float32, out*in)}
	d.live[w] = true
	return w, nil
}

// FreeWeight implements [device.Memory].
func (d *Reference) FreeWeight(w device.Weight) {
	d.forget("FreeWeight", w)
	w.(*weight).data = nil
}

// Pack implements [device.Memory].
func (d *Reference) Pack(dst device.Weight, t device.Tensor) {
	w, m := weightOf("Pack", dst), open("Pack", "t", t)
	m.want(w.out, w.in)
	for r := range m.rows {
		for c, x := range m.row(r) {
			w.data[r*w.in+c] = float32(w.enters(x))
		}
	}
}

// Upload implements [device.Memory].
func (d *Reference) Upload(t device.Tensor, src []float32) {
	m := open("Upload", "t", t)
	check(len(src) == t.Len(), "Upload", "%d values into a %v tensor", len(src), t)
	for r := range m.rows {
		copy(m.row(r), src[r*m.cols:])
	}
}

// Download implements [device.Memory].
func (d *Reference) Download(dst []float32, t device.Tensor) error {
	m := open("Download", "t", t)
	check(len(dst) == t.Len(), "Download", "a %v tensor into %d values", t, len(dst))
	for r := range m.rows {
		copy(dst[r*m.cols:], m.row(r))
	}
	return nil
}

// Copy implements [device.Memory].
func (d *Reference) Copy(dst, src device.Tensor) {
	y, x := open("Copy", "dst", dst), open("Copy", "src", src)
	y.want(x.rows, x.cols)
	for r := range x.rows {
		copy(y.row(r), x.row(r))
	}
}

// Zero implements [device.Memory].
func (d *Reference) Zero(t device.Tensor) {
	m := open("Zero", "t", t)
	for r := range m.rows {
		clear(m.row(r))
	}
}

// Sync implements [device.Memory].
func (d *Reference) Sync() error { return nil }

// matrix is an opened view: the values of a tensor by row.
type matrix struct {
	op, name   string
	data       []float32
	rows, cols int
	stride     int
}

func (m matrix) row(r int) []float32 { return m.data[r*m.stride : r*m.stride+m.cols] }

// want panics unless m is rows × cols.
func (m matrix) want(rows, cols int) {
	check(m.rows == rows && m.cols == cols, m.op, "%s is %d×%d, want %d×%d", m.name, m.rows, m.cols, rows, cols)
}

// open checks that t is a view of a buffer of this device and lies inside it.
func open(op, name string, t device.Tensor) matrix {
	b, ok := t.Buf.(*buffer)
	check(ok, op, "%s is %v in a %T, not a buffer of this device", name, t, t.Buf)
	check(t.Rows >= 0 && t.Cols >= 0 && t.Offset >= 0 && (t.Rows <= 1 || t.Stride >= t.Cols), op, "%s is the malformed view %+v", name, t)
	m := matrix{op: op, name: name, rows: t.Rows, cols: t.Cols, stride: t.Stride}
	if t.Len() > 0 {
		end := t.Offset + (t.Rows-1)*t.Stride + t.Cols
		check(end <= len(b.data), op, "%s ends at %d of a buffer of %d values", name, end, len(b.data))
		m.data = b.data[t.Offset:end]
	} else {
		m.stride = 0
	}
	return m
}

func weightOf(op string, w device.Weight) *weight {
	p, ok := w.(*weight)
	check(ok && p.data != nil, op, "%T is not a weight of this device", w)
	return p
}

// check panics with a message that names the operation.
func check(ok bool, op, format string, args ...any) {
	if !ok {
		panic(fmt.Sprintf("reference: %s: ", op) + fmt.Sprintf(format, args...))
	}
}

func checkIndices(op, what string, ids []int32, rows, limit int) {
	check(len(ids) == rows, op, "%d %s for %d rows", len(ids), what, rows)
	for i, id := range ids {
		check(id >= 0 && int(id) < limit, op, "%s[%d] = %d is outside [0, %d)", what, i, id, limit)
	}
}

// roundBF16 rounds to the nearest bfloat16, ties to even. NaN stays NaN.
func roundBF16(x float32) float32 {
	if x != x {
		return x
	}
	b := math.Float32bits(x)
	b += 0x7fff + b>>16&1
	return math.Float32frombits(b &^ 0xffff)
}
