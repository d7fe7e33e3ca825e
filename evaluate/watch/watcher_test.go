package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"openrs/evaluate/job"
	"openrs/schemas"
	"openrs/stages/bus"
	"openrs/stages/checkpoint"
	"openrs/stages/pretrained"
)

// training is a policy store in memory whose versions the test publishes.
type training struct {
	dir   string
	mu    sync.Mutex
	have  map[int64]bus.Policy
	last  int64
	final int64
}

func newTraining(t *testing.T) *training {
	return &training{dir: t.TempDir(), have: map[int64]bus.Policy{}, last: unknown, final: unknown}
}

// publish publishes versions up to one, of which the newest keep stay.
func (s *training) publish(t *testing.T, to int64, keep int64) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for v := s.last + 1; v <= to; v++ {
		path := filepath.Join(s.dir, fmt.Sprint(v))
		if err := os.WriteFile(path, fmt.Append(nil, "weights ", v), 0o666); err != nil {
			t.Fatal(err)
		}
		s.have[v] = bus.Policy{Version: v, Digest: fmt.Sprint("digest of ", v), File: path}
		s.last = v
		if old, ok := s.have[v-keep]; ok {
			os.Remove(old.File)
			delete(s.have, v-keep)
		}
	}
}

func (s *training) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.final = s.last
}

func (s *training) Get(_ context.Context, v int64) (bus.Policy, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.have[v]; ok {
		return p, nil
	}
	return bus.Policy{}, bus.ErrNotFound
}

func (s *training) Latest(ctx context.Context) (bus.Policy, error) {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	return s.Get(ctx, last)
}

func (s *training) Final(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.final == unknown {
		return 0, bus.ErrNotFound
	}
	return s.final, nil
}

