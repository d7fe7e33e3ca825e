package expr

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

// hostile are answers made to take long or much memory.
func hostile() []string {
	r := strings.Repeat
	many := func(n int, f string) string { return r(f, n/len(f)) }
	out := []string{
		"9^{9^{9^9}}", "10^{10^{10}}", "5^{5^{5^{5^{5}}}}", "1e999999999", "1.5e999999999", "2.0e-99999", "(10^9)!", "1000000000!", "3000!", "((10!)!)!", "2999!^{2999!}",
		"2^{32000}", "2^{32767}", "7^{11000}", `\binom{1000000000}{500000000}`, `\binom{3000}{1500}`, `\sum_{k=1}^{1000000000} k^k`, `\sum_{k=1}^{300} k^{4000}`, `\sum_{k=1}^{300}\sum_{j=1}^{300} \sin(jk)`,
		`\prod_{k=1}^{300} (x+k)`, `(x+y+z+w)^{100}`, "(x+1)^{1000000}", "(x+y)^{5000}", `\sqrt[1000000]{2}`, `\sqrt[64]{3^{2500}}`,
		`e^{e^{e^{e^{e}}}}`, `\sin(10^{300})`, `\sin(10^{10^{3}})`, `\ln(\ln(\ln(10^{10^{4}})))`, `\frac{1}{10^{10^4}}`, `\lfloor 10^{1000}\pi\rfloor`,
		`\log_{2}(2^{10000}+1)`, `\tan(\frac{\pi}{2}+10^{-300})`, "x^{999999999}", "x^{y^{z^{w}}}", "|" + r("x|", 200), `\gcd(10^{400}, 6)`,
		`\sqrt{` + r("123456789", 30) + "}", r("9", 9000), r("9", 5000) + "/" + r("7", 3000), "0." + r("3", 4000), "1" + r(",000", 1000),
		many(8000, "("), many(8000, "(") + "1" + many(8000, ")"), many(3000, "{") + "1" + many(3000, "}"), many(3900, `\sqrt{`) + r("}", 650), many(8000, `\frac`), many(8000, `\frac{1}`), many(8000, "x+"), many(8000, "1+"), many(8000, "x*"), many(8000, "-"),
		many(8000, "2^"), many(8000, "x^"), many(8000, "1,"), many(8000, "(1,"), many(8000, "x="), many(8000, "x<"), many(8000, `\text{a}`), many(8000, `\text{\text{`), many(8000, "sin"), many(8000, "!"), "5" + many(8000, "!"), many(8000, "%"),
		many(8000, "|x"), many(8000, `\left|x\right|`), many(8000, `[1,2]\cup`) + "[1,2]", many(2000, "(1,2)U") + "(3,4)", many(8000, `\pm 1`), many(8000, `1\pm `) + "1", many(8000, `x_{`), many(8000, "x_1"), many(8000, "ab"), many(8000, "a b "), many(8000, `\\begin{pmatrix}`),
		`\begin{pmatrix}` + r(`1&2\\`, 1000) + `\end{pmatrix}`, `\begin{vmatrix}` + r("x&y&z&w&v", 1) + r(`\\1&2&3&4&5`, 4) + `\end{vmatrix}`, many(8000, "\\"), many(8000, `\{`), many(8000, "^"), many(8000, "_"), many(8000, "'"), "x" + many(8000, "'"), many(8000, "$"), many(8000, " "), many(8000, "²"), many(8000, "½"), many(8000, "√"),
		many(8000, "1:"), many(8000, "x:y:") + "1", many(8000, "cm "), "5" + many(8000, " cm"), "5" + many(8000, "/cm"), many(8000, "e^"), "e^{" + many(4000, "-") + "1}", many(8000, `\overline{`), many(8000, `\lfloor`), many(8000, `\lfloor x\rfloor`), many(8000, `\sum_{k=1}^{9}`), many(8000, `\log_`),
		r(`\sum_{k=1}^{300}`, 12) + "k", r(`\sin `, 500) + "x", many(4000, "(x+1)"), many(4000, "(a+b)(c-d)"), many(2500, `\sqrt{2}+`) + "1", many(2500, `\sqrt{97}\sqrt{89}+`) + "1", `\frac{1}{` + r(`1+\frac{1}{`, 40) + "x" + r("}", 41),
		many(8000, "a1"), r("a,b,", 120) + "c", many(8000, "\xff"), many(8000, "\x00"), many(8000, "，"), "{" + many(8000, "}"),
	}
	for i, n := 0, len(out); i < n; i++ {
		if len(out[i]) > 7000 {
			out = append(out, r(out[i], 8))
		}
	}
	return out
}

// TestHostile reads and compares hostile answers with each other and themselves. What it must not do is
// hang or fill the memory; the bounds checked are far above what one comparison takes.
func TestHostile(t *testing.T) {
	slowest, most := time.Duration(0), uint64(0)
	slow, large := "", ""
	var before, after runtime.MemStats
	plain := []string{"7", "x", `\sqrt{2}`, "(1,2)", "x=1", "x<1"}
	for _, s := range hostile() {
		runtime.ReadMemStats(&before)
		start := time.Now()
		v, err := Parse(s, Options{})
		if err == nil {
			if r := Equal(v, v, Options{}); !r.Equal {
				t.Errorf("%.60q is not equal to itself: %s", s, r.Reason)
			}
			w, _ := Parse(s+" + 1", Options{})
			Equal(v, w, Options{})
			w, _ = Parse("1 + "+s, Options{})
			Equal(v, w, Options{})
			for _, p := range plain {
				w, _ := Parse(p, Options{})
				Equal(v, w, Options{})
				Equal(w, v, Options{})
			}
			_ = v.String()
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > most {
			most, large = used, s
		}
		if took > slowest {
			slowest, slow = took, s
		}
		if testing.Verbose() && took > 20*time.Millisecond {
			t.Logf("%v, %d MB for 17 calls on %.70q", took, (after.TotalAlloc-before.TotalAlloc)>>20, s)
		}
	}
	t.Logf("slowest: %v for 17 calls on %.80q", slowest, slow)
	t.Logf("most allocated: %d KB for 17 calls on %.80q", most>>10, large)
	if most > 17*64<<20 {
		t.Errorf("%d MB allocated on %.80q", most>>20, large)
	}
}
