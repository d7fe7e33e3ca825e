package pipelines

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// plan is what a training run is made of. Its results follow from the first four fields alone.
type plan struct {
	steps, groups, samples, lag int
	generators, scorers         int
	more                        map[string][]string // further flags, by stage
}

// small is a run of a second or two in which every step has something to learn.
func small(lag int) plan {
	return plan{steps: 6, groups: 4, samples: 4, lag: lag, generators: 1, scorers: 1}
}

// with returns p with further flags for a stage.
func (p plan) with(stage string, flags ...string) plan {
	p.more = maps.Clone(p.more)
	if p.more == nil {
		p.more = map[string][]string{}
	}
	p.more[stage] = append(slices.Clone(p.more[stage]), flags...)
	return p
}

// run is a training run called "r" on a server of its own; its folder is dir/runs/r.
type run struct {
	t      *testing.T
	server *server
	dir    string
	plan   plan
}

func newRun(t *testing.T, p plan) *run {
	t.Helper()
	return &run{t: t, server: startServer(t), dir: t.TempDir(), plan: p}
}

// args is a stage's command line, which is the same when it is started again.
func (r *run) args(stage string) []string {
	p, n := r.plan, strconv.Itoa
	common := []string{"--run", "r", "--nats", r.server.url}
	steps := []string{"--groups-per-step", n(p.groups), "--max-lag", n(p.lag)}
	var args []string
	switch stage {
	case "curate":
		// Batches that do not divide a step: some hold the end of one and the beginning of the next.
		args = slices.Concat([]string{"synth"}, common, []string{"--n", n(p.steps * p.groups), "--batch", "3", "--level", "1", "--level", "2", "--seed", "5"})
	case "generate":
		args = slices.Concat(common, steps, []string{"--model", "tiny", "--group-size", n(p.samples), "--max-new-tokens", "32", "--seed", "7", "--ack-wait", "2s"})
	case "score":
		args = append(common, "--reward", "accuracy", "--reward", "format=0.1", "--group-size", n(p.samples), "--ack-wait", "2s")
	case "update":
		args = slices.Concat(common, steps, []string{"--model", "tiny", "--steps", n(p.steps), "--lr", "5e-4", "--checkpoint-every", "2"})
	}
	return append(args, p.more[stage]...)
}

func (r *run) start(stage string) *process {
	r.t.Helper()
	return start(r.t, r.dir, nil, stage, r.args(stage)...)
}

// train runs all stages to their end.
func (r *run) train() {
	r.t.Helper()
	all := []*process{r.start("curate"), r.start("update")}
	for range r.plan.generators {
		all = append(all, r.start("generate"))
	}
	for range r.plan.scorers {
		all = append(all, r.start("score"))
	}
	finish(r.t, all...)
}

// finish waits until all processes have ended well. One that fails ends the test: the others would
// wait for it.
func finish(t *testing.T, all ...*process) {
	t.Helper()
	ended := make(chan *process, len(all))
	for _, p := range all {
		go func() {
			<-p.done
			ended <- p
		}()
	}
	late := time.After(patience)
	for range all {
		select {
		case p := <-ended:
			p.ok()
		case <-late:
			for _, p := range all {
				if !p.exited() {
					t.Errorf("%s: still running after %s\n%s", p.line, patience, p.tail())
				}
			}
			t.FailNow()
		}
	}
}

// path is a file in the run's folder.
func (r *run) path(elem ...string) string {
	return filepath.Join(append([]string{r.dir, "runs", "r"}, elem...)...)
}

// metrics are update's, by name, in the order of steps.
func (r *run) metrics() map[string][]float64 {
	r.t.Helper()
	metrics := map[string][]float64{}
	for _, row := range readJSONLines(r.t, r.path("metrics-update.jsonl")) {
		name, step := row["name"].(string), int(row["step"].(float64))
		if step != len(metrics[name]) {
			r.t.Errorf("metric %s of step %d comes after %d values", name, step, len(metrics[name]))
		}
		metrics[name] = append(metrics[name], row["value"].(float64))
	}
	return metrics
}

