package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// From says where a replay begins: at a sequence number, at a time, or (both zero) at the beginning.
type From struct {
	Seq  uint64
	Time time.Time
}

// replayAhead is how many messages a replay fetches ahead; a message is at most a few megabytes.
const replayAhead = 16

// Replayer reads a stream in order, alone, and as often as one likes; nothing is acknowledged.
// Not safe for concurrent use.
type Replayer struct {
	run    *Run
	stream Stream
	next   uint64    // next sequence number; 0: not known yet, begin at time
	time   time.Time // where to begin while next is 0
	it     jetstream.MessagesContext
	closed bool
}

// Replay reads a stream from the given place. A place before the stream's first kept message is
// [ErrGone]; one after its last waits for messages to come (or for the end to be marked).
func (r *Run) Replay(ctx context.Context, s Stream, from From) (*Replayer, error) {
	if from.Seq > 0 && !from.Time.IsZero() {
		return nil, fmt.Errorf("replay of stream %s: expected a sequence number or a time, found both", s)
	}
	state, err := r.state(ctx, s)
	if err != nil {
		return nil, err
	}
	p := &Replayer{run: r, stream: s, next: from.Seq, time: from.Time}
	if from.Time.IsZero() {
		p.next = max(p.next, 1)
		if state.FirstSeq > p.next {
			return nil, fmt.Errorf("stream %s: message %d is %w: the first kept one is %d", streamName(r.name, s), p.next, ErrGone, state.FirstSeq)
		}
	}
	return p, nil
}

// Next waits for the next message, however long, and logs every ten seconds what it waits for. It
// returns io.EOF after the last message of a stream whose end is marked. A damaged message is a
// [*DeliveryError] with [ErrDigest]; the one after it can be read by calling Next again.
func (p *Replayer) Next(ctx context.Context) (Record, error) {
	wait := firstPull
	say := reporter{every: p.run.bus.sayEvery, last: time.Now()}
	for {
		rec, err := p.step(ctx, wait)
		var bad *DeliveryError
		switch {
		case err == nil, errors.As(err, &bad):
			return rec, err
		case ctx.Err() != nil:
			return Record{}, fmt.Errorf("%s: %w", p.what(), ctx.Err())
		case errors.Is(err, ErrNoMessage):
			err = p.end(ctx)
		case transient(err):
			p.drop()
			if serr := sleep(ctx, wait); serr != nil {
				return Record{}, fmt.Errorf("%s: %w", p.what(), serr)
			}
		}
		if err != nil && !transient(err) {
			return Record{}, err
		}
		if say.due() {
			p.check(ctx, err)
		}
		wait = min(2*wait, time.Second)
	}
}

func (p *Replayer) what() string { return "replaying stream " + streamName(p.run.name, p.stream) }

// step waits for one message: ErrNoMessage when none came in time.
func (p *Replayer) step(ctx context.Context, wait time.Duration) (Record, error) {
	if p.closed {
		return Record{}, fmt.Errorf("%s: %w", p.what(), ErrClosed)
	}
	if err := p.open(ctx); err != nil {
		return Record{}, err
	}
	for {
		wctx, cancel := context.WithTimeout(ctx, wait)
		m, err := p.it.Next(jetstream.NextContext(wctx))
		cancel()
		switch {
		case err == nil:
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
			return Record{}, ErrNoMessage
		case p.run.bus.nc.IsClosed():
			return Record{}, fmt.Errorf("%s: %w: %w", p.what(), ErrClosed, err)
		default:
			// Whatever the iterator died of, a new one goes on at p.next.
			return Record{}, fmt.Errorf("%s: %w: %w", p.what(), nats.ErrDisconnected, err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return Record{}, fmt.Errorf("%s: %w", p.what(), err)
		}
		rec, err := recordOf(m, meta)
		if rec.Seq < p.next {
			continue
		}
		if p.next > 0 && rec.Seq > p.next {
			p.run.bus.log.Warn("stream has a hole: messages were deleted", "stream", streamName(p.run.name, p.stream),
				"from", p.next, "to", rec.Seq-1)
		}
		p.next = rec.Seq + 1
		if err != nil {
			return rec, &DeliveryError{Stream: p.stream, Record: rec, Err: err}
		}
		return rec, nil
	}
}

// open starts an ordered consumer at the place reached so far.
func (p *Replayer) open(ctx context.Context) error {
	if p.it != nil {
		return nil
	}
	cfg := jetstream.OrderedConsumerConfig{
		// The consumer renews itself after a gap or a missing heartbeat; if that fails once, Next
		// starts a new one: its waiting can be cancelled and is logged.
		MaxResetAttempts: 1,
		DeliverPolicy:    jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:      p.next,
	}
	if p.next == 0 {
		cfg.DeliverPolicy, cfg.OptStartSeq, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, 0, &p.time
	}
	ctx, cancel := context.WithTimeout(ctx, p.run.bus.attempt)
	defer cancel()
	c, err := p.run.bus.js.OrderedConsumer(ctx, streamName(p.run.name, p.stream), cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", p.what(), err)
	}
	if p.it, err = c.Messages(jetstream.PullMaxMessages(replayAhead)); err != nil {
		p.it = nil
		return fmt.Errorf("%s: %w", p.what(), err)
	}
	return nil
}

// drop ends the current iterator; the next step opens another.
func (p *Replayer) drop() {
	if p.it != nil {
		p.it.Stop()
		p.it = nil
	}
}

// end returns io.EOF when the end is marked and read.
func (p *Replayer) end(ctx context.Context) error {
	end, err := p.run.End(ctx, p.stream)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.next == 0 && end > 0 {
		// Began at a time, and nothing came: is the last message older than that?
		at, err := p.timeOf(ctx, end)
		if err != nil || !at.Before(p.time) {
			return err
		}
		return io.EOF
	}
	if p.next > end {
		return io.EOF
	}
	return nil
}

// timeOf returns when a message was stored; a deleted one counts as long ago.
func (p *Replayer) timeOf(ctx context.Context, seq uint64) (at time.Time, err error) {
	err = p.run.bus.retry(ctx, p.what(), func(ctx context.Context) error {
		s, err := p.run.bus.js.Stream(ctx, streamName(p.run.name, p.stream))
		if err != nil {
			return err
		}
		m, err := s.GetMsg(ctx, seq)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err == nil {
			at = m.Time
		}
		return err
	})
	return at, err
}

// check logs what is waited for. If the stream has messages that do not arrive, the consumer was
// lost without a word, and is replaced.
func (p *Replayer) check(ctx context.Context, err error) {
	log := p.run.bus.log.With("stream", streamName(p.run.name, p.stream), "next", p.next)
	if err != nil {
		log.Warn("waiting for the nats server", "err", err)
		return
	}
	last, err := p.run.Last(ctx, p.stream)
	if err != nil {
		log.Warn("waiting for the nats server", "err", err)
		return
	}
	end, eerr := p.run.End(ctx, p.stream)
	log.Info("waiting for messages", "last", last, "end_marked", eerr == nil, "end", end)
	if p.next > 0 && last >= p.next {
		p.drop()
	}
}

// Close ends the replay.
func (p *Replayer) Close() error {
	p.closed = true
	p.drop()
	return nil
}
