package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"openrs/generate/engine"
	"openrs/generate/logprobs"
)

var (
	errBusy = errors.New("too many requests are waiting")
	errGone = errors.New("the engine has stopped")
)

// call is one prompt of a request.
type call struct {
	ctx     context.Context // done when nobody waits for the answer any more
	request engine.Request
	box     *mailbox

	// A call with score set samples nothing: it is the prompt's own log-probabilities that are wanted.
	score *scores
	top   int // most probable tokens in the place of each
}

// scores are the log-probabilities of a given text, without its first token. They may be read when the
// call is finished.
type scores struct {
	logprobs []float32
	top      [][]engine.Ranked
}

// loop owns the engines. Its goroutine is run; the other methods may be called from any.
type loop struct {
	pool    *engine.Pool
	scorer  *logprobs.Scorer
	waiting int // calls that may wait
	log     *slog.Logger

	mu      sync.Mutex
	queue   []*call
	running int           // calls in the engine
	err     error         // why the engine has stopped
	wake    chan struct{} // holds one note that the queue has changed
}

func newLoop(pool *engine.Pool, scorer *logprobs.Scorer, waiting int, log *slog.Logger) *loop {
	return &loop{pool: pool, scorer: scorer, waiting: waiting, log: log, wake: make(chan struct{}, 1)}
}

// submit queues calls, all or none: errBusy says that they don't fit.
func (l *loop) submit(calls ...*call) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return l.err
	case len(l.queue)+len(calls) > l.waiting:
		return errBusy
	}
	l.queue = append(l.queue, calls...)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// next takes the first call if fits says so.
func (l *loop) next(fits func(*call) bool) *call {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || !fits(l.queue[0]) {
		return nil
	}
	c := l.queue[0]
	l.queue[0] = nil // or a long queue would keep it in memory
	l.queue = l.queue[1:]
	return c
}

// run answers calls until ctx is done. An error of the engine ends it and every call.
func (l *loop) run(ctx context.Context) (err error) {
	running := map[*call]bool{}
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.err = errGone
		if err != nil {
			l.err = fmt.Errorf("%w: %w", errGone, err)
		}
		for c := range running {
			c.box.finish(l.err)
		}
		for _, c := range l.queue {
			c.box.finish(l.err)
		}
		l.queue = nil
	}()
	reported, sampled := time.Now(), int64(0)
	for ctx.Err() == nil {
		l.admit(running)
		if l.pool.Idle() {
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
			continue
		}
		results, err := l.pool.Step()
		if err != nil {
			return err
		}
		for _, r := range results {
			c := r.Request.Tag.(*call)
			delete(running, c)
			l.count(len(running))
			c.box.finish(nil)
		}
		if since := time.Since(reported); since > 30*time.Second {
			now := l.pool.Stats().SampledTokens
			l.log.Info("serving", "tokens_per_second", int(float64(now-sampled)/since.Seconds()), "running", len(running), "waiting", l.length())
			reported, sampled = time.Now(), now
		}
	}
	return nil
}

// admit moves calls from the queue into the engine while there is room. Texts are scored at once, one
// between two steps while others are being answered, which must get on.
func (l *loop) admit(running map[*call]bool) {
	for {
		c := l.next(func(c *call) bool {
			return c.ctx.Err() != nil || c.score != nil || l.pool.Idle() || c.request.Samples <= l.pool.Room()
		})
		switch {
		case c == nil:
			return
		case c.ctx.Err() != nil:
			c.box.finish(context.Cause(c.ctx))
		case c.score != nil:
			var err error
			c.score.logprobs, c.score.top, err = l.scorer.Score(c.request.Prompt, c.top)
			c.box.finish(err)
			if !l.pool.Idle() {
				return
			}
		default:
			c.request.Tag = c
			if err := l.pool.Add(c.request); err != nil {
				c.box.finish(err)
				continue
			}
			running[c] = true
			l.count(len(running))
		}
	}
}

func (l *loop) length() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}

func (l *loop) count(running int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = running
}
