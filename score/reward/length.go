package reward

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"openrs/schemas"
)

// Limits of parameters: values stay well within float32, lengths within what a context can hold.
const (
	maxValue  = 1e6
	maxLength = 1 << 30
)

// lengths are the rewards that look at how long a completion is or how much it repeats itself.
func lengths() []Definition {
	return []Definition{
		{
			Name: "length", Doc: "λ if right, min(0, λ) if wrong, λ = ½ − (len − min) / (max − min) over the group; 0 if all are as long", Range: "−0.5 to 0.5",
			Source: "Kimi 1.5 (arXiv 2501.12599), section 2.3.3; open-r1, len_reward",
			build:  func(_ args, compat bool) (Func, error) { return lengthReward(compat), nil },
		},
		{
			Name: "cosine", Doc: "from max to min_correct if right and from min_wrong to max_wrong if wrong, along half a cosine as the length goes from 0 to max_len",
			Range:  "min_wrong to max_correct",
			Source: "Demystifying Long Chain-of-Thought Reasoning (arXiv 2502.03373), section 4; open-r1, get_cosine_scaled_reward",
			Params: []Param{
				{Name: "max_len", Doc: "length at which the reward no longer changes, in tokens (compatible mode: characters, and it goes on changing)", Default: "1000", Min: 1, Max: maxLength},
				{Name: "min_correct", Doc: "a right answer of max_len", Default: "0.5", Min: -maxValue, Max: maxValue},
				{Name: "max_correct", Doc: "a right answer of length 0", Default: "1", Min: -maxValue, Max: maxValue},
				{Name: "min_wrong", Doc: "a wrong answer of length 0", Default: "-1", Compat: "0", Min: -maxValue, Max: maxValue},
				{Name: "max_wrong", Doc: "a wrong answer of max_len", Default: "-0.5", Compat: "-0.5", Min: -maxValue, Max: maxValue},
			},
			build: cosine,
		},
		{
			Name: "repetition_penalty", Doc: "penalty · (1 − distinct n-grams / n-grams), 0 for fewer words than n", Range: "max_penalty to 0",
			Source: "Demystifying Long Chain-of-Thought Reasoning, appendix; open-r1, get_repetition_penalty_reward",
			Params: []Param{
				{Name: "ngram_size", Doc: "n", Default: "3", Min: 1, Max: 100, Whole: true},
				{Name: "max_penalty", Doc: "the penalty, not above 0", Default: "-1", Min: -maxValue, Max: 0},
				{Name: "unit", Doc: "words (between spaces, without case) or tokens", Default: "words", Words: []string{"words", "tokens"}},
			},
			build: repetition,
		},
		{
			Name: "soft_overlong_punishment", Doc: "0 up to max_completion_len − soft_punish_cache tokens, from there linearly to −1 at max_completion_len, then −1", Range: "−1 to 0",
			Source: "DAPO (arXiv 2503.14476), equation 13; open-r1, get_soft_overlong_punishment",
			Params: []Param{
				{Name: "max_completion_len", Doc: "in tokens", Default: "16384", Min: 1, Max: maxLength, Whole: true},
				{Name: "soft_punish_cache", Doc: "in tokens, at most max_completion_len", Default: "4096", Min: 1, Max: maxLength, Whole: true},
			},
			build: overlong,
		},
	}
}

// measure is a rollout's length: in tokens, or as open-rs took it, in characters of the completion.
func (g *Group) measure(i int, compat bool) float64 {
	if compat {
		return float64(utf8.RuneCountInString(g.Rollouts[i].Completion))
	}
	return float64(g.Tokens(i))
}

// lengthReward prefers the shorter of the group's completions. In compatible mode an unreadable gold answer
// counts as answered right.
func lengthReward(compat bool) Func {
	return func(g *Group) ([]float32, error) {
		right, err := g.right(compat, true)
		if err != nil {
			return nil, err
		}
		low, high := math.Inf(1), math.Inf(-1)
		for i := range right {
			n := g.measure(i, compat)
			low, high = min(low, n), max(high, n)
		}
		out := make([]float32, len(right))
		if low == high {
			return out, nil
		}
		for i, ok := range right {
			v := 0.5 - (g.measure(i, compat)-low)/(high-low)
			if !ok {
				v = min(0, v)
			}
			out[i] = float32(v)
		}
		return out, nil
	}
}

// cosine favours short right answers and long wrong ones. open-rs did not clamp the length, so that its
// reward rises again beyond max_len; it gave 1 where the gold answer was unreadable, and by its defaults
// the cheapest wrong answer is the shortest.
func cosine(a args, compat bool) (Func, error) {
	maxLen := a.number("max_len")
	right := [2]float64{a.number("max_correct"), a.number("min_correct")}
	wrong := [2]float64{a.number("min_wrong"), a.number("max_wrong")}
	return func(g *Group) ([]float32, error) {
		verdicts, err := g.Verdicts()
		if err != nil && !compat {
			return nil, err
		}
		out := make([]float32, len(g.Rollouts))
		for i := range out {
			if err != nil {
				out[i] = 1
				continue
			}
			ends := wrong
			if verdicts[i].Equal {
				ends = right
			}
			progress := g.measure(i, compat) / maxLen
			if !compat {
				progress = min(progress, 1)
			}
			out[i] = float32(ends[1] + 0.5*(ends[0]-ends[1])*(1+math.Cos(math.Pi*progress)))
		}
		return out, nil
	}, nil
}

func repetition(a args, _ bool) (Func, error) {
	n, penalty := int(a.number("ngram_size")), a.number("max_penalty")
	return each(func(_ string, r *schemas.Rollout) float64 {
		var share float64
		if a["unit"] == "tokens" {
			share = repeated(r.CompletionIDs, n, func(id int32) string { return strconv.Itoa(int(id)) })
		} else {
			share = repeated(strings.Fields(strings.ToLower(r.Completion)), n, func(w string) string { return w })
		}
		return share * penalty
	}), nil
}

// repeated is the share of n-grams that came before.
func repeated[T any](words []T, n int, text func(T) string) float64 {
	total := len(words) - n + 1
	if total < 1 {
		return 0
	}
	// Each word gets a number, so that an n-gram is a short key.
	number := map[string]int{}
	var ids []int
	for _, w := range words {
		s := text(w)
		if _, ok := number[s]; !ok {
			number[s] = len(number)
		}
		ids = append(ids, number[s])
	}
	seen := map[string]bool{}
	var key []byte
	for i := range total {
		key = key[:0]
		for _, id := range ids[i : i+n] {
			key = append(strconv.AppendInt(key, int64(id), 36), ' ')
		}
		seen[string(key)] = true
	}
	return 1 - float64(len(seen))/float64(total)
}

func overlong(a args, _ bool) (Func, error) {
	limit, cache := a.number("max_completion_len"), a.number("soft_punish_cache")
	if cache > limit {
		return nil, errors.New(fmt.Sprint("soft_punish_cache ", cache, " is more than max_completion_len ", limit))
	}
	return each(func(_ string, r *schemas.Rollout) float64 {
		over := float64(len(r.CompletionIDs)) - (limit - cache)
		return -min(max(over/cache, 0), 1)
	}), nil
}
