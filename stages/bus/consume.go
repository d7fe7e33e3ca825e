package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ConsumeOptions describe a durable consumer. All processes that give the same Durable share its work.
type ConsumeOptions struct {
	// Durable is the consumer's name; letters, digits, - and _. Required.
	Durable string
	// AckWait is how long the server waits for a sign of life before it hands a message to another
	// worker; default 45 s. Held messages give a sign every third of it.
	AckWait time.Duration
	// MaxAckPending is how many messages all workers together may hold; default 256.
	MaxAckPending int
	// MaxDeliver is how often a message may be handed out before Next reports it with
	// [ErrDeliveries], since it probably kills its workers; default 5, negative for no limit.
	// The server itself never gives up on a message.
	MaxDeliver int
	// Poll is the longest single request while waiting, and so how late an end of the stream can be
	// noticed; default 1 s.
	Poll time.Duration
}

func (o ConsumeOptions) withDefaults() ConsumeOptions {
	if o.AckWait <= 0 {
		o.AckWait = 45 * time.Second
	}
	if o.MaxAckPending <= 0 {
		o.MaxAckPending = 256
	}
	if o.MaxDeliver == 0 {
		o.MaxDeliver = 5
	}
	if o.Poll <= 0 {
		o.Poll = time.Second
	}
	return o
}

// firstPull is the first wait for a message; it doubles up to ConsumeOptions.Poll.
const firstPull = 20 * time.Millisecond

// Consumer hands out the messages of a stream, each to one of the processes that share its durable
// name. It holds only what it was asked for, one message a request, so that a slow worker leaves the
// rest to others. Safe for concurrent use.
type Consumer struct {
	run    *Run
	stream Stream
	opt    ConsumeOptions
	c      jetstream.Consumer

	mu     sync.Mutex
	held   map[uint64]*Delivery // by sequence number
	closed bool

	stop, stopped chan struct{} // of the heartbeat goroutine
}

// Consume creates the durable consumer, which begins at the stream's first message, or attaches to
// it. AckWait and MaxAckPending of an existing one are set to what is asked.
func (r *Run) Consume(ctx context.Context, s Stream, o ConsumeOptions) (*Consumer, error) {
	if !known(s) {
		return nil, unknownStream(s, r)
	}
	if err := validName("consumer", o.Durable); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	c := &Consumer{run: r, stream: s, opt: o, held: make(map[uint64]*Delivery),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	want := jetstream.ConsumerConfig{
		Durable:       o.Durable,
		DeliverPolicy: jetstream.DeliverAllPolicy,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       o.AckWait,
		MaxAckPending: o.MaxAckPending,
		MaxDeliver:    -1,
	}
	err := r.bus.retry(ctx, c.what("creating"), func(ctx context.Context) error {
		have, err := r.bus.js.Consumer(ctx, streamName(r.name, s), o.Durable)
		if err == nil {
			if err := sharable(have.CachedInfo().Config, want); err != nil {
				return err
			}
		} else if !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return err
		}
		c.c, err = r.bus.js.CreateOrUpdateConsumer(ctx, streamName(r.name, s), want)
		return err
	})
	if err != nil {
		return nil, err
	}
	go c.heartbeat()
	return c, nil
}

// sharable refuses an existing consumer under which messages could be skipped or lost.
func sharable(have, want jetstream.ConsumerConfig) error {
	switch {
	case have.AckPolicy != want.AckPolicy:
		return fmt.Errorf("%w: ack policy: expected %v, found %v", ErrIncompatible, want.AckPolicy, have.AckPolicy)
	case have.DeliverPolicy != want.DeliverPolicy:
		return fmt.Errorf("%w: deliver policy: expected %v, found %v", ErrIncompatible, want.DeliverPolicy, have.DeliverPolicy)
	case have.DeliverSubject != "":
		return fmt.Errorf("%w: expected a pull consumer, found one that pushes", ErrIncompatible)
	case have.FilterSubject != "" || len(have.FilterSubjects) > 0:
		return fmt.Errorf("%w: expected no filter, found %q", ErrIncompatible, append(have.FilterSubjects, have.FilterSubject))
	}
	return nil
}

