// Command score rewards rollouts and computes each completion's advantage within its group.
package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"openrs/score/reward"
	"openrs/score/stage"
	"openrs/stages"
)

func main() {
	stages.Main(stages.App("score", "reward rollouts and compute advantages",
		"Reads rollouts, applies the reward functions with their weights, and writes the rollouts with rewards,\n"+
			"advantages, the answer found and whether it is right. Already scored rollouts can be scored anew.",
		scoreFlags(), scoreRollouts,
		stages.Command("score verify", "compare answers: JSON lines with gold and prediction in, the same with the verdict out", verifyFlags(), verify),
	))
}

func scoreFlags() []cli.Flag {
	return append(stages.CommonFlags(), stages.ReplayFlag(), stages.SkipBadFlag(),
		&cli.StringSliceFlag{Name: "reward", Value: cli.NewStringSlice("accuracy"), Usage: "reward `NAME[=WEIGHT]`; may be repeated. " + reward.Help()},
		&cli.StringFlag{Name: "scale-rewards", Value: reward.ScaleGroup, Usage: "what advantages are divided by: the standard deviation of the group, of the batch, or none"},
		&cli.IntFlag{Name: "group-size", Usage: "samples every group must have (0: any number)"},
		&cli.StringFlag{Name: "prefix", Usage: "`TEXT` that the prompt already began of the answer, graded with it (such as \"<think>\\n\")"},
	)
}

func scoreRollouts(ctx context.Context, env *stages.Env) error {
	weights, err := reward.Parse(env.StringSlice("reward")...)
	if err != nil {
		return err
	}
	scorer, err := reward.New(reward.Config{
		Rewards: weights, Scale: env.String("scale-rewards"), GroupSize: env.Int("group-size"), Prefix: env.String("prefix"),
	})
	if err != nil {
		return err
	}
	return stage.Run(ctx, env, scorer)
}

func verifyFlags() []cli.Flag {
	return append(stages.LogFlags(),
		&cli.StringFlag{Name: "in", Value: "-", Usage: "JSON lines `FILE`, or - for standard input"},
		&cli.StringFlag{Name: "out", Value: "-", Usage: "JSON lines `FILE`, or - for standard output"},
	)
}

func verify(_ context.Context, env *stages.Env) error {
	return stages.Lines(env.String("in"), env.String("out"), stage.Verify)
}
