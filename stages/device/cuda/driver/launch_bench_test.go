//go:build cuda

package driver

import "testing"

// BenchmarkLaunch is what a launch costs the goroutine that enqueues it, and the step what 400 launches, as a step of decoding
// has, and the wait for them cost from end to end. On a GPU that has nothing else to do, that is what the launches take.
func BenchmarkLaunch(b *testing.B) {
	const launches = 400
	g := open(b, 0, Options{})
	addr := g.alloc(b, 64)
	g.increment(addr, 64)
	wait := func() {
		check(b, g.Do("wait", func() error {
			if err := g.s.Record(g.e); err != nil {
				return err
			}
			return g.Await(g.e)
		}))
	}
	wait()
	b.Run("enqueue", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			g.increment(addr, 64)
			if n%launches == 0 { // the queue is never full
				b.StopTimer()
				wait()
				b.StartTimer()
			}
		}
	})
	b.Run("step", func(b *testing.B) {
		for b.Loop() {
			for range launches {
				g.increment(addr, 64)
			}
			wait()
		}
	})
	b.Run("wait", func(b *testing.B) {
		for b.Loop() {
			wait()
		}
	})
	b.Run("driver", func(b *testing.B) { // the driver call alone
		b.ReportAllocs()
		check(b, g.Do("driver", func() error {
			l := Launch{Function: g.add1, Grid: Dim{X: 1}, Block: Dim{X: 64}, Stream: g.s, N: 2}
			l.Args[0] = addr
			for n := 0; b.Loop(); n++ {
				if err := g.start(&l); err != nil {
					return err
				}
				if n%launches == 0 {
					b.StopTimer()
					if err := g.s.Record(g.e); err != nil {
						return err
					}
					if err := g.Await(g.e); err != nil {
						return err
					}
					b.StartTimer()
				}
			}
			return nil
		}))
	})
}
