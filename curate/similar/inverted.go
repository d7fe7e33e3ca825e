package similar

import (
	"cmp"
	"math/bits"
	"slices"
)

// posting says where a gram occurs: in which item, from which position on (the
// first one in that item).
type posting struct {
	item, pos int32
}

// inverted maps grams (64-bit hashes) to the items they occur in. It is built
// once and only read afterwards.
type inverted struct {
	slots []slot // open addressing, a power of two, at most half full
	posts []posting
	shift uint
}

type slot struct {
	key uint64
	off int32
	n   int32 // 0: an empty slot
}

// gram is one occurrence while the index is built.
type gram struct {
	key uint64
	posting
}

// newInverted builds the index; grams may come in any order.
func newInverted(grams []gram) *inverted {
	slices.SortFunc(grams, func(a, b gram) int {
		return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.item, b.item), cmp.Compare(a.pos, b.pos))
	})
	distinct := 0
	for i := range grams {
		if i == 0 || grams[i].key != grams[i-1].key {
			distinct++
		}
	}
	logSize := bits.Len(uint(max(distinct, 1))) + 1
	x := &inverted{slots: make([]slot, 1<<logSize), shift: uint(64 - logSize)}
	for i := 0; i < len(grams); {
		key, off := grams[i].key, len(x.posts)
		for ; i < len(grams) && grams[i].key == key; i++ {
			if n := len(x.posts); n == off || x.posts[n-1].item != grams[i].item {
				x.posts = append(x.posts, grams[i].posting)
			}
		}
		s := x.find(key)
		*s = slot{key, int32(off), int32(len(x.posts) - off)}
	}
	return x
}

// find is the key's slot, or the empty one where it would go.
func (x *inverted) find(key uint64) *slot {
	mask := uint64(len(x.slots) - 1)
	for i := (key * 0x9e3779b97f4a7c15) >> x.shift; ; i = (i + 1) & mask {
		if s := &x.slots[i]; s.n == 0 || s.key == key {
			return s
		}
	}
}

// get is where a gram occurs, by item; nil when nowhere.
func (x *inverted) get(key uint64) []posting {
	s := x.find(key)
	return x.posts[s.off : s.off+s.n]
}
