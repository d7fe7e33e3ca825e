package reward

import "openrs/score/answer"

// correctness are the rewards that only ask whether the answer is right.
func correctness() []Definition {
	return []Definition{
		{
			Name: "accuracy", Doc: "1 if the final answer equals the gold answer, else 0", Range: "0, 1",
			Source: "open-r1 and open-rs, accuracy_reward",
			build:  func(_ args, compat bool) (Func, error) { return accuracy(compat), nil },
		},
		{
			Name: "reasoning_accuracy", Doc: "1 if thinking is closed by </think> and the final answer after it equals the gold answer, else 0", Range: "0, 1",
			Source: "TRL, reasoning_accuracy_reward",
			build:  func(args, bool) (Func, error) { return reasoningAccuracy, nil },
		},
	}
}

// accuracy is 1 for the right final answer, else 0. In compatible mode an unreadable gold answer gives 1
// to every rollout, as open-rs does; otherwise it fails the group.
func accuracy(compat bool) Func {
	return func(g *Group) ([]float32, error) {
		right, err := g.right(compat, true)
		if err != nil {
			return nil, err
		}
		out := make([]float32, len(right))
		for i, ok := range right {
			if ok {
				out[i] = 1
			}
		}
		return out, nil
	}
}

// right says which rollouts are right. In compatible mode all of a group with an unreadable gold answer
// are as said.
func (g *Group) right(compat, unreadable bool) ([]bool, error) {
	verdicts, err := g.Verdicts()
	if err != nil && !compat {
		return nil, err
	}
	out := make([]bool, len(g.Rollouts))
	for i := range out {
		if err != nil {
			out[i] = unreadable
		} else {
			out[i] = verdicts[i].Equal
		}
	}
	return out, nil
}

// reasoningAccuracy judges only what comes after the thinking.
func reasoningAccuracy(g *Group) ([]float32, error) {
	gold, err := answer.ReadGold(g.Rollouts[0].Answer, g.profile)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(g.Rollouts))
	for i := range out {
		text := g.Text(i)
		if at := thoughtEnd(text); at >= 0 && gold.Verify(text[at:]).Equal {
			out[i] = 1
		}
	}
	return out, nil
}
