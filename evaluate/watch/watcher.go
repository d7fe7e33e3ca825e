package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"openrs/evaluate/job"
	"openrs/stages/bus"
)

// ErrOtherPolicies says that a run's policies are not those that the ledger is about.
var ErrOtherPolicies = errors.New("the run has other policies")

// Watcher evaluates the policies of a run. Its fields are set once, before Run.
type Watcher struct {
	Policies Policies
	Budget   Budget
	Base     Base
	Dir      string // for the ledger and, while they are evaluated, folders of policies
	Log      *slog.Logger

	// Evaluate evaluates a model; called again after a kill, it goes on.
	Evaluate func(ctx context.Context, m job.Model) ([]Score, error)
	// Tell sends an evaluation's metrics; after a kill it may be called again with the same.
	Tell func(ctx context.Context, e Evaluated)
	// Show is called after each evaluation with all that is known.
	Show func(ctx context.Context, l *Ledger) error

	ledger  *Ledger
	catcher *catcher
}

// Model is a version as it is evaluated and reported.
func Model(version int64, folder, digest string) job.Model {
	return job.Model{Name: fmt.Sprintf("step %d", version), Path: folder, Digest: digest, Version: version}
}

// Run watches until training has ended and its last policy is evaluated, until the budget is spent, or until
// ctx is done. It returns what was done, in earlier calls too.
func (w *Watcher) Run(ctx context.Context) (*Ledger, error) {
	if err := w.Budget.Check(); err != nil {
		return nil, err
	}
	var err error
	if w.ledger, err = ReadLedger(w.path()); err != nil {
		return nil, err
	}
	if err := w.check(ctx); err != nil {
		return nil, err
	}
	if n := len(w.ledger.Evaluated); n > 0 {
		w.Log.Info("going on", "evaluated", n, "skipped", len(w.ledger.Skipped), "after", w.ledger.after())
	}
	for i := range w.ledger.Evaluated {
		if err := w.tell(ctx, &w.ledger.Evaluated[i]); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	defer func() { cancel(); <-done }()
	first, err := w.begin()
	if err != nil {
		close(done)
		return nil, err
	}
	after := w.after()
	go func() {
		defer close(done)
		w.catcher.run(ctx, after)
	}()
	if first != nil {
		if err := w.resume(ctx, *first); err != nil {
			return nil, err
		}
	}
	for {
		if limit := w.Budget.Time; limit > 0 && w.ledger.spent() >= limit {
			w.Log.Info("the budget is spent", "time", w.ledger.spent().Round(time.Second))
			return w.ledger, nil
		}
		next, err := w.catcher.take(ctx)
		if err := w.skip(next.skipped); err != nil {
			return nil, err
		}
		switch {
		case errors.Is(err, errEnded):
			w.Log.Info("training has ended, and its last policy is evaluated", "evaluated", len(w.ledger.Evaluated), "skipped", len(w.ledger.Skipped))
			return w.ledger, nil
		case errors.Is(err, errSpent):
			w.Log.Info("the budget is spent", "evaluations", len(w.ledger.Evaluated))
			return w.ledger, nil
		case err != nil:
			return nil, err
		}
		if err := w.evaluate(ctx, Begun{next.policy.Version, next.policy.Digest}); err != nil {
			return nil, err
		}
	}
}

func (w *Watcher) path() string { return filepath.Join(w.Dir, "ledger.json") }

// check refuses a run whose policies were made anew under the same versions.
func (w *Watcher) check(ctx context.Context) error {
	for _, e := range w.ledger.Evaluated {
		pol, err := w.Policies.Get(ctx, e.Version)
		if errors.Is(err, bus.ErrNotFound) {
			continue // removed by training
		}
		if err != nil {
			return err
		}
		if pol.Digest != e.Digest {
			return fmt.Errorf("%w than those in %s: version %d has digest %.12s, the one evaluated had %.12s; another folder begins anew",
				ErrOtherPolicies, w.path(), e.Version, pol.Digest, e.Digest)
		}
	}
	return nil
}

// begin prepares the catcher and returns the policy whose evaluation was interrupted, if there is one. Folders
// of other policies are removed.
func (w *Watcher) begin() (*Begun, error) {
	c := &catcher{
		policies: w.Policies, budget: w.Budget, dir: filepath.Join(w.Dir, "policies"), base: w.Base, log: w.Log,
		begun: len(w.ledger.Evaluated), news: make(chan struct{}, 1),
	}
	w.catcher = c
	first := w.ledger.Begun
	if first != nil {
		c.begun++
	}
	entries, err := os.ReadDir(c.dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(c.dir, e.Name())
		if first != nil && path == c.folder(first.Version) {
			continue
		}
		if err := os.RemoveAll(path); err != nil {
			return nil, err
		}
	}
	return first, nil
}

// after is where the catcher begins.
func (w *Watcher) after() int64 {
	after := w.ledger.after()
	if b := w.ledger.Begun; b != nil {
		after = max(after, b.Version)
	}
	return after
}

// resume goes on with an interrupted evaluation, provided that its policy is still to be had.
func (w *Watcher) resume(ctx context.Context, b Begun) error {
	if _, err := os.Stat(w.catcher.folder(b.Version)); errors.Is(err, os.ErrNotExist) {
		pol, err := w.catcher.fetch(ctx, b.Version)
		if gone(err) || err == nil && pol.Digest != b.Digest {
			w.ledger.Begun = nil
			return w.skip([]Skipped{{b.Version, "interrupted, and training has removed it"}})
		}
		if err != nil {
			return err
		}
	}
	return w.evaluate(ctx, b)
}

// skip writes down what will not be evaluated, and says so.
func (w *Watcher) skip(skipped []Skipped) error {
	if len(skipped) == 0 {
		return nil
	}
	for _, s := range skipped {
		w.Log.Warn("policy skipped", "version", s.Version, "reason", s.Reason)
	}
	w.ledger.Skipped = append(w.ledger.Skipped, skipped...)
	slices.SortFunc(w.ledger.Skipped, func(a, b Skipped) int { return cmp.Compare(a.Version, b.Version) })
	return w.ledger.Save(w.path())
}

// evaluate evaluates a policy whose folder is there, and writes down what came out.
func (w *Watcher) evaluate(ctx context.Context, b Begun) error {
	w.ledger.Begun = &b
	if err := w.ledger.Save(w.path()); err != nil {
		return err
	}
	w.Log.Info("evaluating a policy", "version", b.Version)
	began := time.Now()
	folder := w.catcher.folder(b.Version)
	scores, err := w.Evaluate(ctx, Model(b.Version, folder, b.Digest))
	if err != nil {
		return err
	}
	w.ledger.Evaluated = append(w.ledger.Evaluated, Evaluated{
		Version: b.Version, Digest: b.Digest, Seconds: time.Since(began).Seconds(), Scores: scores,
	})
	slices.SortFunc(w.ledger.Evaluated, func(a, b Evaluated) int { return cmp.Compare(a.Version, b.Version) })
	w.ledger.Begun = nil
	if err := w.ledger.Save(w.path()); err != nil {
		return err
	}
	w.catcher.remove(folder)
	i := slices.IndexFunc(w.ledger.Evaluated, func(e Evaluated) bool { return e.Version == b.Version })
	if err := w.tell(ctx, &w.ledger.Evaluated[i]); err != nil {
		return err
	}
	return w.Show(ctx, w.ledger)
}

// tell sends an evaluation's metrics, once.
func (w *Watcher) tell(ctx context.Context, e *Evaluated) error {
	if e.Told {
		return nil
	}
	w.Tell(ctx, *e)
	e.Told = true
	return w.ledger.Save(w.path())
}
