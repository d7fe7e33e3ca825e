package process

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"openrs/score/reward"
)

// MaxRestarts is how often in a row a process is started again without having scored a group.
const MaxRestarts = 6

// attempts is how often a group is given to the process.
const attempts = 2

// Errors of a process.
var (
	// ErrGivenUp says that the process failed so often that it is not started again.
	ErrGivenUp = errors.New("process: given up")
	// ErrProtocol says that the process answered something else than one float32 for each row.
	ErrProtocol = errors.New("process: not what was expected")
	// ErrTimeout says that the process did not answer in time.
	ErrTimeout = errors.New("process: no answer in time")
)

// Options of a process.
type Options struct {
	// Timeout is how long one group may take, the start of the process included. 0: one minute.
	Timeout time.Duration
	Log     *slog.Logger // never nil
}

// Process is an external reward. It is used by one goroutine at a time.
type Process struct {
	command string
	opt     Options
	child   *child // nil: not running
	failed  int    // starts in a row without a group that went well
	err     error  // once given up
}

// Start returns the process for a command line, which the shell reads (sh -c). The process itself is
// started by the first group.
func Start(command string, opt Options) *Process {
	if opt.Timeout <= 0 {
		opt.Timeout = time.Minute
	}
	return &Process{command: command, opt: opt}
}

// Reward is a [reward.Func].
func (p *Process) Reward(g *reward.Group) ([]float32, error) {
	var last error
	for n := range attempts {
		if p.err != nil {
			return nil, p.err
		}
		values, err := p.once(g)
		if err == nil {
			p.failed = 0
			return values, nil
		}
		last = err
		p.stop()
		if p.failed++; p.failed > MaxRestarts {
			p.err = fmt.Errorf("%w after %d failures in a row: %w", ErrGivenUp, p.failed, err)
			return nil, p.err
		}
		p.opt.Log.Warn("reward process failed", "command", p.command, "group", g.Rollouts[0].GroupID, "attempt", n+1, "reason", err)
	}
	return nil, last
}

// Err is not nil once the process was given up; it wraps [ErrGivenUp].
func (p *Process) Err() error { return p.err }

// Close ends the process: its input ends, and after a moment it is killed.
func (p *Process) Close() error {
	if p.child == nil {
		return nil
	}
	c := p.child
	p.child = nil
	return c.end(closeWait)
}

// closeWait is how long a process may take to end after its input has.
const closeWait = 5 * time.Second

func (p *Process) stop() {
	if p.child != nil {
		p.child.kill()
		p.child = nil
	}
}

// once gives a group to the process and reads its answer, within the time limit.
func (p *Process) once(g *reward.Group) ([]float32, error) {
	if p.child == nil {
		c, err := startChild(p.command, p.opt.Log)
		if err != nil {
			return nil, err
		}
		p.child = c
	}
	type answer struct {
		values []float32
		err    error
	}
	done := make(chan answer, 1)
	c := p.child
	go func() {
		values, err := c.score(g.Rollouts)
		done <- answer{values, err}
	}()
	limit := time.NewTimer(p.opt.Timeout)
	defer limit.Stop()
	select {
	case a := <-done:
		if a.err != nil {
			return nil, c.explain(a.err)
		}
		return a.values, nil
	case <-limit.C:
		// Killing closes the pipes, which ends the goroutine; it must be gone before the group is reused.
		c.kill()
		<-done
		return nil, fmt.Errorf("%w: %v", ErrTimeout, p.opt.Timeout)
	}
}
