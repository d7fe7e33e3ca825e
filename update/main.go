// Command update trains a model: by GRPO from scored rollouts, or supervised from worked solutions.
package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/adapter"
	"openrs/stages/checkpoint"
	"openrs/stages/pretrained"
	"openrs/update/bench"
	"openrs/update/grpo"
	"openrs/update/optim"
	"openrs/update/plan"
	"openrs/update/train"
)

func main() {
	stages.Main(stages.App("update", "train a model by GRPO from scored rollouts",
		"Reads scored rollouts, makes one optimizer step of every --groups-per-step groups, and writes checkpoints\n"+
			"and the trained model as Hugging Face folders. In a run it publishes each new policy to generate.",
		grpoFlags(), trainGRPO,
		stages.Command("update sft", "supervised fine-tuning from problems that have solutions", sftFlags(), trainSFT),
		stages.Command("update bench", "training tokens per second, beside the machine's limits", bench.Flags(), bench.Run),
		stages.Command("update export", "write a model as a Hugging Face folder, adapters merged into it", exportFlags(), export),
		stages.Command("update plan", "memory and time of a training step on a kind of device, worked out on paper", plan.Flags(), plan.Run),
		stages.Command("update recipe", "make a recipe of a TRL or open-r1 configuration", recipeFlags(), convertRecipe),
	))
}

// trainFlags are what both ways of training share.
func trainFlags() []cli.Flag {
	return slices.Concat(pretrained.SessionFlags(), adapter.Flags(), []cli.Flag{
		&cli.BoolFlag{Name: "merge", Usage: "write the trained model too, adapters merged into it, and not the adapters alone"},
		&cli.StringFlag{Name: "dir", Usage: "`FOLDER` for checkpoints, metrics and the trained model (default: the run's folder)"},
		&cli.Int64Flag{Name: "steps", Usage: "optimizer steps of the whole run (0: as many as the input has)"},
		&cli.Float64Flag{Name: "lr", Value: 1e-6, Usage: "peak learning rate"},
		&cli.StringFlag{Name: "schedule", Value: "constant", Usage: "constant, constant_with_warmup, linear, cosine or cosine_with_min_lr"},
		&cli.Int64Flag{Name: "warmup-steps", Usage: "updates in which the learning rate rises from 0"},
		&cli.Float64Flag{Name: "min-lr-ratio", Usage: "learning rate at the end as a share of --lr (linear, cosine_with_min_lr)"},
		&cli.Float64Flag{Name: "adam-beta1", Value: 0.9, Usage: "AdamW β₁"},
		&cli.Float64Flag{Name: "adam-beta2", Value: 0.999, Usage: "AdamW β₂"},
		&cli.Float64Flag{Name: "adam-eps", Value: 1e-8, Usage: "AdamW ε"},
		&cli.Float64Flag{Name: "weight-decay", Usage: "AdamW weight decay of the matrices"},
		&cli.Float64Flag{Name: "max-grad-norm", Value: 1, Usage: "bound on the global gradient norm (0: none)"},
		&cli.IntFlag{Name: "token-budget", Value: 8192, Usage: "tokens that go through the model at once; more are accumulated, with the same result but for rounding"},
		&cli.IntFlag{Name: "gradient-shards", Usage: "parts of a step whose gradients are summed in order (0: one a device); one device with as many as there were devices makes the same updates"},
		&cli.BoolFlag{Name: "recompute", Usage: "activation checkpointing: less memory, more time"},
		&cli.Int64Flag{Name: "checkpoint-every", Usage: "steps between checkpoints (0: only one at the end)"},
		&cli.IntFlag{Name: "keep-checkpoints", Usage: "newest checkpoints to keep (0: all)"},
		&cli.StringFlag{Name: "save-dtype", Usage: "f32, bf16 or f16: type of the trained model (default: as it came)"},
	})
}

