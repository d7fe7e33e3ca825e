package load

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Shuffle puts items in an order that depends on the seed and their number
// only, and that no Go release changes: Fisher and Yates' algorithm from the
// last item down, item i changing places with item floor(u * (i+1) / 2^64), u
// being successive 64-bit words of ChaCha8 whose key is "openrs.shuffle" and,
// in bytes 16 to 23, the seed (little endian).
func Shuffle[T any](items []T, seed uint64) {
	var key [32]byte
	copy(key[:], "openrs.shuffle")
	binary.LittleEndian.PutUint64(key[16:], seed)
	draws := rand.NewChaCha8(key)
	for i := len(items) - 1; i > 0; i-- {
		j, _ := bits.Mul64(draws.Uint64(), uint64(i+1))
		items[i], items[j] = items[j], items[i]
	}
}
