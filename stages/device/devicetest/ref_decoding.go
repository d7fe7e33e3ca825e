package devicetest

import (
	"cmp"
	"fmt"
	"slices"

	"openrs/stages/device"
)

// cache holds keys and values as [layer][slot][KVHeads·HeadDim].
type cache struct {
	cfg  device.CacheConfig
	k, v []float32
}

func (c *cache) Config() device.CacheConfig { return c.cfg }
func (c *cache) Bytes() int64               { return int64(len(c.k)+len(c.v)) * 4 }
func (c *cache) width() int                 { return c.cfg.KVHeads * c.cfg.HeadDim }
func (c *cache) slots() int                 { return c.cfg.Pages * c.cfg.PageSize }

// at returns slot's row of data, which is k or v.
func (c *cache) at(data []float32, layer, slot int) []float32 {
	w := c.width()
	i := (layer*c.slots() + slot) * w
	return data[i : i+w]
}

// NewCache implements [device.Decoding].
func (d *Reference) NewCache(cfg device.CacheConfig) (device.Cache, error) {
	if cfg.Layers <= 0 || cfg.KVHeads <= 0 || cfg.HeadDim <= 0 || cfg.Pages < 0 || cfg.PageSize <= 0 || cfg.PageSize%device.KeyBlock != 0 {
		return nil, fmt.Errorf("reference: a cache of %+v (the page size must be a multiple of %d)", cfg, device.KeyBlock)
	}
	c := &cache{cfg: cfg}
	n := cfg.Layers * c.slots() * c.width()
	c.k, c.v = make([]float32, n), make([]float32, n)
	d.live[c] = true
	return c, nil
}

// FreeCache implements [device.Decoding].
func (d *Reference) FreeCache(c device.Cache) { d.forget("FreeCache", c) }

func cacheOf(op string, c device.Cache, layer int) *cache {
	p, ok := c.(*cache)
	check(ok, op, "%T is not a cache of this device", c)
	check(layer >= 0 && layer < p.cfg.Layers, op, "layer %d of %d", layer, p.cfg.Layers)
	return p
}

// CacheWrite implements [device.Decoding].
func (d *Reference) CacheWrite(dst device.Cache, layer int, k, v device.Tensor, slots []int32) {
	const op = "CacheWrite"
	c, km, vm := cacheOf(op, dst, layer), open(op, "k", k), open(op, "v", v)
	km.want(km.rows, c.width())
	vm.want(km.rows, c.width())
	checkIndices(op, "slots", slots, km.rows, c.slots())
	for r, slot := range slots {
		copy(c.at(c.k, layer, int(slot)), km.row(r))
		copy(c.at(c.v, layer, int(slot)), vm.row(r))
	}
}

// CacheCopy implements [device.Decoding].
func (d *Reference) CacheCopy(dst device.Cache, from, to int32) {
	const op = "CacheCopy"
	c := cacheOf(op, dst, 0)
	checkIndices(op, "pages", []int32{from, to}, 2, c.cfg.Pages)
	size := c.cfg.PageSize
	for layer := range c.cfg.Layers {
		for i := range size {
			copy(c.at(c.k, layer, int(to)*size+i), c.at(c.k, layer, int(from)*size+i))
			copy(c.at(c.v, layer, int(to)*size+i), c.at(c.v, layer, int(from)*size+i))
		}
	}
}

// PagedAttention implements [device.Decoding].
func (d *Reference) PagedAttention(out, q device.Tensor, src device.Cache, layer int, shape device.AttentionShape, seqs []device.PagedSeq) {
	const op = "PagedAttention"
	checkHeads(op, shape)
	c, om, qm := cacheOf(op, src, layer), open(op, "out", out), open(op, "q", q)
	qm.want(qm.rows, shape.Heads*shape.HeadDim)
	om.want(qm.rows, qm.cols)
	check(shape.KVHeads == c.cfg.KVHeads && shape.HeadDim == c.cfg.HeadDim, op, "heads %+v over a cache of %+v", shape, c.cfg)
	size := c.cfg.PageSize
	for i, s := range seqs {
		check(s.Row >= 0 && s.Len >= 0 && s.Start >= 0 && s.Row+s.Len <= qm.rows, op, "sequence %d is rows [%d, %d) of %d from position %d", i, s.Row, s.Row+s.Len, qm.rows, s.Start)
		check(s.Len == 0 || len(s.Pages)*size >= s.Start+s.Len, op, "sequence %d has %d pages of %d for %d positions", i, len(s.Pages), size, s.Start+s.Len)
		checkIndices(op, "pages", s.Pages, len(s.Pages), c.cfg.Pages)
		slot := func(j int) int { return int(s.Pages[j/size])*size + j%size }
		for j := range s.Len {
			for h := range shape.Heads {
				kv, r := h*shape.KVHeads/shape.Heads, s.Row+j
				attend(headOf(om.row(r), h, shape.HeadDim), headOf(qm.row(r), h, shape.HeadDim), s.Start+j+1, shape.Scale,
					func(j int) []float32 { return headOf(c.at(c.k, layer, slot(j)), kv, shape.HeadDim) },
					func(j int) []float32 { return headOf(c.at(c.v, layer, slot(j)), kv, shape.HeadDim) })
			}
		}
	}
}

// Sample implements [device.Decoding].
func (d *Reference) Sample(logits device.Tensor, params []device.Sampling, ids []int32, logp []float32) error {
	const op = "Sample"
	m := open(op, "logits", logits)
	check(len(params) == m.rows && len(ids) == m.rows && len(logp) == m.rows, op, "%d rows, %d parameters, %d ids, %d log-probabilities", m.rows, len(params), len(ids), len(logp))
	for r, p := range params {
		s := softmax(m.row(r), p.Temperature)
		id := draw(s, p)
		ids[r], logp[r] = int32(id), s.logProb(id)
	}
	return nil
}

// draw returns the token that p chooses from s.
func draw(s distribution, p device.Sampling) int {
	order := byProbability(s)
	if p.Temperature == 0 {
		return order[0]
	}
	kept := order[:keep(s, order, p)]
	var total float64
	for _, id := range kept {
		total += s.prob(id)
	}
	slices.Sort(kept)
	var sum float64
	for _, id := range kept {
		if sum += s.prob(id); sum > p.U*total {
			return id
		}
	}
	return kept[len(kept)-1]
}

// byProbability returns the token ids from the most to the least probable, lower ids first among equals.
func byProbability(s distribution) []int {
	order := make([]int, len(s.z))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.z[b], s.z[a]) })
	return order
}

// keep returns how many of the most probable tokens survive top-k, top-p and min-p.
func keep(s distribution, order []int, p device.Sampling) int {
	n := len(order)
	if p.TopK > 0 {
		n = min(n, p.TopK)
	}
	if p.TopP > 0 && p.TopP < 1 {
		var left, sum float64
		for _, id := range order[:n] {
			left += s.prob(id)
		}
		for i, id := range order[:n] {
			if sum += s.prob(id); sum >= float64(p.TopP)*left {
				n = i + 1
				break
			}
		}
	}
	for n > 1 && s.prob(order[n-1]) < float64(p.MinP)*s.prob(order[0]) {
		n--
	}
	return n
}
