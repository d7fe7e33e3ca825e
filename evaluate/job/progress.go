package job

import (
	"log/slog"
	"sync"
	"time"
)

// reportEvery is how often the log is told how far an evaluation is.
const reportEvery = 5 * time.Second

// silence is how long nothing may finish before the log is told that it is being worked on.
const silence = 30 * time.Second

// Progress tells the log how far an evaluation is and how long it will take.
type Progress struct {
	log         *slog.Logger
	mu          sync.Mutex
	total, done int
	session     int // done since began
	began, told time.Time
	last        time.Time // when something was done
}

// NewProgress begins with done of total samples.
func NewProgress(log *slog.Logger, total, done int) *Progress {
	now := time.Now()
	log.Info("evaluating", "samples", total, "finished", done)
	return &Progress{log: log, total: total, done: done, began: now, told: now, last: now}
}

// Add counts finished samples.
func (p *Progress) Add(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.session += n
	now := time.Now()
	p.last = now
	if n == 0 || now.Sub(p.told) < reportEvery && p.done < p.total {
		return
	}
	p.told = now
	elapsed := now.Sub(p.began)
	p.log.Info("evaluated", "samples", p.total, "finished", p.done, "share", float64(p.done*1000/p.total)/1000,
		"elapsed", elapsed.Round(time.Second), "left", remaining(elapsed, p.session, p.total-p.done))
}

// watch tells the log every so often what is said by those who work, as long as nothing finishes: a model takes
// time to load, and long completions to sample. It ends with stop.
func (p *Progress) watch(every time.Duration, said func() string) (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			p.mu.Lock()
			if finished := p.done; time.Since(p.last) >= every && finished < p.total {
				p.log.Info("working", "samples", p.total, "finished", finished, "elapsed", time.Since(p.began).Round(time.Second), "last", said())
			}
			p.mu.Unlock()
		}
	}()
	return func() { close(done) }
}

// remaining estimates the time that the rest takes from what done took. Long completions end last, so at the
// beginning it is too short.
func remaining(elapsed time.Duration, done, left int) time.Duration {
	if done == 0 {
		return 0
	}
	return time.Duration(float64(elapsed) / float64(done) * float64(left)).Round(time.Second)
}
