package answer

import (
	"strings"
	"testing"
	"time"
)

func TestExtract(t *testing.T) {
	for _, tc := range []struct {
		text, want string
		ok         bool
	}{
		{`so \boxed{12}`, "12", true},
		{`\boxed{\frac{1}{2}} and done}`, `\frac{1}{2}`, true},
		{`\boxed{1} then \boxed{2}`, "2", true},
		{`\fbox{7}`, "7", true},
		{`\boxed 5`, "5", true},
		{`\boxed 5.`, "5", true},
		{`$\boxed 5$`, "5", true},
		{`\boxed5`, "5", true},
		{"\\boxed\n{5}", "5", true},
		{`put it in \boxed and so on`, "", false},
		{`\boxedfoo{5}`, "", false},
		{`\\boxed{12}`, "12", true},
		{`\boxed{\{1,2\}}`, `\{1,2\}`, true},
		{`\boxed{a \} b}`, `a \} b`, true},
		{`\boxed{so \boxed{5}}`, `so \boxed{5}`, true},
		{`\boxed{}`, "", false},
		{`\boxed{12} or \boxed{ }`, "12", true},
		{`\boxed{12`, "", false},
		{`\boxed{12} but then \boxed{13`, "", false},
		{`\boxed{12 and \boxed{13}`, "13", true},
		{`first \boxed{3}. Later we find \boxed{12}`, "12", true},
		{`<think>\boxed{3}</think> so \boxed{4}`, "4", true},
		{`<think>\boxed{3}</think> the final answer is 4`, "4", true},
		{`<think>\boxed{3}</think> so it is 4`, "3", true},
		{`<think>\boxed{3}</think> so \boxed{4`, "", false},
		{`<think>a</think> \boxed{1}</think>`, "1", true},
		{"The final answer is: $12$. I hope it is correct.", "12", true},
		{"the FINAL ANSWER is 12. I hope", "12", true},
		{"The final answer is $$\\frac12$$", `\frac12`, true},
		{"The final answer is 3.5.", "3.5", true},
		{"The final answer is\n\n**12**", "12", true},
		{"The final answer is", "", false},
		{"3 + 4 = 7\n#### 7", "7", true},
		{"the answer is 12", "", false},
		{"", "", false},
		{"}}}{{{", "", false},
		{`\`, "", false},
		{`\boxed`, "", false},
		{`\boxed{\`, "", false},
	} {
		got, ok := Extract(tc.text)
		if got != tc.want || ok != tc.ok {
			t.Errorf("Extract(%q) = %q, %v, want %q, %v", tc.text, got, ok, tc.want, tc.ok)
		}
	}
}

// TestExtractLongTexts feeds texts on which a search that starts over at each candidate would take
// hours. It fails by not coming to an end.
func TestExtractLongTexts(t *testing.T) {
	const n = 300_000
	start := time.Now()
	for _, text := range []string{
		strings.Repeat(`\boxed{`, n), strings.Repeat(`\boxed{1}`, n), strings.Repeat("{", n), strings.Repeat("}", n),
		strings.Repeat(`\boxed `, n), strings.Repeat(`\`, n), strings.Repeat("final answer is ", n), strings.Repeat("#### ", n),
		strings.Repeat(`\boxed{`, n) + strings.Repeat("}", n), strings.Repeat("</think>", n), strings.Repeat("$", n),
	} {
		Extract(text)
	}
	t.Logf("%v", time.Since(start))
}

func FuzzExtract(f *testing.F) {
	for _, s := range []string{`\boxed{12}`, `\boxed{\frac{1}{2}`, `<think></think>\fbox 5$`, "final answer is $x$", "#### 1,234", `\\boxed{a\}b}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, ok := Extract(text)
		if ok != (s != "") || !strings.Contains(text, s) {
			t.Errorf("Extract(%q) = %q, %v", text, s, ok)
		}
	})
}
