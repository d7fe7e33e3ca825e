package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"openrs/stages/bus/bustest"
)

// within bounds a test's waiting; it is long because only a broken test reaches it.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// lines is a log that tests can read.
type lines struct {
	mu   sync.Mutex
	text string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text += string(b)
	return len(b), nil
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text
}

// await waits until the log contains the text.
func (l *lines) await(t *testing.T, text string) {
	t.Helper()
	for ctx := within(t); !strings.Contains(l.String(), text); {
		if sleep(ctx, 5*time.Millisecond) != nil {
			t.Fatalf("the log does not say %q: %s", text, l.String())
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func connect(t *testing.T, s *bustest.Server) *Bus {
	t.Helper()
	b, err := Connect(within(t), Options{URL: s.URL, Name: t.Name(), Log: quiet(), Patience: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// open starts a server and attaches to a run on it.
func open(t *testing.T) (*bustest.Server, *Run) {
	t.Helper()
	s := bustest.Start(t)
	return s, attach(t, connect(t, s), RunOptions{})
}

func attach(t *testing.T, b *Bus, o RunOptions) *Run {
	t.Helper()
	r, err := b.Run(within(t), "r1", o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// publish puts n messages m1, m2, … with bodies b1, b2, … on a stream.
func publish(t *testing.T, r *Run, s Stream, n int) {
	t.Helper()
	for i := 1; i <= n; i++ {
		if _, err := r.Publish(within(t), s, message(i)); err != nil {
			t.Fatal(err)
		}
	}
}

func message(i int) Message {
	return Message{ID: fmt.Sprintf("m%d", i), Body: fmt.Appendf(nil, "b%d", i)}
}

func consume(t *testing.T, r *Run, o ConsumeOptions) *Consumer {
	t.Helper()
	if o.Durable == "" {
		o.Durable = "work"
	}
	if o.Poll == 0 {
		o.Poll = 50 * time.Millisecond
	}
	c, err := r.Consume(within(t), Rollouts, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func next(t *testing.T, c *Consumer) *Delivery {
	t.Helper()
	d, err := c.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ack(t *testing.T, d *Delivery) {
	t.Helper()
	if err := d.Ack(within(t)); err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error: expected %v, got %v", want, err)
	}
}

func textLog(l *lines) *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }
