package similar

import "math/bits"

// All hashes here are fixed functions (not seeded per process), since ledgers
// and signatures have to come out the same on every run and machine.

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// hashString is FNV-1a followed by a finaliser, because the low bits of FNV
// alone are too regular for tables of a power of two.
func hashString(s string) uint64 {
	h := uint64(fnvOffset)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return mix(h)
}

// mix is the finaliser of splitmix64: a bijection in which every input bit
// reaches every output bit.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// combine appends the hash x to the hash h of what came before.
func combine(h, x uint64) uint64 {
	hi, lo := bits.Mul64(h^x, 0x9e3779b97f4a7c15)
	return bits.RotateLeft64(h, 23) ^ hi ^ lo
}

// rolling hashes windows of n values: the sum of mixed values times powers of
// an odd base, so that sliding by one costs two multiplications.
type rolling struct {
	n        int
	top, sum uint64
}

const rollingBase = 0x9fb21c651e98df25

func newRolling(n int) rolling {
	top := uint64(1)
	for range n {
		top *= rollingBase
	}
	return rolling{n: n, top: top}
}

// slide takes in a value and lets go of the one n places before it (0 while
// the window fills), and returns the window's hash.
func (r *rolling) slide(in, out uint64) uint64 {
	r.sum = r.sum*rollingBase + in - out*r.top
	return mix(r.sum)
}
