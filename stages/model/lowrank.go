package model

import (
	"errors"
	"fmt"
	"hash/fnv"

	"openrs/stages/device"
)

// matrix is a weight of a block and the adapters that add to its product; nil: none.
type matrix struct {
	weight  device.Weight
	adapter *lowRank
}

// lowRank are the adapters of a matrix on the device.
type lowRank struct {
	lowRankSpan
	a    device.Weight // all A together
	ga   device.Tensor // Train: their gradients
	ups  []up
	salt uint64 // tells their dropout mask from the others'
}

// up is the second half of an adapter.
type up struct {
	lowRankPart
	b  device.Weight // multiplied by the scale before it is packed
	gb device.Tensor // Train: the gradient of B
}

// of returns the part of u, which is x·Aᵀ for all A, that is the i-th adapter's.
func (r *lowRank) of(u device.Tensor, i int) device.Tensor {
	rank := r.parts[i].paramA.Shape[0]
	return u.ColRange(i*rank, (i+1)*rank)
}

// dropping is how a Forward drops elements before A.
type dropping struct {
	rate    float32
	seed    uint64
	numbers []int32 // of the rows
}

// rows is the part of it for rows [from, to).
func (d *dropping) rows(from, to int) *dropping {
	if d == nil {
		return nil
	}
	part := *d
	part.numbers = d.numbers[from:to]
	return &part
}

// Adapt gives a model that was made without Train adapters in place of those it has. They change nothing
// until [Model.LoadAdapter].
func (m *Model) Adapt(l LoRA) error {
	if m.opt.Train {
		return fmt.Errorf("adapt: %w: expected a model that was made without Train", ErrLoRA)
	}
	l, err := l.Validate()
	if err != nil {
		return err
	}
	m.freeAdapters()
	m.opt.LoRA, m.adapter = &l, newAdapterLayout(m.layout, l)
	if err := m.allocateAdapters(); err != nil {
		m.freeAdapters()
		return fmt.Errorf("adapters of rank %d: %w", l.Rank, err)
	}
	return nil
}

// allocateAdapters makes the adapters' weights, all zero.
func (m *Model) allocateAdapters() error {
	var err error
	weight := func(p Param) device.Weight {
		if err != nil {
			return nil
		}
		var w device.Weight
		if w, err = m.dev.NewWeight(p.Shape[0], p.Shape[1], m.opt.DType, m.opt.Train); err != nil {
			return nil
		}
		return w
	}
	for i, s := range m.adapter.layers {
		of := func(s lowRankSpan) *lowRank {
			if s.absent() {
				return nil
			}
			r := &lowRank{lowRankSpan: s, a: weight(s.joined), salt: salt(s.joined.Name)}
			if m.opt.Train {
				r.ga = place(m.gradBuf, s.joined)
			}
			for _, part := range s.parts {
				u := up{lowRankPart: part, b: weight(part.paramB)}
				if m.opt.Train {
					u.gb = place(m.gradBuf, part.paramB)
				}
				r.ups = append(r.ups, u)
			}
			return r
		}
		w := &m.layers[i]
		w.qkv.adapter, w.o.adapter, w.gateUp.adapter, w.down.adapter = of(s.qkv), of(s.o), of(s.gateUp), of(s.down)
	}
	m.work.take("scaled", m.adapter.widest, m.opt.LoRA.Rank)
	return errors.Join(err, m.work.failed())
}

// place is where a matrix lies in a flat buffer.
func place(flat device.Buffer, p Param) device.Tensor {
	return device.View(flat, p.Offset, p.Shape[0], p.Shape[1])
}

