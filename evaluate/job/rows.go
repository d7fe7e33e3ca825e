package job

import (
	"errors"
	"fmt"

	"openrs/schemas"
)

// ErrForeign says that a sample is not what the plan asks for.
var ErrForeign = errors.New("a sample of another evaluation")

// Rows returns the samples of a plan from a store, in the plan's order, as a report and a table of all
// samples want them: a group for each problem, marked with the version of the policy. Step and advantage,
// which mean nothing here and depend on how the work was divided, are 0.
func Rows(p *Plan, s *Store, version int64) ([]schemas.Scored, error) {
	rows := make([]schemas.Scored, 0, p.samples)
	for _, piece := range p.pieces {
		for _, k := range p.Keys(piece) {
			r, err := s.Row(k)
			if err != nil {
				return nil, err
			}
			r.GroupID = fmt.Sprintf("%010d-%s", piece.problem, k.ProblemID)
			r.Step, r.Advantage, r.PolicyVersion = 0, 0, version
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// Check refuses a sample that the plan did not ask for, or not like this; [ErrForeign].
func (p *Plan) Check(r schemas.Scored) error {
	at, ok := p.places[r.ProblemID]
	if !ok {
		return fmt.Errorf("%w: problem %s of %s is not in the plan", ErrForeign, r.ProblemID, r.Source)
	}
	q := p.problems[at]
	t := p.tasks[q.task]
	temperature := float32(t.Sampling.Temperature)
	if temperature == 0 {
		temperature = 1 // greedy sampling records log-probabilities at temperature 1
	}
	differ := func(what string, want, found any) error {
		return fmt.Errorf("%w: task %s, problem %s, sample %d: %s: expected %v, found %v", ErrForeign, t.Name, r.ProblemID, r.Sample, what, want, found)
	}
	switch {
	case r.Sample < 0 || int(r.Sample) >= t.Samples:
		return fmt.Errorf("%w: task %s, problem %s: sample %d: expected one below %d", ErrForeign, t.Name, r.ProblemID, r.Sample, t.Samples)
	case r.Problem != q.Problem.Problem:
		return differ("problem", fmt.Sprintf("%.80q", q.Problem.Problem), fmt.Sprintf("%.80q", r.Problem))
	case r.Answer != q.Answer:
		return differ("gold answer", fmt.Sprintf("%q", q.Answer), fmt.Sprintf("%q", r.Answer))
	case r.Temperature != temperature:
		return differ("temperature", temperature, r.Temperature)
	case r.Seed != t.Sampling.Seed:
		return differ("seed", t.Sampling.Seed, r.Seed)
	case len(r.CompletionIDs) > t.Sampling.MaxTokens:
		return differ("tokens", fmt.Sprintf("at most %d", t.Sampling.MaxTokens), len(r.CompletionIDs))
	}
	return nil
}

// accept keeps samples, all of which the plan must have asked for.
func (p *Plan) accept(s *Store, rows []schemas.Scored) (fresh int, err error) {
	for _, r := range rows {
		if err := p.Check(r); err != nil {
			return 0, err
		}
	}
	return s.Add(rows)
}
