package summary

import (
	"maps"
	"slices"

	"openrs/schemas"
	"openrs/stages"
)

// Scored returns what TRL reports of a step's completions, in a fixed order:
//
//   - reward: mean of the weighted sums
//   - reward_std: mean over groups of their standard deviation
//   - frac_reward_zero_std: share of groups whose rewards are all equal, which teach nothing
//   - rewards/NAME/mean, rewards/NAME/std: of each reward function's raw values
//   - completions/mean_length, min_length, max_length: tokens of a completion
//   - completions/clipped_ratio: share of completions that ran into the limit on tokens
//   - completions/mean_terminated_length, min_, max_: tokens of those that ended by themselves, 0 if none
//
// Rewards are of rows that have one, lengths of all completions without an error. Rows of a group are
// consecutive. What there is nothing to say about is left out.
func Scored(rows []schemas.Scored) []stages.Value {
	var reward, spread, length, ended Moments
	byName := map[string]*Moments{}
	groups, flat := 0, 0
	for _, run := range schemas.Runs(len(rows), func(i int) string { return rows[i].GroupID }) {
		var own Moments
		for _, r := range rows[run.Start:run.End] {
			if r.FinishReason != schemas.FinishError {
				length.Add(float64(len(r.CompletionIDs)))
				if r.FinishReason == schemas.FinishStop {
					ended.Add(float64(len(r.CompletionIDs)))
				}
			}
			if r.Reward == nil {
				continue
			}
			own.Add(float64(*r.Reward))
			for name, v := range r.Rewards {
				if byName[name] == nil {
					byName[name] = new(Moments)
				}
				byName[name].Add(float64(v))
			}
		}
		if own.N == 0 {
			continue
		}
		groups++
		if own.Constant() {
			flat++
		}
		spread.Add(own.Std())
		reward.Merge(own)
	}
	var out []stages.Value
	add := func(name string, v float64) { out = append(out, stages.Value{Name: name, Value: v}) }
	if groups > 0 {
		add("reward", reward.Mean)
		add("reward_std", spread.Mean)
		add("frac_reward_zero_std", float64(flat)/float64(groups))
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		add("rewards/"+name+"/mean", byName[name].Mean)
		add("rewards/"+name+"/std", byName[name].Std())
	}
	if length.N > 0 {
		add("completions/mean_length", length.Mean)
		add("completions/min_length", length.Min)
		add("completions/max_length", length.Max)
		add("completions/clipped_ratio", 1-float64(ended.N)/float64(length.N))
		add("completions/mean_terminated_length", ended.Mean)
		add("completions/min_terminated_length", ended.Min)
		add("completions/max_terminated_length", ended.Max)
	}
	return out
}
