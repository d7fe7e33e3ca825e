// Command generate samples completions of problems from a model.
package main

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"openrs/generate/bench"
	"openrs/generate/chat"
	"openrs/generate/devices"
	"openrs/generate/logprobs"
	"openrs/generate/plan"
	"openrs/generate/sampler"
	"openrs/generate/serve"
	"openrs/stages"
	"openrs/stages/pretrained"
)

func main() {
	stages.Main(stages.App("generate", "sample completions of problems",
		"Reads problems, samples a group of completions of each, and writes them with the log-probability of every token.\n"+
			"In a run it takes each step's weights from the run's policy store; elsewhere --model's are used as they are.",
		sampleFlags(), sample,
		stages.Command("generate logprobs", "log-probabilities and arg-max tokens of given token sequences", logprobsFlags(), logprobsOf),
		stages.Command("generate chat", "talk with a model in the terminal", chat.Flags(), chat.Run),
		stages.Command("generate serve", "answer the OpenAI HTTP API: chat completions, completions, streaming", serve.Flags(), serve.Run),
		stages.Command("generate bench", "tokens per second, beside the machine's limits", bench.Flags(), bench.Run),
		stages.Command("generate plan", "memory and time of sampling on a kind of device, worked out on paper", plan.Flags(), plan.Run),
		stages.Command("generate devices", "the devices of this machine, their memory and links", devices.Flags(), devices.Run),
	))
}

func sampleFlags() []cli.Flag {
	return slices.Concat(stages.CommonFlags(), sampler.Flags(), []cli.Flag{
		stages.ReplayFlag(), stages.SkipBadFlag(),
		&cli.IntFlag{Name: "group-size", Value: 8, Usage: "completions of each problem"},
		&cli.Int64Flag{Name: "groups-per-step", Value: 32, Usage: "problems of one optimizer step; must be update's"},
		&cli.Int64Flag{Name: "max-lag", Usage: "policy versions that sampling may be behind (0: strictly on-policy)"},
		&cli.Int64Flag{Name: "steps", Usage: "optimizer steps to sample for; update's (0: for as long as update goes on)"},
		&cli.BoolFlag{Name: "frozen", Usage: "in a run: sample from --model's weights only, and wait for no policy"},
		&cli.Int64Flag{Name: "policy-version", Usage: "version that rollouts of --model's own weights are marked with, such as the step of a checkpoint"},
		&cli.IntFlag{Name: "max-new-tokens", Value: 512, Usage: "longest completion"},
		&cli.Float64Flag{Name: "temperature", Value: 1, Usage: "0 is greedy"},
		&cli.Float64Flag{Name: "top-p", Usage: "nucleus sampling, within what --top-k leaves (0 or 1: off)"},
		&cli.IntFlag{Name: "top-k", Usage: "sample among the K most probable tokens (0: all)"},
		&cli.Float64Flag{Name: "min-p", Usage: "drop tokens below this share of the most probable one (0: off)"},
		&cli.StringFlag{Name: "system", Usage: "system message"},
	})
}

func logprobsFlags() []cli.Flag {
	return slices.Concat(stages.LogFlags(), pretrained.SessionFlags(), []cli.Flag{
		&cli.StringFlag{Name: "in", Value: "-", Usage: "JSON lines `FILE` with ids, or - for standard input"},
		&cli.StringFlag{Name: "out", Value: "-", Usage: "JSON lines `FILE`, or - for standard output"},
	})
}

func logprobsOf(_ context.Context, env *stages.Env) error {
	session, err := pretrained.Start(env.Context)
	if err != nil {
		return err
	}
	defer session.Close()
	m, err := session.Load()
	if err != nil {
		return err
	}
	scorer := logprobs.New(m)
	defer scorer.Close()
	return stages.Lines(env.String("in"), env.String("out"), scorer.Line)
}
