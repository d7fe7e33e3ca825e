package main

import (
	"context"
	"encoding/json"
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
	"openrs/evaluate/watch"
	"openrs/stages"
	"openrs/stages/atomicfile"
	"openrs/stages/bus"
	"openrs/stages/pretrained"
)

func watchCommand() *cli.Command {
	c := stages.Command("evaluate watch", "evaluate the policies of a run while it is trained", watchFlags(), watchRun)
	c.Description = "Takes policies of --run as they are published, has generate and score evaluate them as processes beside this one,\n" +
		"and writes accuracy over steps: as metrics evaluate/TASK/accuracy of the run, as a table, and as a report. It ends when\n" +
		"training has ended and its last policy is evaluated. Stopped or killed, the same command goes on."
	return c
}

func watchFlags() []cli.Flag {
	return slices.Concat(stages.RunFlags(), []cli.Flag{
		&cli.StringFlag{Name: "model", Usage: "`MODEL` that training began with (default: the one that update was started with)"},
		&cli.StringFlag{Name: "out-dir", Usage: "`FOLDER` for the table, the report and the ledger (default: watch in the run's folder)"},
		&cli.StringFlag{Name: "title", Usage: "of the page"},
		&cli.Int64Flag{Name: "every", Value: 1, Usage: "evaluate policies whose version is a multiple of `N`, and the last one. When more come than can be evaluated, the newest is taken and the others are skipped"},
		&cli.IntFlag{Name: "max-evaluations", Usage: "evaluate at most `N` policies; one of them is kept for the last (0: any number)"},
		&cli.DurationFlag{Name: "max-time", Usage: "begin no evaluation when they have taken this long together (0: no limit)"},
	}, taskFlags("samples of each problem and policy (default: the protocol's for each task)"), workFlags(), pageFlags())
}

func watchRun(ctx context.Context, env *stages.Env) error {
	if env.RunName() == "" {
		return errors.New("expected --run NAME, the run to watch")
	}
	all, asked, err := tasks(env)
	if err != nil {
		return err
	}
	p, err := job.NewPlan(all, 0)
	if err != nil {
		return err
	}
	dir := env.String("out-dir")
	if dir == "" {
		dir = filepath.Join(env.RunDir(), "watch")
	}
	lock, err := prepare(env, dir, false)
	if err != nil {
		return err
	}
	defer lock.Close()
	l, err := local(env, workDir(dir))
	if err != nil {
		return err
	}
	run, err := env.Bus(ctx)
	if err != nil {
		return err
	}
	base, err := baseModel(ctx, env, run)
	if err != nil {
		return err
	}
	settings := kept(env, p)
	for _, t := range all {
		settings = append(settings, job.Setting{Name: t.Name + " samples", Value: fmt.Sprint(t.Samples)})
	}
	settings = append(settings, job.Setting{Name: "model", Value: base.Name})
	err = settings.Begin(filepath.Join(workDir(dir), "settings.json"))
	if errors.Is(err, job.ErrChanged) {
		return fmt.Errorf("%w (another --out-dir begins anew)", err)
	}
	if err != nil {
		return err
	}
	metrics, err := env.Recorder(ctx, "")
	if err != nil {
		return err
	}
	w := &watcher{env: env, plan: p, asked: asked, local: l, dir: dir, metrics: metrics}
	ledger, err := (&watch.Watcher{
		Policies: run.Policies(), Base: base, Dir: workDir(dir), Log: env.Log,
		Budget:   watch.Budget{Every: env.Int64("every"), Evaluations: env.Int("max-evaluations"), Time: env.Duration("max-time")},
		Evaluate: w.evaluate, Tell: w.tell, Show: w.show,
	}).Run(ctx)
	if err != nil {
		return err
	}
	if err := w.show(ctx, ledger); err != nil {
		return err
	}
	return ledger.WriteTable(os.Stdout)
}

