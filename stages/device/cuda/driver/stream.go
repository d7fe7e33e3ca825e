//go:build cuda

package driver

import (
	"errors"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of the GPU: what is put into one stream happens in order, different streams know nothing of each other
// but through events. All of its methods are for the thread of its context, return at once, and report later, through
// any call, what went wrong when the GPU did it.
type Stream struct{ s cu.Stream }

// NewStream makes a stream, on the thread.
func NewStream() (Stream, error) {
	s, err := cu.MakeStream(cu.NonBlocking)
	return Stream{s}, of(err)
}

// Destroy frees the stream; the GPU still does what is in it.
func (s Stream) Destroy() error { return of(s.s.Destroy()) }

// CopyIn copies src, which is pinned and must stay as it is until the GPU has copied it, to device address dst.
func (s Stream) CopyIn(dst uint64, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return of(cu.MemcpyHtoDAsync(cu.DevicePtr(dst), unsafe.Pointer(&src[0]), int64(len(src)), s.s))
}

// CopyOut copies from device address src to dst, which is pinned.
func (s Stream) CopyOut(dst []byte, src uint64) error {
	if len(dst) == 0 {
		return nil
	}
	return of(cu.MemcpyDtoHAsync(unsafe.Pointer(&dst[0]), cu.DevicePtr(src), int64(len(dst)), s.s))
}

// Copy copies n bytes within the GPU. The two may not overlap.
func (s Stream) Copy(dst, src uint64, n int64) error {
	if n == 0 {
		return nil
	}
	return of(cu.MemcpyDtoDAsync(cu.DevicePtr(dst), cu.DevicePtr(src), n, s.s))
}

// CopyPeer copies n bytes from src, of context from, to dst, of context to. One of the two is the stream's. Without
// [Context.EnablePeer] the driver takes the way through the host.
func (s Stream) CopyPeer(dst uint64, to *Context, src uint64, from *Context, n int64) error {
	if n == 0 {
		return nil
	}
	return of(cu.MemcpyPeerAsync(cu.DevicePtr(dst), to.handle, cu.DevicePtr(src), from.handle, n, s.s))
}

// Clear sets n bytes to zero.
func (s Stream) Clear(dst uint64, n int64) error {
	switch {
	case n == 0:
		return nil
	case n%4 == 0:
		return of(cu.MemsetD32Async(cu.DevicePtr(dst), 0, n/4, s.s))
	}
	return of(cu.MemsetD8Async(cu.DevicePtr(dst), 0, n, s.s))
}

// Record marks the present end of the stream with e.
func (s Stream) Record(e Event) error { return of(e.e.Record(s.s)) }

// Wait holds everything put into s later until the GPU has passed the mark that was last set with e, in whatever stream
// and on whatever GPU. The mark must have been set by now: see [Context.Signal].
func (s Stream) Wait(e Event) error { return of(s.s.Wait(e.e, 0)) }

// Event is a mark in a stream.
type Event struct{ e cu.Event }

// NewEvent makes an event, on the thread; with timing, [Event.Since] works.
func NewEvent(timing bool) (Event, error) {
	flags := cu.DisableTiming
	if timing {
		flags = cu.DefaultEvent
	}
	e, err := cu.MakeEvent(flags)
	return Event{e}, of(err)
}

// Destroy frees the event, on the thread.
func (e Event) Destroy() error { return of(cu.DestroyEvent(&e.e)) }

// Done reports, on the thread, whether the GPU has passed the mark. It is true for an event that was never recorded.
func (e Event) Done() (bool, error) {
	err := of(e.e.Query())
	if errors.Is(err, NotReady) {
		return false, nil
	}
	return err == nil, err
}

// Since returns the milliseconds the GPU took from start to e, both passed, to about half a microsecond.
func (e Event) Since(start Event) (float64, error) {
	ms, err := start.e.Elapsed(e.e)
	return ms, of(err)
}
