package rollout

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/generate/engine"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/device/cpu"
	"openrs/stages/model"
	"openrs/stages/pretrained"
	"openrs/stages/synth"
)

// source hands out batches of problems and notes which were acknowledged.
type source struct {
	t       *testing.T
	batches [][]schemas.Problem
	first   []int64
	next    int
	acked   []string
}

func newSource(t *testing.T, problems []schemas.Problem, batch int) *source {
	s := &source{t: t}
	for i := 0; i < len(problems); i += batch {
		s.batches = append(s.batches, problems[i:min(len(problems), i+batch)])
		s.first = append(s.first, int64(i))
	}
	return s
}

func (s *source) Next(context.Context) (*stages.Delivery, error) {
	if s.next == len(s.batches) {
		return nil, io.EOF
	}
	i := s.next
	s.next++
	rec, err := schemas.Problems().Encode(memory.DefaultAllocator, s.batches[i])
	if err != nil {
		s.t.Fatal(err)
	}
	id := fmt.Sprint("problems/", i+1)
	return stages.NewDelivery(rec, id, uint64(i+1), s.first[i], func(context.Context) error {
		s.acked = append(s.acked, id)
		return nil
	}), nil
}

func (s *source) TryNext(ctx context.Context) (*stages.Delivery, error) {
	d, err := s.Next(ctx)
	if err == io.EOF {
		return nil, nil // as a stream: only Next decides that it has ended
	}
	return d, err
}

func (s *source) Close() error { return nil }

// sink keeps batches by id.
type sink struct {
	t     *testing.T
	ids   []string
	rows  map[string][]schemas.Rollout
	dead  []string
	after func(id string) // called after each write
}

func (s *sink) Write(_ context.Context, rec arrow.Record, id string) error {
	rows, err := schemas.Rollouts().Decode(rec)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, twice := s.rows[id]; twice {
		s.t.Errorf("%s written twice", id)
	}
	s.ids = append(s.ids, id)
	s.rows[id] = rows
	if s.after != nil {
		s.after(id)
	}
	return nil
}

func (s *sink) Dead(_ context.Context, _ *stages.Delivery, reason string) error {
	s.dead = append(s.dead, reason)
	return nil
}
func (s *sink) Finish(context.Context) error { return nil }
func (s *sink) Close() error                 { return nil }

func newSink(t *testing.T) *sink { return &sink{t: t, rows: map[string][]schemas.Rollout{}} }

func (s *sink) all() []schemas.Rollout {
	var rows []schemas.Rollout
	for _, id := range s.ids {
		rows = append(rows, s.rows[id]...)
	}
	slices.SortStableFunc(rows, func(a, b schemas.Rollout) int { return strings.Compare(a.GroupID, b.GroupID) })
	return rows
}

// policies is a store whose versions are random weights; it knows what was asked for.
type policies struct {
	model   *model.Model
	asked   []int64
	trained int64                    // steps below this have been trained on
	final   int64                    // no version beyond this; −1: no end
	ready   func(version int64) bool // may be nil: all are there
}

func (p *policies) Load(_ context.Context, version, step int64) error {
	if step < p.trained {
		return ErrTrained
	}
	if p.final >= 0 && version > p.final {
		return ErrTrainingEnded
	}
	if p.ready != nil && !p.ready(version) {
		return ErrNotYet
	}
	p.asked = append(p.asked, version)
	return p.model.Init(uint64(version) + 1)
}

