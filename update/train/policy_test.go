package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"openrs/schemas"
	"openrs/stages/bus"
	"openrs/stages/bus/bustest"
	"openrs/stages/checkpoint"
	"openrs/update/steps"
)

// within bounds a test's waiting; only a broken test reaches it.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// newRun returns a run on a server of the test's own. With a shared folder versions are
// files, else objects on the server.
func newRun(t *testing.T, shared string) *bus.Run {
	t.Helper()
	server := bustest.Start(t)
	b, err := bus.Connect(within(t), bus.Options{URL: server.URL, Name: t.Name(), Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	r, err := b.Run(within(t), "r1", bus.RunOptions{Dir: shared})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// published returns the weights of a version as a reader gets them, in the order of the trainer's
// parameters.
func published(t *testing.T, store *bus.Policies, tr *Trainer, version int64) []float32 {
	t.Helper()
	policy, err := store.Get(within(t), version)
	if err != nil {
		t.Fatal(err)
	}
	if policy.Version != version || policy.Step != version-1 || policy.Parent != version-1 {
		t.Errorf("entry %+v of version %d", policy, version)
	}
	path, err := store.Open(within(t), policy, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := checkpoint.ParseTensors(path, data)
	if err != nil {
		t.Fatal(err)
	}
	params, _ := tr.replicas[0].model.Flat()
	out := make([]float32, params.Len())
	for _, p := range tr.replicas[0].model.Params() {
		tensor, err := file.Tensor(p.Name)
		if err == nil {
			err = tensor.ReadFloat32s(out[p.Offset : p.Offset+p.Len()])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestLoopPublishes runs four steps with a policy store, then goes on from an earlier checkpoint as
// after a crash, and then tries to pass another run's weights off as this one's.
func TestLoopPublishes(t *testing.T) {
	for name, shared := range map[string]string{"files": t.TempDir(), "objects": ""} {
		t.Run(name, func(t *testing.T) {
			run := newRun(t, shared)
			store := run.Policies()
			messages, dir := runSteps(t), t.TempDir()
			publishing := func(seed, last int64) *Loop {
				loop, _ := newLoop(t, uint64(seed), dir)
				loop.Steps, loop.Every = last, 1
				loop.Publisher = &Publisher{Run: run, Dir: dir, Keep: 2}
				return loop
			}
			in := newFeed(t, schemas.ScoredRollouts(), messages...)
			loop := publishing(1, 3)
			if err := loop.Run(within(t), State{}, in.from(1), steps.NewAssembler(2, 0)); err != nil {
				t.Fatal(err)
			}
			for v := range int64(4) {
				_, err := store.Get(within(t), v)
				if gone := errors.Is(err, bus.ErrNotFound); gone != (v < 1) {
					t.Errorf("version %d: error %v; two before the newest are to stay", v, err)
				}
			}
			sameBits(t, "weights of the newest version", published(t, store, loop.GRPO.Trainer, 3), weights(t, loop.GRPO.Trainer))
			if _, err := store.Wait(within(t), 4); !errors.Is(err, bus.ErrNoMorePolicies) {
				t.Errorf("waiting for version 4 of 3: error %v, want ErrNoMorePolicies", err)
			}

			// The same steps again, from the middle and further than before: what is there already is the
			// same, and the end is taken back until it is reached.
			again := publishing(1, 4)
			state, err := again.GRPO.Trainer.Restore(filepath.Join(Checkpoints(dir), "checkpoint-2"))
			if err != nil {
				t.Fatal(err)
			}
			if err := again.Run(within(t), state, in.from(state.NextSequence), steps.NewAssembler(2, state.Step)); err != nil {
				t.Fatal(err)
			}
			latest, err := store.Latest(within(t))
			if err != nil || latest.Version != 4 {
				t.Errorf("newest version %d, %v; want 4", latest.Version, err)
			}
			if _, err := store.Wait(within(t), 5); !errors.Is(err, bus.ErrNoMorePolicies) {
				t.Errorf("waiting for version 5 of 4: error %v, want ErrNoMorePolicies", err)
			}

			// Other weights under a version that is there.
			other := publishing(2, 5)
			err = other.Run(within(t), State{Step: 4, NextSequence: 9}, in.from(9), steps.NewAssembler(2, 4))
			if !errors.Is(err, bus.ErrPolicyConflict) {
				t.Errorf("another run's weights as version 4: error %v, want ErrPolicyConflict", err)
			}
			left, err := filepath.Glob(filepath.Join(dir, "policy*"))
			if err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

// TestLoopTakesTheEndBack: while a run that had finished goes on, readers wait for more.
func TestLoopTakesTheEndBack(t *testing.T) {
	run := newRun(t, "")
	store := run.Policies()
	if err := store.MarkFinal(within(t), 0); err != nil {
		t.Fatal(err)
	}
	loop, _ := newLoop(t, 1, t.TempDir())
	loop.Publisher = &Publisher{Run: run, Dir: loop.Dir, Keep: 1}
	in := newFeed(t, schemas.ScoredRollouts(), runSteps(t)[:1]...)
	in.broken = fmt.Errorf("the input is lost")
	if err := loop.Run(within(t), State{}, in, steps.NewAssembler(2, 0)); !errors.Is(err, in.broken) {
		t.Fatalf("error %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := store.Wait(short, 1); errors.Is(err, bus.ErrNoMorePolicies) || err == nil {
		t.Errorf("version 1 of a run that goes on: error %v, expected a wait", err)
	}
	sameBits(t, "weights of version 0", published(t, store, loop.GRPO.Trainer, 0), weights(t, loop.GRPO.Trainer))
}
