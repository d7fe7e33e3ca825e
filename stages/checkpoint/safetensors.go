package checkpoint

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// ErrFormat marks a safetensors file, an index or a configuration that is malformed or contradicts itself.
var ErrFormat = errors.New("malformed checkpoint")

// ErrNoTensor marks a tensor that is asked for by name and is not there.
var ErrNoTensor = errors.New("no such tensor")

// maxHeader is the format's own limit on the JSON header, in bytes.
const maxHeader = 100_000_000

// Tensor is one tensor of a safetensors file: a view of the file's bytes, valid until the [Folder]
// it came from is closed.
type Tensor struct {
	Name  string
	DType DType
	// Shape has one entry a dimension, outermost first; empty for a scalar.
	Shape []int

	file   string
	raw    []byte // little-endian, row-major
	mapped bool   // raw lies in a mapped file
}

// Len is the number of elements: the product of the shape, 1 for a scalar.
func (t Tensor) Len() int { return len(t.raw) / max(1, t.DType.Size()) }

// Bytes are the elements as they lie in the file: little-endian, row-major. The caller must not
// change them.
func (t Tensor) Bytes() []byte { return t.raw }

// Float32s returns the elements as a new slice: BF16 and F16 are widened exactly, F64 is rounded.
// Other types are an error that names the file and the tensor.
func (t Tensor) Float32s() ([]float32, error) {
	dst := make([]float32, t.Len())
	return dst, t.ReadFloat32s(dst)
}

// ReadFloat32s is [Tensor.Float32s] into a slice of the caller's, which must have the tensor's length.
func (t Tensor) ReadFloat32s(dst []float32) error {
	if len(dst) != t.Len() {
		return fmt.Errorf("%s: tensor %q: expected room for %d elements of shape %v, found %d", t.file, t.Name, t.Len(), t.Shape, len(dst))
	}
	if !decode(dst, t.DType, t.raw) {
		return fmt.Errorf("%s: tensor %q: expected a floating-point type (F64, F32, F16, BF16), found %s", t.file, t.Name, t.DType)
	}
	return nil
}

// Range returns elements [from, to), counted in row-major order, as a tensor of one dimension. It is a
// view: nothing is read.
func (t Tensor) Range(from, to int) Tensor {
	if from < 0 || to < from || to > t.Len() {
		panic(fmt.Sprintf("checkpoint: elements [%d, %d) of tensor %q of %d", from, to, t.Name, t.Len()))
	}
	size := t.DType.Size()
	t.Shape, t.raw = []int{to - from}, t.raw[from*size:to*size]
	return t
}

// Forget tells the system that the tensor's elements, where they lie in a mapped file, will not be
// needed soon, so that they no longer count as memory of this process. They can still be read; that
// reads the file anew.
func (t Tensor) Forget() {
	if t.mapped {
		forget(t.raw)
	}
}

// CheckFinite returns an error that names the first element which is infinite or not a number.
// Nothing calls it on loading, because it reads every byte of a lazily mapped file.
func (t Tensor) CheckFinite() error {
	size := t.DType.Size()
	var chunk [4096]float32
	for start := 0; start < t.Len(); start += len(chunk) {
		part := chunk[:min(len(chunk), t.Len()-start)]
		if !decode(part, t.DType, t.raw[start*size:]) {
			return nil // integers are finite
		}
		for i, v := range part {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return fmt.Errorf("%s: tensor %q: expected finite values, found %v at element %d", t.file, t.Name, v, start+i)
			}
		}
	}
	return nil
}

// File is one parsed safetensors file.
type File struct {
	name     string
	tensors  map[string]Tensor
	order    []string
	metadata map[string]string
	release  func() error // nil: nothing to do
}

// OpenTensors opens a safetensors file on disk, mapped into memory where the system can. The caller
// closes it. The file's name may be removed or given to another file meanwhile.
func OpenTensors(path string) (*File, error) {
	c, err := mapFile(path)
	if err != nil {
		return nil, fmt.Errorf("open weights: %w", err)
	}
	return c.parse(path)
}

// Close releases the mapping of an opened file; its tensors must not be used afterwards.
func (f *File) Close() error {
	release := f.release
	f.release = nil
	if release == nil {
		return nil
	}
	return release()
}

// content is the bytes of a file and how to release them (nil: nothing to do).
type content struct {
	data    []byte
	mapped  bool
	release func() error
}

// parse makes the content a File, or releases it.
func (c content) parse(name string) (*File, error) {
	f, err := ParseTensors(name, c.data)
	if err != nil {
		if c.release != nil {
			err = errors.Join(err, c.release())
		}
		return nil, err
	}
	f.release = c.release
	if c.mapped {
		for name, t := range f.tensors {
			t.mapped = true
			f.tensors[name] = t
		}
	}
	return f, nil
}

// Names lists the tensors in the order of their data.
func (f *File) Names() []string { return slices.Clone(f.order) }

// Metadata is the header's __metadata__, nil when it has none.
func (f *File) Metadata() map[string]string { return f.metadata }

// Tensor returns a tensor by name, or an error wrapping [ErrNoTensor].
func (f *File) Tensor(name string) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return Tensor{}, fmt.Errorf("%s: tensor %q: %w", f.name, name, ErrNoTensor)
	}
	return t, nil
}

