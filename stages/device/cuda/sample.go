//go:build cuda

package cuda

import (
	"errors"
	"fmt"
	"math"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// The kinds of a draw, and what kernels/sample.cu returns in place of a token.
const (
	drawGreedy = iota
	drawPlain
	drawTruncated

	foundNaN   = -1
	foundInf   = -2
	foundEmpty = -3
)

// maxVocabulary bounds Sample: the sums of its integer weights must fit in 64 bits, its token ids in 24.
const maxVocabulary = 1 << 23

// Sample implements [device.Decoding]. It fails, naming the row, when a row of logits holds a NaN or +Inf or nothing but
// −Inf, and when a parameter is out of range; ids and logp are then undefined. Only tokens and their
// log-probabilities leave the device.
func (d *Device) Sample(logits device.Tensor, params []device.Sampling, ids []int32, logp []float32) error {
	const op = "Sample"
	m := d.view(op, "logits", logits)
	if len(params) != m.rows || len(ids) != m.rows || len(logp) != m.rows {
		panic(fmt.Sprintf("device: %s: %d parameters, %d ids and %d log-probabilities for %d rows", op, len(params), len(ids), len(logp), m.rows))
	}
	d.begin(op)
	if m.rows == 0 {
		return d.Sync()
	}
	if m.cols == 0 || m.cols > maxVocabulary {
		return fmt.Errorf("cuda: sample: a vocabulary of %d is outside [1, %d]", m.cols, maxVocabulary)
	}
	scale, draws := make([]float32, m.rows), make([]int32, 0, drawWords*m.rows)
	for r, p := range params {
		if err := p.Check(); err != nil {
			return fmt.Errorf("cuda: sample: row %d: %w", r, err)
		}
		scale[r] = inverseTemperature(p.Temperature)
		draws = appendDraw(draws, p, m.cols)
	}
	chunks, scales := chunksOf(m.cols), d.floats(scale)
	sums := d.scratch(sumsBytes * chunks * m.rows)
	d.launch("softmax_sums_f32", driver.Dim{X: m.rows * chunks}, driver.Dim{X: sumThreads}, 0, sums, u32(chunks), u32(0),
		m.addr, uint64(m.stride), u32(m.cols), scales, 0, 0)
	found := d.scratch(8 * m.rows) // ids, then log-probabilities
	d.launch("sample_f32", driver.Dim{X: m.rows}, driver.Dim{X: 1024}, 0, found, found+4*uint64(m.rows),
		m.addr, uint64(m.stride), u32(m.cols), sums, u32(chunks), scales, d.ints(draws))
	both := make([]int32, 2*m.rows)
	if err := d.fetch(bytesOf(both), found); err != nil {
		return err
	}
	for r := range m.rows {
		if both[r] < 0 {
			return fmt.Errorf("cuda: sample: row %d: %w", r, faultOf(both[r]))
		}
		ids[r], logp[r] = both[r], math.Float32frombits(uint32(both[m.rows+r]))
	}
	return nil
}

// drawWords is the size of a draw of kernels/sample.cu in words of 4 bytes.
const drawWords = 6

// appendDraw appends p in the layout of the kernel. What keeps every token is written as 0.
func appendDraw(words []int32, p device.Sampling, vocabulary int) []int32 {
	if p.TopK >= vocabulary {
		p.TopK = 0
	}
	if p.TopP == 1 {
		p.TopP = 0
	}
	kind := drawTruncated
	switch {
	case p.Temperature == 0:
		kind = drawGreedy
	case p.TopK == 0 && p.TopP == 0 && p.MinP == 0:
		kind = drawPlain
	}
	u := math.Float64bits(p.U)
	return append(words, int32(uint32(u)), int32(uint32(u>>32)), int32(kind), int32(p.TopK),
		int32(math.Float32bits(p.TopP)), int32(math.Float32bits(p.MinP)))
}

// faultOf says why there is no token.
func faultOf(id int32) error {
	switch id {
	case foundNaN:
		return errors.New("a logit is NaN")
	case foundInf:
		return errors.New("a logit is +Inf, or its quotient by the temperature")
	case foundEmpty:
		return errors.New("all logits are -Inf")
	}
	return fmt.Errorf("the kernel returned token %d", id)
}
