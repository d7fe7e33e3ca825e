package reward

import (
	"slices"
	"strings"
	"testing"

	"openrs/schemas"
)

func TestPreflight(t *testing.T) {
	s := scorer(t, Config{Rewards: twoRewards})
	row := func(accuracy, format float32) schemas.Scored {
		r := accuracy + format
		return schemas.Scored{Reward: &r, Rewards: map[string]float32{"accuracy": accuracy, "format": format}}
	}
	rows := func(n int, r schemas.Scored) []schemas.Scored { return slices.Repeat([]schemas.Scored{r}, n) }
	for _, tc := range []struct {
		name    string
		batches [][]schemas.Scored
		at      int // the batch after which it speaks; len: at the end; −1: never
		says    []string
	}{
		{"constant", [][]schemas.Scored{rows(16, row(0, 1)), rows(15, row(1, 1)), rows(1, row(1, 1)), rows(40, row(0, 0))}, 2, []string{"reward format is 1 for each of the first 32 completions"}},
		{"in one batch", [][]schemas.Scored{rows(64, row(0, 0))}, 0, []string{"accuracy is 0", "format is 0"}},
		{"fine", [][]schemas.Scored{{row(0, 0), row(1, 1)}, rows(62, row(0, 0))}, -1, nil},
		{"short input", [][]schemas.Scored{rows(2, row(1, 1)), rows(1, row(0, 1))}, 2, []string{"format is 1 for each of the first 3"}},
		{"one completion", [][]schemas.Scored{rows(1, row(1, 1))}, -1, nil},
		{"failed groups don't count", [][]schemas.Scored{rows(100, schemas.Scored{})}, -1, nil},
		{"no values", [][]schemas.Scored{{row(0, 0), row(1, 1)}, nil}, -1, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := NewPreflight(s)
			var got []string
			at := -1
			for i, b := range tc.batches {
				if found := p.Add(b); found != nil {
					if at >= 0 {
						t.Fatal("it spoke twice")
					}
					got, at = found, i
				}
			}
			if found := p.Finish(); found != nil {
				if at >= 0 {
					t.Fatal("it spoke twice")
				}
				got, at = found, len(tc.batches)
			}
			if at != tc.at || len(got) != len(tc.says) {
				t.Fatalf("at %d: %q, want %q at %d", at, got, tc.says, tc.at)
			}
			for i := range got {
				if !strings.Contains(got[i], tc.says[i]) {
					t.Errorf("%q, want %q", got[i], tc.says[i])
				}
			}
		})
	}
	missing := row(0, 0)
	delete(missing.Rewards, "format")
	if got := NewPreflight(s).Add(append(rows(40, missing), row(1, 1))[:40]); len(got) != 2 || !strings.Contains(got[1], "format has no value") {
		t.Errorf("%q", got)
	}
}
