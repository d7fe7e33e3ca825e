package serve

import (
	"context"
	"sync"

	"openrs/generate/engine"
)

// event is a token of one of a request's choices.
type event struct {
	choice int
	token  engine.Token
}

// mailbox carries tokens from the loop to a handler. It never makes the sender wait; what it can hold is
// bounded by the tokens that the request may sample.
type mailbox struct {
	mu     sync.Mutex
	events []event
	open   int // calls that are not finished
	err    error
	ready  chan struct{} // holds one note that something has changed
}

func newMailbox(calls int) *mailbox {
	return &mailbox{open: calls, ready: make(chan struct{}, 1)}
}

func (b *mailbox) put(e event) {
	b.mu.Lock()
	b.events = append(b.events, e)
	b.mu.Unlock()
	b.note()
}

// finish ends one of the calls; the first error is kept.
func (b *mailbox) finish(err error) {
	b.mu.Lock()
	b.open--
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.note()
}

func (b *mailbox) note() {
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take waits for events and returns those that came. more is false when all calls are finished and
// nothing is left.
func (b *mailbox) take(ctx context.Context) (events []event, more bool, err error) {
	for {
		b.mu.Lock()
		events, b.events = b.events, nil
		open, err := b.open, b.err
		b.mu.Unlock()
		if err != nil {
			return nil, false, err
		}
		if len(events) > 0 || open == 0 {
			return events, open > 0, nil
		}
		select {
		case <-b.ready:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}
