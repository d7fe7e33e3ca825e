package reward

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"openrs/schemas"
	"openrs/score/answer"
)

// Reasons why a group can't be scored; an unreadable gold answer is [openrs/score/answer.ErrGold].
var (
	ErrRollout = errors.New("reward: a rollout failed")
	ErrSamples = errors.New("reward: the group is not complete")
	ErrNoValue = errors.New("reward: no reward function has a value")
)

// Config says how rollouts are scored.
type Config struct {
	// Rewards are the reward functions and their weights; at least one.
	Rewards []Weighted
	// Scale is ScaleGroup (also the meaning of ""), ScaleBatch or ScaleNone.
	Scale string
	// GroupSize is the number of samples that each group must have. 0: any number, but without gaps.
	GroupSize int
	// Prefix is what the prompt already began of the model's text and the completion therefore lacks,
	// such as "<think>\n" with chat templates that end in it. It is graded with the completion.
	Prefix string
	// Profile is what answers are judged by; the zero value is answer.Reward().
	Profile answer.Profile
	// Compat does what open-rs published instead of what is right: see the package comment.
	Compat bool
	// External are the functions of external rewards (those with a command), by name.
	External map[string]Func
}

// Scorer is a validated [Config]. It has no state and may be shared by goroutines.
type Scorer struct {
	cfg   Config
	funcs []Func // of cfg.Rewards
}

// New returns a scorer, or an error that wraps [ErrConfig].
func New(cfg Config) (*Scorer, error) {
	if err := check(cfg.Rewards); err != nil {
		return nil, err
	}
	switch cfg.Scale {
	case "":
		cfg.Scale = ScaleGroup
	case ScaleGroup, ScaleBatch, ScaleNone:
	default:
		return nil, fmt.Errorf("%w: scale_rewards %q, expected group, batch or none", ErrConfig, cfg.Scale)
	}
	if cfg.GroupSize < 0 {
		return nil, fmt.Errorf("%w: group size %d", ErrConfig, cfg.GroupSize)
	}
	s := &Scorer{cfg: cfg}
	for _, w := range cfg.Rewards {
		d, ok := definition(w.Name)
		if !ok {
			f := cfg.External[w.Name]
			if f == nil {
				return nil, fmt.Errorf("%w: no function for the external reward %q", ErrConfig, w.Name)
			}
			s.funcs = append(s.funcs, f)
			continue
		}
		f, err := d.make(w.Params, cfg.Compat)
		if err != nil {
			return nil, err
		}
		s.funcs = append(s.funcs, f)
	}
	return s, nil
}

// profile is what answers are judged by.
func (s *Scorer) profile() answer.Profile {
	if s.cfg.Compat {
		return answer.OpenRS()
	}
	if s.cfg.Profile == (answer.Profile{}) {
		return answer.Reward()
	}
	return s.cfg.Profile
}

// Failure is a group that could not be scored.
type Failure struct {
	GroupID string
	Err     error // wraps ErrRollout, ErrSamples, ErrNoValue or answer.ErrGold
}

// Result is what Score returns.
type Result struct {
	Scored   []schemas.Scored // the rollouts, in their order
	Failures []Failure        // groups with a null reward, in order of their first row
}

// Score scores the rollouts of one message, which must hold whole groups. A row's reward is the sum of
// weight · value over the reward functions that have a value for it. Under ScaleBatch the batch is the
// message.
func (s *Scorer) Score(rollouts []schemas.Rollout) Result {
	out := Result{Scored: make([]schemas.Scored, len(rollouts))}
	for i := range rollouts {
		out.Scored[i].Rollout = rollouts[i]
	}
	var rewards [][]float64
	var rows [][]int // of the groups in rewards
	for _, members := range groupRows(rollouts) {
		group := &Group{prefix: s.cfg.Prefix, profile: s.profile()}
		for _, i := range members {
			group.Rollouts = append(group.Rollouts, rollouts[i])
		}
		sums, err := s.group(group, members, out.Scored)
		if err != nil {
			id := rollouts[members[0]].GroupID
			out.Failures = append(out.Failures, Failure{GroupID: id, Err: fmt.Errorf("group %q: %w", id, err)})
			continue
		}
		rewards = append(rewards, sums)
		rows = append(rows, members)
	}
	advantages := Advantages(rewards, s.cfg.Scale)
	for g, members := range rows {
		for j, i := range members {
			r := float32(rewards[g][j])
			out.Scored[i].Reward = &r
			out.Scored[i].Advantage = float32(advantages[g][j])
		}
	}
	return out
}

