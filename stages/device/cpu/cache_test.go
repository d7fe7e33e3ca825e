package cpu

import (
	"fmt"
	"math"
	"testing"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// story is a prompt of some tokens with completions of some lengths, its q, k and v row by row: first
// the prompt, then each completion.
type story struct {
	prompt      int
	completions []int
	q, k, v     device.Tensor
}

func (l lab) story(shape device.AttentionShape, prompt int, completions ...int) story {
	rows := prompt
	for _, n := range completions {
		rows += n
	}
	narrow := shape.KVHeads * shape.HeadDim
	return story{prompt: prompt, completions: completions,
		q: l.random(rows, shape.Heads*shape.HeadDim), k: l.random(rows, narrow), v: l.random(rows, narrow)}
}

// segments is the story as training packs it.
func (s story) segments() []device.Segment {
	segs, row := []device.Segment{{Len: s.prompt}}, s.prompt
	for _, n := range s.completions {
		segs = append(segs, device.Segment{Row: row, Len: n, PrefixLen: s.prompt})
		row += n
	}
	return segs
}

// TestPagedIsPacked generates a group in a cache full of NaN: the prompt in random chunks into shared
// pages, the page in which it ends copied for each completion, the completions token by token in random
// company. Every row has the bits that training computes for it.
func TestPagedIsPacked(t *testing.T) {
	for _, level := range kernel.Levels() {
		for i, pageSize := range []int{32, 64, 128} {
			for j, shape := range []device.AttentionShape{
				{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.17},
				{Heads: 7, KVHeads: 1, HeadDim: 64, Scale: 0.125},
				{Heads: 2, KVHeads: 2, HeadDim: 20, Scale: 0.3},
			} {
				for _, prompt := range []int{1, 31, 64, 100, 130} {
					t.Run(fmt.Sprintf("%v/page %d/%+v/prompt %d", level, pageSize, shape, prompt), func(t *testing.T) {
						l := newLab(t, openDevice(t, level.String(), 2), uint64(i*10+j))
						l.d.minWork = 500
						s := l.story(shape, prompt, 3, 40, 1, 70)
						out := l.empty(s.q.Rows, s.q.Cols)
						l.d.Attention(out, device.Tensor{}, s.q, s.k, s.v, shape, s.segments())
						l.same("rows generated through the cache", l.generate(s, shape, pageSize), l.read(out))
					})
				}
			}
		}
	}
}

func (l lab) generate(s story, shape device.AttentionShape, pageSize int) []float32 {
	const layer = 1
	c, err := l.d.NewCache(device.CacheConfig{Layers: 2, KVHeads: shape.KVHeads, HeadDim: shape.HeadDim, Pages: 40, PageSize: pageSize})
	if err != nil {
		l.Fatal(err)
	}
	for _, data := range [][]float32{c.(*cache).k, c.(*cache).v} {
		for i := range data {
			data[i] = float32(math.NaN())
		}
	}
	free := l.rng.Perm(40)
	page := func() int32 {
		p := free[0]
		free = free[1:]
		return int32(p)
	}
	out := l.empty(s.q.Rows, s.q.Cols)
	// step computes rows [row, row+n) of the story at positions from start on.
	type part struct{ row, n, start int }
	step := func(parts []part, pages [][]int32) {
		rows := 0
		for _, p := range parts {
			rows += p.n
		}
		q, y := l.empty(rows, s.q.Cols), l.empty(rows, s.q.Cols)
		var seqs []device.PagedSeq
		at := 0
		for i, p := range parts {
			slots := make([]int32, p.n)
			for j := range slots {
				pos := p.start + j
				slots[j] = pages[i][pos/pageSize]*int32(pageSize) + int32(pos%pageSize)
			}
			l.d.CacheWrite(c, layer, s.k.RowRange(p.row, p.row+p.n), s.v.RowRange(p.row, p.row+p.n), slots)
			l.d.Copy(q.RowRange(at, at+p.n), s.q.RowRange(p.row, p.row+p.n))
			seqs = append(seqs, device.PagedSeq{Row: at, Len: p.n, Start: p.start, Pages: pages[i]})
			at += p.n
		}
		l.d.PagedAttention(y, q, c, layer, shape, seqs)
		at = 0
		for _, p := range parts {
			l.d.Copy(out.RowRange(p.row, p.row+p.n), y.RowRange(at, at+p.n))
			at += p.n
		}
	}

	var prompt []int32
	for done := 0; done < s.prompt; {
		n := 1 + l.rng.IntN(s.prompt-done)
		for len(prompt)*pageSize < done+n {
			prompt = append(prompt, page())
		}
		step([]part{{row: done, n: n, start: done}}, [][]int32{prompt})
		done += n
	}
	pages := make([][]int32, len(s.completions))
	for i := range pages {
		pages[i] = append(pages[i], prompt...)
		if s.prompt%pageSize != 0 {
			last := page()
			l.d.CacheCopy(c, prompt[len(prompt)-1], last)
			pages[i][len(prompt)-1] = last
		}
	}
	done := make([]int, len(s.completions))
	for {
		var parts []part
		var theirs [][]int32
		row, left := s.prompt, false
		for i, n := range s.completions {
			if done[i] < n {
				left = true
				if l.rng.IntN(3) > 0 {
					pos := s.prompt + done[i]
					if pos/pageSize == len(pages[i]) {
						pages[i] = append(pages[i], page())
					}
					parts = append(parts, part{row: row + done[i], n: 1, start: pos})
					theirs = append(theirs, pages[i])
					done[i]++
				}
			}
			row += n
		}
		if !left {
			break
		}
		step(parts, theirs)
	}
	l.d.FreeCache(c)
	return l.read(out)
}
