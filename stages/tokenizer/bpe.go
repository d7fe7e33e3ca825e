package tokenizer

import (
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
)

// bpe turns one piece of text into token ids: the piece's bytes are the first symbols, and the
// adjacent pair with the lowest merge rank (the leftmost, on a tie) is merged until no pair has one.
type bpe struct {
	bytes  [256]int32 // the token of each byte
	merges mergeTable
	// whole, where not nil, is the vocabulary: a piece in it is one token without any merging
	// (ignore_merges).
	whole *vocabulary
	cache *cache
}

// none is the rank of a pair that does not merge.
const none = math.MaxInt32

// heapAbove is the length in bytes from which on a heap is quicker than looking at all pairs.
const heapAbove = 48

func (b *bpe) append(dst []int32, piece string) []int32 {
	if len(piece) == 1 {
		return append(dst, b.bytes[piece[0]])
	}
	ids, slot, ok := b.cache.get(piece)
	if ok {
		return append(dst, ids...)
	}
	before := len(dst)
	if id, ok := b.inWhole(piece); ok {
		dst = append(dst, id)
	} else if len(piece) <= heapAbove {
		dst = b.mergeShort(dst, piece)
	} else {
		dst = b.mergeLong(dst, piece)
	}
	b.cache.put(slot, piece, dst[before:])
	return dst
}

func (b *bpe) inWhole(piece string) (int32, bool) {
	if b.whole == nil {
		return 0, false
	}
	return b.whole.findText(piece)
}

// mergeShort keeps the ranks of all pairs in an array and looks for the lowest each time.
func (b *bpe) mergeShort(dst []int32, piece string) []int32 {
	var ids, ranks [heapAbove]int32 // ranks[i]: of the pair of symbols i and i+1
	n := len(piece)
	for i := range n {
		ids[i] = b.bytes[piece[i]]
	}
	for i := range n - 1 {
		ranks[i] = b.merges.find(ids[i], ids[i+1])
	}
	for n > 1 {
		best, at := int32(none), -1
		for i, r := range ranks[:n-1] {
			if r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			break
		}
		ids[at] = b.merges.products[best]
		n--
		copy(ids[at+1:n], ids[at+2:n+1])
		copy(ranks[at:n-1], ranks[at+1:n])
		if at > 0 {
			ranks[at-1] = b.merges.find(ids[at-1], ids[at])
		}
		if at < n-1 {
			ranks[at] = b.merges.find(ids[at], ids[at+1])
		}
	}
	return append(dst, ids[:n]...)
}

// mergeLong keeps the symbols in a linked list and the pairs in a heap: n log n for any piece, such
// as a megabyte without a space.
func (b *bpe) mergeLong(dst []int32, piece string) []int32 {
	n := len(piece)
	ids := make([]int32, n) // −1: merged into the symbol before
	prev, next := make([]int32, n), make([]int32, n)
	var heap pairHeap
	push := func(left, right int32) {
		if rank := b.merges.find(ids[left], ids[right]); rank != none {
			heap.push(pair{rank: rank, left: left, right: right, first: ids[left], second: ids[right]})
		}
	}
	for i := range n {
		ids[i], prev[i], next[i] = b.bytes[piece[i]], int32(i-1), int32(i+1)
		if i > 0 {
			push(int32(i-1), int32(i))
		}
	}
	for len(heap) > 0 {
		p := heap.pop()
		if ids[p.left] != p.first || ids[p.right] != p.second || next[p.left] != p.right {
			continue // one of the two has been merged since
		}
		ids[p.left], ids[p.right] = b.merges.products[p.rank], -1
		after := next[p.right]
		next[p.left] = after
		if int(after) < n {
			prev[after] = p.left
			push(p.left, after)
		}
		if before := prev[p.left]; before >= 0 {
			push(before, p.left)
		}
	}
	for _, id := range ids {
		if id >= 0 {
			dst = append(dst, id)
		}
	}
	return dst
}

