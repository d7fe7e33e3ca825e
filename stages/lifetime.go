package stages

import (
	"context"
	"sync"
	"time"
)

// grace is how long a command has to end after a signal, unless it asks for more. It is cut off then: it
// may be reading from a terminal or in a long computation, and what it has written is safe at any moment.
const grace = 10 * time.Second

// lifetime is what a running command and Main agree on about signals.
type lifetime struct {
	mu        sync.Mutex
	grace     time.Duration
	interrupt func() bool
}

type lifetimeKey struct{}

// SetGrace says how long the command may take to end after a signal.
func (e *Env) SetGrace(d time.Duration) {
	if l := lifetimeOf(e.Context.Context); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.grace = d
	}
}

// OnInterrupt makes f decide about interrupts (Ctrl-C): where it returns true it has dealt with one and
// the command goes on.
func (e *Env) OnInterrupt(f func() bool) {
	if l := lifetimeOf(e.Context.Context); l != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.interrupt = f
	}
}

// lifetimeOf is nil where the command was not started by Main.
func lifetimeOf(ctx context.Context) *lifetime {
	l, _ := ctx.Value(lifetimeKey{}).(*lifetime)
	return l
}

func (l *lifetime) patience() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grace
}

func (l *lifetime) interrupted() bool {
	l.mu.Lock()
	f := l.interrupt
	l.mu.Unlock()
	return f != nil && f()
}
