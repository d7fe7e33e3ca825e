package devicetest

import (
	"openrs/stages/device"
)

// The exact part of the contract. These tests run on the tested device alone (side 0) and compare its
// results with its own, bit for bit.
var bits = map[string]func(*twin){
	"Rows of forward operations":  bitsRows,
	"Rows of backward operations": bitsRowsBackward,
	"Weight gradients over calls": bitsGradients,
	"Attention over calls":        bitsAttention,
	"Shared prefixes":             bitsPrefix,
	"Paged attention":             bitsPaged,
	"AttentionBackward of groups": bitsAttentionBackward,
	"Sample and LogProbs":         bitsSample,
	"Views":                       bitsViews,
	"SumSquares":                  bitsSumSquares,
	"Not a number":                bitsNaN,
}

// rowwise is an operation that computes each row of y from the same row of x.
type rowwise struct {
	name    string
	in, out int
	run     func(d device.Device, y, x device.Tensor, from, to int)
}

// inPieces checks that op gives the same bits for all rows at once, for random pieces of them, and for
// single rows.
func (w *twin) inPieces(op rowwise, rows int) {
	w.Helper()
	d := w.devs[0]
	x, start := w.tensor(rows, op.in), w.normal(rows*op.out)
	whole := w.set(w.tensor(rows, op.out), start)
	op.run(d, whole.t[0], x.t[0], 0, rows)
	pieces := w.set(w.tensor(rows, op.out), start)
	for at, c := 0, w.cuts(rows)[1:]; len(c) > 0; at, c = c[0], c[1:] {
		op.run(d, pieces.t[0].RowRange(at, c[0]), x.t[0].RowRange(at, c[0]), at, c[0])
	}
	w.equal(shapeName(op.name, "of", rows, "rows at once or in pieces"), w.got(pieces), w.got(whole))
	single := w.set(w.tensor(rows, op.out), start)
	for r := range rows {
		op.run(d, single.t[0].RowRange(r, r+1), x.t[0].RowRange(r, r+1), r, r+1)
	}
	w.equal(shapeName(op.name, "of", rows, "rows at once or one by one"), w.got(single), w.got(whole))
}

// batchSizes are numbers of rows around the tiles of matrix products.
func batchSizes() []int {
	if underRace {
		return []int{2, 13}
	}
	return []int{1, 2, 11, 12, 13, 37, maxBatch}
}

const maxBatch = 70

func bitsRows(w *twin) {
	table := w.ropeTable(200, 16).t[0]
	norm := w.dense(1, 100).t[0]
	ops := []rowwise{
		{"RMSNorm", 100, 100, func(d device.Device, y, x device.Tensor, _, _ int) { d.RMSNorm(y, x, norm, 1e-6) }},
		{"SwiGLU", 66, 33, func(d device.Device, y, x device.Tensor, _, _ int) { d.SwiGLU(y, x) }},
		{"RoPE", 48, 48, func(d device.Device, y, x device.Tensor, from, to int) {
			d.Copy(y, x)
			pos := make([]int32, to-from)
			for i := range pos {
				pos[i] = int32(from + i)
			}
			d.RoPE(y, 16, table, pos, false)
		}},
	}
	for _, dtype := range w.dtypes {
		for _, shape := range [][2]int{{48, 64}, {33, 100}, {300, 1100}} {
			m, bias := w.weight(shape[0], shape[1], dtype, false)[0], w.dense(1, shape[0]).t[0]
			name := shapeName(dtype, shape)
			ops = append(ops,
				rowwise{"MatMul " + name, shape[1], shape[0], func(d device.Device, y, x device.Tensor, _, _ int) { d.MatMul(y, x, m, device.Tensor{}) }},
				rowwise{"MatMul with bias " + name, shape[1], shape[0], func(d device.Device, y, x device.Tensor, _, _ int) { d.MatMul(y, x, m, bias) }},
				rowwise{"MatMulAdd " + name, shape[1], shape[0], func(d device.Device, y, x device.Tensor, _, _ int) { d.MatMulAdd(y, x, m) }})
		}
		for _, vocab := range []int{199, device.VocabChunk + 5} {
			m, targets, temp := w.weight(vocab, 40, dtype, false)[0], w.ids(maxBatch, vocab), w.temperatures(maxBatch)
			ops = append(ops, rowwise{shapeName("LogProbs", dtype, "vocabulary", vocab), 40, 3, func(d device.Device, y, x device.Tensor, from, to int) {
				d.LogProbs(y.ColRange(0, 1), y.ColRange(1, 2), y.ColRange(2, 3), x, m, targets[from:to], temp[from:to])
			}})
		}
	}
	for _, op := range ops {
		for _, rows := range batchSizes() {
			w.inPieces(op, rows)
		}
	}
}

