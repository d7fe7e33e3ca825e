package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/benchmark"
	"openrs/stages"
)

// promptsCommand lists the prompts of benchmarks, or prints the system message of one.
func promptsCommand() *cli.Command {
	flags := append(stages.LogFlags(),
		&cli.StringFlag{Name: "name", Usage: "print the system message of this prompt and nothing else, for the --system of generate and other programs"},
	)
	return stages.Command("evaluate prompts", "the wording that benchmarks put around questions", flags, prompts)
}

func prompts(_ context.Context, env *stages.Env) error {
	if name := env.String("name"); name != "" {
		p, err := benchmark.LookupPrompt(name)
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(os.Stdout, p.System)
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	for _, p := range benchmark.Prompts() {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Summary)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range benchmark.Prompts() {
		fmt.Printf("\n── %s ──\n", p.Name)
		if p.System != "" {
			fmt.Printf("system: %s\n", p.System)
		}
		fmt.Printf("user: %s\n", p.Math)
		if _, err := fmt.Printf("user, with options: %s\n", p.Choice); err != nil {
			return err
		}
	}
	return nil
}
