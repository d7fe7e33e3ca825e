package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A worker dies (its connection ends, nothing is given back): another one gets its message.
func TestRedeliveryAfterAWorkerDies(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 2)
	doomed := connect(t, s)
	c1 := consume(t, attach(t, doomed, RunOptions{}), ConsumeOptions{AckWait: 200 * time.Millisecond})
	if d := next(t, c1); d.Seq != 1 || d.Redelivered {
		t.Fatalf("unexpected first delivery %+v", d)
	}
	doomed.nc.Close()
	c2 := consume(t, r, ConsumeOptions{AckWait: 200 * time.Millisecond})
	got := map[uint64]bool{}
	for range 2 {
		d := next(t, c2)
		got[d.Seq] = d.Redelivered
		if d.Redelivered != (d.Deliveries > 1) {
			t.Errorf("message %d: redelivered %v after %d deliveries", d.Seq, d.Redelivered, d.Deliveries)
		}
		ack(t, d)
	}
	if fmt.Sprint(got) != "map[1:true 2:false]" {
		t.Errorf("redelivered: %v", got)
	}
}

// A worker that takes its time says so, over and over, until it is done.
func TestSignsOfLife(t *testing.T) {
	_, r := open(t)
	publish(t, r, Rollouts, 1)
	signs, err := r.bus.nc.SubscribeSync("$JS.ACK.openrs-r1-rollouts.work.>")
	if err != nil {
		t.Fatal(err)
	}
	c := consume(t, r, ConsumeOptions{AckWait: 300 * time.Millisecond})
	d := next(t, c)
	for range 4 { // four thirds of AckWait
		if m, err := signs.NextMsgWithContext(within(t)); err != nil || string(m.Data) != "+WPI" {
			t.Fatalf("expected a sign of life, got %v, %v", m, err)
		}
	}
	if h := c.Held(); !slices.Equal(h, []uint64{1}) {
		t.Errorf("held: %v", h)
	}
	ack(t, d)
	ack(t, d) // again: nothing to do
	if err := d.Nak(0); err != nil || len(c.Held()) != 0 {
		t.Errorf("after the acknowledgement: nak %v, held %v", err, c.Held())
	}
	for late := 0; ; { // one may have been on its way
		m, err := signs.NextMsg(250 * time.Millisecond)
		if err != nil {
			break
		}
		if string(m.Data) == "+WPI" {
			late++
		}
		if late > 1 {
			t.Fatal("signs of life go on after the acknowledgement")
		}
	}
	if _, err := c.Next(withEnd(t, r)); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end, got %v", err)
	}
}

func withEnd(t *testing.T, r *Run) context.Context {
	t.Helper()
	if err := r.MarkEnd(within(t), Rollouts); err != nil {
		t.Fatal(err)
	}
	return within(t)
}

// A worker holds what it asked for and nothing else; the rest is for others.
func TestSlowWorkersDoNotHoard(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 5)
	slow := consume(t, attach(t, connect(t, s), RunOptions{}), ConsumeOptions{})
	fast := consume(t, r, ConsumeOptions{})
	if d := next(t, slow); d.Seq != 1 || d.NumPending != 4 {
		t.Fatalf("unexpected delivery %d, %d pending", d.Seq, d.NumPending)
	}
	for want := uint64(2); want <= 4; want++ {
		d, err := fast.TryNext(within(t), 0)
		if err != nil || d.Seq != want {
			t.Fatalf("expected message %d, got %v, %v", want, d, err)
		}
		ack(t, d)
	}
	if d, err := slow.TryNext(within(t), 0); err != nil || d.Seq != 5 { // its batch has room again
		t.Fatalf("expected message 5, got %v, %v", d, err)
	}
	if _, err := fast.TryNext(within(t), 0); !errors.Is(err, ErrNoMessage) {
		t.Errorf("expected no message, got %v", err)
	}
	if p, err := fast.Progress(within(t)); err != nil || p != (Progress{AckPending: 2}) {
		t.Errorf("unexpected progress %+v, %v", p, err)
	}
}

