package reward

import (
	"fmt"
	"math"

	"openrs/schemas"
	"openrs/stages/summary"
)

// PreflightSize is how many completions a [Preflight] looks at.
const PreflightSize = 32

// Preflight watches the first completions that are scored for rewards that are the same for each: a
// reward that can't tell completions apart teaches nothing, and is mostly a mistake in the recipe (a
// template without the tags that a format reward counts, lengths in another unit, golds that no answer
// equals). It only looks on: nothing waits for it.
type Preflight struct {
	rewards []Weighted
	values  []summary.Moments
	missing []int64
	seen    int
	done    bool
}

// NewPreflight watches the rewards of a scorer.
func NewPreflight(s *Scorer) *Preflight {
	n := len(s.cfg.Rewards)
	return &Preflight{rewards: s.cfg.Rewards, values: make([]summary.Moments, n), missing: make([]int64, n)}
}

// Add takes in the next scored completions; those without a reward don't count. Once there are
// [PreflightSize] of them it returns what is wrong, one sentence a reward, and from then on nothing.
func (p *Preflight) Add(scored []schemas.Scored) []string {
	for i := range scored {
		if p.done || scored[i].Reward == nil {
			continue
		}
		p.seen++
		for k, w := range p.rewards {
			if v, ok := scored[i].Rewards[w.Name]; ok {
				p.values[k].Add(float64(v))
			} else {
				p.missing[k]++
			}
		}
	}
	if p.seen < PreflightSize {
		return nil
	}
	return p.Finish()
}

// Finish returns what is wrong with the completions so far, for an input that ended before
// [PreflightSize]; after Add has returned its findings, and of fewer than two completions, it returns
// nothing.
func (p *Preflight) Finish() []string {
	if p.done || p.seen < 2 {
		return nil
	}
	p.done = true
	var out []string
	for k, w := range p.rewards {
		switch m := &p.values[k]; {
		case m.N == 0:
			out = append(out, fmt.Sprintf("reward %s has no value for any of the first %d completions", w.Name, p.seen))
		case m.Constant() && p.missing[k] == 0 && !math.IsNaN(m.Mean):
			out = append(out, fmt.Sprintf("reward %s is %v for each of the first %d completions", w.Name, float32(m.Min), p.seen))
		}
	}
	return out
}
