//go:build cuda

package cuda

import (
	"fmt"

	"openrs/stages/device"
	"openrs/stages/device/cuda/driver"
)

// inverseTemperature is the factor of the logits. 0, which asks Sample for the largest logit, reports
// log-probabilities at temperature 1 everywhere.
func inverseTemperature(t float32) float32 {
	if t == 0 {
		return 1
	}
	return 1 / t
}

// chunksOf is how many chunks a vocabulary has.
func chunksOf(vocabulary int) int { return (vocabulary + device.VocabChunk - 1) / device.VocabChunk }

// A chunk's sums are a struct of 16 bytes, the kernel that makes them has blocks of so many threads: kernels/softmax.h.
const (
	sumsBytes  = 16
	sumThreads = 256
)

// logRows is how many rows go through the vocabulary together: their logits of a chunk take 32 MiB of scratch. It is a
// multiple of device.GradRows.
const logRows = 4096

// head is the checked arguments that LogProbs and LogProbsBackward share, and the vectors among them on the device.
type head struct {
	all            matrix // h
	h              operand
	w              *weight
	targets, scale uint64 // of all rows; scale is 1/temperature
	logits         uint64 // room for a chunk of a tile of rows
}

func (d *Device) headOf(op string, h device.Tensor, w device.Weight, targets []int32, temperature []float32) *head {
	x := &head{all: d.view(op, "h", h), w: d.weightOf(op, w)}
	if x.all.cols != x.w.in {
		device.Mismatch(op, "h", h, "w", shapeOf(x.w))
	}
	device.CheckIndices(op, "targets", targets, x.all.rows, x.w.out)
	if len(temperature) != x.all.rows {
		panic(fmt.Sprintf("device: %s: %d temperatures for %d rows", op, len(temperature), x.all.rows))
	}
	return x
}

// open starts the operation and moves the vectors to the device.
func (x *head) open(d *Device, op string, targets []int32, temperature []float32) {
	d.begin(op)
	scale := make([]float32, len(temperature))
	for i, t := range temperature {
		scale[i] = inverseTemperature(t)
	}
	x.targets, x.scale = d.ints(targets), d.floats(scale)
	x.logits = d.scratch(4 * min(x.all.rows, logRows) * x.widest())
}

// widest is the number of tokens of the first chunk.
func (x *head) widest() int { return min(x.w.out, device.VocabChunk) }

// tiles calls f for every tile of rows, which is then what h holds, at rows [r0, r1) of all.
func (x *head) tiles(f func(r0, r1 int)) {
	for r0 := 0; r0 < x.all.rows; r0 += logRows {
		r1 := min(r0+logRows, x.all.rows)
		x.h.holds(x.all.part(r0, r1))
		f(r0, r1)
	}
}

// chunks calls f for every chunk of the vocabulary with the logits of the tile, not yet divided by the temperature; first
// is the chunk's first token, and w its rows of the head's weight.
func (x *head) chunks(d *Device, f func(first int, z matrix, w *weight)) {
	for first := 0; first < x.w.out; first += device.VocabChunk {
		n := min(device.VocabChunk, x.w.out-first)
		z, w := matrix{x.logits, x.h.rows, n, n}, x.w.part(first, n)
		d.product(z, &x.h, w)
		f(first, z, w)
	}
}

// part is rows [from, from+n) of w.
func (w *weight) part(from, n int) *weight {
	p := *w
	p.data, p.out = w.row(from), n
	return &p
}

