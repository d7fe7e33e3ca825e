// Package optim turns gradients into an update of the parameters: learning-rate schedules
// (schedule.go), clipping by the global norm (clip.go) and AdamW over one flat buffer of parameters
// on a device (optimizer.go).
//
// Start at [Settings] and [New]. A step is numbered from 0 and uses the learning rate
// base · factor(step); Adam's own t is step + 1. With warm-up the rate of step 0 is 0, as in the
// schedules of the transformers library: that step only fills the moments.
//
// The formulas are those of the golden fixtures, to the last term: nothing is clamped that
// they don't clamp.
package optim