func grpoFlags() []cli.Flag {
	return slices.Concat(stages.RunFlags(), trainFlags(), []cli.Flag{
		&cli.StringFlag{Name: "in", Usage: "scored rollouts `FROM`: nats:, a file (.arrow .parquet .jsonl), or -; default: nats: with --run, else -"},
		&cli.BoolFlag{Name: "resume", Usage: "go on from the newest checkpoint in --dir, if there is one"},
		&cli.Int64Flag{Name: "groups-per-step", Value: 32, Usage: "groups of one optimizer step, in a run the same as generate's (default for a file: its steps as they are)"},
		&cli.Int64Flag{Name: "max-lag", Usage: "policy versions that sampling may be behind; must be generate's"},
		&cli.StringFlag{Name: "loss", Value: "dapo", Usage: "grpo, bnpo, dr_grpo or dapo"},
		&cli.Float64Flag{Name: "beta", Usage: "weight of the divergence from the model that training began with (0: none)"},
		&cli.Float64Flag{Name: "epsilon", Value: 0.2, Usage: "clip range of the importance ratio, below 1"},
		&cli.Float64Flag{Name: "epsilon-high", Usage: "clip range above 1 (0: --epsilon)"},
		&cli.Float64Flag{Name: "delta", Usage: "upper bound of the ratio where the advantage is negative (0: none)"},
		&cli.StringFlag{Name: "importance-sampling-level", Value: grpo.RatioToken, Usage: "token or sequence (GSPO)"},
		&cli.Float64Flag{Name: "truncated-is", Usage: "cap of the sampler/trainer correction (0: none is needed: both are the same bits)"},
		&cli.IntFlag{Name: "max-completion-length", Usage: "the constant of dr_grpo, in tokens"},
		&cli.IntFlag{Name: "micro-batch", Usage: "completions that the means of grpo, bnpo and dr_grpo are taken over, before the mean over these micro-batches: TRL's per_device_train_batch_size (0: the whole step)"},
		&cli.IntFlag{Name: "num-iterations", Value: 1, Usage: "updates from the same groups"},
		&cli.Float64Flag{Name: "temperature", Usage: "take log-probabilities at this temperature (0: the one that was sampled at)"},
		&cli.BoolFlag{Name: "on-policy-check", Value: true, Usage: "in a run: stop if an on-policy token's log-probability is not, bit for bit, the one recorded by generate"},
	})
}

func trainGRPO(ctx context.Context, env *stages.Env) (err error) {
	dir, err := outputDir(env)
	if err != nil {
		return err
	}
	at, err := stages.ParseEndpoint(env.String("in"), env.RunName())
	if err != nil {
		return fmt.Errorf("--in: %w", err)
	}
	live := at.Transport == stages.NATS
	objective, err := grpo.New(objectiveConfig(env))
	if err != nil {
		return err
	}
	if env.Float64("truncated-is") > 0 && env.Float64("temperature") > 0 {
		return errors.New("--truncated-is compares with the recorded log-probabilities, which --temperature sets aside: expected one of them")
	}
	if env.Float64("temperature") > 0 && env.Int64("max-lag") > 0 {
		return errors.New("--temperature sets the recorded log-probabilities aside, which --max-lag needs: expected one of them")
	}
	dtype, err := saveDType(env)
	if err != nil {
		return err
	}
	perStep := env.Int("groups-per-step")
	if !live && !env.IsSet("groups-per-step") {
		perStep = 0 // a file's steps as they are
	}
	if perStep < 0 || perStep == 0 && live {
		return fmt.Errorf("--groups-per-step is %d, expected at least 1", perStep)
	}
	if env.Int("micro-batch") < 0 {
		return fmt.Errorf("--micro-batch is %d, expected at least 0", env.Int("micro-batch"))
	}
	session, err := open(env)
	if err != nil {
		return err
	}
	defer session.Close()
	state, err := restore(env, session.trainer, dir)
	if err != nil {
		return err
	}
	loop := &train.Loop{
		GRPO: &train.GRPO{
			Trainer: session.trainer, Objective: objective, Iterations: env.Int("num-iterations"), MicroBatch: env.Int("micro-batch"),
			Temperature: float32(env.Float64("temperature")), Live: live, OnPolicy: live && env.Bool("on-policy-check"),
		},
		Dir: dir, Steps: env.Int64("steps"), Every: env.Int64("checkpoint-every"), Keep: env.Int("keep-checkpoints"),
		ModelType: dtype, Merge: env.Bool("merge"), Seed: env.Int64("seed"), Settings: settingsOf(env, session.trainer), Log: env.Log,
	}
	if env.Float64("beta") > 0 {
		if loop.GRPO.Reference, err = session.reference(); err != nil {
			return err
		}
	}
	if live {
		run, err := env.Bus(ctx)
		if err != nil {
			return err
		}
		if err := env.Agree(ctx, "generate", "groups-per-step", "max-lag"); err != nil {
			return err
		}
		loop.Publisher = &train.Publisher{Run: run, Dir: dir, Keep: env.Int64("max-lag") + 1}
	}
	in, err := env.Replay(ctx, schemas.KindScored, state.NextSequence)
	if err != nil {
		return err
	}
	defer in.Close()
	if loop.Metrics, err = env.Recorder(ctx, dir); err != nil {
		return err
	}
	groups, err := assembler(at.Path, perStep, state.Step)
	if err != nil {
		return err
	}
	return loop.Run(ctx, state, in, groups)
}

