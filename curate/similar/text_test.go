package similar

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalise(t *testing.T) {
	for _, c := range []struct{ what, in, want string }{
		{"nothing", "", ""},
		{"punctuation only", " $ , . ; {} \\, ", ""},
		{"case and punctuation", "Find the Value, please: of X?", "find the value please of x"},
		{"math delimiters", `a $b$ $$c$$ \(d\) \[e\]`, "a b c d e"},
		{"fractions", `\frac{1}{2} \dfrac12 \tfrac 1 2 1/2 ½ \frac{a+b}{c} (a+b)/c {1 \over 2}`,
			"1 / 2 1 / 2 1 / 2 1 / 2 1 / 2 ( a + b ) / c ( a + b ) / c ( 1 / 2 )"},
		{"binomials", `\binom{n}{2} \dbinom n2 {n \choose 2}`, "( n choose 2 ) ( n choose 2 ) ( n choose 2 )"},
		{"groups", `x^{2} x^2 x^{2y} x^(2y) {{z}}`, "x ^ 2 x ^ 2 x ^ ( 2 y ) x ^ ( 2 y ) z"},
		{"sizes and spacing", `\left( x \right) \bigl[ \, \quad \! y\;z`, "( x ) [ y z"},
		{"text", `\text{if } x \mathrm{cm} \operatorname{lcm}(a,b) \textbf{Bold words}`, "if x cm lcm ( a b ) bold words"},
		{"synonyms", `\le \leq ≤ \leqslant <= \ne \neq ≠ != \ldots … ... \dots`, "<= <= <= <= <= != != != != dots dots dots dots"},
		{"decomposed not equal", "a =\u0338 b", "a != b"},
		{"greek", `\alpha α \Delta Δ \varepsilon`, "alpha alpha delta delta epsilon"},
		{"degrees", `30^\circ 30^{\circ} 30° 30\degree`, "30 degrees 30 degrees 30 degrees 30 degrees"},
		{"superscripts", "x² + y³", "x ^ 2 + y ^ 3"},
		{"numbers", `1,000 1{,}000 1\,000 12,345,678 1,2,3 1.50 27.0 .5 1.2.3 033`,
			"1000 1000 1000 12345678 1 2 3 1.5 27 0.5 1.2 3 033"},
		{"not thousands", "1,0000 1000,000 a,123", "1 0000 1000 000 a 123"},
		{"number words", "three, twenty-one and Five hundred; a hundred one thousand", "3 21 and 500 a hundred 1000"},
		{"one after hundred", "thirty five six", "35 6"},
		{"letters and digits", "3x a_1 a1 x_{12}", "3 x a 1 a 1 x 12"},
		{"multiplication", `2 \cdot 3 \times 4 * 5 × 6`, "2 3 4 5 6"},
		{"hyphens", "9-kilometer-long x-axis x-y 5-2 $n$-gon a -- b", "9 kilometer long x axis x - y 5 - 2 n gon a b"},
		{"apostrophes", "Janet’s don't f'(x) A'B' dogs' 'quoted'", "janets dont f prime ( x ) a prime b prime dogs quoted"},
		{"factorial", "n! 5! (n+1)! Help!", "n ! 5 ! ( n + 1 ) ! help"},
		{"subscripts", `\log_2 8 a_{n+1}`, "log 2 8 a ( n + 1 )"},
		{"environments", `\begin{align*} x &= 1 \\ y &= 2 \end{align*} \begin{array}{cl} a \end{array}`, "x = 1 y = 2 a"},
		{"skipped arguments", `\hspace{2cm} x \tag{1} \textcolor{red}{y}`, "x y"},
		{"sets", `\{1, 2\}`, "[ 1 2 ]"},
		{"accents and widths", "café ﬁne Ｘ１ na\u0308ive \u200bzero", "cafe fine x 1 naive 0"},
		{"ideographs", "求值x", "求 值 x"},
		{"empty superscripts", `A^2_{} n^{}_{} x^{}+1`, "a ^ 2 n x + 1"},
		{"missing arguments", `\frac{1} {\frac} \binom`, "1 / / ( choose )"},
		{"unbalanced", `{{x}} } { y`, "x y"},
		{"not UTF-8", "a\xff\xfeb", "a b"},
	} {
		got := Normalise(c.in)
		if got != c.want {
			t.Errorf("%s: Normalise(%q)\n got %q\nwant %q", c.what, c.in, got, c.want)
		}
		if again := Normalise(got); again != got {
			t.Errorf("%s: not stable: %q becomes %q", c.what, got, again)
		}
	}
}