// salt is a number of a parameter's name.
func salt(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func (m *Model) freeAdapters() {
	free := func(w device.Weight) {
		if w != nil {
			m.dev.FreeWeight(w)
		}
	}
	m.eachAdapter(func(r *lowRank) {
		free(r.a)
		for _, u := range r.ups {
			free(u.b)
		}
	})
	for i := range m.layers {
		w := &m.layers[i]
		w.qkv.adapter, w.o.adapter, w.gateUp.adapter, w.down.adapter = nil, nil, nil, nil
	}
	m.adapter, m.opt.LoRA = nil, nil
}

func (m *Model) eachAdapter(f func(*lowRank)) {
	for _, w := range m.layers {
		for _, x := range []matrix{w.qkv, w.o, w.gateUp, w.down} {
			if x.adapter != nil {
				f(x.adapter)
			}
		}
	}
}

// product computes y = x·Wᵀ + bias and adds what the adapters say.
func (m *Model) product(y, x device.Tensor, w *matrix, bias device.Tensor, drop *dropping) {
	m.dev.MatMul(y, x, w.weight, bias)
	m.adapt(y, x, w, drop)
}

// productAdd adds x·Wᵀ, and what the adapters say, to y.
func (m *Model) productAdd(y, x device.Tensor, w *matrix, drop *dropping) {
	m.dev.MatMulAdd(y, x, w.weight)
	m.adapt(y, x, w, drop)
}

func (m *Model) adapt(y, x device.Tensor, w *matrix, drop *dropping) {
	r := w.adapter
	if r == nil || m.bare {
		return
	}
	u := m.reduced(x, r, drop)
	for i, up := range r.ups {
		m.dev.MatMulAdd(y.ColRange(up.from, up.to), r.of(u, i), up.b)
	}
}

// reduced is x·Aᵀ for all A, of x without what is dropped; scratch.
func (m *Model) reduced(x device.Tensor, r *lowRank, drop *dropping) device.Tensor {
	u := m.work.take("lora", x.Rows, r.a.Out())
	m.dev.MatMul(u, m.dropped(x, r, drop), r.a, device.Tensor{})
	return u
}

// dropped is x, or scratch with what dropout leaves of it.
func (m *Model) dropped(x device.Tensor, r *lowRank, drop *dropping) device.Tensor {
	if drop == nil {
		return x
	}
	left := m.work.take("dropped", x.Rows, x.Cols)
	m.dev.Dropout(left, x, drop.rate, drop.seed^r.salt, drop.numbers, false)
	return left
}

// productBackward takes dy, the gradient of a product, back: it adds to the gradients of what is trained and
// sets dx, unless that is none. grad is the place of W's gradient.
func (m *Model) productBackward(dx, dy, x device.Tensor, w *matrix, grad device.Tensor, drop *dropping) {
	if !grad.IsZero() {
		m.dev.WeightGrad(grad, dy, x, m.opt.DType)
	}
	if !dx.IsZero() {
		m.dev.MatMulBackward(dx, dy, w.weight, false)
	}
	r := w.adapter
	if r == nil {
		return
	}
	in := m.dropped(x, r, drop)
	u := m.work.take("lora", x.Rows, r.a.Out())
	m.dev.MatMul(u, in, r.a, device.Tensor{})
	m.dev.Scale(u, m.opt.LoRA.Scale())
	for i, up := range r.ups {
		dy, u := dy.ColRange(up.from, up.to), r.of(u, i)
		m.dev.WeightGrad(up.gb, dy, u, m.opt.DType)
		m.dev.MatMulBackward(u, dy, up.b, false) // u is its gradient from here on
	}
	m.dev.WeightGrad(r.ga, u, in, m.opt.DType)
	switch {
	case dx.IsZero():
	case drop == nil:
		m.dev.MatMulBackward(dx, u, r.a, true)
	default:
		m.dev.MatMulBackward(in, u, r.a, false)
		m.dev.Dropout(dx, in, drop.rate, drop.seed^r.salt, drop.numbers, true)
	}
}

// reserveAdapters takes the scratch that adapters need.
func (m *Model) reserveAdapters(rows int, drops bool) {
	if m.adapter == nil {
		return
	}
	m.work.take("lora", rows, m.adapter.most*m.opt.LoRA.Rank)
	if drops {
		m.work.take("dropped", rows, max(m.cfg.Hidden, m.cfg.Heads*m.cfg.HeadDim))
		m.work.take("dropped", min(rows, m.chunk), m.cfg.FFN)
	}
}

// packAdapters rounds the masters of the adapters to the packed matrices that run.
func (m *Model) packAdapters() {
	m.eachAdapter(func(r *lowRank) {
		m.dev.Pack(r.a, place(m.params, r.joined))
		for _, u := range r.ups {
			m.packScaled(u.b, place(m.params, u.paramB))
		}
	})
}

// packScaled packs a matrix B times the scale. b stays as it is.
func (m *Model) packScaled(w device.Weight, b device.Tensor) {
	scaled := m.work.take("scaled", b.Rows, b.Cols) // there since the adapters are
	m.dev.Copy(scaled, b)
	m.dev.Scale(scaled, m.opt.LoRA.Scale())
	m.dev.Pack(w, scaled)
}

// LoadAdapter replaces the adapters' matrices by those of src, which has PEFT's names, and checks them as
// [Model.Load] does.
func (m *Model) LoadAdapter(src TensorSource) error {
	if m.adapter == nil {
		return fmt.Errorf("load adapter: %w: the model has no adapters", ErrLoRA)
	}
	tensors, err := pick(m.adapter.params, src)
	if err != nil {
		return err
	}
	if l, ok := src.(interface{ Names() []string }); ok {
		if extra := unknown(m.adapter.params, l.Names()); len(extra) > 0 {
			return fmt.Errorf("%w: adapters of %s in a %s model have no tensor %s", ErrTensors, list(m.opt.LoRA.Targets), m.cfg.Architecture, list(extra))
		}
	}
	return m.replaceAdapters(tensors)
}

// InitAdapter sets the adapters to what training begins with, as PEFT does: A uniform within ±1/√in
// (He et al., Delving Deep into Rectifiers, with a = √5), B zero. The values depend on the seed and the
// parameter's name and size only.
func (m *Model) InitAdapter(seed uint64) error {
	if m.adapter == nil {
		return fmt.Errorf("init adapter: %w: the model has no adapters", ErrLoRA)
	}
	return m.replaceAdapters(drawnAdapter{seed: seed})
}

// replaceAdapters sets every matrix of the adapters to what the source has for it and packs it.
func (m *Model) replaceAdapters(from source) error {
	var failed error
	load := func(at Param, parts []Param, pack func(t device.Tensor)) {
		if failed != nil {
			return
		}
		var t device.Tensor
		if m.opt.Train {
			t = place(m.params, at)
		} else {
			t = m.work.take("adapter", at.Shape[0], at.Shape[1])
			if failed = m.work.failed(); failed != nil {
				return
			}
		}
		row := 0
		for _, p := range parts {
			values := make([]float32, p.Len())
			if err := from.read(p, 0, values); err != nil {
				failed = fmt.Errorf("%s: %w", p.Name, err)
				return
			}
			m.dev.Upload(t.RowRange(row, row+p.Shape[0]), values)
			row += p.Shape[0]
		}
		pack(t)
	}
	m.eachAdapter(func(r *lowRank) {
		var all []Param
		for _, part := range r.parts {
			all = append(all, part.paramA)
		}
		load(r.joined, all, func(t device.Tensor) { m.dev.Pack(r.a, t) })
		for _, u := range r.ups {
			load(u.paramB, []Param{u.paramB}, func(t device.Tensor) { m.packScaled(u.b, t) })
		}
	})
	if failed != nil {
		return failed
	}
	return m.dev.Sync()
}

// dropping returns the acts with what adapters do not see.
func (a acts) dropping(d *dropping) acts {
	a.drop = d
	return a
}

// Base is a model without its adapters: what they were put on.
type Base struct{ m *Model }

// Base returns the model without its adapters. Nothing is copied.
func (m *Model) Base() Base { return Base{m} }

// LogProbs is [Model.LogProbs] without the adapters. A [Pass] of the model stays valid.
func (b Base) LogProbs(p *Packed) (logp, entropy []float32, err error) {
	b.m.bare = true
	defer func() { b.m.bare = false }()
	return b.m.LogProbs(p)
}
