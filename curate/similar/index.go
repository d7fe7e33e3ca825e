package similar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Item is one problem of a benchmark.
type Item struct {
	ID, Text string
}

// Benchmark is a named list of items that training rows must not repeat.
type Benchmark struct {
	Name  string
	Items []Item
}

// IndexOptions are the settings of an Index. The zero value means the defaults.
type IndexOptions struct {
	// Methods to use; nil: DefaultMethods.
	Methods []Method
	// NearThreshold is the Jaccard similarity of MethodNear, above 0 and at
	// most 1. Default 0.7.
	NearThreshold float64
	// NearNGram is the number of words in a shingle of MethodNear. Default 3.
	NearNGram int
	// RewordedThreshold is the weighted containment from which on
	// MethodReworded matches when at least four numbers are common to row and
	// item; for each one fewer it is 0.1 higher. Above 0 and at most 1; default
	// 0.45.
	RewordedThreshold float64
	// NumbersThreshold is the share of the numbers that must agree for
	// MethodNear and MethodReworded, from 0 (don't look) to 1; default 0.9. Use a negative
	// value for 0.
	NumbersThreshold float64
	// VariantThreshold is the weighted containment from which on a text with
	// other numbers is a variant. Default 0.8.
	VariantThreshold float64
}

// ErrMethod is wrapped by the error about a method that doesn't exist.
var ErrMethod = errors.New("no such contamination method")

// Index holds benchmark items and finds the rows that repeat one. It doesn't
// change after NewIndex and may be used by many goroutines at once.
//
// Memory: 15 kB an item with all methods (45 MB for seven benchmarks of 2,919
// items), and 20 bytes an item for each goroutine that checks at the same time.
type Index struct {
	opt      IndexOptions
	want     map[Method]bool
	items    []entry
	exact    map[[2]uint64]int32
	ngrams   [len(ngramRules)]ngramIndex
	shingles *inverted
	grams    *gramIndex
	scratch  sync.Pool
}

// entry is an item as the index keeps it.
type entry struct {
	benchmark string
	id        string
	text      *Text
	numbers   []uint64 // sorted
	words     int      // shingles of MethodNear
}

// NewIndex builds the index of the benchmarks' items. Items without words are
// kept but match nothing.
func NewIndex(opt IndexOptions, sets ...Benchmark) (*Index, error) {
	opt, err := opt.resolve()
	if err != nil {
		return nil, err
	}
	x := &Index{opt: opt, want: map[Method]bool{}, exact: map[[2]uint64]int32{}}
	for _, m := range opt.Methods {
		x.want[m] = true
	}
	for _, set := range sets {
		for _, it := range set.Items {
			t := Prepare(it.Text)
			i := int32(len(x.items))
			x.items = append(x.items, entry{benchmark: set.Name, id: it.ID, text: t, numbers: t.numbers(nil)})
			if _, ok := x.exact[t.key()]; !ok && len(t.words) > 0 {
				x.exact[t.key()] = i
			}
		}
	}
	for i, rule := range ngramRules {
		if x.want[rule.method] {
			x.ngrams[i] = newNgramIndex(rule, x.items)
		}
	}
	if x.want[MethodNear] {
		x.shingles = newShingleIndex(x.items, opt.NearNGram)
	}
	if x.want[MethodReworded] || x.want[MethodVariant] {
		x.grams = newGramIndex(x.items)
	}
	x.scratch.New = func() any { return newScratch(len(x.items)) }
	return x, nil
}