func bitsRowsBackward(w *twin) {
	scratch, norm, input := w.dense(1, 100).t[0], w.dense(1, 100).t[0], w.dense(maxBatch, 100).t[0]
	gateUp, numbers := w.dense(maxBatch, 66).t[0], w.ids(maxBatch, 1<<30)
	ops := []rowwise{
		{"RMSNormBackward", 100, 100, func(d device.Device, dx, dy device.Tensor, from, to int) {
			d.RMSNormBackward(dx, scratch, dy, input.RowRange(from, to), norm, 1e-6, true)
		}},
		{"SwiGLUBackward", 33, 66, func(d device.Device, dx, dy device.Tensor, from, to int) {
			d.SwiGLUBackward(dx, dy, gateUp.RowRange(from, to))
		}},
		{"Dropout", 75, 75, func(d device.Device, y, x device.Tensor, from, to int) {
			d.Dropout(y, x, 0.25, 3, numbers[from:to], true)
		}},
	}
	for _, dtype := range w.dtypes {
		for _, shape := range [][2]int{{48, 64}, {300, 133}} {
			m := w.weight(shape[0], shape[1], dtype, true)[0]
			for _, add := range []bool{false, true} {
				ops = append(ops, rowwise{shapeName("MatMulBackward", dtype, shape, add), shape[0], shape[1], func(d device.Device, dx, dy device.Tensor, _, _ int) {
					d.MatMulBackward(dx, dy, m, add)
				}})
			}
		}
		vocab := device.VocabChunk + 5
		m, targets, temp := w.weight(vocab, 40, dtype, true)[0], w.ids(maxBatch, vocab), w.temperatures(maxBatch)
		dw, dlogp, lse := w.dense(vocab, 40).t[0], w.dense(maxBatch, 1).t[0], w.dense(maxBatch, 1).t[0]
		ops = append(ops, rowwise{shapeName("dh of LogProbsBackward", dtype), 40, 40, func(d device.Device, dh, h device.Tensor, from, to int) {
			d.LogProbsBackward(dh, dw, dlogp.RowRange(from, to), lse.RowRange(from, to), h, m, targets[from:to], temp[from:to], true)
		}})
	}
	for _, op := range ops {
		for _, rows := range batchSizes() {
			w.inPieces(op, rows)
		}
	}
}

// gradient is an operation that adds to a gradient the contributions of rows [from, to).
type gradient struct {
	name       string
	rows, cols int // of the gradient
	step       int // rows may be split at multiples of it
	add        func(d device.Device, dw device.Tensor, from, to int)
}

