// Package train is the update stage: optimizer steps from scored groups (GRPO) or from worked
// solutions (SFT), and checkpoints from which a run goes on as if it had never stopped.
//
// What is trained is all of a model's weights, or LoRA adapters on them (adapter.go); then checkpoints, the result
// and published policies are the adapters alone.
//
// Start at trainer.go, which owns the model and the optimizer. grpo.go and sft.go turn their input
// into sequences and per-token loss gradients; checkpoint.go saves and restores; policy.go publishes
// weights. The losses themselves are in update/grpo, the optimizer in update/optim, the order of steps
// in update/steps.
package train
