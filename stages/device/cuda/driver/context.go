//go:build cuda

package driver

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"gorgonia.org/cu"
)

// Options configures [Open].
type Options struct {
	// Deadline bounds every single wait; 0 means DefaultDeadline.
	Deadline time.Duration
	// Blocking makes the thread wait for each kernel before it goes on, so that a fault is reported under the name of
	// the kernel that caused it. It is slow.
	Blocking bool
}

// DefaultDeadline is far longer than anything that goes well takes.
const DefaultDeadline = 5 * time.Minute

// queued is how many commands may wait for the thread. A step of decoding sends some hundreds.
const queued = 1024

// Context is a GPU's primary context and the thread on which it is current. Do, Send, Launch and the rest may be called
// from any goroutine; what one goroutine sends runs in order.
type Context struct {
	ordinal  int
	handle   cu.CUContext
	deadline time.Duration
	blocking bool

	queue  chan command
	closed atomic.Bool
	lost   atomic.Bool            // the thread is stuck
	ended  chan struct{}          // closed when the thread has ended
	fault  atomic.Pointer[error]  // the first one
	doing  atomic.Pointer[string] // what the thread is at, for messages
	last   atomic.Pointer[string] // the kernel launched last, for messages
	idle   Event                  // of Blocking
	spare  spareEvents            // of fences
	opted  map[*Function]int      // dynamic shared memory that functions may use; the thread's own
}

// command is one thing for the thread to do: a closure, or a launch when there is none.
type command struct {
	op     string
	run    func() error
	launch Launch
	done   chan<- error // nil for what was sent
	always bool         // also after a fault
	end    bool         // the thread ends
}

// Open retains the primary context of GPU ordinal and starts its thread.
func Open(ordinal int, opt Options) (*Context, error) {
	if opt.Deadline <= 0 {
		opt.Deadline = DefaultDeadline
	}
	c := &Context{
		ordinal: ordinal, deadline: opt.Deadline, blocking: opt.Blocking,
		queue: make(chan command, queued), ended: make(chan struct{}),
		opted: map[*Function]int{},
	}
	started := make(chan error, 1)
	go c.thread(started)
	if err := <-started; err != nil {
		return nil, c.named("open", err)
	}
	return c, nil
}

// Ordinal is the GPU's number.
func (c *Context) Ordinal() int { return c.ordinal }

// thread is the goroutine that owns the operating-system thread. It never unlocks it, so that the thread ends with it and
// no other goroutine inherits the current context.
func (c *Context) thread(started chan<- error) {
	defer close(c.ended)
	runtime.LockOSThread()
	dev, err := cu.GetDevice(c.ordinal)
	if err == nil {
		c.handle, err = dev.RetainPrimaryCtx()
	}
	if err != nil {
		started <- of(err)
		return
	}
	defer dev.ReleasePrimaryCtx()
	if err = of(cu.SetCurrentContext(c.handle)); err == nil {
		c.idle, err = NewEvent(false)
	}
	started <- err
	if err != nil {
		return
	}
	for cmd := range c.queue {
		if cmd.end {
			break
		}
		c.execute(&cmd)
	}
	c.spare.destroy()
	c.idle.Destroy()
}

// execute does one command.
func (c *Context) execute(cmd *command) {
	var err error
	if fault := c.fault.Load(); fault != nil && !cmd.always {
		err = *fault
	} else if cmd.run != nil {
		op := cmd.op
		c.doing.Store(&op)
		err = c.named(cmd.op, cmd.run())
	} else {
		c.doing.Store(&cmd.launch.Function.Name)
		err = c.named(cmd.launch.Function.Name, c.start(&cmd.launch))
	}
	c.doing.Store(nil)
	if cmd.done != nil {
		cmd.done <- err
	} else if err != nil {
		c.Fail(err)
	}
}

// named adds the GPU and the operation to an error that does not name a GPU yet.
func (c *Context) named(op string, err error) error {
	if err == nil {
		return nil
	}
	var named *opError
	if errors.As(err, &named) {
		return err
	}
	return &opError{c.ordinal, op, err}
}

// opError is a fault with where it happened.
type opError struct {
	ordinal int
	op      string
	err     error
}

func (e *opError) Error() string { return fmt.Sprintf("cuda:%d: %s: %v", e.ordinal, e.op, e.err) }
func (e *opError) Unwrap() error { return e.err }

