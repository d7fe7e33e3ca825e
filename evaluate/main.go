// Command evaluate prepares benchmarks and reports what scored answers to them say about a model.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/benchmark"
	"openrs/evaluate/report"
	"openrs/schemas"
	"openrs/stages"
)

func main() {
	stages.Main(stages.App("evaluate", "measure models on problems they have not seen",
		"`evaluate problems` writes a benchmark's problems, which generate and score answer and judge like any others;\n"+
			"`evaluate report` makes a table, JSON and an HTML page of the scored answers of one or more models.",
		nil, nil,
		stages.Command("evaluate problems", "write the problems of a benchmark", problemsFlags(), problems),
		stages.Command("evaluate report", "accuracy with intervals, paired differences, lengths and curves", reportFlags(), makeReport),
	))
}

func problemsFlags() []cli.Flag {
	var names []string
	for _, b := range benchmark.All() {
		names = append(names, fmt.Sprintf("%s (%s)", b.Name, b.Summary))
	}
	return append(stages.RunFlags(),
		&cli.StringFlag{Name: "out", Usage: "where problems go `TO`: nats:, a file (.arrow .parquet .jsonl), or - (Arrow on standard output)"},
		&cli.StringFlag{Name: "benchmark", Value: "synth", Usage: strings.Join(names, "; ")},
		&cli.IntFlag{Name: "n", Usage: "number of problems (0: the benchmark's own)"},
		&cli.IntFlag{Name: "samples", Value: 1, Usage: "how often each problem is to be answered"},
		&cli.IntSliceFlag{Name: "level", Usage: "only problems of this level; may be repeated"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "chooses the problems of a benchmark that is drawn"},
		&cli.Int64Flag{Name: "batch", Value: 32, Usage: "rows a record batch"},
	)
}

// problems writes each problem once for each of its samples, as rows that follow each other and
// carry their sample's number.
func problems(ctx context.Context, env *stages.Env) error {
	samples := env.Int("samples")
	if samples < 1 {
		return fmt.Errorf("--samples is %d, expected at least 1", samples)
	}
	rows, err := benchmark.Problems(env.String("benchmark"), benchmark.Options{N: env.Int("n"), Seed: env.Uint64("seed"), Levels: env.IntSlice("level")})
	if err != nil {
		return err
	}
	total := int64(len(rows)) * int64(samples)
	return env.WriteProblems(ctx, total, env.Int64("batch"), func(i int64) (schemas.Problem, error) {
		p := rows[i/int64(samples)]
		return stages.NumberSample(p, int(i%int64(samples))), nil
	})
}

func reportFlags() []cli.Flag {
	return append(stages.RunFlags(),
		&cli.StringSliceFlag{Name: "in", Usage: "scored rollouts of a model, `[NAME=]PATH`; may be repeated, the first is what others are compared with (default: the run's stream with --run, else standard input)"},
		&cli.StringFlag{Name: "out-dir", Usage: "`FOLDER` for report.json and report.html (default: only the table is printed)"},
		&cli.StringFlag{Name: "title", Usage: "of the page"},
		&cli.StringSliceFlag{Name: "metrics", Usage: "metrics `FILE` of training, for the curves; may be repeated"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the bootstrap and the permutations; reported"},
		&cli.Float64Flag{Name: "seconds", Usage: "how long the run took; reported"},
	)
}

func makeReport(ctx context.Context, env *stages.Env) error {
	inputs, err := reportInputs(ctx, env)
	if err != nil {
		return err
	}
	opt := report.Options{Title: env.String("title"), Seed: env.Uint64("seed"), Seconds: env.Float64("seconds")}
	for _, path := range env.StringSlice("metrics") {
		rows, err := report.ReadMetrics(path)
		if err != nil {
			return err
		}
		opt.Metrics = append(opt.Metrics, rows...)
	}
	r, err := report.Build(inputs, opt)
	if err != nil {
		return err
	}
	if dir := env.String("out-dir"); dir != "" {
		if err := r.Save(dir); err != nil {
			return err
		}
		env.Log.Info("report written", "page", filepath.Join(dir, "report.html"))
	}
	return r.WriteText(os.Stdout)
}

// reportInputs reads the scored rollouts of every --in.
func reportInputs(ctx context.Context, env *stages.Env) ([]report.Input, error) {
	specs := env.StringSlice("in")
	if len(specs) == 0 {
		in, err := env.Scored(ctx, "")
		if err != nil {
			return nil, err
		}
		name := env.RunName()
		if name == "" {
			name = "model"
		}
		return one(ctx, name, in)
	}
	var inputs []report.Input
	for i, spec := range specs {
		name, path, named := strings.Cut(spec, "=")
		if !named {
			path = spec
			if name = strings.TrimSuffix(filepath.Base(spec), filepath.Ext(spec)); name == "-" {
				name = "model-" + strconv.Itoa(i+1)
			}
		}
		in, err := env.Scored(ctx, path)
		if err != nil {
			return nil, err
		}
		input, err := one(ctx, name, in)
		if err != nil {
			return nil, err
		}
		inputs = append(inputs, input...)
	}
	return inputs, nil
}

// one reads a source to its end.
func one(ctx context.Context, name string, in stages.Source) ([]report.Input, error) {
	defer in.Close()
	input := report.Input{Name: name}
	for {
		d, err := in.Next(ctx)
		if errors.Is(err, io.EOF) {
			return []report.Input{input}, nil
		}
		if err != nil {
			return nil, err
		}
		rows, err := schemas.ScoredRollouts().Decode(d.Record)
		d.Record.Release()
		if err != nil {
			return nil, fmt.Errorf("%s: batch %s: %w", name, d.ID, err)
		}
		input.Rows = append(input.Rows, rows...)
	}
}
