package similar

import "slices"

// shingles appends the hashes of the distinct runs of n words of the normal
// form, sorted. A text shorter than n words has one shingle, all of it; a text
// without words has none. 32 bits are enough: within two texts of 100 shingles
// a false agreement has a probability of 10⁻⁵ or so and would change the Jaccard
// similarity by one hundredth.
func (t *Text) shingles(n int, to []uint32) []uint32 {
	if len(t.words) == 0 {
		return to
	}
	first := len(to)
	n = min(n, len(t.words))
	r := newRolling(n)
	for i := range t.words {
		out := uint64(0)
		if i >= n {
			out = t.words[i-n].hash
		}
		if h := r.slide(t.words[i].hash, out); i >= n-1 {
			to = append(to, uint32(h>>32))
		}
	}
	slices.Sort(to[first:])
	return append(to[:first], slices.Compact(to[first:])...)
}

// jaccard is the size of the intersection of two sorted sets over that of
// their union; 0 for two empty sets.
func jaccard(a, b []uint32) float64 {
	both := intersection(a, b)
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// intersection counts the common elements of two sorted sets.
func intersection(a, b []uint32) int {
	n, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		x, y := a[i], b[j]
		if x == y {
			n++
		}
		if x <= y {
			i++
		}
		if y <= x {
			j++
		}
	}
	return n
}