func (c *Consumer) what(verb string) string {
	return fmt.Sprintf("%s consumer %s of stream %s", verb, c.opt.Durable, streamName(c.run.name, c.stream))
}

// Next waits for a message, for as long as it takes. It returns io.EOF when the stream's end is
// marked and all its messages are acknowledged by whoever worked on them: a message held by another
// worker may still come back, so while there is one, Next waits. While waiting it logs, every ten
// seconds, what for. A message that is damaged or was handed out too often is a [*DeliveryError].
func (c *Consumer) Next(ctx context.Context) (*Delivery, error) {
	wait := min(firstPull, c.opt.Poll)
	say := reporter{every: c.run.bus.sayEvery, last: time.Now()}
	for {
		d, err := c.pull(ctx, wait)
		if err == nil && d == nil {
			err = c.end(ctx)
		}
		switch {
		case d != nil:
			return d, nil
		case err == nil:
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s: %w", c.what("waiting for"), ctx.Err())
		case !transient(err):
			return nil, err
		default:
			// The server is away. What this worker holds stays held; others may get it meanwhile.
			if err := sleep(ctx, wait); err != nil {
				return nil, fmt.Errorf("%s: %w", c.what("waiting for"), err)
			}
		}
		if say.due() {
			c.say(ctx, err)
		}
		wait = min(2*wait, c.opt.Poll)
	}
}

// TryNext is for a worker that has other work to go on with: it waits for at most the given time
// (0: not at all) and returns [ErrNoMessage] when there was none, or when the server is away just now. It never reports the end of the
// stream, which only Next decides.
func (c *Consumer) TryNext(ctx context.Context, wait time.Duration) (*Delivery, error) {
	d, err := c.pull(ctx, wait)
	if err == nil && d == nil || err != nil && transient(err) && ctx.Err() == nil {
		return nil, ErrNoMessage
	}
	return d, err
}

// pull asks the server for one message. Nothing within wait is (nil, nil).
func (c *Consumer) pull(ctx context.Context, wait time.Duration) (*Delivery, error) {
	for {
		if c.isClosed() {
			return nil, fmt.Errorf("%s: %w", c.what("reading"), ErrClosed)
		}
		link := c.run.bus.connection()
		var batch jetstream.MessageBatch
		var err error
		if wait <= 0 {
			batch, err = c.c.FetchNoWait(1)
		} else {
			batch, err = c.c.Fetch(1, jetstream.FetchMaxWait(wait))
		}
		if err != nil {
			return nil, c.explain(ctx, err)
		}
		select {
		case <-ctx.Done():
			go giveBack(batch)
			return nil, ctx.Err()
		case <-link.Done():
			go giveBack(batch)
			return nil, fmt.Errorf("%s: %w", c.what("reading"), nats.ErrDisconnected)
		case m, ok := <-batch.Messages():
			if !ok {
				if err := batch.Error(); err != nil {
					return nil, c.explain(ctx, err)
				}
				return nil, nil
			}
			d, err := c.accept(m, link)
			if d == nil && err == nil {
				continue // another copy of what this worker already holds
			}
			return d, err
		}
	}
}

// giveBack takes care of a request that nobody waits for any more but that is still at the server:
// what it brings goes back at once, not after AckWait.
func giveBack(batch jetstream.MessageBatch) {
	for m := range batch.Messages() {
		_ = m.Nak()
	}
}

// explain tells a consumer that is gone from a server that is away: both answer "no responders".
func (c *Consumer) explain(ctx context.Context, err error) error {
	if errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrConsumerDeleted) {
		ctx, cancel := context.WithTimeout(ctx, c.run.bus.attempt)
		defer cancel()
		if _, ierr := c.c.Info(ctx); ierr != nil {
			err = ierr
		}
	}
	return fmt.Errorf("%s: %w", c.what("reading"), err)
}