func (s *training) Wait(ctx context.Context, v int64) (bus.Policy, error) {
	for {
		p, err := s.Get(ctx, v)
		s.mu.Lock()
		last, final := s.last, s.final
		s.mu.Unlock()
		switch {
		case err == nil:
			return p, nil
		case last >= v:
			return p, bus.ErrGone
		case final != unknown && final < v:
			return p, bus.ErrNoMorePolicies
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
}

func (s *training) Open(_ context.Context, p bus.Policy, _ string) (string, error) {
	if _, err := os.Stat(p.File); err != nil {
		return "", fmt.Errorf("%w: %w", bus.ErrGone, err)
	}
	return p.File, nil
}

// bench is a watcher with a fake evaluation, which notes what it was asked for.
type bench struct {
	*Watcher
	calls, told []int64
	during      func(version int64) error // of an evaluation
}

func newBench(t *testing.T, s *training, b Budget, dir string) *bench {
	t.Helper()
	m, err := pretrained.Open(pretrained.Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	x := &bench{}
	x.Watcher = &Watcher{
		Policies: s, Budget: b, Dir: dir, Log: slog.New(slog.DiscardHandler),
		Base: Base{Name: "tiny", Config: m.Config, Companions: m.Companions},
		Evaluate: func(_ context.Context, m job.Model) ([]Score, error) {
			weights, err := os.ReadFile(filepath.Join(m.Path, checkpoint.WeightsFile))
			if err != nil || string(weights) != fmt.Sprint("weights ", m.Version) {
				t.Errorf("version %d: %q, %v", m.Version, weights, err)
			}
			x.calls = append(x.calls, m.Version)
			if x.during != nil {
				if err := x.during(m.Version); err != nil {
					return nil, err
				}
			}
			return []Score{{Task: "a", Accuracy: float64(m.Version) / 100}}, nil
		},
		Tell: func(_ context.Context, e Evaluated) { x.told = append(x.told, e.Version) },
		Show: func(context.Context, *Ledger) error { return nil },
	}
	return x
}

func versions(l *Ledger) (evaluated, skipped []int64) {
	for _, e := range l.Evaluated {
		evaluated = append(evaluated, e.Version)
	}
	for _, s := range l.Skipped {
		skipped = append(skipped, s.Version)
	}
	return evaluated, skipped
}

// A watcher that falls behind takes the newest, although training removes what it did not take.
func TestFallingBehind(t *testing.T) {
	s := newTraining(t)
	s.publish(t, 0, 1)
	x := newBench(t, s, Budget{Every: 2}, t.TempDir())
	x.during = func(v int64) error {
		switch v {
		case 0: // meanwhile versions 2 to 7 come one by one, and go
			for to := int64(1); to <= 7; to++ {
				s.publish(t, to, 1)
				if to%2 == 0 {
					x.awaitPending(t, to)
				}
			}
		case 6:
			s.publish(t, 8, 1)
			x.awaitPending(t, 8)
			s.publish(t, 11, 1) // version 10 goes before anybody sees it
			s.end()
			x.awaitPending(t, 11)
		}
		return nil
	}
	l, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	evaluated, skipped := versions(l)
	if !slices.Equal(evaluated, []int64{0, 6, 11}) || !slices.Equal(skipped, []int64{2, 4, 8, 10}) {
		t.Errorf("evaluated %v and skipped %v, want 0, 6, 11 and 2, 4, 8, 10", evaluated, skipped)
	}
	if !slices.Equal(x.calls, evaluated) || !slices.Equal(x.told, evaluated) {
		t.Errorf("evaluated %v, told of %v", x.calls, x.told)
	}
	var table bytes.Buffer
	if err := l.WriteTable(&table); err != nil || !strings.Contains(table.String(), "- step 8: version 11 came while it waited") {
		t.Errorf("%v\n%s", err, table.String())
	}
	if left, _ := filepath.Glob(filepath.Join(x.Dir, "policies", "*")); len(left) > 0 {
		t.Errorf("folders left: %v", left)
	}
}

// awaitPending waits until the version's folder is made and waits to be evaluated, if it is to be had at all.
func (x *bench) awaitPending(t *testing.T, version int64) {
	for range 5000 {
		c := x.catcher
		c.mu.Lock()
		there := c.pending != nil && c.pending.policy.Version == version
		c.mu.Unlock()
		if there {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("version %d is not caught", version)
}

var errKilled = errors.New("killed")

// Stopped in the middle of an evaluation, a watcher goes on with it even though training has removed the policy.
func TestGoingOn(t *testing.T) {
	s := newTraining(t)
	s.publish(t, 0, 1)
	dir := t.TempDir()
	b := Budget{Every: 1}
	first := newBench(t, s, b, dir)
	first.during = func(v int64) error {
		if v == 0 {
			s.publish(t, 1, 1)
			first.awaitPending(t, 1)
			return nil
		}
		s.publish(t, 3, 1)
		return errKilled
	}
	if _, err := first.Run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	s.end()
	second := newBench(t, s, b, dir)
	l, err := second.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	evaluated, skipped := versions(l)
	if !slices.Equal(second.calls, []int64{1, 3}) || !slices.Equal(second.told, []int64{1, 3}) || !slices.Equal(evaluated, []int64{0, 1, 3}) || !slices.Equal(skipped, []int64{2}) {
		t.Errorf("the second evaluated %v, told of %v; together %v, skipped %v", second.calls, second.told, evaluated, skipped)
	}
	// A third has nothing to do, until training goes on.
	third := newBench(t, s, b, dir)
	if _, err := third.Run(t.Context()); err != nil || len(third.calls)+len(third.told) > 0 {
		t.Errorf("%v: evaluated %v, told of %v", err, third.calls, third.told)
	}
	s.publish(t, 4, 1)
	s.end()
	if _, err := third.Run(t.Context()); err != nil || !slices.Equal(third.calls, []int64{4}) {
		t.Errorf("%v: evaluated %v", err, third.calls)
	}
	// Another run of the same name is not gone on with.
	s.have[4] = bus.Policy{Version: 4, Digest: "other"}
	if _, err := third.Run(t.Context()); !errors.Is(err, ErrOtherPolicies) {
		t.Error(err)
	}
}

// An interrupted evaluation whose folder is lost and whose policy is gone is given up, and said to be.
func TestInterruptedAndGone(t *testing.T) {
	s := newTraining(t)
	s.publish(t, 0, 1)
	dir := t.TempDir()
	first := newBench(t, s, Budget{Every: 1}, dir)
	first.during = func(int64) error { return errKilled }
	if _, err := first.Run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "policies")); err != nil {
		t.Fatal(err)
	}
	s.publish(t, 2, 1)
	s.end()
	second := newBench(t, s, Budget{Every: 1}, dir)
	l, err := second.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if evaluated, skipped := versions(l); !slices.Equal(evaluated, []int64{2}) || !slices.Equal(skipped, []int64{0, 1}) {
		t.Errorf("evaluated %v, skipped %v", evaluated, skipped)
	}
}

// A budget of evaluations keeps one for the last policy, whenever policies come.
func TestBudgetKeepsTheLast(t *testing.T) {
	s := newTraining(t)
	s.publish(t, 0, 3)
	x := newBench(t, s, Budget{Every: 1, Evaluations: 3}, t.TempDir())
	x.during = func(v int64) error {
		s.publish(t, v+2, 3)
		if v > 0 {
			s.publish(t, 9, 3)
			s.end()
		}
		return nil
	}
	l, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if evaluated, _ := versions(l); len(evaluated) != 3 || evaluated[2] != 9 {
		t.Errorf("evaluated %v, want three and the last", evaluated)
	}
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	weights := filepath.Join(dir, "bytes")
	if err := os.WriteFile(weights, []byte("weights"), 0o666); err != nil {
		t.Fatal(err)
	}
	m, err := pretrained.Open(pretrained.Tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	base := Base{Name: "/models/base", Config: m.Config, Companions: m.Companions}
	full := filepath.Join(dir, "full")
	for range 2 { // what a kill has left is replaced
		if err := base.Folder(full, weights, bus.Policy{Version: 3}); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove(weights)
	text, err := os.ReadFile(filepath.Join(full, checkpoint.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := checkpoint.ParseConfig(text)
	if err != nil || cfg.Hidden != m.Config.Hidden || cfg.DType != "float32" {
		t.Errorf("%+v, %v", cfg, err)
	}
	for _, name := range []string{"model.safetensors", "tokenizer.json"} {
		if info, err := os.Stat(filepath.Join(full, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := base.Folder(full, weights, bus.Policy{Version: 3}); !gone(err) {
		t.Errorf("of bytes that are gone: %v", err)
	}
	// A policy of adapters becomes a folder of adapters on the base as it is known here.
	if err := os.WriteFile(weights, []byte("adapters"), 0o666); err != nil {
		t.Fatal(err)
	}
	adapters := filepath.Join(dir, "adapters")
	meta := map[string]string{MetaAdapter: `{"r": 8, "base_model_name_or_path": "/elsewhere"}`}
	if err := base.Folder(adapters, weights, bus.Policy{Version: 3, Meta: meta}); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(adapters, "adapter_config.json"))
	if err != nil || !strings.Contains(string(text), `"/models/base"`) || !strings.Contains(string(text), `"r": 8`) {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := os.Stat(filepath.Join(adapters, "adapter_model.safetensors")); err != nil {
		t.Error(err)
	}
	if err := base.Folder(adapters, weights, bus.Policy{Meta: map[string]string{MetaAdapter: "{"}}); err == nil {
		t.Error("malformed metadata are accepted")
	}
}

func TestLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.json")
	l, err := ReadLedger(path)
	if err != nil || l.after() != unknown {
		t.Fatalf("%+v, %v", l, err)
	}
	l.Evaluated = []Evaluated{{Version: 2, Seconds: 1.5}, {Version: 5, Seconds: 2}}
	l.Skipped = []Skipped{{7, "x"}}
	if err := l.Save(path); err != nil {
		t.Fatal(err)
	}
	l, err = ReadLedger(path)
	if err != nil || l.after() != 7 || l.spent() != 3500*time.Millisecond {
		t.Errorf("%+v, %v", l, err)
	}
	for _, text := range []string{"{", `{"evaluated":[{"version":5},{"version":5}]}`} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadLedger(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestScoreRows(t *testing.T) {
	right, wrong := true, false
	row := func(source, problem string, correct *bool, tokens int, finish string) schemas.Scored {
		return schemas.Scored{Rollout: schemas.Rollout{Source: source, ProblemID: problem, CompletionIDs: make([]int32, tokens), FinishReason: finish}, Correct: correct}
	}
	s := ScoreRows("a", []schemas.Scored{
		row("a", "1", &right, 10, "stop"), row("a", "1", &wrong, 20, "length"), row("a", "2", &right, 30, "stop"), row("a", "2", &right, 40, "stop"),
		row("a", "3", nil, 99, "stop"), row("a", "4", &wrong, 0, "error"), row("b", "5", &wrong, 99, "stop"),
	})
	if s.Accuracy != 0.75 || s.Problems != 2 || s.Samples != 4 || s.Tokens != 25 || s.Truncated != 0.25 || s.Interval[0] > 0.75 || s.Interval[1] < 0.75 {
		t.Errorf("%+v", s)
	}
	if s := ScoreRows("c", nil); s.Samples != 0 || s.Accuracy != 0 {
		t.Errorf("of nothing: %+v", s)
	}
}
