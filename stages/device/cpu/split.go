package cpu

import "openrs/stages/device/cpu/kernel"

// worker is what one thread of the pool owns.
type worker struct {
	gemm *kernel.Scratch
	buf  []float32

	pairs   []uint32
	rounded roundedPart
	asked   asked
	runs    []keyRun
	logits  logitRow
	cand    []candidate
}

// floats returns n values of scratch memory with any content. The next call reuses it, so an operation
// asks once and cuts the slice up. It only ever grows.
func (w *worker) floats(n int) []float32 {
	if cap(w.buf) < n {
		w.buf = make([]float32, n+n/4)
	}
	return w.buf[:n]
}

// cut takes the first n values off *s.
func cut(s *[]float32, n int) []float32 {
	head := (*s)[:n:n]
	*s = (*s)[n:]
	return head
}

// shared is scratch memory that all threads see, kept between calls and only ever grown.
type shared struct {
	a, b   []float32
	pairs  []uint32
	sums   []float64
	spans  []span
	tiles  []tile
	plan   gradPlan
	faults []error
}

// grow returns n values of *s with any content.
func grow[T any](s *[]T, n int) []T {
	if cap(*s) < n {
		*s = make([]T, n+n/4)
	}
	return (*s)[:n]
}

// minWork is the nanoseconds (estimated) that make a task: less is not worth another thread's attention.
// A device starts with it; tests set it to next to nothing, to split everything.
const minWork = 4000

// tasksPerWorker is into how many tasks a worker's share is cut, so that an uneven start evens out.
const tasksPerWorker = 8

// split calls f on consecutive ranges that cover [0, n), on all threads when there is enough to do:
// cost is the estimated nanoseconds of one item, and ranges start at multiples of align. f must give
// the same result however the range is split.
func (d *Device) split(n, align int, cost float64, f func(w *worker, lo, hi int)) {
	if n <= 0 {
		return
	}
	total := float64(n) * cost
	if len(d.workers) == 1 || total < 2*d.minWork {
		f(d.workers[0], 0, n)
		return
	}
	units := (n + align - 1) / align
	tasks := min(units, len(d.workers)*tasksPerWorker, int(total/d.minWork))
	if tasks < 2 {
		f(d.workers[0], 0, n)
		return
	}
	d.pool.RunAhead(tasks, func(id, task int) {
		lo, hi := units*task/tasks*align, units*(task+1)/tasks*align
		f(d.workers[id], lo, min(hi, n))
	}, d.ahead)
}
