package reward

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"openrs/schemas"
	"openrs/score/answer"
)

// forms are the rewards that look at the form of a text.
func forms() []Definition {
	return []Definition{
		{
			Name: "format", Doc: "1 if the completion ended by itself and is <think>…</think> and an answer, else 0", Range: "0, 1",
			Source: "open-r1, format_reward, without answer tags; in compatible mode open-rs' (see think_closed)",
			build: func(_ args, compat bool) (Func, error) {
				if compat {
					return each(thinkClosed), nil
				}
				return each(format), nil
			},
		},
		{
			Name: "think_closed", Doc: "1 if there is exactly one </think> on its own line, else 0", Range: "0, 1",
			Source: "open-rs, format_reward",
			build:  func(args, bool) (Func, error) { return each(thinkClosed), nil },
		},
		{
			Name: "tag_count", Doc: "an equal part for each expected tag that comes exactly once", Range: "0 to 1",
			Source: "open-r1, tag_count_reward (tags=4, with <answer>); open-rs (tags=2)",
			Params: []Param{{Name: "tags", Doc: "2: the think tags; 4: and the answer tags", Default: "2", Words: []string{"2", "4"}}},
			build: func(a args, _ bool) (Func, error) {
				tags := []string{"<think>\n", "\n</think>\n"}
				if a["tags"] == "4" {
					tags = append(tags, "\n<answer>\n", "\n</answer>")
				}
				return each(tagCount(tags)), nil
			},
		},
		{
			Name: "reasoning_steps", Doc: "min(1, n / steps) for n signs of step-by-step reasoning", Range: "0 to 1",
			Source: "open-r1, reasoning_steps_reward",
			Params: []Param{{Name: "steps", Doc: "signs for the full reward", Default: "3", Min: 1, Max: 1000, Whole: true}},
			build: func(a args, _ bool) (Func, error) {
				return each(reasoningSteps(a.number("steps"))), nil
			},
		},
		{
			Name: "language", Doc: "the share of letters in the expected script, formulas aside; 0 without letters", Range: "0 to 1",
			Source: "the language consistency reward of DeepSeek-R1 (section 2.3.2), over letters instead of words",
			Params: []Param{{Name: "script", Doc: "the script", Default: "latin", Words: slices.Sorted(maps.Keys(scripts()))}},
			build: func(a args, _ bool) (Func, error) {
				return each(language(scripts()[a["script"]])), nil
			},
		},
	}
}

// each makes a Func of a function that looks at one rollout at a time.
func each(f func(text string, r *schemas.Rollout) float64) Func {
	return func(g *Group) ([]float32, error) {
		out := make([]float32, len(g.Rollouts))
		for i := range out {
			out[i] = float32(f(g.Text(i), &g.Rollouts[i]))
		}
		return out, nil
	}
}

// thoughtThenAnswer is the form that format asks for. The thoughts may be empty, the answer may not.
var thoughtThenAnswer = regexp.MustCompile(`^<think>\n(?s:.*\n)?</think>\n\s*\S(?s:.*)$`)

// format is 1 if the model ended the text itself and all of it is thoughts between one pair of think
// tags, each on its own line, and then an answer.
func format(text string, r *schemas.Rollout) float64 {
	if r.FinishReason == schemas.FinishStop && strings.Count(text, "<think>") == 1 && strings.Count(text, "</think>") == 1 &&
		thoughtThenAnswer.MatchString(text) {
		return 1
	}
	return 0
}

// thinkClosed is open-rs' format reward: in effect, whether the model finished thinking.
func thinkClosed(text string, _ *schemas.Rollout) float64 {
	if strings.Count(text, "\n</think>\n") == 1 {
		return 1
	}
	return 0
}

// tagCount is the share of tags that come exactly once.
func tagCount(tags []string) func(string, *schemas.Rollout) float64 {
	return func(text string, _ *schemas.Rollout) float64 {
		n := 0
		for _, tag := range tags {
			if strings.Count(text, tag) == 1 {
				n++
			}
		}
		return float64(n) / float64(len(tags))
	}
}

// stepSign is what open-r1 counts: "Step 1:", a number at the very start, bullets, and words of order.
var stepSign = regexp.MustCompile(`Step \p{Nd}+:|^\p{Nd}+\.|\n-|\n\*|First,|Second,|Next,|Finally,`)

func reasoningSteps(full float64) func(string, *schemas.Rollout) float64 {
	return func(text string, _ *schemas.Rollout) float64 {
		return min(1, float64(len(stepSign.FindAllStringIndex(text, -1)))/full)
	}
}

// scripts are the scripts by the names that language takes.
func scripts() map[string][]*unicode.RangeTable {
	return map[string][]*unicode.RangeTable{
		"latin": {unicode.Latin}, "cyrillic": {unicode.Cyrillic}, "greek": {unicode.Greek}, "han": {unicode.Han},
		"japanese": {unicode.Han, unicode.Hiragana, unicode.Katakana}, "hangul": {unicode.Hangul}, "arabic": {unicode.Arabic},
		"hebrew": {unicode.Hebrew}, "devanagari": {unicode.Devanagari}, "bengali": {unicode.Bengali}, "tamil": {unicode.Tamil}, "thai": {unicode.Thai},
	}
}

func language(script []*unicode.RangeTable) func(string, *schemas.Rollout) float64 {
	return func(text string, _ *schemas.Rollout) float64 {
		var letters, expected float64
		for part := range answer.Prose(text) {
			for i, r := range part {
				if !unicode.IsLetter(r) || inMarkup(part, i) {
					continue
				}
				letters++
				if unicode.In(r, script...) {
					expected++
				}
			}
		}
		if letters == 0 {
			return 0
		}
		return expected / letters
	}
}

// inMarkup reports whether the letter at s[i] belongs to a command such as \boxed or to a tag such as </think>.
func inMarkup(s string, i int) bool {
	for n := 0; n < 32 && i > 0 && (s[i-1] >= 'a' && s[i-1] <= 'z' || s[i-1] >= 'A' && s[i-1] <= 'Z'); n++ {
		i--
	}
	return i > 0 && (s[i-1] == '\\' || s[i-1] == '<' || strings.HasSuffix(s[:i], "</"))
}
