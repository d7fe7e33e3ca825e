package schemas

import (
	"fmt"
	"math"
	"slices"
)

// CheckRollouts checks what the types can't say: one log-probability for each completion token, token
// ids from 0, finite numbers, a positive temperature, a known finish reason, and groups whose rows
// agree on problem, prompt and step and come in order of sample. The error wraps [ErrValue] and names
// the row (from 0), its group and the column.
func CheckRollouts(rows []Rollout) error {
	for i := range rows {
		r := &rows[i]
		if err := r.check(); err != nil {
			return fmt.Errorf("%w: row %d, group %q: %w", ErrValue, i, r.GroupID, err)
		}
		if i > 0 && rows[i-1].GroupID == r.GroupID {
			if err := r.follows(&rows[i-1]); err != nil {
				return fmt.Errorf("%w: row %d, group %q: %w", ErrValue, i, r.GroupID, err)
			}
		}
	}
	return nil
}

// CheckScored is [CheckRollouts] for scored rollouts; rewards and advantages must also be finite, and
// the advantage 0 where there is no reward.
func CheckScored(rows []Scored) error {
	plain := make([]Rollout, len(rows))
	for i := range rows {
		plain[i] = rows[i].Rollout
	}
	if err := CheckRollouts(plain); err != nil {
		return err
	}
	for i := range rows {
		if err := rows[i].checkScore(); err != nil {
			return fmt.Errorf("%w: row %d, group %q: %w", ErrValue, i, rows[i].GroupID, err)
		}
	}
	return nil
}

func (r *Rollout) check() error {
	if len(r.LogProbs) != len(r.CompletionIDs) {
		return fmt.Errorf("logprobs has %d elements, completion_ids %d; want the same", len(r.LogProbs), len(r.CompletionIDs))
	}
	for i, id := range r.PromptIDs {
		if id < 0 {
			return fmt.Errorf("prompt_ids[%d] is %d, want a token from 0", i, id)
		}
	}
	for i, id := range r.CompletionIDs {
		if id < 0 {
			return fmt.Errorf("completion_ids[%d] is %d, want a token from 0", i, id)
		}
		if !finite(r.LogProbs[i]) {
			return fmt.Errorf("logprobs[%d] is %v, want a finite number", i, r.LogProbs[i])
		}
	}
	switch {
	case r.GroupID == "":
		return fmt.Errorf("group_id is empty")
	case r.Sample < 0:
		return fmt.Errorf("sample is %d, want 0 or more", r.Sample)
	case r.Step < 0:
		return fmt.Errorf("step is %d, want 0 or more", r.Step)
	case r.PolicyVersion < 0:
		return fmt.Errorf("policy_version is %d, want 0 or more", r.PolicyVersion)
	case !finite(r.Temperature) || r.Temperature <= 0:
		return fmt.Errorf("temperature is %v, want a positive number (greedy sampling records 1)", r.Temperature)
	case !slices.Contains(FinishReasons(), r.FinishReason):
		return fmt.Errorf("finish_reason is %q, want stop, length or error", r.FinishReason)
	case len(r.PromptIDs) == 0 && r.FinishReason != FinishError:
		return fmt.Errorf("prompt_ids is empty, and finish_reason is not error")
	}
	return nil
}

// follows checks r against the row before it in its group.
func (r *Rollout) follows(prev *Rollout) error {
	switch {
	case r.Sample <= prev.Sample:
		return fmt.Errorf("sample %d comes after sample %d, want them in order", r.Sample, prev.Sample)
	case r.ProblemID != prev.ProblemID:
		return fmt.Errorf("problem_id %q differs from the group's %q", r.ProblemID, prev.ProblemID)
	case r.Step != prev.Step:
		return fmt.Errorf("step %d differs from the group's %d", r.Step, prev.Step)
	case !slices.Equal(r.PromptIDs, prev.PromptIDs) && r.FinishReason != FinishError && prev.FinishReason != FinishError:
		return fmt.Errorf("prompt_ids differs from the group's")
	}
	return nil
}

func (s *Scored) checkScore() error {
	for name, v := range s.Rewards {
		if !finite(v) {
			return fmt.Errorf("reward %q is %v, want a finite number", name, v)
		}
	}
	switch {
	case s.Reward != nil && !finite(*s.Reward):
		return fmt.Errorf("reward is %v, want a finite number or null", *s.Reward)
	case !finite(s.Advantage):
		return fmt.Errorf("advantage is %v, want a finite number", s.Advantage)
	case s.Reward == nil && s.Advantage != 0:
		return fmt.Errorf("advantage is %v without a reward, want 0", s.Advantage)
	}
	return nil
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
