package expr

import (
	"errors"
	"strings"
	"testing"

	"openrs/score/answer/corpus"
)

var seeds = []string{
	`\frac{1}{2}`, `3\frac12`, `x=1, x=2`, `\{1,2\}`, `(1,2]\cup[3,\infty)`, `0<x\le 1`, `\begin{pmatrix}1&2\\3&4\end{pmatrix}`, `\pm\sqrt{2}`, `\sin^2 x+\cos^2 x`, `12 \text{ cm}^2`,
	`1{,}234`, `0.\overline{3}`, `101_2`, `\sum_{k=1}^{5}k`, `|x|`, `\text{no solution}`, `\left\lfloor x\right\rfloor!`, `3:4`, `1.5e3`, `90^\circ`, `\log_2 8`, `\mathbb{R}\setminus\{0\}`, `e^{i\pi}`, `x^{1/2}\%`, `(A)`, `5 m`,
	`x^2<4 \text{ or } x>7`, `\{x|x>1\}`, `\binom{n}{2}`, `\sqrt[3]{x}`, `f(x)=\ln|x|`, `y=2x+1`, `9^{9^{9}}`,
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	for _, s := range corpus.Read(f, "testdata/parse.corpus", 1) {
		f.Add(s[0])
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Parse(text, Options{})
		if err != nil {
			if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrBudget) {
				t.Fatalf("Parse(%q): %v is no sentinel", text, err)
			}
			return
		}
		if v.Kind() == "" || strings.TrimSpace(v.form.key) == "" {
			t.Fatalf("Parse(%q) has kind %q and key %q", text, v.Kind(), v.form.key)
		}
		_ = v.String()
		if r := Equal(v, v, Options{}); !r.Equal {
			t.Fatalf("%q is not equal to itself: %s", text, r.Reason)
		}
	})
}

func FuzzEqual(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i*7+1)%len(seeds)])
		f.Add(s, s+"+0")
	}
	for _, s := range corpus.Read(f, "testdata/equal.corpus", 2) {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, x, y string) {
		a, err := Parse(x, Options{})
		if err != nil {
			return
		}
		b, err := Parse(y, Options{})
		if err != nil {
			return
		}
		r, s := Equal(a, b, Options{}), Equal(b, a, Options{})
		if !sided(x, a) && !sided(y, b) && r.Equal != s.Equal && !strings.HasPrefix(r.Reason, "undecided") && !strings.HasPrefix(s.Reason, "undecided") {
			t.Fatalf("%q and %q: %s one way, %s the other", x, y, r.Reason, s.Reason)
		}
		for _, r := range []Result{r, s} {
			if prefix, _, _ := strings.Cut(r.Reason, ": "); r.Equal != (prefix == "equal") {
				t.Fatalf("%q and %q: %v with the reason %q", x, y, r.Equal, r.Reason)
			}
		}
	})
}
