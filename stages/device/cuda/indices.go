//go:build cuda

package cuda

import (
	"math"
	"slices"
)

// indexStore is device memory for the small integers of operations (tokens, positions, slots, page tables). It is used from
// one end to the other and again, and remembers what it was given last: every layer of a model passes the same slices,
// and one copy serves them all.
type indexStore struct {
	addr   uint64
	head   int // how many values have been handed out, with gaps; the next one goes to head modulo indexValues
	spent  int // of these, since begin
	recent [16]storedIndices
	oldest int // of recent
}

// storedIndices is what lies at value start of the store.
type storedIndices struct {
	start  int
	values []int32
}

const indexValues = 2 << 20 // 8 MiB

func (s *indexStore) open(d *Device) error {
	var err error
	s.addr, err = d.allocate(4*indexValues, "room for indices")
	return err
}

func (s *indexStore) close(d *Device) {
	d.free(s.addr, 4*indexValues)
	*s = indexStore{}
}

// ints copies xs to the device, in order with the launches, and returns its address. It holds until the next begin.
func (d *Device) ints(xs []int32) uint64 {
	if d.replay.now != nil {
		if addr, ok := d.replay.place(xs); ok {
			return addr
		}
		d.settle()
	}
	s := &d.indices
	for i := range s.recent {
		r := &s.recent[i]
		if len(r.values) == len(xs) && s.head-r.start <= indexValues/2 && slices.Equal(r.values, xs) {
			return s.at(r.start)
		}
	}
	// Half of the store stays as it is during an operation, so that what was found or stored there holds.
	n := (len(xs) + 63) &^ 63
	if s.spent += n; s.spent > indexValues/2 {
		addr := d.scratch(4 * len(xs))
		d.send(addr, bytesOf(xs))
		return addr
	}
	if room := indexValues - s.head%indexValues; n > room {
		s.head += room
		s.spent += room
	}
	start := s.head
	s.head += n
	d.send(s.at(start), bytesOf(xs))
	r := &s.recent[s.oldest]
	s.oldest = (s.oldest + 1) % len(s.recent)
	r.start, r.values = start, append(r.values[:0], xs...)
	return s.at(start)
}

// at is the address of value i of the store.
func (s *indexStore) at(i int) uint64 { return s.addr + 4*uint64(i%indexValues) }

// floats is ints for float32 values.
func (d *Device) floats(xs []float32) uint64 {
	bits := make([]int32, len(xs))
	for i, x := range xs {
		bits[i] = int32(math.Float32bits(x))
	}
	return d.ints(bits)
}
