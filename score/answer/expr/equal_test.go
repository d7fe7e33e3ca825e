package expr

import (
	"errors"
	"strings"
	"testing"
)

func TestEqual(t *testing.T) {
	for kind, lines := range verdicts {
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			// The relation is the middle sign that has spaces around it.
			x, y, want := cut(line)
			got, why := equalText(t, x, y, Options{})
			if got != want {
				t.Errorf("%s: %q and %q: %v (%s), want %v", kind, x, y, got, why, want)
			}
		}
	}
}

// cut splits a line at its " = " or " ≠ ": where there are several, at the one that leaves an equation
// on each side that a plain reader would see; the table keeps these unambiguous by the order tried.
func cut(line string) (x, y string, want bool) {
	if a, b, ok := strings.Cut(line, " ≠ "); ok {
		return a, b, false
	}
	if a, b, ok := strings.Cut(line, " ⇔ "); ok {
		return a, b, true
	}
	parts := strings.Split(line, " = ")
	switch len(parts) {
	case 3:
		if strings.HasPrefix(line, "5 ") {
			return parts[0], parts[1] + " = " + parts[2], true
		}
		return parts[0] + " = " + parts[1], parts[2], true
	}
	half := len(parts) / 2
	return strings.Join(parts[:half], " = "), strings.Join(parts[half:], " = "), true
}

func equalText(t *testing.T, x, y string, o Options) (bool, string) {
	t.Helper()
	a, err := Parse(x, o)
	if err != nil {
		return false, err.Error()
	}
	b, err := Parse(y, o)
	if err != nil {
		return false, err.Error()
	}
	r := Equal(a, b, o)
	return r.Equal, r.Reason + "; read " + string(a.Kind()) + " " + a.String() + ", " + string(b.Kind()) + " " + b.String()
}

// TestStrict refuses what only lenient readers understand.
func TestStrict(t *testing.T) {
	for _, s := range []string{`\frac12`, `\sqrt2`, `.5`, `3+\frac12`, `\frac{1}2`, `(.5, 1)`, `x=\sqrt3`} {
		if v, err := Parse(s, Options{Strict: true}); !errors.Is(err, ErrUnreadable) {
			t.Errorf("strict %q: %v %v, want ErrUnreadable", s, v.Kind(), err)
		}
		if _, err := Parse(s, Options{}); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{`\frac{1}{2}`, `\sqrt{2}`, `0.5`, `x^2`, `\frac {1} {2}`} {
		if _, err := Parse(s, Options{Strict: true}); err != nil {
			t.Errorf("strict %q: %v", s, err)
		}
	}
}

// TestUnreadable lists what is no answer at all, and what is too large to be read.
func TestUnreadable(t *testing.T) {
	for _, s := range []string{"", " ", "$$", `\frac{1}{2`, "}", `\begin{pmatrix}1`, `\end{pmatrix}`, "\xff", `\`, "...", `\left.`} {
		if v, err := Parse(s, Options{}); !errors.Is(err, ErrUnreadable) {
			t.Errorf("%q: %v %q %v, want ErrUnreadable", s, v.Kind(), v, err)
		}
	}
	for _, s := range []string{strings.Repeat("1", 9000), strings.Repeat("(", 4000) + "1" + strings.Repeat(")", 4000), "1.5e99999999"} {
		if _, err := Parse(s, Options{}); !errors.Is(err, ErrBudget) {
			t.Errorf("%.30q: %v, want ErrBudget", s, err)
		}
	}
}

// TestPlaces compares decimals to the number of places that is asked for.
func TestPlaces(t *testing.T) {
	for _, tc := range []struct {
		x, y   string
		places int
		want   bool
	}{
		{"0.33333", `\frac13`, 5, true}, {"0.33333", `\frac13`, 6, false}, {"0.33333", `\frac13`, 0, false}, {`\pi`, "3.14159", 5, true}, {`\pi`, "3.14159", 6, false},
		{`2\pi`, "6.283185", 5, true}, {"0.999", `\frac{1000}{1001}`, 5, false}, {"0.0000004", "0.0000001", 5, false}, {`\frac{1}{2007}`, "0.0004983", 5, true},
		{"6.283185", "6.283186", 5, false}, {"0.000992", "0.000994", 5, false}, {`\sqrt{5}`, "2.236067977", 5, true}, {"12", "12.0000001", 6, true}, {"12", "12.01", 6, false},
	} {
		for _, p := range [][2]string{{tc.x, tc.y}, {tc.y, tc.x}} {
			if got, why := equalText(t, p[0], p[1], Options{Places: tc.places}); got != tc.want {
				t.Errorf("%q and %q to %d places: %v (%s)", p[0], p[1], tc.places, got, why)
			}
		}
	}
}

// sided reports whether a comparison with v may depend on which side is the gold's.
func sided(text string, v Value) bool {
	return v.form.alt != nil || strings.Contains(text, "_") || strings.Contains(text, "base")
}

// TestSymmetric compares all pairs of the answers in the table in both orders, but for those of which the
// gold may leave something out that the prediction may not: a unit, a base.
func TestSymmetric(t *testing.T) {
	var all []Value
	for _, lines := range verdicts {
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			x, y, _ := cut(line)
			for _, s := range []string{x, y} {
				if v, err := Parse(s, Options{}); err == nil && !sided(s, v) {
					all = append(all, v)
				}
			}
		}
	}
	for i, x := range all {
		for _, y := range all[i%7:] {
			if i%3 > 0 && x.Kind() != y.Kind() {
				continue
			}
			r, s := Equal(x, y, Options{}), Equal(y, x, Options{})
			if r.Equal != s.Equal {
				t.Errorf("%s and %s: %s, but %s in the other order", x, y, r.Reason, s.Reason)
			}
		}
	}
}