func bitsGradients(w *twin) {
	const n = 90
	x, dy, norm, dx := w.tensor(n, 70).t[0], w.tensor(n, 45).t[0], w.dense(1, 70).t[0], w.tensor(n, 70).t[0]
	ids := w.ids(n, 9)
	ops := []gradient{
		{"BiasGrad", 1, 45, 1, func(d device.Device, dw device.Tensor, from, to int) { d.BiasGrad(dw, dy.RowRange(from, to)) }},
		{"dw of RMSNormBackward", 1, 70, 1, func(d device.Device, dw device.Tensor, from, to int) {
			d.RMSNormBackward(dx.RowRange(from, to), dw, x.RowRange(from, to), x.RowRange(from, to), norm, 1e-6, false)
		}},
		{"ScatterAddRows", 9, 70, 1, func(d device.Device, dw device.Tensor, from, to int) {
			d.ScatterAddRows(dw, x.RowRange(from, to), ids[from:to])
		}},
		{"EmbedGrad", 9, 70, 1, func(d device.Device, dw device.Tensor, from, to int) {
			d.EmbedGrad(dw, x.RowRange(from, to), ids[from:to])
		}},
	}
	for _, dtype := range w.dtypes {
		step := 1
		if dtype == device.BF16 {
			step = device.GradRows
		}
		ops = append(ops, gradient{shapeName("WeightGrad", dtype), 45, 70, step, func(d device.Device, dw device.Tensor, from, to int) {
			d.WeightGrad(dw, dy.RowRange(from, to), x.RowRange(from, to), dtype)
		}})
		for _, vocab := range []int{60, device.VocabChunk + 3} {
			m, targets, temp := w.weight(vocab, 70, dtype, true)[0], w.ids(n, vocab), w.temperatures(n)
			logp, lse, dlogp := w.dense(n, 1).t[0], w.dense(n, 1).t[0], w.dense(n, 1).t[0]
			w.devs[0].LogProbs(logp, lse, device.Tensor{}, x, m, targets, temp)
			ops = append(ops, gradient{shapeName("dw of LogProbsBackward", dtype, vocab), vocab, 70, step, func(d device.Device, dw device.Tensor, from, to int) {
				d.LogProbsBackward(dx.RowRange(from, to), dw, dlogp.RowRange(from, to), lse.RowRange(from, to), x.RowRange(from, to), m, targets[from:to], temp[from:to], false)
			}})
		}
	}
	d := w.devs[0]
	for _, op := range ops {
		start := w.normal(op.rows * op.cols)
		for _, rows := range []int{1, 13, 64, n} {
			whole, pieces := w.set(w.tensor(op.rows, op.cols), start), w.set(w.tensor(op.rows, op.cols), start)
			op.add(d, whole.t[0], 0, rows)
			c := w.cuts((rows + op.step - 1) / op.step)
			for i := range len(c) - 1 {
				op.add(d, pieces.t[0], c[i]*op.step, min(c[i+1]*op.step, rows))
			}
			w.equal(shapeName(op.name, "over", rows, "rows in one call or", len(c)-1), w.got(pieces), w.got(whole))
		}
	}
}

func bitsSumSquares(w *twin) {
	d := w.devs[0]
	for _, n := range []int{1, 1000, 100_001} {
		x := w.dense(1, n)
		a, err := d.SumSquares(x.t[0])
		if err != nil {
			w.Fatal(err)
		}
		for range 3 {
			if b, _ := d.SumSquares(x.t[0]); a != b {
				w.Errorf("SumSquares of %d values is %v and then %v", n, a, b)
			}
		}
	}
}

// bitsViews: a view with gaps gives the bits of a dense tensor.
func bitsViews(w *twin) {
	d := w.devs[0]
	for _, rows := range []int{1, 3, 12, 40} {
		x, m := w.dense(rows, 50), w.weight(34, 50, device.F32, true)[0]
		gap := w.set(w.view(rows, 50, 3, 57), w.got(x))
		run := func(x pair) [][]float32 {
			y, z, g := w.dense(rows, 34), w.dense(rows, 50), w.set(w.dense(34, 50), make([]float32, 34*50))
			norm := w.set(w.dense(1, 50), w.read(x.t[0].RowRange(0, 1), 0))
			d.MatMul(y.t[0], x.t[0], m, device.Tensor{})
			d.RMSNorm(z.t[0], x.t[0], norm.t[0], 1e-6)
			d.WeightGrad(g.t[0], y.t[0], x.t[0], device.F32)
			return [][]float32{w.got(y), w.got(z), w.got(g)}
		}
		dense, gaps := run(x), run(gap)
		for i, name := range []string{"MatMul", "RMSNorm", "WeightGrad"} {
			w.equal(name+" of a view with gaps", gaps[i], dense[i])
		}
	}
}
