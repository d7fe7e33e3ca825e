package watch

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	none := int64(unknown)
	for _, c := range []struct {
		name    string
		budget  Budget
		o       outlook
		version int64
		skipped []int64
		end     string
	}{
		{"nothing there", Budget{Every: 1}, outlook{-1, 0, none, none}, none, nil, ""},
		{"the first", Budget{Every: 1}, outlook{-1, 0, 0, none}, 0, nil, ""},
		{"the next", Budget{Every: 1}, outlook{3, 4, 4, none}, 4, nil, ""},
		{"nothing new", Budget{Every: 1}, outlook{4, 4, 4, none}, none, nil, ""},
		{"behind", Budget{Every: 1}, outlook{3, 4, 7, none}, 7, []int64{4, 5, 6}, ""},
		{"not due", Budget{Every: 5}, outlook{0, 1, 4, none}, none, nil, ""},
		{"due", Budget{Every: 5}, outlook{0, 1, 5, none}, 5, nil, ""},
		{"due a while ago", Budget{Every: 5}, outlook{0, 1, 9, none}, 5, nil, ""},
		{"behind by two", Budget{Every: 5}, outlook{0, 1, 17, none}, 15, []int64{5, 10}, ""},
		{"the last, not due otherwise", Budget{Every: 5}, outlook{15, 4, 17, 17}, 17, nil, ""},
		{"the last, behind", Budget{Every: 5}, outlook{5, 2, 17, 17}, 17, []int64{10, 15}, ""},
		{"ended", Budget{Every: 5}, outlook{17, 5, 17, 17}, none, nil, "ended"},
		{"ended before it began", Budget{Every: 5}, outlook{-1, 0, 0, 0}, 0, nil, ""},
		{"extended", Budget{Every: 5}, outlook{17, 5, 18, none}, none, nil, ""},
		{"one left", Budget{Every: 1, Evaluations: 3}, outlook{2, 2, 9, none}, none, nil, ""},
		{"one left, for the last", Budget{Every: 1, Evaluations: 3}, outlook{2, 2, 5, 5}, 5, []int64{3, 4}, ""},
		{"two left", Budget{Every: 1, Evaluations: 3}, outlook{2, 1, 3, none}, 3, nil, ""},
		{"spent", Budget{Every: 1, Evaluations: 3}, outlook{5, 3, 9, none}, none, nil, "spent"},
		{"spent and ended", Budget{Every: 1, Evaluations: 3}, outlook{9, 3, 9, 9}, none, nil, "ended"},
	} {
		got := c.budget.choose(c.o)
		if got.version != c.version || !slices.Equal(got.skipped, c.skipped) || got.ended != (c.end == "ended") || got.spent != (c.end == "spent") {
			t.Errorf("%s: %+v, want %d, skipping %v, %s", c.name, got, c.version, c.skipped, c.end)
		}
	}
}

// However training and evaluating alternate, what is due is evaluated or skipped, once and in order; the last
// policy is evaluated; and the budget is kept.
func TestChooseOverWholeRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		b := Budget{Every: 1 + rng.Int64N(6), Evaluations: rng.IntN(5)}
		final := rng.Int64N(40)
		o := outlook{after: unknown, latest: unknown, final: unknown}
		var done, skipped []int64
		for rounds := 0; ; rounds++ {
			if o.latest < final {
				o.latest = min(final, o.latest+rng.Int64N(4))
			} else {
				o.final = final
			}
			c := b.choose(o)
			if c.ended || c.spent {
				break
			}
			if rounds > 1000 {
				t.Fatalf("%+v of %d versions: no end", b, final)
			}
			if c.version == unknown {
				continue
			}
			o.after, o.begun = c.version, o.begun+1
			done, skipped = append(done, c.version), append(skipped, c.skipped...)
		}
		if b.Evaluations > 0 && len(done) > b.Evaluations {
			t.Errorf("%+v: %v are evaluated", b, done)
		}
		if done[len(done)-1] != final {
			t.Errorf("%+v: %v are evaluated, want the last, %d", b, done, final)
		}
		var due []int64
		for v := int64(0); v <= final; v++ {
			if v%b.Every == 0 || v == final {
				due = append(due, v)
			}
		}
		if got := slices.Sorted(slices.Values(append(slices.Clone(done), skipped...))); !slices.Equal(got, due) {
			t.Errorf("%+v of %d versions: %v evaluated or skipped, want %v", b, final, got, due)
		}
	}
}

func TestBudgetCheck(t *testing.T) {
	for want, b := range map[string]Budget{
		"every 0 policies": {}, "-1 evaluations": {Every: 1, Evaluations: -1}, "evaluations of -1s": {Every: 1, Time: -time.Second}, "": {Every: 3},
	} {
		if err := b.Check(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", b, err, want)
		}
	}
}
