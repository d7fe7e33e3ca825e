package cpu

import (
	"strings"
	"testing"
	"unsafe"
)

// Blocks are zeroed, aligned, apart from each other, and share regions; the last block of a region takes
// it along.
func TestArena(t *testing.T) {
	var a arena
	sizes := []int{1, 15, 16, 17, 1000, hugePage - 16, hugePage, hugePage + 1, 3*hugePage + 5, 7, 0, 2 * hugePage, 100}
	var blocks []block
	regions := map[*region]int{}
	for i, n := range sizes {
		b, err := a.take(n, "block")
		if err != nil {
			t.Fatal(err)
		}
		if len(b.data) != n || cap(b.data) != n {
			t.Fatalf("block of %d values, want %d", len(b.data), n)
		}
		if n > 0 && uintptr(unsafe.Pointer(&b.data[0]))%64 != 0 {
			t.Errorf("block %d of %d values is not on a cache line", i, n)
		}
		for j := range b.data {
			if b.data[j] != 0 {
				t.Fatalf("block %d: value %d is %g", i, j, b.data[j])
			}
			b.data[j] = float32(i + 1)
		}
		blocks = append(blocks, b)
		regions[b.home]++
	}
	for i, b := range blocks {
		for j, v := range b.data {
			if v != float32(i+1) {
				t.Fatalf("block %d: value %d is %g: two blocks overlap", i, j, v)
			}
		}
	}
	total := 0
	for r, n := range regions {
		if total += len(r.data); r.blocks != n || len(r.data)%hugePage != 0 {
			t.Errorf("a region of %d values counts %d blocks, has %d", len(r.data), r.blocks, n)
		}
	}
	if len(regions) >= len(sizes)/2 || total != a.total {
		t.Errorf("%d blocks in %d regions of %d values together, counted as %d", len(sizes), len(regions), total, a.total)
	}
	for i, b := range blocks {
		regions[b.home]--
		b.release()
		if gone := b.home.data == nil; gone != (regions[b.home] == 0) {
			t.Fatalf("after block %d: region released: %v, blocks left: %d", i, gone, regions[b.home])
		}
	}
	if a.total != 0 || a.last != nil {
		t.Errorf("%d values left, last region %v", a.total, a.last)
	}
	block{}.release()
}

func TestArenaRefuses(t *testing.T) {
	var a arena
	for _, n := range []int{-1, maxValues + 1} {
		if _, err := a.take(n, "weight of %d×%d", 3, 4); err == nil || !strings.Contains(err.Error(), "weight of 3×4") {
			t.Errorf("%d values: %v", n, err)
		}
	}
	if a.total != 0 {
		t.Errorf("%d values after failures", a.total)
	}
}
