package pipelines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/stages/table"
)

// watch starts a watcher of the run.
func (r *run) watch(more ...string) *process {
	return start(r.t, r.dir, nil, "evaluate", append([]string{
		"watch", "--run", "r", "--nats", r.server.url, "--n", "12", "--samples", "2", "--max-new-tokens", "24", "--threads", "1",
	}, more...)...)
}

// watched is a watcher's ledger.
type watched struct {
	Evaluated []struct {
		Version int
		Scores  []struct {
			Task     string
			Accuracy float64
			Samples  int
		}
	}
	Skipped []struct{ Version int }
	Begun   *struct{ Version int }
}

func (r *run) watched(dir string) watched {
	r.t.Helper()
	var w watched
	text, err := os.ReadFile(r.path(dir, "work", "ledger.json"))
	if err == nil {
		err = json.Unmarshal(text, &w)
	}
	if err != nil && !os.IsNotExist(err) {
		r.t.Fatal(err)
	}
	return w
}

func (w watched) versions() (evaluated, all []int) {
	for _, e := range w.Evaluated {
		evaluated = append(evaluated, e.Version)
	}
	all = slices.Clone(evaluated)
	for _, s := range w.Skipped {
		all = append(all, s.Version)
	}
	slices.Sort(all)
	return evaluated, all
}

// A watcher that is killed again and again while a model is trained evaluates policies once each, accounts for
// all of them, ends with the training, and finds what evaluating the trained model alone does.
func TestWatch(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0))
	r.plan.steps = 10
	watcher := r.watch("--model", "tiny")
	all := []*process{r.start("curate"), r.start("update"), r.start("generate"), r.start("score")}
	amid := 0 // of an evaluation
	for n := range 4 {
		for began := time.Now(); r.watched("watch").Begun == nil && time.Since(began) < patience && !watcher.exited(); {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(n*20) * time.Millisecond)
		watcher.kill()
		if r.watched("watch").Begun != nil {
			amid++
		}
		watcher = r.watch("--model", "tiny")
	}
	if amid < 2 {
		t.Errorf("%d kills came amid an evaluation: the test shows too little", amid)
	}
	finish(t, append(all, watcher)...)
	w := r.watched("watch")
	evaluated, accounted := w.versions()
	if n := len(evaluated); n < 2 || evaluated[n-1] != 10 {
		t.Errorf("versions %v are evaluated, want several and the last, 10", evaluated)
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}; !slices.Equal(accounted, want) {
		t.Errorf("versions %v are evaluated or skipped, want each once", accounted)
	}
	for _, name := range []string{"steps.md", "report.html", "report.json", "samples.parquet"} {
		if info, err := os.Stat(r.path("watch", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v, want a file", name, err)
		}
	}
	if out := watcher.out.String(); !strings.Contains(out, "| step |") || strings.Count(out, "\n| ") < len(evaluated) {
		t.Errorf("the table is\n%s", out)
	}
	// The metrics are in the run's stream, the newest of each step being the ledger's.
	found := map[int]float64{}
	for _, m := range r.streamed("metrics") {
		if m.Stage == "evaluate-watch" && m.Name == "evaluate/synth/accuracy" {
			found[int(m.Step)] = m.Value
		}
	}
	for _, e := range w.Evaluated {
		if value, ok := found[e.Version]; !ok || value != e.Scores[0].Accuracy {
			t.Errorf("version %d: the stream has accuracy %v (%v), the ledger %v", e.Version, value, ok, e.Scores[0].Accuracy)
		}
	}
	// Policies take no place once they are evaluated.
	if left, _ := filepath.Glob(r.path("watch", "work", "policies", "*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
	// Started again, nothing is evaluated again. By now the run says what it was trained from.
	before := hashes(t, r.path("watch"))
	r.watch().ok()
	for name, sum := range hashes(t, r.path("watch")) {
		if before[name] != sum {
			t.Errorf("%s has changed", name)
		}
	}
	// The last policy is the trained model.
	command(t, r.dir, "evaluate", "run", "--model", "m="+r.path("model"), "--n", "12", "--samples", "2", "--max-new-tokens", "24", "--out-dir", "alone")
	if got, want := w.Evaluated[len(w.Evaluated)-1].Scores[0].Accuracy, r.alone(); got != want {
		t.Errorf("the last policy has accuracy %v, the trained model %v", got, want)
	}
	fails(t, r.watch("--samples", "3"), "synth samples was 2, now it is 3", "another --out-dir begins anew")
}

// streamed are the metrics of the run's stream in order.
func (r *run) streamed(stream string) []schemas.Metric {
	r.t.Helper()
	var all []schemas.Metric
	for _, m := range r.server.messages("r", stream) {
		rec, err := table.DecodeIPC(m.Data, memory.DefaultAllocator)
		if err != nil {
			r.t.Fatal(err)
		}
		rows, err := schemas.Metrics().Decode(rec)
		rec.Release()
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, rows...)
	}
	return all
}

// Several watchers of one run keep to their budgets, with policies on the server too.
func TestWatchBudget(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0).with("update", "--policy-store", "object").with("generate", "--policy-store", "object"))
	r.plan.steps = 9
	watchers := map[string]*process{}
	for name, flags := range map[string][]string{
		"every": {"--every", "4"},
		"two":   {"--max-evaluations", "2"},
		"one":   {"--max-evaluations", "1"},
		"time":  {"--max-time", "1ms"},
	} {
		flags = append(flags, "--model", "tiny", "--out-dir", r.path(name), "--policy-store", "object")
		watchers[name] = r.watch(flags...)
	}
	r.train()
	for name, p := range watchers {
		p.ok()
		evaluated, _ := r.watched(name).versions()
		last := evaluated[len(evaluated)-1]
		switch name {
		case "every":
			for _, v := range evaluated {
				if v%4 != 0 && v != 9 {
					t.Errorf("with --every 4, version %d is evaluated", v)
				}
			}
			if last != 9 {
				t.Errorf("with --every 4 versions %v are evaluated, want the last, 9, too", evaluated)
			}
		case "two":
			if len(evaluated) != 2 || last != 9 {
				t.Errorf("with a budget of 2, versions %v are evaluated, want one and 9", evaluated)
			}
		case "one":
			if !slices.Equal(evaluated, []int{9}) {
				t.Errorf("with a budget of 1, versions %v are evaluated, want 9", evaluated)
			}
		case "time":
			if len(evaluated) != 1 || !strings.Contains(p.stderr(), "the budget is spent") {
				t.Errorf("with a budget of 1 ms, versions %v are evaluated, want one\n%s", evaluated, p.tail())
			}
		}
	}
	fails(t, r.watch("--every", "0", "--model", "tiny"), "every 0 policies")
	fails(t, start(t, r.dir, nil, "evaluate", "watch"), "expected --run NAME")
	fails(t, start(t, r.dir, nil, "evaluate", "watch", "--run", "new", "--nats", r.server.url), "expected --model")
}

