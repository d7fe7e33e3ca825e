package stages

import "testing"

func TestDisagreement(t *testing.T) {
	set := func(pairs ...string) (out []Setting) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, Setting{Name: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	flags := []string{"size", "lag"}
	for _, c := range []struct {
		name         string
		mine, theirs []Setting
		err          string
	}{
		{"the same", set("size", "4", "lag", "0"), set("lag", "0", "size", "4"), ""},
		{"others differ", set("size", "4", "seed", "1"), set("size", "4", "seed", "2"), ""},
		{"they don't have it", set("size", "4", "lag", "1"), set("size", "4"), ""},
		{"another value", set("size", "4", "lag", "1"), set("size", "4", "lag", "0"), "--lag is 1 here and 0 there, expected the same"},
	} {
		got := ""
		if err := disagreement(c.mine, c.theirs, flags); err != nil {
			got = err.Error()
		}
		if got != c.err {
			t.Errorf("%s: %q, want %q", c.name, got, c.err)
		}
	}
}
