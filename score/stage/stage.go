// Package stage is the score stage's loop: rollouts in, scored rollouts out. What a completion is
// worth is decided in score/reward and score/answer.
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

// Run scores batch by batch until the input is complete. Each batch is written before it is
// acknowledged. A group that can't be scored goes on with a null reward, and a copy of its batch with
// the reason to the dead letters.
func Run(ctx context.Context, env *stages.Env, scorer *reward.Scorer) error {
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
	var total totals
	for {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			env.Log.Info("scored", "groups", total.groups, "failed", total.failed, "completions", total.completions, "correct", total.correct)
			return out.Finish(ctx)
		}
		if err != nil {
			return err
		}
		if err := score(ctx, env, scorer, d, out, &total); err != nil {
			return fmt.Errorf("batch %s: %w", d.ID, err)
		}
	}
}

// totals are what the stage reports at its end.
type totals struct{ groups, failed, completions, correct int }

func score(ctx context.Context, env *stages.Env, scorer *reward.Scorer, d *stages.Delivery, out stages.Sink, total *totals) error {
	rows, err := schemas.Rollouts().Decode(d.Record)
	d.Record.Release()
	if err != nil {
		return err
	}
	result := scorer.Score(rows)
	for _, f := range result.Failures {
		env.Log.Warn("group can't be scored", "reason", f.Err)
		if err := out.Dead(ctx, d, f.Err.Error()); err != nil {
			return err
		}
	}
	rec, err := schemas.ScoredRollouts().Encode(memory.DefaultAllocator, result.Scored)
	if err != nil {
		return err
	}
	defer rec.Release()
	if err := out.Write(ctx, rec, d.ID); err != nil {
		return err
	}
	total.failed += len(result.Failures)
	total.groups += len(schemas.Runs(len(rows), func(i int) string { return rows[i].GroupID }))
	total.completions += len(rows)
	for _, r := range result.Scored {
		if r.Correct != nil && *r.Correct {
			total.correct++
		}
	}
	return d.Ack(ctx)
}
