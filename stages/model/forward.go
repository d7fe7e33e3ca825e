package model

import (
	"fmt"

	"openrs/stages/device"
)

// LogProbs returns, for each prediction of p, the log-probability of its target under
// softmax(logits / temperature), in nats, and the entropy of that distribution. Nothing is kept.
func (m *Model) LogProbs(p *Packed) (logp, entropy []float32, err error) {
	if err := m.prepare(p); err != nil {
		return nil, nil, err
	}
	x := m.work.take("x", len(p.IDs), m.cfg.Hidden)
	a := m.scratchActs(x)
	m.reserve(x.Rows, false, false)
	out := m.takeScores(m.work, len(p.Rows))
	if err := m.work.failed(); err != nil {
		return nil, nil, err
	}
	a.lse = device.Tensor{} // only the backward pass reads it
	m.dev.Embed(x, m.embed, p.IDs)
	for i := range m.layers {
		m.block(&m.layers[i], a, p.Positions, m.packedAttention(p))
	}
	m.score(out, x, p)
	return m.download(out)
}

// Pass is a forward pass that can be run backward, once. Its activations belong to the model: the next
// Forward takes their place, and Backward of an older pass is [ErrStalePass].
type Pass struct {
	number        uint64
	packed        *Packed
	layers        []acts
	final         device.Tensor // the residual stream after the last block
	scores        scores
	logp, entropy []float32
}

// LogProbs are the log-probabilities of the targets, in nats, one for each prediction.
func (p *Pass) LogProbs() []float32 { return p.logp }

// Entropies are those of the distributions that the targets come from, in nats.
func (p *Pass) Entropies() []float32 { return p.entropy }

// Forward is [Model.LogProbs] for a [Model.Backward] that follows; the model must be made with Train. With
// dropout ([LoRA]) the log-probabilities are not those of LogProbs.
func (m *Model) Forward(p *Packed) (*Pass, error) {
	if !m.opt.Train {
		return nil, fmt.Errorf("forward: %w", ErrNotTraining)
	}
	if err := m.prepare(p); err != nil {
		return nil, err
	}
	if m.opt.LoRA != nil && m.opt.LoRA.Dropout > 0 && len(p.Numbers) != len(p.IDs) {
		return nil, fmt.Errorf("%w: %d numbers for %d rows, which dropout goes by", ErrInput, len(p.Numbers), len(p.IDs))
	}
	m.pass++
	pass := &Pass{number: m.pass, packed: p.clone()}
	rows := len(p.IDs)
	drop := m.dropping(pass.packed)
	x := m.kept.keep("x", 0, rows, m.cfg.Hidden)
	for i := range m.layers {
		out := m.kept.keep("x", i+1, rows, m.cfg.Hidden)
		if m.opt.Recompute {
			pass.layers = append(pass.layers, m.recomputed(x, out))
		} else {
			pass.layers = append(pass.layers, m.keptActs(i, x, out))
		}
		pass.layers[i].drop = drop
		x = out
	}
	pass.final = x
	pass.scores = m.takeScores(m.kept, len(p.Rows))
	m.reserve(rows, !m.opt.Recompute, drop != nil)
	for _, pool := range []*pool{m.kept, m.work} {
		if err := pool.failed(); err != nil {
			return nil, err
		}
	}
	m.dev.Embed(pass.residual(0), m.embed, p.IDs)
	for i := range m.layers {
		m.block(&m.layers[i], pass.layers[i], p.Positions, m.packedAttention(p))
	}
	m.score(pass.scores, pass.final, p)
	var err error
	pass.logp, pass.entropy, err = m.download(pass.scores)
	return pass, err
}

// dropping is what a forward pass of p drops before the adapters; nil: nothing.
func (m *Model) dropping(p *Packed) *dropping {
	if m.opt.LoRA == nil || m.opt.LoRA.Dropout == 0 {
		return nil
	}
	return &dropping{rate: float32(m.opt.LoRA.Dropout), seed: p.Seed, numbers: p.Numbers}
}

// residual is the residual stream that enters block i, or leaves the last.
func (p *Pass) residual(i int) device.Tensor {
	if i < len(p.layers) {
		return p.layers[i].x
	}
	return p.final
}

// keptActs are a layer's own tensors.
func (m *Model) keptActs(layer int, x, out device.Tensor) acts {
	keep := func(name string, rows, cols int) device.Tensor { return m.kept.keep(name, layer, rows, cols) }
	a := m.acts(x, keep("mid", x.Rows, x.Cols), out, keep)
	a.gateUp = keep("gateUp", x.Rows, 2*m.cfg.FFN)
	return a
}

// recomputed are tensors that all layers share; only x and out are the layer's own.
func (m *Model) recomputed(x, out device.Tensor) acts {
	return m.acts(x, m.work.take("mid", x.Rows, x.Cols), out, m.work.take)
}

// prepare checks p and makes the rotary table long enough.
func (m *Model) prepare(p *Packed) error {
	if err := p.check(m.cfg.Vocab); err != nil {
		return err
	}
	return m.rope.reach(m.dev, p.Positions, m.cfg, m.opt.MaxPositions)
}

func (m *Model) packedAttention(p *Packed) core {
	shape := m.attentionShape()
	return func(a acts) { m.dev.Attention(a.attn, a.lse, a.q, a.k, a.v, shape, p.Segments) }
}

// scores are the tensors at the end: one row a prediction.
type scores struct {
	last, normed       device.Tensor // predictions × hidden
	logp, lse, entropy device.Tensor // predictions × 1
}

func (m *Model) takeScores(pool *pool, n int) scores {
	return scores{
		last: pool.take("last", n, m.cfg.Hidden), normed: pool.take("normed", n, m.cfg.Hidden),
		logp: pool.take("logp", n, 1), lse: pool.take("predictionLSE", n, 1), entropy: pool.take("entropy", n, 1),
	}
}

// score computes the predictions from the last residual stream.
func (m *Model) score(s scores, x device.Tensor, p *Packed) {
	m.dev.GatherRows(s.last, x, p.Rows)
	m.dev.RMSNorm(s.normed, s.last, m.norm, m.eps())
	m.dev.LogProbs(s.logp, s.lse, s.entropy, s.normed, m.head, p.Targets, p.temperatures())
}

func (m *Model) download(s scores) (logp, entropy []float32, err error) {
	logp, entropy = make([]float32, s.logp.Rows), make([]float32, s.logp.Rows)
	if err := m.dev.Download(logp, s.logp); err != nil {
		return nil, nil, err
	}
	return logp, entropy, m.dev.Download(entropy, s.entropy)
}
