package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"openrs/schemas"
	"openrs/stages/bus"
)

// spoiled publishes three batches of two problems with a message that is none behind the first.
func spoiled(t *testing.T, run []string) {
	t.Helper()
	ctx := within(t)
	has(t, inStage(t, ctx, func(env *Env) error {
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		for i := range int64(3) {
			rec := encode(t, schemas.Problems(), numbered(2*i), numbered(2*i+1))
			if err := publish(ctx, r, schemas.KindProblems, rec, fmt.Sprint(i), map[string]string{firstHeader: fmt.Sprint(2 * i)}); err != nil {
				return err
			}
			if i == 0 {
				if _, err := r.Publish(ctx, bus.Problems, bus.Message{ID: "bad", Body: []byte("not Arrow")}); err != nil {
					return err
				}
			}
		}
		return r.MarkEnd(ctx, bus.Problems)
	}, run...))
}

// consume reads the run's problems to the end.
func consume(t *testing.T, args ...string) (found [][2]int64, err error) {
	t.Helper()
	ctx := within(t)
	err = inStage(t, ctx, func(env *Env) error {
		in, err := env.Source(ctx, schemas.KindProblems)
		if err != nil {
			return err
		}
		found, err = drain(t, ctx, in)
		return err
	}, args...)
	return found, err
}

// A message that can't be decoded stops the stage, which names it, until it is told to pass over it.
// Either way a copy is kept, once.
func TestMessagesThatCantBeDecoded(t *testing.T) {
	s, run := server(t)
	spoiled(t, run)
	found, err := consume(t, run...)
	has(t, err, "stream problems, message 2: ", "a copy is in the dead letters", "--skip-bad")
	if want := [][2]int64{{0, 2}}; !slices.Equal(found, want) {
		t.Errorf("read %v before it, want %v", found, want)
	}
	found, err = consume(t, append(run, "--skip-bad")...)
	has(t, err)
	slices.SortFunc(found, func(a, b [2]int64) int { return int(a[0] - b[0]) })
	if want := [][2]int64{{2, 2}, {4, 2}}; !slices.Equal(found, want) {
		t.Errorf("read %v, want %v", found, want)
	}
	dead := stream(t, s, "dead")
	letter, err := dead.GetLastMsgForSubject(within(t), "openrs.r1.dead.score")
	if err != nil {
		t.Fatal(err)
	}
	if string(letter.Data) != "not Arrow" || letter.Header.Get(bus.DeadStream) != "problems" || letter.Header.Get(bus.DeadSeq) != "2" {
		t.Errorf("dead letter %q with %v", letter.Data, letter.Header)
	}
	has(t, errors.New(letter.Header.Get(bus.DeadReason)), "stream problems, message 2: ")
	if n := messages(t, dead); n != 1 {
		t.Errorf("%d dead letters, want 1", n)
	}
}

// Messages of another kind are named as such.
func TestWrongKindInAStream(t *testing.T) {
	_, run := server(t)
	ctx := within(t)
	has(t, inStage(t, ctx, func(env *Env) error {
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		rec := encode(t, schemas.Metrics(), schemas.Metric{Time: time.Now(), Stage: "x", Name: "y"})
		return publish(ctx, r, schemas.KindProblems, rec, "1", nil)
	}, run...))
	_, err := consume(t, run...)
	if !errors.Is(err, schemas.ErrKind) {
		t.Errorf("got %v, want %v", err, schemas.ErrKind)
	}
}

