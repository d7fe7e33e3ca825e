//go:build cuda

package cuda

// scratch is device memory of one operation. As everything happens in one stream, the next operation may be given the same
// memory while the GPU is still at this one.
type scratch struct {
	block  piece   // from which pieces are cut
	cut    int64   // how much of it
	extra  []piece // for what did not fit
	needed int64   // by this operation
}

// piece is device memory of allocate.
type piece struct {
	addr  uint64
	bytes int64
}

const scratchLeast = 32 << 20

// scratch returns the address of so many bytes, with whatever is in them, aligned to 256, that hold until the next begin. When
// there is no memory left, that is a fault of the device.
func (d *Device) scratch(bytes int) uint64 {
	s := &d.space
	n := (int64(max(bytes, 1)) + 255) &^ 255
	s.needed += n
	if s.block.addr == 0 {
		s.block = d.piece(max(n, s.block.bytes, scratchLeast))
	}
	if s.cut+n <= s.block.bytes {
		addr := s.block.addr + uint64(s.cut)
		s.cut += n
		return addr
	}
	p := d.piece(n)
	s.extra = append(s.extra, p)
	return p.addr
}

// piece allocates, or makes it a fault that it cannot.
func (d *Device) piece(bytes int64) piece {
	addr, err := d.allocate(bytes, "scratch memory of %s", d.op)
	if err != nil {
		d.ctx.Fail(err)
		return piece{}
	}
	return piece{addr, bytes}
}

// reset starts an operation. If the last one needed more than the block, the next block is as large as that.
func (s *scratch) reset(d *Device) {
	if len(s.extra) > 0 {
		needed := s.needed
		s.close(d)
		s.block.bytes = needed
	}
	s.cut, s.needed = 0, 0
}

// close frees everything.
func (s *scratch) close(d *Device) {
	for _, p := range append(s.extra, s.block) {
		d.free(p.addr, p.bytes)
	}
	*s = scratch{}
}
