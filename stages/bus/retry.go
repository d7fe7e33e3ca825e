package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	firstDelay = 20 * time.Millisecond
	lastDelay  = 2 * time.Second
)

// retry runs op until it succeeds, fails for good, or the bus's patience is over. Each attempt has
// its own deadline. What it waits for is logged at the first failure and then every ten seconds.
func (b *Bus) retry(ctx context.Context, what string, op func(ctx context.Context) error) error {
	return b.retryFor(ctx, what, b.attempt, op)
}

// retryFor is retry with another bound for each attempt; 0 leaves the attempt unbounded.
func (b *Bus) retryFor(ctx context.Context, what string, attempt time.Duration, op func(ctx context.Context) error) error {
	start := time.Now()
	say := reporter{every: b.sayEvery}
	delay := firstDelay
	for n := 1; ; n++ {
		err := b.once(ctx, attempt, op)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case !transient(err) || errors.Is(err, nats.ErrConnectionClosed):
			return fmt.Errorf("%s: %w", what, err)
		case time.Since(start)+delay > b.patience:
			return fmt.Errorf("%s: gave up after %s and %d attempts: %w", what, time.Since(start).Round(time.Millisecond), n, err)
		}
		if say.due() {
			b.log.Warn("waiting for the nats server", "for", what, "attempts", n, "err", err)
		}
		if err := sleep(ctx, delay); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		delay = min(2*delay, lastDelay)
	}
}

// once makes one attempt. It ends with the connection: an answer that was on its way then will not
// come over the next one.
func (b *Bus) once(ctx context.Context, limit time.Duration, op func(ctx context.Context) error) error {
	actx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.connection(), cancel)()
	if limit > 0 {
		actx, cancel = context.WithTimeout(actx, limit)
		defer cancel()
	}
	err := op(actx)
	if errors.Is(err, context.Canceled) && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", nats.ErrDisconnected, err)
	}
	return err
}

// reporter spaces out log lines: the first is due at once, the next after every.
type reporter struct {
	every time.Duration
	last  time.Time
}

func (r *reporter) due() bool {
	if now := time.Now(); now.Sub(r.last) >= r.every {
		r.last = now
		return true
	}
	return false
}

// sleep waits for d or until ctx is done.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
