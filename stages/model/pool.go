package model

import (
	"fmt"

	"openrs/stages/device"
)

// pool keeps buffers by name from one call to the next and replaces one that has become too small. The
// first failure sticks, so that a call can take all it needs and check once.
type pool struct {
	dev  device.Device
	bufs map[slot]device.Buffer
	err  error
}

// slot names a buffer: what it holds, and for which layer (shared for scratch).
type slot struct {
	name  string
	layer int
}

const shared = -1

func newPool(dev device.Device) *pool { return &pool{dev: dev, bufs: map[slot]device.Buffer{}} }

// take returns a rows × cols tensor for scratch. Its content is whatever was there.
func (p *pool) take(name string, rows, cols int) device.Tensor {
	return p.keep(name, shared, rows, cols)
}

// keep returns the rows × cols tensor of a layer.
func (p *pool) keep(name string, layer, rows, cols int) device.Tensor {
	if p.err != nil {
		return device.Tensor{}
	}
	s, n := slot{name, layer}, rows*cols
	if buf, ok := p.bufs[s]; ok {
		if buf.Len() >= n {
			return device.View(buf, 0, rows, cols)
		}
		p.dev.Free(buf)
		delete(p.bufs, s)
	}
	buf, err := p.dev.Alloc(max(n, 1))
	if err != nil {
		p.err = fmt.Errorf("activations %q of %d rows × %d: %w", name, rows, cols, err)
		return device.Tensor{}
	}
	p.bufs[s] = buf
	return device.View(buf, 0, rows, cols)
}

// failed returns the first failure and forgets it.
func (p *pool) failed() error {
	err := p.err
	p.err = nil
	return err
}

func (p *pool) free() {
	for s, buf := range p.bufs {
		p.dev.Free(buf)
		delete(p.bufs, s)
	}
}
