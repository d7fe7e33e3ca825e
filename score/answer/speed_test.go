package answer

import (
	"strings"
	"testing"
)

// hostile are texts that make careless extraction slow: a search that starts over at each candidate, or looks
// for a partner that is not there.
func hostile(n int) map[string]string {
	fill := func(s string) string { return strings.Repeat(s, n/len(s)+1)[:n] }
	return map[string]string{
		"open boxes": fill(`\boxed{`), "boxes": fill(`\boxed{1}`), "open braces": fill("{"), "closing braces": fill("}"), "bare boxes": fill(`\boxed `), "bare boxes 2": fill(`\boxed a`),
		"backslashes": fill(`\`), "anchors": fill("final answer is "), "anchors without answer": fill("the answer "), "answer:": fill("answer: "), "hashes": fill("#### "), "ends of thought": fill("</think>"),
		"dollars": fill("$"), "pairs of dollars": fill("$$ "), "dollars apart": fill("$ a"), "money": fill("$5 and "), "open parentheses": fill(`\(`), "open displays": fill(`\[`), "open and text": fill(`\( \alpha `),
		"begins": fill(`\begin{array}`), "begins of many": fill(`\begin{align}\begin{matrix}\begin{cases}\begin{bmatrix}`), "brackets": fill("[ "), "lines": fill("\n"), "brackets on lines": fill("[ a\n"), "bold": fill("**"), "bold words": fill("**a "),
		"nested boxes": strings.Repeat(`\boxed{`, n/8) + strings.Repeat("}", n/8), "spaces": fill(" "), "numbers": fill("1 "), "digits": fill("7"), "one word": fill("a"), "words": fill("word "), "operators": fill("+ "),
		"hope": fill("final answer is I hope "), "commas": fill("$1$, "), "boxes joined": fill(`\boxed{1}, `), "percent": fill(`\boxed{1}%`), "brackets in words": fill("(a "), "labels": fill("(A) "), "not UTF-8": fill("\xff"),
		"is": fill("answer is is "), "rows": `$\begin{matrix}` + fill(`1 \\ `) + `\end{matrix}$`, "and": fill("1 and "), "fences": fill("```\n"), "formula lines": fill("$$\n1\n$$\n"), "open formula": "$" + fill("1\n"), "quotes": fill("\""), "equals": fill("="),
		"answers in tags": fill("<answer>"), "think": fill("<think>"), "underscores": fill("_"), "stars": fill("*"), "tail": "5 " + fill("word "), "zeros": fill("0."), "colons": fill("answer::"),
	}
}

// TestHostileTexts: 256 KiB of anything are extracted from in a moment. The number of steps can't be seen
// from here; a quadratic search would take seconds for each of these, and the test would not end in time.
func TestHostileTexts(t *testing.T) {
	gold, err := ReadGold("$12$", Benchmark())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range hostile(256 << 10) {
		t.Run(name, func(t *testing.T) {
			for _, p := range Profiles() {
				Extract(text, p)
				Extract("$12$ </think>"+text, p)
			}
			gold.Verify(text)
			Equal("12", text, Reward())
			Verify(text, text, Benchmark())
		})
	}
}

// TestHostileAnswers: the examples that stop other verifiers for seconds, or for good.
func TestHostileAnswers(t *testing.T) {
	five := "5"
	for range 12 {
		five = "5^{" + five + "}"
	}
	for _, s := range []string{`(10^9)!`, `10^{10^{10}}`, five, `9!!!!!!!!!!!!`, `\frac{1}{2^{10^{9}}}`, `((10^9)!)!`, `2^{2^{2^{2^{2^{2^2}}}}}`, `\binom{10^9}{5 \cdot 10^8}`, `\sum_{k=1}^{10^{12}} k`, `\prod_{k=1}^{10^{9}} k`,
		`(x+1)^{100000}`, `(a+b+c+d+e+f)^{500}`, strings.Repeat("(", 2000), strings.Repeat("((x+1)^9+", 200) + "1" + strings.Repeat(")", 200), strings.Repeat("9", 4000) + "^" + strings.Repeat("9", 80),
		strings.Repeat(`\sqrt{`, 500) + "2" + strings.Repeat("}", 500), strings.Repeat(`\frac{1}{1+`, 300) + "1" + strings.Repeat("}", 300), strings.Repeat("1,", 2000) + "1", strings.Repeat("x=", 1500) + "1", strings.Repeat("1<", 1500) + "2",
		`10^{-10^{10}}`, `1.5e999999999`, `\sin(10^{100000})`, `e^{e^{e^{e^e}}}`, `\begin{pmatrix}` + strings.Repeat("1 & ", 900) + `1\end{pmatrix}`} {
		for _, p := range Profiles() {
			if v, err := Verify("$7$", `\boxed{`+s+`}`, p); err != nil || v.Equal {
				t.Errorf("%.60q: %.300v, %v", s, v, err)
			}
			Verify("$"+s+"$", `\boxed{`+s+`}`, p)
			Verify("$"+s+"$", `\boxed{`+s+`+1}`, p)
		}
	}
}

func BenchmarkPairs(b *testing.B) {
	var short, long []labelled
	for _, p := range pairs(b) {
		switch {
		case len(p.Pred) < 200:
			short = append(short, p)
		case len(p.Pred) > 6500:
			long = append(long, p)
		}
	}
	for name, rows := range map[string][]labelled{"short": short, "completions": long} {
		for _, profile := range []Profile{Reward(), Benchmark()} {
			b.Run(name+"/"+profile.Name, func(b *testing.B) {
				size := 0
				for i := range b.N {
					p := &rows[i%len(rows)]
					size += len(p.Pred)
					Verify(p.Gold, p.Pred, profile)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pairs/s")
				b.SetBytes(int64(size / b.N))
			})
		}
	}
}
