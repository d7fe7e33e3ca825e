package load

import "slices"

// Order says in which order, how many and how often problems are published.
type Order struct {
	Shuffle bool
	Seed    uint64 // of the shuffle; epoch e is shuffled with Seed + e
	Limit   int    // problems kept, after the shuffle of the first epoch; 0: all
	Epochs  int    // how often all of them come; 0: once
}

// Apply returns items, such as problems or their places, in that order, one
// epoch after the other, and those beyond the limit. It leaves the argument
// as it is.
func Apply[T any](o Order, items []T) (all, beyond []T) {
	kept := slices.Clone(items)
	if o.Shuffle {
		Shuffle(kept, o.Seed)
	}
	if o.Limit > 0 && o.Limit < len(kept) {
		kept, beyond = kept[:o.Limit], kept[o.Limit:]
	}
	all = slices.Clone(kept)
	for epoch := 1; epoch < o.Epochs; epoch++ {
		again := slices.Clone(kept)
		if o.Shuffle {
			Shuffle(again, o.Seed+uint64(epoch))
		}
		all = append(all, again...)
	}
	return all, beyond
}
