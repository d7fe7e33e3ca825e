package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is what a stage publishes.
type Message struct {
	// ID is derived from the input that the message was made from, so that making it again gives the
	// same id and the server drops the copy. Required; unique within the stream.
	ID string
	// Body is opaque; its SHA-256 travels with it.
	Body []byte
	// Header is optional. Names starting with Nats- or Openrs- are reserved.
	Header map[string]string
}

// Published is the server's acknowledgement.
type Published struct {
	// Seq is the message's place in the stream, from 1.
	Seq uint64
	// Duplicate: a message with this id was there already (Seq is its place), nothing was added.
	Duplicate bool
}

// Publish appends a message to a stream and waits until the server has stored it. While the server
// is away, restarting or the stream is full it tries again with the same id, for as long as the
// bus's patience. A message larger than the server accepts is [ErrTooLarge].
func (r *Run) Publish(ctx context.Context, s Stream, m Message) (Published, error) {
	if !known(s) {
		return Published{}, unknownStream(s, r)
	}
	for name := range m.Header {
		if reserved(name) {
			return Published{}, fmt.Errorf("stream %s: message %q: header name %q is reserved", s, m.ID, name)
		}
	}
	return r.publish(ctx, s, subjectOf(r.name, s), m)
}

func reserved(header string) bool {
	return strings.HasPrefix(header, "Nats-") || strings.HasPrefix(header, "Openrs-")
}

// publish sends one message to a subject of a stream.
func (r *Run) publish(ctx context.Context, s Stream, subject string, m Message) (Published, error) {
	msg, err := seal(subject, m)
	if err != nil {
		return Published{}, fmt.Errorf("stream %s: %w", s, err)
	}
	if limit := r.bus.MaxPayload(); limit > 0 && size(msg) > limit {
		return Published{}, tooLarge(s, m, size(msg), limit)
	}
	name := streamName(r.name, s)
	var ack *jetstream.PubAck
	err = r.bus.retry(ctx, fmt.Sprintf("publishing message %q to stream %s", m.ID, name), func(ctx context.Context) error {
		var err error
		// The retrying is ours; the client's own would hide what is waited for.
		ack, err = r.bus.js.PublishMsg(ctx, msg, jetstream.WithExpectStream(name), jetstream.WithRetryAttempts(0))
		if errors.Is(err, jetstream.ErrNoStreamResponse) {
			// Nobody listens: either JetStream is still starting, or the stream is gone for good.
			if _, serr := r.bus.js.Stream(ctx, name); errors.Is(serr, jetstream.ErrStreamNotFound) {
				return serr
			}
		}
		return err
	})
	switch {
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, jetstream.ErrStreamMessageExceedsMaximum):
		return Published{}, tooLarge(s, m, size(msg), r.bus.MaxPayload())
	case err != nil:
		return Published{}, err
	}
	return Published{Seq: ack.Sequence, Duplicate: ack.Duplicate}, nil
}

// seal makes the message that goes over the wire: id, digest and the caller's headers.
func seal(subject string, m Message) (*nats.Msg, error) {
	if m.ID == "" || m.ID != oneLine(m.ID, len(m.ID)) {
		return nil, fmt.Errorf("message id %q: expected a non-empty line of text", m.ID)
	}
	h := nats.Header{}
	for name, value := range m.Header {
		if !headerName(name) || value != oneLine(value, len(value)) {
			return nil, fmt.Errorf("message %q: header %q: expected a plain name and one line of text, found %q", m.ID, name, value)
		}
		h.Set(name, value)
	}
	h.Set(jetstream.MsgIDHeader, m.ID)
	h.Set(digestHeader, digestOf(m.Body))
	return &nats.Msg{Subject: subject, Header: h, Data: m.Body}, nil
}

// headerName accepts visible ASCII without a colon.
func headerName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c >= 0x7f || c == ':' {
			return false
		}
	}
	return name != ""
}

// size is what counts against the server's payload limit: the body and the encoded headers.
func size(msg *nats.Msg) int64 {
	n := int64(len(msg.Data)) + int64(len("NATS/1.0\r\n\r\n"))
	// WithExpectStream adds one header that is not in the map yet.
	n += int64(len(jetstream.ExpectedStreamHeader) + len(msg.Subject) + 8)
	for name, values := range msg.Header {
		for _, v := range values {
			n += int64(len(name) + len(": \r\n") + len(v))
		}
	}
	return n
}

func tooLarge(s Stream, m Message, size, limit int64) error {
	return fmt.Errorf("%w: stream %s: message %q has %d bytes with its headers, the server accepts %d: "+
		"put fewer groups in a batch, or raise the server's max_payload", ErrTooLarge, s, m.ID, size, limit)
}
