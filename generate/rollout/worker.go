package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/generate/engine"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/tokenizer"
)

// Options say how completions are sampled.
type Options struct {
	Plan
	GroupSize    int
	MaxNewTokens int
	Temperature  float32
	TopK         int
	TopP, MinP   float32
	Seed         int64
	Stop         []int32 // tokens that end a completion
	Steps        int64   // training's last step is the one before; 0: not known
	// Frozen is the version that rollouts of a model without Policies are marked with.
	Frozen int64
}

// Policies supplies the weights of a version.
type Policies interface {
	// Load waits for a version and puts it into the engine's model. It returns ErrTrainingEnded when
	// there will be no such version, ErrTrained when the version made from the step exists, and
	// ErrNotYet when it has waited for some time.
	Load(ctx context.Context, version, step int64) error
}

var (
	// ErrTrainingEnded says that the run's last policy is older than the one asked for.
	ErrTrainingEnded = errors.New("training has ended")
	// ErrTrained says that a step has been trained on, so all of its groups are in the stream: a batch
	// delivered again after a crash has nothing more to add to it.
	ErrTrained = errors.New("the step has been trained on")
	// ErrNotYet says that a version is not there yet.
	ErrNotYet = errors.New("not there yet")
)

// Worker generates rollouts. Its fields are set once, before Run.
type Worker struct {
	Engine   *engine.Pool
	Prompter Prompter
	Policies Policies // nil: the model's weights as they are, as version Options.Frozen
	Options  Options
	Log      *slog.Logger
	Metrics  *stages.Recorder // may be nil

	version int64   // of the weights in the model; −1 before the first
	queue   []*part // pulled and not yet in the engine, in order
	report  report
	said    time.Time // when the log was told what is waited for
}

// job is a batch of problems under way: the parts of it that belong to different steps are written
// as batches of their own, since a step may not wait for the next one.
type job struct {
	delivery *stages.Delivery
	parts    int // not written yet
}

// part is the problems of a batch that belong to one step.
type part struct {
	job      *job
	step     int64
	problems []numbered
	groups   [][]schemas.Rollout // by problem, nil until its group is complete
	left     int                 // groups that are not complete
}

type numbered struct {
	schemas.Problem
	asked
	number int64 // in the stream, from 0
}

// extend adds the samples of n to the last problem of p if they are further samples of it: a
// benchmark's rows are one for each sample, and together they are a group with one prompt.
func (p *part) extend(n numbered) bool {
	last := &p.problems[len(p.problems)-1]
	_, counted := n.Metadata[stages.MetaSample]
	next := last.asked
	next.first, next.count = last.first+int32(last.count), n.count
	if !counted || n.ProblemID != last.ProblemID || n.asked != next || n.Metadata[stages.MetaSystem] != last.Metadata[stages.MetaSystem] {
		return false
	}
	last.count += n.count
	return true
}

// slot is what a request carries through the engine.
type slot struct {
	part  *part
	index int
}

// Run samples until the source is complete, the training has ended, or ctx is done. Every batch it
// has acknowledged by then is stored in the sink.
func (w *Worker) Run(ctx context.Context, in stages.Source, out stages.Sink) error {
	w.version = -1
	w.report = report{began: time.Now(), since: time.Now()}
	defer func() { w.report.final(w) }()
	ended := false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := w.feed(ctx, in, out, &ended)
		if errors.Is(err, ErrTrainingEnded) {
			w.Log.Info("training has ended; the remaining problems are left alone", "version", w.version)
			return nil
		}
		if err != nil {
			return err
		}
		if w.Engine.Idle() {
			if ended && len(w.queue) == 0 {
				return nil
			}
			continue
		}
		results, err := w.Engine.Step()
		if err != nil {
			return err
		}
		for _, r := range results {
			if err := w.complete(ctx, out, r); err != nil {
				return err
			}
		}
		w.report.tick(ctx, w)
	}
}

