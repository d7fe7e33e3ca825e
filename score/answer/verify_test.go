package answer

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEqual(t *testing.T) {
	huge := strings.Repeat("7", 900)
	for _, tc := range []struct {
		gold, answer string
		want         bool
	}{
		// integers and decimals
		{"12", "12", true}, {"12", "12.0", true}, {"12", "+12", true}, {"12", "012", true}, {"12", "13", false},
		{"-3", "-3", true}, {"-3", "−3", true}, {"-3", "3", false}, {"0", "-0", true}, {"5", "- 5", false}, {"5", "--5", false},
		{huge, huge, true}, {huge, huge + ".0", true}, {huge, huge[1:] + "8", false},
		{"100000000000000000001", "100000000000000000000", false}, {".5", "0.5", true}, {"0.5", "0.50", true}, {"12.", "12", true},
		{"0.1", "0.10000000000000000001", false}, {"1/3", "0.333333", false}, {"007", "7", true},
		// separators
		{"1234", "1,234", true}, {"1234567", "1,234,567", true}, {"1234", "1{,}234", true}, {"1234", `1\,234`, true}, {"1234", "1 234", true},
		{"123", "1,23", false}, {"0.25", "0,25", true}, {"1234.5", "1,234.5", true}, {"12345", "(12,345)", false},
		// fractions
		{"1/2", "0.5", true}, {`\frac{1}{2}`, "1/2", true}, {`\frac{1}{2}`, `\dfrac{2}{4}`, true}, {`\frac{1}{2}`, `\frac12`, true}, {`\frac{1}{2}`, `\tfrac 1 2`, true},
		{`-\frac{1}{2}`, `\frac{-1}{2}`, true}, {`-\frac{1}{2}`, `\frac{1}{-2}`, true}, {`\frac{\frac{1}{2}}{3}`, "1/6", true}, {`\frac{1}{2}`, `\frac{1}{3}`, false},
		{"2", "4/2", true}, {"1/2", "(1/2)", true}, {"1/2", "1/(2)", true}, {"1/2", "1/0", false}, {"0.5", `\frac{1}{0}`, false}, {"1/8", "1/2/4", false},
		// mixed numbers
		{"7/2", `3\frac{1}{2}`, true}, {"3.5", `3 \frac12`, true}, {"-3.5", `-3\frac{1}{2}`, true}, {"7/2", "3 1/2", true}, {"31/2", "3 1/2", false},
		{"3.625", "3 125/200", true}, {"3/2", `3\frac{-3}{2}`, false},
		// percent, money, powers
		{`10\%`, "0.1", true}, {"10%", "1/10", true}, {"10%", "10", false}, {"10%", "10 percent", true}, {`10\%`, `10 \text{ percent}`, true}, {"5", `\$5`, true}, {"5", "$5", true}, {"-5", "-$5", true},
		{"1500", "1.5e3", true}, {"1500", `1.5 \times 10^3`, true}, {"1500", `1.5 \cdot 10^{3}`, true}, {"0.0015", `1.5\times10^{-3}`, true}, {"1500", "1.5*10^3", true},
		{"1024", "2^{10}", true}, {"1/4", "2^{-2}", true}, {"-4", "-2^2", true}, {"1", "10^{999999999}", false}, {"1", "1e999999999", false}, {"1", "1e99999999999999999999", false},
		{"0", "0^{-1}", false},
		// units
		{"12", "12 cm", true}, {"12", `12 \text{ cm}^2`, true}, {"12", `12\mathrm{m}`, true}, {"12", "12 square meters", true}, {"626", "626 dollars", true}, {"12", "12t", false},
		{"12", "12 t", false}, {"90", `90^\circ`, true}, {"90", `90^{\circ}`, true}, {"90", "90°", true}, {"2", "2 pi", false}, {"2", "2 million", false}, {"5", "5 or 6", false},
		{"5", "five", false}, {"5", "x cm", false}, {"12", "12 and counting", false},
		// wrappers
		{"$12$", "12", true}, {`\boxed{12}`, "12", true}, {"steps\n#### 12", "12", true}, {"12", `\(12\)`, true}, {"12", `\[ 12 \]`, true}, {"12", "**12**", true}, {"12", `\text{12}`, true}, {"12", "12.", true},
		{"12", "$$12$$", true}, {"12", "{12}", true}, {"12", `\left(12\right)`, true}, {"12", `\displaystyle 12`, true},
		// names
		{"5", "x=5", true}, {"x=5", "5", true}, {"x = 5", "x=5.0", true}, {"x=5", "y=5", false}, {"2x+1", "f(x) = 2x+1", true}, {"3", "x+y=3", false}, {"5", "a=b=5", false},
		// text
		{`\text{Odd}`, "odd", true}, {"(A)", "A", true}, {`\text{(A)}`, "a", true}, {"x^{2}+1", "x^2 + 1", true}, {`\sqrt2`, `\sqrt{2}`, true}, {`\frac{a}{b}`, `\dfrac ab`, true},
		{"x+1", "x-1", false}, {"X+1", "x+1", false}, {`2\cdot x`, `2 \times x`, true}, {`\frac{\sqrt{3}}{2}`, `\frac{\sqrt3}{2}`, true}, {"yes", "no", false}, {"12", "yes", false},
		// lists
		{"(1, 2)", "(1,2)", true}, {"(1/2, 3)", `(0.5, 3.0)`, true}, {"(1,2)", "(2,1)", false}, {"(1,2)", "[1,2)", false}, {"1, 2", "1,2,3", false}, {`\{1, x\}`, `\{ 1.0,x \}`, true},
		{`(\frac{1}{2}, f(1, 2))`, "(0.5, f(1,2))", true}, {"(1,a)", "(1,b)", false},
	} {
		v, err := Equal(tc.gold, tc.answer)
		if err != nil || v.Equal != tc.want {
			t.Errorf("Equal(%.60q, %.60q) = %.300v, %v, want %v", tc.gold, tc.answer, v, err, tc.want)
		}
		if v.Reason == "" || v.GoldParsed == "" {
			t.Errorf("Equal(%.60q, %.60q) = %.300v: no reason or reading", tc.gold, tc.answer, v)
		}
	}
}