// resolve fills in the defaults and checks the settings.
func (o IndexOptions) resolve() (IndexOptions, error) {
	if o.Methods == nil {
		o.Methods = DefaultMethods()
	}
	for _, m := range o.Methods {
		if !slices.Contains(Methods(), m) {
			known := make([]string, 0, len(Methods()))
			for _, k := range Methods() {
				known = append(known, string(k))
			}
			return o, fmt.Errorf("%w: %q (there are %s)", ErrMethod, m, strings.Join(known, ", "))
		}
	}
	for _, v := range []struct {
		name string
		to   *float64
		def  float64
	}{
		{"near", &o.NearThreshold, 0.7},
		{"reworded", &o.RewordedThreshold, 0.45},
		{"numbers", &o.NumbersThreshold, 0.9},
		{"variant", &o.VariantThreshold, 0.8},
	} {
		if *v.to == 0 {
			*v.to = v.def
		}
		if v.name == "numbers" && *v.to < 0 {
			continue
		}
		if !(*v.to > 0 && *v.to <= 1) {
			return o, fmt.Errorf("contamination: %s threshold %v: want above 0 and at most 1", v.name, *v.to)
		}
	}
	if o.NearNGram == 0 {
		o.NearNGram = 3
	}
	if o.NearNGram < 1 || o.NearNGram > 64 {
		return o, fmt.Errorf("contamination: shingles of %d words: want 1 to 64", o.NearNGram)
	}
	return o, nil
}

// Options are the settings as resolved.
func (x *Index) Options() IndexOptions { return x.opt }

// Items is the number of benchmark items.
func (x *Index) Items() int { return len(x.items) }

// Check looks a row up with each of the index's methods and returns the best
// match of each that found one, strongest evidence first; nil for a clean row.
// Of several items that match equally well the one added first is named.
func (x *Index) Check(t *Text) []Match {
	if len(t.words) == 0 || len(x.items) == 0 {
		return nil
	}
	s := x.scratch.Get().(*scratch)
	defer x.scratch.Put(s)
	var found []Match
	for _, m := range Methods() {
		if !x.want[m] {
			continue
		}
		hit, ok := Match{}, false
		switch m {
		case MethodExact:
			hit, ok = x.checkExact(t)
		case MethodNear:
			hit, ok = x.checkNear(t, s)
		case MethodNGram13, MethodNGram8:
			hit, ok = x.checkNgrams(m, t, s)
		case MethodReworded, MethodVariant:
			hit, ok = x.checkGrams(m, t, s)
		}
		if ok {
			hit.Method = m
			found = append(found, hit)
		}
	}
	s.reset()
	return found
}

func (x *Index) checkExact(t *Text) (Match, bool) {
	i, ok := x.exact[t.key()]
	if !ok {
		return Match{}, false
	}
	m := x.match(i, 1)
	m.Direction = Both
	m.Excerpt, m.ItemExcerpt = shorten(t.raw), shorten(x.items[i].text.raw)
	return m, true
}

// match begins a match with item i.
func (x *Index) match(i int32, score float64) Match {
	return Match{Benchmark: x.items[i].benchmark, Item: x.items[i].id, Score: score}
}

// scratch is what one Check needs; it is used again by later ones.
type scratch struct {
	plain, letters []plainWord // of the row, cut by the n-gram rules
	cut            bool        // whether they are filled
	shingles       []uint32
	numbers        []uint64 // of the row
	numbered       bool     // whether they are filled
	count          []int32  // per item
	touched        []int32  // the items whose count isn't 0
	grams          gramScratch
}

func newScratch(items int) *scratch {
	return &scratch{count: make([]int32, items), grams: newGramScratch(items)}
}

// reset prepares for the next row.
func (s *scratch) reset() {
	s.plain, s.letters, s.cut = s.plain[:0], s.letters[:0], false
	s.numbers, s.numbered = s.numbers[:0], false
	s.grams.reset()
}

// fillNumbers finds the row's numbers unless that was done.
func (s *scratch) fillNumbers(t *Text) {
	if !s.numbered {
		s.numbers, s.numbered = t.numbers(s.numbers), true
	}
}

// hit counts one more for an item.
func (s *scratch) hit(item int32) {
	if s.count[item] == 0 {
		s.touched = append(s.touched, item)
	}
	s.count[item]++
}

// clear forgets the counts.
func (s *scratch) clear() {
	for _, i := range s.touched {
		s.count[i] = 0
	}
	s.touched = s.touched[:0]
}
