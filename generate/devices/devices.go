// Package devices lists the devices that can run a model on this machine.
package devices

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/stages/backend"
)

// Flags are the flags of the command.
func Flags() []cli.Flag {
	return append(stages.LogFlags(),
		&cli.IntFlag{Name: "threads", Usage: "processor cores that the CPU device would use (0: all)"},
		&cli.BoolFlag{Name: "json", Usage: "one JSON object instead of tables"},
	)
}

// Run writes the list.
func Run(_ context.Context, env *stages.Env) error {
	l, err := backend.List(env.Int("threads"))
	if err != nil {
		return err
	}
	write := l.WriteText
	if env.Bool("json") {
		write = l.WriteJSON
	}
	if err := write(env.App.Writer); err != nil {
		return fmt.Errorf("standard output: %w", err)
	}
	return nil
}
