package stage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/memory"

	"openrs/schemas"
	"openrs/score/answer"
	"openrs/score/reward"
	"openrs/stages"
)

// story is a source and a sink that write down what happens, in order.
type story struct {
	t       *testing.T
	batches [][]schemas.Rollout
	events  []string
	scored  []schemas.Scored
}

func (s *story) Next(context.Context) (*stages.Delivery, error) {
	if len(s.batches) == 0 {
		return nil, io.EOF
	}
	rec, err := schemas.Rollouts().Encode(memory.DefaultAllocator, s.batches[0])
	if err != nil {
		s.t.Fatal(err)
	}
	id := s.batches[0][0].GroupID
	s.batches = s.batches[1:]
	return stages.NewDelivery(rec, id, 1, 0, func(context.Context) error {
		s.events = append(s.events, "ack "+id)
		return nil
	}), nil
}

func (s *story) TryNext(ctx context.Context) (*stages.Delivery, error) { return s.Next(ctx) }

func (s *story) Close() error { return nil }

func (s *story) Write(_ context.Context, rec arrow.Record, id string) error {
	rows, err := schemas.ScoredRollouts().Decode(rec)
	if err != nil {
		s.t.Fatal(err)
	}
	s.scored = append(s.scored, rows...)
	s.events = append(s.events, "write "+id)
	return nil
}

func (s *story) Dead(_ context.Context, d *stages.Delivery, reason string) error {
	if reason == "" {
		s.t.Error("a dead letter without a reason")
	}
	s.events = append(s.events, "dead "+d.ID)
	return nil
}

func (s *story) Finish(context.Context) error {
	s.events = append(s.events, "finish")
	return nil
}

// batch is a group of completions; tag them "right" or "wrong".
func batch(id, gold string, answers ...string) []schemas.Rollout {
	var out []schemas.Rollout
	for i, a := range answers {
		out = append(out, schemas.Rollout{GroupID: id, ProblemID: id, Sample: int32(i), Answer: gold, Completion: `\boxed{` + a + `}`, FinishReason: schemas.FinishStop,
			PromptIDs: []int32{1}, CompletionIDs: []int32{2}, LogProbs: []float32{-1}, Temperature: 1})
	}
	return out
}

// play runs the stage over a story.
func play(t *testing.T, opt Options, batches ...[]schemas.Rollout) (*story, string, error) {
	t.Helper()
	weights, err := reward.Parse("accuracy,format=0.1")
	if err != nil {
		t.Fatal(err)
	}
	scorer, err := reward.New(reward.Config{Rewards: weights})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := &story{t: t, batches: batches}
	l := &loop{env: &stages.Env{Log: slog.New(slog.NewTextHandler(&log, nil))}, scorer: scorer, opt: opt, in: s, out: s}
	if opt.Preflight {
		l.preflight = reward.NewPreflight(scorer)
	}
	err = l.run(t.Context())
	return s, log.String(), err
}

