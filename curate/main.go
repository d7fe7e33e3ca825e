// Command curate builds the problems that a model is trained on and publishes them.
package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/synth"
)

func main() {
	stages.Main(stages.App("curate", "build problems from data sets and publish them",
		"Reads problems from Parquet, JSON, JSON lines or Arrow files whose columns have whatever names their\n"+
			"authors chose, puts them through the steps of a recipe, shuffles them, and writes them as a problems table:\n"+
			"to a run's stream (--run), a file or a pipe. The command steps lists the steps that there are.",
		buildFlags(), build,
		stages.Command("curate steps", "list the steps of recipes, with their options", stages.LogFlags(), listSteps),
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
