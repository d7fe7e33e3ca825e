package refine

import (
	"context"
	"sync"
)

// ordered calls read until it has no more, work for what it gave, in parallel, and take in the order of read,
// one after the other. read and take are each called from one goroutine, but at the same time. At most
// 2 threads + 2 values are under way. The first error, in the order of read, ends it; all calls have
// returned then.
func ordered[T any](ctx context.Context, threads int, read func() (v T, ok bool, err error), work func(T) error, take func(T) error) error {
	type task struct {
		v    T
		err  error
		done chan struct{}
	}
	todo := make(chan *task)
	order := make(chan *task, threads)
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		defer close(order)
		defer close(todo)
		for {
			t := &task{done: make(chan struct{})}
			v, ok, err := read()
			if !ok && err == nil {
				return
			}
			if t.v, t.err = v, err; err != nil {
				close(t.done)
			}
			select {
			case order <- t:
			case <-stop:
				return
			}
			if err != nil {
				return
			}
			select {
			case todo <- t:
			case <-stop:
				return
			}
		}
	})
	for range threads {
		all.Go(func() {
			for t := range todo {
				t.err = work(t.v)
				close(t.done)
			}
		})
	}
	defer all.Wait()
	defer close(stop)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t, more := <-order:
			if !more {
				return ctx.Err()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-t.done:
			}
			if t.err != nil {
				return t.err
			}
			if err := take(t.v); err != nil {
				return err
			}
		}
	}
}