// ParseTensors parses a safetensors file that is in memory: eight bytes of header length, a JSON
// header, and the tensors' bytes without gaps. Tensors are views of data. The name is for messages.
// Everything the header says is checked against the size of data, so a truncated or damaged file is
// an error (wrapping [ErrFormat]) here and not a surprise later.
func ParseTensors(name string, data []byte) (*File, error) {
	bad := func(format string, args ...any) (*File, error) {
		return nil, fmt.Errorf("%s: %w: %s", name, ErrFormat, fmt.Sprintf(format, args...))
	}
	if len(data) < 8 {
		return bad("expected at least 8 bytes of header length, found %d bytes", len(data))
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-8) {
		return bad("the header is said to be %d bytes long, but only %d bytes follow (truncated, or not a safetensors file)", n, len(data)-8)
	}
	if n > maxHeader {
		return bad("the header is %d bytes long: at most %d are allowed", n, maxHeader)
	}
	entries, metadata, err := parseHeader(data[8 : 8+n])
	if err != nil {
		return bad("header: %v", err)
	}
	body := data[8+n:]
	slices.SortStableFunc(entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	f := &File{name: name, tensors: make(map[string]Tensor, len(entries)), metadata: metadata}
	var at uint64
	for _, e := range entries {
		size, err := e.size()
		switch {
		case err != nil:
			return bad("tensor %q: %v", e.name, err)
		case e.end < e.begin || e.end > uint64(len(body)):
			return bad("tensor %q: bytes %d to %d lie outside the %d bytes of data", e.name, e.begin, e.end, len(body))
		case e.end-e.begin != size:
			return bad("tensor %q: %s of shape %v takes %d bytes, found %d", e.name, e.dtype, e.shape, size, e.end-e.begin)
		case e.begin < at:
			return bad("tensor %q: begins at byte %d inside the tensor before it, which ends at %d", e.name, e.begin, at)
		case e.begin > at:
			return bad("tensor %q: begins at byte %d, expected %d (data without gaps)", e.name, e.begin, at)
		}
		at = e.end
		if _, twice := f.tensors[e.name]; twice {
			return bad("tensor %q: appears twice", e.name)
		}
		f.tensors[e.name] = Tensor{Name: e.name, DType: e.dtype, Shape: e.shape, file: name, raw: body[e.begin:e.end:e.end]}
		f.order = append(f.order, e.name)
	}
	if at != uint64(len(body)) {
		return bad("%d bytes of data follow the last tensor", uint64(len(body))-at)
	}
	return f, nil
}

// entry is what the header says about one tensor.
type entry struct {
	name       string
	dtype      DType
	shape      []int
	begin, end uint64 // bytes, from the end of the header
}

// size is the number of bytes that type and shape call for.
func (e entry) size() (uint64, error) {
	elem := e.dtype.Size()
	if elem == 0 {
		return 0, fmt.Errorf("unsupported data type %q", e.dtype)
	}
	total := uint64(elem)
	for _, d := range e.shape {
		if d != 0 && total > math.MaxInt/uint64(d) {
			return 0, fmt.Errorf("shape %v is too large", e.shape)
		}
		total *= uint64(d)
	}
	return total, nil
}

// parseHeader reads the JSON object by tokens, because a map would hide a name that appears twice.
func parseHeader(header []byte) ([]entry, map[string]string, error) {
	if len(header) == 0 || header[0] != '{' {
		return nil, nil, errors.New("expected a JSON object")
	}
	dec := json.NewDecoder(bytes.NewReader(header))
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	var entries []entry
	var metadata map[string]string
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		name, _ := key.(string) // the decoder only lets strings stand here
		if name == "__metadata__" {
			if metadata != nil {
				return nil, nil, errors.New("__metadata__ appears twice")
			}
			if err := dec.Decode(&metadata); err != nil {
				return nil, nil, fmt.Errorf("__metadata__: %w", err)
			}
			continue
		}
		var fields map[string]json.RawMessage
		if err := dec.Decode(&fields); err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		e, err := parseEntry(name, fields)
		if err != nil {
			return nil, nil, fmt.Errorf("tensor %q: %w", name, err)
		}
		entries = append(entries, e)
	}
	if _, err := dec.Token(); err != nil {
		return nil, nil, err
	}
	rest := header[dec.InputOffset():]
	if len(bytes.Trim(rest, " \t\r\n")) != 0 {
		return nil, nil, fmt.Errorf("expected only padding behind the JSON object, found %d more bytes", len(rest))
	}
	return entries, metadata, nil
}

func parseEntry(name string, fields map[string]json.RawMessage) (entry, error) {
	e := entry{name: name}
	var shape, offsets []uint64
	for _, want := range []struct {
		key string
		dst any
	}{{"dtype", &e.dtype}, {"shape", &shape}, {"data_offsets", &offsets}} {
		raw, ok := fields[want.key]
		if !ok || string(raw) == "null" {
			return e, fmt.Errorf("%s is missing", want.key)
		}
		if err := json.Unmarshal(raw, want.dst); err != nil {
			return e, fmt.Errorf("%s: %w", want.key, err)
		}
	}
	if len(fields) != 3 {
		return e, fmt.Errorf("expected dtype, shape and data_offsets only, found %d fields", len(fields))
	}
	if len(offsets) != 2 {
		return e, fmt.Errorf("data_offsets: expected 2 numbers, found %d", len(offsets))
	}
	e.begin, e.end = offsets[0], offsets[1]
	e.shape = make([]int, len(shape))
	for i, d := range shape {
		if d > math.MaxInt {
			return e, fmt.Errorf("shape: dimension %d is too large", d)
		}
		e.shape[i] = int(d)
	}
	return e, nil
}
