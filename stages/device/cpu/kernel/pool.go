package kernel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs numbered tasks on a fixed number of threads. Its workers wait for the next call by spinning
// for some tens of microseconds, since the regions of a decoding step follow each other closely, and
// then park until they are woken; an idle pool costs nothing.
//
// Run is for one goroutine at a time, and tasks must not call it.
type Pool struct {
	threads int
	spin    time.Duration
	workers []*worker
	wg      sync.WaitGroup

	_       [64]byte
	current atomic.Pointer[job] // the latest job; replaced by each Run
	_       [64]byte
	running atomic.Bool   // guards against concurrent and nested Run
	done    chan struct{} // capacity 1; see job.waiting
}

// worker is one goroutine of the pool, numbered from 1. Worker 0 is the caller of Run.
type worker struct {
	parked atomic.Bool
	wake   chan struct{} // capacity 1: one token for each change of parked from true to false
	_      [64]byte
}

// TaskPanic is what [Pool.Run] panics with after a task has panicked.
type TaskPanic struct {
	Value any    // the value of the first panic
	Stack []byte // where it happened
}

// Error describes the panic with the stack of the task.
func (p *TaskPanic) Error() string {
	return fmt.Sprintf("panic in a task: %v\n\ntask %s", p.Value, p.Stack)
}

// Unwrap returns the value if it is an error.
func (p *TaskPanic) Unwrap() error {
	err, _ := p.Value.(error)
	return err
}

// spinFor is how long workers and callers spin before they park.
const spinFor = 50 * time.Microsecond

// NewPool returns a pool of the given number of threads, the caller of Run included: threads − 1
// goroutines are started. Close ends them.
func NewPool(threads int) *Pool {
	spin := spinFor
	if runtime.GOMAXPROCS(0) < threads {
		spin = 0 // whoever spins keeps another worker from running
	}
	return newPool(threads, spin)
}

func newPool(threads int, spin time.Duration) *Pool {
	p := &Pool{threads: max(threads, 1), spin: spin, done: make(chan struct{}, 1)}
	idle := &job{}
	p.current.Store(idle)
	for id := 1; id < p.threads; id++ {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		p.wg.Add(1)
		go p.work(w, id, idle)
	}
	return p
}

// Threads returns the number of threads; worker numbers are below it.
func (p *Pool) Threads() int { return p.threads }

// Run calls f(worker, task) for each task in [0, n) and returns when all have returned. Worker i takes the
// tasks of its share ([Share]) in order, so that tasks that lie next to each other in memory are read in one
// stream, and then helps others from the ends of their shares. Calls with the same worker number never
// overlap. With one thread, or one task, all run inline and a panic passes as it is. Otherwise, if a task
// panics, no further tasks start, those that run are waited for, and Run panics with a [*TaskPanic].
func (p *Pool) Run(n int, f func(worker, task int)) { p.RunAhead(n, f, nil) }

// RunAhead is Run for callers that know what comes next. A thread that finds no task left calls
// ahead(worker), again and again until it returns false, while it waits: the caller of RunAhead for the
// others to finish, the others for the next call. So ahead may run after RunAhead has returned, beside
// what the caller does then and beside the calls of other threads; each call should be a fraction of a
// microsecond. It is not called where a thread should not be kept busy with waiting.
func (p *Pool) RunAhead(n int, f func(worker, task int), ahead func(worker int) bool) {
	if n <= 0 {
		return
	}
	if !p.running.CompareAndSwap(false, true) {
		panic("kernel: Pool.Run called while another Run is in progress")
	}
	defer p.running.Store(false)
	if p.current.Load() == nil {
		panic("kernel: Pool.Run after Close")
	}
	if p.threads == 1 || n == 1 {
		for task := range n {
			f(0, task)
		}
		return
	}
	j := newJob(n, min(n, p.threads), f)
	if p.spin > 0 {
		j.ahead = ahead
	}
	p.current.Store(j)
	for _, w := range p.workers[:min(n-1, len(p.workers))] {
		w.unpark()
	}
	j.drain(p, 0)
	p.await(j)
	if failed := j.failed.Load(); failed != nil {
		panic(failed)
	}
}

// Close ends the workers and waits for them. Run must not be in progress.
func (p *Pool) Close() {
	if !p.running.CompareAndSwap(false, true) {
		panic("kernel: Pool.Close while Run is in progress")
	}
	defer p.running.Store(false)
	p.current.Store(nil)
	for _, w := range p.workers {
		w.unpark()
	}
	p.wg.Wait()
}

// work is the life of a worker: wait for a job other than the last, help with it, repeat.
func (p *Pool) work(w *worker, id int, last *job) {
	defer p.wg.Done()
	for {
		j := p.nextJob(w, id, last)
		if j == nil {
			return
		}
		j.drain(p, id)
		last = j
	}
}

// nextJob waits until the current job is not last and returns it.
func (p *Pool) nextJob(w *worker, id int, last *job) *job {
	for last.ahead != nil && last.ahead(id) {
		if j := p.current.Load(); j != last {
			return j
		}
	}
	for {
		s := newSpinner(p.spin)
		for s.again() {
			if j := p.current.Load(); j != last {
				return j
			}
		}
		w.parked.Store(true)
		// A job published before the store may have seen an unparked worker: look again.
		if j := p.current.Load(); j != last && w.parked.CompareAndSwap(true, false) {
			return j
		}
		<-w.wake
	}
}

// unpark wakes the worker if it has parked.
func (w *worker) unpark() {
	if w.parked.Load() && w.parked.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// await waits until all tasks of j have finished.
func (p *Pool) await(j *job) {
	for j.ahead != nil && j.ahead(0) && j.left.Load() != 0 {
	}
	s := newSpinner(p.spin)
	for s.again() {
		if j.left.Load() == 0 {
			return
		}
	}
	j.waiting.Store(true)
	if j.left.Load() == 0 && j.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.done
}

// spinner bounds a busy wait by time.
type spinner struct {
	limit time.Duration
	start time.Time
	n     int
}

func newSpinner(limit time.Duration) spinner { return spinner{limit: limit} }

// again reports whether to look once more, after a short pause. The first look is free.
func (s *spinner) again() bool {
	s.n++
	if s.n == 1 {
		return true
	}
	if s.limit <= 0 {
		return false
	}
	pause(4)
	if s.n&31 == 2 {
		if s.start.IsZero() {
			s.start = time.Now()
		} else if time.Since(s.start) > s.limit {
			return false
		}
	}
	return true
}
