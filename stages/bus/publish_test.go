package bus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"openrs/stages/bus/bustest"
)

func TestRunAttachesAndRefuses(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	publish(t, r, Problems, 1)
	again := attach(t, r.bus, RunOptions{})
	if last, err := again.Last(ctx, Problems); err != nil || last != 1 || again.Name() != "r1" {
		t.Fatalf("attached run sees %d messages, %v", last, err)
	}
	_, err := r.bus.Run(ctx, "r 1", RunOptions{})
	wantErr(t, err, ErrName)
	_, err = r.bus.Run(ctx, "r1", RunOptions{DuplicateWindow: 3 * time.Hour})
	wantErr(t, err, ErrIncompatible)
	if !strings.Contains(err.Error(), "openrs-r1-problems") || !strings.Contains(err.Error(), "expected 3h0m0s, found 2h0m0s") {
		t.Errorf("the difference is not named: %v", err)
	}
	_, err = r.bus.js.CreateStream(ctx, jetstream.StreamConfig{Name: "openrs-r2-rollouts", Subjects: []string{"openrs.r2.rollouts"},
		Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.bus.Run(ctx, "r2", RunOptions{})
	wantErr(t, err, ErrIncompatible)
}

func TestStagesStartTogether(t *testing.T) {
	s := bustest.Start(t)
	done := make(chan error)
	for range 4 {
		b := connect(t, s)
		go func() {
			_, err := b.Run(context.Background(), "r1", RunOptions{})
			done <- err
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPublish(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	for i, want := range []Published{{Seq: 1}, {Seq: 1, Duplicate: true}, {Seq: 1, Duplicate: true}} {
		got, err := r.Publish(ctx, Rollouts, Message{ID: "a", Body: []byte("x"), Header: map[string]string{"group": "g"}})
		if err != nil || got != want {
			t.Fatalf("publish %d: expected %+v, got %+v, %v", i, want, got, err)
		}
	}
	if p, err := r.Publish(ctx, Scored, Message{ID: "a"}); err != nil || p.Duplicate {
		t.Errorf("ids are each stream's own: %+v, %v", p, err)
	}
	_, err := r.Publish(ctx, "replies", Message{ID: "a"})
	wantErr(t, err, ErrName)
	if _, err = r.Publish(ctx, Rollouts, Message{ID: "b", Header: map[string]string{"Nats-Rollup": "all"}}); err == nil {
		t.Error("a reserved header was accepted")
	}
	d := next(t, consume(t, r, ConsumeOptions{}))
	if d.ID != "a" || string(d.Body) != "x" || len(d.Header) != 1 || d.Header["group"] != "g" || d.Redelivered || d.Time.IsZero() {
		t.Errorf("unexpected delivery %+v", d.Record)
	}
}

// The largest body that this package lets through is one that the server takes.
func TestPublishSize(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	m := Message{ID: "a", Body: make([]byte, bustest.MaxPayload)}
	_, err := r.Publish(ctx, Rollouts, m)
	wantErr(t, err, ErrTooLarge)
	if !strings.Contains(err.Error(), fmt.Sprint(bustest.MaxPayload)) {
		t.Errorf("the limit is not named: %v", err)
	}
	empty, err := seal(subjectOf("r1", Rollouts), Message{ID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	m.Body = m.Body[:bustest.MaxPayload-size(empty)]
	if _, err := r.Publish(ctx, Rollouts, m); err != nil {
		t.Errorf("a body of %d bytes: %v", len(m.Body), err)
	}
	m.Body = m.Body[:len(m.Body)+1]
	_, err = r.Publish(ctx, Rollouts, m)
	wantErr(t, err, ErrTooLarge)
}

func TestPublishWaitsForRoom(t *testing.T) {
	s := bustest.Start(t)
	b := connect(t, s)
	var log lines
	b.log = textLog(&log)
	r := attach(t, b, RunOptions{MaxBytes: 10_000})
	ctx := within(t)
	body := make([]byte, 6000)
	if _, err := r.Publish(ctx, Rollouts, Message{ID: "1", Body: body}); err != nil {
		t.Fatal(err)
	}
	b.patience = 150 * time.Millisecond
	_, err := r.Publish(ctx, Rollouts, Message{ID: "2", Body: body})
	if err == nil || !strings.Contains(err.Error(), "gave up") || !strings.Contains(err.Error(), "maximum bytes exceeded") {
		t.Fatalf("expected that it gives up on the full stream, got %v", err)
	}
	if !strings.Contains(log.String(), `publishing message \"2\" to stream openrs-r1-rollouts`) {
		t.Errorf("the log does not say what it waits for: %s", log.String())
	}
	b.patience = 10 * time.Second
	done := make(chan error, 1)
	go func() {
		_, err := r.Publish(ctx, Rollouts, Message{ID: "2", Body: body})
		done <- err
	}()
	c := streamConfig("r1", Rollouts, RunOptions{MaxBytes: 20_000})
	if _, err := b.js.UpdateStream(ctx, c); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the limit was raised: %v", err)
	}
}

func TestPublishToADeletedStream(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	if err := r.bus.js.DeleteStream(ctx, "openrs-r1-rollouts"); err != nil {
		t.Fatal(err)
	}
	// Not "gave up": waiting would not bring it back.
	_, err := r.Publish(ctx, Rollouts, message(1))
	wantErr(t, err, jetstream.ErrStreamNotFound)
}

func TestPublishThroughARestart(t *testing.T) {
	s, r := open(t)
	ctx := within(t)
	const n = 60
	half := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		for i := 1; i <= n; i++ {
			if i == n/3 {
				close(half)
			}
			if _, err := r.Publish(ctx, Rollouts, message(i)); err != nil {
				done <- err
				return
			}
		}
		done <- r.MarkEnd(ctx, Rollouts)
	}()
	<-half
	s.Restart()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p, err := r.Replay(ctx, Rollouts, From{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for i := 1; i <= n; i++ {
		if rec, err := p.Next(ctx); err != nil || string(rec.Body) != fmt.Sprintf("b%d", i) {
			t.Fatalf("message %d: %q, %v", i, rec.Body, err)
		}
	}
	if last, err := r.Last(ctx, Rollouts); err != nil || last != n {
		t.Errorf("expected %d messages, found %d, %v", n, last, err)
	}
}

func TestPublishGivesUpWithoutServer(t *testing.T) {
	s, r := open(t)
	s.Stop()
	r.bus.patience = 100 * time.Millisecond
	_, err := r.Publish(within(t), Rollouts, message(1))
	if err == nil || !strings.Contains(err.Error(), "gave up") {
		t.Errorf("expected that it gives up, got %v", err)
	}
	r.bus.patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err = r.Publish(ctx, Rollouts, message(1)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("expected the caller's deadline, got %v", err)
	}
}

func TestConfig(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	_, err := r.GetConfig(ctx, "score")
	wantErr(t, err, ErrNotFound)
	for _, v := range []string{`{"a":1}`, `{"a":2}`} {
		if err := r.PutConfig(ctx, "score", []byte(v)); err != nil {
			t.Fatal(err)
		}
		if got, err := r.GetConfig(ctx, "score"); err != nil || string(got) != v {
			t.Fatalf("expected %s, got %s, %v", v, got, err)
		}
	}
	wantErr(t, r.PutConfig(ctx, "a.b", nil), ErrName)
}

func TestDead(t *testing.T) {
	_, r := open(t)
	ctx := within(t)
	for range 2 { // the second is the same letter
		if err := r.Dead(ctx, "score", "no\ngold answer", Origin{Rollouts, 7}, []byte("body")); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Dead(ctx, "update", "", Origin{Scored, 8}, make([]byte, bustest.MaxPayload)); err != nil {
		t.Fatal(err)
	}
	wantErr(t, r.Dead(ctx, "a.b", "", Origin{}, nil), ErrName)
	s, err := r.bus.js.Stream(ctx, "openrs-r1-dead")
	if err != nil {
		t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; n != 2 {
		t.Fatalf("expected 2 dead letters, found %d", n)
	}
	m, err := s.GetLastMsgForSubject(ctx, "openrs.r1.dead.score")
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Data) != "body" || m.Header.Get(DeadReason) != "no gold answer" || m.Header.Get(DeadStream) != "rollouts" || m.Header.Get(DeadSeq) != "7" {
		t.Errorf("unexpected dead letter %q %v", m.Data, m.Header)
	}
	m, err = s.GetLastMsgForSubject(ctx, "openrs.r1.dead.update")
	if err != nil || len(m.Data) != 0 || m.Header.Get(DeadBody) != "omitted" {
		t.Errorf("unexpected dead letter of a body that does not fit: %v, %v", m.Header, err)
	}
}
