// Command score rewards rollouts and computes each completion's advantage within its group.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/urfave/cli/v2"

	"openrs/score/answer"
	"openrs/score/process"
	"openrs/score/reward"
	"openrs/score/stage"
	"openrs/stages"
)

func main() {
	app := stages.App("score", "reward rollouts and compute advantages",
		"Reads rollouts, applies the reward functions with their weights, and writes the rollouts with rewards,\n"+
			"advantages, the answer found and whether it is right. Already scored rollouts can be scored anew.",
		scoreFlags(), scoreRollouts,
		stages.Command("score verify", "compare answers: JSON lines with gold and prediction in, the same with the verdict out", verifyFlags(), verify),
	)
	app.DisableSliceFlagSeparator = true // commands of exec rewards may have commas in them
	stages.Main(app)
}

func scoreFlags() []cli.Flag {
	return append(stages.CommonFlags(), stages.ReplayFlag(), stages.SkipBadFlag(),
		&cli.StringSliceFlag{Name: "reward", Value: cli.NewStringSlice("accuracy"), Usage: "reward `NAME[=WEIGHT][:PARAM=VALUE,…]`; may be repeated. " + reward.Help()},
		&cli.StringFlag{Name: "scale-rewards", Value: reward.ScaleGroup, Usage: "what advantages are divided by: the standard deviation of the group, of the batch, or none"},
		&cli.IntFlag{Name: "group-size", Usage: "samples every group must have (0: any number)"},
		&cli.StringFlag{Name: "prefix", Usage: "`TEXT` that the prompt already began of the answer, graded with it (such as \"<think>\\n\")"},
		&cli.StringFlag{Name: "profile", Value: "reward", Usage: "what counts as an answer: reward (a box, or a formula after \"answer\"), benchmark (whatever a reader would take for it), or open-rs"},
		&cli.StringFlag{Name: "compat", Usage: "`STUDY` whose published rewards to reproduce, mistakes included: open-rs"},
		&cli.BoolFlag{Name: "preflight", Value: true, Usage: "warn when a reward is the same for each of the first 32 completions"},
		&cli.BoolFlag{Name: "strict", Usage: "stop when the preflight finds something, instead of warning"},
		&cli.DurationFlag{Name: "exec-timeout", Value: time.Minute, Usage: "how long a reward process may take for one group"},
	)
}

func scoreRollouts(ctx context.Context, env *stages.Env) (err error) {
	weights, err := reward.Parse(env.StringSlice("reward")...)
	if err != nil {
		return err
	}
	if env.RunName() != "" && env.String("in") == "" && env.String("out") == "" {
		// All workers of an evaluation judge alike; a run without one has nothing to agree with.
		if err := env.Agree(ctx, "evaluation", "profile"); err != nil {
			return err
		}
	}
	cfg := reward.Config{
		Rewards: weights, Scale: env.String("scale-rewards"), GroupSize: env.Int("group-size"), Prefix: env.String("prefix"),
		External: map[string]reward.Func{},
	}
	if cfg.Profile, err = answer.ProfileByName(env.String("profile")); err != nil {
		return err
	}
	if cfg.Compat, err = stage.Compat(env.String("compat"), env.IsSet("profile"), env.Log); err != nil {
		return err
	}
	var processes []*process.Process
	for _, w := range weights {
		if w.Command != "" {
			p := process.Start(w.Command, process.Options{Timeout: env.Duration("exec-timeout"), Log: env.Log})
			defer func() { err = errors.Join(err, p.Close()) }()
			processes = append(processes, p)
			cfg.External[w.Name] = p.Reward
		}
	}
	scorer, err := reward.New(cfg)
	if err != nil {
		return err
	}
	return stage.Run(ctx, env, scorer, stage.Options{
		Preflight: env.Bool("preflight"), Strict: env.Bool("strict"),
		Broken: func() error {
			for _, p := range processes {
				if p.Err() != nil {
					return p.Err()
				}
			}
			return nil
		},
	})
}

func verifyFlags() []cli.Flag {
	return append(stages.LogFlags(),
		&cli.StringFlag{Name: "in", Value: "-", Usage: "JSON lines `FILE`, or - for standard input"},
		&cli.StringFlag{Name: "out", Value: "-", Usage: "JSON lines `FILE`, or - for standard output"},
		&cli.StringFlag{Name: "profile", Value: "benchmark", Usage: "what counts as an answer: reward, benchmark or open-rs"},
		&cli.BoolFlag{Name: "explain", Usage: "also write the candidates that were looked at"},
		&cli.IntFlag{Name: "workers", Usage: "lines compared at the same time (0: one for each core)"},
	)
}

func verify(_ context.Context, env *stages.Env) error {
	p, err := answer.ProfileByName(env.String("profile"))
	if err != nil {
		return err
	}
	return stages.ParallelLines(env.String("in"), env.String("out"), env.Int("workers"), stage.Verify(p, env.Bool("explain")))
}
