package similar

import (
	"fmt"
	"math"
)

// NearOptions are the settings of Near. The zero value means the defaults.
type NearOptions struct {
	// Threshold is the Jaccard similarity of the shingle sets from which on two
	// texts are duplicates, above 0 and at most 1. Default 0.8.
	Threshold float64
	// NGram is the number of words in a shingle. Default 3: at 5, one changed
	// word in a problem of 40 words would already push it below 0.8.
	NGram int
	// Bands and Rows shape the signature. Default: chosen for the threshold
	// (see Shape). Both or neither must be given.
	Bands, Rows int
	// Numbers is the share of the numbers of the text with fewer numbers that
	// the other one must have too, 0 to 1. Default 0: don't look, so that
	// problems that differ in a number only count as duplicates when they are
	// long enough. At 0.9 such variants stay.
	Numbers float64
	// Seed chooses the hash functions. It changes which pairs below the
	// threshold are looked at, and with the default shape nothing else.
	Seed uint64
}

// Shape chooses bands and rows for a threshold: the most selective shape
// (most rows) of at most 80 hash functions under which a pair at the
// threshold goes unseen with a probability of less than 1 in 10,000; with more
// similarity it falls quickly. (Below 0.11 no shape of that size does.) For 0.8 that is 18 bands of 4 rows:
//
//	similarity  0.2    0.3    0.4    0.5    0.6    0.7     0.8      0.9
//	candidate   0.028  0.136  0.373  0.687  0.918  0.9929  0.99992  1-5e-9
//
// Candidates are verified, so this probability only decides what is looked at.
func Shape(threshold float64) (bands, rows int) {
	const hashes, miss = 80, 1e-4
	bands, rows = hashes, 1
	for r := 1; r <= hashes; r++ {
		p := math.Pow(threshold, float64(r))
		b := 1
		if p < 1 {
			b = int(math.Ceil(math.Log(miss) / math.Log1p(-p)))
		}
		if b*r <= hashes && r <= 8 {
			bands, rows = b, r
		}
	}
	return bands, rows
}

// Probability is the chance that two texts of Jaccard similarity j become a
// candidate pair: that all rows agree in at least one band.
func Probability(j float64, bands, rows int) float64 {
	return 1 - math.Pow(1-math.Pow(j, float64(rows)), float64(bands))
}

// Near finds rows that are the same as an earlier one up to a few words: by
// MinHash signatures (Broder 1997) cut into bands (locality sensitive
// hashing), every candidate verified by the exact Jaccard similarity of the
// two shingle sets.
//
// For each row that stays it keeps the shingle hashes (4 bytes each, about as
// many as the text has words) and 12 to 16 bytes a band: with the defaults
// about 410 bytes for a competition problem. With Numbers set, 8 bytes for each
// number come on top.
type Near struct {
	opt      NearOptions
	a, b     []uint64 // the hash functions x -> (a·x + b) >> 32
	tables   []bandTable
	rows     []int    // the caller's row numbers of the rows that stay
	ends     []int64  // row i's shingles end here in shingles
	shingles []uint32 // of all rows that stay
	numbers  numberList
	seen     []int32  // the last look-up (its number, from 1) that compared row i
	agree    []uint16 // in how many bands row i agreed in that look-up
	lookups  int32
	found    []int32 // scratch of candidates
}

// Sketch is what Near needs to know of a row. It holds no reference to the text.
type Sketch struct {
	keys     []uint32 // one a band
	shingles []uint32 // sorted, distinct
	numbers  []uint64 // sorted; only when NearOptions.Numbers asks for them
}

// Duplicate names the row that a row repeats.
type Duplicate struct {
	Row        int     // the caller's number of the row that stays
	Similarity float64 // Jaccard similarity of the shingle sets
}

