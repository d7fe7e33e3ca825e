package parallel

import (
	"errors"
	"sync"
)

// align is what the boundaries of parts are multiples of: vectors and cache lines begin there.
const align = 64

// Part returns the stretch [from, to) of total values that belongs to one of n ranks. The parts cover
// everything in order; sizes differ by about align values at most.
func Part(total, rank, n int) (from, to int) {
	blocks := (total + align - 1) / align
	return min(total, blocks*rank/n*align), min(total, blocks*(rank+1)/n*align)
}

// Each calls f for every rank at once and returns what went wrong.
func Each(n int, f func(rank int) error) error {
	if n == 1 {
		return f(0)
	}
	failed := make([]error, n)
	var all sync.WaitGroup
	for rank := range n {
		all.Go(func() { failed[rank] = f(rank) })
	}
	all.Wait()
	return errors.Join(failed...)
}

// Shares divides sizes, in order, into n runs of about the same sum: run i is [bounds[i], bounds[i+1]).
// Runs may be empty when there are few.
func Shares(sizes []int, n int) (bounds []int) {
	total := 0
	for _, s := range sizes {
		total += s
	}
	bounds = make([]int, n+1)
	at, sum := 0, 0
	for i := 1; i < n; i++ {
		// Take the next as long as more than half of it belongs to this run.
		for at < len(sizes) && (2*sum+sizes[at])*n <= 2*total*i {
			sum += sizes[at]
			at++
		}
		bounds[i] = at
	}
	bounds[n] = len(sizes)
	return bounds
}
