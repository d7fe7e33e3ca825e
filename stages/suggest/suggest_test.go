package suggest

import "testing"

func TestFrom(t *testing.T) {
	for _, c := range []struct{ word, want string }{
		{"acuracy", ` (did you mean "accuracy"?)`},
		{"formt", ` (did you mean "format"?)`},
		{"zzzzzz", ""},
	} {
		if got := From(c.word, []string{"accuracy", "format"}); got != c.want {
			t.Errorf("From(%q) = %q, want %q", c.word, got, c.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0}, {"abc", "acb", 2}} {
		if got := editDistance(tc.a, tc.b); got != tc.n {
			t.Errorf("editDistance(%q, %q) = %d, want %d", tc.a, tc.b, got, tc.n)
		}
	}
}
