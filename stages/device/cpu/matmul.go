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

// taskPanels is how many panels of a product of few rows make a task at least, about: each task waits for
// memory at its first, which nobody has prefetched.
const taskPanels = 7

// flopsPerNs is how many multiply-adds a thread does a nanosecond, about, to size tasks.
const flopsPerNs = 40

// MatMul implements [device.Forward].
func (d *Device) MatMul(y, x device.Tensor, w device.Weight, bias device.Tensor) {
	const op = "MatMul"
	c, a, p := d.view(op, "y", y), d.view(op, "x", x), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.out || a.cols != p.in {
		mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	var b []float32
	if !bias.IsZero() {
		m := d.view(op, "bias", bias)
		if m.rows != 1 || m.cols != p.out {
			mismatch(op, "bias", bias, "w", shapeOf(p))
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
		mismatch(op, "y", y, "x", x, "w", shapeOf(p))
	}
	d.matMul(c, a, p, nil, kernel.Add)
}

func (d *Device) matMul(c, a matrix, w *weight, bias []float32, mode kernel.Mode) {
	x := d.leftOf(w, a)
	d.grid(a.rows, panels(w.out), w.in, func(t *worker, r0, r1, p0, p1 int) {
		d.forward(t, c.from(r0, 0), c.stride, x.part(d, t, r0, r1, 0, w.in), w, r1-r0, 0, w.out, p0, p1, bias, mode)
	})
}

// MatMulBackward implements [device.Backward]. The product is summed in chunks of backChunk outputs,
// in order; within a chunk it is one chain.
func (d *Device) MatMulBackward(dx, dy device.Tensor, w device.Weight, add bool) {
	const op = "MatMulBackward"
	c, a, p := d.view(op, "dx", dx), d.view(op, "dy", dy), d.weightOf(op, w)
	if c.rows != a.rows || c.cols != p.in || a.cols != p.out {
		mismatch(op, "dx", dx, "dy", dy, "w", shapeOf(p))
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
	if rowTasks < want {
		panelTasks = min(panels, (want+rowTasks-1)/rowTasks)
		// The same number for every thread.
		share := len(d.workers) * taskPanels
		panelTasks = min(panelTasks, (panels+share-1)/share*len(d.workers))
	}
	d.pool.Run(rowTasks*panelTasks, func(id, task int) {
		i, j := task/panelTasks, task%panelTasks
		r0, r1 := tiles*i/rowTasks*rowTile, min(tiles*(i+1)/rowTasks*rowTile, rows)
		f(d.workers[id], r0, r1, panels*j/panelTasks, panels*(j+1)/panelTasks)
	})
}

// WeightGrad implements [device.Backward].
func (d *Device) WeightGrad(dw, dy, x device.Tensor) {
	const op = "WeightGrad"
	c, a, b := d.view(op, "dw", dw), d.view(op, "dy", dy), d.view(op, "x", x)
	if a.rows != b.rows || c.rows != a.cols || c.cols != b.cols {
		mismatch(op, "dw", dw, "dy", dy, "x", x)
	}
	d.outer(c, a, b)
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
		mismatch(op, "db", db, "dy", dy)
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
