package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/job"
	"openrs/evaluate/protocol"
	"openrs/evaluate/report"
	"openrs/stages"
)

func runCommand() *cli.Command {
	c := stages.Command("evaluate run", "answer benchmarks with models and report, in one command", runFlags(), runEvaluation)
	c.Description = "Has generate and score answer and judge the benchmarks, as processes beside this one, and writes the report.\n" +
		"Stopped or killed, the same command goes on; what is finished is not made again.\n" +
		"With --run NAME the work is left to any number of workers: generate --run NAME --frozen --model MODEL and\n" +
		"score --run NAME --profile benchmark, wherever they are. How to sample stands in the problems, so they need no other flags."
	return c
}

func runFlags() []cli.Flag {
	return slices.Concat(stages.RunFlags(), []cli.Flag{
		&cli.StringSliceFlag{Name: "model", Usage: "`[NAME=]MODEL` to evaluate: a Hugging Face folder, tiny, or shape:NAME; may be repeated, the first is what others are compared with"},
		&cli.StringFlag{Name: "out-dir", Usage: "`FOLDER` for the report and for finished samples (default: the run's folder, or evaluation in --runs-dir)"},
		&cli.BoolFlag{Name: "fresh", Usage: "begin anew: remove the finished samples in --out-dir"},
		&cli.StringFlag{Name: "title", Usage: "of the page"},
	}, taskFlags("samples of each problem (default: the protocol's for each task)"), workFlags(), pageFlags())
}

func runEvaluation(ctx context.Context, env *stages.Env) error {
	all, asked, err := tasks(env)
	if err != nil {
		return err
	}
	dir := env.String("out-dir")
	switch {
	case dir == "" && env.RunName() != "":
		dir = env.RunDir()
	case dir == "":
		dir = filepath.Join(env.String("runs-dir"), "evaluation")
	}
	if env.Bool("fresh") && env.RunName() != "" {
		return errors.New("--fresh: a run keeps what it has; another --run begins anew")
	}
	lock, err := prepare(env, dir, env.Bool("fresh"))
	if err != nil {
		return err
	}
	defer lock.Close()
	if env.RunName() != "" {
		return runOnWorkers(ctx, env, all, asked, dir)
	}
	return runHere(ctx, env, all, asked, dir)
}

// workDir has what is finished, and logs.
func workDir(dir string) string { return filepath.Join(dir, "work") }

