package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/stages"
	"openrs/update/trl"
)

func recipeFlags() []cli.Flag {
	return append(stages.LogFlags(),
		&cli.StringFlag{Name: "from-trl", Usage: "YAML `FILE` of a TRL or open-r1 GRPO script, or - for standard input"},
		&cli.StringFlag{Name: "trl-version", Value: trl.Study, Usage: "TRL whose defaults fill what the file leaves out: a number such as 0.18.0, or open-rs for the commit that the study pinned"},
		&cli.IntFlag{Name: "num-processes", Value: 1, Usage: "training processes (accelerate's num_processes): 3 in the study"},
		&cli.Int64Flag{Name: "rows", Usage: "problems in the data set, to work out the steps of an epoch (0: not known)"},
		&cli.BoolFlag{Name: "strict", Usage: "fail when something is not supported"},
	)
}

// errUnsupported ends a strict conversion of a file that asks for more than there is.
var errUnsupported = errors.New("not supported")

// convertRecipe writes a TRL configuration as a recipe to standard output, and what is not supported to
// standard error.
func convertRecipe(_ context.Context, env *stages.Env) error {
	path := env.String("from-trl")
	if path == "" {
		return errors.New("expected --from-trl FILE")
	}
	var in io.Reader = os.Stdin
	name := "standard input"
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("--from-trl: %w", err)
		}
		defer f.Close()
		in, name = f, filepath.Base(path)
	}
	result, err := trl.Convert(in, trl.Options{
		Name: name, Version: env.String("trl-version"), Processes: env.Int("num-processes"), Rows: env.Int64("rows"),
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err := result.Write(os.Stdout); err != nil {
		return err
	}
	var keys []string
	for _, n := range result.Unsupported {
		env.Log.Warn("not supported", "key", n.Key, "value", n.Value, "why", n.Why)
		keys = append(keys, n.Key)
	}
	if env.Bool("strict") && len(keys) > 0 {
		return fmt.Errorf("%s: %w: %s", name, errUnsupported, strings.Join(keys, ", "))
	}
	return nil
}