// Policies that consist of adapters are put on the model that they were trained on.
func TestWatchAdapters(t *testing.T) {
	t.Parallel()
	r := newRun(t, small(0).with("update", "--lora-rank", "4"))
	r.plan.steps = 3
	all := []*process{r.watch("--model", "tiny", "--max-evaluations", "2"), r.start("curate"), r.start("update"), r.start("generate"), r.start("score")}
	finish(t, all...)
	w := r.watched("watch")
	if evaluated, _ := w.versions(); len(evaluated) != 2 || evaluated[1] != 3 {
		t.Fatalf("versions %v are evaluated, want one and 3", evaluated)
	}
	command(t, r.dir, "evaluate", "run", "--model", "step 3="+r.path("adapter"), "--n", "12", "--samples", "2", "--max-new-tokens", "24", "--out-dir", "alone")
	if got, want := w.Evaluated[1].Scores[0].Accuracy, r.alone(); got != want {
		t.Errorf("the last policy has accuracy %v, the trained adapter %v", got, want)
	}
}

// alone is the accuracy that an evaluation of one model has reported.
func (r *run) alone() float64 {
	r.t.Helper()
	var report struct {
		Models []struct {
			Accuracy struct{ Mean float64 }
		}
	}
	text, err := os.ReadFile(filepath.Join(r.dir, "alone", "report.json"))
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	if err != nil || len(report.Models) != 1 {
		r.t.Fatalf("%d models: %v", len(report.Models), err)
	}
	return report.Models[0].Accuracy.Mean
}
