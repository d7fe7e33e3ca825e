package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Errors on which callers decide. They come wrapped, with the stream, sequence number or file.
var (
	// ErrSecretInURL: the server address contains a user, password or token.
	ErrSecretInURL = errors.New("credentials in the server address")
	// ErrNoServer: no server accepted the first connection in time.
	ErrNoServer = errors.New("no nats server")
	// ErrNoJetStream: the server runs without JetStream.
	ErrNoJetStream = errors.New("server without JetStream")
	// ErrName: a run, stage or consumer name has characters that subjects can't carry.
	ErrName = errors.New("bad name")
	// ErrIncompatible: a stream or consumer exists with another configuration.
	ErrIncompatible = errors.New("incompatible configuration")
	// ErrTooLarge: the message is larger than the server accepts.
	ErrTooLarge = errors.New("message too large")
	// ErrDigest: a body does not have the digest that it was published with.
	ErrDigest = errors.New("digest does not match")
	// ErrDeliveries: a message was delivered [ConsumeOptions.MaxDeliver] times and never acknowledged.
	ErrDeliveries = errors.New("too many deliveries")
	// ErrNoMessage: [Consumer.TryNext] found nothing to do.
	ErrNoMessage = errors.New("no message")
	// ErrClosed: the consumer, replayer or bus was closed.
	ErrClosed = errors.New("closed")
	// ErrGone: what was asked for existed and has been removed.
	ErrGone = errors.New("no longer there")
	// ErrNotFound: a policy, configuration or end has not been stored (yet).
	ErrNotFound = errors.New("not found")
	// ErrPolicyConflict: the version exists with other weights.
	ErrPolicyConflict = errors.New("policy version exists with another digest")
	// ErrNoMorePolicies: the run's final version is lower than the one waited for.
	ErrNoMorePolicies = errors.New("no more policies will be published")
)

// DeliveryError reports one message that can't be handed over as good: Err is [ErrDigest] or
// [ErrDeliveries]. The message comes with it, so that the caller can keep a copy with [Run.Dead].
type DeliveryError struct {
	Stream Stream
	Record Record
	// Delivery is the message to Term, Nak or drop; nil from a [Replayer], which has nothing to settle.
	Delivery *Delivery
	Err      error
}

func (e *DeliveryError) Error() string {
	return fmt.Sprintf("stream %s: message %d: %v", e.Stream, e.Record.Seq, e.Err)
}

func (e *DeliveryError) Unwrap() error { return e.Err }

// passing lists the errors of a server that is away, restarting, electing a leader or full.
var passing = []error{
	nats.ErrTimeout, nats.ErrNoResponders, nats.ErrReconnectBufExceeded, nats.ErrConnectionReconnecting,
	nats.ErrDisconnected, nats.ErrStaleConnection, nats.ErrNoServers, context.DeadlineExceeded,
	jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat,
	jetstream.ErrConsumerLeadershipChanged, jetstream.ErrServerShutdown,
}

// transient reports whether trying again can help.
func transient(err error) bool {
	for _, p := range passing {
		if errors.Is(err, p) {
			return true
		}
	}
	// 503: JetStream is not ready, has no leader, or the stream is full.
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code == 503
}

// oneLine makes text fit for a header value or a log line: no control characters, at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "")
	}
	return text
}
