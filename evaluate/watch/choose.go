package watch

import (
	"fmt"
	"time"
)

// Budget is how much of the machine a watcher may take.
type Budget struct {
	Every       int64         // policies whose version is a multiple of it, and the last one
	Evaluations int           // at most so many, of which one is kept for the last policy; 0: any number
	Time        time.Duration // begin none when they have taken this long together; 0: no limit
}

// Check refuses a budget that makes no sense.
func (b Budget) Check() error {
	switch {
	case b.Every < 1:
		return fmt.Errorf("every %d policies: expected at least 1", b.Every)
	case b.Evaluations < 0:
		return fmt.Errorf("%d evaluations: expected at least 1, or 0 for any number", b.Evaluations)
	case b.Time < 0:
		return fmt.Errorf("evaluations of %s together: expected more than 0, or 0 for no limit", b.Time)
	}
	return nil
}

// unknown stands for a version that is not there (yet).
const unknown = -1

// outlook is what is known when the next policy is chosen.
type outlook struct {
	after  int64 // the newest version that was evaluated or skipped
	begun  int   // evaluations
	latest int64 // version that was published
	final  int64 // the run's last version, once training has ended
}

// choice is what to do next: evaluate a version, wait, or end.
type choice struct {
	version int64   // unknown: none at the moment
	skipped []int64 // versions that were due and come before it
	ended   bool    // training has ended, and its last policy is taken care of
	spent   bool    // no more evaluations are allowed
}

// choose decides.
func (b Budget) choose(o outlook) choice {
	ended := o.final != unknown
	if ended && o.after >= o.final {
		return choice{version: unknown, ended: true}
	}
	if b.Evaluations > 0 && o.begun >= b.Evaluations {
		return choice{version: unknown, spent: true}
	}
	lastOnly := b.Evaluations > 0 && o.begun == b.Evaluations-1
	newest := int64(unknown)
	switch {
	case ended && o.latest >= o.final:
		newest = o.final
	case o.latest >= 0 && !lastOnly:
		newest = o.latest - o.latest%b.Every
	}
	if newest <= o.after {
		return choice{version: unknown}
	}
	return choice{version: newest, skipped: b.due(o.after, newest)}
}

// due are the versions after one and before another that are multiples of Every.
func (b Budget) due(after, before int64) []int64 {
	var all []int64
	for v := b.next(after); v < before; v += b.Every {
		all = append(all, v)
	}
	return all
}

// next is the first multiple of Every after a version.
func (b Budget) next(after int64) int64 {
	if after < 0 {
		return 0
	}
	return after - after%b.Every + b.Every
}
