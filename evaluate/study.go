package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/study"
	"openrs/stages"
)

// compareCommand analyses scores that others have published, or that came from another harness.
func compareCommand() *cli.Command {
	flags := append(stages.LogFlags(),
		&cli.StringFlag{Name: "scores", Usage: "scores `FILE` (.csv: model, benchmark, score in percent, problems; step, samples and sd where known), or one of the embedded tables: " + strings.Join(study.Examples(), ", ")},
		&cli.StringFlag{Name: "baseline", Usage: "`MODEL` of the table that others are compared with (default: base, if there is one)"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the permutations"},
		&cli.BoolFlag{Name: "print", Usage: "print the table itself, as an example of the format"},
	)
	return stages.Command("evaluate compare", "what published scores of checkpoints or models show, and what is noise", flags, compare)
}

func compare(_ context.Context, env *stages.Env) error {
	name := env.String("scores")
	if name == "" {
		return fmt.Errorf("expected --scores FILE, or one of %s", strings.Join(study.Examples(), ", "))
	}
	text, err := scoresText(name)
	if err != nil {
		return err
	}
	if env.Bool("print") {
		_, err := os.Stdout.Write(text)
		return err
	}
	scores, err := study.Read(name, strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	a, err := study.Analyze(scores, study.Options{Baseline: env.String("baseline"), Seed: env.Uint64("seed")})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return a.WriteText(os.Stdout)
}

// scoresText is a file, or the embedded table of this name where there is no such file.
func scoresText(name string) ([]byte, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && slices.Contains(study.Examples(), name) {
		return study.Example(name)
	}
	return text, err
}
