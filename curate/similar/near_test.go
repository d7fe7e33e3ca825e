package similar

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestExact(t *testing.T) {
	e := NewExact()
	for i, c := range []struct {
		text  string
		first int
		dup   bool
	}{
		{"Find $\\frac12$ of X.", 0, false},
		{"", 0, false},
		{"find \\(\\dfrac{1}{2}\\) of x", 0, true},
		{" ", 0, false}, // nothing is not a duplicate of nothing
		{"Find $\\frac13$ of X.", 0, false},
		{"find 1/3 of x?", 4, true},
		{"1/2 of x find", 0, false}, // the order counts
	} {
		first, dup := e.Add(i, Prepare(c.text))
		if dup != c.dup || dup && first != c.first {
			t.Errorf("row %d %q: first %d, duplicate %v; want %d, %v", i, c.text, first, dup, c.first, c.dup)
		}
	}
}

func TestShape(t *testing.T) {
	if b, r := Shape(0.8); b != 18 || r != 4 {
		t.Errorf("Shape(0.8) = %d bands of %d rows; its documentation says 18 of 4", b, r)
	}
	for _, threshold := range []float64{0.05, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1} {
		b, r := Shape(threshold)
		if b < 1 || r < 1 || b*r > 80 {
			t.Errorf("Shape(%v) = %d, %d", threshold, b, r)
		}
		if p := Probability(threshold, b, r); threshold >= 0.2 && p < 1-1e-4 {
			t.Errorf("Shape(%v) = %d, %d misses a pair at the threshold with probability %.2g", threshold, b, r, 1-p)
		}
	}
}

func TestNearOptions(t *testing.T) {
	for _, bad := range []NearOptions{{Threshold: -1}, {Threshold: 1.5}, {Threshold: math.NaN()}, {NGram: -1}, {Numbers: 2}, {Numbers: math.NaN()}, {NGram: 1000}, {Bands: 3},
		{Rows: 3}, {Bands: 1000, Rows: 1000}, {Bands: -1, Rows: -1}} {
		if _, err := NewNear(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// words makes a text of numbered words, so that its shingle set is known.
func words(from, to int) string {
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "w%s ", strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i)))
	}
	return b.String()
}

