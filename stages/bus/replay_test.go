package bus

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

func replay(t *testing.T, r *Run, from From) *Replayer {
	t.Helper()
	p, err := r.Replay(within(t), Rollouts, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// readAll reads to the end and returns the sequence numbers.
func readAll(t *testing.T, p *Replayer) []uint64 {
	t.Helper()
	var out []uint64
	for {
		rec, err := p.Next(within(t))
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, rec.Seq)
	}
}

func TestReplayFrom(t *testing.T) {
	_, r := open(t)
	publish(t, r, Rollouts, 20)
	withEnd(t, r)
	first := replay(t, r, From{})
	var times []time.Time
	for range 20 {
		rec, err := first.Next(within(t))
		if err != nil {
			t.Fatal(err)
		}
		times = append(times, rec.Time)
	}
	for _, c := range []struct {
		name  string
		from  From
		first uint64 // 0: nothing
	}{
		{"beginning", From{}, 1},
		{"sequence", From{Seq: 5}, 5},
		{"last", From{Seq: 20}, 20},
		{"past the end", From{Seq: 21}, 0},
		{"time", From{Time: times[6]}, 7},
		{"time before all", From{Time: times[0].Add(-time.Hour)}, 1},
		{"time after all", From{Time: times[19].Add(time.Millisecond)}, 0},
	} {
		got := readAll(t, replay(t, r, c.from))
		want := 0
		if c.first > 0 {
			want = 21 - int(c.first)
		}
		if len(got) != want || want > 0 && (got[0] != c.first || got[want-1] != 20) {
			t.Errorf("%s: got %v", c.name, got)
		}
	}
	if _, err := r.Replay(within(t), Rollouts, From{Seq: 1, Time: times[0]}); err == nil {
		t.Error("both a sequence number and a time were accepted")
	}
	_, err := r.Replay(within(t), "replies", From{})
	wantErr(t, err, ErrName)
}

func TestReplayWaitsAndCloses(t *testing.T) {
	_, r := open(t)
	p := replay(t, r, From{})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := p.Next(ctx)
	wantErr(t, err, context.DeadlineExceeded)
	published := make(chan error, 1)
	go func() {
		_, err := r.Publish(within(t), Rollouts, message(1))
		published <- err
	}()
	if rec, err := p.Next(within(t)); err != nil || rec.Seq != 1 {
		t.Fatalf("%+v, %v", rec, err)
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = p.Next(within(t))
	wantErr(t, err, ErrClosed)
}

func TestReplayThroughRestarts(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 40) // more than is fetched ahead
	withEnd(t, r)
	p := replay(t, r, From{})
	for want := uint64(1); want <= 40; want++ {
		if want == 10 || want == 20 {
			s.Restart()
		}
		rec, err := p.Next(within(t))
		if err != nil || rec.Seq != want {
			t.Fatalf("expected message %d, got %d, %v", want, rec.Seq, err)
		}
	}
	_, err := p.Next(within(t))
	wantErr(t, err, io.EOF)
}

// A replay that waits for messages while the server is away goes on afterwards.
func TestReplayWaitsThroughARestart(t *testing.T) {
	s, r := open(t)
	publish(t, r, Rollouts, 1)
	p := replay(t, r, From{})
	if _, err := p.Next(within(t)); err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		rec, err := p.Next(within(t))
		if err == nil && rec.Seq != 2 {
			err = errors.New("not message 2")
		}
		got <- err
	}()
	time.Sleep(50 * time.Millisecond)
	s.Restart()
	if _, err := r.Publish(within(t), Rollouts, message(2)); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

// silent is a consumer that was lost without a word: it neither delivers nor fails.
type silent struct{ jetstream.MessagesContext }

func (silent) Next(...jetstream.NextOpt) (jetstream.Msg, error) { return nil, context.DeadlineExceeded }

func TestReplayLosesItsConsumer(t *testing.T) {
	_, r := open(t)
	r.bus.sayEvery = 50 * time.Millisecond
	publish(t, r, Rollouts, 2)
	p := replay(t, r, From{})
	if _, err := p.Next(within(t)); err != nil {
		t.Fatal(err)
	}
	p.it = silent{p.it}
	if rec, err := p.Next(within(t)); err != nil || rec.Seq != 2 {
		t.Fatalf("%+v, %v", rec, err)
	}
	// Deleted on the server, which says so.
	s, err := r.bus.js.Stream(within(t), "openrs-r1-rollouts")
	if err != nil {
		t.Fatal(err)
	}
	for name := range s.ConsumerNames(within(t)).Name() {
		if err := s.DeleteConsumer(within(t), name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Publish(within(t), Rollouts, message(3)); err != nil {
		t.Fatal(err)
	}
	if rec, err := p.Next(within(t)); err != nil || rec.Seq != 3 {
		t.Fatalf("%+v, %v", rec, err)
	}
}

func TestReplayOfDeletedMessages(t *testing.T) {
	_, r := open(t)
	publish(t, r, Rollouts, 5)
	withEnd(t, r)
	var log lines
	r.bus.log = textLog(&log)
	s, err := r.bus.js.Stream(within(t), "openrs-r1-rollouts")
	if err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{1, 3} {
		if err := s.DeleteMsg(within(t), seq); err != nil {
			t.Fatal(err)
		}
	}
	_, err = r.Replay(within(t), Rollouts, From{Seq: 1})
	wantErr(t, err, ErrGone)
	if got := readAll(t, replay(t, r, From{Seq: 2})); len(got) != 3 {
		t.Errorf("got %v", got)
	}
	if got := log.String(); got == "" {
		t.Error("the hole was not reported")
	}
}
