// Package stage is the score stage's loop: rollouts in, scored rollouts out. What a completion is
// worth is decided in score/reward, score/process and score/answer.
package stage

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/score/reward"
	"openrs/stages"
)

// ErrPreflight stops the stage when it is strict and the first groups show that a reward tells nothing apart.
var ErrPreflight = errors.New("preflight")

// Options of the stage.
type Options struct {
	// Preflight looks at the rewards of the first completions and warns of constant ones.
	Preflight bool
	// Strict stops instead of warning. The batch at hand is not acknowledged, so nothing is lost.
	Strict bool
	// Broken is asked before each batch is written whether to stop, and why: when a reward process was given up. It may be
	// nil.
	Broken func() error
}

// Run scores batch by batch until the input is complete. Each batch is written before it is
// acknowledged. A group that can't be scored goes on with a null reward, and a copy of its batch with
// the reason to the dead letters.
func Run(ctx context.Context, env *stages.Env, scorer *reward.Scorer, opt Options) error {
	in, err := env.Source(ctx, schemas.KindRollouts)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := env.Sink(ctx, schemas.KindScored, schemas.KindRollouts)
	if err != nil {
		return err
	}
	defer out.Close()
	l := &loop{env: env, scorer: scorer, opt: opt, in: in, out: out}
	if opt.Preflight {
		l.preflight = reward.NewPreflight(scorer)
	}
	return l.run(ctx)
}

// loop is one run of the stage.
type loop struct {
	env       *stages.Env
	scorer    *reward.Scorer
	opt       Options
	in        stages.Source
	out       stages.Sink
	preflight *reward.Preflight // nil: off

	groups, failed, completions, correct int // reported at the end
}

func (l *loop) run(ctx context.Context) error {
	for {
		d, err := l.in.Next(ctx)
		if errors.Is(err, io.EOF) {
			if l.preflight != nil {
				if err := l.warn(l.preflight.Finish()); err != nil {
					return err
				}
			}
			l.env.Log.Info("scored", "groups", l.groups, "failed", l.failed, "completions", l.completions, "correct", l.correct)
			return l.out.Finish(ctx)
		}
		if err != nil {
			return err
		}
		if err := l.score(ctx, d); err != nil {
			return fmt.Errorf("batch %s: %w", d.ID, err)
		}
	}
}

func (l *loop) score(ctx context.Context, d *stages.Delivery) error {
	rows, err := schemas.Rollouts().Decode(d.Record)
	d.Record.Release()
	if err != nil {
		return err
	}
	result := l.scorer.Score(rows)
	if l.opt.Broken != nil {
		if err := l.opt.Broken(); err != nil {
			return err
		}
	}
	if l.preflight != nil {
		if err := l.warn(l.preflight.Add(result.Scored)); err != nil {
			return err
		}
	}
	for _, f := range result.Failures {
		l.env.Log.Warn("group can't be scored", "group", f.GroupID, "reason", f.Err)
		if err := l.out.Dead(ctx, d, fmt.Sprintf("group %s: %v", f.GroupID, f.Err)); err != nil {
			return err
		}
	}
	rec, err := schemas.ScoredRollouts().Encode(memory.DefaultAllocator, result.Scored)
	if err != nil {
		return err
	}
	defer rec.Release()
	if err := l.out.Write(ctx, rec, d.ID); err != nil {
		return err
	}
	l.failed += len(result.Failures)
	l.groups += len(schemas.Runs(len(rows), func(i int) string { return rows[i].GroupID }))
	l.completions += len(rows)
	for _, r := range result.Scored {
		if r.Correct != nil && *r.Correct {
			l.correct++
		}
	}
	return d.Ack(ctx)
}

// warn reports what the preflight found; when strict, as an error.
func (l *loop) warn(findings []string) error {
	if len(findings) == 0 {
		return nil
	}
	if l.opt.Strict {
		err := ErrPreflight
		for _, f := range findings {
			err = fmt.Errorf("%w: %s", err, f)
		}
		return err
	}
	for _, f := range findings {
		l.env.Log.Error("PREFLIGHT: a reward tells nothing apart (--strict stops here)", "finding", f)
	}
	return nil
}
