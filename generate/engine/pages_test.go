package engine

import (
	"slices"
	"testing"
)

// Pages that follow each other are handed out in order, also those that a sequence has had before.
func TestPagesInOrder(t *testing.T) {
	p := newPages(8, 4)
	take := func(n int) (list []int32) {
		for range n {
			page, ok := p.take()
			if !ok {
				t.Fatalf("no page of %d left", p.available())
			}
			list = append(list, page)
		}
		return list
	}
	first, second := take(5), take(3)
	if want := []int32{0, 1, 2, 3, 4}; !slices.Equal(first, want) {
		t.Errorf("pages %v, want %v", first, want)
	}
	p.share(first[0])
	p.release(first)
	if got, want := take(4), []int32{1, 2, 3, 4}; !slices.Equal(got, want) {
		t.Errorf("pages %v of what the first has let go, want %v", got, want)
	}
	p.release(first[:1])
	p.release(second)
	if got, want := take(4), []int32{5, 6, 7, 0}; !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	if _, ok := p.take(); ok {
		t.Error("more pages than there are")
	}
}
