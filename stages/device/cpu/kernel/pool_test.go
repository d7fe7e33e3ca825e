package kernel

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestPoolRunsEachTaskOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		if p.Threads() != threads {
			t.Errorf("%d threads, want %d", p.Threads(), threads)
		}
		for _, n := range []int{0, 1, 2, 5, 100, 1000} {
			count := make([]atomic.Int32, n)
			busy := make([]atomic.Int32, threads)
			p.Run(n, func(worker, task int) {
				if busy[worker].Add(1) != 1 {
					t.Errorf("two tasks at once on worker %d", worker)
				}
				count[task].Add(1)
				busy[worker].Add(-1)
			})
			for i := range count {
				if c := count[i].Load(); c != 1 {
					t.Errorf("%d threads, %d tasks: task %d ran %d times", threads, n, i, c)
				}
			}
		}
		p.Close()
	}
}

// TestPoolPublishes checks, under the race detector, that plain writes are seen across Run.
func TestPoolPublishes(t *testing.T) {
	p := NewPool(4)
	defer p.Close()
	x := make([]int, 64)
	for round := range 2000 {
		p.Run(len(x), func(_, task int) {
			if x[task] != round {
				t.Errorf("task %d sees %d in round %d", task, x[task], round)
			}
			x[task]++
		})
		for i, v := range x {
			if v != round+1 {
				t.Fatalf("round %d: element %d is %d", round, i, v)
			}
		}
		if round%500 == 0 {
			time.Sleep(2 * spinFor) // so that workers park
		}
	}
}

func TestPoolParks(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	p.Run(10, func(int, int) {})
	deadline := time.Now().Add(10 * time.Second)
	for _, w := range p.workers {
		for !w.parked.Load() {
			if time.Now().After(deadline) {
				t.Fatal("a worker still spins after 10 s")
			}
			time.Sleep(time.Millisecond)
		}
	}
	var ran atomic.Int32
	p.Run(50, func(int, int) { ran.Add(1) })
	if ran.Load() != 50 {
		t.Errorf("%d tasks ran after parking, want 50", ran.Load())
	}
}

func TestPoolOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	before := NewPool(4)
	defer before.Close()
	runtime.GOMAXPROCS(2)
	after := NewPool(2) // spins, and then loses a processor
	defer after.Close()
	runtime.GOMAXPROCS(1)
	for _, p := range []*Pool{before, after} {
		var sum atomic.Int64
		for range 100 {
			p.Run(20, func(_, task int) { sum.Add(int64(task)) })
		}
		if sum.Load() != 100*190 {
			t.Errorf("sum %d, want %d", sum.Load(), 100*190)
		}
	}
}

func TestPoolPanic(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	fault := errors.New("fault of task 7")
	for round := range 50 {
		func() {
			defer func() {
				failed, ok := recover().(*TaskPanic)
				if !ok || failed.Value != fault || !errors.Is(failed, fault) || len(failed.Stack) == 0 {
					t.Fatalf("round %d: Run panicked with %v", round, failed)
				}
			}()
			p.Run(1000, func(_, task int) {
				if task == 7 {
					panic(fault)
				}
			})
			t.Fatal("Run returned after a panic")
		}()
		var ran atomic.Int32
		p.Run(10, func(int, int) { ran.Add(1) })
		if ran.Load() != 10 {
			t.Fatalf("round %d: %d tasks ran after a panic, want 10", round, ran.Load())
		}
	}
}

// TestPoolTaskExit covers a task that ends its goroutine: Run must not wait for ever.
func TestPoolTaskExit(t *testing.T) {
	p := NewPool(2)
	done := make(chan any)
	go func() {
		defer func() { done <- recover() }()
		p.Run(200, func(worker, task int) {
			if worker == 1 {
				runtime.Goexit()
			}
			time.Sleep(100 * time.Microsecond)
		})
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("Run waits for a worker that is gone")
	}
	p.Close()
}

func TestPoolMisuse(t *testing.T) {
	mustPanic := func(what string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", what)
			}
		}()
		f()
	}
	p := NewPool(2)
	mustPanic("nested Run", func() { p.Run(2, func(int, int) { p.Run(2, func(int, int) {}) }) })
	p.Run(2, func(int, int) {}) // still works
	p.Close()
	mustPanic("Run after Close", func() { p.Run(2, func(int, int) {}) })
}
