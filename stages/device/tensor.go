package device

import "fmt"

// Buffer is a region of float32 values on the device that allocated it.
type Buffer interface {
	// Len is the number of float32 values.
	Len() int
}

// Tensor is a view of Rows × Cols float32 values of a buffer. The element at (r, c) is at
// Offset + r·Stride + c. Tensors are values: slicing one copies nothing and owns nothing.
type Tensor struct {
	Buf    Buffer
	Offset int
	Rows   int
	Cols   int
	Stride int
}

// View returns the contiguous rows × cols view of buf that starts at element offset.
// It panics if the view leaves the buffer.
func View(buf Buffer, offset, rows, cols int) Tensor {
	if offset < 0 || rows < 0 || cols < 0 || offset+rows*cols > buf.Len() {
		panic(fmt.Sprintf("device: view of %d × %d at %d leaves a buffer of %d values", rows, cols, offset, buf.Len()))
	}
	return Tensor{Buf: buf, Offset: offset, Rows: rows, Cols: cols, Stride: cols}
}

// IsZero reports whether t is the zero Tensor, which stands for "none" where an argument is optional.
func (t Tensor) IsZero() bool { return t.Buf == nil }

// Len is the number of elements, Rows × Cols.
func (t Tensor) Len() int { return t.Rows * t.Cols }

// Contiguous reports whether the rows follow each other without a gap.
func (t Tensor) Contiguous() bool { return t.Stride == t.Cols || t.Rows <= 1 }

// RowRange returns rows [from, to).
func (t Tensor) RowRange(from, to int) Tensor {
	if from < 0 || to < from || to > t.Rows {
		panic(fmt.Sprintf("device: rows [%d, %d) of a tensor of %d rows", from, to, t.Rows))
	}
	t.Offset += from * t.Stride
	t.Rows = to - from
	return t
}

// ColRange returns columns [from, to).
func (t Tensor) ColRange(from, to int) Tensor {
	if from < 0 || to < from || to > t.Cols {
		panic(fmt.Sprintf("device: columns [%d, %d) of a tensor of %d columns", from, to, t.Cols))
	}
	t.Offset += from
	t.Cols = to - from
	return t
}

// Reshape returns the same elements as rows × cols. t must be contiguous.
func (t Tensor) Reshape(rows, cols int) Tensor {
	if !t.Contiguous() || rows*cols != t.Len() {
		panic(fmt.Sprintf("device: a %d × %d tensor (stride %d) as %d × %d", t.Rows, t.Cols, t.Stride, rows, cols))
	}
	t.Rows, t.Cols, t.Stride = rows, cols, cols
	return t
}

// String describes the shape, for messages.
func (t Tensor) String() string {
	if t.IsZero() {
		return "none"
	}
	return fmt.Sprintf("%d×%d", t.Rows, t.Cols)
}

// DType is the data type in which a [Weight] is stored and multiplied. Accumulation is float32 in
// either.
type DType uint8

// The data types of weights.
const (
	F32  DType = iota // float32 weights and activations
	BF16              // bfloat16 weights; activations are rounded to bfloat16 as they enter the product
)

// ParseDType is the inverse of [DType.String].
func ParseDType(name string) (DType, error) {
	for _, d := range []DType{F32, BF16} {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, fmt.Errorf("data type %q: expected f32 or bf16", name)
}

// String returns "f32" or "bf16".
func (d DType) String() string {
	switch d {
	case F32:
		return "f32"
	case BF16:
		return "bf16"
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Bytes is the size of one stored weight.
func (d DType) Bytes() int {
	if d == BF16 {
		return 2
	}
	return 4
}
