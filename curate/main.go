// Command curate builds the problems that a model is trained on and publishes them.
package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"openrs/curate/load"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/synth"
)

func main() {
	stages.Main(stages.App("curate", "build problems from data sets and publish them",
		"Reads problems from Parquet, JSON, JSON lines or Arrow files whose columns have whatever names their\n"+
			"authors chose, shuffles them, and writes them as a problems table: to a run's stream (--run), a file or a pipe.",
		loadFlags(), loadProblems,
		stages.Command("curate synth", "make problems of the built-in arithmetic task, with worked solutions", synthFlags(), synthesize),
	))
}

// outFlags are the flags of both ways.
func outFlags() []cli.Flag {
	return append(stages.RunFlags(),
		&cli.StringFlag{Name: "out", Usage: "where problems go `TO`: nats:, a file (.arrow .parquet .jsonl), or - (Arrow on standard output); default: nats: with --run, else -"},
		&cli.Int64Flag{Name: "batch", Value: 8, Usage: "problems a record batch (one message)"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of everything random"},
	)
}

func loadFlags() []cli.Flag {
	return append(outFlags(),
		&cli.StringSliceFlag{Name: "in", Usage: "data set `FILE` (.parquet .json .jsonl .arrow); may be repeated"},
		&cli.StringFlag{Name: "column-problem", Usage: "`COLUMN` with the question; default: guessed from its name"},
		&cli.StringFlag{Name: "column-answer", Usage: "`COLUMN` with the gold answer, likewise"},
		&cli.StringFlag{Name: "column-solution", Usage: "`COLUMN` with a worked solution, likewise; - for none"},
		&cli.StringFlag{Name: "source", Usage: "source `NAME` of the rows; default: the file's name"},
		&cli.BoolFlag{Name: "strict", Usage: "stop at the first row that can't be used, instead of counting it"},
		&cli.BoolFlag{Name: "shuffle", Usage: "shuffle by --seed"},
		&cli.IntFlag{Name: "n", Usage: "keep only the first `N` problems, after the shuffle (0: all)"},
		&cli.IntFlag{Name: "epochs", Value: 1, Usage: "how often to publish all of them; each epoch is shuffled anew"},
	)
}

func loadProblems(ctx context.Context, env *stages.Env) error {
	var all []schemas.Problem
	if len(env.StringSlice("in")) == 0 {
		return fmt.Errorf("expected --in FILE, or the command synth")
	}
	if env.Int("epochs") < 1 {
		return fmt.Errorf("--epochs is %d, expected at least 1", env.Int("epochs"))
	}
	for _, path := range env.StringSlice("in") {
		rows, summary, err := load.File(path, load.Options{
			Columns: load.Columns{Problem: env.String("column-problem"), Answer: env.String("column-answer"), Solution: env.String("column-solution")},
			Source:  env.String("source"), Strict: env.Bool("strict"),
		})
		if err != nil {
			return err
		}
		env.Log.Info("loaded", "file", path, "summary", summary.String())
		all = append(all, rows...)
	}
	order := load.Order{Shuffle: env.Bool("shuffle"), Seed: env.Uint64("seed"), Limit: env.Int("n"), Epochs: env.Int("epochs")}
	all = order.Apply(all)
	return env.WriteProblems(ctx, int64(len(all)), env.Int64("batch"), func(i int64) (schemas.Problem, error) { return all[i], nil })
}

func synthFlags() []cli.Flag {
	return append(outFlags(),
		&cli.Int64Flag{Name: "n", Value: 64, Usage: "number of problems"},
		&cli.StringFlag{Name: "split", Value: string(synth.Train), Usage: "train or test"},
		&cli.IntSliceFlag{Name: "level", Usage: "number of operations, 1 to 4; may be repeated (default: all)"},
		&cli.Float64Flag{Name: "direct", Usage: "probability that a solution skips the working"},
		&cli.Float64Flag{Name: "hurry", Usage: "probability that a line of working is left unwritten"},
	)
}

func synthesize(ctx context.Context, env *stages.Env) error {
	g, err := synth.New(synth.Options{
		Seed: env.Uint64("seed"), Split: synth.Split(env.String("split")), Levels: env.IntSlice("level"),
		Direct: env.Float64("direct"), Hurry: env.Float64("hurry"),
	})
	if err != nil {
		return err
	}
	return env.WriteProblems(ctx, env.Int64("n"), env.Int64("batch"), func(i int64) (schemas.Problem, error) {
		return g.Problem(uint64(i)), nil
	})
}
