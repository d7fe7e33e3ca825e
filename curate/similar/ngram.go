package similar

import (
	"unicode"
	"unicode/utf8"
)

// The n-gram rules work on words as other projects cut them, not on the normal
// form, so that their verdicts can be compared.

// ngramRule is one rule: any run of n words in common.
type ngramRule struct {
	method Method
	n      int
	// letters drops everything but letters and digits from the words, and
	// words of which nothing remains (GPT-3, appendix C); otherwise words are
	// lower-cased and split at white space, nothing else (open-r1,
	// scripts/decontaminate.py).
	letters bool
	// least is the shortest item, in words, that is indexed as one n-gram of
	// its own length when it has fewer than n words; 0: such items are left out.
	least int
}

// ngramRules: GPT-3 takes as n the fifth percentile of the items' lengths,
// between 8 and 13; here it is 13, and items of 8 to 12 words must be there
// as a whole.
var ngramRules = [...]ngramRule{
	{method: MethodNGram8, n: 8},
	{method: MethodNGram13, n: 13, letters: true, least: 8},
}

// plainWord is a word as a rule cuts it.
type plainWord struct {
	hash       uint64
	start, end int32 // in the raw text
}

// plainWords cuts a raw text at white space. all has every word, letters those
// with a letter or digit, hashed without the rest.
func plainWords(raw string, all, letters []plainWord) (_, _ []plainWord) {
	i := 0
	for i < len(raw) {
		start, any := i, false
		h, l := uint64(fnvOffset), uint64(fnvOffset)
		for i < len(raw) {
			c := raw[i]
			if c < utf8.RuneSelf {
				if c == ' ' || c >= '\t' && c <= '\r' || c >= 0x1c && c <= 0x1f {
					break
				}
				if c >= 'A' && c <= 'Z' {
					c += 'a' - 'A'
				}
				h = (h ^ uint64(c)) * fnvPrime
				if c >= 'a' && c <= 'z' || isDigit(c) {
					l, any = (l^uint64(c))*fnvPrime, true
				}
				i++
				continue
			}
			r, size := utf8.DecodeRuneInString(raw[i:])
			if unicode.IsSpace(r) {
				break
			}
			r = unicode.ToLower(r)
			h = (h ^ uint64(r)) * fnvPrime
			if unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r) {
				l, any = (l^uint64(r))*fnvPrime, true
			}
			i += size
		}
		if i > start {
			all = append(all, plainWord{mix(h), int32(start), int32(i)})
			if any {
				letters = append(letters, plainWord{mix(l), int32(start), int32(i)})
			}
			continue
		}
		_, size := utf8.DecodeRuneInString(raw[i:])
		i += size
	}
	return all, letters
}

// eachGram calls f with the hash and position of every run of n words.
func eachGram(words []plainWord, n int, f func(key uint64, pos int)) {
	r := newRolling(n)
	for i := range words {
		out := uint64(0)
		if i >= n {
			out = words[i-n].hash
		}
		if h := r.slide(words[i].hash, out); i >= n-1 {
			f(h+uint64(n), i-n+1)
		}
	}
}

// ngramIndex is one rule's index of all items.
type ngramIndex struct {
	rule    ngramRule
	lengths []int // the lengths of the n-grams in it
	grams   *inverted
}

func newNgramIndex(rule ngramRule, items []entry) ngramIndex {
	x := ngramIndex{rule: rule}
	var grams []gram
	var all, letters []plainWord
	has := make([]bool, rule.n+1)
	for i := range items {
		all, letters = plainWords(items[i].text.raw, all[:0], letters[:0])
		words := all
		if rule.letters {
			words = letters
		}
		n := rule.n
		if rule.least > 0 && len(words) < n {
			n = max(len(words), rule.least)
		}
		eachGram(words, n, func(key uint64, pos int) {
			has[n] = true
			grams = append(grams, gram{key, posting{int32(i), int32(pos)}})
		})
	}
	for n, ok := range has {
		if ok {
			x.lengths = append(x.lengths, n)
		}
	}
	x.grams = newInverted(grams)
	return x
}

// checkNgrams finds the item with the most n-grams in common with the row.
func (x *Index) checkNgrams(method Method, t *Text, s *scratch) (Match, bool) {
	if !s.cut {
		s.plain, s.letters = plainWords(t.raw, s.plain[:0], s.letters[:0])
		s.cut = true
	}
	var rule *ngramIndex
	for i := range x.ngrams {
		if x.ngrams[i].rule.method == method {
			rule = &x.ngrams[i]
		}
	}
	words := s.plain
	if rule.rule.letters {
		words = s.letters
	}
	for _, n := range rule.lengths {
		eachGram(words, n, func(key uint64, _ int) {
			for _, p := range rule.grams.get(key) {
				s.hit(p.item)
			}
		})
	}
	best := int32(-1)
	for _, i := range s.touched {
		if best < 0 || s.count[i] > s.count[best] || s.count[i] == s.count[best] && i < best {
			best = i
		}
	}
	if best < 0 {
		return Match{}, false
	}
	m := x.match(best, float64(s.count[best]))
	s.clear()
	m.Direction = Overlap
	m.Excerpt, m.ItemExcerpt = rule.excerpts(words, t, x.items[best].text, best)
	return m, true
}

// excerpts shows the longest common run of words that consists of common
// n-grams.
func (x *ngramIndex) excerpts(words []plainWord, row, item *Text, i int32) (string, string) {
	all, letters := plainWords(item.raw, nil, nil)
	itemWords := all
	if x.rule.letters {
		itemWords = letters
	}
	from, at, length := 0, 0, 0
	left := 64 * (len(words) + len(itemWords)) // comparisons: the same words over and over would take their product
	for _, n := range x.lengths {
		eachGram(words, n, func(key uint64, pos int) {
			for _, p := range x.grams.get(key) {
				if p.item != i || pos+n <= from+length && length > 0 {
					continue
				}
				k := 0
				for left > 0 && pos+k < len(words) && int(p.pos)+k < len(itemWords) && words[pos+k].hash == itemWords[int(p.pos)+k].hash {
					k++
					left--
				}
				if k > length {
					from, at, length = pos, int(p.pos), k
				}
			}
		})
	}
	if length == 0 {
		return "", ""
	}
	return shorten(row.raw[words[from].start:words[from+length-1].end]),
		shorten(item.raw[itemWords[at].start:itemWords[at+length-1].end])
}
