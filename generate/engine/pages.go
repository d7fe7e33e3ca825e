package engine

import "slices"

// pages hands out the pages of the cache. A page may be held by several sequences (the full pages of
// a prompt by all samples of its group); it is free again when the last of them lets go.
type pages struct {
	size    int     // positions a page
	holders []int32 // by page
	free    []int32 // a stack
}

func newPages(count, size int) *pages {
	p := &pages{size: size, holders: make([]int32, count), free: make([]int32, count)}
	for i := range p.free {
		p.free[i] = int32(count - 1 - i)
	}
	return p
}

// count is how many pages hold n positions.
func (p *pages) count(n int) int { return (n + p.size - 1) / p.size }

// available is how many pages are free.
func (p *pages) available() int { return len(p.free) }

// take returns a free page with one holder; ok is false when there is none.
func (p *pages) take() (page int32, ok bool) {
	if len(p.free) == 0 {
		return 0, false
	}
	page = p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	p.holders[page] = 1
	return page, true
}

// share adds a holder to a page.
func (p *pages) share(page int32) { p.holders[page]++ }

// release lets go of pages, the last first: those of a sequence are then taken in the order in which it
// had them, and pages that follow each other are read in one stream.
func (p *pages) release(list []int32) {
	for _, page := range slices.Backward(list) {
		p.holders[page]--
		if p.holders[page] == 0 {
			p.free = append(p.free, page)
		}
	}
}