func objectiveConfig(env *stages.Env) grpo.Config {
	high := env.Float64("epsilon-high")
	if high == 0 {
		high = env.Float64("epsilon")
	}
	return grpo.Config{
		Loss: env.String("loss"), Beta: env.Float64("beta"), EpsLow: env.Float64("epsilon"), EpsHigh: high,
		Delta: env.Float64("delta"), RatioLevel: env.String("importance-sampling-level"),
		TruncatedIS: env.Float64("truncated-is"), MaxCompletionLength: env.Int("max-completion-length"),
	}
}

func sftFlags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), trainFlags(), []cli.Flag{
		&cli.StringFlag{Name: "in", Usage: "problems with solutions `FROM`: a file (.arrow .parquet .jsonl), or - (the default)"},
		&cli.IntFlag{Name: "batch-size", Value: 32, Usage: "problems of one optimizer step"},
	})
}

func trainSFT(ctx context.Context, env *stages.Env) error {
	dir, err := outputDir(env)
	if err != nil {
		return err
	}
	dtype, err := saveDType(env)
	if err != nil {
		return err
	}
	session, err := open(env)
	if err != nil {
		return err
	}
	defer session.Close()
	in, err := env.Source(ctx, schemas.KindProblems)
	if err != nil {
		return err
	}
	defer in.Close()
	metrics, err := env.Recorder(ctx, dir)
	if err != nil {
		return err
	}
	loop := &train.SFTLoop{
		Trainer: session.trainer, Dir: dir, BatchSize: env.Int("batch-size"), Steps: env.Int64("steps"),
		ModelType: dtype, Merge: env.Bool("merge"), Metrics: metrics, Log: env.Log,
	}
	return loop.Run(ctx, in)
}

// outputDir is where a command writes: --dir, or the run's folder.
func outputDir(env *stages.Env) (string, error) {
	if dir := env.String("dir"); dir != "" {
		return dir, nil
	}
	if dir := env.RunDir(); dir != "" {
		return dir, nil
	}
	return "", fmt.Errorf("expected --dir FOLDER for what training writes, or --run NAME")
}

func saveDType(env *stages.Env) (checkpoint.DType, error) {
	if env.String("save-dtype") == "" {
		return "", nil
	}
	return checkpoint.ParseDType(env.String("save-dtype"))
}

func optimSettings(env *stages.Env) optim.Settings {
	return optim.Settings{
		LR: env.Float64("lr"), Beta1: env.Float64("adam-beta1"), Beta2: env.Float64("adam-beta2"), Eps: env.Float64("adam-eps"),
		WeightDecay: env.Float64("weight-decay"), MaxGradNorm: env.Float64("max-grad-norm"),
		Schedule: optim.Schedule{
			Name: env.String("schedule"), WarmupSteps: env.Int64("warmup-steps"), MinRate: env.Float64("min-lr-ratio"),
			TotalSteps: env.Int64("steps") * int64(max(1, env.Int("num-iterations"))),
		},
	}
}
