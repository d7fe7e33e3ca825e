package step

import (
	"crypto/sha256"
	"encoding/binary"
)

// draw is a random number that a seed, a purpose and a row's id alone decide: the first 8 bytes of a
// SHA-256 hash.
func draw(seed uint64, purpose, id string) uint64 {
	b := make([]byte, 0, 96)
	b = binary.LittleEndian.AppendUint64(b, seed)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(purpose)))
	b = append(append(b, purpose...), id...)
	h := sha256.Sum256(b)
	return binary.LittleEndian.Uint64(h[:])
}
