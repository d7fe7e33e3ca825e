package schemas

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestCheckRollouts(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for name, c := range map[string]struct {
		change func(first, second *Rollout)
		want   string // empty: fine
	}{
		"fine": {func(_, _ *Rollout) {}, ""},
		"error without text": {func(_, b *Rollout) {
			b.FinishReason, b.PromptIDs, b.CompletionIDs, b.LogProbs = FinishError, nil, nil, nil
		}, ""},
		"new group":        {func(_, b *Rollout) { b.GroupID, b.Sample, b.Step, b.ProblemID = "h", 0, 9, "q" }, ""},
		"too few logprobs": {func(_, b *Rollout) { b.LogProbs = nil }, "logprobs has 0 elements, completion_ids 2"},
		"nan":              {func(_, b *Rollout) { b.LogProbs[1] = nan }, "logprobs[1] is NaN"},
		"impossible token": {func(_, b *Rollout) { b.LogProbs[0] = inf }, "logprobs[0] is -Inf"},
		"negative token":   {func(_, b *Rollout) { b.CompletionIDs[1] = -1 }, "completion_ids[1] is -1"},
		"negative prompt":  {func(_, b *Rollout) { b.PromptIDs = []int32{-3} }, "prompt_ids[0] is -3"},
		"no prompt":        {func(_, b *Rollout) { b.PromptIDs = nil }, "prompt_ids is empty"},
		"other prompt":     {func(_, b *Rollout) { b.PromptIDs = []int32{9} }, "prompt_ids differs"},
		"no group":         {func(_, b *Rollout) { b.GroupID = "" }, "group_id is empty"},
		"order":            {func(_, b *Rollout) { b.Sample = 0 }, "sample 0 comes after sample 0"},
		"negative sample":  {func(_, b *Rollout) { b.Sample = -1 }, "sample is -1"},
		"other problem":    {func(_, b *Rollout) { b.ProblemID = "q" }, `problem_id "q" differs from the group's "p"`},
		"other step":       {func(_, b *Rollout) { b.Step = 4 }, "step 4 differs from the group's 3"},
		"negative step":    {func(_, b *Rollout) { b.Step = -4 }, "step is -4"},
		"negative version": {func(_, b *Rollout) { b.PolicyVersion = -1 }, "policy_version is -1"},
		"temperature":      {func(_, b *Rollout) { b.Temperature = 0 }, "temperature is 0"},
		"nan temperature":  {func(_, b *Rollout) { b.Temperature = nan }, "temperature is NaN"},
		"reason":           {func(_, b *Rollout) { b.FinishReason = "eos" }, `finish_reason is "eos"`},
	} {
		t.Run(name, func(t *testing.T) {
			make1 := func(sample int32) Rollout {
				return Rollout{GroupID: "g", ProblemID: "p", Sample: sample, Step: 3, PromptIDs: []int32{1}, CompletionIDs: []int32{2, 3},
					LogProbs: []float32{-1, 0}, FinishReason: FinishStop, Temperature: 1}
			}
			a, b := make1(0), make1(1)
			c.change(&a, &b)
			err := CheckRollouts([]Rollout{a, b})
			if c.want == "" && err != nil {
				t.Errorf("got %v, want none", err)
			}
			if c.want != "" && (!errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "row 1") || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want row 1 and %q", err, c.want)
			}
		})
	}
}

func TestCheckScored(t *testing.T) {
	base := Rollout{GroupID: "g", PromptIDs: []int32{1}, FinishReason: FinishStop, Temperature: 1}
	for name, c := range map[string]struct {
		row  Scored
		want string
	}{
		"fine":           {Scored{Rollout: base, Reward: ptr(float32(1)), Advantage: 2}, ""},
		"unscored":       {Scored{Rollout: base}, ""},
		"rollout":        {Scored{}, "group_id is empty"},
		"reward":         {Scored{Rollout: base, Reward: ptr(float32(math.NaN()))}, "reward is NaN"},
		"one of them":    {Scored{Rollout: base, Rewards: map[string]float32{"a": float32(math.Inf(1))}}, `reward "a" is +Inf`},
		"advantage":      {Scored{Rollout: base, Reward: ptr(float32(1)), Advantage: float32(math.NaN())}, "advantage is NaN"},
		"out of nowhere": {Scored{Rollout: base, Advantage: 1}, "advantage is 1 without a reward"},
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckScored([]Scored{c.row})
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ErrValue) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
