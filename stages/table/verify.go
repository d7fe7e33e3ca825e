package table

import (
	"encoding/binary"
	"fmt"
)

// Arrow's message headers are FlatBuffers, and the Go library follows their offsets and allocates what
// their lengths say without checking either: a flipped bit can ask for terabytes or recurse for ever,
// which no recover catches. So the header is walked here first, along exactly the fields that the
// library will read (format/Message.fbs and format/Schema.fbs of Arrow), with a budget of a small
// multiple of the header's size.

// Message types of Arrow's Message.fbs.
const (
	headerSchema     = 1
	headerDictionary = 2
	headerBatch      = 3
)

// header is what the reader must know of a message before its body is read.
type header struct {
	kind       byte  // headerSchema, headerDictionary or headerBatch
	bodyLen    int64 // bytes
	bufferLen  int64 // bytes in all buffers of the body
	buffers    int
	compressed bool
}

const maxDepth = 64 // of nested types; the Arrow library's own limit

// verifyHeader walks a message's FlatBuffer. The error says what is wrong.
func verifyHeader(meta []byte) (header, error) {
	w := walker{b: meta, budget: 4*len(meta) + 1024}
	var h header
	root := w.table(w.indirect(0))
	h.kind = w.byteAt(root, 6)
	h.bodyLen = int64(w.uint64At(root, 10))
	body := w.child(root, 8)
	if w.err == nil && (h.bodyLen < 0 || body == 0) {
		w.fail("no header or a negative body length")
	}
	switch h.kind {
	case headerSchema:
		w.schema(body)
	case headerDictionary:
		w.batch(w.child(body, 6), &h)
	case headerBatch:
		w.batch(body, &h)
	default:
		w.fail(fmt.Sprintf("message type %d, want schema, dictionary or record batch", h.kind))
	}
	return h, w.err
}

// walker reads a FlatBuffer. After the first fault it keeps the error and reads zeros.
type walker struct {
	b      []byte
	budget int
	err    error
}

func (w *walker) fail(what string) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: message header: %s", ErrCorrupt, what)
	}
}

func (w *walker) spend(n int) bool {
	w.budget -= n
	if n < 0 || w.budget < 0 {
		w.fail("more content than bytes")
	}
	return w.err == nil
}

func (w *walker) in(at, n int) bool {
	if w.err != nil || at < 0 || n < 0 || at > len(w.b) || n > len(w.b)-at {
		w.fail("an offset points outside")
		return false
	}
	return true
}

func (w *walker) uint32(at int) uint32 {
	if !w.in(at, 4) {
		return 0
	}
	return binary.LittleEndian.Uint32(w.b[at:])
}

// indirect follows the offset stored at a position. Offsets point forward.
func (w *walker) indirect(at int) int {
	n := int(w.uint32(at))
	if w.err == nil && (n == 0 || !w.in(at+n, 1)) {
		w.fail("an offset points outside")
	}
	return at + n
}

// table checks the table at a position and returns the position.
func (w *walker) table(at int) int {
	vtable := at - int(int32(w.uint32(at)))
	if !w.spend(4) || !w.in(vtable, 4) {
		return 0
	}
	size := int(binary.LittleEndian.Uint16(w.b[vtable:]))
	// An odd size would make the library read a slot that slot below takes to be absent.
	if size < 4 || size%2 != 0 || !w.in(vtable, size) || !w.in(at, int(binary.LittleEndian.Uint16(w.b[vtable+2:]))) {
		w.fail("a table of fields points outside")
		return 0
	}
	return at
}

// slot returns where a field of a checked table lies, or 0 when it is absent.
func (w *walker) slot(table, slot, size int) int {
	if w.err != nil {
		return 0
	}
	vtable := table - int(int32(binary.LittleEndian.Uint32(w.b[table:])))
	if slot+2 > int(binary.LittleEndian.Uint16(w.b[vtable:])) {
		return 0
	}
	off := int(binary.LittleEndian.Uint16(w.b[vtable+slot:]))
	if off == 0 || !w.in(table+off, size) {
		return 0
	}
	return table + off
}

