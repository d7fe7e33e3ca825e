//go:build cuda

package cuda

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// What kernels/attention.h says.
const (
	keyChunk    = 256 // keys after which the sums of a query start anew, to be merged
	maxHeadSize = 128
	// splitRows is up to how many query rows of a sequence its chunks of keys are spread over the GPU. More rows are work
	// enough as they are.
	splitRows = 64
)

// heads is an attention shape with what follows from it. A query row is a query and a head of the group.
type heads struct {
	device.AttentionShape
	group int          // query heads a key-value head
	width int          // columns that the kernels handle: HeadDim rounded up
	dtype device.DType // of the products
	base2 float32      // Scale for exponents in base 2
}

func (d *Device) headsOf(op string, s device.AttentionShape) heads {
	if s.HeadDim <= 0 || s.HeadDim > maxHeadSize || s.KVHeads <= 0 || s.KVHeads > maxGrid || s.Heads <= 0 || s.Heads%s.KVHeads != 0 {
		panic(fmt.Sprintf("device: %s: %d query heads over %d key-value heads of %d (at most %d)", op, s.Heads, s.KVHeads, s.HeadDim, maxHeadSize))
	}
	return heads{
		AttentionShape: s, group: s.Heads / s.KVHeads, width: headWidth(s.HeadDim),
		dtype: d.attention, base2: float32(float64(s.Scale) * math.Log2E),
	}
}

// headWidth is the number of columns that the kernels handle for a head of dim.
func headWidth(dim int) int {
	for _, w := range []int{32, 64} {
		if dim <= w {
			return w
		}
	}
	return maxHeadSize
}

// kernel is the kernel of a name for the data type and the width.
func (h heads) kernel(name string) string { return fmt.Sprintf("%s_%v_%d", name, h.dtype, h.width) }

// rows is how many query rows a tile of the forward kernels has; a warp has a quarter of them, and a tile whose keys are split
// over blocks is a warp.
func (h heads) rows() int {
	if h.dtype == device.BF16 {
		return 64
	}
	return 32
}

// queryTile is consecutive query rows of a sequence; see Tile in kernels/attention.h.
type queryTile struct {
	row, first, rows, pos int
	prefix, pages         int
	chunk, partial        int
}

const (
	paged    = -1 // queryTile.prefix
	tileSize = 8  // words of 4 bytes
)

// keys is how many keys the rows see together.
func (t queryTile) keys(group int) int { return t.pos + (t.first+t.rows-1)/group + 1 }

// longestFirst sorts tiles, those with most keys first, so that no block starts late on a long one.
func longestFirst(tiles []queryTile, group int) []queryTile {
	slices.SortStableFunc(tiles, func(a, b queryTile) int { return cmp.Compare(b.keys(group), a.keys(group)) })
	return tiles
}

// tileWords are the tiles as kernels read them.
func tileWords(tiles []queryTile) []int32 {
	w := make([]int32, 0, tileSize*len(tiles))
	for _, t := range tiles {
		for _, n := range [...]int{t.row, t.first, t.rows, t.pos, t.prefix, t.pages, t.chunk, t.partial} {
			w = append(w, int32(n))
		}
	}
	return w
}

// appendTiles cuts n queries of a sequence, for which like is the pattern, into tiles of at most rows query rows.
func (h heads) appendTiles(tiles []queryTile, like queryTile, n, rows int) []queryTile {
	for n *= h.group; like.first < n; like.first += rows {
		like.rows = min(rows, n-like.first)
		tiles = append(tiles, like)
	}
	return tiles
}

// checkRows panics when there are more rows than kernels can count.
func (h heads) checkRows(op string, rows int) {
	if product(rows, h.Heads) > math.MaxInt32 {
		panic(fmt.Sprintf("device: %s: %d rows of %d heads are too many", op, rows, h.Heads))
	}
}

