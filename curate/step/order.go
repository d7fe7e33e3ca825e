package step

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
)

// order sorts all rows. Rows that are equal in what counts come in an order drawn by the seed and their
// ids. Memory: 32 bytes a row, and the texts of metadata that is not numbers.
type order struct {
	by      string
	of      field // nil for shuffle
	down    bool
	first   bool // rows without a value come first
	seed    uint64
	seen    []ranked
	missing int
}

type ranked struct {
	text   string  // when it is no number
	number float64 // else
	class  int8    // numbers before texts; without a value as asked for
	draw   uint64
	taken  int32
}

func newOrder(v recipe.Values, env *Env) (Arranger, error) {
	o := &order{by: v.Text("by"), first: v.Text("missing") == "first", seed: uint64(v.Count("seed", int(env.Seed)))}
	name := o.by
	switch o.by {
	case "shuffle":
		return o, nil
	case "easy-to-hard": // difficulty is the pass rate: 1 is easy
		name, o.down = "difficulty", true
	case "hard-to-easy":
		name = "difficulty"
	}
	var err error
	if o.of, err = fieldByName(name, "difficulty", "source", metadata+"KEY"); err != nil || name == "difficulty" && o.by == name {
		return nil, fmt.Errorf("by: %q, expected shuffle, easy-to-hard, hard-to-easy, source or metadata.KEY", o.by)
	}
	return o, nil
}

func (o *order) Take(r *rows.Row) (*Removal, error) {
	k := ranked{draw: draw(o.seed, "order", r.ProblemID), taken: int32(len(o.seen))}
	if o.of != nil {
		text, ok := o.of(r)
		x, isNumber := parseNumber(text)
		switch {
		case !ok:
			o.missing++
			if k.class = 2; o.first {
				k.class = -1
			}
		case isNumber:
			if k.number = x; o.down {
				k.number = -x
			}
		default:
			k.class, k.text = 1, strings.Clone(text)
		}
	}
	o.seen = append(o.seen, k)
	return nil, nil
}

func (o *order) Arrange() ([]int, []Left, error) {
	slices.SortFunc(o.seen, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.number, b.number), cmp.Compare(a.text, b.text), cmp.Compare(a.draw, b.draw), cmp.Compare(a.taken, b.taken))
	})
	at := make([]int, len(o.seen))
	for i, k := range o.seen {
		at[i] = int(k.taken)
	}
	o.seen = nil
	return at, nil, nil
}

// Notes implements [Noter].
func (o *order) Notes() []string {
	if o.missing == 0 {
		return nil
	}
	where := "last"
	if o.first {
		where = "first"
	}
	return []string{fmt.Sprintf("%d rows without a value come %s", o.missing, where)}
}

// limit keeps the first rows.
type limit struct{ left int }

func newLimit(v recipe.Values, _ *Env) (Judge, error) { return &limit{v.Count("rows", 0)}, nil }

func (l *limit) Prepare(*rows.Row) any { return nil }

func (l *limit) Decide(*rows.Row, any) (*Removal, error) {
	if l.left == 0 {
		return removal("beyond the limit", ""), nil
	}
	l.left--
	return nil, nil
}