// A duplicate names the most similar row that stayed, rows that went are not
// compared with, and rows without words never go.
func TestNearAdd(t *testing.T) {
	n, err := NewNear(NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	add := func(row int, text string) (Duplicate, bool) { return n.Add(row, n.Sketch(Prepare(text))) }
	if _, dup := add(10, words(0, 100)); dup {
		t.Error("the first row is a duplicate")
	}
	if d, dup := add(11, words(5, 100)); !dup || d.Row != 10 || math.Abs(d.Similarity-93.0/98) > 1e-12 {
		t.Errorf("%+v, %v; want row 10 at 93/98", d, dup)
	}
	if d, dup := add(12, words(25, 100)+words(200, 210)); dup { // similar to row 11 only, which went
		t.Errorf("a duplicate of %+v", d)
	}
	for row := 13; row < 15; row++ {
		if _, dup := add(row, " . "); dup {
			t.Error("a row without words is a duplicate")
		}
	}
	if d, dup := add(15, words(20, 100)+words(200, 208)); !dup || d.Row != 12 {
		t.Errorf("%+v, %v; want row 12, which is more similar than row 10", d, dup)
	}
}

// Problems that differ in a number only stay when Numbers is set.
func TestNearNumbers(t *testing.T) {
	texts := []string{words(0, 40) + "17 and 23 make how many", words(0, 40) + "17 and 24 make how many", words(0, 40) + "17 and 23 and 1 make how many"}
	for _, c := range []struct {
		numbers float64
		stay    []int
	}{{0, []int{0}}, {0.9, []int{0, 1}}, {0.5, []int{0}}} {
		n, err := NewNear(NearOptions{Numbers: c.numbers})
		if err != nil {
			t.Fatal(err)
		}
		var stay []int
		for i, s := range texts {
			if _, dup := n.Add(i, n.Sketch(Prepare(s))); !dup {
				stay = append(stay, i)
			}
		}
		if !slices.Equal(stay, c.stay) {
			t.Errorf("numbers %v: rows %v stay, want %v", c.numbers, stay, c.stay)
		}
	}
}

// randomTexts are texts over a small vocabulary, many of them made from an
// earlier one by small changes.
func randomTexts(r *rand.Rand, n int) []string {
	var texts []string
	for len(texts) < n {
		var w []string
		if len(texts) > 0 && r.IntN(2) == 0 {
			w = strings.Fields(texts[r.IntN(len(texts))])
			for range r.IntN(4) {
				if len(w) > 0 {
					w[r.IntN(len(w))] = fmt.Sprint("word", string(rune('a'+r.IntN(26))))
				}
			}
		} else {
			for range r.IntN(60) {
				w = append(w, fmt.Sprint("word", string(rune('a'+r.IntN(26)))))
			}
		}
		texts = append(texts, strings.Join(w, " "))
	}
	return texts
}

// A twin without hashing: sets of strings, every pair compared.
func TestNearAgainstAllPairs(t *testing.T) {
	for _, opt := range []NearOptions{{}, {Threshold: 0.5}, {Threshold: 0.9, NGram: 5}, {Threshold: 0.7, NGram: 1, Seed: 7}} {
		n, err := NewNear(opt)
		if err != nil {
			t.Fatal(err)
		}
		opt = n.Options()
		texts := randomTexts(rand.New(rand.NewPCG(1, 2)), 800)
		var kept []int
		sets := make([]map[string]bool, len(texts))
		for i, s := range texts {
			sets[i] = shingleStrings(s, opt.NGram)
			want, score := -1, 0.0
			for _, k := range kept {
				both := 0
				for g := range sets[i] {
					if sets[k][g] {
						both++
					}
				}
				if j := float64(both) / float64(len(sets[i])+len(sets[k])-both); both > 0 && j >= opt.Threshold && j > score {
					want, score = k, j
				}
			}
			d, dup := n.Add(i, n.Sketch(Prepare(s)))
			if dup != (want >= 0) || dup && (d.Row != want || d.Similarity != score) {
				t.Fatalf("%+v: row %d: %+v, %v; all pairs say row %d at %v", opt, i, d, dup, want, score)
			}
			if !dup {
				kept = append(kept, i)
			}
		}
		if len(kept) < 100 || len(kept) > 750 {
			t.Errorf("%+v keeps %d of %d: the test says little", opt, len(kept), len(texts))
		}
	}
}

func shingleStrings(s string, n int) map[string]bool {
	set := map[string]bool{}
	w := strings.Fields(Normalise(s))
	if len(w) > 0 {
		n = min(n, len(w))
	}
	for i := 0; len(w) > 0 && i+n <= len(w); i++ {
		set[strings.Join(w[i:i+n], " ")] = true
	}
	return set
}

// Pairs of a known similarity become candidates as often as the formula says,
// and at the threshold or above practically always.
func TestCandidateProbability(t *testing.T) {
	n, err := NewNear(NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(3, 4))
	const pairs = 1500
	for _, j := range []float64{0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.95} {
		hits, agree, rows := 0, 0, 0
		for range pairs {
			a, b := setsOf(r, j, 60)
			sa, sb := n.signature(a), n.signature(b)
			hit := false
			for band := range n.opt.Bands {
				at := band * n.opt.Rows
				hit = hit || slices.Equal(sa[at:at+n.opt.Rows], sb[at:at+n.opt.Rows])
			}
			for i := range sa {
				rows++
				if sa[i] == sb[i] {
					agree++
				}
			}
			if hit {
				hits++
			}
		}
		exact := exactJ(j, 60)
		p := Probability(exact, n.opt.Bands, n.opt.Rows)
		got, tolerance := float64(hits)/pairs, 5*math.Sqrt(p*(1-p)/pairs)+2.0/pairs
		if math.Abs(got-p) > tolerance {
			t.Errorf("similarity %.2f: %.4f are candidates, the formula says %.4f ± %.4f", exact, got, p, tolerance)
		}
		if j >= 0.8 && hits < pairs-1 {
			t.Errorf("similarity %.2f: %d of %d pairs are missed", exact, pairs-hits, pairs)
		}
		// The share of equal rows estimates the similarity without bias.
		estimate := float64(agree) / float64(rows)
		if sigma := math.Sqrt(exact * (1 - exact) / float64(rows)); math.Abs(estimate-exact) > 5*sigma {
			t.Errorf("similarity %.3f is estimated as %.4f, more than five standard errors (%.4f) away", exact, estimate, sigma)
		}
	}
}

// Rows from one template all agree in some bands; the bounds on what is looked
// at lose no duplicate even so.
func TestNearTemplates(t *testing.T) {
	n, err := NewNear(NearOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const rows = 3000
	text := func(i int) string {
		return fmt.Sprintf("Compute the sum of %d and %d and give your answer as an integer without any units.", 10000+i, 90000-i)
	}
	for i := range rows {
		if d, dup := n.Add(i, n.Sketch(Prepare(text(i)))); dup {
			t.Fatalf("row %d repeats %+v", i, d)
		}
	}
	for i := 0; i < rows; i += 500 {
		d, dup := n.find(n.Sketch(Prepare(text(i) + " Thanks!")))
		if !dup || d.Row != i {
			t.Errorf("a copy of row %d: %+v, %v", i, d, dup)
		}
	}
}

// setsOf makes two sets of the given size whose similarity is exactJ(j, size).
func setsOf(r *rand.Rand, j float64, size int) (a, b []uint32) {
	common := int(math.Round(2 * j * float64(size) / (1 + j)))
	for range common {
		x := r.Uint32()
		a, b = append(a, x), append(b, x)
	}
	for len(a) < size {
		a, b = append(a, r.Uint32()), append(b, r.Uint32())
	}
	slices.Sort(a)
	slices.Sort(b)
	return a, b
}

func exactJ(j float64, size int) float64 {
	common := math.Round(2 * j * float64(size) / (1 + j))
	return common / (2*float64(size) - common)
}

func TestJaccard(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		var a, b []uint32
		in := map[uint32]int{}
		for x := range uint32(30) {
			if r.IntN(3) == 0 {
				a, in[x] = append(a, x), in[x]+1
			}
			if r.IntN(3) == 0 {
				b, in[x] = append(b, x), in[x]+1
			}
		}
		both, either := 0, len(in)
		for x, k := range in {
			if k == 2 {
				both++
			} else if k == 0 {
				t.Fatal(x)
			}
		}
		want := 0.0
		if both > 0 {
			want = float64(both) / float64(either)
		}
		if got := jaccard(a, b); got != want {
			t.Fatalf("jaccard(%v, %v) = %v, want %v", a, b, got, want)
		}
	}
}