// pair is a possible merge of the symbols that begin at bytes left and right.
type pair struct {
	rank, left, right, first, second int32
}

// pairHeap is a binary heap, lowest rank first, leftmost on a tie.
type pairHeap []pair

func (h pairHeap) less(i, j int) bool {
	return h[i].rank < h[j].rank || h[i].rank == h[j].rank && h[i].left < h[j].left
}

func (h *pairHeap) push(p pair) {
	*h = append(*h, p)
	s := *h
	for i := len(s) - 1; i > 0 && s.less(i, (i-1)/2); i = (i - 1) / 2 {
		s[i], s[(i-1)/2] = s[(i-1)/2], s[i]
	}
}

func (h *pairHeap) pop() pair {
	s := *h
	top := s[0]
	s[0] = s[len(s)-1]
	s = s[:len(s)-1]
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < len(s) && s.less(child+1, child) {
			child++
		}
		if child >= len(s) || !s.less(child, i) {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	*h = s
	return top
}

// mergeTable is an open-addressing hash table from a pair of ids to its rank, and what each rank merges
// to. Go's map takes several times as long, and this is the inner loop of encoding. A slot is one
// number: the two ids (21 bits each) over the rank.
type mergeTable struct {
	slots    []uint64
	shift    uint
	products []int32 // by rank
}

const (
	idBits, rankBits = 21, 22
	emptySlot        = math.MaxUint64
	maxMerges        = 1<<rankBits - 1
)

func newMergeTable(n int) mergeTable {
	size := uint(bits.Len(uint(n + n/2)))
	m := mergeTable{slots: make([]uint64, 1<<size), shift: 64 - size, products: make([]int32, n)}
	for i := range m.slots {
		m.slots[i] = emptySlot
	}
	return m
}

func mergeKey(first, second int32) uint64 { return uint64(first)<<idBits | uint64(second) }

// slot is where a key is, or where it would go.
func (m *mergeTable) slot(key uint64) *uint64 {
	mask := len(m.slots) - 1
	for i := int(key * 0x9e3779b97f4a7c15 >> m.shift); ; i = (i + 1) & mask {
		if s := &m.slots[i]; *s == emptySlot || *s>>rankBits == key {
			return s
		}
	}
}

// add enters a merge; of the same pair twice the later one counts, as in Hugging Face's map.
func (m *mergeTable) add(first, second, rank, product int32) {
	key := mergeKey(first, second)
	*m.slot(key) = key<<rankBits | uint64(rank)
	m.products[rank] = product
}

// find returns a pair's rank or none.
func (m *mergeTable) find(first, second int32) int32 {
	s := *m.slot(mergeKey(first, second))
	if s == emptySlot {
		return none
	}
	return int32(s & (1<<rankBits - 1))
}

// cache remembers the ids of recent pieces: a fixed number of slots, each holding the last piece
// that hashed to it, so that it is bounded and needs no lock.
type cache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cached]
}

type cached struct {
	piece string
	ids   []int32
}

const (
	cacheSlots = 1 << 15
	cacheBytes = 64 // longer pieces seldom come twice
)

func newCache() *cache {
	return &cache{seed: maphash.MakeSeed(), slots: make([]atomic.Pointer[cached], cacheSlots)}
}

// get returns the ids of a piece or the slot where put may leave them, −1 for none.
func (c *cache) get(piece string) (ids []int32, slot int, ok bool) {
	if len(piece) > cacheBytes {
		return nil, -1, false
	}
	slot = int(maphash.String(c.seed, piece) % cacheSlots)
	if e := c.slots[slot].Load(); e != nil && e.piece == piece {
		return e.ids, slot, true
	}
	return nil, slot, false
}

func (c *cache) put(slot int, piece string, ids []int32) {
	if slot >= 0 {
		c.slots[slot].Store(&cached{piece: strings.Clone(piece), ids: slices.Clone(ids)})
	}
}