func newWorker(t *testing.T, opt Options) (*Worker, *policies) {
	t.Helper()
	source, err := pretrained.Open("shape:tiny", 1)
	if err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	m, err := model.New(dev, source.Config, model.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	eng, err := engine.New(m, engine.Options{MaxSequences: 6, CacheTokens: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(eng.Close)
	p := &policies{model: m, final: -1}
	opt.Stop = source.EOS
	return &Worker{
		Engine: engine.NewPool(eng), Prompter: Prompter{Tokenizer: source.Tokenizer}, Policies: p, Options: opt,
		Log: slog.New(slog.DiscardHandler),
	}, p
}

func problems(t *testing.T, n int) []schemas.Problem {
	g, err := synth.New(synth.Options{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	var out []schemas.Problem
	for i := range n {
		out = append(out, g.Problem(uint64(i)))
	}
	return out
}

var options = Options{Plan: Plan{GroupsPerStep: 3}, GroupSize: 2, MaxNewTokens: 5, Temperature: 1, Seed: 9}

// Rollouts of weights that are not a run's are marked with the version that the options say.
func TestFrozenVersion(t *testing.T) {
	opt := options
	opt.Frozen = 40
	w, _ := newWorker(t, opt)
	w.Policies = nil
	out := newSink(t)
	if err := w.Run(context.Background(), newSource(t, problems(t, 4), 2), out); err != nil {
		t.Fatal(err)
	}
	rows := out.all()
	if len(rows) != 8 {
		t.Fatalf("%d rollouts, want 8", len(rows))
	}
	for i, r := range rows {
		if want := int64(i / 2 / 3); r.PolicyVersion != 40 || r.Step != want {
			t.Errorf("row %d: policy %d of step %d, want 40 of %d", i, r.PolicyVersion, r.Step, want)
		}
	}
}

// A batch that belongs to two steps is written in two parts, the first as soon as it is done: the
// second waits for a policy that is made from the first.
func TestBatchesAcrossStepsDoNotWaitForThemselves(t *testing.T) {
	w, p := newWorker(t, options)
	in, out := newSource(t, problems(t, 8), 4), newSink(t)
	if err := w.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	if want := []string{"problems/1/step-0", "problems/1/step-1", "problems/2/step-1", "problems/2/step-2"}; !slices.Equal(slices.Sorted(slices.Values(out.ids)), want) {
		t.Errorf("written %v, want %v", out.ids, want)
	}
	if out.ids[0] != "problems/1/step-0" || out.ids[3] != "problems/2/step-2" {
		t.Errorf("steps out of order: %v", out.ids)
	}
	if want := []int64{0, 1, 2}; !slices.Equal(p.asked, want) {
		t.Errorf("policies %v, want %v", p.asked, want)
	}
	if want := []string{"problems/1", "problems/2"}; !slices.Equal(in.acked, want) {
		t.Errorf("acknowledged %v, want %v", in.acked, want)
	}
	rows := out.all()
	if len(rows) != 16 {
		t.Fatalf("%d rollouts, want 16", len(rows))
	}
	for i, r := range rows {
		number := int64(i / 2)
		if r.Step != number/3 || r.PolicyVersion != r.Step || r.Sample != int32(i%2) || len(r.LogProbs) != len(r.CompletionIDs) {
			t.Errorf("row %d: step %d, policy %d, sample %d, %d log-probabilities of %d tokens", i, r.Step, r.PolicyVersion, r.Sample, len(r.LogProbs), len(r.CompletionIDs))
		}
	}
	if err := schemas.CheckRollouts(rows); err != nil {
		t.Error(err)
	}
}

// The rollouts do not depend on how the problems are cut into batches, or on the lag's being used.
func TestSameRolloutsHoweverBatched(t *testing.T) {
	list := problems(t, 9)
	var want []schemas.Rollout
	for _, batch := range []int{1, 4, 9} {
		w, _ := newWorker(t, options)
		out := newSink(t)
		if err := w.Run(context.Background(), newSource(t, list, batch), out); err != nil {
			t.Fatal(err)
		}
		got := out.all()
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("batches of %d give other rollouts", batch)
		}
	}
}

func TestPlan(t *testing.T) {
	p := Plan{GroupsPerStep: 4, MaxLag: 2}
	for problem, want := range map[int64][2]int64{0: {0, 0}, 3: {0, 0}, 4: {1, 0}, 11: {2, 0}, 12: {3, 1}, 400: {100, 98}} {
		if step := p.Step(problem); step != want[0] || p.Version(step) != want[1] {
			t.Errorf("problem %d: step %d from version %d, want %v", problem, step, p.Version(step), want)
		}
	}
}

// What is delivered again after its step was trained on is acknowledged and not sampled again.
func TestTrainedStepsArePassedOver(t *testing.T) {
	w, p := newWorker(t, options)
	p.trained = 1
	in, out := newSource(t, problems(t, 6), 2), newSink(t)
	if err := w.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	if want := []string{"problems/1", "problems/2", "problems/3"}; !slices.Equal(slices.Sorted(slices.Values(in.acked)), want) {
		t.Errorf("acknowledged %v", in.acked)
	}
	if want := []string{"problems/2/step-1", "problems/3/step-1"}; !slices.Equal(slices.Sorted(slices.Values(out.ids)), want) {
		t.Errorf("written %v", out.ids)
	}
}

// When training ends, what is left is neither written nor acknowledged.
func TestStopsWhenTrainingEnds(t *testing.T) {
	w, p := newWorker(t, options)
	p.final = 0
	in, out := newSource(t, problems(t, 9), 3), newSink(t)
	if err := w.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(in.acked, []string{"problems/1"}) || !slices.Equal(out.ids, []string{"problems/1/step-0"}) {
		t.Errorf("acknowledged %v, written %v", in.acked, out.ids)
	}
}

// leftSource is a source whose first batch was given to a worker that died.
type leftSource struct {
	*source
	asked int // how often for it
}

func (s *leftSource) Reclaim(ctx context.Context, before uint64) (*stages.Delivery, error) {
	if s.asked++; s.asked != 3 || before != 2 {
		return nil, nil
	}
	s.next = 0
	defer func() { s.next = 2 }()
	return s.Next(ctx)
}

// While a worker waits for a policy it takes over the batch that the policy depends on.
func TestBatchesLeftByTheDeadAreTakenOver(t *testing.T) {
	w, p := newWorker(t, options)
	in, out := &leftSource{source: newSource(t, problems(t, 9), 3)}, newSink(t)
	in.next = 1
	p.ready = func(version int64) bool {
		return version == 0 || out.rows[fmt.Sprintf("problems/%d/step-%d", version, version-1)] != nil
	}
	if err := w.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	if want := []string{"problems/1/step-0", "problems/2/step-1", "problems/3/step-2"}; !slices.Equal(out.ids, want) {
		t.Errorf("written %v, want %v", out.ids, want)
	}
	if want := []string{"problems/1", "problems/2", "problems/3"}; !slices.Equal(in.acked, want) {
		t.Errorf("acknowledged %v, want %v", in.acked, want)
	}
}

// A problem that can't be sampled keeps its place in the step.
func TestFailedProblemsStayInTheirStep(t *testing.T) {
	w, _ := newWorker(t, options)
	list := problems(t, 3)
	list[1].Problem = strings.Repeat("1+", 2000)
	in, out := newSource(t, list, 3), newSink(t)
	if err := w.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	rows := out.all()
	if len(rows) != 6 {
		t.Fatalf("%d rollouts, want 6", len(rows))
	}
	for i, r := range rows {
		if failed := i/2 == 1; (r.FinishReason == schemas.FinishError) != failed || failed != (len(r.CompletionIDs) == 0) {
			t.Errorf("row %d: %s with %d tokens", i, r.FinishReason, len(r.CompletionIDs))
		}
	}
	if len(out.dead) != 1 || !strings.Contains(out.dead[0], "prompt too long") {
		t.Errorf("dead letters %q", out.dead)
	}
	if len(in.acked) != 1 {
		t.Errorf("acknowledged %v", in.acked)
	}
}

// Rows that number their samples are one group, and its samples are those of one request for all.
func TestNumberedSamples(t *testing.T) {
	p := problems(t, 2)
	var numbered []schemas.Problem
	for _, q := range p {
		for k := range 5 {
			numbered = append(numbered, stages.NumberSample(q, k))
		}
	}
	opt := options
	opt.GroupSize = 7 // not used: the rows say how many
	completions := func(batch int) []string {
		w, _ := newWorker(t, opt)
		w.Policies = nil
		out := newSink(t)
		if err := w.Run(context.Background(), newSource(t, numbered, batch), out); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, r := range out.all() {
			texts = append(texts, fmt.Sprint(r.ProblemID, r.Sample, r.CompletionIDs))
		}
		slices.Sort(texts)
		return texts
	}
	whole := completions(10)
	if len(whole) != 10 {
		t.Fatalf("%d completions, want 10", len(whole))
	}
	if cut := completions(3); !slices.Equal(cut, whole) {
		t.Errorf("batches that cut a problem's rows give\n%v\nwant\n%v", cut, whole)
	}
}
