package stages

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"openrs/schemas"
	"openrs/stages/bus"
)

func TestNumberSample(t *testing.T) {
	p := schemas.Problem{ProblemID: "p", Metadata: map[string]string{"level": "2"}}
	if q := NumberSample(p, 3); q.Metadata[MetaSample] != "3" || q.Metadata[MetaSamples] != "1" || q.Metadata["level"] != "2" || len(p.Metadata) != 1 {
		t.Errorf("got %v of %v", q.Metadata, p.Metadata)
	}
	if q := NumberSample(schemas.Problem{}, 0); q.Metadata[MetaSample] != "0" {
		t.Errorf("got %v", q.Metadata)
	}
}

func TestWriteProblemsToAFile(t *testing.T) {
	ctx, path := within(t), filepath.Join(t.TempDir(), "p.arrow")
	has(t, inStage(t, ctx, writeNumbered(ctx, 7, 3), "--out", path))
	err := inStage(t, ctx, func(env *Env) error {
		in, err := env.Source(ctx, schemas.KindProblems)
		if err != nil {
			return err
		}
		got, err := drain(t, ctx, in)
		if want := [][2]int64{{0, 3}, {3, 3}, {6, 1}}; !slices.Equal(got, want) {
			t.Errorf("batches %v, want %v", got, want)
		}
		return err
	}, "--in", path)
	has(t, err)
	for _, bad := range [][2]int64{{0, 1}, {1, 0}, {-1, 1}} {
		has(t, inStage(t, ctx, writeNumbered(ctx, bad[0], bad[1]), "--out", path), "both must be at least 1")
	}
	has(t, inStage(t, ctx, writeNumbered(ctx, 1, 1), "--out", "p.csv"), "--out: endpoint", "p.csv")
}

// What was published before an interruption stays, and publishing goes on behind it, whatever the size
// of the batches is now.
func TestWriteProblemsGoesOn(t *testing.T) {
	s, run := server(t)
	ctx := within(t)
	broken := errors.New("power cut")
	var asked []int64
	err := inStage(t, ctx, func(env *Env) error {
		return env.WriteProblems(ctx, 10, 4, func(i int64) (schemas.Problem, error) {
			if i == 6 {
				return schemas.Problem{}, broken
			}
			return numbered(i), nil
		})
	}, run...)
	if !errors.Is(err, broken) {
		t.Fatalf("got %v, want %v", err, broken)
	}
	has(t, err, "problem 6: power cut")
	if n := messages(t, stream(t, s, "problems")); n != 1 {
		t.Fatalf("%d messages after the first call, want 1", n)
	}
	for range 2 { // the third call finds nothing to do
		err = inStage(t, ctx, func(env *Env) error {
			return env.WriteProblems(ctx, 10, 3, func(i int64) (schemas.Problem, error) {
				asked = append(asked, i)
				return numbered(i), nil
			})
		}, run...)
		has(t, err)
	}
	// Each call first compares the last problem that is there with its own of that number.
	if want := []int64{3, 4, 5, 6, 7, 8, 9, 9}; !slices.Equal(asked, want) {
		t.Errorf("asked for %v, want %v", asked, want)
	}
	if n := messages(t, stream(t, s, "problems")); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	err = inStage(t, ctx, func(env *Env) error {
		in, err := env.Source(ctx, schemas.KindProblems)
		if err != nil {
			return err
		}
		got, err := drain(t, ctx, in) // ends: the stream's end is marked
		if want := [][2]int64{{0, 4}, {4, 3}, {7, 3}}; !slices.Equal(got, want) {
			t.Errorf("batches %v, want %v", got, want)
		}
		return err
	}, run...)
	has(t, err)
}

// Problems of other settings are not mixed into a run; more of the same open it again.
func TestWriteProblemsExtends(t *testing.T) {
	s, run := server(t)
	ctx := within(t)
	write := func(total int64, problem func(int64) schemas.Problem) error {
		return inStage(t, ctx, func(env *Env) error {
			return env.WriteProblems(ctx, total, 4, func(i int64) (schemas.Problem, error) { return problem(i), nil })
		}, run...)
	}
	has(t, write(4, numbered))
	err := inStage(t, ctx, func(env *Env) error { // a finished run
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		return errors.Join(r.MarkEnd(ctx, bus.Rollouts), r.MarkEnd(ctx, bus.Scored))
	}, run...)
	has(t, err)
	err = write(8, func(i int64) schemas.Problem { return numbered(i + 100) })
	has(t, err, "has other problems", "another --run")
	if n := messages(t, stream(t, s, "problems")); n != 1 {
		t.Errorf("%d messages after a refusal, want 1", n)
	}
	has(t, write(8, numbered))
	err = inStage(t, ctx, func(env *Env) error {
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		for _, name := range []bus.Stream{bus.Rollouts, bus.Scored} {
			if _, err := r.End(ctx, name); !errors.Is(err, bus.ErrNotFound) {
				t.Errorf("end of %s: %v, want none", name, err)
			}
		}
		_, err = r.End(ctx, bus.Problems)
		return err
	}, run...)
	has(t, err)
}

// A stream whose last message is not a batch of problems can't be gone on with.
func TestWriteProblemsBehindNonsense(t *testing.T) {
	_, run := server(t)
	ctx := within(t)
	err := inStage(t, ctx, func(env *Env) error {
		r, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		if _, err := r.Publish(ctx, bus.Problems, bus.Message{ID: "x", Body: []byte("x")}); err != nil {
			return err
		}
		return writeNumbered(ctx, 3, 1)(env)
	}, run...)
	has(t, err, "stream problems, message 1: ")
	rec := encode(t, schemas.Problems(), numbered(0))
	for i, header := range []string{"many", "-1", "1.5"} {
		err := inStage(t, ctx, func(env *Env) error {
			r, err := env.Bus(ctx)
			if err != nil {
				return err
			}
			if err := publish(ctx, r, schemas.KindProblems, rec, fmt.Sprint("y", i), map[string]string{firstHeader: header}); err != nil {
				return err
			}
			return writeNumbered(ctx, 3, 1)(env)
		}, run...)
		has(t, err, fmt.Sprintf("message %d: header First-Problem is %q", i+2, header))
	}
}