// group computes the weighted sums of one group, and fills in the raw values and verdicts of its rows
// of scored. On an error these rows are left as they were.
func (s *Scorer) group(g *Group, members []int, scored []schemas.Scored) ([]float64, error) {
	if err := s.complete(g.Rollouts); err != nil {
		return nil, err
	}
	sums := make([]float64, len(members))
	values := make([]map[string]float32, len(members))
	for i := range values {
		values[i] = map[string]float32{}
	}
	for k, w := range s.cfg.Rewards {
		got, err := s.funcs[k](g)
		if err != nil {
			return nil, fmt.Errorf("reward %s: %w", w.Name, err)
		}
		if len(got) != len(members) {
			return nil, fmt.Errorf("reward %s: %d values for %d rollouts", w.Name, len(got), len(members))
		}
		for i, v := range got {
			if math.IsNaN(float64(v)) {
				continue
			}
			if math.IsInf(float64(v), 0) {
				return nil, fmt.Errorf("reward %s: %v for sample %d", w.Name, v, g.Rollouts[i].Sample)
			}
			values[i][w.Name] = v
			sums[i] += w.Weight * float64(v)
		}
	}
	for i := range values {
		if len(values[i]) == 0 {
			return nil, fmt.Errorf("%w for sample %d", ErrNoValue, g.Rollouts[i].Sample)
		}
	}
	for i, row := range members {
		scored[row].Rewards = values[i]
		if g.verdicts != nil {
			v := &g.verdicts[i]
			scored[row].Correct = &v.Equal
			if v.Extracted != "" {
				scored[row].Extracted = &v.Extracted
			}
		}
	}
	return sums, nil
}

// complete checks that the group has every sample once and none of them failed.
func (s *Scorer) complete(rollouts []schemas.Rollout) error {
	first := rollouts[0].Sample
	for i := range rollouts {
		first = min(first, rollouts[i].Sample)
	}
	want := s.cfg.GroupSize
	if want == 0 {
		want = len(rollouts)
	}
	if first < 0 {
		return fmt.Errorf("%w: sample %d, expected none below 0", ErrSamples, first)
	}
	seen := make([]bool, want)
	for i := range rollouts {
		r := &rollouts[i]
		at := int(r.Sample - first)
		switch {
		case at >= want:
			return fmt.Errorf("%w: sample %d, expected %d to %d", ErrSamples, r.Sample, first, int(first)+want-1)
		case seen[at]:
			return fmt.Errorf("%w: sample %d comes twice", ErrSamples, r.Sample)
		case r.Answer != rollouts[0].Answer:
			return fmt.Errorf("%w: gold answers %.40q and %.40q in one group", ErrSamples, rollouts[0].Answer, r.Answer)
		}
		seen[at] = true
	}
	var gaps []string
	for at, ok := range seen {
		if !ok && len(gaps) < 8 {
			gaps = append(gaps, fmt.Sprint(int(first)+at))
		}
	}
	if len(gaps) > 0 {
		return fmt.Errorf("%w: %d of %d samples, without %s", ErrSamples, len(rollouts), want, strings.Join(gaps, ", "))
	}
	for i := range rollouts {
		if rollouts[i].FinishReason == schemas.FinishError {
			return fmt.Errorf("%w: sample %d", ErrRollout, rollouts[i].Sample)
		}
	}
	return nil
}

// groupRows returns the rows of each group, groups in order of their first row.
func groupRows(rollouts []schemas.Rollout) [][]int {
	at := map[string]int{}
	var out [][]int
	for i := range rollouts {
		g, ok := at[rollouts[i].GroupID]
		if !ok {
			g = len(out)
			at[rollouts[i].GroupID] = g
			out = append(out, nil)
		}
		out[g] = append(out[g], i)
	}
	return out
}
