package reward

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
	"openrs/score/answer"
)

// values computes one reward, given as a spec, for a group.
func values(t *testing.T, spec string, compat bool, g *Group) ([]float32, error) {
	t.Helper()
	weights, err := Parse(spec)
	if err != nil {
		t.Fatal(err)
	}
	d, _ := definition(weights[0].Name)
	f, err := d.make(weights[0].Params, compat)
	if err != nil {
		t.Fatal(err)
	}
	if g.profile = answer.Reward(); compat {
		g.profile = answer.OpenRS()
	}
	return f(g)
}

// sample is a completion of n tokens.
func sample(gold, completion string, n int) schemas.Rollout {
	return schemas.Rollout{Completion: completion, FinishReason: "stop", Answer: gold, CompletionIDs: make([]int32, n)}
}

func wantValues(t *testing.T, what string, got []float32, want ...float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-6 {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestFormRewards(t *testing.T) {
	for _, tc := range []struct {
		prefix, completion                      string
		finish                                  string
		format, tags, closed, answer, reasoning float64
	}{
		{"", "<think>\n7*8=56\n12+56=68\n68-30=38\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1, 1},
		{"", "<think>\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\\boxed{38}", "length", 0, 1, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\n\\boxed{39}\nmore", "stop", 1, 1, 1, 0, 0},
		{"", "<think>\n\\boxed{38}\n</think>\n", "stop", 0, 1, 1, 1, 0},
		{"", "<think>\n38\n</think>\n \n", "stop", 0, 1, 1, 0, 0},
		{"", "<think>\n38\n</think>", "stop", 0, 0.5, 0, 0, 0},
		{"", "<think>38</think>\n\\boxed{38}", "stop", 0, 0, 0, 1, 1},
		{"", "<think>\n38</think>\n\\boxed{38}", "stop", 0, 0.5, 0, 1, 1},
		{"", "so <think>\n38\n</think>\n\\boxed{38}", "stop", 0, 1, 1, 1, 1},
		{"", "<think>\n<think>\n38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1, 1},
		{"", "<think>\n38\n</think>\n</think>\n\\boxed{38}", "stop", 0, 1, 1, 1, 1},
		{"", "<think>\n38\n</think>\n\n</think>\n\\boxed{38}", "stop", 0, 0.5, 0, 1, 1},
		{"", "38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1, 1},
		{"<think>\n", "38\n</think>\n\\boxed{38}", "stop", 1, 1, 1, 1, 1},
		{"<think>\n", "<think>\n38\n</think>\n\\boxed{38}", "stop", 0, 0.5, 1, 1, 1},
		{"", "", "stop", 0, 0, 0, 0, 0},
		{"", "\\boxed{38}", "stop", 0, 0, 0, 1, 0},
	} {
		for spec, want := range map[string]float64{"format": tc.format, "tag_count": tc.tags, "think_closed": tc.closed, "accuracy": tc.answer, "reasoning_accuracy": tc.reasoning} {
			g := &Group{prefix: tc.prefix, Rollouts: []schemas.Rollout{{Completion: tc.completion, FinishReason: tc.finish, Answer: "38"}}}
			got, err := values(t, spec, false, g)
			if err != nil || len(got) != 1 || float64(got[0]) != want {
				t.Errorf("%s of %q (%s) = %v, %v, want %v", spec, tc.prefix+tc.completion, tc.finish, got, err, want)
			}
		}
		// The study's format reward asks only for the closing tag.
		g := &Group{prefix: tc.prefix, Rollouts: []schemas.Rollout{{Completion: tc.completion, FinishReason: tc.finish}}}
		if got, err := values(t, "format", true, g); err != nil || float64(got[0]) != tc.closed {
			t.Errorf("compatible format of %q = %v, %v, want %v", tc.completion, got, err, tc.closed)
		}
	}
}

func TestTextRewards(t *testing.T) {
	for _, tc := range []struct {
		spec, text string
		want       float64
	}{
		{"tag_count:tags=4", "<think>\nx\n</think>\n<answer>\n5\n</answer>", 1},
		{"tag_count:tags=4", "<think>\nx\n</think>\n\n<answer>\n5\n</answer>", 1},
		{"reasoning_steps", "nothing", 0},
		{"reasoning_steps", "Step 1: a\nStep 2: b", 2. / 3},
		{"reasoning_steps", "1. a\n2. b\n3. c", 1. / 3}, // open-r1 sees a number only at the very start
		{"reasoning_steps", "a\n- b\n- c\n* d\n- e", 1},
		{"reasoning_steps", "First, a. Next, b. Finally, c.", 1},
		{"reasoning_steps:steps=10", "First, a. Next, b. Finally, c.", 0.3},
		{"reasoning_steps", "first, a", 0},
		{"language", "all of it", 1},
		{"language", "да and да", 3. / 7},
		{"language:script=cyrillic", "да and да", 4. / 7},
		{"language:script=han", "答案是 $x+yz$ 所以 \\boxed{5}</think>", 1},
		{"language:script=japanese", "答えは ab", 3. / 5},
		{"language", "", 0},
		{"language", "12 + $x$", 0},
		{"repetition_penalty", "", 0},
		{"repetition_penalty", "a b", 0},
		{"repetition_penalty", "a b c", 0},
		{"repetition_penalty", "a b c a B c", -0.25}, // abc bca cab abc: 3 of 4
		{"repetition_penalty", "a a a a", -0.5},
		{"repetition_penalty:max_penalty=-4", "a a a a", -2},
		{"repetition_penalty:ngram_size=1", "a b a c", -0.25},
		{"repetition_penalty:ngram_size=2,max_penalty=-2", "a b a b a b", -2 * (1 - 2./5)},
	} {
		got, err := values(t, tc.spec, false, &Group{Rollouts: []schemas.Rollout{sample("", tc.text, 0)}})
		if err != nil {
			t.Fatal(err)
		}
		wantValues(t, tc.spec+" of "+tc.text, got, tc.want)
	}
	r := schemas.Rollout{CompletionIDs: []int32{7, 8, 7, 8, 7}}
	got, err := values(t, "repetition_penalty:ngram_size=2,unit=tokens", false, &Group{Rollouts: []schemas.Rollout{r}})
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, "repetition of tokens", got, -0.5) // 78 87 78 87
}

func TestLengthRewards(t *testing.T) {
	right, wrong := `\boxed{5}`, `\boxed{6}`
	long := func(text string, characters int) string { return strings.Repeat("é", characters-len(text)) + text }
	for _, tc := range []struct {
		name, spec string
		compat     bool
		group      []schemas.Rollout
		want       []float64
	}{
		{"tokens", "length", false, []schemas.Rollout{sample("5", right, 10), sample("5", right, 20), sample("5", right, 30), sample("5", wrong, 10), sample("5", wrong, 30), sample("5", wrong, 25)},
			[]float64{0.5, 0, -0.5, 0, -0.5, -0.25}},
		{"all as long", "length", false, []schemas.Rollout{sample("5", right, 10), sample("5", wrong, 10)}, []float64{0, 0}},
		{"characters", "length", true, []schemas.Rollout{sample("$5$", long(right, 100), 1), sample("$5$", long(wrong, 200), 1), sample("$5$", long(right, 150), 99)}, []float64{0.5, -0.5, 0}},
		{"unreadable is right", "length", true, []schemas.Rollout{sample("5", long(wrong, 100), 1), sample("5", long(wrong, 200), 1)}, []float64{0.5, -0.5}},

		{"cosine", "cosine:max_len=100", false, []schemas.Rollout{sample("5", right, 0), sample("5", right, 50), sample("5", right, 100), sample("5", right, 1000), sample("5", right, 25),
			sample("5", wrong, 0), sample("5", wrong, 50), sample("5", wrong, 100), sample("5", wrong, 1000)},
			[]float64{1, 0.75, 0.5, 0.5, 0.5 + 0.25*(1+math.Sqrt2/2), -1, -0.75, -0.5, -0.5}},
		{"cosine's parameters", "cosine:max_len=10,min_correct=2,max_correct=4,min_wrong=-8,max_wrong=-6", false,
			[]schemas.Rollout{sample("5", right, 0), sample("5", right, 5), sample("5", right, 10), sample("5", wrong, 0), sample("5", wrong, 5), sample("5", wrong, 11)}, []float64{4, 3, 2, -8, -7, -6}},
		// Characters, no clamp, and short wrong answers cost nothing.
		{"cosine as published", "cosine", true, []schemas.Rollout{sample("$5$", long(right, 1000), 1), sample("$5$", long(right, 2000), 1), sample("$5$", long(right, 3000), 1),
			sample("$5$", long(wrong, 500), 1), sample("$5$", long(wrong, 1000), 1), sample("$5$", long(wrong, 2000), 1)},
			[]float64{0.5, 1, 0.5, -0.25, -0.5, 0}},
		{"cosine at 3584", "cosine:max_len=3584", true, []schemas.Rollout{sample("$5$", long(right, 7168), 1), sample("$5$", long(right, 10752), 1)}, []float64{1, 0.5}},
		{"cosine of an unreadable gold", "cosine", true, []schemas.Rollout{sample("5", wrong, 1), sample("5", "", 1)}, []float64{1, 1}},

		{"overlong", "soft_overlong_punishment:max_completion_len=100,soft_punish_cache=20", false,
			[]schemas.Rollout{sample("", "", 0), sample("", "", 80), sample("", "", 81), sample("", "", 90), sample("", "", 100), sample("", "", 101), sample("", "", 5000)}, []float64{0, 0, -0.05, -0.5, -1, -1, -1}},
		{"overlong by default", "soft_overlong_punishment", false, []schemas.Rollout{sample("", "", 12288), sample("", "", 14336), sample("", "", 16384)}, []float64{0, -0.5, -1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := values(t, tc.spec, tc.compat, &Group{Rollouts: tc.group})
			if err != nil {
				t.Fatal(err)
			}
			wantValues(t, tc.name, got, tc.want...)
		})
	}
}

// TestAccuracyAsPublished: unreadable golds earn 1, and what is compared is the study's.
func TestAccuracyAsPublished(t *testing.T) {
	for _, tc := range []struct {
		gold, completion    string
		published, accuracy float64
	}{
		{"$5$", `\boxed{5}`, 1, 1},
		{"$5$", `\boxed{6}`, 0, 0},
		{"5", `\boxed{6}`, 1, 0}, // no LaTeX: unreadable
		{"5", "", 1, 0},
		{`\boxed{5}`, "so 5", 0, 0},
		{`$\frac{1}{2}$`, `\boxed{\frac12}`, 0, 1}, // not repaired
		{"$5$", `<think>\boxed{5}</think> so \boxed{6}`, 0, 0},
		{"$5$", `<think>\boxed{5}</think> the answer is $6$`, 1, 0}, // the box wins, wherever it is
		{"$x>2$", `\boxed{(2,\infty)}`, 0, 1},                       // reverse order
		{`$(2,\infty)$`, `\boxed{x>2}`, 1, 1},
	} {
		for compat, want := range map[bool]float64{true: tc.published, false: tc.accuracy} {
			got, err := values(t, "accuracy", compat, &Group{Rollouts: []schemas.Rollout{sample(tc.gold, tc.completion, 1)}})
			if err != nil || float64(got[0]) != want {
				t.Errorf("gold %q, completion %q, compatible %v: %v, %v, want %v", tc.gold, tc.completion, compat, got, err, want)
			}
		}
	}
	for _, spec := range []string{"accuracy", "reasoning_accuracy", "cosine", "length"} {
		if _, err := values(t, spec, false, &Group{Rollouts: []schemas.Rollout{sample(`\boxed{`, `\boxed{5}`, 1)}}); !errors.Is(err, answer.ErrGold) {
			t.Errorf("%s of an unreadable gold: %v", spec, err)
		}
	}
}

func TestDefinitions(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range Definitions() {
		if d.Name == "" || d.Doc == "" || d.Range == "" || d.Source == "" || d.build == nil || seen[d.Name] || strings.ContainsAny(d.Name, ",:=/ ") || isExternal(d.Name) {
			t.Errorf("definition %+v", d)
		}
		seen[d.Name] = true
		for _, p := range d.Params {
			if p.Name == "" || p.Doc == "" || p.check(p.Default) != nil || p.Compat != "" && p.check(p.Compat) != nil || seen[p.Name] && slices.Contains(names(), p.Name) {
				t.Errorf("%s: parameter %+v", d.Name, p)
			}
		}
		for _, compat := range []bool{false, true} {
			if _, err := d.make(nil, compat); err != nil {
				t.Errorf("%s with its defaults: %v", d.Name, err)
			}
		}
	}
	for _, name := range []string{"accuracy", "format", "tag_count", "reasoning_steps", "length", "cosine", "repetition_penalty", "soft_overlong_punishment", "language", "reasoning_accuracy"} {
		if !seen[name] || !strings.Contains(Help(), name) {
			t.Errorf("no reward %s", name)
		}
	}
}
