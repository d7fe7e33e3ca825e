package answer

import (
	"strings"
	"testing"
	"unicode/utf8"

	"openrs/score/answer/corpus"
)

// TestExtract: what each profile takes for the answer of a text, "" for nothing.
func TestExtract(t *testing.T) {
	const same = "=" // the reward profile takes the same
	for _, tc := range []struct{ text, benchmark, reward string }{
		// boxes
		{`so \boxed{12}`, "12", same},
		{`\boxed{\frac{1}{2}} and done}`, `\frac{1}{2}`, same},
		{`\boxed{1} then \boxed{2}`, "2", same},
		{`\fbox{7}`, "7", same},
		{`\boxed 5`, "5", same}, {`\boxed 5.`, "5", same}, {`$\boxed 5$`, "5", same}, {`\boxed5`, "5", same}, {"\\boxed\n{5}", "5", same},
		{`\\boxed{12}`, "12", same}, {`\\boxed{\\frac12}`, `\frac12`, same},
		{`\boxed{\{1,2\}}`, `\{1,2\}`, same}, {`\boxed{$12$}`, "12", same}, {`\boxed{ 12. }`, "12", same},
		{`\boxed{so \boxed{5}}`, "5", same},
		{`\boxed{12} or \boxed{ }`, "12", same},
		{`\boxed{12`, "", ""}, {`\boxed{12} but then \boxed{13`, "", ""}, {`\boxed{12 and \boxed{13}`, "13", same},
		{`first \boxed{3}. Later, after much more work we find \boxed{12}`, "12", same},
		{`\boxed{3} and \boxed{5}`, "3, 5", same}, {`x = \boxed{3}, y = \boxed{5}`, "3, 5", same}, {`$\boxed{3}$ or $\boxed{5}$`, "3, 5", same},
		{`\boxed{12}, \boxed{12}`, "12", same}, {`\[\boxed{1}, \boxed{2}\]`, "1, 2", same},
		{`so \boxed{5}, which is for \boxed{6}`, "6", same},
		{`\boxed{50}\%`, `50\%`, same}, {`$\boxed{50}\%$ of it`, `50\%`, same},
		{`put it in \boxed{}: the answer is $12$`, "12", same}, {`put it in \boxed and 5`, "5", ""},
		{`\boxed{3} but the final answer is $12$. I hope it is correct.`, "12", same},
		{`the final answer is: $\boxed{12}$. I hope it is correct.`, "12", same},
		{`the answer is 3, no: \boxed{12}. (Note that this used 3 and 17, and $x=4$.)`, "12", same},
		{"So, \\boxed{7} is the answer.\n\n**Final Answer**\n\\boxed{7}", "7", same},
		// thoughts
		{`<think>\boxed{3}</think> so \boxed{4}`, "4", same},
		{`<think>\boxed{3}</think> The answer is $12$.`, "12", same},
		{`<think>\boxed{3}</think> so it is 4`, "4", "3"},
		{`<think>\boxed{3}</think> so \boxed{4`, "", ""},
		{`<think>\boxed{3}</think>`, "3", same},
		{`<think>it is 3</think>`, "", ""},
		{`<think>it is 3`, "", ""},
		{`<think>it is \boxed{3} but let me`, "3", same},
		{`<think>a</think> \boxed{1}</think>`, "1", same},
		{"<think>a 3\n</think>\n<answer>12</answer>", "12", ""}, {"<answer>\n\\boxed{12}\n</answer>", "12", same}, {"<answer>$12$</answer>", "12", same}, {"<answer> x = 12 </answer> ok 3", "x = 12", ""},
		// after "answer"
		{"The final answer is: $12$. I hope it is correct.", "12", same},
		{"the FINAL ANSWER is 12. I hope", "12", ""},
		{"The final answer is $$\\frac12$$", `\frac12`, same},
		{"The final answer is 3.5.", "3.5", ""},
		{"The final answer is\n\n**12**", "12", ""},
		{"The final answer is", "", ""},
		{"**Answer:** $12$", "12", same}, {"Answer: **12**", "12", ""}, {"ANSWER: 12", "12", ""}, {"The answer is **12**.", "12", ""},
		{"**Final Answer:** \\(12\\)", "12", same}, {"## Final Answer\n\n12", "12", ""}, {"Answer\n======\n12", "12", ""}, {"**Final Answer**\nThe value of $x$ is $12$.", "12", "x"},
		{"The correct answer is 12.", "12", ""}, {"answer = 12", "12", ""}, {`{"answer": 12}`, "12", ""},
		{"so $x=12$ is the answer. Or 3", "x=12", ""}, {"so 12 is the final answer.", "12", ""},
		{"The final answer is 12. (Note that this used 3 and 17.)", "12", ""},
		{"The answer is 12 apples out of 30", "12", ""}, {"The answer is 12 square feet.", "12 square feet", ""},
		{"The answer to $x+1$ is $5$", "5", same}, {"The answer is therefore $12$, as 2+10=12.", "12", same},
		{"Answer: The value of x is 12", "12", ""}, {"Answer: x = 5 or x = 3", "x = 5 or x = 3", ""}, {"Answers: 3 and 4", "3 and 4", ""},
		{"The answer is $5$, $x$ being the number", "5", same}, {"the answers are $3$ and $12$.", "3  and  12", "3, 12"},
		{"So the final answer is\n\\[\n12\n\\]\nwhere 3 is", "12", same}, {"answer is:\n\n$$x = 12$$\n\nand so on 5", "x = 12", same},
		{"Answer - $5$", "5", same}, {"The answer is $-5$", "-5", same}, {"the answer is \\frac{1}{2}", `\frac{1}{2}`, same}, {"The answer is \\$57500.", `\$57500`, ""},
		{"The answer is (B).", "(B)", ""}, {"The final answer is Monday.", "Monday", ""}, {"Answer: no solution", "no solution", ""},
		{"The answer is $50$%", "50 %", `50\%`}, {"the answer will be clear. We get 7", "7", ""},
		// after ####
		{"3 + 4 = 7\n#### 7", "7", ""}, {"#### 12 dollars", "12 dollars", ""}, {"#### Step 3: do 5\nThus x = 12.", "x = 12", ""},
		{`The answer is \\(12\\).`, "12", same}, {`{"answer": "$x+1$"}`, "x+1", same}, {`\boxed{\text{Answer: }12}`, "12", same}, {"Answer: 0 > a", "0 > a", ""}, {"<answer>\n- 10 x\n</answer>", "- 10 x", ""},
		// unmarked
		{"12", "12", ""}, {"-9, -1", "-9, -1", ""}, {`\sqrt2`, `\sqrt2`, ""}, {"- 6 \\sqrt{6} - 2 \\sqrt{5}", "- 6 \\sqrt{6} - 2 \\sqrt{5}", ""}, {"$12$", "12", ""}, {"```\n12\n```", "12", ""}, {"[ 12 ]", "12", ""},
		{"so it is **12** of 30", "12", ""}, {"**Step 3:** We get 12", "12", ""},
		{"Then\n\\[ x = 12 \\]", "x = 12", ""}, {"\\begin{align*}\nx &= 3+9 \\\\\n &= 12\n\\end{align*}", "= 12", ""},
		{"We get 3 then 12", "12", ""}, {"We get $3$ then $12$", "12", ""}, {"the roots are $3$ and $12$", "3  and  12", ""},
		{"The value is 12.", "12", ""}, {"x = 3 + 9 = 12", "x = 3 + 9 = 12", ""}, {"a → 12", "12", ""}, {"x is 5", "5", ""}, {"y = 2(x+1)^2 for all x", "y = 2(x+1)^2", ""},
		{"The number of ways is $3 \\cdot 4 = 12$ (see step 2).", `3 \cdot 4 = 12`, ""},
		{"1. First\n2. Then the sum is 12.\n3. Done", "12", ""}, {"about 50 percent", "50 percent", ""}, {"The total is 3,000 dollars", "3,000 dollars", ""},
		{"the solution is (3, -2)", "(3, -2)", ""}, {"costs $12", "$12", ""}, {"costs $12 and then $15", "$15", ""}, {"So we obtain 2160\\text{ dollars}", `2160\text{ dollars}`, ""},
		{"A divisor is 7. A", "7", ""}, {"the 3rd one of a 9-digit number", "", ""}, {"I don't know", "", ""}, {"", "", ""}, {"}}}{{{", "", ""}, {`\`, "", ""}, {`\boxed`, "", ""}, {`\boxed{\`, "", ""},
	} {
		if tc.reward == same {
			tc.reward = tc.benchmark
		}
		for p, want := range map[Profile]string{Benchmark(): tc.benchmark, Reward(): tc.reward} {
			got, ok := Extract(tc.text, p)
			if got != want || ok != (want != "") {
				t.Errorf("%s: Extract(%q) = %q, %v, want %q", p.Name, tc.text, got, ok, want)
			}
		}
	}
}

// TestExtractOpenRS: the published reward looks for a box everywhere first.
func TestExtractOpenRS(t *testing.T) {
	for text, want := range map[string]string{
		`<think>\boxed{3}</think> The answer is $12$.`: "3", `<think>a</think> The answer is $12$.`: "12", "12": "", "the answer is 12": "",
	} {
		if got, _ := Extract(text, OpenRS()); got != want {
			t.Errorf("Extract(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestProse(t *testing.T) {
	var got []string
	for s := range Prose(`a $x$ b \(y\) costs $5.` + "\n\\[z\\]c") {
		got = append(got, s)
	}
	if strings.Join(got, "|") != "a | b | costs $5.\n|c" {
		t.Errorf("%q", got)
	}
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{`\boxed{12}`, `\boxed{\frac{1}{2}`, `<think></think>\fbox 5$`, "final answer is $x$", "#### 1,234", `\\boxed{a\}b}`, "so **12** of\n\n\\[\n x = 5 \\]", "answer: (B) 12.", "\\begin{align}a &= b \\\\ &= 5\\end{align}", "$5 and $7", "1. a\n2. b is 3 or 4 (see $5$)."} {
		f.Add(s)
	}
	for _, s := range hostile(300) {
		f.Add(s)
	}
	for _, s := range corpus.Read(f, "testdata/extract.corpus", 1) {
		f.Add(s[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range Profiles() {
			s, ok := Extract(text, p)
			if ok != (s != "") || utf8.ValidString(text) && !utf8.ValidString(s) {
				t.Errorf("%s: Extract(%q) = %q, %v", p.Name, text, s, ok)
			}
			again, _ := Extract(text, p)
			if again != s {
				t.Errorf("%s: Extract(%q) = %q, then %q", p.Name, text, s, again)
			}
		}
		// The pieces of a text are in it, in order.
		at := 0
		for _, x := range formulas(text) {
			if x.start < at || x.end <= x.start || !strings.Contains(text[x.start:x.end], x.inner) {
				t.Fatalf("formulas of %q: %+v", text, x)
			}
			at = x.end
		}
	})
}