func TestNakTermAndClose(t *testing.T) {
	_, r := open(t)
	publish(t, r, Rollouts, 3)
	c := consume(t, r, ConsumeOptions{})
	if err := next(t, c).Nak(time.Hour); err != nil {
		t.Fatal(err)
	}
	d := next(t, c)
	if d.Seq != 2 {
		t.Fatalf("a message given back for an hour came at once: %d", d.Seq)
	}
	three := next(t, c)
	if err := d.Nak(time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if d = next(t, c); d.Seq != 2 || !d.Redelivered {
		t.Fatalf("unexpected delivery %+v", d)
	}
	if err := d.Term("can't\nbe read"); err != nil {
		t.Fatal(err)
	}
	if h := c.Held(); !slices.Equal(h, []uint64{three.Seq}) {
		t.Errorf("held: %v", h)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Next(within(t))
	wantErr(t, err, ErrClosed)
	// What the closed one held comes back at once, although AckWait is 45 s; the terminated one never.
	c = consume(t, r, ConsumeOptions{})
	if d = next(t, c); d.Seq != 3 || !d.Redelivered {
		t.Fatalf("unexpected delivery %+v", d)
	}
	ack(t, d)
	if p, err := c.Progress(within(t)); err != nil || p.Pending != 0 || p.AckPending != 1 {
		t.Errorf("expected that only message 1 is open: %+v, %v", p, err)
	}
}

// Ending one's wait leaves no request behind that takes a message to nobody.
func TestCancelledWaitLosesNothing(t *testing.T) {
	_, r := open(t)
	c := consume(t, r, ConsumeOptions{})
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error)
	go func() { _, err := c.pull(ctx, 9*time.Second); done <- err }()
	for waiting := 0; waiting == 0; { // until the request is at the server
		info, err := c.c.Info(within(t))
		if err != nil {
			t.Fatal(err)
		}
		waiting = info.NumWaiting
	}
	cancel()
	wantErr(t, <-done, context.Canceled)
	publish(t, r, Rollouts, 1) // is brought by the request that nobody waits for
	ack(t, next(t, consume(t, r, ConsumeOptions{})))
}

func TestCorruptedBody(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	publish(t, r, Rollouts, 1)
	msg, err := seal(subjectOf("r1", Rollouts), message(2))
	if err != nil {
		t.Fatal(err)
	}
	msg.Data = []byte("b3") // a flipped bit on the way
	if _, err := r.bus.js.PublishMsg(ctx, msg); err != nil {
		t.Fatal(err)
	}
	if _, err := r.bus.js.Publish(ctx, subjectOf("r1", Rollouts), []byte("someone else's")); err != nil {
		t.Fatal(err)
	}
	c := consume(t, r, ConsumeOptions{})
	ack(t, next(t, c))
	for _, seq := range []uint64{2, 3} {
		_, err = c.Next(ctx)
		wantErr(t, err, ErrDigest)
		var bad *DeliveryError
		if !errors.As(err, &bad) || bad.Record.Seq != seq || !strings.Contains(err.Error(), fmt.Sprintf("stream rollouts: message %d", seq)) {
			t.Fatalf("message %d is not named: %v", seq, err)
		}
		if err := r.Dead(ctx, "score", err.Error(), Origin{bad.Stream, bad.Record.Seq}, bad.Record.Body); err != nil {
			t.Fatal(err)
		}
		if err := bad.Delivery.Term("damaged"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Next(withEnd(t, r)); !errors.Is(err, io.EOF) {
		t.Fatalf("expected the end, got %v", err)
	}
	p, err := r.Replay(ctx, Rollouts, From{Seq: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Next(ctx)
	wantErr(t, err, ErrDigest)
	_, err = p.Next(ctx)
	wantErr(t, err, ErrDigest)
	_, err = p.Next(ctx)
	wantErr(t, err, io.EOF)
}

func TestTooManyDeliveries(t *testing.T) {
	_, r := open(t)
	publish(t, r, Rollouts, 1)
	c := consume(t, r, ConsumeOptions{MaxDeliver: 2})
	for range 2 {
		if err := next(t, c).Nak(0); err != nil {
			t.Fatal(err)
		}
	}
	_, err := c.Next(within(t))
	wantErr(t, err, ErrDeliveries)
	var bad *DeliveryError
	if !errors.As(err, &bad) || string(bad.Delivery.Body) != "b1" {
		t.Fatalf("the message does not come with %v", err)
	}
	ack(t, bad.Delivery)
}

func TestConsumeRefuses(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	_, err := r.Consume(ctx, Rollouts, ConsumeOptions{Durable: "a.b"})
	wantErr(t, err, ErrName)
	_, err = r.Consume(ctx, "replies", ConsumeOptions{Durable: "a"})
	wantErr(t, err, ErrName)
	if _, err := r.bus.js.CreateConsumer(ctx, "openrs-r1-rollouts", jetstream.ConsumerConfig{Durable: "a", AckPolicy: jetstream.AckAllPolicy}); err != nil {
		t.Fatal(err)
	}
	_, err = r.Consume(ctx, Rollouts, ConsumeOptions{Durable: "a"})
	wantErr(t, err, ErrIncompatible)
	c := consume(t, r, ConsumeOptions{})
	if err := r.bus.js.DeleteConsumer(ctx, "openrs-r1-rollouts", "work"); err != nil {
		t.Fatal(err)
	}
	_, err = c.Next(ctx)
	wantErr(t, err, jetstream.ErrConsumerNotFound)
}

// The server goes away while one message is held and others are to come.
func TestConsumeThroughARestart(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 3)
	c := consume(t, r, ConsumeOptions{AckWait: 300 * time.Millisecond})
	d := next(t, c)
	s.Stop()
	got := make(chan *Delivery, 1)
	go func() {
		d, err := c.Next(within(t))
		if err != nil {
			t.Error(err)
		}
		got <- d
	}()
	time.Sleep(400 * time.Millisecond) // longer than AckWait: the server will hand message 1 out again
	s.Restart()
	d2 := <-got
	if d2 == nil || d2.Seq != 2 {
		t.Fatalf("expected message 2, as this worker still holds 1, got %+v", d2)
	}
	ack(t, d)
	ack(t, d2)
	ack(t, next(t, c))
	if _, err := c.Next(withEnd(t, r)); !errors.Is(err, io.EOF) {
		t.Errorf("expected the end, got %v", err)
	}
}

// Two workers, one stream, an end: each learns of it only when the other is done too.
func TestEndWithTwoWorkers(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 3)
	other := attach(t, connect(t, s), RunOptions{})
	c1, c2 := consume(t, r, ConsumeOptions{}), consume(t, other, ConsumeOptions{AckWait: 45 * time.Second})
	for range 2 {
		ack(t, next(t, c1))
	}
	held := next(t, c2)
	for range 2 { // both workers of the stage before may mark it
		if err := r.MarkEnd(within(t), Rollouts); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan error, 1)
	go func() { _, err := c1.Next(within(t)); done <- err }()
	select {
	case err := <-done:
		t.Fatalf("the end came while message %d was held: %v", held.Seq, err)
	case <-time.After(200 * time.Millisecond):
	}
	// The holder gives up: the waiting worker gets the message after all.
	if err := held.Nak(0); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatalf("expected message %d, got %v", held.Seq, err)
	}
	if h := c1.Held(); !slices.Equal(h, []uint64{3}) {
		t.Fatalf("held: %v", h)
	}
	var wg sync.WaitGroup
	for _, c := range []*Consumer{c1, c2} {
		wg.Go(func() {
			if _, err := c.Next(within(t)); !errors.Is(err, io.EOF) {
				t.Errorf("expected the end, got %v", err)
			}
		})
	}
	for _, d := range c1.snapshot() {
		ack(t, d)
	}
	wg.Wait()
	// The run is extended.
	if err := r.ClearEnd(within(t), Rollouts); err != nil {
		t.Fatal(err)
	}
	if _, err := r.End(within(t), Rollouts); !errors.Is(err, ErrNotFound) {
		t.Errorf("expected no end, got %v", err)
	}
	if _, err := r.Publish(within(t), Rollouts, message(4)); err != nil {
		t.Fatal(err)
	}
	ack(t, next(t, c2))
	wantErr(t, r.ClearEnd(within(t), "replies"), ErrName)
}

func TestEndOfAnEmptyStream(t *testing.T) {
	_, r := open(t)
	c := consume(t, r, ConsumeOptions{})
	if _, err := c.Next(withEnd(t, r)); !errors.Is(err, io.EOF) {
		t.Errorf("consumer: expected the end, got %v", err)
	}
	p, err := r.Replay(within(t), Rollouts, From{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Next(within(t)); !errors.Is(err, io.EOF) {
		t.Errorf("replay: expected the end, got %v", err)
	}
}

func TestWaitingSaysWhatFor(t *testing.T) {
	s, r := open(t)
	var log lines
	r.bus.log, r.bus.sayEvery = textLog(&log), 20*time.Millisecond
	c := consume(t, r, ConsumeOptions{Poll: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(within(t))
	done := make(chan error, 1)
	go func() { _, err := c.Next(ctx); done <- err }()
	log.await(t, `"waiting for messages" stream=openrs-r1-rollouts consumer=work pending=0`)
	s.Stop()
	log.await(t, "nats connection lost")
	log.await(t, "waiting for the nats server")
	cancel()
	wantErr(t, <-done, context.Canceled)
}
