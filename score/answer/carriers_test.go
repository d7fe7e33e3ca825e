package answer

import (
	"strings"
	"testing"
)

// someWork is what a completion says before its answer.
const someWork = "Let us see. We add $3+4=7$ and 5 more, so that \\(x = 12\\) at first.\n\nThen we multiply by 2 and get 24.\n\n"

// carrierTexts are ways to give an answer X; those under true are marked well enough for a reward.
func carrierTexts() map[bool][]string {
	return map[bool][]string{
		true: {
			"$\\boxed{X}$", "\\boxed{ X }", "\\[ \\boxed{X}. \\]", "$$\\boxed{X}$$", "\\fbox{$X$}", "\\boxed{$X$}", "**$\\boxed{X}$**", "\\boxed{\nX\n}", "$\\boxed{\\text{Answer: }X}$",
			"\\boxed{X}\n\nLet me check: 3+4 = 7. Yes.", "\\boxed{77} Wait, that is wrong.\n\nSo \\boxed{X}", "<think>\n\\boxed{77}\n</think>\n\\boxed{X}", "<think>7</think>\n<answer>$X$</answer>",
			"**Answer:** $X$", "**Final Answer:** \\(X\\)", "### Final Answer\n\n$X$", "## Answer\n\\[ X \\]\n", "**Final Answer**\r\n\r\n$X$\r\n", "ANSWER: $X$\n", "answer = $X$", "{\"answer\": \"$X$\"}", "The answer is \\\\(X\\\\).",
			"The answer is:\n\n$$\nX\n$$\n\nThis uses 3 and 17.", "The final answer is $X$. (Note: this used 3 and 17.)", "My final answer is $X$", "The answer is $X.$", "\\boxed{7} but the final answer is $X$. I hope it is correct.",
		},
		false: {
			"**X**", "The value is **$X$**.", "Therefore, the result is $X$.", "Thus \\(X\\).", "Hence we have\n\\[\nX\n\\]", "So\n$$X$$", "$X$", "we get X", "which gives $X$", "Result: $X$", "→ $X$", "Hence $X$ is the answer.",
			"#### X", "#### $X$", "Answer: X", "**Answer: X**", "<think>7</think>\n<answer>\nX\n</answer>", "The final answer is X. I hope it is correct.", "<think>\n\\boxed{77}\n</think>\nSo we have $X$",
		},
	}
}

// TestCarriers: an answer is judged alike however it is given. Each carrier gets a share of the labelled
// answers.
func TestCarriers(t *testing.T) {
	rows := pairs(t)
	judged, missed := 0, 0
	for formal, carriers := range carrierTexts() {
		for c, carrier := range carriers {
			for i := c % 8; i < len(rows); i += 8 {
				p := &rows[i]
				if p.Answer == nil || p.Intended == nil || strings.Contains(*p.Answer, "\n") {
					continue
				}
				profile := Benchmark()
				if formal && i%2 == 0 {
					profile = Reward()
				}
				want, err := Verify(p.Gold, `\boxed{`+*p.Answer+`}`, profile)
				if err != nil {
					continue
				}
				got, _ := Verify(p.Gold, someWork+strings.ReplaceAll(carrier, "X", *p.Answer), profile)
				judged++
				switch {
				case got.Equal && !want.Equal:
					t.Errorf("%s: gold %q, answer %q in %q: accepted as %q", profile.Name, p.Gold, *p.Answer, carrier, got.Extracted)
				case got.Equal != want.Equal:
					missed++
					t.Logf("%s: gold %q, answer %q in %q: extracted %q: %s", profile.Name, p.Gold, *p.Answer, carrier, got.Extracted, got.Reason)
				}
			}
		}
	}
	if float64(missed) > 0.003*float64(judged) {
		t.Errorf("%d of %d answers missed, expected at most 0.3 %%", missed, judged)
	}
	t.Logf("%d answers, %d missed", judged, missed)
}
