package cpu

import (
	"fmt"
	"math"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// softmaxSum is the running log-sum-exp of a row of logits, taken chunk by chunk from token 0: top is the
// largest so far, sum and weighted are the sums of e and e·(z − top) over e = exp(z − top).
//
// LogProbs and Sample go through add and logSumExp alike, which is why their log-probabilities have the
// same bits.
type softmaxSum struct {
	top           float32
	sum, weighted float64
}

// newSoftmaxSum is the sum over no tokens.
func newSoftmaxSum() softmaxSum { return softmaxSum{top: float32(math.Inf(-1))} }

// add takes in the next chunk of logits: e gets exp(z − top), and its sum is returned. e may be z, but
// not with entropy, which needs both to keep weighted up to date.
func (s *softmaxSum) add(set *kernel.Set, e, z []float32, entropy bool) float64 {
	s.raise(set.Max(z))
	sum := mass(set, e, z, s.top)
	s.sum += sum
	if entropy && !math.IsInf(float64(s.top), -1) {
		s.weighted += float64(set.Dot(e, z)) - float64(s.top)*sum
	}
	return sum
}

// raise makes the larger of top and high the top, or NaN if one of them is.
func (s *softmaxSum) raise(high float32) {
	if !(high > s.top || high != high) {
		return
	}
	if s.sum != 0 {
		shift := float64(s.top) - float64(high)
		shrink := math.Exp(shift)
		s.weighted = shrink * (s.weighted + s.sum*shift)
		s.sum *= shrink
	}
	s.top = high
}

// mass sets e to exp(z − top) and returns its sum.
func mass(set *kernel.Set, e, z []float32, top float32) float64 {
	if math.IsInf(float64(top), -1) {
		clear(e) // nothing but −Inf so far: exp(z − top) would be NaN
		return 0
	}
	return float64(set.ExpSum(e, z, top))
}

// logSumExp returns the log of the sum of exp(z).
func (s *softmaxSum) logSumExp() float64 { return float64(s.top) + math.Log(s.sum) }

// entropy is −Σ p·log p in nats: log Σe − Σe·(z − top) / Σe.
func (s *softmaxSum) entropy() float64 { return max(0, math.Log(s.sum)-s.weighted/s.sum) }

// inverseTemperature is the factor of the logits. 0, which asks Sample for the largest logit, reports
// log-probabilities at temperature 1 everywhere.
func inverseTemperature(t float32) float32 {
	if t == 0 {
		return 1
	}
	return 1 / t
}

// logTile is how many rows go through the vocabulary together: the logits of a chunk stay in cache, and
// each chunk of W is read once a tile.
const logTile = 4 * rowTile

// head is the checked arguments that LogProbs and LogProbsBackward share.
type head struct {
	h           matrix
	left        left // h
	w           *weight
	targets     []int32
	temperature []float32
}

func (d *Device) headOf(op string, h device.Tensor, w device.Weight, targets []int32, temperature []float32) head {
	x := head{h: d.view(op, "h", h), w: d.weightOf(op, w), targets: targets, temperature: temperature}
	if x.h.cols != x.w.in {
		device.Mismatch(op, "h", h, "w", shapeOf(x.w))
	}
	device.CheckIndices(op, "targets", targets, x.h.rows, x.w.out)
	if len(temperature) != x.h.rows {
		panic(fmt.Sprintf("device: %s: %d temperatures for %d rows", op, len(temperature), x.h.rows))
	}
	x.left = d.leftOf(x.w, x.h)
	return x
}

// column checks that t is rows × 1, or none.
func (d *Device) column(op, name string, t device.Tensor, rows int) matrix {
	if t.IsZero() {
		return matrix{}
	}
	m := d.view(op, name, t)
	if m.rows != rows || m.cols != 1 {
		device.Mismatch(op, name, t, "rows", rows)
	}
	return m
}

// logits computes z = h·Wᵀ / temperature for rows [r0, r1) and tokens [from, from+n), into z with stride n.
func (d *Device) logits(t *worker, x head, z []float32, r0, r1, from, n int) {
	d.forward(t, z, n, x.left.part(d, t, r0, r1, 0, x.w.in), x.w, r1-r0, from, n, 0, panels(n), nil, kernel.Store)
	for r := r0; r < r1; r++ {
		if inv := inverseTemperature(x.temperature[r]); inv != 1 {
			d.set.Scale(z[(r-r0)*n:][:n], inv)
		}
	}
}

// cost estimates the nanoseconds that a row of logits takes.
func (x head) cost() float64 { return float64(x.w.out) * (float64(x.w.in)/flopsPerNs + mathCost) }

// LogProbs implements [device.Forward]. Temperature 0 counts as 1.
func (d *Device) LogProbs(logp, lse, entropy, h device.Tensor, w device.Weight, targets []int32, temperature []float32) {
	const op = "LogProbs"
	x := d.headOf(op, h, w, targets, temperature)
	rows, vocab := x.h.rows, x.w.out
	lp, ls, en := d.column(op, "logp", logp, rows), d.column(op, "lse", lse, rows), d.column(op, "entropy", entropy, rows)
	if logp.IsZero() {
		panic("device: LogProbs: logp is none")
	}
	chunk := min(device.VocabChunk, vocab)
	d.split(rows, rowTile, x.cost(), func(t *worker, lo, hi int) {
		buf := t.floats((logTile + 1) * chunk)
		tmp := cut(&buf, chunk)
		var sums [logTile]softmaxSum
		var target [logTile]float32
		for r0 := lo; r0 < hi; r0 += logTile {
			n := min(logTile, hi-r0)
			for i := range n {
				sums[i] = newSoftmaxSum()
			}
			for from := 0; from < vocab; from += device.VocabChunk {
				width := min(device.VocabChunk, vocab-from)
				d.logits(t, x, buf, r0, r0+n, from, width)
				for i := range n {
					z := buf[i*width:][:width]
					if j := int(targets[r0+i]) - from; j >= 0 && j < width {
						target[i] = z[j]
					}
					if en.data == nil {
						sums[i].add(d.set, z, z, false)
					} else {
						sums[i].add(d.set, tmp[:width], z, true)
					}
				}
			}
			for i := range n {
				l := sums[i].logSumExp()
				lp.row(r0 + i)[0] = float32(float64(target[i]) - l)
				if ls.data != nil {
					ls.row(r0 + i)[0] = float32(l)
				}
				if en.data != nil {
					en.row(r0 + i)[0] = float32(sums[i].entropy())
				}
			}
		}
	})
}

// gradBlock is how many rows LogProbsBackward holds gradients of logits for, one chunk at a time; a multiple
// of device.GradRows.
const gradBlock = 16 * logTile

// LogProbsBackward implements [device.Backward]. For each chunk of the vocabulary it recomputes the
// logits and makes dz = dlogp·(onehot − exp(z − lse))/temperature, adds dz·W to dh (so dh is the sum of
// the chunks' products in order), and adds dzᵀ·h to dw, unless that is none, each element one chain
// over the rows.
func (d *Device) LogProbsBackward(dh, dw, dlogp, lse, h device.Tensor, w device.Weight, targets []int32, temperature []float32, add bool) {
	const op = "LogProbsBackward"
	x := d.headOf(op, h, w, targets, temperature)
	rows, vocab, in := x.h.rows, x.w.out, x.w.in
	if !x.w.grad() {
		panic("device: LogProbsBackward: the weight was made without grad")
	}
	gh, gw := d.view(op, "dh", dh), matrix{rows: vocab, cols: in}
	if !dw.IsZero() {
		gw = d.view(op, "dw", dw)
	}
	if gh.rows != rows || gh.cols != in || gw.rows != vocab || gw.cols != in {
		device.Mismatch(op, "dh", dh, "dw", dw, "h", h, "w", shapeOf(x.w))
	}
	if dlogp.IsZero() || lse.IsZero() {
		panic("device: LogProbsBackward: dlogp or lse is none")
	}
	gl, ls := d.column(op, "dlogp", dlogp, rows), d.column(op, "lse", lse, rows)
	chunk := min(device.VocabChunk, vocab)
	dz := grow(&d.shared.a, min(rows, gradBlock)*chunk)
	cost := 2 * float64(chunk) * (float64(in)/flopsPerNs + mathCost)
	for b0 := 0; b0 < rows; b0 += gradBlock {
		b1 := min(b0+gradBlock, rows)
		hs := x.h.rowRange(b0, b1)
		var packed []uint32
		if x.w.dtype == device.BF16 && !dw.IsZero() {
			packed = d.packRight(hs)
		}
		for from := 0; from < vocab; from += device.VocabChunk {
			width := min(device.VocabChunk, vocab-from)
			mode := modeOf(add || from > 0)
			d.split(b1-b0, rowTile, cost, func(t *worker, lo, hi int) {
				for r0 := b0 + lo; r0 < b0+hi; r0 += logTile {
					r1 := min(r0+logTile, b0+hi)
					z := dz[(r0-b0)*width:]
					d.logits(t, x, z, r0, r1, from, width)
					for r := r0; r < r1; r++ {
						g := gl.row(r)[0] * inverseTemperature(temperature[r])
						d.logitGrad(z[(r-r0)*width:][:width], ls.row(r)[0], g, int(targets[r])-from)
					}
					d.backward(t, gh.from(r0, 0), gh.stride, d.operandOf(t, x.w, z, width, r1-r0, width), x.w, r1-r0, from, 0, panels(in), mode)
				}
			})
			if dw.IsZero() {
				continue
			}
			g, z := gw.rowRange(from, from+width), matrix{data: dz, rows: b1 - b0, cols: width, stride: width}
			if packed != nil {
				d.outerPacked(g, z, packed)
			} else {
				d.outer(g, z, hs)
			}
		}
	}
}

// logitGrad turns a chunk of logits into g·(onehot − exp(z − lse)); target may lie outside the chunk.
func (d *Device) logitGrad(z []float32, lse, g float32, target int) {
	if g == 0 {
		clear(z)
		return
	}
	d.set.ExpSum(z, z, lse)
	d.set.Scale(z, -g)
	if target >= 0 && target < len(z) {
		z[target] += g
	}
}
