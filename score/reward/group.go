package reward

import (
	"strings"

	"openrs/schemas"
	"openrs/score/answer"
)

// Func gives each rollout of a group its reward, one value a rollout in order; NaN means no reward. An
// error is about the whole group, which then can't be scored.
type Func func(g *Group) ([]float32, error)

// Group is what a reward function sees: all rollouts of one problem at one step, with their texts, token
// ids and gold answer.
type Group struct {
	Rollouts []schemas.Rollout

	prefix   string
	profile  answer.Profile
	verdicts []answer.Verdict // of the rollouts, once asked for
	err      error            // of the verdicts
}

// Text is the text of rollout i that is graded: what the prompt already began of the answer
// ([Config.Prefix]) and the completion.
func (g *Group) Text(i int) string { return g.prefix + g.Rollouts[i].Completion }

// Tokens is the length of rollout i's completion in tokens, its stop token included.
func (g *Group) Tokens(i int) int { return len(g.Rollouts[i].CompletionIDs) }

// Verdicts judges the answer of each rollout, once for all reward functions. The error wraps
// [answer.ErrGold].
func (g *Group) Verdicts() ([]answer.Verdict, error) {
	if g.verdicts != nil || g.err != nil {
		return g.verdicts, g.err
	}
	gold, err := answer.ReadGold(g.Rollouts[0].Answer, g.profile)
	if err != nil {
		g.err = err
		return nil, err
	}
	g.verdicts = make([]answer.Verdict, len(g.Rollouts))
	for i := range g.verdicts {
		g.verdicts[i] = gold.Verify(g.Text(i))
	}
	return g.verdicts, nil
}

// thoughtEnd is where the thinking of a text ends: after its last </think>, or −1.
func thoughtEnd(text string) int {
	const tag = "</think>"
	if at := strings.LastIndex(text, tag); at >= 0 {
		return at + len(tag)
	}
	return -1
}
