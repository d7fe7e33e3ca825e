package checkpoint

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
)

// WriteTensors writes one safetensors file with all tensors in one type (F32, BF16 or F16), rounding
// to nearest even. The bytes depend on the arguments only: tensors keep their order and the header
// is padded to eight bytes. Values pass through a small buffer, so memory holds one tensor at a time
// at most. Metadata is written beside "format": "pt", which Hugging Face's loader asks for.
func WriteTensors(w io.Writer, tensors []NamedTensor, d DType, metadata map[string]string) error {
	head, err := header(tensors, d, metadata)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(w, 1<<20)
	if _, err := out.Write(head); err != nil {
		return err
	}
	const chunk = 1 << 15
	buffer := make([]byte, 0, chunk*d.Size())
	for _, t := range tensors {
		values := t.Values
		if values == nil && t.Read != nil {
			if values, err = t.Read(); err != nil {
				return fmt.Errorf("tensor %q: %w", t.Name, err)
			}
		}
		if want := elements(t.Shape); len(values) != want {
			return fmt.Errorf("tensor %q: shape %v has %d elements, found %d values", t.Name, t.Shape, want, len(values))
		}
		for len(values) > 0 {
			n := min(chunk, len(values))
			buffer = encode(buffer[:0], d, values[:n])
			if _, err := out.Write(buffer); err != nil {
				return err
			}
			values = values[n:]
		}
	}
	return out.Flush()
}

// header is the length, the JSON and the padding that precede the data, checked as a reader would.
func header(tensors []NamedTensor, d DType, metadata map[string]string) ([]byte, error) {
	switch d {
	case F32, BF16, F16:
	default:
		return nil, fmt.Errorf("data type: expected F32, BF16 or F16, found %q", d)
	}
	meta := map[string]string{"format": "pt"}
	maps.Copy(meta, metadata)
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteString("01234567") // room for the length
	fmt.Fprintf(&b, `{"__metadata__":%s`, text)
	seen := make(map[string]bool, len(tensors))
	begin := uint64(0)
	for _, t := range tensors {
		if seen[t.Name] || t.Name == "__metadata__" {
			return nil, fmt.Errorf("tensor %q: the name appears twice or is reserved", t.Name)
		}
		seen[t.Name] = true
		for _, dim := range t.Shape {
			if dim < 0 {
				return nil, fmt.Errorf("tensor %q: negative dimension in shape %v", t.Name, t.Shape)
			}
		}
		size, err := (entry{dtype: d, shape: t.Shape}).size()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if size > math.MaxInt64-begin {
			return nil, fmt.Errorf("tensor %q: the file would be too large", t.Name)
		}
		name, err := json.Marshal(t.Name)
		if err != nil {
			return nil, err
		}
		shape, err := json.Marshal(append([]int{}, t.Shape...)) // [] rather than null for a scalar
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, `,%s:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, d, shape, begin, begin+size)
		begin += size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	if b.Len()-8 > maxHeader {
		return nil, fmt.Errorf("the header would be %d bytes long: at most %d are allowed", b.Len()-8, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(b.Len()-8))
	return b.Bytes(), nil
}

// elements is the product of a shape, 1 for a scalar.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}
