package model

import "openrs/stages/device"

// acts are the tensors of one transformer block, one row a token. In a plain forward pass x, mid and out
// are one tensor, changed in place; a pass that will run backward keeps them apart.
type acts struct {
	x      device.Tensor // the residual stream that enters, rows × hidden
	qkv    device.Tensor // rows × (heads + 2·kv heads)·headDim, rotated unless there are head norms
	q, k   device.Tensor // rotated: views of qkv, or their own when heads are normalised
	v      device.Tensor // view of qkv
	attn   device.Tensor // what attention returns, rows × heads·headDim
	lse    device.Tensor // rows × heads, for the backward pass
	mid    device.Tensor // the residual stream after attention
	gateUp device.Tensor // rows × 2·ffn; a zero Tensor where it is not kept
	out    device.Tensor // the residual stream that leaves
	drop   *dropping     // what adapters do not see; nil: they see everything
}

// mlpRows is the number of rows that pass through the MLP at a time where gateUp is not kept: enough for
// a matrix product to run at full speed, and the widest scratch of the model stays small.
const mlpRows = 512

// scratchActs takes the tensors of a block that works in place on x.
func (m *Model) scratchActs(x device.Tensor) acts {
	return m.acts(x, x, x, func(name string, rows, cols int) device.Tensor { return m.work.take(name, rows, cols) })
}

// acts takes the tensors of a block from a pool.
func (m *Model) acts(x, mid, out device.Tensor, take func(name string, rows, cols int) device.Tensor) acts {
	c, n := m.cfg, x.Rows
	q, kv := c.Heads*c.HeadDim, c.KVHeads*c.HeadDim
	a := acts{x: x, mid: mid, out: out, qkv: take("qkv", n, q+2*kv), attn: take("attn", n, q), lse: take("lse", n, c.Heads)}
	if c.QKNorm {
		a.q, a.k = take("q", n, q), take("k", n, kv)
	}
	return a.views(c.Heads*c.HeadDim, c.KVHeads*c.HeadDim)
}

// views sets what lies in qkv. After a failed allocation there is nothing to view.
func (a acts) views(q, kv int) acts {
	if a.qkv.IsZero() {
		return a
	}
	a.v = a.qkv.ColRange(q+kv, q+2*kv)
	if a.q.IsZero() {
		a.q, a.k = a.qkv.ColRange(0, q), a.qkv.ColRange(q, q+kv)
	}
	return a
}

// core is attention itself, over packed segments or over a cache.
type core func(a acts)

// block runs one transformer block: out = mid + MLP(norm(mid)), mid = x + attention(norm(x)).
func (m *Model) block(w *layerWeights, a acts, positions []int32, attend core) {
	m.attention(w, a, positions, attend)
	move(m.dev, a.out, a.mid)
	m.mlp(w, a)
}

// attention runs the first half of a block, up to mid.
func (m *Model) attention(w *layerWeights, a acts, positions []int32, attend core) {
	h := m.hidden(a.x)
	m.dev.RMSNorm(h, a.x, w.inputNorm, m.eps())
	m.product(a.qkv, h, &w.qkv, w.qkvBias, a.drop)
	q, kv := a.q.Cols, a.k.Cols
	if m.cfg.QKNorm {
		m.dev.Copy(a.q, a.qkv.ColRange(0, q))
		m.dev.Copy(a.k, a.qkv.ColRange(q, q+kv))
		m.dev.RMSNorm(m.byHead(a.q), m.byHead(a.q), w.qNorm, m.eps())
		m.dev.RMSNorm(m.byHead(a.k), m.byHead(a.k), w.kNorm, m.eps())
		m.dev.RoPE(a.q, m.cfg.HeadDim, m.rope.table, positions, false)
		m.dev.RoPE(a.k, m.cfg.HeadDim, m.rope.table, positions, false)
	} else {
		m.dev.RoPE(a.qkv.ColRange(0, q+kv), m.cfg.HeadDim, m.rope.table, positions, false)
	}
	attend(a)
	move(m.dev, a.mid, a.x)
	m.productAdd(a.mid, a.attn, &w.o, a.drop)
}

// byHead is a dense rows × heads·headDim tensor with a head a row.
func (m *Model) byHead(t device.Tensor) device.Tensor {
	return t.Reshape(t.Rows*t.Cols/m.cfg.HeadDim, m.cfg.HeadDim)
}

// mlp adds the second half of a block to out, some rows at a time.
func (m *Model) mlp(w *layerWeights, a acts) {
	m.byRows(a.mid.Rows, func(from, to int) {
		mid := a.mid.RowRange(from, to)
		h, act := m.hidden(mid), m.work.take("act", to-from, m.cfg.FFN)
		gateUp := m.gateUp(a, from, to)
		m.dev.RMSNorm(h, mid, w.postNorm, m.eps())
		m.product(gateUp, h, &w.gateUp, device.Tensor{}, a.drop.rows(from, to))
		m.dev.SwiGLU(act, gateUp)
		m.productAdd(a.out.RowRange(from, to), act, &w.down, a.drop.rows(from, to))
	})
}

// byRows calls f for consecutive ranges of at most chunk rows.
func (m *Model) byRows(rows int, f func(from, to int)) {
	for from := 0; from < rows; from += m.chunk {
		f(from, min(rows, from+m.chunk))
	}
}

// gateUp is the kept tensor's rows, or scratch.
func (m *Model) gateUp(a acts, from, to int) device.Tensor {
	if a.gateUp.IsZero() {
		return m.work.take("gateUp", to-from, 2*m.cfg.FFN)
	}
	return a.gateUp.RowRange(from, to)
}

// hidden is scratch of the shape of x.
func (m *Model) hidden(x device.Tensor) device.Tensor { return m.work.take("h", x.Rows, x.Cols) }

// reserve takes the scratch that a block needs, so that a lack of memory shows before anything runs.
func (m *Model) reserve(rows int, keepsGateUp, drops bool) {
	chunk := min(rows, m.chunk)
	m.reserveAdapters(rows, drops)
	m.work.take("h", rows, m.cfg.Hidden)
	m.work.take("act", chunk, m.cfg.FFN)
	if !keepsGateUp {
		m.work.take("gateUp", chunk, 2*m.cfg.FFN)
	}
}

// move copies src to dst unless they are the same tensor.
func move(dev device.Device, dst, src device.Tensor) {
	if dst != src {
		dev.Copy(dst, src)
	}
}
