package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/report"
	"openrs/schemas"
	"openrs/score/answer"
	"openrs/stages"
	"openrs/stages/model/tiny"
	"openrs/stages/tokenizer"
)

func reportCommand() *cli.Command {
	return stages.Command("evaluate report", "accuracy with intervals, paired differences, lengths and curves", reportFlags(), makeReport)
}

func reportFlags() []cli.Flag {
	return slices.Concat(stages.RunFlags(), []cli.Flag{
		&cli.StringSliceFlag{Name: "in", Usage: "scored rollouts of a model, `[NAME=]PATH`; may be repeated, the first is what others are compared with (default: the run's stream with --run, else standard input)"},
		&cli.StringFlag{Name: "out-dir", Usage: "`FOLDER` for the page, the samples and the results (default: only the table is printed)"},
		&cli.StringFlag{Name: "title", Usage: "of the page"},
		&cli.BoolFlag{Name: "by-version", Usage: "take each version of the policy in an input as a model of its own, NAME@VERSION"},
		&cli.StringSliceFlag{Name: "metrics", Usage: "metrics `FILE` of training, for the curves; may be repeated"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of the resampling, the permutations and the examples; reported"},
		&cli.Float64Flag{Name: "seconds", Usage: "how long the run took; reported"},
	}, outputFlags())
}

// outputFlags are the flags of what is written; outputOptions reads them.
func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "profile", Usage: "what answers are found and compared by when reasons are given: benchmark, reward or open-rs (default: the one that explains the recorded verdicts)"},
		&cli.StringFlag{Name: "tokenizer", Usage: "`FOLDER` of a model, or tiny: also write prompts as text"},
		&cli.BoolFlag{Name: "details", Usage: "also write lighteval's detail files"},
		&cli.StringFlag{Name: "suite", Usage: "comes before tasks in lighteval's files, as in custom|aime24|0"},
		&cli.StringFlag{Name: "date", Usage: "`TIME` in the names of lighteval's files, as 2006-01-02T15:04:05Z (default: when the newest input was written; of a stream, now)"},
		&cli.IntFlag{Name: "page-text", Value: report.DefaultPageText >> 20, Usage: "`MIB` of completions that the page holds at most (0: no samples)"},
	}
}

func outputOptions(env *stages.Env) (report.Options, error) {
	opt := report.Options{
		Title: env.String("title"), Seed: env.Uint64("seed"), Details: env.Bool("details"), Suite: env.String("suite"),
		PageText: env.Int("page-text") << 20,
	}
	switch n := env.Int("page-text"); {
	case n < 0 || n > 1024:
		return opt, fmt.Errorf("--page-text is %d, expected 0 to 1024", n)
	case n == 0:
		opt.PageText = -1
	}
	if name := env.String("profile"); name != "" {
		p, err := answer.ProfileByName(name)
		if err != nil {
			return opt, fmt.Errorf("--profile: %w", err)
		}
		opt.Profile = &p
	}
	if s := env.String("date"); s != "" {
		var err error
		if opt.Date, err = time.Parse(time.RFC3339Nano, s); err != nil {
			return opt, fmt.Errorf("--date: %w", err)
		}
	}
	if name := env.String("tokenizer"); name != "" {
		files := os.DirFS(name)
		if name == "tiny" {
			files = tiny.FS()
		}
		t, err := tokenizer.Load(files)
		if err != nil {
			return opt, fmt.Errorf("--tokenizer %s: %w", name, err)
		}
		opt.Prompt = func(ids []int32) string { return t.Decode(ids, false) }
	}
	return opt, nil
}

func makeReport(ctx context.Context, env *stages.Env) error {
	opt, err := outputOptions(env)
	if err != nil {
		return err
	}
	inputs, newest, err := reportInputs(ctx, env)
	if err != nil {
		return err
	}
	if opt.Seconds = env.Float64("seconds"); opt.Date.IsZero() {
		if opt.Date = newest; newest.IsZero() {
			opt.Date = time.Now()
		}
	}
	for _, path := range env.StringSlice("metrics") {
		rows, err := report.ReadMetrics(path)
		if err != nil {
			return err
		}
		opt.Metrics = append(opt.Metrics, rows...)
	}
	if env.Bool("by-version") {
		inputs = report.ByVersion(inputs)
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

// reportInputs reads the scored rollouts of every --in, and says when the newest of these files was
// written: zero for streams.
func reportInputs(ctx context.Context, env *stages.Env) (inputs []report.Input, newest time.Time, err error) {
	specs := env.StringSlice("in")
	if len(specs) == 0 {
		in, err := env.Scored(ctx, "")
		if err != nil {
			return nil, newest, err
		}
		name := env.RunName()
		if name == "" {
			name = "model"
		}
		inputs, err = one(ctx, name, in)
		return inputs, newest, err
	}
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
			return nil, newest, err
		}
		input, err := one(ctx, name, in)
		if err != nil {
			return nil, newest, err
		}
		inputs = append(inputs, input...)
		if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.ModTime().After(newest) {
			newest = st.ModTime()
		}
	}
	return inputs, newest, nil
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
