package kernel

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	for n := range 40 {
		for workers := 1; workers < 12; workers++ {
			at := 0
			for w := range workers {
				from, to := Share(n, workers, w)
				if from != at || w < min(n, workers) && to <= from {
					t.Fatalf("%d tasks, worker %d of %d: [%d, %d), want something from %d on", n, w, workers, from, to, at)
				}
				at = to
			}
			if at != n {
				t.Fatalf("%d tasks for %d workers: shares end at %d", n, workers, at)
			}
		}
	}
}

// TestTake follows one worker: its own share from the front, then the others from the back.
func TestTake(t *testing.T) {
	for _, c := range []struct {
		n, workers, worker int
		want               []int
	}{
		{6, 2, 0, []int{0, 1, 2, 5, 4, 3}},
		{6, 2, 1, []int{3, 4, 5, 2, 1, 0}},
		{7, 3, 1, []int{2, 3, 6, 5, 4, 1, 0}},
		{2, 2, 7, []int{0, 1}}, // more workers than shares
		{1, 1, 0, []int{0}},
	} {
		j := newJob(c.n, c.workers, nil)
		var got []int
		for {
			task, ok := j.take(c.worker)
			if !ok {
				break
			}
			got = append(got, task)
		}
		sorted := slices.Sorted(slices.Values(got))
		if c.worker >= c.workers {
			got = sorted
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("worker %d of %d takes %v of %d tasks, want %v", c.worker, c.workers, got, c.n, c.want)
		}
	}
}

// TestRunAhead checks who calls ahead, and that it ends: with false, and with the next job.
func TestRunAhead(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := newPool(threads, spinFor) // even with fewer processors
		running := make([]atomic.Bool, threads)
		calls := make([]int, threads) // each is of its own worker
		for round := range 200 {
			var tasks atomic.Int32
			p.RunAhead(10, func(worker, _ int) {
				if running[worker].Swap(true) {
					t.Error("two tasks at once on a worker")
				}
				calls[worker] = 0
				tasks.Add(1)
				running[worker].Store(false)
			}, func(worker int) bool {
				if running[worker].Load() {
					t.Error("ahead beside a task of the same worker")
				}
				calls[worker]++
				return calls[worker] < 50+round
			})
			if tasks.Load() != 10 {
				t.Fatalf("%d tasks ran, want 10", tasks.Load())
			}
			if round%50 == 0 {
				time.Sleep(2 * spinFor) // so that workers park
			}
		}
		p.Close()
	}
}

// TestRunAheadFindsWork has waiting threads that would ask for ever: the next job must not wait for them.
func TestRunAheadFindsWork(t *testing.T) {
	p := newPool(3, spinFor)
	var sum atomic.Int64
	for range 100 {
		p.RunAhead(8, func(_, task int) { sum.Add(int64(task)) }, func(int) bool { return true })
	}
	p.Run(8, func(_, task int) { sum.Add(int64(task)) })
	p.Close()
	if sum.Load() != 101*28 {
		t.Errorf("sum %d, want %d", sum.Load(), 101*28)
	}
}

func TestPrefetch(t *testing.T) {
	Prefetch[float32](nil)
	Prefetch([]uint32{1})
	x := AllocFloats(hugeBytes / 4)
	FreeFloats(x)
	Prefetch(x) // is not read
}
