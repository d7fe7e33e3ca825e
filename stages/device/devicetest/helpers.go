package devicetest

import (
	"maps"
	"math"
	"slices"

	"openrs/stages/device"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ropeTable returns positions × headDim cosines and sines, as RoPE takes them.
func ropeTable(positions, headDim int, theta float64) []float32 {
	t := make([]float32, positions*headDim)
	half := headDim / 2
	for p := range positions {
		for i := range half {
			sin, cos := math.Sincos(float64(p) * math.Pow(theta, -2*float64(i)/float64(headDim)))
			t[p*headDim+i], t[p*headDim+half+i] = float32(cos), float32(sin)
		}
	}
	return t
}

// A batch of attention: segments, the row where each starts, and how many rows there are.
type attentionCase struct {
	name string
	rows int
	segs []device.Segment
}

// sequences lays sequences of the given lengths one after another.
func sequences(name string, lengths ...int) attentionCase {
	c := attentionCase{name: name}
	for _, n := range lengths {
		c.segs = append(c.segs, device.Segment{Row: c.rows, Len: n})
		c.rows += n
	}
	return c
}

// group appends a prompt and its completions.
func (c attentionCase) group(prompt int, completions ...int) attentionCase {
	at := c.rows
	c.segs = append(slices.Clone(c.segs), device.Segment{Row: at, Len: prompt})
	c.rows += prompt
	for _, n := range completions {
		c.segs = append(c.segs, device.Segment{Row: c.rows, Len: n, PrefixRow: at, PrefixLen: prompt})
		c.rows += n
	}
	return c
}

// The shapes of attention that the tests go through: lengths around the key block, head counts with
// and without grouping, head sizes that are no multiple of a vector.
var (
	attentionCases = []attentionCase{
		sequences("none"),
		sequences("empty", 0),
		sequences("one", 1),
		sequences("short", 5, 1, 2),
		sequences("blocks", 32, 33, 31, 64, 65),
		sequences("long", 150),
		sequences("group").group(7, 3, 0, 1, 40),
		sequences("prompt of blocks").group(64, 1, 33),
		sequences("groups", 9).group(33, 32, 5).group(1, 1, 1).group(70, 20),
	}
	allHeadShapes = []device.AttentionShape{
		{Heads: 1, KVHeads: 1, HeadDim: 2, Scale: 0.7},
		{Heads: 4, KVHeads: 2, HeadDim: 16, Scale: 0.25},
		{Heads: 5, KVHeads: 5, HeadDim: 12, Scale: 0.3},
		{Heads: 6, KVHeads: 1, HeadDim: 64, Scale: 0.125},
		{Heads: 3, KVHeads: 1, HeadDim: 128, Scale: 0.0884},
	}
)

func headShapes() []device.AttentionShape {
	if underRace {
		return allHeadShapes[1:3]
	}
	return allHeadShapes
}
