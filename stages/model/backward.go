package model

import (
	"fmt"

	"openrs/stages/device"
)

// Backward adds to the gradients those of Σ dlogp[i] · logp[i] for every parameter that is trained. dlogp has one entry a
// prediction: the derivative of the loss for its log-probability. A pass can be used once; see [Pass].
func (m *Model) Backward(p *Pass, dlogp []float32) error {
	switch {
	case !m.opt.Train:
		return fmt.Errorf("backward: %w", ErrNotTraining)
	case p.number != m.pass || p.layers == nil:
		return ErrStalePass
	case len(dlogp) != len(p.logp):
		return fmt.Errorf("%w: %d gradients for %d predictions", ErrInput, len(dlogp), len(p.logp))
	}
	s := m.takeBackward(len(p.packed.IDs), len(p.packed.Rows))
	m.reserve(len(p.packed.IDs), !m.opt.Recompute, m.dropping(p.packed) != nil)
	if err := m.work.failed(); err != nil {
		return err
	}
	m.scoreBackward(p, s, dlogp)
	for i := len(m.layers) - 1; i >= 0; i-- {
		w, g, a := &m.layers[i], &m.grads.layers[i], p.layers[i]
		if m.opt.Recompute {
			a = m.recomputed(a.x, a.out).dropping(a.drop) // other calls may have been there meanwhile
			m.attention(w, a, p.packed.Positions, m.packedAttention(p.packed))
		}
		m.mlpBackward(w, g, a, s)
		m.attentionBackward(w, g, a, s, p.packed, i == 0 && m.frozen())
	}
	if !m.frozen() {
		m.dev.EmbedGrad(m.grads.embed, s.dx, p.packed.IDs)
	}
	p.layers = nil
	return nil
}

// backwardActs is the scratch of a backward pass.
type backwardActs struct {
	dx          device.Tensor // the gradient of the residual stream, rows × hidden
	dh          device.Tensor // that of a normalised input
	dqkv, dattn device.Tensor
	dq, dk      device.Tensor // views of dqkv, or their own when heads are normalised
	rawQ, rawK  device.Tensor // q and k before their norms, dense
	dlogp       device.Tensor // predictions × 1
	dnormed     device.Tensor // predictions × hidden
}

func (m *Model) takeBackward(rows, predictions int) backwardActs {
	c := m.cfg
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	s := backwardActs{
		dx: m.work.take("dx", rows, c.Hidden), dh: m.work.take("dh", rows, c.Hidden),
		dqkv: m.work.take("dqkv", rows, q+2*kv), dattn: m.work.take("dattn", rows, q),
		dlogp: m.work.take("dlogp", predictions, 1), dnormed: m.work.take("dnormed", predictions, c.Hidden),
	}
	m.work.take("dact", min(rows, m.chunk), c.FFN)
	if c.QKNorm {
		s.dq, s.dk = m.work.take("dq", rows, q), m.work.take("dk", rows, kv)
		s.rawQ, s.rawK = m.work.take("rawQ", rows, q), m.work.take("rawK", rows, kv)
	} else if !s.dqkv.IsZero() {
		s.dq, s.dk = s.dqkv.ColRange(0, q), s.dqkv.ColRange(q, q+kv)
	}
	return s
}

// scoreBackward goes from the log-probabilities to the last residual stream.
func (m *Model) scoreBackward(p *Pass, s backwardActs, dlogp []float32) {
	in := p.packed
	m.dev.Upload(s.dlogp, dlogp)
	m.dev.LogProbsBackward(s.dnormed, m.grads.head, s.dlogp, p.scores.lse, p.scores.normed, m.head, in.Targets, in.Temperature, false)
	m.dev.RMSNormBackward(s.dnormed, m.grads.norm, s.dnormed, p.scores.last, m.norm, m.eps(), false)
	m.dev.Zero(s.dx)
	m.dev.ScatterAddRows(s.dx, s.dnormed, in.Rows)
}

