package stages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/urfave/cli/v2"

	"openrs/schemas"
	"openrs/stages/bus/bustest"
)

// within bounds the waits of a test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// runApp runs a binary as Main does and returns its exit status and standard error.
func runApp(ctx context.Context, app *cli.App, args ...string) (status int, stderr string) {
	var b bytes.Buffer
	app.Writer = io.Discard
	status = run(ctx, app, append([]string{app.Name}, args...), &b)
	return status, b.String()
}

// inStage runs act as the stage "score" with the common flags, and returns its error.
func inStage(t *testing.T, ctx context.Context, act func(*Env) error, args ...string) error {
	t.Helper()
	var got error
	flags := append(CommonFlags(), ReplayFlag(), SkipBadFlag())
	app := App("score", "", "", flags, func(_ context.Context, env *Env) error {
		got = act(env)
		return got
	})
	status, stderr := runApp(ctx, app, append([]string{"--log-level", "error"}, args...)...)
	if got == nil && status != 0 {
		got = errors.New(stderr)
	}
	return got
}

// server starts a server, and returns it with the flags that join its run r1.
func server(t *testing.T) (*bustest.Server, []string) {
	t.Helper()
	s := bustest.Start(t)
	return s, []string{"--nats", s.URL, "--run", "r1", "--runs-dir", t.TempDir()}
}

// stream opens one of the streams of the run r1 without this package.
func stream(t *testing.T, s *bustest.Server, name string) jetstream.Stream {
	t.Helper()
	c, err := nats.Connect(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	js, err := jetstream.New(c)
	if err != nil {
		t.Fatal(err)
	}
	st, err := js.Stream(within(t), "openrs-r1-"+name)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// messages is how many messages a stream has.
func messages(t *testing.T, s jetstream.Stream) int {
	t.Helper()
	info, err := s.Info(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}

// numbered is the problem with a number.
func numbered(i int64) schemas.Problem {
	text := fmt.Sprintf("%d+1", i)
	return schemas.Problem{ProblemID: schemas.ProblemID("test", text), Source: "test", Problem: text, Answer: fmt.Sprint(i + 1)}
}

// writeNumbered writes problems 0 to n−1.
func writeNumbered(ctx context.Context, n, batch int64) func(*Env) error {
	return func(env *Env) error {
		return env.WriteProblems(ctx, n, batch, func(i int64) (schemas.Problem, error) { return numbered(i), nil })
	}
}

// drain reads batches of problems to the end, and returns where each starts and how many rows it has.
func drain(t *testing.T, ctx context.Context, in Source) (found [][2]int64, err error) {
	t.Helper()
	defer in.Close()
	for {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
		rows, err := schemas.Problems().Decode(d.Record)
		d.Record.Release()
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range rows {
			if want := numbered(d.First + int64(i)); p.Problem != want.Problem {
				t.Errorf("problem %d is %q, want %q", d.First+int64(i), p.Problem, want.Problem)
			}
		}
		found = append(found, [2]int64{d.First, int64(len(rows))})
		if err := d.Ack(ctx); err != nil {
			return found, err
		}
	}
}

// has checks an error for all of want; none at all means no error.
func has(t *testing.T, err error, want ...string) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Errorf("got %v, want no error", err)
		}
		return
	}
	if missing := slices.IndexFunc(want, func(w string) bool { return err == nil || !strings.Contains(err.Error(), w) }); missing >= 0 {
		t.Errorf("got %v, want an error with %q", err, want[missing])
	}
}

// encode makes a record of rows, released at the end of the test.
func encode[T any](t *testing.T, table schemas.Table[T], rows ...T) arrow.Record {
	t.Helper()
	rec, err := table.Encode(memory.DefaultAllocator, rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rec.Release)
	return rec
}

// logTo is a logger that writes text to b.
func logTo(b *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(b, nil)) }
