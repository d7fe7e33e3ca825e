// Package summary describes scored rollouts in numbers, under the metric names of TRL's GRPO trainer.
// Which stage reports them when is the stage's business.
package summary
