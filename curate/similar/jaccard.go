package similar

// MethodNear compares a row with the benchmark items by the Jaccard similarity
// of their shingle sets; like for MethodReworded their numbers must agree. The items are few and known beforehand, so that no
// sketch is needed: an inverted index counts the common shingles with every
// item exactly, and nothing at or above the threshold is missed.

func newShingleIndex(items []entry, n int) *inverted {
	var grams []gram
	var set []uint32
	for i := range items {
		set = items[i].text.shingles(n, set[:0])
		items[i].words = len(set)
		for _, h := range set {
			grams = append(grams, gram{uint64(h), posting{item: int32(i)}})
		}
	}
	return newInverted(grams)
}

func (x *Index) checkNear(t *Text, s *scratch) (Match, bool) {
	s.shingles = t.shingles(x.opt.NearNGram, s.shingles[:0])
	for _, h := range s.shingles {
		for _, p := range x.shingles.get(uint64(h)) {
			s.hit(p.item)
		}
	}
	s.fillNumbers(t)
	best, score, agree := int32(-1), 0.0, 0.0
	for _, i := range s.touched {
		both := int(s.count[i])
		j := float64(both) / float64(len(s.shingles)+x.items[i].words-both)
		if j < x.opt.NearThreshold || j < score || j == score && i > best {
			continue
		}
		if share, _ := agreement(s.numbers, x.items[i].numbers); share >= x.opt.NumbersThreshold {
			best, score, agree = i, j, share
		}
	}
	s.clear()
	if best < 0 {
		return Match{}, false
	}
	m := x.match(best, score)
	m.Direction, m.Numbers = Both, agree
	m.Excerpt, m.ItemExcerpt = shorten(t.raw), shorten(x.items[best].text.raw)
	return m, true
}
