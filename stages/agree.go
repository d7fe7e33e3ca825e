package stages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"openrs/stages/bus"
)

// agreeWait is how long Agree waits for the other stage to be started with the same values, as it may
// be when all of a run is started anew with other ones.
const agreeWait = 5 * time.Second

// Agree refuses values of flags that another stage of the run was last started with other values of.
// Stages that disagree about what a step is would wait for each other for ever. Each stage stores its
// settings before it looks at the other's, so of two that start together at least one sees the other.
func (e *Env) Agree(ctx context.Context, stage string, flags ...string) error {
	run, err := e.Bus(ctx)
	if err != nil {
		return err
	}
	for began := time.Now(); ; {
		text, err := run.GetConfig(ctx, stage)
		if errors.Is(err, bus.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		var theirs []Setting
		if err := json.Unmarshal(text, &theirs); err != nil {
			return fmt.Errorf("settings of %s in run %s: %w", stage, run.Name(), err)
		}
		err = disagreement(e.Settings, theirs, flags)
		if err == nil {
			return nil
		}
		if time.Since(began) > agreeWait {
			return fmt.Errorf("run %s: %s was started with another value: %w", run.Name(), stage, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// disagreement names the first of the flags that both have with different values.
func disagreement(mine, theirs []Setting, flags []string) error {
	for _, m := range mine {
		if !slices.Contains(flags, m.Name) {
			continue
		}
		for _, other := range theirs {
			if other.Name == m.Name && other.Value != m.Value {
				return fmt.Errorf("--%s is %s here and %s there, expected the same", m.Name, m.Value, other.Value)
			}
		}
	}
	return nil
}
