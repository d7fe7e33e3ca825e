package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages"
	"openrs/update/steps"
)

// feed is an input in memory: it encodes the rows of each message when its turn comes.
type feed[T any] struct {
	t        *testing.T
	mem      memory.Allocator
	table    schemas.Table[T]
	messages [][]T
	first    uint64 // sequence number of messages[0]
	at       int
	acked    int
	broken   error // what follows the last message; nil: io.EOF
}

// newFeed makes a feed whose records must all have been released at the end of the test.
func newFeed[T any](t *testing.T, table schemas.Table[T], messages ...[]T) *feed[T] {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return &feed[T]{t: t, mem: mem, table: table, messages: messages, first: 1}
}

// from is the rest of the feed from a sequence number on, as a replay gives it.
func (f *feed[T]) from(seq uint64) *feed[T] {
	rest := newFeed(f.t, f.table, f.messages[seq-f.first:]...)
	rest.first = seq
	return rest
}

func (f *feed[T]) Next(ctx context.Context) (*stages.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if f.at == len(f.messages) {
		if f.broken != nil {
			return nil, f.broken
		}
		return nil, io.EOF
	}
	rec, err := f.table.Encode(f.mem, f.messages[f.at])
	if err != nil {
		return nil, err
	}
	seq := f.first + uint64(f.at)
	f.at++
	return stages.NewDelivery(rec, fmt.Sprintf("feed/%d", seq), seq, 0, func(context.Context) error { f.acked++; return nil }), nil
}

func (f *feed[T]) TryNext(ctx context.Context) (*stages.Delivery, error) { return f.Next(ctx) }
func (f *feed[T]) Close() error                                          { return nil }

// runSteps are four steps of two groups, sampled from the weights of seed 1, in order.
func runSteps(t *testing.T) [][]schemas.Scored {
	t.Helper()
	tr := newTiny(t, 1)
	var out [][]schemas.Scored
	for n := range int64(4) {
		step := makeStep(t, tr, n, groupSpec{id: fmt.Sprintf("%d-a", n), advantages: []float32{1, -1}}, groupSpec{id: fmt.Sprintf("%d-b", n), advantages: []float32{-0.5, 0.7, -0.2}})
		for _, g := range step.Groups {
			for i := range g.Rows {
				g.Rows[i].PolicyVersion = 0 // all of them were sampled before training
			}
			out = append(out, g.Rows)
		}
	}
	return out
}

// newLoop makes a loop over a fresh trainer.
func newLoop(t *testing.T, seed uint64, dir string) (*Loop, *journal) {
	t.Helper()
	j := &journal{}
	return &Loop{
		GRPO: &GRPO{Live: true, Trainer: newTiny(t, seed), Objective: dapo(t)}, Dir: dir, Seed: int64(seed), Metrics: &stages.Recorder{}, Log: slog.New(j),
	}, j
}

// TestLoopOrder: groups that come early, late or twice give the run that they give in order.
func TestLoopOrder(t *testing.T) {
	messages := runSteps(t)
	plain, log := newLoop(t, 1, t.TempDir())
	plain.Steps = 4
	if err := plain.Run(t.Context(), State{}, newFeed(t, schemas.ScoredRollouts(), messages...), steps.NewAssembler(2, 0)); err != nil {
		t.Fatal(err)
	}
	want := log.trained()
	if len(want) != 4 || want[3]["step"] != 3 || plain.GRPO.Trainer.Updates() != 4 {
		t.Fatalf("log of steps %v, %d updates", want, plain.GRPO.Trainer.Updates())
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		mixed := slices.Concat(messages, messages[:5])
		rng.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		mixed[2] = slices.Concat(mixed[2], mixed[3]) // two groups in one message
		loop, log := newLoop(t, 1, t.TempDir())
		loop.Steps = 4
		if err := loop.Run(t.Context(), State{}, newFeed(t, schemas.ScoredRollouts(), mixed...), steps.NewAssembler(2, 0)); err != nil {
			t.Fatal(err)
		}
		sameTrainer(t, loop.GRPO.Trainer, plain.GRPO.Trainer)
		for i, got := range log.trained() {
			for _, name := range []string{"step", "loss", "reward", "grad_norm", "learning_rate"} {
				if got[name] != want[i][name] {
					t.Errorf("step %d: %s is %v, want %v", i, name, got[name], want[i][name])
				}
			}
		}
	}
}

