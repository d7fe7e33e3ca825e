package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"openrs/stages/device"
)

// TestGradParts: the parts of a segment follow each other and cover it, are nearly equal in work, and
// depend on nothing but the segment.
func TestGradParts(t *testing.T) {
	d := openDevice(t, "", 1)
	for _, shape := range []device.AttentionShape{{Heads: 4, KVHeads: 2, HeadDim: 32}, {Heads: 14, KVHeads: 2, HeadDim: 64}, {Heads: 200, KVHeads: 1, HeadDim: 8}} {
		h := headsOf("test", shape)
		partsOf := func(prefix, n int) []gradPart {
			plan := d.planGrad(h, []span{{Segment: device.Segment{Row: prefix, Len: n, PrefixLen: prefix}, root: -1}})
			return slices.Clone(plan.parts)
		}
		for _, c := range []struct{ prefix, n, want int }{
			{0, 0, 0}, {0, 1, 1}, {0, 700, 1}, {0, 1023, 3}, {0, 1024, 4}, {0, 2048, maxParts}, {0, 20000, maxParts}, {4000, 1000, maxParts}, {100000, 1, 1}, {100, 512, 1},
		} {
			parts := partsOf(c.prefix, c.n)
			what := fmt.Sprintf("%d rows after %d, %d heads", c.n, c.prefix, shape.Heads)
			if len(parts) > c.want || len(parts) < c.want*3/4 {
				t.Errorf("%s: %d parts, want %d", what, len(parts), c.want)
			}
			at, pairs := 0, func(n int) float64 { return float64(n) * (float64(c.prefix) + float64(n+1)/2) }
			for i, p := range parts {
				if p.from != at || p.to <= p.from {
					t.Fatalf("%s: part %d is [%d, %d) after %d", what, i, p.from, p.to, at)
				}
				at = p.to
				// One tile more than its share at most.
				most := pairs(c.n)/float64(len(parts)) + pairs(p.to) - pairs(max(p.from, p.to-h.gradRows()))
				if work := pairs(p.to) - pairs(p.from); len(parts) > 1 && work > 1.2*most {
					t.Errorf("%s: part %d of %d has %.0f pairs, expected at most %.0f", what, i, len(parts), work, most)
				}
			}
			if at != c.n {
				t.Errorf("%s: the parts end at %d", what, at)
			}
		}
	}
}

// TestGradPartsBits: a sequence that is cut into parts has the gradients, bit for bit, that it has beside
// other sequences and on other numbers of threads.
func TestGradPartsBits(t *testing.T) {
	const n, before, after = 230, 37, 61
	shape := device.AttentionShape{Heads: 4, KVHeads: 2, HeadDim: 24, Scale: 0.2}
	run := func(threads int, alone bool) [][]float32 {
		d := openDevice(t, "", threads)
		d.minWork, d.partWork = 1, 1000
		l := newLab(t, d, 3)
		l.rng = rand.New(rand.NewPCG(3, 3))
		rows := before + n + after
		q, k, v, dout := l.random(rows, 96), l.random(rows, 48), l.random(rows, 48), l.random(rows, 96)
		out, lse := l.empty(rows, 96), l.empty(rows, 4)
		dq, dk, dv := l.empty(rows, 96), l.empty(rows, 48), l.empty(rows, 48)
		segs := []device.Segment{{Len: before}, {Row: before, Len: n}, {Row: before + n, Len: after}}
		if alone {
			segs = segs[1:2]
		}
		d.Attention(out, lse, q, k, v, shape, segs)
		d.AttentionBackward(dq, dk, dv, dout, out, lse, q, k, v, shape, segs)
		if parts := len(d.shared.plan.parts); parts < 4 {
			t.Fatalf("%d parts", parts)
		}
		var got [][]float32
		for _, x := range []device.Tensor{dq, dk, dv} {
			got = append(got, l.read(x.RowRange(before, before+n)))
		}
		return got
	}
	want := run(1, true)
	for _, threads := range []int{1, 2, 5} {
		l := newLab(t, openDevice(t, "", 1), 0)
		for i, got := range run(threads, false) {
			l.same(fmt.Sprintf("%s on %d threads", []string{"dq", "dk", "dv"}[i], threads), got, want[i])
		}
	}
}