// feed fills the engine's batch. It waits for input only when there is nothing else to do, and for a
// policy only once everything sampled from the previous one is finished.
func (w *Worker) feed(ctx context.Context, in stages.Source, out stages.Sink, ended *bool) error {
	for w.Engine.Room() > 0 {
		if len(w.queue) == 0 {
			if *ended {
				return nil
			}
			pull := in.TryNext
			if w.Engine.Idle() {
				pull = in.Next
			}
			began := time.Now()
			d, err := pull(ctx)
			w.report.waited += time.Since(began)
			if errors.Is(err, io.EOF) {
				*ended = true
				return nil
			}
			if err != nil || d == nil {
				return err
			}
			if err := w.accept(ctx, d); err != nil {
				return err
			}
			continue
		}
		p := w.queue[0]
		if w.Options.Steps > 0 && p.step >= w.Options.Steps {
			if !w.Engine.Idle() {
				return nil
			}
			return ErrTrainingEnded
		}
		version := w.Options.Version(p.step)
		if w.Policies == nil {
			version = w.Options.Frozen
		}
		if version != w.version {
			if !w.Engine.Idle() {
				return nil
			}
			if w.Policies != nil {
				began := time.Now()
				err := w.Policies.Load(ctx, version, p.step)
				if errors.Is(err, ErrTrained) {
					w.queue = w.queue[1:]
					if err := w.written(ctx, p.job); err != nil {
						return err
					}
					continue
				}
				w.report.waited += time.Since(began)
				if errors.Is(err, ErrNotYet) {
					return w.reclaim(ctx, in, version)
				}
				if err != nil {
					return fmt.Errorf("policy version %d: %w", version, err)
				}
			}
			w.version = version
		}
		w.queue = w.queue[1:]
		if err := w.start(ctx, p, out); err != nil {
			return err
		}
	}
	return nil
}

// reclaim takes over an earlier batch whose worker has died, if there is one. Without it all workers
// could hold batches of later steps, waiting for a policy that only that batch's groups can bring.
func (w *Worker) reclaim(ctx context.Context, in stages.Source, version int64) error {
	if time.Since(w.said) >= reportInterval {
		w.said = time.Now()
		w.Log.Info("waiting for a policy", "version", version)
	}
	r, ok := in.(stages.Reclaimer)
	if !ok {
		return nil
	}
	d, err := r.Reclaim(ctx, w.queue[0].job.delivery.Seq)
	if err != nil || d == nil {
		return err
	}
	w.Log.Info("taking over a batch that another worker has left", "batch", d.ID)
	return w.accept(ctx, d)
}

// accept splits a batch into parts by step and queues them, earlier steps first.
func (w *Worker) accept(ctx context.Context, d *stages.Delivery) error {
	rows, err := schemas.Problems().Decode(d.Record)
	d.Record.Release()
	if err != nil {
		return fmt.Errorf("problems batch %s: %w", d.ID, err)
	}
	j := &job{delivery: d}
	var last *part
	for i, row := range rows {
		number := d.First + int64(i)
		n := numbered{Problem: row, number: number}
		if n.asked, err = w.Options.asks(row); err != nil {
			return fmt.Errorf("problems batch %s: %w", d.ID, err)
		}
		if last != nil && last.job == j && last.extend(n) {
			continue
		}
		if step := w.Options.Step(number); last == nil || last.step != step {
			last = &part{job: j, step: step}
			w.queue = append(w.queue, last)
			j.parts++
		}
		last.problems = append(last.problems, n)
	}
	if j.parts == 0 {
		return d.Ack(ctx)
	}
	slices.SortStableFunc(w.queue, func(a, b *part) int { return cmp.Compare(a.step, b.step) })
	return nil
}

