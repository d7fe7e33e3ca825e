package cpu

import (
	"fmt"
	"math"
	"slices"

	"openrs/stages/device"
)

// Sample implements [device.Decoding]. It fails, naming the row, when a row of logits holds a NaN or
// +Inf or nothing but −Inf, and when a parameter is out of range; ids and logp are then undefined.
//
// A row without truncation takes two passes: the chunked log-sum-exp that LogProbs uses, which leaves
// the mass of every chunk, and a walk through the one chunk in which the cumulative distribution passes
// U. Where there are fewer rows than threads, the threads share the chunks of a row. With top-k or top-p the border of what is kept is found by selection, without sorting.
func (d *Device) Sample(logits device.Tensor, params []device.Sampling, ids []int32, logp []float32) error {
	const op = "Sample"
	m := d.view(op, "logits", logits)
	if len(params) != m.rows || len(ids) != m.rows || len(logp) != m.rows {
		panic(fmt.Sprintf("device: %s: %d parameters, %d ids and %d log-probabilities for %d rows", op, len(params), len(ids), len(logp), m.rows))
	}
	faults := grow(&d.shared.faults, m.rows)
	if m.rows < len(d.workers) {
		for r := range m.rows {
			faults[r] = d.sampleRow(d.workers[0], m.row(r), params[r], true, &ids[r], &logp[r])
		}
		return rowFault(faults)
	}
	d.split(m.rows, 1, float64(m.cols)*2*mathCost+10*callCost, func(t *worker, lo, hi int) {
		for r := lo; r < hi; r++ {
			faults[r] = d.sampleRow(t, m.row(r), params[r], false, &ids[r], &logp[r])
		}
	})
	return rowFault(faults)
}

// rowFault returns the first row's error.
func rowFault(faults []error) error {
	for r, err := range faults {
		if err != nil {
			return fmt.Errorf("cpu: sample: row %d: %w", r, err)
		}
	}
	return nil
}

// logitRow is a row of logits on its way through sampling: z over the temperature, e = exp(z − top) chunk by
// chunk with the top that held when the chunk was read, and that top.
type logitRow struct {
	z, e, tops []float32
	masses     []float64
	softmaxSum
}

// chunk returns the bounds of chunk c.
func (x *logitRow) chunk(c int) (lo, hi int) {
	return c * device.VocabChunk, min((c+1)*device.VocabChunk, len(x.z))
}

// sampleRow draws from a row, with all threads if the row is wide and this is no task of one of them.
func (d *Device) sampleRow(t *worker, logits []float32, p device.Sampling, alone bool, id *int32, logp *float32) error {
	if err := p.Check(); err != nil {
		return err
	}
	if len(logits) == 0 {
		return fmt.Errorf("no logits")
	}
	x := t.rowOf(logits)
	if alone {
		d.readWide(x, logits, p.Temperature)
	} else {
		d.readRow(x, logits, p.Temperature)
	}
	x.final()
	if err := x.check(logits); err != nil {
		return err
	}
	var token int
	switch {
	case p.Temperature == 0:
		token = first(logits, d.set.Max(logits))
	case p.TopK == 0 && (p.TopP == 0 || p.TopP == 1) && p.MinP == 0:
		token = x.draw(p.U)
	default:
		x.level(d)
		token = x.drawKept(t, p)
	}
	*id = int32(token)
	*logp = float32(float64(x.z[token]) - x.logSumExp())
	return nil
}

// rowOf returns a row of as many logits, nothing of it read.
func (w *worker) rowOf(logits []float32) *logitRow {
	n, x := len(logits), &w.logits
	chunks := (n + device.VocabChunk - 1) / device.VocabChunk
	buf := w.floats(2*n + chunks)
	x.z, x.e, x.tops = cut(&buf, n), cut(&buf, n), cut(&buf, chunks)
	x.masses = grow(&x.masses, chunks)
	x.softmaxSum = newSoftmaxSum()
	return x
}

// readRow scales the logits and sums them up as LogProbs does.
func (d *Device) readRow(x *logitRow, logits []float32, temperature float32) {
	if inv := inverseTemperature(temperature); inv == 1 {
		x.z = logits
	} else {
		copy(x.z, logits)
		d.set.Scale(x.z, inv)
	}
	for c := range x.tops {
		lo, hi := x.chunk(c)
		x.masses[c] = x.add(d.set, x.e[lo:hi], x.z[lo:hi], false)
		x.tops[c] = x.top
	}
}

