//go:build cuda

package cuda

import (
	"fmt"
	"math"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// cache is a paged key-value cache: for keys and for values [layer][slot][key-value head][width] in the data type of
// attention, width being HeadDim for float32 and that of the kernels for bfloat16. What a page held before is left in
// place: nothing behind a query's position is ever used.
type cache struct {
	owner *Device
	cfg   device.CacheConfig
	dtype device.DType
	width int
	k, v  uint64
	layer int64 // bytes of the keys of a layer; values take as many

	written []uint32 // by slot: the last CacheWrite that wrote it
	writes  uint32   // CacheWrites so far
}

// Config implements [device.Cache].
func (c *cache) Config() device.CacheConfig { return c.cfg }

// Bytes implements [device.Cache].
func (c *cache) Bytes() int64 { return 2 * int64(c.cfg.Layers) * c.layer }

func (c *cache) release() {
	c.owner.free(c.k, c.Bytes()/2)
	c.owner.free(c.v, c.Bytes()/2)
	*c = cache{cfg: c.cfg}
}

// keyValues is where the kernels find a layer.
func (c *cache) keyValues(layer int) keyValues {
	at, row := uint64(layer)*uint64(c.layer), uint64(c.cfg.KVHeads*c.width)
	return keyValues{c.k + at, row, c.v + at, row}
}

// NewCache implements [device.Decoding].
func (d *Device) NewCache(cfg device.CacheConfig) (device.Cache, error) {
	d.open("NewCache")
	if cfg.Layers <= 0 || cfg.KVHeads <= 0 || cfg.HeadDim <= 0 || cfg.Pages < 0 || cfg.PageSize <= 0 || cfg.PageSize%device.KeyBlock != 0 {
		return nil, fmt.Errorf("cuda:%d: a cache of %+v (the page size must be a multiple of %d)", d.info.Ordinal, cfg, device.KeyBlock)
	}
	if cfg.HeadDim > maxHeadSize || cfg.KVHeads > maxGrid || cfg.Layers > maxGrid {
		return nil, fmt.Errorf("cuda:%d: a cache of %+v (heads of at most %d; at most %d heads and layers)", d.info.Ordinal, cfg, maxHeadSize, maxGrid)
	}
	c := &cache{owner: d, cfg: cfg, dtype: d.attention, width: cfg.HeadDim}
	if c.dtype == device.BF16 {
		c.width = headWidth(cfg.HeadDim)
	}
	slots := product(cfg.Pages, cfg.PageSize)
	c.layer = product(cfg.Pages, cfg.PageSize, cfg.KVHeads, c.width, c.dtype.Bytes())
	if slots < 0 || slots > math.MaxInt32 || c.layer < 0 || product(cfg.Layers, int(c.layer)) < 0 {
		return nil, fmt.Errorf("cuda:%d: a cache of %+v is out of range", d.info.Ordinal, cfg)
	}
	var err error
	if c.k, err = d.allocate(c.Bytes()/2, "keys of a cache of %+v", cfg); err != nil {
		return nil, err
	}
	if c.v, err = d.allocate(c.Bytes()/2, "values of a cache of %+v", cfg); err != nil {
		c.release()
		return nil, err
	}
	c.written = make([]uint32, slots)
	d.live[c] = struct{}{}
	return c, nil
}

// CacheBytes implements [device.CacheSizer].
func (d *Device) CacheBytes(cfg device.CacheConfig) int64 {
	width := cfg.HeadDim
	if d.attention == device.BF16 {
		width = headWidth(cfg.HeadDim)
	}
	return 2 * int64(d.attention.Bytes()) * int64(cfg.Layers) * int64(cfg.KVHeads) * int64(width) * int64(cfg.Pages) * int64(cfg.PageSize)
}

// FreeCache implements [device.Decoding].
func (d *Device) FreeCache(c device.Cache) {
	p, _ := c.(*cache)
	forget(d, "FreeCache", p)
}

// cacheOf checks that c is a living cache of this device and has the layer.
func (d *Device) cacheOf(op string, c device.Cache, layer int) *cache {
	d.open(op)
	p, ok := c.(*cache)
	if !ok || p.owner != d {
		panic(fmt.Sprintf("device: %s: %T is not a living cache of this device", op, c))
	}
	if layer < 0 || layer >= p.cfg.Layers {
		panic(fmt.Sprintf("device: %s: layer %d of %d", op, layer, p.cfg.Layers))
	}
	return p
}

// CacheWrite implements [device.Decoding].
func (d *Device) CacheWrite(dst device.Cache, layer int, k, v device.Tensor, slots []int32) {
	const op = "CacheWrite"
	c, km, vm := d.cacheOf(op, dst, layer), d.view(op, "k", k), d.view(op, "v", v)
	if km.cols != c.cfg.KVHeads*c.cfg.HeadDim || vm.cols != km.cols || vm.rows != km.rows {
		device.Mismatch(op, "k", k, "v", v, "cache", fmt.Sprintf("%+v", c.cfg))
	}
	device.CheckIndices(op, "slots", slots, km.rows, c.cfg.Pages*c.cfg.PageSize)
	d.begin(op)
	if len(slots) == 0 {
		return
	}
	kv := c.keyValues(layer)
	d.writeRows(c.dtype, kv.k, kv.v, km, vm, d.ints(c.lastWrites(slots)), c.cfg.KVHeads, c.cfg.HeadDim, c.width)
}

// lastWrites returns slots with −1 for those that occur again later: rows are written in no particular order.
func (c *cache) lastWrites(slots []int32) []int32 {
	if c.writes++; c.writes == 0 {
		clear(c.written)
		c.writes = 1
	}
	last := slots
	for i := len(slots) - 1; i >= 0; i-- {
		if c.written[slots[i]] != c.writes {
			c.written[slots[i]] = c.writes
			continue
		}
		if &last[0] == &slots[0] {
			last = append([]int32(nil), slots...)
		}
		last[i] = -1
	}
	return last
}

// writeRows stores rows of k and v (heads × dim values) at kTo and vTo in rows of heads × width: row i at slot i of the list at
// address slots, or, without one, at i.
func (d *Device) writeRows(dtype device.DType, kTo, vTo uint64, k, v matrix, slots uint64, heads, dim, width int) {
	d.launch(fmt.Sprintf("cache_write_%v", dtype), driver.Dim{X: k.rows, Y: 2}, driver.Dim{X: 256}, 0,
		kTo, vTo, k.addr, uint64(k.stride), v.addr, uint64(v.stride), slots, u32(heads), u32(dim), u32(width))
}

// CacheCopy implements [device.Decoding].
func (d *Device) CacheCopy(dst device.Cache, from, to int32) {
	const op = "CacheCopy"
	c := d.cacheOf(op, dst, 0)
	device.CheckIndices(op, "pages", []int32{from, to}, 2, c.cfg.Pages)
	d.begin(op)
	if from == to {
		return
	}
	const vector = 16 // bytes; a page has at least KeyBlock values
	page := c.layer / int64(c.cfg.Pages) / vector
	blocks := int(min((page+255)/256, 1<<10))
	d.launch("cache_copy", driver.Dim{X: blocks, Y: 2, Z: c.cfg.Layers}, driver.Dim{X: 256}, 0,
		c.k, c.v, uint64(c.layer/vector), uint64(page), u32(int(from)), u32(int(to)))
}

// PagedAttention implements [device.Decoding].
func (d *Device) PagedAttention(out, q device.Tensor, src device.Cache, layer int, shape device.AttentionShape, seqs []device.PagedSeq) {
	const op = "PagedAttention"
	h := d.headsOf(op, shape)
	c, om, qm := d.cacheOf(op, src, layer), d.view(op, "out", out), d.view(op, "q", q)
	if qm.cols != h.Heads*h.HeadDim || om.cols != qm.cols || om.rows != qm.rows {
		device.Mismatch(op, "out", out, "q", q, "shape", fmt.Sprintf("%+v", shape))
	}
	if c.cfg.KVHeads != h.KVHeads || c.cfg.HeadDim != h.HeadDim {
		device.Mismatch(op, "shape", fmt.Sprintf("%+v", shape), "cache", fmt.Sprintf("%+v", c.cfg))
	}
	h.dtype = c.dtype
	h.checkRows(op, qm.rows)
	size := c.cfg.PageSize
	plan := d.planOf(op, h, paging{h.dtype, h.group, qm.rows, c.cfg.Pages, size}, seqs)
	d.begin(op)
	if len(plan.whole)+len(plan.split) == 0 {
		return
	}
	args := d.attendArgs(h, om, matrix{}, qm, c.keyValues(layer), plan.pages, size)
	d.attend(h, "attention", plan.whole, 4, args)
	partials := d.scratch(4 * plan.partials * h.KVHeads * h.rows() / 4 * (h.width + 2))
	d.attend(h, "attention_split", plan.split, 1, append(args, partials))
	if len(plan.merges) > 0 {
		d.launch(fmt.Sprintf("attention_merge_%d", h.width), driver.Dim{X: len(plan.merges) / mergeSize, Y: h.KVHeads}, driver.Dim{X: 256}, 0,
			om.addr, uint64(om.stride), partials, d.ints(plan.merges), u32(h.group), u32(h.HeadDim), u32(h.rows()/4))
	}
}
