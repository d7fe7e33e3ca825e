package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/bus"
)

// configName is where a run keeps the settings that its evaluation was begun with. The workers that judge
// look there, too.
const configName = "evaluation"

// CheckRun refuses a run that is not for this evaluation: one that trains, or that has another evaluation, which
// is told by the name of a setting; [ErrChanged].
func CheckRun(ctx context.Context, env *stages.Env, settings Settings) error {
	run, err := env.Bus(ctx)
	if err != nil {
		return err
	}
	text, err := run.GetConfig(ctx, configName)
	if errors.Is(err, bus.ErrNotFound) {
		last, err := run.Last(ctx, bus.Problems)
		if err == nil && last > 0 {
			err = fmt.Errorf("run %s has problems that are not an evaluation's: expected the name of a new run", run.Name())
		}
		return err
	}
	if err != nil {
		return err
	}
	begun, err := ParseSettings(text)
	if err == nil {
		err = settings.Check(begun)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", run.Name(), err)
	}
	return nil
}

// RunSettings are the settings of a plan in a run: in its stream the rows have numbers, so that the number of
// samples stays, too.
func (p *Plan) RunSettings() Settings {
	settings := p.Settings()
	for _, t := range p.tasks {
		settings = append(settings, Setting{t.Name + " samples", fmt.Sprint(t.Samples)})
	}
	return append(settings, Setting{"tasks", p.names()}, Setting{"rows", fmt.Sprint(len(p.pieces))})
}

func (p *Plan) names() string {
	var names []string
	for _, t := range p.tasks {
		names = append(names, t.Name)
	}
	return strings.Join(names, ", ")
}

// Publish asks the workers of a run for the samples of a plan. What an earlier start has asked for is not
// asked for again; the run must be one that [CheckRun] accepts.
func Publish(ctx context.Context, env *stages.Env, settings Settings, p *Plan) error {
	if err := CheckRun(ctx, env, settings); err != nil {
		return err
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return err
	}
	if err := run.PutConfig(ctx, configName, settings.JSON()); err != nil {
		return err
	}
	return env.WriteProblems(ctx, int64(len(p.pieces)), 1, func(i int64) (schemas.Problem, error) { return p.Row(p.pieces[i]), nil })
}

// Collect reads what the workers of a run have made, from the first sample on, until the plan is complete.
func Collect(ctx context.Context, env *stages.Env, p *Plan, s *Store) error {
	if err := s.Clear(); err != nil { // the run has everything
		return err
	}
	in, err := env.Replay(ctx, schemas.KindScored, 0)
	if err != nil {
		return err
	}
	defer in.Close()
	progress := NewProgress(env.Log, p.Samples(), 0)
	for left := p.Samples(); left > 0; {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("run %s: the scored rollouts have ended, but %d samples are missing", env.RunName(), left)
		}
		if err != nil {
			return err
		}
		rows, err := schemas.ScoredRollouts().Decode(d.Record)
		d.Record.Release()
		if err != nil {
			return fmt.Errorf("batch %s: %w", d.ID, err)
		}
		fresh, err := p.accept(s, rows)
		if err != nil {
			return fmt.Errorf("run %s, batch %s: %w", env.RunName(), d.ID, err)
		}
		left -= fresh
		progress.Add(fresh)
	}
	return s.Sync()
}
