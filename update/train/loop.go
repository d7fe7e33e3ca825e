package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/checkpoint"
	"openrs/update/steps"
)

// Loop trains step by step from a stream or file of scored groups.
type Loop struct {
	GRPO      *GRPO
	Publisher *Publisher       // nil: weights are not published
	Dir       string           // where checkpoints/ and model/ or adapter/ are written
	Steps     int64            // stop before this step; 0: at the end of the input
	Every     int64            // checkpoint after every so many steps; 0: only at the end
	Keep      int              // checkpoints kept; 0: all
	ModelType checkpoint.DType // of model/; "": as the model came
	Merge     bool             // write model/ also where adapters are trained
	Seed      int64
	Settings  map[string]string // recorded with checkpoints
	Metrics   *stages.Recorder
	Log       *slog.Logger

	state State
	saved int64 // step of the newest checkpoint
}

// Checkpoints is the folder below dir that holds a run's checkpoints.
func Checkpoints(dir string) string { return filepath.Join(dir, "checkpoints") }

// Run trains from the state on, which is zero or a checkpoint's, and ends with a checkpoint, the model
// folder and the mark that no policy will follow.
func (l *Loop) Run(ctx context.Context, state State, in stages.Source, groups *steps.Assembler) error {
	if err := l.GRPO.Trainer.checkPlace(l.Dir, l.Merge); err != nil {
		return err
	}
	l.state, l.saved = state, -1
	l.state.NextSequence = max(1, state.NextSequence)
	if state.Step > 0 {
		l.saved = state.Step
	}
	if l.Publisher != nil {
		if err := l.Publisher.Reopen(ctx, l.Steps); err != nil {
			return err
		}
	}
	if err := l.publish(ctx); err != nil {
		return err
	}
	if err := l.train(ctx, in, groups); err != nil {
		if ctx.Err() != nil { // stopped by a signal: what has been trained is not lost
			err = errors.Join(err, l.save())
		}
		return err
	}
	if l.state.Step < l.Steps {
		l.Log.Warn("the input ended before the last step", "steps", l.state.Step, "expected", l.Steps)
	}
	return l.finish(ctx)
}

// train makes step after step until the last one or the end of the input.
func (l *Loop) train(ctx context.Context, in stages.Source, groups *steps.Assembler) error {
	for l.Steps == 0 || groups.Next() < l.Steps {
		began := time.Now()
		step, ok, err := l.next(ctx, in, groups)
		if err != nil {
			return err
		}
		if !ok || l.Steps > 0 && step.Number >= l.Steps { // a file may leave out steps
			break
		}
		if err := l.step(ctx, step, groups.ResumeAt(), time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

// next reads until a step is complete. At the end of the input what is left of the next step counts
// as complete.
func (l *Loop) next(ctx context.Context, in stages.Source, groups *steps.Assembler) (steps.Step, bool, error) {
	for {
		if s, ok := groups.Take(); ok {
			return s, true, nil
		}
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			s, ok := groups.Flush()
			return s, ok, nil
		}
		if err != nil {
			return steps.Step{}, false, err
		}
		rows, err := schemas.ScoredRollouts().Decode(d.Record)
		d.Record.Release()
		if err == nil {
			err = schemas.CheckScored(rows)
		}
		if err != nil {
			return steps.Step{}, false, fmt.Errorf("batch %s: %w", d.ID, err)
		}
		if err := groups.Add(d.Seq, rows); err != nil {
			return steps.Step{}, false, err
		}
	}
}

// step trains on one step, publishes the new weights and saves a checkpoint when one is due.
func (l *Loop) step(ctx context.Context, s steps.Step, resumeAt uint64, waited time.Duration) error {
	began := time.Now()
	values, err := l.GRPO.Step(s)
	if err != nil {
		return err
	}
	l.state.Step, l.state.NextSequence = s.Number+1, resumeAt
	if err := l.publish(ctx); err != nil {
		return err
	}
	values = append(values,
		stages.Value{Name: "step_time", Value: time.Since(began).Seconds()},
		stages.Value{Name: "time/wait_for_batch", Value: waited.Seconds()})
	l.Metrics.Record(ctx, s.Number, values)
	l.log(s.Number, values)
	if l.Every > 0 && l.state.Step%l.Every == 0 {
		return l.save()
	}
	return nil
}

// shown are the metrics in the log; all of them are in the metrics file.
var shown = []string{"reward", "reward_std", "frac_reward_zero_std", "completions/mean_length", "loss", "kl", "entropy", "grad_norm", "learning_rate", "step_time", "time/wait_for_batch"}

func (l *Loop) log(step int64, values []stages.Value) {
	by := map[string]float64{}
	for _, v := range values {
		by[v.Name] = v.Value
	}
	args := []any{"step", step}
	if l.Steps > 0 {
		args = append(args, "of", l.Steps)
	}
	for _, name := range shown {
		if v, ok := by[name]; ok {
			args = append(args, name, fmt.Sprintf("%.4g", v))
		}
	}
	l.Log.Info("trained", args...)
}

func (l *Loop) publish(ctx context.Context) error {
	if l.Publisher == nil {
		return nil
	}
	if err := l.Publisher.Publish(ctx, l.GRPO.Trainer, l.state.Step); err != nil {
		return fmt.Errorf("policy version %d: %w", l.state.Step, err)
	}
	return nil
}

func (l *Loop) save() error {
	if l.saved == l.state.Step {
		return nil
	}
	l.saved = l.state.Step
	l.state.Seed, l.state.Settings = l.Seed, l.Settings
	return l.GRPO.Trainer.Save(Checkpoints(l.Dir), l.state, l.Keep)
}

// finish saves what the run was for. The mark comes last: a run killed before it does this again.
func (l *Loop) finish(ctx context.Context) error {
	if err := l.save(); err != nil {
		return err
	}
	if err := l.GRPO.Trainer.Write(l.Dir, l.ModelType, l.Merge, l.Log); err != nil {
		return err
	}
	if l.Publisher == nil {
		return nil
	}
	return l.Publisher.Run.Policies().MarkFinal(ctx, l.state.Step)
}
