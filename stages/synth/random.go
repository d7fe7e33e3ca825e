package synth

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// What a stream of random numbers is used for. The two are separate so that
// the way solutions are written never changes which problems are drawn.
const (
	forExpression = "openrs.e"
	forSolution   = "openrs.s"
)

// random is the source of one problem's draws.
//
// The bytes of a data set must not change with a Go release, so nothing here
// depends on how the standard library turns bits into numbers: the bits are
// those of ChaCha8 (whose stream math/rand/v2 specifies), the 32 bytes of its
// key are
//
//	use (8 ASCII bytes) | seed (uint64, little endian) | index (uint64, little endian) | split (8 bytes, zero padded)
//
// and below and chance are the only ways they are used.
type random struct{ bits *rand.ChaCha8 }

func newRandom(use string, seed, index uint64, split Split) random {
	var key [32]byte
	copy(key[:8], use)
	binary.LittleEndian.PutUint64(key[8:], seed)
	binary.LittleEndian.PutUint64(key[16:], index)
	copy(key[24:], split)
	return random{rand.NewChaCha8(key)}
}

// below returns a number in [0, n): the high word of a 64-bit draw times n.
// For the small n used here it is uniform to better than one part in 2^50.
func (r random) below(n int) int {
	hi, _ := bits.Mul64(r.bits.Uint64(), uint64(n))
	return int(hi)
}

// between returns a number in [lo, hi], both included.
func (r random) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// chance is true with probability p (53 bits of resolution). It always takes
// one draw, so that draws after it do not depend on p.
func (r random) chance(p float64) bool {
	return float64(r.bits.Uint64()>>11)/(1<<53) < p
}