// checkSegments panics unless the segments lie within the rows.
func checkSegments(op string, segs []device.Segment, rows int) {
	for i, s := range segs {
		if s.Row < 0 || s.Len < 0 || s.Row+s.Len > rows || s.PrefixLen < 0 ||
			s.PrefixLen > 0 && (s.PrefixRow < 0 || s.PrefixRow+s.PrefixLen > rows) {
			panic(fmt.Sprintf("device: %s: segment %d is %+v in %d rows", op, i, s, rows))
		}
	}
}

// segmentTiles cuts segments into tiles of at most rows query rows.
func (h heads) segmentTiles(segs []device.Segment, rows int) []queryTile {
	var tiles []queryTile
	for _, s := range segs {
		tiles = h.appendTiles(tiles, queryTile{row: s.Row, pos: s.PrefixLen, prefix: s.PrefixRow}, s.Len, rows)
	}
	return tiles
}

// keyValues is where kernels find keys and values: key-value head 0 of row 0, and how many values lie from row to row.
type keyValues struct{ k, kStride, v, vStride uint64 }

// keyValues returns k and v as the kernels of h read them: in bfloat16 they are rounded into scratch memory first.
func (d *Device) keyValues(h heads, k, v matrix) keyValues {
	if h.dtype == device.F32 {
		return keyValues{k.addr, uint64(k.stride), v.addr, uint64(v.stride)}
	}
	row := h.KVHeads * h.width
	r := keyValues{d.scratch(2 * k.rows * row), uint64(row), d.scratch(2 * k.rows * row), uint64(row)}
	d.writeRows(h.dtype, r.k, r.v, k, v, 0, h.KVHeads, h.HeadDim, h.width)
	return r
}

// Attention implements [device.Forward].
func (d *Device) Attention(out, lse, q, k, v device.Tensor, shape device.AttentionShape, segs []device.Segment) {
	const op = "Attention"
	h := d.headsOf(op, shape)
	om, qm, km, vm := d.view(op, "out", out), d.view(op, "q", q), d.view(op, "k", k), d.view(op, "v", v)
	if qm.cols != h.Heads*h.HeadDim || om.cols != qm.cols || om.rows != qm.rows ||
		km.cols != h.KVHeads*h.HeadDim || vm.cols != km.cols || km.rows != qm.rows || vm.rows != qm.rows {
		device.Mismatch(op, "out", out, "q", q, "k", k, "v", v, "shape", fmt.Sprintf("%+v", shape))
	}
	var lm matrix
	if !lse.IsZero() {
		if lm = d.view(op, "lse", lse); lm.rows != qm.rows || lm.cols != h.Heads {
			device.Mismatch(op, "lse", lse, "q", q, "shape", fmt.Sprintf("%+v", shape))
		}
	}
	h.checkRows(op, qm.rows)
	checkSegments(op, segs, qm.rows)
	d.begin(op)
	tiles := h.segmentTiles(segs, h.rows())
	if len(tiles) == 0 {
		return
	}
	args := d.attendArgs(h, om, lm, qm, d.keyValues(h, km, vm), nil, device.KeyBlock)
	d.attend(h, "attention", tileWords(longestFirst(tiles, h.group)), 4, args)
}

// attendArgs are the arguments of the forward kernels after the tiles.
func (d *Device) attendArgs(h heads, out, lse, q matrix, kv keyValues, pages []int32, pageSize int) []uint64 {
	return []uint64{
		out.addr, uint64(out.stride), lse.addr, uint64(lse.stride), q.addr, uint64(q.stride), kv.k, kv.kStride, kv.v, kv.vStride,
		d.ints(pages), u32(pageSize), u32(h.group), u32(h.HeadDim), f32(h.base2),
	}
}

// attend launches a forward kernel over tiles (see tileWords), for each of which and each key-value head there is a block of warps.
func (d *Device) attend(h heads, kernel string, tiles []int32, warps int, args []uint64) {
	if len(tiles) == 0 {
		return
	}
	args = append([]uint64{d.ints(tiles)}, args...)
	d.launch(h.kernel(kernel), driver.Dim{X: len(tiles) / tileSize, Y: h.KVHeads}, driver.Dim{X: 32 * warps}, 0, args...)
}