// Drawings are one word, so that a figure neither drowns the text nor makes two
// problems the same.
func TestNormaliseDrawing(t *testing.T) {
	a := Normalise("Find the area. [asy]draw((0,0)--(1,1));[/asy] Now.")
	b := Normalise("Find the area. [asy] draw((0,0) -- (1,1)); [/asy] Now.")
	c := Normalise("Find the area. [asy]draw((0,0)--(1,2));[/asy] Now.")
	if a != b {
		t.Errorf("white space in a drawing matters: %q and %q", a, b)
	}
	if a == c {
		t.Errorf("two drawings are the same: %q", a)
	}
	if n := len(strings.Fields(a)); n != 5 {
		t.Errorf("%q has %d words, want 5", a, n)
	}
	if again := Normalise(a); again != a {
		t.Errorf("not stable: %q becomes %q", a, again)
	}
	if open := Normalise("x [asy]draw("); !strings.HasPrefix(open, "x drawing") {
		t.Errorf("a drawing that never ends: %q", open)
	}
}

// Nesting may be as deep as it likes.
func TestNormaliseDeep(t *testing.T) {
	for _, unit := range []string{"{", `\frac`, `\frac{`, `\text{`, `\sqrt{x`, `\binom{`, `\hspace{`, "(", `\begin{`} {
		s := strings.Repeat(unit, 20000) + "}"
		n := Normalise(s)
		if again := Normalise(n); again != n {
			t.Errorf("%s: not stable", unit)
		}
	}
}

func TestExcerpt(t *testing.T) {
	tx := Prepare("  Let $x$ be\n the “answer” to life. ")
	if got, want := tx.excerpt(1, 4), "$x$ be the “"; !strings.HasPrefix(got, "x$ be the") {
		t.Errorf("excerpt %q, want about %q", got, want)
	}
	long := Prepare(strings.Repeat("é word ", 500))
	if got := long.excerpt(0, long.Words()); len(got) > excerptLength+len("…") || !utf8.ValidString(got) {
		t.Errorf("an excerpt of %d bytes: %q", len(got), got)
	}
	if got := tx.excerpt(5, 5); got != "" {
		t.Errorf("an empty excerpt is %q", got)
	}
}

// Any sequence of difficult pieces is stable; the fuzz test starts from nearer
// to real text.
func TestNormaliseStable(t *testing.T) {
	pieces := []string{`\frac`, "{", "}", `\text`, "twenty", "one", "hundred", "^", `\circ`, "circ", "!", "'", "-", ".", "..", ",", "5", "000", "a", "B",
		"bc", " ", `\`, `\binom`, "[", "]", "(", ")", "[asy]", "[/asy]", "½", "²", "≠", "=", "\u0338", "İ", "Ι", "\u200b", "<", `\begin`, "array",
		`\hspace`, `\textcolor`, "%", "$", "é", "求", `\degree`, "°", `\over`, "\xff", `\,`, `\!`, "{,}", "\u0345", "ǅ", "⁄"}
	r := rand.New(rand.NewPCG(1, 1))
	for range 50000 {
		var b strings.Builder
		for range r.IntN(15) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		once := Normalise(b.String())
		if again := Normalise(once); again != once {
			t.Fatalf("%q\nbecomes %q\n   then %q", b.String(), once, again)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"", "Find $\\frac{a}{b}$.", "x^{\\circ} twenty {one} 1,\\!000", "[asy]x[/asy]", "f''(x) \\{ \\} ½ ≠ =\u0338 İ ǅ ﬀ 求",
		"{\\text{a} b}^{\\circ}", "\\three hundred", "a'b c's ''", "-- - a-b 5-bc", "\\frac\\frac12{3}{4}", "..5 ...5 1..2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tx := Prepare(s)
		n := tx.Normalised()
		if again := Normalise(n); again != n {
			t.Fatalf("not stable:\n   in %q\nfirst %q\nagain %q", s, n, again)
		}
		if !utf8.ValidString(n) {
			t.Fatalf("not UTF-8: %q", n)
		}
		if got := len(strings.Fields(n)); got != tx.Words() {
			t.Fatalf("%d words, %d counted: %q", got, tx.Words(), n)
		}
		for i := range tx.words {
			if w := tx.words[i]; w.raw < 0 || int(w.raw) > len(s) {
				t.Fatalf("word %d begins at %d of %d bytes", i, w.raw, len(s))
			}
		}
		tx.excerpt(0, tx.Words())
	})
}
