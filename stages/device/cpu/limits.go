package cpu

import (
	"fmt"
	"time"

	"openrs/stages/device"
	"openrs/stages/device/cpu/kernel"
)

var _ device.Limits = (*Device)(nil)

// limitTime is how long a limit is measured, after its preparation. Of the passes that fit in, the best
// one counts: others were disturbed.
const limitTime = 300 * time.Millisecond

// Threads implements [device.Limits].
func (d *Device) Threads() int { return len(d.workers) }

// ArithmeticLimit implements [device.Limits].
func (d *Device) ArithmeticLimit(dtype device.DType) (float64, error) {
	d.open("ArithmeticLimit")
	multiplyAdds := d.set.MultiplyAdds
	switch dtype {
	case device.F32:
	case device.BF16:
		multiplyAdds = d.set.MultiplyAddsBF16
	default:
		return 0, fmt.Errorf("cpu: arithmetic of type %v", dtype)
	}
	const rounds = 50_000 // some tenths of a millisecond
	flops := make([]int, 4*len(d.workers))
	return bestRate(func(int) float64 {
		d.pool.Run(len(flops), func(_, task int) { flops[task] = multiplyAdds(rounds) })
		return float64(len(flops) * flops[0])
	}), nil
}

// Reading is measured over readBlocks blocks, 512 MiB, each readRows rows of readPanels panels.
const (
	readPanels = 4
	readRows   = 1024
	readBlock  = readPanels * readRows * kernel.Panel
	readBlocks = 512 << 20 / 4 / readBlock
)

// MemoryLimit implements [device.Limits]. It takes 512 MiB for the time of the call. Passes alternate
// between the two ways in which a step of decoding reads: the product of one row with a weight, and
// inner products.
func (d *Device) MemoryLimit() (float64, error) {
	d.open("MemoryLimit")
	data, err := allocate(readBlocks*readBlock, "measuring the memory")
	if err != nil {
		return 0, err
	}
	defer kernel.FreeFloats(data)
	blocks := func(f func(id int, x []float32)) {
		tasks := min(tasksPerWorker*len(d.workers), readBlocks)
		d.pool.Run(tasks, func(id, task int) {
			f(id, data[readBlocks*task/tasks*readBlock:readBlocks*(task+1)/tasks*readBlock])
		})
	}
	// Memory that was never written is one page of zeros, which the caches hold: write to each page.
	const page = 1 << 10
	blocks(func(_ int, x []float32) {
		for i := 0; i < len(x); i += page {
			x[i] = 1
		}
	})
	row := make([]float32, readRows)
	readers := [...]func(id int, x []float32){
		func(id int, x []float32) {
			n := len(x) / readRows
			d.set.Gemm(d.workers[id].floats(n), n, row, readRows, x, 1, n, readRows, 0, n/kernel.Panel, nil, kernel.Store, d.workers[id].gemm)
		},
		func(_ int, x []float32) { d.set.Dot(x[:len(x)/2], x[len(x)/2:]) },
	}
	return bestRate(func(pass int) float64 {
		blocks(readers[pass%len(readers)])
		return 4 * float64(len(data))
	}), nil
}

// bestRate calls pass, numbered from 0, for limitTime and at least twice. It returns the highest of
// their rates: what pass returns by the nanoseconds it took.
func bestRate(pass func(n int) float64) float64 {
	var best float64
	began := time.Now()
	for n := 0; n < 2 || time.Since(began) < limitTime; n++ {
		start := time.Now()
		amount := pass(n)
		best = max(best, amount/float64(max(1, time.Since(start))))
	}
	return best
}