func TestReplay(t *testing.T) {
	s, run := server(t)
	ctx := within(t)
	has(t, inStage(t, ctx, writeNumbered(ctx, 6, 2), run...))
	if _, err := consume(t, run...); err != nil { // what is acknowledged can be read again
		t.Fatal(err)
	}
	third, err := stream(t, s, "problems").GetMsg(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	all := [][2]int64{{0, 2}, {2, 2}, {4, 2}}
	for _, c := range []struct {
		where string
		want  [][2]int64
	}{
		{"start", all}, {"1", all}, {"2", all[1:]}, {"3", all[2:]},
		{"2020-01-01T00:00:00Z", all}, {third.Time.Format(time.RFC3339Nano), all[2:]},
	} {
		for range 2 { // nothing is acknowledged by a replay
			if found, err := consume(t, append(run, "--replay", c.where)...); err != nil || !slices.Equal(found, c.want) {
				t.Errorf("from %s: %v, %v; want %v", c.where, found, err, c.want)
			}
		}
	}
	for _, bad := range []string{"0", "-1", "yesterday", "2026-01-02"} {
		_, err := consume(t, append(run, "--replay", bad)...)
		has(t, err, fmt.Sprintf("--replay %q: expected start", bad))
	}
	// The same by number, as update asks for it.
	for from, want := range map[uint64][][2]int64{0: all, 3: all[2:]} {
		has(t, inStage(t, ctx, func(env *Env) error {
			in, err := env.Replay(ctx, schemas.KindProblems, from)
			if err != nil {
				return err
			}
			found, err := drain(t, ctx, in)
			if !slices.Equal(found, want) {
				t.Errorf("from %d: %v, want %v", from, found, want)
			}
			return err
		}, run...))
	}
}

func TestReplayOfSpoiledStream(t *testing.T) {
	_, run := server(t)
	spoiled(t, run)
	found, err := consume(t, append(run, "--replay", "start")...)
	has(t, err, "stream problems, message 2: ")
	if want := [][2]int64{{0, 2}}; !slices.Equal(found, want) {
		t.Errorf("read %v before it, want %v", found, want)
	}
}

// What a stage makes is stored once, however often it is made, and what it could not process is kept.
func TestSink(t *testing.T) {
	s, run := server(t)
	ctx := within(t)
	has(t, inStage(t, ctx, writeNumbered(ctx, 4, 2), run...))
	for range 2 {
		has(t, inStage(t, ctx, func(env *Env) error {
			in, err := env.Replay(ctx, schemas.KindProblems, 0)
			if err != nil {
				return err
			}
			defer in.Close()
			out, err := env.Sink(ctx, schemas.KindRollouts, schemas.KindProblems)
			if err != nil {
				return err
			}
			defer out.Close()
			for {
				d, err := in.Next(ctx)
				if errors.Is(err, io.EOF) {
					return out.Finish(ctx)
				}
				if err != nil {
					return err
				}
				d.Record.Release()
				rec := encode(t, schemas.Rollouts(), schemas.Rollout{GroupID: d.ID, FinishReason: schemas.FinishStop, Temperature: 1})
				if err := errors.Join(out.Write(ctx, rec, d.ID), out.Dead(ctx, d, "too hard")); err != nil {
					return err
				}
			}
		}, run...))
	}
	if n := messages(t, stream(t, s, "rollouts")); n != 2 {
		t.Errorf("%d batches of rollouts, want 2", n)
	}
	dead := stream(t, s, "dead")
	if n := messages(t, dead); n != 2 {
		t.Errorf("%d dead letters, want 2", n)
	}
	letter, err := dead.GetLastMsgForSubject(ctx, "openrs.r1.dead.score")
	if err != nil {
		t.Fatal(err)
	}
	if len(letter.Data) == 0 || letter.Header.Get(bus.DeadStream) != "problems" || letter.Header.Get(bus.DeadSeq) != "2" || letter.Header.Get(bus.DeadReason) != "too hard" {
		t.Errorf("dead letter of %d bytes with %v", len(letter.Data), letter.Header)
	}
}

// The settings of each command are stored with the run.
func TestSettingsAreStored(t *testing.T) {
	_, run := server(t)
	ctx := within(t)
	has(t, inStage(t, ctx, func(env *Env) error {
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		stored, err := r.GetConfig(ctx, "score")
		if err != nil {
			return err
		}
		var got []Setting
		if err := json.Unmarshal(stored, &got); err != nil {
			return err
		}
		if want := (Setting{"run", "r1", "flag"}); !slices.Contains(got, want) || !slices.Equal(got, env.Settings) {
			t.Errorf("stored %v, want %v", got, env.Settings)
		}
		if again, err := env.Bus(ctx); again != r || err != nil {
			t.Errorf("asked again: another connection, %v", err)
		}
		return nil
	}, run...))
}

func TestBusWithoutARun(t *testing.T) {
	ctx := within(t)
	has(t, inStage(t, ctx, func(env *Env) error {
		_, err := env.Bus(ctx)
		return err
	}), "expected --run NAME")
	has(t, inStage(t, ctx, func(env *Env) error {
		_, err := env.Source(ctx, schemas.KindProblems)
		return err
	}, "--in", "nats:"), "--in: endpoint nats: needs --run")
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	has(t, inStage(t, short, func(env *Env) error {
		_, err := env.Bus(short)
		return err
	}, "--run", "r", "--nats", "nats://127.0.0.1:1"), "127.0.0.1:1")
}

// A worker that waits gets an earlier batch once its worker has left it, and later ones stay where they
// are.
func TestReclaim(t *testing.T) {
	_, run := server(t)
	ctx := within(t)
	has(t, inStage(t, ctx, writeNumbered(ctx, 4, 1), run...))
	open := func(env *Env) Source {
		in, err := env.Source(ctx, schemas.KindProblems)
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	next := func(in Source) *Delivery {
		d, err := in.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		d.Record.Release()
		return d
	}
	has(t, inStage(t, ctx, func(dying *Env) error {
		return inStage(t, ctx, func(env *Env) error {
			first, in := open(dying), open(env)
			defer in.Close()
			left, held := next(first), next(in)
			if left.Seq != 1 || held.Seq != 2 {
				t.Fatalf("batches %d and %d, want 1 and 2", left.Seq, held.Seq)
			}
			reclaim := in.(Reclaimer).Reclaim
			if d, err := reclaim(ctx, held.Seq); d != nil || err != nil {
				t.Errorf("while its worker lives: %v, %v; want none", d, err)
			}
			if err := first.Close(); err != nil {
				return err
			}
			var d *Delivery
			for d == nil { // the server may need a moment to see it as free
				var err error
				if d, err = reclaim(ctx, held.Seq); err != nil {
					return err
				}
			}
			d.Record.Release()
			if d.Seq != 1 {
				t.Errorf("batch %d, want 1", d.Seq)
			}
			if err := d.Ack(ctx); err != nil {
				return err
			}
			if d, err := reclaim(ctx, held.Seq); d != nil || err != nil {
				t.Errorf("when nothing is left: %v, %v; want none", d, err)
			}
			if err := held.Ack(ctx); err != nil {
				return err
			}
			found, err := drain(t, ctx, in) // all others are still to be had
			slices.SortFunc(found, func(a, b [2]int64) int { return int(a[0] - b[0]) })
			if want := [][2]int64{{2, 1}, {3, 1}}; !slices.Equal(found, want) {
				t.Errorf("then %v, want %v", found, want)
			}
			return err
		}, run...)
	}, run...))
}
