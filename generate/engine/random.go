package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// streamKey identifies the random stream of one sample of one problem.
type streamKey struct {
	lo, hi uint32 // Philox key
	sample uint32
}

// newStreamKey hashes the seed and the problem's id, so that neighbouring seeds and similar ids give
// unrelated streams.
func newStreamKey(seed int64, problemID string, sample int32) streamKey {
	h := sha256.New()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(seed))
	h.Write(b[:])
	h.Write([]byte(problemID))
	sum := h.Sum(nil)
	return streamKey{
		lo:     binary.LittleEndian.Uint32(sum),
		hi:     binary.LittleEndian.Uint32(sum[4:]),
		sample: uint32(sample),
	}
}

// uniform is the stream's number for a token position, in [0, 1), a multiple of 2⁻⁵³.
func (k streamKey) uniform(position int) float64 {
	x := philox([4]uint32{uint32(position), uint32(uint64(position) >> 32), k.sample, 0}, [2]uint32{k.lo, k.hi})
	return float64((uint64(x[0])<<32|uint64(x[1]))>>11) / (1 << 53)
}

// philox is Philox4x32 with ten rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011): a counter-based generator, so any position's number is had without those before it.
func philox(ctr [4]uint32, key [2]uint32) [4]uint32 {
	const (
		m0, m1 = 0xD2511F53, 0xCD9E8D57
		w0, w1 = 0x9E3779B9, 0xBB67AE85
	)
	for range 10 {
		hi0, lo0 := bits.Mul32(m0, ctr[0])
		hi1, lo1 := bits.Mul32(m1, ctr[2])
		ctr = [4]uint32{hi1 ^ ctr[1] ^ key[0], lo1, hi0 ^ ctr[3] ^ key[1], lo0}
		key[0] += w0
		key[1] += w1
	}
	return ctr
}
