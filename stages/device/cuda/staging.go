//go:build cuda

package cuda

import (
	"errors"
	"slices"

	"openrs/stages/device/cuda/driver"
)

// ring is pinned host memory through which values go to the GPU and come back. It is used from one end to the other and
// again; an event at the end of each segment tells when the copies from it have run.
type ring struct {
	memory      []byte
	passed      [segments]driver.Event
	busy        [segments]bool  // passed has been recorded, and not been waited for since
	landed      [2]driver.Event // of fetch
	segment, at int             // the next free byte
}

const (
	segments     = 8
	segmentBytes = 2 << 20
)

// open allocates the ring, on the thread.
func (r *ring) open() error {
	var err error
	if r.memory, err = driver.AllocPinned(segments * segmentBytes); err != nil {
		return err
	}
	for i := range r.passed {
		if r.passed[i], err = driver.NewEvent(false); err != nil {
			return err
		}
	}
	for i := range r.landed {
		if r.landed[i], err = driver.NewEvent(false); err != nil {
			return err
		}
	}
	return nil
}

// close frees it, on the thread; no copy is under way.
func (r *ring) close() error {
	var errs []error
	for _, e := range slices.Concat(r.passed[:], r.landed[:]) {
		if e != (driver.Event{}) {
			errs = append(errs, e.Destroy())
		}
	}
	if r.memory != nil {
		errs = append(errs, driver.FreePinned(r.memory))
	}
	*r = ring{}
	return errors.Join(errs...)
}

// stage returns n bytes of pinned memory, at most segmentBytes. The copy that they are for must be enqueued before the
// next call.
func (d *Device) stage(n int) []byte {
	d.settle()
	r := &d.pinned
	if r.at+n > segmentBytes {
		left := r.passed[r.segment]
		d.ctx.Send("staging", func() error { return d.stream.Record(left) })
		r.busy[r.segment] = true
		r.segment, r.at = (r.segment+1)%segments, 0
		if entered := r.passed[r.segment]; r.busy[r.segment] {
			// An error is a fault, which sticks: nothing staged from here on will be read.
			if err := d.ctx.Do("staging", func() error { return d.ctx.Await(entered) }); err != nil {
				d.ctx.Fail(err)
			}
			r.busy[r.segment] = false
		}
	}
	from := r.segment*segmentBytes + r.at
	r.at += (n + 63) &^ 63
	return r.memory[from : from+n : from+n]
}

// send copies src to device address dst, in order with the launches. src may change afterwards.
func (d *Device) send(dst uint64, src []byte) {
	for len(src) > 0 {
		n := min(len(src), segmentBytes)
		staged, to := d.stage(n), dst
		copy(staged, src)
		d.ctx.Send(d.op, func() error { return d.stream.CopyIn(to, staged) })
		src, dst = src[n:], dst+uint64(n)
	}
}

// fetch waits for everything enqueued so far and copies from device address src to dst.
func (d *Device) fetch(dst []byte, src uint64) error {
	var waiting []byte // the part that is on its way
	var staged []byte  // where it lands
	for i := 0; len(dst) > 0 || waiting != nil; i++ {
		next := dst[:min(len(dst), segmentBytes)]
		var coming []byte
		if len(next) > 0 {
			coming = d.stage(len(next))
			to, from, landed := coming, src, d.pinned.landed[i%2]
			d.ctx.Send(d.op, func() error {
				return errors.Join(d.stream.CopyOut(to, from), d.stream.Record(landed))
			})
			dst, src = dst[len(next):], src+uint64(len(next))
		}
		if waiting != nil {
			landed := d.pinned.landed[(i+1)%2]
			if err := d.ctx.Do(d.op, func() error { return d.ctx.Await(landed) }); err != nil {
				return err
			}
			copy(waiting, staged)
		}
		waiting, staged = nil, coming
		if len(next) > 0 {
			waiting = next
		}
	}
	return nil
}