// NewNear returns a finder that has seen nothing.
func NewNear(opt NearOptions) (*Near, error) {
	if opt.Threshold == 0 {
		opt.Threshold = 0.8
	}
	if !(opt.Threshold > 0 && opt.Threshold <= 1) {
		return nil, fmt.Errorf("near duplicates: threshold %v: want above 0 and at most 1", opt.Threshold)
	}
	if opt.NGram == 0 {
		opt.NGram = 3
	}
	if opt.NGram < 1 || opt.NGram > 64 {
		return nil, fmt.Errorf("near duplicates: shingles of %d words: want 1 to 64", opt.NGram)
	}
	if !(opt.Numbers >= 0 && opt.Numbers <= 1) {
		return nil, fmt.Errorf("near duplicates: share of numbers %v: want 0 to 1", opt.Numbers)
	}
	if opt.Bands == 0 && opt.Rows == 0 {
		opt.Bands, opt.Rows = Shape(opt.Threshold)
	}
	if opt.Bands < 1 || opt.Rows < 1 || opt.Bands*opt.Rows > 1024 {
		return nil, fmt.Errorf("near duplicates: %d bands of %d rows: want at least 1 of each and at most 1024 in all", opt.Bands, opt.Rows)
	}
	n := &Near{opt: opt, tables: make([]bandTable, opt.Bands)}
	state := mix(opt.Seed + 0x6a09e667f3bcc909)
	next := func() uint64 { state += 0x9e3779b97f4a7c15; return mix(state) }
	for range opt.Bands * opt.Rows {
		n.a = append(n.a, next()|1)
		n.b = append(n.b, next())
	}
	return n, nil
}

// Options are the settings as resolved.
func (n *Near) Options() NearOptions { return n.opt }

// Sketch computes a row's signature. It only reads n, so it may be called from
// many goroutines, also while another calls Add.
func (n *Near) Sketch(t *Text) Sketch {
	s := Sketch{shingles: t.shingles(n.opt.NGram, make([]uint32, 0, len(t.words)))}
	if len(s.shingles) == 0 {
		return s
	}
	if n.opt.Numbers > 0 {
		s.numbers = t.numbers(nil)
	}
	signature := n.signature(s.shingles)
	s.keys = make([]uint32, n.opt.Bands)
	for band := range s.keys {
		h := uint64(band)
		for _, v := range signature[band*n.opt.Rows : (band+1)*n.opt.Rows] {
			h = combine(h, uint64(v))
		}
		s.keys[band] = uint32(mix(h) >> 32)
	}
	return s
}

// signature holds the minimum of each hash function over the set.
func (n *Near) signature(set []uint32) []uint32 {
	low := make([]uint32, len(n.a))
	for i := range low {
		low[i] = math.MaxUint32
	}
	a, b := n.a[:len(low)], n.b[:len(low)]
	for _, x := range set {
		x := uint64(x)
		for i := range low {
			low[i] = min(low[i], uint32((a[i]*x+b[i])>>32))
		}
	}
	return low
}

// Add looks a row up among the rows that stayed and, unless it repeats one of
// them, remembers it. Of several it names the most similar, and of equally
// similar ones the earliest. A row is never compared with rows that were
// found to be duplicates, so a chain of small changes doesn't remove its far
// end. Rows without words are never duplicates.
func (n *Near) Add(row int, s Sketch) (d Duplicate, duplicate bool) {
	if len(s.shingles) == 0 {
		return d, false
	}
	if d, duplicate = n.find(s); duplicate {
		return d, true
	}
	for band := range n.tables {
		n.tables[band].add(s.keys[band])
	}
	n.rows = append(n.rows, row)
	n.seen = append(n.seen, 0)
	n.agree = append(n.agree, 0)
	n.shingles = append(n.shingles, s.shingles...)
	n.ends = append(n.ends, int64(len(n.shingles)))
	if n.opt.Numbers > 0 {
		n.numbers.add(s.numbers)
	}
	return d, false
}