func TestVerify(t *testing.T) {
	for _, tc := range []struct {
		gold, prediction string
		want             Verdict
	}{
		{"38", "<think>\n7*8=56\n</think>\n\\boxed{38}", Verdict{true, ReasonEqualValue, "38", "38", "38"}},
		{"38", "\\boxed{\\frac{76}{4}}", Verdict{false, ReasonDifferentValue, `\frac{76}{4}`, "38", "19"}},
		{"1/2", "\\boxed{50\\%}", Verdict{true, ReasonEqualValue, `50\%`, "1/2", "1/2"}},
		{"38", "I don't know", Verdict{false, ReasonNoAnswer, "", "38", ""}},
		{"38", "38", Verdict{false, ReasonNoAnswer, "", "38", ""}},
		{"38", "\\boxed{x}", Verdict{false, ReasonNotNumber, "x", "38", "x"}},
		{"a", "\\boxed{b}", Verdict{false, ReasonDifferentText, "b", "a", "b"}},
		{"a", "\\boxed{" + strings.Repeat("b", MaxAnswer+1) + "}", Verdict{false, ReasonUnreadable, strings.Repeat("b", MaxAnswer+1), "a", ""}},
	} {
		got, err := Verify(tc.gold, tc.prediction)
		if err != nil || got != tc.want {
			t.Errorf("Verify(%q, %.60q) = %.200v, %v, want %.200v", tc.gold, tc.prediction, got, err, tc.want)
		}
	}
}

func TestUnreadableGold(t *testing.T) {
	for _, gold := range []string{"", "  ", "$ $", ".", `\boxed{12`, `\boxed{}`, `\frac{1}{2`, "a}", "\xff", strings.Repeat("1", MaxAnswer+1), `\text{}`} {
		if v, err := Verify(gold, `\boxed{12}`); !errors.Is(err, ErrGold) {
			t.Errorf("gold %.40q: %v, %v", gold, v, err)
		}
		if _, err := Equal(gold, gold); !errors.Is(err, ErrGold) {
			t.Errorf("gold %.40q equals itself: %v", gold, err)
		}
	}
}

// TestLabelledPairs keeps the agreement with labelled pairs of gold answer and prediction from falling:
// of the pairs whose intended verdict is known, how many are judged so.
func TestLabelledPairs(t *testing.T) {
	dir := os.Getenv("OPENRS_ANSWERS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "answers")
	}
	f, err := os.Open(filepath.Join(dir, "dev.jsonl"))
	if err != nil {
		t.Skipf("no labelled pairs: %v", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	var pairs, labelled, right, accepted, rejected int
	for lines.Scan() {
		var p struct {
			ID, Gold, Pred string
			Intended       *bool
		}
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		pairs++
		v, err := Verify(p.Gold, p.Pred)
		if err != nil {
			t.Errorf("%s: gold %q: %v", p.ID, p.Gold, err)
		}
		if p.Intended == nil || v.Reason == ReasonNoAnswer {
			continue
		}
		labelled++
		switch {
		case v.Equal == *p.Intended:
			right++
		case v.Equal:
			accepted++
			if testing.Verbose() {
				t.Logf("accepted: %s: gold %q, answer %q", p.ID, p.Gold, v.Extracted)
			}
		default:
			rejected++
			if testing.Verbose() {
				t.Logf("rejected: %s: gold %q, answer %q: %s", p.ID, p.Gold, v.Extracted, v.Reason)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if accepted > 0 || right < 1080 {
		t.Errorf("%d right, %d wrongly accepted; expected at least 1080 and none", right, accepted)
	}
	t.Logf("of %d pairs %d have an answer and a label: %d right, %d wrongly accepted, %d wrongly rejected", pairs, labelled, right, accepted, rejected)
}

func FuzzVerify(f *testing.F) {
	for _, s := range []string{"12", `\frac{1}{2}`, `-3\frac12`, "1,234.5", "10%", `1.5\times10^{3}`, `12\text{ cm}^2`, "(1,2)", "x=5", `\{a,b\}`, "2^{-3}", "$5", "1e-3", `{{{1}}}`, `\left(`} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, gold, answer string) {
		v, err := Equal(gold, answer)
		if err != nil {
			if !errors.Is(err, ErrGold) {
				t.Errorf("gold %q: %v", gold, err)
			}
			return
		}
		if v.Equal && v.PredictionParsed == "" {
			t.Errorf("Equal(%q, %q): equal to nothing", gold, answer)
		}
		if !strings.Contains(gold, `\boxed`) && !strings.Contains(gold, `\fbox`) && !strings.Contains(gold, "####") {
			if same, err := Equal(gold, gold); err != nil || !same.Equal {
				t.Errorf("%q does not equal itself: %v, %v", gold, same, err)
			}
			if utf8.ValidString(answer) && !strings.Contains(answer, `\boxed`) && !strings.Contains(answer, `\fbox`) && !strings.Contains(answer, "####") {
				if back, err := Equal(answer, gold); err == nil && back.Equal != v.Equal {
					t.Errorf("Equal(%q, %q) = %v, the other way round %v", gold, answer, v, back)
				}
			}
		}
	})
}
