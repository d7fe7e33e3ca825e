package similar

import (
	"math"
	"math/bits"
	"slices"
)

// MethodReworded and MethodVariant compare a row with the items by their
// character n-grams: which share of one text's n-grams, weighted by rarity, is
// found in the other. N-grams don't mind the order of sentences, and a change
// of a word, a name or a formula's spelling costs only the few that touch it.
//
// Before that, variables and names of points are all called x, so that
// renaming them changes little. Numbers are compared for themselves: problems
// that differ in their numbers only are variants, not repetitions.
//
// Weights: an n-gram that occurs in df of N items weighs log(N/df), and those
// of more than one item in maxShare weigh nothing: they are the wording of
// problems in general. Those of known boilerplate weigh nothing either, which
// matters when the items are few and can't tell.

// The settings below were chosen on real data: training problems with reworded
// benchmark items among them (planted_test.go prints the table).
const (
	// gramBytes is the length of a character n-gram: a word and a half. An
	// n-gram of up to 8 bytes is its own key. 5 or 6 bytes find a little more
	// after renaming and raise twice the false alarms.
	gramBytes = 8
	// maxShare of the items, or leastItems if that is more, may have an
	// n-gram in common for it to count.
	maxShare, leastItems = 0.03, 3
	// leastGrams is the least extent of a contained text, in n-grams of the
	// highest weight: less than that is too little to recognise.
	leastGrams = 25
	// Each common number short of confirmNumbers asks for confirmShare more of
	// the text: numbers confirm a match that the wording suggests.
	confirmNumbers, confirmShare = 4, 0.1
	// Two texts have about the same extent when each contains at least this
	// share of what the better contained one does.
	sameExtent = 0.5
)

// gramIndex is the items' character n-grams with their weights.
type gramIndex struct {
	grams   *inverted
	weights []float64 // by the number of items an n-gram occurs in
	unknown float64   // of an n-gram that occurs in no item
	least   float64   // weight of the smallest text that can be contained
	totals  []float64 // per item: the weight of its distinct n-grams
}

func newGramIndex(items []entry) *gramIndex {
	x := &gramIndex{totals: make([]float64, len(items))}
	var grams []gram
	add := func(t *Text, item int32) {
		t.eachCharGram(func(key uint64, w int) { grams = append(grams, gram{key, posting{item, int32(w)}}) })
	}
	for _, phrase := range boilerplate {
		add(Prepare(phrase), -1) // sorts before the items that have the n-gram
	}
	for i := range items {
		add(items[i].text, int32(i))
	}
	x.grams = newInverted(grams)
	most := max(leastItems, int(float64(len(items))*maxShare))
	n := float64(len(items) + 1)
	x.weights = make([]float64, len(items)+2)
	for df := 1; df <= most && df < len(x.weights); df++ {
		x.weights[df] = math.Log(n / float64(df))
	}
	x.unknown = math.Log(n)
	x.least = leastGrams * x.unknown
	for i := range x.grams.slots {
		s := &x.grams.slots[i]
		if s.n == 0 {
			continue
		}
		if x.grams.posts[s.off].item < 0 || x.weights[s.n] == 0 {
			s.n = -1 // known, and weighs nothing
			continue
		}
		for _, p := range x.grams.posts[s.off : s.off+s.n] {
			x.totals[p.item] += x.weights[s.n]
		}
	}
	return x
}

// eachCharGram calls f with each character n-gram of the text and the number of the
// word in which it ends.
func (t *Text) eachCharGram(f func(key uint64, word int)) {
	key, mask, n := uint64(0), uint64(math.MaxUint64)>>(64-8*gramBytes), 0
	push := func(c byte, i int) {
		key = (key<<8 | uint64(c)) & mask
		if n++; n >= gramBytes {
			f(key, i)
		}
	}
	for i := range t.words {
		w := &t.words[i]
		push(' ', i)
		for j := w.start; j < w.end; j++ {
			c := t.norm[j]
			if w.kind == kindName {
				c = 'x'
			}
			push(c, i)
		}
	}
	push(' ', len(t.words)-1)
}

// numbers appends the hashes of the numbers, sorted.
func (t *Text) numbers(to []uint64) []uint64 {
	for i := range t.words {
		if t.words[i].kind == kindNumber {
			to = append(to, t.words[i].hash)
		}
	}
	slices.Sort(to)
	return to
}

