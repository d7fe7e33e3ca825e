package step

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"openrs/curate/recipe"
	"openrs/curate/rows"
)

// mix keeps so many rows of each part (a source, or a value of the metadata), drawn by the seed. A row's
// draw depends on the seed and its id alone, so a smaller mixture is a part of a larger one. Memory:
// 16 bytes a row.
type mix struct {
	of     field
	name   string
	counts []recipe.NamedNumber // in the order of the recipe
	weigh  bool                 // counts are weights
	total  float64              // with weights; 0: as many as there are
	short  string               // fail, keep or scale
	keep   bool                 // rows of other parts
	seed   uint64

	part map[string]int
	seen []drawn
	have []int
	used []int    // how many of each part go on
	met  []string // other parts, for messages
}

type drawn struct {
	draw uint64
	part int32 // -1: none of the mixture's
	same int32 // tells rows of one draw apart; their order otherwise
}

func newMix(v recipe.Values, env *Env) (Arranger, error) {
	by := v.Text("by")
	of, err := fieldByName(by, "source", metadata+"KEY")
	if err != nil {
		return nil, err
	}
	m := &mix{of: of, name: by, counts: v.Numbers("counts"), total: v.Number("total", 0), short: v.Text("short"), keep: v.Text("others") == "keep",
		seed: uint64(v.Count("seed", int(env.Seed))), part: map[string]int{}}
	if env.Short != "" {
		m.short = env.Short
	}
	weights := v.Numbers("weights")
	switch {
	case m.counts == nil == (weights == nil):
		return nil, fmt.Errorf("expected counts or weights")
	case weights != nil:
		m.counts, m.weigh = weights, true
	case m.total != 0:
		return nil, fmt.Errorf("total goes with weights, not with counts")
	}
	positive := false
	for i, c := range m.counts {
		m.part[c.Name] = i
		positive = positive || c.Value > 0
		if !m.weigh && c.Value != math.Trunc(c.Value) {
			return nil, fmt.Errorf("counts: %s: %g, expected a whole number", c.Name, c.Value)
		}
	}
	if !positive {
		return nil, fmt.Errorf("expected a number above 0")
	}
	m.have, m.used = make([]int, len(m.counts)), make([]int, len(m.counts))
	return m, nil
}

func (m *mix) Take(r *rows.Row) (*Removal, error) {
	name, _ := m.of(r)
	part, ok := m.part[name]
	if !ok {
		if len(m.met) < 20 && !slices.Contains(m.met, name) {
			m.met = append(m.met, strings.Clone(name))
		}
		if !m.keep {
			return removal(m.name+" is not in the mixture", name), nil
		}
		part = -1
	} else {
		m.have[part]++
	}
	m.seen = append(m.seen, drawn{draw(m.seed, "mix", r.ProblemID), int32(part), int32(len(m.seen))})
	return nil, nil
}

// wanted is how many rows of each part are to be kept.
func (m *mix) wanted() ([]int, error) {
	want := make([]float64, len(m.counts))
	for i, c := range m.counts {
		want[i] = c.Value
	}
	scale := 1.0
	if m.weigh {
		sum := 0.0
		for _, w := range want {
			sum += w
		}
		scale = m.total / sum
		if m.total == 0 {
			scale = math.Inf(1)
		}
	}
	if m.short == "scale" || m.weigh && m.total == 0 {
		for i, w := range want {
			if w > 0 {
				scale = min(scale, float64(m.have[i])/w)
			}
		}
	}
	counts := make([]int, len(want))
	rests := make([]int, len(want))
	sum, all := 0.0, 0
	for i, w := range want {
		counts[i] = int(math.Floor(w*scale + 1e-9))
		rests[i] = i
		sum, all = sum+w*scale, all+counts[i]
	}
	// What rounding has taken away goes to the largest remainders, where there are rows for it.
	slices.SortStableFunc(rests, func(a, b int) int {
		return cmp.Compare(want[b]*scale-float64(counts[b]), want[a]*scale-float64(counts[a]))
	})
	for _, i := range rests {
		if all < int(math.Round(sum)) && want[i]*scale > float64(counts[i])+1e-9 && (counts[i] < m.have[i] || m.short != "scale") {
			counts[i]++
			all++
		}
	}
	for i, n := range counts {
		if m.have[i] >= n && (m.have[i] > 0 || want[i] == 0) {
			continue
		}
		if m.have[i] == 0 || m.short == "fail" {
			return nil, fmt.Errorf("%d rows of %s %s, want %d%s", m.have[i], m.name, m.counts[i].Name, max(n, 1), m.others())
		}
		counts[i] = m.have[i] // keep
	}
	return counts, nil
}

// others names parts that are not in the mixture: one of them may have been meant.
func (m *mix) others() string {
	if len(m.met) > 0 {
		return fmt.Sprintf(" (there are also rows of %s)", strings.Join(m.met, ", "))
	}
	return " (short: keep or short: scale goes on with fewer)"
}

func (m *mix) Arrange() (order []int, left []Left, err error) {
	if m.used, err = m.wanted(); err != nil {
		return nil, nil, err
	}
	byPart := make([][]drawn, len(m.counts))
	for _, d := range m.seen {
		if d.part >= 0 {
			byPart[d.part] = append(byPart[d.part], d)
		}
	}
	chosen := make([]bool, len(m.seen))
	for i, d := range m.seen {
		chosen[i] = d.part < 0
	}
	for i, rows := range byPart {
		slices.SortFunc(rows, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.draw, b.draw), cmp.Compare(a.same, b.same)) })
		for _, d := range rows[:m.used[i]] {
			chosen[d.same] = true
		}
	}
	for i, yes := range chosen {
		if yes {
			order = append(order, i)
			continue
		}
		c := m.counts[m.seen[i].part]
		left = append(left, Left{i, *removal("not drawn", fmt.Sprintf("%d of %d rows of %s are", m.used[m.seen[i].part], m.have[m.seen[i].part], c.Name))})
	}
	m.seen = nil
	return order, left, nil
}

// Notes implements [Noter].
func (m *mix) Notes() []string {
	var notes []string
	for i, c := range m.counts {
		notes = append(notes, fmt.Sprintf("%s %s: %d of %d rows", m.name, c.Name, m.used[i], m.have[i]))
	}
	if m.keep {
		notes = append(notes, "rows of others are kept: "+strings.Join(slices.Sorted(maps.Keys(setOf(m.met))), ", "))
	}
	return notes
}

func setOf(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}
