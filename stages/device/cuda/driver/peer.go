//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"gorgonia.org/cu"
)

// EnablePeer lets copies and kernels of c use the memory that other's GPU has allocated or will allocate, until either context
// is closed. It returns false, and no error, where the two GPUs are not connected in a way that allows it. A second call does
// nothing more.
func (c *Context) EnablePeer(other *Context) (bool, error) {
	enabled := false
	err := c.Do("enable peer", func() error {
		can, err := cu.Device(c.ordinal).CanAccessPeer(cu.Device(other.ordinal))
		if err != nil || can == 0 {
			return of(err)
		}
		if err := of(other.handle.EnablePeerAccess(0)); err != nil && !errors.Is(err, PeerAlreadyEnabled) {
			return fmt.Errorf("memory of cuda:%d: %w", other.ordinal, err)
		}
		if err := allow(other.ordinal, c.ordinal); err != nil {
			return fmt.Errorf("the memory pool of cuda:%d: %w", other.ordinal, err)
		}
		enabled = true
		return nil
	})
	return enabled, err
}

// Fence is a mark in a stream of one GPU for streams of others to wait for.
type Fence struct {
	from    *Context
	event   Event
	set     chan struct{} // closed when the mark is set, or never will be
	err     error         // valid then
	waiters atomic.Int32  // that have not waited yet
}

// Signal marks the present end of stream s, for the given number of calls of [Context.After]. It returns at once.
func (c *Context) Signal(s Stream, waiters int) *Fence {
	f := &Fence{from: c, set: make(chan struct{})}
	f.waiters.Store(int32(waiters))
	sent := c.send(command{op: "signal", always: true, run: func() error {
		defer close(f.set)
		if f.err = c.Fault(); f.err != nil {
			return nil
		}
		if f.event, f.err = c.spare.take(); f.err == nil {
			f.err = s.Record(f.event)
		}
		return f.err
	}})
	if !sent {
		f.err = c.Fault()
		close(f.set)
	}
	return f
}

// After holds what is sent for stream s of c from here on until the GPU has passed f. It returns at once; c's thread waits
// until the mark is set (a wait for a mark that is not set would be none), which was sent before, and the GPU for the
// rest. A fault of the other GPU becomes one of c.
func (c *Context) After(s Stream, f *Fence) {
	c.Send("after", func() error {
		timer := time.NewTimer(c.deadline)
		defer timer.Stop()
		select {
		case <-f.set:
		case <-timer.C:
			return fmt.Errorf("%w: cuda:%d did not set a mark within %v", ErrDeadline, f.from.ordinal, c.deadline)
		}
		if f.err != nil {
			return fmt.Errorf("waiting for cuda:%d: %w", f.from.ordinal, f.err)
		}
		if err := s.Wait(f.event); err != nil {
			return err
		}
		if f.waiters.Add(-1) == 0 {
			f.from.spare.put(f.event)
		}
		return nil
	})
}

// spareEvents are events that nobody waits for any more.
type spareEvents struct {
	mu     sync.Mutex
	events []Event
}

// take returns an event, a new one if there is none, on the thread.
func (s *spareEvents) take() (Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.events); n > 0 {
		e := s.events[n-1]
		s.events = s.events[:n-1]
		return e, nil
	}
	return NewEvent(false)
}

func (s *spareEvents) put(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// destroy frees the events, on the thread.
func (s *spareEvents) destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		e.Destroy()
	}
	s.events = nil
}