// mlpBackward turns dx, the gradient of a block's out, into that of mid. Normalised inputs and
// activations are cheap and computed again; gate and up only where they are not kept.
func (m *Model) mlpBackward(w *layerWeights, g *layerGrads, a acts, s backwardActs) {
	m.byRows(s.dx.Rows, func(from, to int) {
		mid, dx, dh := a.mid.RowRange(from, to), s.dx.RowRange(from, to), s.dh.RowRange(from, to)
		h, gateUp := m.hidden(mid), m.gateUp(a, from, to)
		act, dact := m.work.take("act", to-from, m.cfg.FFN), m.work.take("dact", to-from, m.cfg.FFN)
		m.dev.RMSNorm(h, mid, w.postNorm, m.eps())
		drop := a.drop.rows(from, to)
		if a.gateUp.IsZero() {
			m.product(gateUp, h, &w.gateUp, device.Tensor{}, drop)
		}
		m.dev.SwiGLU(act, gateUp)
		m.productBackward(dact, dx, act, &w.down, g.down, drop)
		m.dev.SwiGLUBackward(gateUp, dact, gateUp)
		m.productBackward(dh, gateUp, h, &w.gateUp, g.gateUp, drop)
		m.dev.RMSNormBackward(dx, g.postNorm, dh, mid, w.postNorm, m.eps(), true)
	})
}

// attentionBackward turns dx, the gradient of mid, into that of the block's x; not in the last block that is
// gone through if nothing below it is trained.
func (m *Model) attentionBackward(w *layerWeights, g *layerGrads, a acts, s backwardActs, in *Packed, last bool) {
	if last && w.qkv.adapter == nil {
		m.productBackward(device.Tensor{}, s.dx, a.attn, &w.o, g.o, a.drop)
		return
	}
	m.productBackward(s.dattn, s.dx, a.attn, &w.o, g.o, a.drop)
	q, kv := a.q.Cols, a.k.Cols
	dv := s.dqkv.ColRange(q+kv, q+2*kv)
	m.dev.AttentionBackward(s.dq, s.dk, dv, s.dattn, a.attn, a.lse, a.q, a.k, a.v, m.attentionShape(), in.Segments)
	if m.cfg.QKNorm {
		m.headNormBackward(s.dq, s.rawQ, a.qkv.ColRange(0, q), s.dqkv.ColRange(0, q), w.qNorm, g.qNorm, in.Positions)
		m.headNormBackward(s.dk, s.rawK, a.qkv.ColRange(q, q+kv), s.dqkv.ColRange(q, q+kv), w.kNorm, g.kNorm, in.Positions)
	} else {
		m.dev.RoPE(s.dqkv.ColRange(0, q+kv), m.cfg.HeadDim, m.rope.table, in.Positions, true)
	}
	h := m.hidden(a.x)
	m.dev.RMSNorm(h, a.x, w.inputNorm, m.eps())
	if !g.qkvBias.IsZero() {
		m.dev.BiasGrad(g.qkvBias, s.dqkv)
	}
	if last {
		m.productBackward(device.Tensor{}, s.dqkv, h, &w.qkv, g.qkv, a.drop)
		return
	}
	m.productBackward(s.dh, s.dqkv, h, &w.qkv, g.qkv, a.drop)
	m.dev.RMSNormBackward(s.dx, g.inputNorm, s.dh, a.x, w.inputNorm, m.eps(), true)
}

// headNormBackward takes d, the gradient of rotated and normalised heads, back through both to the part
// of qkv they come from. Views with a head a row must be dense, so raw holds a copy of that part.
func (m *Model) headNormBackward(d, raw, from, to, w, dw device.Tensor, positions []int32) {
	m.dev.RoPE(d, m.cfg.HeadDim, m.rope.table, positions, true)
	m.dev.Copy(raw, from)
	m.dev.RMSNormBackward(m.byHead(d), dw, m.byHead(d), m.byHead(raw), w, m.eps(), false)
	m.dev.Copy(to, d)
}