// readWide is readRow by all threads. A chunk's mass depends on the chunks before it by their largest logit
// alone, so those are found first.
func (d *Device) readWide(x *logitRow, logits []float32, temperature float32) {
	inv, cost := inverseTemperature(temperature), device.VocabChunk*mathCost
	if inv == 1 {
		x.z = logits
	}
	d.split(len(x.tops), 1, cost, func(_ *worker, from, to int) {
		for c := from; c < to; c++ {
			lo, hi := x.chunk(c)
			if inv != 1 {
				copy(x.z[lo:hi], logits[lo:hi])
				d.set.Scale(x.z[lo:hi], inv)
			}
			x.tops[c] = d.set.Max(x.z[lo:hi])
		}
	})
	sum := newSoftmaxSum()
	for c, high := range x.tops {
		sum.raise(high)
		x.tops[c] = sum.top
	}
	d.split(len(x.tops), 1, cost, func(_ *worker, from, to int) {
		for c := from; c < to; c++ {
			lo, hi := x.chunk(c)
			x.masses[c] = mass(d.set, x.e[lo:hi], x.z[lo:hi], x.tops[c])
		}
	})
	for c, top := range x.tops {
		x.raise(top)
		x.sum += x.masses[c]
	}
}

// final brings the masses, each relative to the top of its time, to the final top.
func (x *logitRow) final() {
	for c, top := range x.tops {
		if top != x.top && x.masses[c] != 0 {
			x.masses[c] *= math.Exp(float64(top) - float64(x.top))
		}
	}
}

// check reports logits without a distribution.
func (x *logitRow) check(logits []float32) error {
	switch {
	case x.top != x.top:
		return fmt.Errorf("logit %d is NaN", first(logits, x.top))
	case math.IsInf(float64(x.top), 1):
		return fmt.Errorf("logit %d is +Inf, or its quotient by the temperature", first(x.z, x.top))
	case math.IsInf(float64(x.top), -1):
		return fmt.Errorf("all logits are -Inf")
	}
	return nil
}

// first returns the index of the first element equal to v, or the first NaN if v is NaN.
func first(x []float32, v float32) int {
	if v != v {
		return slices.IndexFunc(x, func(y float32) bool { return y != y })
	}
	return slices.Index(x, v)
}

// total is the sum of e over all tokens.
func (x *logitRow) total() float64 {
	var sum float64
	for _, mass := range x.masses {
		sum += mass
	}
	return sum
}

// draw returns the first token whose cumulative probability is above u, over all tokens.
func (x *logitRow) draw(u float64) int {
	want, c := u*x.total(), 0
	for c < len(x.masses)-1 && want >= x.masses[c] {
		want -= x.masses[c]
		c++
	}
	// Rounding may lead past everything, to an empty last chunk: then it is the last token that counts.
	for x.masses[c] == 0 {
		want = math.Inf(1)
		c--
	}
	lo, hi := x.chunk(c)
	// Within the chunk in its own unit, e.
	if x.tops[c] != x.top {
		want /= math.Exp(float64(x.tops[c]) - float64(x.top))
	}
	var sum float64
	last := lo
	for i, e := range x.e[lo:hi] {
		if e == 0 {
			continue
		}
		last = lo + i
		if sum += float64(e); sum > want {
			break
		}
	}
	return last
}

// level brings e of all chunks to the final top.
func (x *logitRow) level(d *Device) {
	for c, top := range x.tops {
		if top != x.top {
			lo, hi := x.chunk(c)
			d.set.ExpSum(x.e[lo:hi], x.z[lo:hi], x.top)
		}
	}
}

// truncate returns the last token, from the most to the least probable, that top-k and top-p keep; what
// top-p keeps is a share of what top-k left. With neither, it is one that comes after all tokens.
func (x *logitRow) truncate(t *worker, topK int, topP float64) candidate {
	border, left := candidate{z: float32(math.Inf(-1)), id: int32(len(x.z))}, 0.0
	if topK > 0 && topK < len(x.z) {
		border, left = x.border(t, topK, math.Inf(1))
	} else {
		topK, left = 0, x.total()
	}
	if topP > 0 && topP < 1 {
		border, _ = x.border(t, topK, topP*left)
	}
	return border
}

// drawKept draws among the tokens that top-k, top-p and min-p keep. e is level.
func (x *logitRow) drawKept(t *worker, p device.Sampling) int {
	border := x.truncate(t, p.TopK, float64(p.TopP))
	// Most tokens fall to one comparison; what remains is checked exactly. Min-p is a bound on e, which
	// is 1 for the most probable token.
	lowest, least := border.z, float64(p.MinP)
	if least > 0 {
		lowest = max(lowest, float32(float64(x.top)+math.Log(least)-1e-3*(1+math.Abs(float64(x.top)))))
	}
	kept := t.cand[:0]
	var total float64
	for i, z := range x.z {
		if z < lowest {
			continue
		}
		c := candidate{z: z, e: x.e[i], id: int32(i)}
		if c.e > 0 && float64(c.e) >= least && !border.before(c) {
			kept = append(kept, c)
			total += float64(c.e)
		}
	}
	t.cand = kept
	var sum float64
	for _, c := range kept {
		if sum += float64(c.e); sum > p.U*total {
			return int(c.id)
		}
	}
	return int(kept[len(kept)-1].id)
}