func TestLoop(t *testing.T) {
	s, log, err := play(t, Options{}, batch("a", "5", "5", "6"), batch("b", "", "5"), batch("c", "1", "1", "1"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"write a", "ack a", "dead b", "write b", "ack b", "write c", "ack c", "finish"}
	if !slices.Equal(s.events, want) {
		t.Errorf("%q, want %q", s.events, want)
	}
	if len(s.scored) != 5 || *s.scored[0].Reward != 1 || *s.scored[1].Reward != 0 || s.scored[2].Reward != nil || s.scored[2].Advantage != 0 {
		t.Errorf("%+v", s.scored)
	}
	if !strings.Contains(log, "groups=3 failed=1 completions=5 correct=3") || strings.Contains(log, "PREFLIGHT") {
		t.Error(log)
	}
}

// TestPreflight: it warns once, and delays and loses nothing; when strict it stops with the batch not
// acknowledged.
func TestPreflight(t *testing.T) {
	var batches [][]schemas.Rollout
	for n := range 20 {
		batches = append(batches, batch(fmt.Sprint("g", n), "5", "5", "6", "7", "5"))
	}
	s, log, err := play(t, Options{Preflight: true}, batches...)
	if err != nil || len(s.scored) != 80 || len(s.events) != 41 || s.events[0] != "write g0" || s.events[1] != "ack g0" {
		t.Fatalf("%d rows, %q, %v", len(s.scored), s.events, err)
	}
	if strings.Count(log, "PREFLIGHT") != 1 || !strings.Contains(log, "reward format is 0 for each of the first 32 completions") || !strings.Contains(log, "level=ERROR") {
		t.Error(log)
	}
	s, _, err = play(t, Options{Preflight: true, Strict: true}, batches...)
	if !errors.Is(err, ErrPreflight) || !strings.Contains(err.Error(), "format is 0") || s.events[len(s.events)-1] != "ack g6" {
		t.Errorf("%q, %v", s.events, err)
	}
	s, _, err = play(t, Options{Preflight: true, Strict: true}, batches[:2]...)
	if !errors.Is(err, ErrPreflight) || slices.Contains(s.events, "finish") {
		t.Errorf("a short input: %q, %v", s.events, err)
	}
	if _, log, err = play(t, Options{Strict: true}, batches...); err != nil || strings.Contains(log, "PREFLIGHT") {
		t.Errorf("switched off: %v, %s", err, log)
	}
}

// TestBroken: when a reward process is given up the batch at hand is neither written nor acknowledged.
func TestBroken(t *testing.T) {
	calls := 0
	gone := errors.New("gone")
	s, _, err := play(t, Options{Broken: func() error {
		if calls++; calls == 2 {
			return gone
		}
		return nil
	}}, batch("a", "5", "5"), batch("b", "5", "5"))
	if !errors.Is(err, gone) || !slices.Equal(s.events, []string{"write a", "ack a"}) {
		t.Errorf("%q, %v", s.events, err)
	}
}

func TestCompat(t *testing.T) {
	var log bytes.Buffer
	l := slog.New(slog.NewTextHandler(&log, nil))
	if on, err := Compat("", true, l); on || err != nil || log.Len() > 0 {
		t.Errorf("%v, %v, %s", on, err, &log)
	}
	if on, err := Compat("open-rs", false, l); !on || err != nil || !strings.Contains(log.String(), "unreadable gold") || !strings.Contains(log.String(), "characters") {
		t.Errorf("%v, %v, %s", on, err, &log)
	}
	for study, profile := range map[string]bool{"openrs": false, "open-rs": true} {
		if _, err := Compat(study, profile, l); err == nil {
			t.Errorf("%s with a profile %v: no error", study, profile)
		}
	}
}

func TestVerifyLine(t *testing.T) {
	line := stages.Object{}
	for key, value := range map[string]any{"gold": "$1/2$", "prediction": `so \boxed{0.5}`, "id": 7} {
		if err := line.Set(key, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := Verify(answer.Reward(), true)(line); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"correct": "true", "extracted": `"0.5"`, "gold_parsed": `"1/2"`, "id": "7", "prediction": `"so \\boxed{0.5}"`} {
		if string(line[key]) != want {
			t.Errorf("%s is %s, want %s", key, line[key], want)
		}
	}
	if !strings.Contains(string(line["candidates"]), `"from":"box"`) || !strings.HasPrefix(string(line["reason"]), `"equal: `) || len(line["prediction_parsed"]) < 3 {
		t.Errorf("%s", line)
	}
	if err := line.Set("gold", `\boxed{`); err != nil {
		t.Fatal(err)
	}
	if err := Verify(answer.Reward(), false)(line); err != nil || string(line["correct"]) != "false" || !strings.Contains(string(line["reason"]), "unreadable gold") {
		t.Errorf("%s, %v", line, err)
	}
	delete(line, "gold")
	if err := Verify(answer.Reward(), false)(line); err == nil || !strings.Contains(err.Error(), "gold") {
		t.Errorf("error %v", err)
	}
}
