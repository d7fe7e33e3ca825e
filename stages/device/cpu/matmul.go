package cpu

import (
	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

// A task of a product covers at most this many rows of x, whole tiles of the kernels.
const (
	rowTile  = 12
	rowBlock = 8 * rowTile
)

// A product of at most rowTile rows takes as long as its weight takes to read, and a thread that has nothing to
// do while another reads its last panels is missed: a worker's share is cut into up to fineTasks tasks. With
// more rows each panel is passed over several times, the next one being fetched meanwhile, and a task should
// be some panels: taskPanels, about.
const (
	fineTasks  = 256
	taskPanels = 7
)

// flopsPerNs is how many multiply-adds a thread does a nanosecond, about, to size tasks.
const flopsPerNs = 40

// MatMul implements [device.Forward].
func (d *Device) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	const op = "MatMul"
	c, a, p := d.view(op, "y", y), d.view(op, "x", x), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.out || a.cols != p.in {
		device.Mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	var b []float32
	if !bias.IsZero() {
		m := d.view(op, "bias", bias)
		if m.rows != 1 || m.cols != p.out {
			device.Mismatch(op, "bias", bias, "w", shapeOf(p))
		}
		b = m.row0()
	}
	d.matMul(c, a, p, b, kernel.Store)
}

// MatMulAdd implements [device.Forward].
func (d *Device) MatMulAdd(y, x device.Tensor, w device.Weight) {
	const op = "MatMulAdd"
	c, a, p := d.view(op, "y", y), d.view(op, "x", x), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.out || a.cols != p.in {
		device.Mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	d.matMul(c, a, p, nil, kernel.Add)
}

func (d *Device) matMul(c, a matrix, w *weight, bias []float32, mode kernel.Mode) {
	x := d.leftOf(w, a)
	d.follows(w, a.rows)
	d.grid(a.rows, panels(w.out), w.in, func(t *worker, r0, r1, p0, p1 int) {
		t.asked.begun(w)
		d.forward(t, c.from(r0, 0), c.stride, x.part(d, t, r0, r1, 0, w.in), w, r1-r0, 0, w.out, p0, p1, bias, mode)
	})
}

// MatMulBackward implements [device.Backward]. The product is summed in chunks of backChunk outputs,
// in order; within a chunk it is one chain.
func (d *Device) MatMulBackward(dx, dy device.Tensor, w device.Weight, add bool) {
	const op = "MatMulBackward"
	c, a, p := d.view(op, "dx", dx), d.view(op, "dy", dy), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.in || a.cols != p.out {
		device.Mismatch(op, "dx", dx, "dy", dy, "w", shapeOf(p))
	}
	if !p.grad() {
		panic("device: MatMulBackward: the weight was made without grad")
	}
	x := d.leftOf(p, a)
	d.grid(a.rows, panels(p.in), p.out, func(t *worker, r0, r1, p0, p1 int) {
		mode := modeOf(add)
		for from := 0; from < p.out; from += backChunk {
			part := x.part(d, t, r0, r1, from, min(from+backChunk, p.out))
			d.backward(t, c.from(r0, 0), c.stride, part, p, r1-r0, from, p0, p1, mode)
			mode = kernel.Add
		}
	})
}

func modeOf(add bool) kernel.Mode {
	if add {
		return kernel.Add
	}
	return kernel.Store
}

// grid calls f on blocks of rows and panels that cover rows × panels, on all threads when that is worth
// it. Rows are split first; panels only when there are few rows, as each task reads its rows anew.
func (d *Device) grid(rows, panels, k int, f func(t *worker, r0, r1, p0, p1 int)) {
	if rows == 0 {
		return
	}
	total := float64(rows) * float64(panels) * float64(k) * kernel.Panel / flopsPerNs
	if len(d.workers) == 1 || total < 2*d.minWork {
		for r := 0; r < rows; r += rowBlock {
			f(d.workers[0], r, min(r+rowBlock, rows), 0, panels)
		}
		return
	}
	want := min(len(d.workers)*tasksPerWorker, int(total/d.minWork))
	tiles := (rows + rowTile - 1) / rowTile
	rowTasks := (tiles + rowBlock/rowTile - 1) / (rowBlock / rowTile)
	panelTasks := 1
	if rowTasks == 1 {
		panelTasks = d.panelTasks(rows, panels, total)
	} else if rowTasks < want {
		panelTasks = min(panels, (want+rowTasks-1)/rowTasks)
	}
	d.pool.RunAhead(rowTasks*panelTasks, func(id, task int) {
		i, j := task/panelTasks, task%panelTasks
		r0, r1 := tiles*i/rowTasks*rowTile, min(tiles*(i+1)/rowTasks*rowTile, rows)
		f(d.workers[id], r0, r1, panels*j/panelTasks, panels*(j+1)/panelTasks)
	}, d.ahead)
}

// panelTasks is into how many tasks the panels of a product of rows are cut that takes total nanoseconds: the
// same number for each thread, so that shares of tasks are shares of panels.
func (d *Device) panelTasks(rows, panels int, total float64) int {
	threads := len(d.workers)
	perThread := min(int(4*total/d.minWork)/threads, fineTasks)
	if rows > rowTile {
		share := (panels + threads - 1) / threads
		perThread = min(int(total/d.minWork)/threads, tasksPerWorker, (share+taskPanels-1)/taskPanels)
	}
	return min(panels, max(perThread, 1)*threads)
}

// WeightGrad implements [device.Backward].
func (d *Device) WeightGrad(dw, dy, x device.Tensor, dtype device.DType) {
	const op = "WeightGrad"
	c, a, b := d.view(op, "dw", dw), d.view(op, "dy", dy), d.view(op, "x", x)
	if a.rows != b.rows || c.rows != a.cols || c.cols != b.cols {
		device.Mismatch(op, "dw", dw, "dy", dy, "x", x)
	}
	if dtype != device.BF16 {
		d.outer(c, a, b)
		return
	}
	for r0 := 0; r0 < a.rows; r0 += outerRows {
		r1 := min(r0+outerRows, a.rows)
		d.outerPacked(c, a.rowRange(r0, r1), d.packRight(b.rowRange(r0, r1)))
	}
}

// outerRows is how many rows of the right side of a gradient of bfloat16 are packed at a time: some
// megabytes, and a multiple of device.GradRows.
const outerRows = 128 * device.GradRows

// packRight packs b as right side of outerPacked, valid until the next call.
func (d *Device) packRight(b matrix) []uint32 {
	pairs := kernel.Pairs(b.rows)
	packed := grow(&d.shared.pairs, kernel.PackedPairsLen(b.cols, b.rows))
	d.split(panels(b.cols), 1, float64(b.rows)*kernel.Panel*2*copyCost, func(_ *worker, lo, hi int) {
		col := lo * kernel.Panel
		if n := min(hi*kernel.Panel, b.cols) - col; n > 0 {
			d.set.PackBF16(packed[col*pairs:], b.from(0, col), b.stride, b.rows, n)
		}
	})
	return packed
}

// outerPacked is outer of bfloat16, for a right side of packRight.
func (d *Device) outerPacked(c, a matrix, b []uint32) {
	if a.rows == 0 || c.rows == 0 || c.cols == 0 {
		return
	}
	cost := float64(a.rows) * float64(c.cols) / (2 * flopsPerNs)
	d.split(c.rows, rowTile, cost, func(t *worker, lo, hi int) {
		d.set.GemmTABF16(c.data, c.stride, a.data, a.stride, b, c.rows, c.cols, a.rows, lo, hi, t.gemm)
	})
}

// outer computes c += aᵀ·b, split over the rows of c: each element is one chain over the rows of a and
// b, from what c holds.
func (d *Device) outer(c, a, b matrix) {
	if a.rows == 0 || c.rows == 0 || c.cols == 0 {
		return
	}
	cost := float64(a.rows) * float64(c.cols) / flopsPerNs
	d.split(c.rows, rowTile, cost, func(t *worker, lo, hi int) {
		d.set.GemmTA(c.data, c.stride, a.data, a.stride, b.data, b.stride, c.rows, c.cols, a.rows, lo, hi, t.gemm)
	})
}

// BiasGrad implements [device.Backward].
func (d *Device) BiasGrad(db, dy device.Tensor) {
	const op = "BiasGrad"
	c, a := d.view(op, "db", db), d.view(op, "dy", dy)
	if c.rows != 1 || c.cols != a.cols {
		device.Mismatch(op, "db", db, "dy", dy)
	}
	d.columns(a.rows, a.cols, func(_ *worker, lo, hi int) {
		sum := c.row0()[lo:hi]
		for r := range a.rows {
			d.set.AddTo(sum, a.row(r)[lo:hi])
		}
	})
}

// columns splits cols for an operation that makes one kernel call a row for its columns.
func (d *Device) columns(rows, cols int, f func(w *worker, lo, hi int)) {
	if rows == 0 {
		return
	}
	const align = 64
	d.split(cols, align, float64(rows)*(callCost/align+copyCost), f)
}
