package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	connectWait = 5 * time.Second  // first connection
	patience    = 2 * time.Minute  // one operation, server away
	attemptWait = 5 * time.Second  // one attempt of one request
	sayEvery    = 10 * time.Second // a waiting process says what it waits for
)

// Bus is a connection to a JetStream server. It reconnects for ever; operations that meet a server
// that is away wait for it up to Options.Patience. Safe for concurrent use.
type Bus struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
	patience time.Duration
	sayEvery time.Duration
	attempt  time.Duration

	mu   sync.Mutex
	link context.Context // done when the connection that is in use now is lost
	cut  context.CancelFunc
}

// Connect opens a connection. It fails within Options.ConnectWait when there is no server, at once
// when the server refuses the credentials, and when the server has no JetStream.
func Connect(ctx context.Context, o Options) (*Bus, error) {
	urls, err := servers(o.URL)
	if err != nil {
		return nil, err
	}
	opts, err := o.natsOptions()
	if err != nil {
		return nil, err
	}
	b := &Bus{log: o.Log, patience: o.Patience, sayEvery: sayEvery, attempt: attemptWait}
	if b.log == nil {
		b.log = slog.Default()
	}
	if b.patience <= 0 {
		b.patience = patience
	}
	b.link, b.cut = context.WithCancel(context.Background())
	wait := o.ConnectWait
	if wait <= 0 {
		wait = connectWait
	}
	opts = append(opts, b.handlers()...)
	if b.nc, err = dial(ctx, urls, wait, opts); err != nil {
		return nil, err
	}
	if b.js, err = jetstream.New(b.nc); err != nil {
		b.nc.Close()
		return nil, fmt.Errorf("jetstream at %s: %w", urls, err)
	}
	err = b.retry(ctx, "the JetStream account", func(ctx context.Context) error {
		_, err := b.js.AccountInfo(ctx)
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			// Not wrapped: as an answer to the first question it will not pass by waiting.
			return fmt.Errorf("%w at %s: expected one started with JetStream enabled (nats-server -js)", ErrNoJetStream, urls)
		}
		return err
	})
	if err != nil {
		b.nc.Close()
		return nil, err
	}
	return b, nil
}

// dial makes the first connection: it keeps trying for at most wait.
func dial(ctx context.Context, urls string, wait time.Duration, opts []nats.Option) (*nats.Conn, error) {
	deadline := time.Now().Add(wait)
	for {
		left := time.Until(deadline)
		nc, err := nats.Connect(urls, append(opts, nats.Timeout(min(max(left, 100*time.Millisecond), 2*time.Second)))...)
		switch {
		case err == nil:
			return nc, nil
		case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired):
			return nil, fmt.Errorf("nats server %s refused the credentials: %w", urls, err)
		case time.Until(deadline) <= 0:
			return nil, fmt.Errorf("%w answered at %s within %s (%w): expected a nats-server with JetStream there; "+
				"start one with nats-server -js, or give another address", ErrNoServer, urls, wait, err)
		}
		if err := sleep(ctx, min(100*time.Millisecond, wait/4)); err != nil {
			return nil, fmt.Errorf("connecting to nats server %s: %w", urls, err)
		}
	}
}

// handlers sets how the connection behaves after the first connect, and what it tells the log.
func (b *Bus) handlers() []nats.Option {
	return []nats.Option{
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 250*time.Millisecond),
		// A dead peer is noticed after half a minute, not after minutes.
		nats.PingInterval(15 * time.Second),
		nats.MaxPingsOutstanding(2),
		// While disconnected nothing is buffered: every operation here retries by itself, and a
		// buffer would send stale acknowledgements and several copies of a message later.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			b.lost()
			if !nc.IsClosed() {
				b.log.Warn("nats connection lost, reconnecting", "err", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			b.log.Info("nats connection is back", "server", nc.ConnectedServerName(), "reconnects", nc.Statistics.Reconnects)
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			b.log.Warn("nats reported an error", "subject", subject, "err", err)
		}),
	}
}

// lost ends the requests that wait for an answer over a connection that is gone.
func (b *Bus) lost() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut()
	b.link, b.cut = context.WithCancel(context.Background())
}

// connection returns a context that is done when the present connection is lost.
func (b *Bus) connection() context.Context {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.link
}

// Connected reports whether the server is reachable at this moment.
func (b *Bus) Connected() bool { return b.nc.IsConnected() }

// MaxPayload is the largest message, body and headers together, that the server accepts, in bytes.
func (b *Bus) MaxPayload() int64 { return b.nc.MaxPayload() }

// Close ends the connection. Consumers should be closed before, so that what they hold is given back.
func (b *Bus) Close() {
	if b.nc.IsConnected() {
		// What was published without waiting (given-back messages) leaves before the connection does.
		_ = b.nc.FlushTimeout(2 * time.Second)
	}
	b.nc.Close()
}
