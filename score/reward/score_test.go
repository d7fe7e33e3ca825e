package reward

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/score/answer"
	"openrs/stages/summary"
)

// rollout makes one with a completion of n tokens.
func rollout(group string, sample int32, gold, completion, finish string, n int) schemas.Rollout {
	return schemas.Rollout{GroupID: group, Sample: sample, Answer: gold, Completion: completion, FinishReason: finish,
		PromptIDs: []int32{1}, CompletionIDs: make([]int32, n), LogProbs: make([]float32, n), Temperature: 1}
}

func scorer(t *testing.T, cfg Config) *Scorer {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var twoRewards = []Weighted{{Name: "accuracy", Weight: 1}, {Name: "format", Weight: 0.1}}

// message is two groups of two: rewards 1.1 and 0; 0 and 0 (one cut off).
func message() []schemas.Rollout {
	return []schemas.Rollout{
		rollout("a", 0, "38", "<think>\n</think>\n\\boxed{38}", "stop", 10),
		rollout("a", 1, "38", "I don't know", "stop", 4),
		rollout("b", 0, "1/2", "\\boxed{2}", "length", 16),
		rollout("b", 1, "1/2", "\\boxed{3}", "stop", 6),
	}
}

func TestScoreByHand(t *testing.T) {
	std := 1.1 / math.Sqrt2 // of 1.1 and 0
	batch := math.Sqrt((0.825*0.825 + 3*0.275*0.275) / 3)
	for _, tc := range []struct {
		scale     string
		advantage float64 // of the first row; the second has the negative
		spread    float64 // reward_std
	}{
		{ScaleGroup, 0.55 / (std + 1e-4), std / 2},
		{ScaleBatch, 0.55 / (batch + 1e-4), std / 2},
		{ScaleNone, 0.55, std / 2},
	} {
		t.Run(tc.scale, func(t *testing.T) {
			rows := message()
			got := scorer(t, Config{Rewards: twoRewards, Scale: tc.scale, GroupSize: 2}).Score(rows)
			if len(got.Failures) > 0 || len(got.Scored) != 4 {
				t.Fatalf("%d rows, failures %v", len(got.Scored), got.Failures)
			}
			for i, want := range []struct {
				reward, advantage, accuracy, format float64
				correct                             bool
				extracted                           string
			}{
				{1.1, tc.advantage, 1, 1, true, "38"}, {0, -tc.advantage, 0, 0, false, ""}, {0, 0, 0, 0, false, "2"}, {0, 0, 0, 0, false, "3"},
			} {
				r := got.Scored[i]
				if !reflect.DeepEqual(r.Rollout, rows[i]) {
					t.Errorf("row %d: the rollout changed", i)
				}
				near(t, "reward", float64(*r.Reward), want.reward, 1e-7)
				near(t, "advantage", float64(r.Advantage), want.advantage, 1e-6)
				near(t, "accuracy", float64(r.Rewards["accuracy"]), want.accuracy, 0)
				near(t, "format", float64(r.Rewards["format"]), want.format, 0)
				if len(r.Rewards) != 2 || r.Correct == nil || *r.Correct != want.correct {
					t.Errorf("row %d: %v, correct %v", i, r.Rewards, r.Correct)
				}
				if (r.Extracted == nil) != (want.extracted == "") || r.Extracted != nil && *r.Extracted != want.extracted {
					t.Errorf("row %d: extracted %v, want %q", i, r.Extracted, want.extracted)
				}
			}
			if err := schemas.CheckScored(got.Scored); err != nil {
				t.Error(err)
			}
			metrics := map[string]float64{
				"reward": 0.275, "reward_std": tc.spread, "frac_reward_zero_std": 0.5,
				"rewards/accuracy/mean": 0.25, "rewards/accuracy/std": 0.5, "rewards/format/mean": 0.25, "rewards/format/std": 0.5,
				"completions/mean_length": 9, "completions/min_length": 4, "completions/max_length": 16, "completions/clipped_ratio": 0.25,
				"completions/mean_terminated_length": 20. / 3, "completions/min_terminated_length": 4, "completions/max_terminated_length": 10,
			}
			for _, m := range summary.Scored(got.Scored) {
				want, ok := metrics[m.Name]
				if !ok {
					t.Errorf("unexpected metric %s", m.Name)
				}
				near(t, m.Name, m.Value, want, 1e-7)
				delete(metrics, m.Name)
			}
			if len(metrics) > 0 {
				t.Errorf("metrics missing: %v", metrics)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	good := []schemas.Rollout{rollout("good", 0, "1", "\\boxed{1}", "stop", 3), rollout("good", 1, "1", "\\boxed{2}", "stop", 3)}
	for _, tc := range []struct {
		name string
		err  error
		says string
		size int
		rows []schemas.Rollout
	}{
		{"gold", answer.ErrGold, "accuracy", 0, []schemas.Rollout{rollout("x", 0, "", "\\boxed{1}", "stop", 1), rollout("x", 1, "", "\\boxed{1}", "stop", 1)}},
		{"error", ErrRollout, "sample 1", 0, []schemas.Rollout{rollout("x", 0, "1", "\\boxed{1}", "stop", 1), rollout("x", 1, "1", "", "error", 0)}},
		{"short", ErrSamples, "2 of 3 samples, without 1", 3, []schemas.Rollout{rollout("x", 0, "1", "", "stop", 1), rollout("x", 2, "1", "", "stop", 1)}},
		{"gap", ErrSamples, "sample 2", 0, []schemas.Rollout{rollout("x", 0, "1", "", "stop", 1), rollout("x", 2, "1", "", "stop", 1)}},
		{"twice", ErrSamples, "twice", 0, []schemas.Rollout{rollout("x", 0, "1", "", "stop", 1), rollout("x", 0, "1", "", "stop", 1)}},
		{"negative", ErrSamples, "sample -1", 0, []schemas.Rollout{rollout("x", -1, "1", "", "stop", 1)}},
		{"golds", ErrSamples, "gold", 0, []schemas.Rollout{rollout("x", 0, "1", "", "stop", 1), rollout("x", 1, "2", "", "stop", 1)}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows := slices.Concat(tc.rows, good)
			got := scorer(t, Config{Rewards: twoRewards, GroupSize: tc.size}).Score(rows)
			if len(got.Failures) == 0 || got.Failures[0].GroupID != "x" || !errors.Is(got.Failures[0].Err, tc.err) || !strings.Contains(got.Failures[0].Err.Error(), tc.says) {
				t.Fatalf("failures %v, want %v about %q", got.Failures, tc.err, tc.says)
			}
			for i := range got.Scored {
				bad := i < len(tc.rows) || tc.size == 3 // where each group must have three, the good one is short too
				if (got.Scored[i].Reward == nil) != bad || bad && (got.Scored[i].Advantage != 0 || got.Scored[i].Correct != nil || got.Scored[i].Rewards != nil) {
					t.Errorf("row %d: %+v", i, got.Scored[i])
				}
			}
		})
	}
}

// TestNoAnswerNeeded: rewards that don't look at the answer score problems without one.
func TestNoAnswerNeeded(t *testing.T) {
	got := scorer(t, Config{Rewards: []Weighted{{Name: "format", Weight: 1}}, Prefix: "<think>\n"}).Score([]schemas.Rollout{
		rollout("a", 0, "", "x\n</think>\ny", "stop", 1), rollout("a", 1, "", "y", "stop", 1)})
	if len(got.Failures) > 0 || *got.Scored[0].Reward != 1 || got.Scored[0].Correct != nil || got.Scored[0].Extracted != nil {
		t.Errorf("%+v", got)
	}
}

// TestNullValues: a reward function without a value for a row leaves the others' sum; one without any
// value fails the group.
func TestNullValues(t *testing.T) {
	nan := float32(math.NaN())
	s := scorer(t, Config{Rewards: twoRewards})
	s.funcs = []Func{
		func(*Group) ([]float32, error) { return []float32{nan, 1}, nil },
		func(*Group) ([]float32, error) { return []float32{2, 0}, nil },
	}
	rows := []schemas.Rollout{rollout("a", 0, "1", "", "stop", 1), rollout("a", 1, "1", "", "stop", 1)}
	got := s.Score(rows)
	if len(got.Failures) > 0 || *got.Scored[0].Reward != 0.2 || *got.Scored[1].Reward != 1 {
		t.Fatalf("%+v", got)
	}
	if _, ok := got.Scored[0].Rewards["accuracy"]; ok {
		t.Error("a missing value is in the row")
	}
	s.funcs[1] = s.funcs[0]
	if got = s.Score(rows); len(got.Failures) != 1 || !errors.Is(got.Failures[0].Err, ErrNoValue) {
		t.Errorf("failures %v", got.Failures)
	}
}

func TestEmptyMessage(t *testing.T) {
	got := scorer(t, Config{Rewards: twoRewards}).Score(nil)
	if len(got.Scored) != 0 || len(got.Failures) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		says string
		cfg  Config
	}{
		{"no reward function", Config{}},
		{"did you mean", Config{Rewards: []Weighted{{Name: "formatt", Weight: 1}}}},
		{"scale_rewards", Config{Rewards: twoRewards, Scale: "std"}},
		{"group size", Config{Rewards: twoRewards, GroupSize: -1}},
		{"no function for the external", Config{Rewards: []Weighted{{Name: "exec", Weight: 1, Command: "cat"}}}},
		{"max_leng", Config{Rewards: []Weighted{{Name: "cosine", Weight: 1, Params: map[string]string{"max_leng": "5"}}}}},
		{"finite", Config{Rewards: []Weighted{{Name: "format", Weight: math.NaN()}}}},
	} {
		if _, err := New(tc.cfg); !errors.Is(err, ErrConfig) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%+v: error %v, want one about %q", tc.cfg, err, tc.says)
		}
	}
}

// TestExternal: a function from outside the table has its value under its name; its error fails the
// group, and so does a wrong number of values or an infinite one.
func TestExternal(t *testing.T) {
	var give []float32
	var fail error
	s := scorer(t, Config{Rewards: []Weighted{{Name: "exec/mine", Weight: 2, Command: "x"}}, External: map[string]Func{
		"exec/mine": func(*Group) ([]float32, error) { return give, fail },
	}})
	rows := []schemas.Rollout{rollout("a", 0, "1", "", "stop", 1), rollout("a", 1, "1", "", "stop", 1)}
	give = []float32{1, 3}
	got := s.Score(rows)
	if len(got.Failures) > 0 || *got.Scored[1].Reward != 6 || got.Scored[1].Rewards["exec/mine"] != 3 {
		t.Fatalf("%+v", got)
	}
	for _, tc := range []struct {
		says string
		give []float32
		err  error
	}{{"broken pipe", nil, errors.New("broken pipe")}, {"1 values for 2", []float32{1}, nil}, {"+Inf", []float32{1, float32(math.Inf(1))}, nil}} {
		give, fail = tc.give, tc.err
		got := s.Score(rows)
		if len(got.Failures) != 1 || !strings.Contains(got.Failures[0].Err.Error(), tc.says) || got.Scored[0].Reward != nil || got.Scored[0].Rewards != nil {
			t.Errorf("%s: %+v", tc.says, got)
		}
	}
}
