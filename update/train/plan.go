package train

import (
	"openrs/stages/backend"
	"openrs/stages/checkpoint"
	"openrs/stages/device"
	"openrs/stages/model"
	"openrs/update/parallel"
)

// Plan estimates the memory that training a model with opt takes on each of a number of devices, which keep
// trained matrices in so many layouts, for micro-batches of at most so many rows. With reference there is a second, frozen model beside it,
// unless it is the one that adapters are put on.
func Plan(cfg checkpoint.Config, devices int, layouts int64, opt Options, rows int, reference bool) model.Memory {
	frozen := model.Options{DType: opt.DType, MaxPositions: opt.MaxPositions}
	trained := frozen
	trained.Train, trained.Recompute, trained.LoRA = true, opt.Recompute, opt.LoRA
	p := model.Plan(cfg, trained, model.Workload{Rows: rows, Predictions: rows})
	p.Weights *= layouts
	if reference && opt.LoRA == nil {
		p.Weights += model.Plan(cfg, frozen, model.Workload{}).Weights
	}
	if devices == 1 && opt.Shards > 1 {
		p.Gradients *= 2 // a shard's, and their sum
	}
	p.Optimizer /= int64(devices)
	p.Gradients += parallel.Scratch(int(p.Masters/4), devices)
	return p
}

// Fit returns the plan for training on devices of one kind and sets opt.Recompute where only that makes it
// fit; the result of training is the same. What does not fit at all is an error that says what would.
func Fit(devices []device.Device, cfg checkpoint.Config, opt *Options, rows int, reference bool) (model.Memory, error) {
	layouts := device.TrainedLayouts(devices[0])
	plan := Plan(cfg, len(devices), layouts, *opt, rows, reference)
	if !opt.Recompute && !backend.Fits(devices[0], plan) {
		opt.Recompute = true
		plan = Plan(cfg, len(devices), layouts, *opt, rows, reference)
	}
	if !backend.Fits(devices[0], plan) {
		advice := "a smaller --token-budget, --dtype bf16 or more devices need less"
		if opt.LoRA == nil {
			advice = "a smaller --token-budget, --dtype bf16, --lora-rank 32 or more devices need less"
		}
		return plan, backend.Refuse(devices[0], plan, advice)
	}
	return plan, nil
}
