package answer

import (
	"errors"
	"strings"
	"testing"

	"openrs/score/answer/corpus"
	"openrs/score/answer/expr"
)

func TestVerify(t *testing.T) {
	for _, tc := range []struct {
		gold, prediction  string
		benchmark, reward bool
	}{
		{"38", "<think>\n7*8=56\n</think>\n\\boxed{38}", true, true},
		{"38", `\boxed{\frac{76}{4}}`, false, false},
		{"$1/2$", `\boxed{50\%}`, true, true},
		{"38", "I don't know", false, false},
		{"38", "38", true, false},
		{"38", `\boxed{38 \text{ cm}}`, true, true},
		{"x=5", `\boxed{5}`, true, true},
		{`\boxed{12}`, "so 12", true, false},
		{"steps\n#### 12", "The answer is $12$", true, true},
		{"$3, 12$", "the roots are $3$ and $12$", true, false},
		{"$3, 12$", "the answers are $3$ and $12$.", true, true},
		{"$12$", "the final answer is: $\\boxed{12.}$. I hope it is correct.", true, true},
		{`$\text{Monday}$`, "So we obtain Monday", true, false},
		{`$\text{Monday}$`, "So we obtain Tuesday", false, false},
		{`$\text{Monday}$`, "The answer is Monday.", true, false},
		{`$80\%$`, "So we obtain 80 percent", true, false},
		{`$2/3$`, `\boxed{0.67}`, false, false},
		{`$\frac{1}{3}$`, `\boxed{0.33333}`, true, false}, // 5 places and 6
		{`$50\%$`, `\boxed{50}\%`, true, true},
		// a choice
		{"B", "The answer is (B).", true, false}, {"(B)", `\boxed{\textbf{(B)}\ 12}`, true, true}, {`\text{(B)}`, `\boxed{B}`, true, true}, {"B", `\boxed{(C) 12}`, false, false},
		{"B", "Thus option B is right.", true, false}, {"B", "B", true, false}, {"B", "B. 12", true, false}, {"B", "It is 12 in all.", false, false}, {"B", "A divisor is B", true, false},
		{"12", `\boxed{\textbf{(B)}\ 12}`, true, true}, {"13", `\boxed{\textbf{(B)}\ 12}`, false, false},
		{"A", `\boxed{A)}`, true, true}, {"A", `\boxed{\text{Option A}}`, true, true}, {"A", `\boxed{\text{Option B}}`, false, false}, {"D", `\boxed{\displaystyle \textbf{(D)}}`, true, true},
		{"D", `The answer is $\boxed{\text{(D)}}$ or $\boxed{98765}$.`, false, false}, {"A", `\boxed{\text{(A) or (B)}}`, false, false}, {"A", `\boxed{(A), (B)}`, false, false},
		{"A", `\boxed{\textbf{(A)}\ 12 \text{ or } \textbf{(B)}\ 13}`, false, false},
		// words that announce the answer
		{"$(2,\\infty)$", `\boxed{\text{Domain: } (2, \infty)}`, true, true}, {"$1, 2$", `\boxed{\text{The solutions are } 1, 2}`, true, true},
		{"$5$", `\boxed{\text{The answer is not } 5}`, false, false}, {"$5$", `\boxed{\text{The answer is } 6}`, false, false},
		{"$16$", `\boxed{x = 2 \vee x = 16}`, false, false}, {"$x^2-1$", `\boxed{x^2-2 = x^2-1}`, false, false},
		// the first part that can be read, not any part that is right
		{"12", "The answer is $13$. Or 12.", false, false},
		{"12", `\boxed{13} 12`, false, false},
		{"12", `<think>\boxed{12}</think> The answer is $13$.`, false, false},
	} {
		for p, want := range map[Profile]bool{Benchmark(): tc.benchmark, Reward(): tc.reward, {}: tc.benchmark} {
			v, err := Verify(tc.gold, tc.prediction, p)
			if err != nil || v.Equal != want || v.GoldParsed == "" || v.Reason == "" {
				t.Errorf("%s: Verify(%q, %.60q) = %+v, %v, want %v", p.Name, tc.gold, tc.prediction, v, err, want)
			}
			if (v.Extracted == "") != (v.Reason == ReasonNoAnswer) || v.Equal && (v.PredictionParsed == "" || !strings.HasPrefix(v.Reason, "equal: ")) {
				t.Errorf("%s: Verify(%q, %.60q): reason and parts don't agree: %+v", p.Name, tc.gold, tc.prediction, v)
			}
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, tc := range []struct {
		prediction string
		want       Verdict
	}{
		{`\boxed{\frac{10}{4}}`, Verdict{true, "equal: ", `\frac{10}{4}`, "5/2", "5/2"}},
		{`\boxed{3}`, Verdict{false, "different: ", "3", "5/2", "3"}},
		{`nothing`, Verdict{false, ReasonNoAnswer, "", "5/2", ""}},
		{`\boxed{` + strings.Repeat("b", MaxAnswer+1) + `}`, Verdict{false, "unreadable: ", strings.Repeat("b", MaxAnswer+1), "5/2", ""}},
	} {
		got, err := Verify("2.5", tc.prediction, Reward())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(got.Reason, tc.want.Reason) {
			t.Errorf("%.40q: reason %q, want %q", tc.prediction, got.Reason, tc.want.Reason)
		}
		if got.Reason, got.GoldParsed = tc.want.Reason, "5/2"; got.Equal != tc.want.Equal || got.Extracted != tc.want.Extracted || (got.PredictionParsed == "") != (tc.want.PredictionParsed == "") {
			t.Errorf("%.40q: %.200v, want %.200v", tc.prediction, got, tc.want)
		}
	}
}

func TestUnreadableGold(t *testing.T) {
	for _, gold := range []string{"", "  ", "$ $", `\boxed{12`, `\frac{1}{2`, "a}", "\xff", strings.Repeat("1", 2*MaxAnswer)} {
		for _, p := range Profiles() {
			if v, err := Verify(gold, `\boxed{12}`, p); !errors.Is(err, ErrGold) {
				t.Errorf("%s: gold %.40q: %v, %v", p.Name, gold, v, err)
			}
		}
		if _, err := Equal(gold, gold, Benchmark()); !errors.Is(err, ErrGold) {
			t.Errorf("gold %.40q equals itself: %v", gold, err)
		}
	}
	for _, gold := range []string{"12", "1/2", "x=5"} { // no LaTeX for the study
		if _, err := ReadGold(gold, OpenRS()); !errors.Is(err, ErrGold) {
			t.Errorf("gold %q: %v", gold, err)
		}
	}
}

func TestExplain(t *testing.T) {
	g, err := ReadGold("12", Benchmark())
	if err != nil {
		t.Fatal(err)
	}
	steps := g.Explain("#### oops\nSo **much** is (a great deal\nof work, and gives 12.")
	last := steps[len(steps)-1]
	if last.Text != "12" || last.From != "last mathematics" || !strings.HasPrefix(last.Result, string(expr.KindInteger)) {
		t.Errorf("%+v", steps)
	}
	if steps := g.Explain(`\boxed{13} then 12`); len(steps) != 1 || steps[0].From != "box" {
		t.Errorf("%+v", steps)
	}
	if steps := g.Explain(""); len(steps) != 0 {
		t.Errorf("%+v", steps)
	}
}

func TestProfileByName(t *testing.T) {
	for _, p := range Profiles() {
		if got, err := ProfileByName(p.Name); err != nil || got != p {
			t.Errorf("%s: %+v, %v", p.Name, got, err)
		}
	}
	if _, err := ProfileByName("benchmrk"); err == nil || !strings.Contains(err.Error(), `did you mean "benchmark"`) {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	for _, s := range []string{"12", `\frac{1}{2}`, `-3\frac12`, "1,234.5", "10%", `1.5\times10^{3}`, `12\text{ cm}^2`, "(1,2)", "x=5", `\{a,b\}`, "2^{-3}", "$5", "1e-3", `{{{1}}}`, `\left(`, "(B)", "(10^9)!", `\boxed{1}, \boxed{x}`, "the answer is $x<2$", `\text{Monday}`} {
		f.Add(s, s)
		f.Add(s, `\boxed{`+s+`}`)
	}
	for _, s := range corpus.Read(f, "testdata/verify.corpus", 2) {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, gold, prediction string) {
		for _, p := range Profiles() {
			g, err := ReadGold(gold, p)
			if err != nil {
				if !errors.Is(err, ErrGold) {
					t.Errorf("gold %q: %v", gold, err)
				}
				continue
			}
			v := g.Verify(prediction)
			if v.Reason == "" || v.Equal && (v.Extracted == "" || !strings.HasPrefix(v.Reason, "equal: ")) || (v.Extracted == "") != (v.Reason == ReasonNoAnswer) {
				t.Errorf("%s: Verify(%q, %q) = %+v", p.Name, gold, prediction, v)
			}
			steps := g.Explain(prediction)
			if n := len(steps); v.PredictionParsed != "" && (n == 0 || steps[n-1].Text != v.Extracted) {
				t.Errorf("%s: Explain(%q) = %+v, but extracted %q", p.Name, prediction, steps, v.Extracted)
			}
		}
	})
}
