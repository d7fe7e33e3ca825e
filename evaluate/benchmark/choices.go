package benchmark

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
)

// Order is the order in which the options of a question are shown: position i
// shows option Order[i] of the data, where option 0 is the right one. It
// depends on nothing but the seed and the question, so neither the order of the
// rows nor Options.N changes it; another seed is another order, by which a
// model's liking for a letter can be averaged out. All orders are equally
// likely.
func Order(seed uint64, question string, n int) []int {
	h := sha256.New()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	h.Write([]byte("order of options"))
	h.Write(b[:])
	h.Write([]byte(question))
	draws := rand.NewChaCha8([32]byte(h.Sum(nil)))
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(draws.Uint64(), uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}
