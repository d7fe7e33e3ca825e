package load

import (
	"fmt"
	"slices"
	"testing"

	"openrs/schemas"
)

func TestOrder(t *testing.T) {
	var problems []schemas.Problem
	for i := range 20 {
		problems = append(problems, schemas.Problem{ProblemID: fmt.Sprint(i)})
	}
	ids := func(list []schemas.Problem) (out []string) {
		for _, p := range list {
			out = append(out, p.ProblemID)
		}
		return out
	}
	apply := func(o Order) []schemas.Problem {
		all, beyond := Apply(o, problems)
		if want := max(0, len(problems)-o.Limit); o.Limit > 0 && len(beyond) != want {
			t.Errorf("%d beyond the limit, want %d", len(beyond), want)
		}
		return all
	}
	if got := ids(apply(Order{Limit: 3, Epochs: 2})); !slices.Equal(got, []string{"0", "1", "2", "0", "1", "2"}) {
		t.Errorf("two epochs of three: %v", got)
	}
	shuffled := ids(apply(Order{Shuffle: true, Seed: 5, Epochs: 2}))
	if len(shuffled) != 40 || slices.Equal(shuffled[:20], shuffled[20:]) || slices.Equal(shuffled[:20], ids(problems)) {
		t.Errorf("each epoch has an order of its own: %v", shuffled)
	}
	for _, epoch := range [][]string{shuffled[:20], shuffled[20:]} {
		sorted := slices.Clone(epoch)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != 20 {
			t.Errorf("an epoch repeats a problem: %v", epoch)
		}
	}
	if problems[0].ProblemID != "0" || problems[19].ProblemID != "19" {
		t.Error("the argument was changed")
	}
}