// baseModel is the model that training began with.
func baseModel(ctx context.Context, env *stages.Env, run *bus.Run) (watch.Base, error) {
	name := env.String("model")
	if name == "" {
		var err error
		if name, err = trainedModel(ctx, run); err != nil {
			return watch.Base{}, err
		}
	}
	m, err := pretrained.Open(name, env.Uint64("seed"))
	if err != nil {
		return watch.Base{}, err
	}
	defer m.Close()
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if name, err = filepath.Abs(name); err != nil {
			return watch.Base{}, err
		}
	}
	return watch.Base{Name: name, Config: m.Config, Companions: m.Companions}, nil
}

// trainedModel is the model that the run's update was started with.
func trainedModel(ctx context.Context, run *bus.Run) (string, error) {
	missing := fmt.Errorf("expected --model, the model that training began with: run %s has not been trained yet", run.Name())
	text, err := run.GetConfig(ctx, "update")
	if errors.Is(err, bus.ErrNotFound) {
		return "", missing
	}
	if err != nil {
		return "", err
	}
	var settings []stages.Setting
	if err := json.Unmarshal(text, &settings); err != nil {
		return "", fmt.Errorf("settings of update in run %s: %w", run.Name(), err)
	}
	for _, s := range settings {
		if s.Name == "model" && s.Value != "" {
			return s.Value, nil
		}
	}
	return "", missing
}

// watcher is what a watch.Watcher is given to work with.
type watcher struct {
	env     *stages.Env
	plan    *job.Plan
	asked   protocol.Protocol
	local   *job.Local
	dir     string
	metrics *stages.Recorder
}

func (w *watcher) evaluate(ctx context.Context, m job.Model) ([]watch.Score, error) {
	input, err := evaluateOne(ctx, w.env, w.local, m, w.plan)
	if err != nil {
		return nil, err
	}
	var scores []watch.Score
	for _, t := range w.plan.Tasks() {
		scores = append(scores, watch.ScoreRows(t.Name, input.Rows))
	}
	return scores, nil
}

// tell records an evaluation's metrics under the number of optimizer steps that the policy has had.
func (w *watcher) tell(ctx context.Context, e watch.Evaluated) {
	var values []stages.Value
	for _, s := range e.Scores {
		name := "evaluate/" + s.Task + "/"
		values = append(values,
			stages.Value{Name: name + "accuracy", Value: s.Accuracy},
			stages.Value{Name: name + "accuracy_low", Value: s.Interval[0]},
			stages.Value{Name: name + "accuracy_high", Value: s.Interval[1]},
			stages.Value{Name: name + "mean_length", Value: s.Tokens},
			stages.Value{Name: name + "clipped_ratio", Value: s.Truncated},
		)
		w.env.Log.Info("accuracy", "task", s.Task, "step", e.Version, "accuracy", s.Accuracy, "low", s.Interval[0], "high", s.Interval[1])
	}
	w.metrics.Record(ctx, e.Version, values)
}

// show writes the table and the report of all policies so far.
func (w *watcher) show(_ context.Context, l *watch.Ledger) error {
	if err := atomicfile.Write(filepath.Join(w.dir, "steps.md"), func(out io.Writer) error { return l.WriteTable(out) }); err != nil {
		return err
	}
	if len(l.Evaluated) == 0 {
		return nil
	}
	var inputs []report.Input
	for _, e := range l.Evaluated {
		m := watch.Model(e.Version, "", e.Digest)
		s, _, err := job.Open(filepath.Join(workDir(w.dir), m.File()+".samples"))
		if err != nil {
			return err
		}
		rows, err := job.Rows(w.plan, s, e.Version)
		if err := errors.Join(err, s.Close()); err != nil {
			return err
		}
		for i := range rows { // what the report has no use for is not kept for every step
			rows[i].PromptIDs, rows[i].LogProbs = nil, nil
		}
		inputs = append(inputs, report.Input{Name: m.Name, Rows: rows})
	}
	r, err := buildReport(w.env, inputs, shown(w.asked, w.plan), w.dir)
	if err != nil {
		return err
	}
	return r.Save(w.dir)
}
