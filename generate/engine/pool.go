package engine

import (
	"errors"
	"fmt"
	"sync"
)

// Pool is engines on several devices, with the same weights, that share requests. What is sampled does not
// depend on which engine did it. Like an engine it is used by one goroutine.
type Pool struct {
	engines []*Engine
	steps   []outcome // of each engine's last step
}

type outcome struct {
	results []Result
	err     error
}

// NewPool returns a pool of engines, which the pool closes.
func NewPool(engines ...*Engine) *Pool {
	p := &Pool{}
	for _, e := range engines {
		p.Join(e)
	}
	return p
}

// Join adds an engine, of the same options as the others: a request that one can't take no other can. The
// first Add comes after the first Join.
func (p *Pool) Join(e *Engine) {
	p.engines, p.steps = append(p.engines, e), append(p.steps, outcome{})
}

// Add queues a request where there is the most room; see [Engine.Add].
func (p *Pool) Add(r Request) error {
	best := p.engines[0]
	for _, e := range p.engines[1:] {
		if e.sched.width() < best.sched.width() {
			best = e
		}
	}
	return best.Add(r)
}

// Step advances every engine by one forward pass, all at once, and returns the requests that were
// finished, in order of engine. After an error the pool is of no more use.
func (p *Pool) Step() ([]Result, error) {
	if len(p.engines) == 1 {
		return p.engines[0].Step()
	}
	var all sync.WaitGroup
	for i, e := range p.engines {
		p.steps[i] = outcome{}
		if e.Idle() {
			continue
		}
		all.Go(func() {
			p.steps[i].results, p.steps[i].err = e.Step()
		})
	}
	all.Wait()
	var done []Result
	var failed []error
	for i, s := range p.steps {
		done = append(done, s.results...)
		if s.err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", p.engines[i].model.Device().Name(), s.err))
		}
	}
	return done, errors.Join(failed...)
}

// Idle reports whether nothing is left to do.
func (p *Pool) Idle() bool {
	for _, e := range p.engines {
		if !e.Idle() {
			return false
		}
	}
	return true
}

// Room is how many more sequences fit in the running batches.
func (p *Pool) Room() int {
	n := 0
	for _, e := range p.engines {
		n += e.Room()
	}
	return n
}

// Stats returns what all engines have done so far. Steps are those of the engine that made the most, so
// that RunningSum/Steps is how many sequences ran at once.
func (p *Pool) Stats() Stats {
	var sum Stats
	for _, e := range p.engines {
		s := e.Stats()
		sum.Steps = max(sum.Steps, s.Steps)
		sum.PromptTokens += s.PromptTokens
		sum.SampledTokens += s.SampledTokens
		sum.Preemptions += s.Preemptions
		sum.RunningSum += s.RunningSum
		sum.PeakPagesInUse += s.PeakPagesInUse
	}
	return sum
}

// Close frees the caches.
func (p *Pool) Close() {
	for _, e := range p.engines {
		e.Close()
	}
}