// prepare makes the folder of an evaluation and keeps others from it until the lock is closed.
func prepare(env *stages.Env, dir string, fresh bool) (lock io.Closer, err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	if lock, err = job.Lock(filepath.Join(dir, ".lock")); err != nil {
		return nil, err
	}
	if fresh {
		err = os.RemoveAll(workDir(dir))
	}
	if err == nil {
		err = os.MkdirAll(workDir(dir), 0o777)
	}
	if err == nil {
		_, err = pageOptions(env, dir) // what is wrong with them is better told now than at the end
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// runHere evaluates models one after the other with child processes.
func runHere(ctx context.Context, env *stages.Env, all []job.Task, asked protocol.Protocol, dir string) error {
	models, err := parseModels(env.StringSlice("model"))
	if err != nil {
		return err
	}
	l, err := local(env, workDir(dir))
	if err != nil {
		return err
	}
	p, err := job.NewPlan(all, 0)
	if err != nil {
		return err
	}
	err = kept(env, p, models...).Begin(filepath.Join(workDir(dir), "settings.json"))
	if errors.Is(err, job.ErrChanged) {
		return fmt.Errorf("%w (--fresh begins anew, another --out-dir keeps both)", err)
	}
	if err != nil {
		return err
	}
	var inputs []report.Input
	var settings []report.Setting
	for _, m := range models {
		input, err := evaluateOne(ctx, env, l, m, p)
		if err != nil {
			return err
		}
		inputs = append(inputs, input)
		settings = append(settings, report.Setting{Name: "model " + m.Name, Value: m.String()})
	}
	return finish(env, inputs, shown(asked, p, settings...), dir)
}

func parseModels(specs []string) ([]job.Model, error) {
	var models []job.Model
	for _, spec := range specs {
		m, err := job.ParseModel(spec)
		if err != nil {
			return nil, err
		}
		models = append(models, m)
	}
	return models, job.CheckModels(models)
}

// evaluateOne has what is missing of a model's samples made, and reads them all.
func evaluateOne(ctx context.Context, env *stages.Env, l *job.Local, m job.Model, p *job.Plan) (input report.Input, err error) {
	s, err := openStore(env, filepath.Join(l.Dir, m.File()+".samples"))
	if err != nil {
		return input, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := l.Run(ctx, m, p, s); err != nil {
		return input, err
	}
	rows, err := job.Rows(p, s, m.Version)
	for i := range rows { // of many models with long completions they fill the memory, and the report has no use for them
		rows[i].LogProbs = nil
	}
	return report.Input{Name: m.Name, Rows: rows}, err
}

// openStore opens finished samples and says what was wrong with them.
func openStore(env *stages.Env, path string) (*job.Store, error) {
	s, found, err := job.Open(path)
	if err != nil {
		return nil, err
	}
	if found.Damaged > 0 {
		env.Log.Warn("finished samples are damaged and are made again", "file", path, "pieces", found.Damaged)
	}
	if found.Cut > 0 {
		env.Log.Info("the end of the finished samples was half written and is left out", "file", path, "bytes", found.Cut)
	}
	return s, nil
}

// runOnWorkers has the workers of a run do it.
func runOnWorkers(ctx context.Context, env *stages.Env, all []job.Task, asked protocol.Protocol, dir string) error {
	specs := env.StringSlice("model")
	if len(specs) > 1 {
		return errors.New("with --run expected one --model: each has a run of its own, and `evaluate report --in` compares them")
	}
	m := job.Model{Name: env.RunName()}
	var err error
	if len(specs) == 1 {
		if m, err = job.ParseModel(specs[0]); err != nil {
			return err
		}
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return err
	}
	// Headers need some of a message.
	p, err := job.NewPlan(all, run.MaxPayload()-4096)
	if err != nil {
		return err
	}
	// Where the workers are, there may be other devices: they are not this command's to keep.
	settings := append(p.RunSettings(), job.Setting{Name: "profile", Value: env.String("profile")})
	var models []report.Setting
	if m.Path != "" {
		settings = append(settings, m.Setting())
		models = []report.Setting{{Name: "model " + m.Name, Value: m.String()}}
	}
	err = job.CheckRun(ctx, env, settings)
	if err == nil {
		err = env.Agree(ctx, "score", "profile") // one that was started before
	}
	if err == nil {
		err = job.Publish(ctx, env, settings, p)
	}
	if errors.Is(err, job.ErrChanged) {
		return fmt.Errorf("%w (another --run begins anew)", err)
	}
	if err != nil {
		return err
	}
	model := m.Path
	if model == "" {
		model = "MODEL"
	}
	env.Log.Info("the run's workers do the rest", "generate", fmt.Sprintf("generate --run %s --frozen --model %s", env.RunName(), model),
		"score", fmt.Sprintf("score --run %s --profile %s", env.RunName(), env.String("profile")))
	s, err := openStore(env, filepath.Join(workDir(dir), m.File()+".collected"))
	if err != nil {
		return err
	}
	defer s.Close()
	if err := job.Collect(ctx, env, p, s); err != nil {
		return err
	}
	rows, err := job.Rows(p, s, m.Version)
	if err != nil {
		return err
	}
	return finish(env, []report.Input{{Name: m.Name, Rows: rows}}, shown(asked, p, models...), dir)
}

// finish writes the report.
func finish(env *stages.Env, inputs []report.Input, settings []report.Setting, dir string) error {
	r, err := buildReport(env, inputs, settings, dir)
	if err != nil {
		return err
	}
	if err := r.Save(dir); err != nil {
		return err
	}
	env.Log.Info("report written", "page", filepath.Join(dir, "report.html"))
	return r.WriteText(os.Stdout)
}

// buildReport reports as the flags say.
func buildReport(env *stages.Env, inputs []report.Input, settings []report.Setting, dir string) (*report.Report, error) {
	opt, err := pageOptions(env, dir)
	if err != nil {
		return nil, err
	}
	opt.Settings = settings
	return report.Build(inputs, opt)
}

// pageOptions are the flags of what is written. The date is when the evaluation in dir was begun.
func pageOptions(env *stages.Env, dir string) (report.Options, error) {
	opt, err := outputOptions(env)
	if err == nil && opt.Date.IsZero() {
		opt.Date, err = job.Begun(filepath.Join(workDir(dir), "begun"))
	}
	return opt, err
}