// outcome is all that a run has produced.
type outcome struct {
	// files are the SHA-256 of the trained model's files and the checkpoints', by path.
	files map[string]string
	// rows are the scored rollouts as JSON, in the order of group and sample.
	rows []string
}

func (r *run) outcome() outcome {
	r.t.Helper()
	o := outcome{files: hashes(r.t, r.path("model"))}
	for path, sum := range hashes(r.t, r.path("checkpoints")) {
		o.files["checkpoints/"+path] = sum
	}
	o.rows = r.rows("scored")
	return o
}

// hashes are the SHA-256 of the files below dir. A checkpoint's state also names the message to go on
// with, which depends on the order of arrival, and the command line, for the record: its digest is
// taken without them.
func hashes(t *testing.T, dir string) map[string]string {
	t.Helper()
	sums := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if d.Name() == "trainer_state.json" {
			var state map[string]any
			if err := json.Unmarshal(data, &state); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			delete(state, "next_sequence")
			delete(state, "settings")
			data = fmt.Append(nil, state)
		}
		name, err := filepath.Rel(dir, path)
		sum := sha256.Sum256(data)
		sums[name] = hex.EncodeToString(sum[:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

// rows reads a stream of rollouts or scored rollouts with Arrow's own reader, and returns the rows as
// JSON in the order of group and sample. A row that is there twice fails the test.
func (r *run) rows(stream string) []string {
	r.t.Helper()
	byKey := map[string]string{}
	for _, m := range r.server.messages("r", stream) {
		for _, row := range rowsOf(r.t, m.Data) {
			var key struct {
				Group  string `json:"group_id"`
				Sample int    `json:"sample"`
			}
			if err := json.Unmarshal([]byte(row), &key); err != nil {
				r.t.Fatal(err)
			}
			name := fmt.Sprintf("%s sample %03d", key.Group, key.Sample)
			if _, twice := byKey[name]; twice {
				r.t.Errorf("stream %s: %s is there twice", stream, name)
			}
			byKey[name] = row
		}
	}
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(byKey)) {
		rows = append(rows, byKey[name])
	}
	return rows
}

// rowsOf are the rows of an Arrow IPC stream as JSON.
func rowsOf(t *testing.T, stream []byte) []string {
	t.Helper()
	reader, err := ipc.NewReader(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	var text strings.Builder
	for reader.Next() {
		if err := array.RecordToJSON(reader.Record(), &text); err != nil {
			t.Fatal(err)
		}
	}
	if err := reader.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
}

// same fails the test unless got is want, byte for byte.
func (want outcome) same(t *testing.T, got outcome) {
	t.Helper()
	sameFiles(t, want.files, got.files)
	if len(got.rows) != len(want.rows) {
		t.Errorf("%d scored rollouts, want %d", len(got.rows), len(want.rows))
		return
	}
	for i := range want.rows {
		if got.rows[i] != want.rows[i] {
			t.Errorf("scored rollout %d is\n%s\nwant\n%s", i, got.rows[i], want.rows[i])
			return
		}
	}
}

func sameFiles(t *testing.T, want, got map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		switch sum, there := got[name]; {
		case !there:
			t.Errorf("%s is missing", name)
		case sum != want[name]:
			t.Errorf("%s has other bytes", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, expected := want[name]; !expected {
			t.Errorf("%s is there and was not expected", name)
		}
	}
}

// references are the outcomes of undisturbed runs, which several tests compare with.
var references struct {
	sync.Mutex
	of map[[4]int]outcome // by what the results follow from
}

// reference is the outcome of p without further flags, disturbances or workers.
func reference(t *testing.T, p plan) outcome {
	t.Helper()
	key := [4]int{p.steps, p.groups, p.samples, p.lag}
	references.Lock()
	defer references.Unlock()
	if o, done := references.of[key]; done {
		return o
	}
	p.generators, p.scorers, p.more = 1, 1, nil
	r := newRun(t, p)
	r.train()
	o := r.outcome()
	if t.Failed() {
		t.FailNow()
	}
	if references.of == nil {
		references.of = map[[4]int]outcome{}
	}
	references.of[key] = o
	return o
}

// folders are the names of the folders in dir.
func folders(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