// start hands a part's problems to the engine. A problem that can't be sampled becomes a group
// of failed rollouts, so that its step stays complete.
func (w *Worker) start(ctx context.Context, p *part, out stages.Sink) error {
	p.groups = make([][]schemas.Rollout, len(p.problems))
	p.left = len(p.problems)
	for i, n := range p.problems {
		prompt, err := w.Prompter.Prompt(n.Problem)
		if err == nil {
			err = w.Engine.Add(engine.Request{
				Prompt: prompt, Samples: n.count, MaxNewTokens: n.maxNewTokens, Stop: w.Options.Stop,
				Temperature: n.temperature, TopK: n.topK, TopP: n.topP, MinP: n.minP,
				Seed: n.seed, ProblemID: n.ProblemID, FirstSample: n.first,
				Tag: slot{part: p, index: i},
			})
		}
		if err == nil {
			continue
		}
		if errors.Is(err, tokenizer.ErrNoTemplate) || errors.Is(err, tokenizer.ErrFormat) {
			return err // the model's fault: every problem would fail
		}
		w.Log.Warn("problem can't be sampled", "reason", err)
		if err := out.Dead(ctx, p.job.delivery, err.Error()); err != nil {
			return err
		}
		if err := w.finish(ctx, out, p, i, prompt, make([]engine.Completion, n.count)); err != nil {
			return err
		}
	}
	return nil
}

// complete takes a finished request back.
func (w *Worker) complete(ctx context.Context, out stages.Sink, r engine.Result) error {
	s := r.Request.Tag.(slot)
	w.report.completed(r)
	return w.finish(ctx, out, s.part, s.index, r.Request.Prompt, r.Completions)
}

// finish stores a group in its part; a complete part is written, and a batch whose parts are all
// written is acknowledged.
func (w *Worker) finish(ctx context.Context, out stages.Sink, p *part, index int, prompt []int32, completions []engine.Completion) error {
	p.groups[index] = w.rollouts(p, p.problems[index], prompt, completions)
	if p.left--; p.left > 0 {
		return nil
	}
	var rows []schemas.Rollout
	for _, g := range p.groups {
		rows = append(rows, g...)
	}
	rec, err := schemas.Rollouts().Encode(memory.DefaultAllocator, rows)
	if err != nil {
		return fmt.Errorf("rollouts of problems batch %s: %w", p.job.delivery.ID, err)
	}
	defer rec.Release()
	id := fmt.Sprintf("%s/step-%d", p.job.delivery.ID, p.step)
	if err := out.Write(ctx, rec, id); err != nil {
		return err
	}
	return w.written(ctx, p.job)
}

// written counts a part that is in the sink.
func (w *Worker) written(ctx context.Context, j *job) error {
	if j.parts--; j.parts > 0 {
		return nil
	}
	return j.delivery.Ack(ctx)
}

// rollouts are the rows of one group. A completion without a finish reason was never sampled.
func (w *Worker) rollouts(p *part, n numbered, prompt []int32, completions []engine.Completion) []schemas.Rollout {
	temperature := n.temperature
	if temperature == 0 {
		temperature = 1 // greedy sampling records log-probabilities at temperature 1
	}
	rows := make([]schemas.Rollout, len(completions))
	for i, c := range completions {
		rows[i] = schemas.Rollout{
			// Zero-padded, so that the order of ids is the order of problems.
			GroupID:   fmt.Sprintf("%010d-%s", n.number, n.ProblemID),
			ProblemID: n.ProblemID, Source: n.Source, Problem: n.Problem.Problem, Answer: n.Answer,
			Sample: n.first + int32(i), Step: p.step, PolicyVersion: max(0, w.version),
			PromptIDs: prompt, CompletionIDs: c.Tokens, LogProbs: c.LogProbs,
			Completion: w.Prompter.Tokenizer.Decode(c.Tokens, true), FinishReason: c.FinishReason,
			Temperature: temperature, Seed: n.seed,
		}
		if c.FinishReason == "" {
			rows[i].FinishReason = schemas.FinishError
		}
	}
	return rows
}
