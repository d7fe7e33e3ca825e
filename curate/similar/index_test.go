package similar

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// items is a small benchmark of invented problems.
var itemTexts = []string{
	"A lighthouse keeper counts 37 ships on Monday and twice as many on Tuesday. Each ship carries 12 barrels of salted herring. How many barrels pass the lighthouse on the two days together?",
	"Let $p(x)=x^3-7x^2+14x-8$ have roots $r$, $s$ and $t$. Compute $\\frac{1}{r+1}+\\frac{1}{s+1}+\\frac{1}{t+1}$. Express your answer as a common fraction.",
	"In trapezoid $KLMN$ the bases are $KL=26$ and $MN=11$, and the legs are $13$ and $14$. Determine the area of the trapezoid, given that a circle touches three of its sides.",
	"Find the number of 7-digit palindromes whose digits sum to a multiple of 9.",
	"A gardener plants tulips in rows so that every row has three more than the one before. The first row has 5 and the last has 62. Where m and n are relatively prime positive integers, the share of red tulips is m/n. Find m+n.",
	"Compute $2^{10}$.",
}

func smallIndex(t testing.TB, opt IndexOptions) *Index {
	t.Helper()
	set := Benchmark{Name: "invented"}
	for i, s := range itemTexts {
		set.Items = append(set.Items, Item{ID: fmt.Sprint(i), Text: s})
	}
	x, err := NewIndex(opt, set, Benchmark{Name: "other", Items: []Item{{"again", itemTexts[0]}, {"empty", ""}}})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestCheck(t *testing.T) {
	x := smallIndex(t, IndexOptions{Methods: Methods()})
	if x.Items() != len(itemTexts)+2 {
		t.Errorf("%d items", x.Items())
	}
	for _, c := range []struct {
		what, row string
		item      string // "": clean
		methods   []Method
	}{
		{"clean", "What is the perimeter of a regular hexagon inscribed in a circle of radius 4?", "", nil},
		{"empty", "", "", nil},
		{"only boilerplate", "Find the number of positive integers, where m and n are relatively prime positive integers. Find m+n.", "4", []Method{MethodNGram8}},
		{"the item", itemTexts[1], "1", []Method{MethodExact, MethodNear, MethodNGram13, MethodNGram8, MethodReworded}},
		{"of two equal items the first", strings.ToUpper(itemTexts[0]), "0", []Method{MethodExact, MethodNear, MethodNGram13, MethodNGram8, MethodReworded}},
		{"a short item", "compute 2^10", "5", []Method{MethodExact, MethodNear}},
		{"reordered", "How many barrels pass the lighthouse on both days together? On Monday the lighthouse keeper counts 37 ships, on Tuesday twice as many. Each ship carries 12 barrels of salted herring.", "0", []Method{MethodNGram8, MethodReworded}},
		{"renamed variables", "Let $q(u)=u^{3}-7u^{2}+14u-8$ have roots $a$, $b$, $c$. Find $\\tfrac1{a+1}+\\tfrac1{b+1}+\\tfrac1{c+1}$.", "1", []Method{MethodReworded}},
		{"embedded", "Warm up: what is 3+4? " + itemTexts[2] + " Then find its perimeter and the length of both diagonals, and draw a careful figure of the situation described.", "2",
			[]Method{MethodNGram13, MethodNGram8, MethodReworded}},
		{"a part", "In trapezoid $KLMN$ the bases are $KL=26$ and $MN=11$, and the legs are $13$ and $14$.", "2", []Method{MethodNGram13, MethodNGram8, MethodReworded}},
		{"other numbers", strings.NewReplacer("37", "53", "12", "15").Replace(itemTexts[0]), "0", []Method{MethodNGram13, MethodNGram8, MethodVariant}},
	} {
		t.Run(c.what, func(t *testing.T) {
			got := x.Check(Prepare(c.row))
			var methods []Method
			for _, m := range got {
				methods = append(methods, m.Method)
				if m.Benchmark != "invented" || m.Item != c.item {
					t.Errorf("%v, want item %q", m, c.item)
				}
				if m.Excerpt == "" || m.ItemExcerpt == "" || m.Score <= 0 || m.Direction == "" || m.String() == "" {
					t.Errorf("incomplete: %+v", m)
				}
				if m.Method == MethodReworded && (m.Score > 1+1e-9 || m.Numbers < 0.9) {
					t.Errorf("%+v", m)
				}
			}
			if !slices.Equal(methods, c.methods) {
				t.Errorf("found by %v, want %v:\n%v", methods, c.methods, got)
			}
		})
	}
}

func TestDirections(t *testing.T) {
	x := smallIndex(t, IndexOptions{Methods: []Method{MethodReworded}})
	other := "A train leaves the harbour at dawn and climbs towards the mountains while its passengers argue about chess openings, soup recipes and the proper way to fold maps. "
	for _, c := range []struct {
		row  string
		want Direction
	}{
		{itemTexts[0], Both},
		{other + other[:100] + itemTexts[0] + " Afterwards the engineer, who has counted nothing at all, asks whether anybody wants coffee, tea or lemonade before the tunnel.", ItemInRow},
		{itemTexts[0][:75], RowInItem},
	} {
		got := x.Check(Prepare(c.row))
		if len(got) != 1 || got[0].Direction != c.want {
			t.Errorf("%q: %v, want direction %q", c.row, got, c.want)
		}
	}
	m := x.Check(Prepare(other + itemTexts[0]))
	if len(m) != 1 || !strings.HasPrefix(m[0].Excerpt, "A lighthouse keeper counts 37") {
		t.Errorf("the excerpt doesn't begin where the item does: %v", m)
	}
}

func TestIndexOptions(t *testing.T) {
	if _, err := NewIndex(IndexOptions{Methods: []Method{"ngram9"}}); !errors.Is(err, ErrMethod) || !strings.Contains(err.Error(), "ngram8") {
		t.Errorf("an unknown method: %v", err)
	}
	for _, bad := range []IndexOptions{{NearThreshold: 2}, {RewordedThreshold: -0.1}, {VariantThreshold: math.NaN()}, {NearNGram: -3}, {NumbersThreshold: 1.1}} {
		if _, err := NewIndex(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
	x, err := NewIndex(IndexOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if m := x.Check(Prepare(itemTexts[0])); m != nil {
		t.Errorf("an index without items finds %v", m)
	}
	if got := x.Options().Methods; !slices.Equal(got, DefaultMethods()) {
		t.Errorf("default methods %v", got)
	}
	x = smallIndex(t, IndexOptions{Methods: []Method{MethodReworded}, NumbersThreshold: -1, RewordedThreshold: 0.2})
	if m := x.Check(Prepare(strings.NewReplacer("37", "53", "12", "15").Replace(itemTexts[0]))); len(m) != 1 {
		t.Errorf("without looking at the numbers: %v", m)
	}
}

// Every method alone finds what it finds among the others, from many
// goroutines as from one.
func TestCheckAloneAndTogether(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	var rows []*Text
	for range 300 {
		s := itemTexts[r.IntN(len(itemTexts))]
		for _, w := range rewordings() {
			if r.IntN(5) == 0 {
				s = w.do(r, s, func() string { return itemTexts[r.IntN(len(itemTexts))] })
			}
		}
		rows = append(rows, Prepare(s))
	}
	all := smallIndex(t, IndexOptions{Methods: Methods()})
	want := make([][]Match, len(rows))
	for i, row := range rows {
		want[i] = all.Check(row)
	}
	for _, m := range Methods() {
		one := smallIndex(t, IndexOptions{Methods: []Method{m}})
		for i, row := range rows {
			var only []Match
			for _, k := range want[i] {
				if k.Method == m {
					only = append(only, k)
				}
			}
			if got := one.Check(row); !reflect.DeepEqual(got, only) {
				t.Fatalf("%s alone: %v, among others: %v", m, got, only)
			}
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, row := range rows {
				if got := all.Check(row); !reflect.DeepEqual(got, want[i]) {
					t.Errorf("row %d: %v, at first %v", i, got, want[i])
					return
				}
			}
		})
	}
	wg.Wait()
}

// Twins of the methods, with sets of strings.
func TestCheckAgainstTwins(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 11))
	vocabulary := strings.Fields("the of a number circle radius is 3 17 find with two prime integer $x$ $y+1$ sum, that and or (2,5)")
	random := func() string {
		var w []string
		for range r.IntN(40) {
			w = append(w, vocabulary[r.IntN(len(vocabulary))])
		}
		return strings.Join(w, " ")
	}
	set := Benchmark{Name: "b"}
	for i := range 60 {
		set.Items = append(set.Items, Item{fmt.Sprint(i), random()})
	}
	x, err := NewIndex(IndexOptions{Methods: Methods(), NearThreshold: 0.05, NumbersThreshold: -1}, set)
	if err != nil {
		t.Fatal(err)
	}
	found := map[Method]int{}
	for range 500 {
		row := random()
		if r.IntN(2) == 0 { // part of an item in other words
			w := strings.Fields(set.Items[r.IntN(60)].Text)
			if len(w) > 2 {
				i := r.IntN(len(w))
				row = row + " " + strings.Join(w[i:], " ")
			}
		}
		got := map[Method]Match{}
		for _, m := range x.Check(Prepare(row)) {
			got[m.Method] = m
			found[m.Method]++
		}
		// open-r1's rule
		best, score := twinNgrams(row, set.Items, 8, func(s string) []string { return strings.Fields(strings.ToLower(s)) })
		if m, ok := got[MethodNGram8]; ok != (score > 0) || ok && (m.Score != float64(score) || m.Item != fmt.Sprint(best)) {
			t.Fatalf("%q: %v, the twin says item %d, %d n-grams", row, m, best, score)
		}
		near, j := -1, 0.0
		sets := shingleStrings(row, 3)
		for i, it := range set.Items {
			other, both := shingleStrings(it.Text, 3), 0
			for g := range sets {
				if other[g] {
					both++
				}
			}
			if v := float64(both) / float64(len(sets)+len(other)-both); both > 0 && v >= 0.05 && v > j {
				near, j = i, v
			}
		}
		if m, ok := got[MethodNear]; ok != (near >= 0) || ok && (m.Score != j || m.Item != fmt.Sprint(near)) {
			t.Fatalf("%q: %v, the twin says item %d at %v", row, m, near, j)
		}
	}
	for _, m := range []Method{MethodNGram8, MethodNear, MethodNGram13} {
		if found[m] < 20 {
			t.Errorf("%s was found %d times: the test says little", m, found[m])
		}
	}
}

func twinNgrams(row string, items []Item, n int, cut func(string) []string) (best, score int) {
	best = -1
	grams := func(s string) (out []string) {
		w := cut(s)
		for i := 0; i+n <= len(w); i++ {
			out = append(out, strings.Join(w[i:i+n], " "))
		}
		return out
	}
	mine := grams(row)
	for i, it := range items {
		has := map[string]bool{}
		for _, g := range grams(it.Text) {
			has[g] = true
		}
		k := 0
		for _, g := range mine {
			if has[g] {
				k++
			}
		}
		if k > score {
			best, score = i, k
		}
	}
	return best, score
}

// The weighted containment, added up from sets, is what Check reports.
func TestRewordedAgainstTwin(t *testing.T) {
	x := smallIndex(t, IndexOptions{Methods: []Method{MethodReworded}, RewordedThreshold: 0.01, NumbersThreshold: -1})
	grams := func(s string) map[string]bool {
		tx := Prepare(s)
		var b strings.Builder
		for i, w := range tx.words {
			word := tx.word(i)
			if w.kind == kindName {
				word = strings.Repeat("x", len(word))
			}
			b.WriteString(" " + word)
		}
		out := map[string]bool{}
		for k, all := 0, b.String()+" "; k+gramBytes <= len(all); k++ {
			out[all[k:k+gramBytes]] = true
		}
		return out
	}
	texts := append(slices.Clone(itemTexts), itemTexts[0], "")
	df := map[string]int{}
	for _, s := range texts {
		for g := range grams(s) {
			df[g]++
		}
	}
	known := map[string]bool{}
	for _, s := range boilerplate {
		for g := range grams(s) {
			known[g] = true
		}
	}
	weight := func(g string) float64 {
		if known[g] || df[g] > leastItems {
			return 0
		}
		return math.Log(float64(len(texts)+1) / float64(max(df[g], 1)))
	}
	sum := func(set map[string]bool) (w float64) {
		for g := range set {
			w += weight(g)
		}
		return max(w, leastGrams*math.Log(float64(len(texts)+1)))
	}
	r := rand.New(rand.NewPCG(12, 13))
	for _, w := range rewordings() {
		for i, s := range itemTexts {
			row := w.do(r, s, func() string { return "Something else entirely, about bicycles." })
			got := x.Check(Prepare(row))
			if len(got) != 1 || got[0].Item != fmt.Sprint(i) {
				continue
			}
			a, b := grams(row), grams(s)
			both := 0.0
			for g := range a {
				if b[g] {
					both += weight(g)
				}
			}
			if want := max(both/sum(a), both/sum(b)); math.Abs(want-got[0].Score) > 1e-9 {
				t.Errorf("%s of item %d: %v, the twin says %v", w.name, i, got[0].Score, want)
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range itemTexts {
		f.Add(s)
	}
	x := smallIndex(f, IndexOptions{Methods: Methods()})
	f.Fuzz(func(t *testing.T, s string) {
		tx := Prepare(s)
		a, b := x.Check(tx), x.Check(tx)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("%v, then %v", a, b)
		}
		for _, m := range a {
			if math.IsNaN(m.Score) || m.Score <= 0 {
				t.Fatalf("%+v", m)
			}
		}
	})
}

func TestInverted(t *testing.T) {
	r := rand.New(rand.NewPCG(14, 15))
	for range 50 {
		var grams []gram
		want := map[uint64][]posting{}
		for range r.IntN(300) {
			grams = append(grams, gram{uint64(r.IntN(100)), posting{int32(r.IntN(5)), int32(r.IntN(9))}})
		}
		for _, g := range grams {
			at := slices.IndexFunc(want[g.key], func(p posting) bool { return p.item == g.item })
			if at < 0 {
				want[g.key] = append(want[g.key], g.posting)
			} else {
				want[g.key][at].pos = min(want[g.key][at].pos, g.pos)
			}
		}
		x := newInverted(slices.Clone(grams))
		for key := range uint64(120) {
			w := want[key]
			slices.SortFunc(w, func(a, b posting) int { return int(a.item - b.item) })
			if got := x.get(key); !slices.Equal(got, w) {
				t.Fatalf("gram %d: %v, want %v", key, got, w)
			}
		}
	}
}
