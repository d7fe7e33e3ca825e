package optim

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"openrs/stages/suggest"
)

// ErrSettings marks a setting of the optimizer or the schedule that can't be used.
var ErrSettings = errors.New("optim: bad setting")

// Schedule says how the learning rate changes over the steps of a run.
type Schedule struct {
	// Name is one of [ScheduleNames]; "" is "constant".
	Name string
	// WarmupSteps is the number of steps in which the rate rises linearly from 0 to the base rate.
	WarmupSteps int64
	// TotalSteps is the length of the run, warm-up included; needed by all but the constant ones.
	TotalSteps int64
	// MinRate is the rate at the end as a fraction of the base rate, for "linear" and
	// "cosine_with_min_lr".
	MinRate float64
}

// scheduleType is one curve: its factor at step s after warm-up, and which settings it reads.
type scheduleType struct {
	factor func(c Schedule, s int64) float64
	warmup bool // reads WarmupSteps
	total  bool // needs TotalSteps
	min    bool // reads MinRate
}

var scheduleTypes = map[string]scheduleType{
	"constant":             {factor: func(Schedule, int64) float64 { return 1 }},
	"constant_with_warmup": {factor: func(Schedule, int64) float64 { return 1 }, warmup: true},
	"linear": {warmup: true, total: true, min: true, factor: func(c Schedule, s int64) float64 {
		left := float64(c.TotalSteps-s) / float64(max(1, c.TotalSteps-c.WarmupSteps))
		return c.MinRate + (1-c.MinRate)*max(0, left)
	}},
	"cosine": {warmup: true, total: true, factor: func(c Schedule, s int64) float64 {
		return max(0, c.halfCosine(s))
	}},
	"cosine_with_min_lr": {warmup: true, total: true, min: true, factor: func(c Schedule, s int64) float64 {
		return max(0, c.MinRate+(1-c.MinRate)*c.halfCosine(s))
	}},
}

// halfCosine falls from 1 after warm-up to 0 at TotalSteps, and rises again beyond.
func (c Schedule) halfCosine(s int64) float64 {
	progress := float64(s-c.WarmupSteps) / float64(max(1, c.TotalSteps-c.WarmupSteps))
	return 0.5 * (1 + math.Cos(math.Pi*progress))
}

// Factor returns what the base learning rate is multiplied with at step s, from 0. The schedule must
// be valid.
func (c Schedule) Factor(s int64) float64 {
	row := scheduleTypes[c.name()]
	if row.warmup && s < c.WarmupSteps {
		return float64(s) / float64(max(1, c.WarmupSteps))
	}
	return row.factor(c, s)
}

// Validate returns an error, wrapping [ErrSettings], about the first setting that is out of range or
// would silently be ignored.
func (c Schedule) Validate() error {
	row, ok := scheduleTypes[c.name()]
	switch {
	case !ok:
		return fmt.Errorf("%w: schedule %q%s, expected one of %s", ErrSettings, c.Name, suggest.From(c.Name, ScheduleNames()), strings.Join(ScheduleNames(), ", "))
	case c.WarmupSteps < 0:
		return fmt.Errorf("%w: warmup_steps is %d, expected at least 0", ErrSettings, c.WarmupSteps)
	case c.WarmupSteps > 0 && !row.warmup:
		return fmt.Errorf("%w: schedule %s has no warm-up, found warmup_steps %d (constant_with_warmup has)", ErrSettings, c.name(), c.WarmupSteps)
	case row.total && c.TotalSteps <= 0:
		return fmt.Errorf("%w: schedule %s needs the total number of steps, found %d", ErrSettings, c.name(), c.TotalSteps)
	case math.IsNaN(c.MinRate) || c.MinRate < 0 || c.MinRate > 1:
		return fmt.Errorf("%w: min_lr_rate is %v, expected 0 to 1", ErrSettings, c.MinRate)
	case c.MinRate > 0 && !row.min:
		return fmt.Errorf("%w: schedule %s has no minimum, found min_lr_rate %v (linear and cosine_with_min_lr have)", ErrSettings, c.name(), c.MinRate)
	}
	return nil
}

func (c Schedule) name() string {
	if c.Name == "" {
		return "constant"
	}
	return c.Name
}

// ScheduleNames returns the names of the schedules, sorted.
func ScheduleNames() []string { return slices.Sorted(maps.Keys(scheduleTypes)) }

// WarmupSteps returns the warm-up of a ratio of the total steps, rounded up.
func WarmupSteps(ratio float64, total int64) int64 {
	return int64(math.Ceil(ratio * float64(total)))
}
