package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Record is one message of a stream.
type Record struct {
	// Seq is the message's place in the stream, from 1.
	Seq uint64
	// ID is what it was published with.
	ID string
	// Body belongs to the caller.
	Body []byte
	// Header has the publisher's headers, without the reserved ones.
	Header map[string]string
	// Time is when the server stored it.
	Time time.Time
	// NumPending is how many messages the reader had left to get after this one.
	NumPending uint64
}

// recordOf takes a message apart and checks its digest. The record is filled in either case.
func recordOf(m jetstream.Msg, meta *jetstream.MsgMetadata) (Record, error) {
	r := Record{Seq: meta.Sequence.Stream, Body: m.Data(), Time: meta.Timestamp, NumPending: meta.NumPending}
	want := ""
	for name, values := range m.Headers() {
		switch {
		case len(values) == 0:
		case name == jetstream.MsgIDHeader:
			r.ID = values[0]
		case name == digestHeader:
			want = values[0]
		case !strings.HasPrefix(name, "Nats-"):
			if r.Header == nil {
				r.Header = make(map[string]string)
			}
			r.Header[name] = values[0]
		}
	}
	return r, checkDigest(want, r.Body)
}

// Delivery is a message that this process works on. Until it is settled by Ack, Nak or Term (or its
// consumer is closed) the consumer keeps telling the server that the work goes on. A settled
// delivery ignores further settling. Safe for concurrent use.
type Delivery struct {
	Record
	// Redelivered: it was handed out before and not acknowledged; its output may exist already.
	Redelivered bool
	// Deliveries counts how often the server handed it out, from 1.
	Deliveries uint64

	c       *Consumer
	msg     jetstream.Msg   // newest copy; guarded by c.mu
	link    context.Context // done when the connection that msg came over is lost; guarded by c.mu
	settled bool            // guarded by c.mu
}

// Ack tells the server that the work is done and its output stored, and waits until the server has
// taken note, for as long as the bus's patience. After an error the delivery is still held: Ack may
// be called again.
//
// A server that was killed may have forgotten that it handed the message out. It would not answer, and
// it hands the message out again: the work is then done twice and its output recognised as a duplicate.
func (d *Delivery) Ack(ctx context.Context) error {
	tried := false
	err := d.c.run.bus.retry(ctx, d.c.what("acknowledging a message of"), func(ctx context.Context) error {
		msg := d.current()
		if msg == nil {
			return nil
		}
		if tried || d.cutOff() {
			if gone, err := d.forgotten(ctx); gone || err != nil {
				return err
			}
		}
		tried = true
		return settled(msg.DoubleAck(ctx))
	})
	if err == nil {
		d.c.release(d)
	}
	return err
}

// cutOff reports whether the connection that the message came over was lost since.
func (d *Delivery) cutOff() bool {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	return d.link.Err() != nil
}

// forgotten asks the server whether, as far as it knows, it has yet to hand the message out.
func (d *Delivery) forgotten(ctx context.Context) (bool, error) {
	info, err := d.c.c.Info(ctx)
	if err != nil || info.Delivered.Stream >= d.Seq {
		return false, err
	}
	d.c.run.bus.log.Info("the server has forgotten that it handed out a message and will do so again",
		"stream", streamName(d.c.run.name, d.c.stream), "message", d.Seq)
	return true, nil
}

// Nak gives the message back, to be handed out again (to any worker) after the delay.
func (d *Delivery) Nak(delay time.Duration) error {
	msg := d.current()
	if msg == nil {
		return nil
	}
	d.c.release(d)
	return settled(msg.NakWithDelay(max(delay, 0)))
}

// Term says that the message must not be handed out again, because it can't be processed. It counts
// as done for the end of the stream. Keep a copy with [Run.Dead] before.
func (d *Delivery) Term(reason string) error {
	msg := d.current()
	if msg == nil {
		return nil
	}
	// A reason is never empty on the wire: the server then reports it in its advisory.
	if reason = oneLine(reason, 500); reason == "" {
		reason = "no reason given"
	}
	if err := settled(msg.TermWithReason(reason)); err != nil {
		return err
	}
	d.c.release(d)
	return nil
}

// current returns the message to answer, nil when the delivery is settled.
func (d *Delivery) current() jetstream.Msg {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	if d.settled {
		return nil
	}
	return d.msg
}

// settled treats "already acknowledged" as success.
func settled(err error) error {
	if errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
		return nil
	}
	return err
}