// find is the look-up of Add.
func (n *Near) find(s Sketch) (d Duplicate, duplicate bool) {
	if len(s.shingles) == 0 {
		return d, false
	}
	best := int32(-1)
	for _, i := range n.candidates(s.keys) {
		other := n.set(i)
		// the sizes alone bound the similarity
		short, long := min(len(other), len(s.shingles)), max(len(other), len(s.shingles))
		if float64(short) < n.opt.Threshold*float64(long) {
			continue
		}
		j := jaccard(s.shingles, other)
		if j < n.opt.Threshold || j < d.Similarity || j == d.Similarity && i > best {
			continue
		}
		if n.opt.Numbers > 0 {
			if share, _ := agreement(s.numbers, n.numbers.get(i)); share < n.opt.Numbers {
				continue
			}
		}
		best, d = i, Duplicate{n.rows[i], j}
	}
	return d, best >= 0
}

// In data made from a few templates every row agrees with thousands of others
// in some band. What is looked at is bounded then: the latest rows of a band,
// and of these the ones that agree in the most bands (at a similarity of 0.8, 7
// of 18 on average; siblings at 0.6 agree in 2). Ordinary data stays far below.
const (
	mostInBand   = 2048
	mostVerified = 512
)

// candidates are the rows that agree in at least one band.
func (n *Near) candidates(keys []uint32) []int32 {
	n.lookups++
	found := n.found[:0]
	for band := range n.tables {
		t, key, walked := &n.tables[band], keys[band], 0
		for i := t.first(key); i >= 0 && walked < mostInBand; i = t.next[i] {
			if t.keys[i] != key {
				continue
			}
			walked++
			if n.seen[i] != n.lookups {
				n.seen[i], n.agree[i] = n.lookups, 0
				found = append(found, i)
			}
			n.agree[i]++
		}
	}
	n.found = found
	if len(found) <= mostVerified {
		return found
	}
	having := make([]int, len(n.tables)+1) // candidates by the number of bands
	for _, i := range found {
		having[n.agree[i]]++
	}
	cut, room := len(n.tables), mostVerified
	for cut > 0 && having[cut] <= room {
		room -= having[cut]
		cut--
	}
	kept := found[:0]
	for _, i := range found {
		switch k := int(n.agree[i]); {
		case k > cut:
			kept = append(kept, i)
		case k == cut && room > 0:
			room--
			kept = append(kept, i)
		}
	}
	return kept
}

// set is the shingle set of the i-th row that stays.
func (n *Near) set(i int32) []uint32 {
	start := int64(0)
	if i > 0 {
		start = n.ends[i-1]
	}
	return n.shingles[start:n.ends[i]]
}

// numberList holds the numbers of the rows that stay.
type numberList struct {
	all  []uint64
	ends []int64
}

func (l *numberList) add(numbers []uint64) {
	l.all = append(l.all, numbers...)
	l.ends = append(l.ends, int64(len(l.all)))
}

func (l *numberList) get(i int32) []uint64 {
	start := int64(0)
	if i > 0 {
		start = l.ends[i-1]
	}
	return l.all[start:l.ends[i]]
}

// bandTable maps a band's key to the rows that have it: chains through next,
// which begin in heads. Entry i belongs to the i-th row that stays.
type bandTable struct {
	heads []int32 // row + 1; 0: empty
	next  []int32 // row; -1: the end
	keys  []uint32
}

func (t *bandTable) first(key uint32) int32 {
	if len(t.heads) == 0 {
		return -1
	}
	return t.heads[key&uint32(len(t.heads)-1)] - 1
}

func (t *bandTable) add(key uint32) {
	t.keys = append(t.keys, key)
	t.next = append(t.next, -1)
	if len(t.keys) <= len(t.heads) {
		t.link(int32(len(t.keys) - 1))
		return
	}
	t.heads = make([]int32, max(64, 2*len(t.heads)))
	for i := range t.keys {
		t.link(int32(i))
	}
}

func (t *bandTable) link(i int32) {
	head := &t.heads[t.keys[i]&uint32(len(t.heads)-1)]
	t.next[i] = *head - 1
	*head = i + 1
}