// TestLoopOnPolicy feeds a loop with what its own weights of each step would have sampled.
func TestLoopOnPolicy(t *testing.T) {
	loop, log := newLoop(t, 1, t.TempDir())
	loop.Steps, loop.GRPO.OnPolicy = 3, true
	in := &sampler{t: t, tr: loop.GRPO.Trainer}
	if err := loop.Run(t.Context(), State{}, in, steps.NewAssembler(2, 0)); err != nil {
		t.Fatal(err)
	}
	if len(log.trained()) != 3 || in.step != 3 {
		t.Errorf("%d steps logged, %d sampled; want 3", len(log.trained()), in.step)
	}
	in.stale = true
	loop.Steps = 5
	if err := loop.Run(t.Context(), State{Step: 3, NextSequence: 4}, in, steps.NewAssembler(2, 3)); !errors.Is(err, ErrOffPolicy) {
		t.Errorf("rollouts of older weights under a new version: error %v", err)
	}
}

// sampler is an input that samples each step from the trainer's weights when it is asked for; once
// stale, from those of the step before.
type sampler struct {
	t     *testing.T
	tr    *Trainer
	step  int64
	stale bool
	kept  *steps.Step
}

func (s *sampler) Next(context.Context) (*stages.Delivery, error) {
	specs := []groupSpec{{id: fmt.Sprint(s.step, "-a"), advantages: []float32{1, -1}}, {id: fmt.Sprint(s.step, "-b"), advantages: []float32{1, -1}}}
	step := makeStep(s.t, s.tr, s.step, specs...)
	if s.stale && s.kept != nil {
		for i := range step.Groups {
			for j := range step.Groups[i].Rows {
				r := &step.Groups[i].Rows[j]
				r.CompletionIDs, r.PromptIDs, r.LogProbs = s.kept.Groups[i].Rows[j].CompletionIDs, s.kept.Groups[i].Rows[j].PromptIDs, s.kept.Groups[i].Rows[j].LogProbs
			}
		}
	}
	s.kept = &step
	s.step++
	rec, err := schemas.ScoredRollouts().Encode(memory.DefaultAllocator, slices.Concat(step.Groups[0].Rows, step.Groups[1].Rows))
	if err != nil {
		return nil, err
	}
	return stages.NewDelivery(rec, fmt.Sprint(s.step), uint64(s.step), 0, nil), nil
}

func (s *sampler) TryNext(ctx context.Context) (*stages.Delivery, error) { return s.Next(ctx) }
func (s *sampler) Close() error                                          { return nil }

// TestLoopResume stops a run at each of its steps and goes on from the checkpoint.
func TestLoopResume(t *testing.T) {
	messages := runSteps(t)
	messages[1], messages[2] = messages[2], messages[1] // a group of step 1 comes before one of step 0
	all := newFeed(t, schemas.ScoredRollouts(), messages...)
	plain, _ := newLoop(t, 1, t.TempDir())
	if err := plain.Run(t.Context(), State{}, all, steps.NewAssembler(2, 0)); err != nil {
		t.Fatal(err)
	}
	for stop := int64(1); stop < 4; stop++ {
		dir := t.TempDir()
		first, _ := newLoop(t, 1, dir)
		first.Steps, first.Every, first.Keep = stop, 1, 1
		if err := first.Run(t.Context(), State{}, all.from(1), steps.NewAssembler(2, 0)); err != nil {
			t.Fatal(err)
		}
		folder, err := Latest(Checkpoints(dir))
		if err != nil || filepath.Base(folder) != fmt.Sprint("checkpoint-", stop) {
			t.Fatalf("latest checkpoint %s, %v", folder, err)
		}
		second, log := newLoop(t, 2, dir)
		state, err := second.GRPO.Trainer.Restore(folder)
		if err != nil {
			t.Fatal(err)
		}
		if state.Step != stop || state.Seed != 1 {
			t.Errorf("state %+v after step %d", state, stop)
		}
		second.Steps, second.Keep = 4, 1
		if err := second.Run(t.Context(), state, all.from(state.NextSequence), steps.NewAssembler(2, state.Step)); err != nil {
			t.Fatal(err)
		}
		if got := log.trained(); len(got) != int(4-stop) || got[0]["step"] != float64(stop) {
			t.Errorf("steps after %d: %v", stop, got)
		}
		sameTrainer(t, second.GRPO.Trainer, plain.GRPO.Trainer)
		left, err := list(Checkpoints(dir))
		if err != nil || !slices.Equal(left, []int64{4}) {
			t.Errorf("checkpoints %v, %v; want 4 alone", left, err)
		}
	}
}

