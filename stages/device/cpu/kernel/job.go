package kernel

import (
	"runtime/debug"
	"sync/atomic"
)

// job is one call of Run. What threads write has cache lines of its own, and is written as seldom as can
// be: between processors that share no cache, a line takes longer to change hands than many a task.
type job struct {
	f      func(worker, task int)
	ahead  func(worker int) bool // or nil
	shares []share
	failed atomic.Pointer[TaskPanic]

	_    [64]byte
	left atomic.Int64 // tasks that have not finished, or that their worker has not reported yet
	// waiting says that the caller sleeps on Pool.done, which whoever finishes the last task must feed.
	waiting atomic.Bool
	_       [64]byte
}

// share is the tasks that one worker begins with: [from, to), from in the low half.
type share struct {
	tasks atomic.Uint64
	_     [56]byte
}

// Share returns the tasks [from, to) of n that worker begins with, of as many workers as have one.
func Share(n, workers, worker int) (from, to int) {
	workers = min(workers, n)
	if worker >= workers {
		return n, n
	}
	return n * worker / workers, n * (worker + 1) / workers
}

// maxTasks is the most tasks of a job: a number of them is half of a share.
const maxTasks = 1<<32 - 1

func newJob(n, workers int, f func(worker, task int)) *job {
	if n > maxTasks {
		panic("kernel: too many tasks")
	}
	j := &job{f: f, shares: make([]share, workers)}
	for i := range j.shares {
		from, to := Share(n, workers, i)
		j.shares[i].tasks.Store(uint64(to)<<32 | uint64(from))
	}
	j.left.Store(int64(n))
	return j
}

// first takes the first task of the share, last the last one.
func (s *share) first() (task int, ok bool) {
	for {
		old := s.tasks.Load()
		from, to := old&maxTasks, old>>32
		if from >= to {
			return 0, false
		}
		if s.tasks.CompareAndSwap(old, old+1) {
			return int(from), true
		}
	}
}

func (s *share) last() (task int, ok bool) {
	for {
		old := s.tasks.Load()
		from, to := old&maxTasks, old>>32
		if from >= to {
			return 0, false
		}
		if s.tasks.CompareAndSwap(old, old-1<<32) {
			return int(to - 1), true
		}
	}
}

// empty takes all tasks of the share and returns their number.
func (s *share) empty() int {
	old := s.tasks.Swap(0)
	from, to := old&maxTasks, old>>32
	return int(max(to, from) - from)
}

// take takes the next task for a worker: of its own share, then of the others, those of the next workers
// first.
func (j *job) take(worker int) (task int, ok bool) {
	if worker < len(j.shares) {
		if task, ok = j.shares[worker].first(); ok {
			return task, ok
		}
	}
	for i := 1; i <= len(j.shares); i++ {
		if task, ok = j.shares[(worker+i)%len(j.shares)].last(); ok {
			return task, ok
		}
	}
	return 0, false
}

// drain takes tasks until none is left.
func (j *job) drain(p *Pool, worker int) {
	for j.failed.Load() == nil {
		task, ok := j.take(worker)
		if !ok {
			return
		}
		j.runFrom(p, worker, task)
	}
	// After a failure the tasks that nobody has started count as finished.
	for i := range j.shares {
		if skipped := j.shares[i].empty(); skipped > 0 {
			j.finish(p, skipped)
		}
	}
}

// runFrom runs task and then further ones, until none is left or one panics, and reports them finished.
func (j *job) runFrom(p *Pool, worker, task int) {
	finished, ran := false, 0
	defer func() {
		if finished {
			j.finish(p, ran)
			return
		}
		// A panic, or runtime.Goexit, which recover does not see.
		v := recover()
		if v == nil {
			v = "task called runtime.Goexit"
		}
		j.failed.CompareAndSwap(nil, &TaskPanic{Value: v, Stack: debug.Stack()})
		j.finish(p, ran+1)
	}()
	for ok := true; ok; task, ok = j.take(worker) {
		j.f(worker, task)
		ran++
		if j.failed.Load() != nil {
			break
		}
	}
	finished = true
}

// finish counts tasks as finished and wakes the caller after the last.
func (j *job) finish(p *Pool, tasks int) {
	if j.left.Add(-int64(tasks)) == 0 && j.waiting.CompareAndSwap(true, false) {
		p.done <- struct{}{}
	}
}