// accept takes a message on. A second copy of a held message (its first holder is this worker, the
// signs of life were lost while the server was away) only replaces the first: (nil, nil).
func (c *Consumer) accept(m jetstream.Msg, link context.Context) (*Delivery, error) {
	meta, err := m.Metadata()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.what("reading"), err)
	}
	rec, bad := recordOf(m, meta)
	d := &Delivery{Record: rec, Redelivered: meta.NumDelivered > 1, Deliveries: meta.NumDelivered, c: c, msg: m, link: link}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		_ = m.Nak()
		return nil, fmt.Errorf("%s: %w", c.what("reading"), ErrClosed)
	}
	if h := c.held[rec.Seq]; h != nil {
		h.msg, h.link = m, link
		return nil, nil
	}
	c.held[rec.Seq] = d
	if bad == nil && c.opt.MaxDeliver > 0 && meta.NumDelivered > uint64(c.opt.MaxDeliver) {
		bad = fmt.Errorf("%w: handed out %d times and never acknowledged, at most %d expected", ErrDeliveries, meta.NumDelivered, c.opt.MaxDeliver)
	}
	if bad != nil {
		return nil, &DeliveryError{Stream: c.stream, Record: rec, Delivery: d, Err: bad}
	}
	return d, nil
}

// release forgets a delivery; its signs of life end.
func (c *Consumer) release(d *Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d.settled = true
	if c.held[d.Seq] == d {
		delete(c.held, d.Seq)
	}
}

// heartbeat tells the server every third of AckWait that the held messages are being worked on.
func (c *Consumer) heartbeat() {
	defer close(c.stopped)
	tick := time.NewTicker(max(c.opt.AckWait/3, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		for _, d := range c.snapshot() {
			if msg := d.current(); msg != nil {
				// A lost sign of life is not an error: the next one, or a redelivery, makes up for it.
				_ = msg.InProgress()
			}
		}
	}
}

func (c *Consumer) snapshot() []*Delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]*Delivery, 0, len(c.held))
	for _, d := range c.held {
		out = append(out, d)
	}
	return out
}

func (c *Consumer) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// Held returns the sequence numbers of the messages that this process works on, in order.
func (c *Consumer) Held() []uint64 {
	var out []uint64
	for _, d := range c.snapshot() {
		out = append(out, d.Seq)
	}
	slices.Sort(out)
	return out
}

// Close stops the signs of life and gives back what is held, so that other workers get it at once.
// The durable consumer stays on the server.
func (c *Consumer) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	c.mu.Unlock()
	close(c.stop)
	<-c.stopped
	var errs []error
	for _, d := range c.snapshot() {
		errs = append(errs, d.Nak(0))
	}
	return errors.Join(errs...)
}

// end returns io.EOF when the stream has ended for this consumer, nil when it has not.
func (c *Consumer) end(ctx context.Context) error {
	end, err := c.run.End(ctx, c.stream)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p, err := c.Progress(ctx)
	if err == nil && p.finished(end) {
		return io.EOF
	}
	return err
}

// say logs what Next is waiting for.
func (c *Consumer) say(ctx context.Context, err error) {
	log := c.run.bus.log.With("stream", streamName(c.run.name, c.stream), "consumer", c.opt.Durable)
	if err != nil {
		log.Warn("waiting for the nats server", "err", err)
		return
	}
	p, perr := c.Progress(ctx)
	if perr != nil {
		log.Warn("waiting for the nats server", "err", perr)
		return
	}
	end, eerr := c.run.End(ctx, c.stream)
	log.Info("waiting for messages", "pending", p.Pending, "held_by_all_workers", p.AckPending, "acked_up_to", p.AckFloor,
		"end_marked", eerr == nil, "end", end)
}