// part is rows [from, to) of m.
func (m matrix) part(from, to int) matrix {
	if m.addr != 0 {
		m.addr += 4 * uint64(from) * uint64(m.stride)
	}
	m.rows = to - from
	return m
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

// LogProbs implements [device.Forward]. Temperature 0 counts as 1.
func (d *Device) LogProbs(logp, lse, entropy, h device.Tensor, w device.Weight, targets []int32, temperature []float32) {
	const op = "LogProbs"
	x := d.headOf(op, h, w, targets, temperature)
	rows, chunks := x.all.rows, chunksOf(x.w.out)
	if logp.IsZero() {
		panic("device: LogProbs: logp is none")
	}
	lp, ls, en := d.column(op, "logp", logp, rows), d.column(op, "lse", lse, rows), d.column(op, "entropy", entropy, rows)
	x.open(d, op, targets, temperature)
	sums, picked := d.scratch(sumsBytes*chunks*min(rows, logRows)), d.scratch(4*min(rows, logRows))
	x.tiles(func(r0, r1 int) {
		n, at := r1-r0, 4*uint64(r0)
		x.chunks(d, func(first int, z matrix, _ *weight) {
			d.launch("softmax_sums_f32", driver.Dim{X: n}, driver.Dim{X: sumThreads}, 0, sums, u32(chunks),
				u32(first/device.VocabChunk), z.addr, uint64(z.stride), u32(z.cols), x.scale+at, x.targets+at, picked)
		})
		p, l, e := lp.part(r0, r1), ls.part(r0, r1), en.part(r0, r1)
		d.launch("logprobs_f32", driver.Dim{X: (n + 7) / 8}, driver.Dim{X: 256}, 0, p.addr, uint64(p.stride),
			l.addr, uint64(l.stride), e.addr, uint64(e.stride), sums, u32(chunks), picked, u32(n))
	})
}

// LogProbsBackward implements [device.Backward]. For each chunk of the vocabulary it recomputes the logits and makes
// dz = dlogp·(onehot − exp(z − lse))/temperature, adds dz·W to dh (so dh is the sum of the chunks' products in order), and
// adds dzᵀ·h to dw, unless that is none, each element one chain over the rows.
func (d *Device) LogProbsBackward(dh, dw, dlogp, lse, h device.Tensor, w device.Weight, targets []int32, temperature []float32, add bool) {
	const op = "LogProbsBackward"
	x := d.headOf(op, h, w, targets, temperature)
	rows, in := x.all.rows, x.w.in
	if !x.w.grad {
		panic("device: LogProbsBackward: the weight was made without grad")
	}
	gh, gw := d.view(op, "dh", dh), matrix{rows: x.w.out, cols: in}
	if !dw.IsZero() {
		gw = d.view(op, "dw", dw)
	}
	if gh.rows != rows || gh.cols != in || gw.rows != x.w.out || gw.cols != in {
		device.Mismatch(op, "dh", dh, "dw", dw, "h", h, "w", shapeOf(x.w))
	}
	if dlogp.IsZero() || lse.IsZero() {
		panic("device: LogProbsBackward: dlogp or lse is none")
	}
	gl, ls := d.column(op, "dlogp", dlogp, rows), d.column(op, "lse", lse, rows)
	x.open(d, op, targets, temperature)
	// Products of bfloat16 read dz rounded, and nothing else reads it.
	var rounded uint64
	if x.w.dtype == device.BF16 {
		rounded = d.scratch(roundedBytes(matrix{rows: min(rows, logRows), cols: x.widest()}))
	}
	x.tiles(func(r0, r1 int) {
		at, gl, ls := 4*uint64(r0), gl.part(r0, r1), ls.part(r0, r1)
		x.chunks(d, func(first int, z matrix, w *weight) {
			dz := &operand{matrix: z, at: rounded, rounded: rounded != 0}
			kernel, to, ld := "logits_grad_f32", z.addr, z.stride
			if dz.rounded {
				kernel, to, ld = "logits_grad_bf16", rounded, paddedRow(z.cols, device.BF16)
			}
			d.overQuads(kernel, z.rows, ld, to, uint64(ld), z.addr, uint64(z.stride), u32(z.cols), u32(first), gl.addr, uint64(gl.stride),
				ls.addr, uint64(ls.stride), x.scale+at, x.targets+at)
			d.productBackward(gh.part(r0, r1), dz, w, add || first > 0)
			if !dw.IsZero() {
				d.productGrad(gw.part(first, first+w.out), dz, &x.h, w.dtype)
			}
		})
	})
}