// TestLoopEnds: a run ends at its last step or with its input, and in either case leaves a checkpoint
// and the model.
func TestLoopEnds(t *testing.T) {
	messages := runSteps(t)
	sparse := slices.Concat(messages[0], messages[1], messages[6]) // steps 0 and 3
	for name, c := range map[string]struct {
		steps   int64
		perStep int
		feed    [][]schemas.Scored
		end     int64 // the step after the last
		updates int64
		left    int // messages not read
		warns   bool
	}{
		"last step":              {2, 2, messages, 2, 2, 4, false},
		"short input":            {4, 2, messages[:4], 2, 2, 0, true},
		"half a step":            {4, 2, messages[:3], 2, 2, 0, true},
		"as many as there are":   {0, 2, messages, 4, 4, 0, false},
		"steps as in the file":   {0, 0, messages, 4, 4, 0, false},
		"nothing":                {3, 2, nil, 0, 0, 0, true},
		"no steps wanted":        {0, 2, nil, 0, 0, 0, false},
		"a file leaves out some": {0, 0, [][]schemas.Scored{sparse}, 4, 2, 0, false},
		"one left out is beyond": {3, 0, [][]schemas.Scored{sparse}, 1, 1, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			loop, log := newLoop(t, 1, t.TempDir())
			loop.Steps = c.steps
			in := newFeed(t, schemas.ScoredRollouts(), c.feed...)
			if err := loop.Run(t.Context(), State{}, in, steps.NewAssembler(c.perStep, 0)); err != nil {
				t.Fatal(err)
			}
			if n := loop.GRPO.Trainer.Updates(); n != c.updates || len(c.feed)-in.at != c.left {
				t.Errorf("%d updates, %d messages left; want %d and %d", n, len(c.feed)-in.at, c.updates, c.left)
			}
			state, err := newTiny(t, 3).Restore(filepath.Join(Checkpoints(loop.Dir), fmt.Sprint("checkpoint-", c.end)))
			if err != nil || state.Step != c.end {
				t.Errorf("state %+v, %v; want step %d", state, err, c.end)
			}
			open(t, filepath.Join(loop.Dir, "model"), 0)
			if warned := slices.Contains(log.texts, "the input ended before the last step"); warned != c.warns {
				t.Errorf("warned: %v, want %v", warned, c.warns)
			}
		})
	}
}

// TestLoopCountsEmptySteps: a step with nothing to learn is a step and an update, so that schedule and
// steps stay together.
func TestLoopCountsEmptySteps(t *testing.T) {
	messages := runSteps(t)
	for _, m := range messages[2:4] { // step 1
		for i := range m {
			m[i].Advantage = 0
		}
	}
	loop, log := newLoop(t, 1, t.TempDir())
	if err := loop.Run(t.Context(), State{}, newFeed(t, schemas.ScoredRollouts(), messages...), steps.NewAssembler(2, 0)); err != nil {
		t.Fatal(err)
	}
	if got := log.trained(); len(got) != 4 || got[1]["step"] != 1 || loop.GRPO.Trainer.Updates() != 4 || loop.state.Step != 4 {
		t.Errorf("%d steps, %d updates, step %d is next; want 4, 4, 4", len(got), loop.GRPO.Trainer.Updates(), loop.state.Step)
	}
}

// TestLoopRefuses: input that makes no sense stops the run before it trains on it.
func TestLoopRefuses(t *testing.T) {
	broken := errors.New("broken pipe")
	for name, c := range map[string]struct {
		change func(m [][]schemas.Scored)
		end    error
		is     error
		says   string
	}{
		"log-probabilities": {func(m [][]schemas.Scored) { m[1][1].LogProbs = m[1][1].LogProbs[1:] }, nil, schemas.ErrValue, "logprobs"},
		"more of them":      {func(m [][]schemas.Scored) { m[1][1].LogProbs = append(m[1][1].LogProbs, -1) }, nil, schemas.ErrValue, "feed/2"},
		"samples":           {func(m [][]schemas.Scored) { m[1] = slices.Delete(m[1], 1, 2) }, nil, nil, "message 2"},
		"too many groups":   {func(m [][]schemas.Scored) { m[1][0].GroupID, m[1][1].GroupID, m[1][2].GroupID = "x", "y", "z" }, nil, nil, "message 2"},
		"vocabulary":        {func(m [][]schemas.Scored) { m[1][0].CompletionIDs[0] = 5000 }, nil, nil, "step 0"},
		"input":             {func([][]schemas.Scored) {}, broken, broken, ""},
	} {
		t.Run(name, func(t *testing.T) {
			messages := runSteps(t)[:2]
			c.change(messages)
			loop, _ := newLoop(t, 1, t.TempDir())
			loop.Steps = 2
			in := newFeed(t, schemas.ScoredRollouts(), messages...)
			in.broken = c.end
			err := loop.Run(t.Context(), State{}, in, steps.NewAssembler(2, 0))
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v, want %v that says %q", err, c.is, c.says)
			}
			if _, err := os.Stat(filepath.Join(loop.Dir, "model")); err == nil {
				t.Error("the model of a failed run was written")
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	loop, _ := newLoop(t, 1, t.TempDir())
	if err := loop.Run(ctx, State{}, newFeed(t, schemas.ScoredRollouts(), runSteps(t)...), steps.NewAssembler(2, 0)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