func (w *walker) byteAt(table, slot int) byte {
	if at := w.slot(table, slot, 1); at != 0 {
		return w.b[at]
	}
	return 0
}

func (w *walker) uint64At(table, slot int) uint64 {
	if at := w.slot(table, slot, 8); at != 0 {
		return binary.LittleEndian.Uint64(w.b[at:])
	}
	return 0
}

// child follows a field that is a table; 0 when it is absent.
func (w *walker) child(table, slot int) int {
	if at := w.slot(table, slot, 4); at != 0 {
		return w.table(w.indirect(at))
	}
	return 0
}

// vector checks a field that is a vector of elements of a size; strings have size 1.
func (w *walker) vector(table, slot, size int) (at, n int) {
	field := w.slot(table, slot, 4)
	if field == 0 {
		return 0, 0
	}
	at = w.indirect(field)
	n = int(w.uint32(at))
	if w.err != nil || n > len(w.b)/size || !w.in(at+4, n*size) || !w.spend(n*size) {
		w.fail("a vector is longer than the header")
		return 0, 0
	}
	return at + 4, n
}

func (w *walker) schema(table int) {
	if w.err != nil {
		return
	}
	if at := w.slot(table, 4, 2); at != 0 && binary.LittleEndian.Uint16(w.b[at:]) != 0 {
		w.fail("big-endian data is not supported")
	}
	w.fields(table, 6, maxDepth)
	w.keyValues(table, 8)
	w.vector(table, 10, 8)
}

func (w *walker) fields(table, slot, depth int) {
	at, n := w.vector(table, slot, 4)
	if n > 0 && depth == 0 {
		w.fail("types are nested too deeply")
	}
	for i := range n {
		if w.err != nil {
			return
		}
		w.field(w.table(w.indirect(at+4*i)), depth)
	}
}

func (w *walker) field(table, depth int) {
	w.vector(table, 4, 1)
	if typ := w.child(table, 10); typ != 0 {
		const timestamp, union = 10, 14 // of enum Type: the types that hold a string or a vector
		switch w.byteAt(table, 8) {
		case timestamp:
			w.vector(typ, 6, 1)
		case union:
			w.vector(typ, 6, 4)
		}
	} else {
		w.fail("a field has no type")
	}
	if dict := w.child(table, 12); dict != 0 {
		w.child(dict, 6)
	}
	w.fields(table, 14, depth-1)
	w.keyValues(table, 16)
}

func (w *walker) keyValues(table, slot int) {
	at, n := w.vector(table, slot, 4)
	for i := range n {
		if w.err != nil {
			return
		}
		kv := w.table(w.indirect(at + 4*i))
		w.vector(kv, 4, 1)
		w.vector(kv, 6, 1)
	}
}

// batch checks a RecordBatch and that its buffers lie in the body, one after another.
func (w *walker) batch(table int, h *header) {
	if w.err == nil && table == 0 {
		w.fail("a batch without content")
	}
	w.vector(table, 6, 16)
	at, n := w.vector(table, 8, 16)
	h.compressed = w.child(table, 10) != 0
	counts, views := w.vector(table, 12, 8)
	if w.err != nil {
		return
	}
	for i, left := 0, uint64(n); i < views; i++ {
		// Of columns of views: how many of the buffers are theirs. The library allocates by it.
		c := binary.LittleEndian.Uint64(w.b[counts+8*i:])
		if c > left {
			w.fail(fmt.Sprintf("a column has %d buffers of %d", c, n))
			return
		}
		left -= c
	}
	end := int64(0)
	for i := range n {
		b := w.b[at+16*i:]
		off, size := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
		if off < 0 || size < 0 || off > h.bodyLen || size > h.bodyLen-off {
			w.fail(fmt.Sprintf("buffer %d (%d bytes at %d) lies outside the body of %d bytes", i, size, off, h.bodyLen))
			return
		}
		if size > 0 && off < end {
			w.fail(fmt.Sprintf("buffer %d at %d overlaps the one before, which ends at %d", i, off, end))
			return
		}
		end = max(end, off+size)
		h.bufferLen += size
		h.buffers++
	}
}