// gramScratch holds what the row's n-grams have in common with the items.
type gramScratch struct {
	done    bool
	weight  []float64 // per item: of the common n-grams
	touched []int32
	total   float64  // of the row's own n-grams
	seen    []uint64 // a hash set of the row's n-grams, to count each once
}

func newGramScratch(items int) gramScratch { return gramScratch{weight: make([]float64, items)} }

func (s *gramScratch) reset() {
	for _, i := range s.touched {
		s.weight[i] = 0
	}
	s.touched, s.total, s.done = s.touched[:0], 0, false
}

// fill adds up the row's common weight with every item.
func (x *gramIndex) fill(t *Text, s *gramScratch) {
	logSize := bits.Len(uint(len(t.norm)+1)) + 1
	if len(s.seen) < 1<<logSize {
		s.seen = make([]uint64, 1<<logSize)
	}
	set := s.seen[:1<<logSize]
	clear(set)
	shift, mask := uint(64-logSize), uint64(len(set)-1)
	t.eachCharGram(func(key uint64, _ int) {
		i := (key * 0x9e3779b97f4a7c15) >> shift
		for ; set[i] != 0; i = (i + 1) & mask {
			if set[i] == key {
				return
			}
		}
		set[i] = key
		g := x.grams.find(key)
		if g.n <= 0 {
			if g.n == 0 {
				s.total += x.unknown
			}
			return
		}
		w := x.weights[g.n]
		s.total += w
		for _, p := range x.grams.posts[g.off : g.off+g.n] {
			if s.weight[p.item] == 0 {
				s.touched = append(s.touched, p.item)
			}
			s.weight[p.item] += w
		}
	})
	s.done = true
}

// checkGrams finds the item that shares the most with the row.
func (x *Index) checkGrams(method Method, t *Text, s *scratch) (Match, bool) {
	g := &s.grams
	if !g.done {
		x.grams.fill(t, g)
	}
	s.fillNumbers(t)
	threshold := x.opt.RewordedThreshold
	if method == MethodVariant {
		threshold = x.opt.VariantThreshold
	}
	best, m := int32(-1), Match{}
	for _, i := range g.touched {
		w := g.weight[i]
		inRow, inItem := w/max(x.grams.totals[i], x.grams.least), w/max(g.total, x.grams.least)
		score := max(inRow, inItem)
		if score < threshold || score < m.Score || score == m.Score && i > best {
			continue
		}
		direction := ItemInRow
		switch {
		case min(inRow, inItem) >= sameExtent*score:
			direction = Both
		case inItem > inRow:
			direction = RowInItem
		}
		agree, both := agreement(s.numbers, x.items[i].numbers)
		if (agree >= x.opt.NumbersThreshold) != (method == MethodReworded) ||
			method == MethodReworded && score < threshold+confirmShare*float64(max(0, confirmNumbers-both)) {
			continue
		}
		best, m = i, x.match(i, score)
		m.Direction, m.Numbers = direction, agree
	}
	if best < 0 {
		return m, false
	}
	m.Excerpt, m.ItemExcerpt = commonPart(t, x.items[best].text), commonPart(x.items[best].text, t)
	return m, true
}

// agreement is the share of the numbers of one text that the other has too,
// of the text with fewer numbers: the longer one may add some. A number that
// occurs twice counts twice. Without numbers there is nothing to disagree.
func agreement(a, b []uint64) (share float64, both int) {
	of := min(len(a), len(b))
	if of == 0 {
		return 1, 0
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch x, y := a[i], b[j]; {
		case x < y:
			i++
		case y < x:
			j++
		default:
			both, i, j = both+1, i+1, j+1
		}
	}
	return float64(both) / float64(of), both
}

// commonPart shows the longest stretch of t made of n-grams that other has
// too, where at most four words in a row are missing.
func commonPart(t, other *Text) string {
	has := map[uint64]bool{}
	other.eachCharGram(func(key uint64, _ int) { has[key] = true })
	begins := make([]int, 0, len(t.norm)+2) // the word of each byte that eachCharGram walks over
	for i := range t.words {
		for range 1 + t.words[i].end - t.words[i].start {
			begins = append(begins, i)
		}
	}
	from, to, start, last, k := 0, 0, -1, -1, 0
	t.eachCharGram(func(key uint64, end int) {
		begin := begins[k]
		k++
		if !has[key] {
			return
		}
		if start < 0 || begin > last+5 {
			start = begin
		}
		last = end
		if last+1-start > to-from {
			from, to = start, last+1
		}
	})
	return t.excerpt(from, to)
}
