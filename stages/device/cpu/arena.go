package cpu

import "openrs/stages/device/cpu/kernel"

// arena is where weights lie, one behind another in large mappings: huge pages then serve small matrices
// too, and no matrix leaves half of its last one empty. A mapping goes back to the system when nothing
// is left in it; what is freed before is not used again. The zero value is ready.
type arena struct {
	last  *region // where the next block goes if it fits
	total int     // values of all regions
}

// region is one mapping.
type region struct {
	owner  *arena
	data   []float32
	used   int
	blocks int // that have not been released
}

// block is a part of a region: zeroed values, aligned for the kernels.
type block struct {
	data []float32
	home *region
}

// Sizes of a region, in values: as much as there is already, within these, or what one block takes. What
// is not used of it is never touched and so takes no memory.
const (
	hugePage      = 2 << 20 / 4
	largestRegion = 256 << 20 / 4
	cacheLine     = 64 / 4
)

// take returns a block of n values, or an error that says what they were for.
func (a *arena) take(n int, what string, args ...any) (block, error) {
	if n < 0 || n > maxValues {
		_, err := allocate(n, what, args...)
		return block{}, err
	}
	size := (n + cacheLine - 1) / cacheLine * cacheLine
	r := a.last
	if r == nil || len(r.data)-r.used < size {
		room := max(size, min(a.total, largestRegion))
		data, err := allocate((room+hugePage-1)/hugePage*hugePage, what, args...)
		if err != nil {
			return block{}, err
		}
		r = &region{owner: a, data: data}
		a.total += len(data)
		if a.last == nil || len(a.last.data)-a.last.used < len(data)-size {
			a.last = r // the one with more room
		}
	}
	b := block{data: r.data[r.used:][:n:n], home: r}
	r.used += size
	r.blocks++
	return b, nil
}

// release gives the block back. The zero block is nothing.
func (b block) release() {
	r := b.home
	if r == nil {
		return
	}
	if r.blocks--; r.blocks > 0 {
		return
	}
	r.owner.total -= len(r.data)
	if r.owner.last == r {
		r.owner.last = nil
	}
	kernel.FreeFloats(r.data)
	r.data = nil
}
