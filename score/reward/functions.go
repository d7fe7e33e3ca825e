package reward

import (
	"regexp"
	"slices"
	"strings"

	"openrs/schemas"
	"openrs/score/answer"
)

// Func gives each rollout of a group its reward, one value a rollout in order; NaN means no reward. An
// error is about the whole group, which then can't be scored.
type Func func(g *Group) ([]float32, error)

// Group is what a reward function sees: all rollouts of one problem at one step.
type Group struct {
	Rollouts []schemas.Rollout

	prefix   string
	verdicts []answer.Verdict // of the rollouts, once asked for
}

// Text is the text of rollout i that is graded: what the prompt already began of the answer
// ([Config.Prefix]) and the completion.
func (g *Group) Text(i int) string { return g.prefix + g.Rollouts[i].Completion }

// Verdicts judges the answer of each rollout, once for all reward functions. The error wraps
// [answer.ErrGold].
func (g *Group) Verdicts() ([]answer.Verdict, error) {
	if g.verdicts != nil {
		return g.verdicts, nil
	}
	verdicts := make([]answer.Verdict, len(g.Rollouts))
	for i := range verdicts {
		var err error
		if verdicts[i], err = answer.Verify(g.Rollouts[i].Answer, g.Text(i)); err != nil {
			return nil, err
		}
	}
	g.verdicts = verdicts
	return verdicts, nil
}

// Definition is a row of the table of reward functions.
type Definition struct {
	Name string
	Doc  string // one line for help texts
	Func Func
}

// definitions is the table. Adding a reward function adds a row.
func definitions() []Definition {
	return []Definition{
		{"accuracy", "1 if the final answer equals the gold answer, else 0", accuracy},
		{"format", "1 if the completion ended by itself and is <think>…</think> and an answer, else 0", each(format)},
		{"tag_count", "0.5 for exactly one <think> line and 0.5 for exactly one </think> line", each(tagCount)},
		{"think_closed", "1 if there is exactly one </think> line, else 0 (the format reward of open-rs)", each(thinkClosed)},
	}
}

// Definitions returns the table of reward functions, sorted by name.
func Definitions() []Definition {
	d := definitions()
	slices.SortFunc(d, func(a, b Definition) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// each makes a Func of a function that looks at one rollout at a time.
func each(f func(text string, r *schemas.Rollout) float32) Func {
	return func(g *Group) ([]float32, error) {
		out := make([]float32, len(g.Rollouts))
		for i := range out {
			out[i] = f(g.Text(i), &g.Rollouts[i])
		}
		return out, nil
	}
}

// accuracy is 1 for the right final answer, else 0. Unlike open-rs, which gave 1 to every answer of a
// problem whose gold answer it could not read, it gives such a group no reward.
func accuracy(g *Group) ([]float32, error) {
	verdicts, err := g.Verdicts()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(verdicts))
	for i := range verdicts {
		if verdicts[i].Equal {
			out[i] = 1
		}
	}
	return out, nil
}

// thoughtThenAnswer is the form that format asks for. The thoughts may be empty, the answer may not.
var thoughtThenAnswer = regexp.MustCompile(`^<think>\n(?s:.*\n)?</think>\n\s*\S(?s:.*)$`)

// format is 1 if the model ended the text itself and all of it is thoughts between one pair of think
// tags, each on its own line, and then an answer.
func format(text string, r *schemas.Rollout) float32 {
	if r.FinishReason == schemas.FinishStop && strings.Count(text, "<think>") == 1 && strings.Count(text, "</think>") == 1 &&
		thoughtThenAnswer.MatchString(text) {
		return 1
	}
	return 0
}

// tagCount is open-rs' tag_count: open-r1's four quarters for four tags, with the two tags there are.
func tagCount(text string, _ *schemas.Rollout) float32 {
	var sum float32
	for _, tag := range []string{"<think>\n", "\n</think>\n"} {
		if strings.Count(text, tag) == 1 {
			sum += 0.5
		}
	}
	return sum
}

// thinkClosed is open-rs' format reward: in effect, whether the model finished thinking.
func thinkClosed(text string, _ *schemas.Rollout) float32 {
	if strings.Count(text, "\n</think>\n") == 1 {
		return 1
	}
	return 0
}

// Help lists the reward functions for a help text.
func Help() string {
	var rows []string
	for _, d := range Definitions() {
		rows = append(rows, d.Name+": "+d.Doc)
	}
	return strings.Join(rows, "; ")
}