// Fail makes err the context's fault if it has none yet. Everything sent later is dropped.
func (c *Context) Fail(err error) {
	err = c.named("fault", err)
	c.fault.CompareAndSwap(nil, &err)
}

// Fault returns the first fault, if any. It does not wait.
func (c *Context) Fault() error {
	if p := c.fault.Load(); p != nil {
		return *p
	}
	return nil
}

// Send makes the thread call run, and returns at once unless the queue is full. An error of run becomes the context's fault.
func (c *Context) Send(op string, run func() error) { c.send(command{op: op, run: run}) }

// SendAlways is Send for what gives resources back: see Release.
func (c *Context) SendAlways(op string, run func() error) {
	c.send(command{op: op, run: run, always: true})
}

// Launch makes the thread launch a kernel, and returns at once unless the queue is full.
func (c *Context) Launch(l *Launch) { c.send(command{launch: *l}) }

// Do makes the thread call run after everything sent before, waits for it and returns its error. After a fault run is not
// called, and the fault is returned.
func (c *Context) Do(op string, run func() error) error { return c.do(command{op: op, run: run}) }

// Release is Do for what gives resources back: it is called after a fault too, since the driver may still free them.
func (c *Context) Release(op string, run func() error) error {
	return c.do(command{op: op, run: run, always: true})
}

func (c *Context) do(cmd command) error {
	done := make(chan error, 1)
	cmd.done = done
	if !c.send(cmd) {
		return c.Fault()
	}
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		c.stuck(cmd.op)
		return c.Fault()
	}
}

// send puts cmd into the queue and reports whether it did.
func (c *Context) send(cmd command) bool {
	if c.closed.Load() {
		c.Fail(c.named(cmd.name(), ErrClosed))
		return false
	}
	if c.lost.Load() || !cmd.always && c.fault.Load() != nil {
		return false
	}
	select {
	case c.queue <- cmd:
		return true
	default:
	}
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	select {
	case c.queue <- cmd:
		return true
	case <-timer.C:
		c.stuck(cmd.name())
		return false
	}
}

func (cmd *command) name() string {
	if cmd.run == nil {
		return cmd.launch.Function.Name
	}
	return cmd.op
}

// patience is how long to wait for the thread, whose own waits end at the deadline: it is for a thread that does not come
// back from the driver.
func (c *Context) patience() time.Duration { return c.deadline + c.deadline/4 }

// stuck makes it a fault that the thread has not answered in time. Nothing is sent to it any more, and what it has is not
// given back.
func (c *Context) stuck(op string) {
	c.lost.Store(true)
	c.Fail(c.named(op, fmt.Errorf("%w: the thread did not answer for %v; it is at %s", ErrDeadline, c.patience(), or(c.doing.Load(), "nothing"))))
}

// Await waits on the thread until the GPU has passed e. It asks without a pause at first, then at intervals that grow with the
// time waited.
func (c *Context) Await(e Event) error { return c.await(e, c.deadline) }

func (c *Context) await(e Event, deadline time.Duration) error {
	const (
		eager   = 2 * time.Millisecond
		longest = time.Millisecond
	)
	began := time.Now()
	for asked := began; ; asked = time.Now() {
		done, err := e.Done()
		if done || err != nil {
			return err
		}
		waited := time.Since(began)
		if waited > deadline {
			err := fmt.Errorf("%w: the GPU did not finish within %v; launched last: %s", ErrDeadline, deadline, or(c.last.Load(), "no kernel"))
			c.Fail(c.named(or(c.doing.Load(), "wait"), err))
			return err
		}
		if waited > eager {
			time.Sleep(min(waited/64, longest) - time.Since(asked))
		}
	}
}

// or returns *p, or what is said instead of nothing.
func or(p *string, nothing string) string {
	if p == nil {
		return nothing
	}
	return *p
}

// Close waits for everything sent, ends the thread and releases the primary context. It returns the fault, if there was
// one. What was allocated in the context must have been freed before. A second Close does nothing.
func (c *Context) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	timer := time.NewTimer(c.patience())
	defer timer.Stop()
	end := c.queue
	for !c.lost.Load() {
		select {
		case end <- command{end: true}:
			end = nil
		case <-c.ended:
			return c.Fault()
		case <-timer.C:
			c.stuck("close")
		}
	}
	return c.Fault()
}
