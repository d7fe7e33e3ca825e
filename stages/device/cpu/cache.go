package cpu

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// cache is a paged key-value cache: [layer][key-value head][page] of keys and of values, each as the
// blocks that attention multiplies with (see keyRun), so that the pages of a sequence, which often follow
// each other, are read in one stream. What a page held before is left in place: nothing behind a query's
// position is ever used.
type cache struct {
	owner        *Device
	cfg          device.CacheConfig
	k, v         []float32
	kHead, vHead int // values of one head of one page
}

// Config implements [device.Cache].
func (c *cache) Config() device.CacheConfig { return c.cfg }

// Bytes implements [device.Cache].
func (c *cache) Bytes() int64 { return 4 * int64(len(c.k)+len(c.v)) }

func (c *cache) release() {
	kernel.FreeFloats(c.k)
	kernel.FreeFloats(c.v)
	c.k, c.v, c.owner = nil, nil, nil
}

// NewCache implements [device.Decoding].
func (d *Device) NewCache(cfg device.CacheConfig) (device.Cache, error) {
	d.open("NewCache")
	if cfg.Layers <= 0 || cfg.KVHeads <= 0 || cfg.HeadDim <= 0 || cfg.Pages < 0 || cfg.PageSize <= 0 || cfg.PageSize%device.KeyBlock != 0 {
		return nil, fmt.Errorf("cpu: a cache of %+v (the page size must be a multiple of %d)", cfg, device.KeyBlock)
	}
	heads := product(cfg.Layers, cfg.Pages, cfg.KVHeads)
	perHead := product(cfg.PageSize, min(cfg.HeadDim, maxValues)+kernel.Panel)
	if product(heads, perHead) < 0 {
		return nil, fmt.Errorf("cpu: a cache of %+v is out of range", cfg)
	}
	c := &cache{owner: d, cfg: cfg, kHead: cfg.PageSize * cfg.HeadDim, vHead: cfg.PageSize * padded(cfg.HeadDim)}
	var err error
	if c.k, err = allocate(heads*c.kHead, "keys of a cache of %+v", cfg); err != nil {
		return nil, err
	}
	if c.v, err = allocate(heads*c.vHead, "values of a cache of %+v", cfg); err != nil {
		c.release()
		return nil, err
	}
	d.live[c] = struct{}{}
	return c, nil
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

// page returns the keys and values of one head of a page.
func (c *cache) page(layer, page, head int) (k, v []float32) {
	i := (layer*c.cfg.KVHeads+head)*c.cfg.Pages + page
	return c.k[i*c.kHead:][:c.kHead], c.v[i*c.vHead:][:c.vHead]
}

// appendRuns appends the key blocks of one head of pages, those of pages that follow each other in one run.
func (c *cache) appendRuns(runs []keyRun, layer, head int, pages []int32) []keyRun {
	for i := 0; i < len(pages); {
		n := 1
		for i+n < len(pages) && pages[i+n] == pages[i]+int32(n) {
			n++
		}
		first := (layer*c.cfg.KVHeads+head)*c.cfg.Pages + int(pages[i])
		runs = append(runs, keyRun{
			k: c.k[first*c.kHead:][:n*c.kHead], v: c.v[first*c.vHead:][:n*c.vHead],
			blocks: n * c.cfg.PageSize / device.KeyBlock,
		})
		i += n
	}
	return runs
}

// CacheWrite implements [device.Decoding].
func (d *Device) CacheWrite(dst device.Cache, layer int, k, v device.Tensor, slots []int32) {
	const op = "CacheWrite"
	c, km, vm := d.cacheOf(op, dst, layer), d.view(op, "k", k), d.view(op, "v", v)
	dim := c.cfg.HeadDim
	if km.cols != c.cfg.KVHeads*dim || vm.cols != km.cols || vm.rows != km.rows {
		device.Mismatch(op, "k", k, "v", v, "cache", fmt.Sprintf("%+v", c.cfg))
	}
	device.CheckIndices(op, "slots", slots, km.rows, c.cfg.Pages*c.cfg.PageSize)
	// Heads are split over threads, not rows: a slot may be written twice.
	d.split(c.cfg.KVHeads, 1, float64(km.rows*dim)*2, func(_ *worker, lo, hi int) {
		for r, slot := range slots {
			page, at := int(slot)/c.cfg.PageSize, int(slot)%c.cfg.PageSize
			kr, vr := km.row(r), vm.row(r)
			for h := lo; h < hi; h++ {
				kp, vp := c.page(layer, page, h)
				writeSlot(kp, vp, kr[h*dim:][:dim], vr[h*dim:][:dim], at)
			}
		}
	})
}

// writeSlot stores the key and the value of one head at position at of a page.
func writeSlot(kp, vp, key, value []float32, at int) {
	kBlock, vBlock := blockSizes(len(key))
	block, lane := at/device.KeyBlock, at%device.KeyBlock
	keys := kp[block*kBlock+lane:]
	for i, x := range key {
		keys[i*device.KeyBlock] = x
	}
	values := vp[block*vBlock+lane*kernel.Panel:]
	for i := 0; i < len(value); i += kernel.Panel {
		copy(values[i*device.KeyBlock:][:kernel.Panel], value[i:])
	}
}

// CacheCopy implements [device.Decoding].
func (d *Device) CacheCopy(dst device.Cache, from, to int32) {
	const op = "CacheCopy"
	c := d.cacheOf(op, dst, 0)
	device.CheckIndices(op, "pages", []int32{from, to}, 2, c.cfg.Pages)
	if from == to {
		return
	}
	n := c.cfg.KVHeads
	d.split(c.cfg.Layers, 1, float64(n*(c.kHead+c.vHead))*copyCost, func(_ *worker, lo, hi int) {
		for layer := lo; layer < hi; layer++ {
			for head := range n {
				fromK, fromV := c.page(layer, int(from), head)
				toK, toV := c.page(layer, int(to), head)
				copy(toK, fromK)
				copy(toV, fromV)
			}
		}
	})
}

// PagedAttention implements [device.Decoding].
func (d *Device) PagedAttention(out, q device.Tensor, src device.Cache, layer int, shape device.AttentionShape, seqs []device.PagedSeq) {
	const op = "PagedAttention"
	h := headsOf(op, shape)
	c, om, qm := d.cacheOf(op, src, layer), d.view(op, "out", out), d.view(op, "q", q)
	if qm.cols != h.Heads*h.dim || om.cols != qm.cols || om.rows != qm.rows {
		device.Mismatch(op, "out", out, "q", q, "shape", fmt.Sprintf("%+v", shape))
	}
	if c.cfg.KVHeads != h.KVHeads || c.cfg.HeadDim != h.dim {
		device.Mismatch(op, "shape", fmt.Sprintf("%+v", shape), "cache", fmt.Sprintf("%+v", c.cfg))
	}
	size, cost := c.cfg.PageSize, 0.0
	tiles := d.shared.tiles[:0]
	for i, s := range seqs {
		if s.Row < 0 || s.Len < 0 || s.Start < 0 || s.Row+s.Len > qm.rows || s.Len > 0 && len(s.Pages)*size < s.Start+s.Len {
			panic(fmt.Sprintf("device: %s: sequence %d is rows [%d, %d) of %d at position %d, with %d pages of %d", op, i, s.Row, s.Row+s.Len, qm.rows, s.Start, len(s.Pages), size))
		}
		device.CheckIndices(op, "pages", s.Pages, len(s.Pages), c.cfg.Pages)
		tiles = h.appendTiles(tiles, i, s.Len)
		cost += h.cost(s.Len, s.Start+s.Len)
	}
	d.shared.tiles = tiles
	if len(tiles) == 0 {
		return
	}
	d.split(len(tiles)*h.KVHeads, 1, cost/float64(len(tiles)), func(t *worker, lo, hi int) {
		for i := lo; i < hi; i++ {
			tile, kv := tiles[i/h.KVHeads], i%h.KVHeads
			s := seqs[tile.seq]
			t.runs = c.appendRuns(t.runs[:0], layer, kv, s.Pages[:(s.Start+tile.row+tile.rows+size-1)/size])
			row, col := s.Row+tile.row, kv*h.group*h.dim
			d.attend(t, h, queries{
				q: qm.from(row, col), qStride: qm.stride,
				out: om.from(row, col), oStride: om.stride,
				rows: tile.rows, pos: s.Start + tile.row,
			}, t.runs)
		}
	})
}

// tile is consecutive queries of a sequence.
type tile struct{ seq, row, rows int }

// appendTiles cuts n queries of a sequence into tiles.
func (h heads) appendTiles(tiles []tile, seq, n int) []tile {
	step := h.tileRows()
	for row := 0; row < n; row += step {
		tiles = append(tiles, tile{seq: seq, row: row, rows: min(step, n-row)})
	}
	return tiles
}

// cost estimates the nanoseconds that rows queries over keys take for one key-value head.
func (h heads) cost(rows, keys int) float64 {
	return float64(rows*h.group) * float64(keys+device.KeyBlock) * (float64(2*h.dim)/flopsPerNs + 2)
}
