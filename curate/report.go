package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"openrs/curate/card"
	"openrs/curate/recipe"
	"openrs/curate/refine"
	"openrs/curate/step"
	"openrs/stages"
)

// report logs what was read and what each step did.
func report(env *stages.Env, r refine.Report, took time.Duration) {
	for _, f := range r.Files {
		env.Log.Info("loaded", "file", f.Path, "summary", f.Summary.String())
	}
	for _, s := range r.Steps {
		if s.In == s.Out && s.Name == "" {
			continue
		}
		args := []any{"step", s.Label, "in", s.In, "out", s.Out}
		if len(s.Removed) > 0 {
			args = append(args, "removed", counts(s.Removed))
		}
		env.Log.Info("curated", args...)
	}
	for _, w := range r.Warnings {
		env.Log.Warn(w)
	}
	env.Log.Info("rows read, removed and left", "read", r.Read, "removed", r.Read-r.Left, "left", r.Left, "rows_per_second", int(float64(r.Read)/max(took.Seconds(), 1e-6)))
}

func counts(list []refine.Count) string {
	var parts []string
	for _, c := range list {
		parts = append(parts, fmt.Sprintf("%d %s", c.Rows, c.Reason))
	}
	return strings.Join(parts, ", ")
}

// losses says at which steps rows were lost.
func losses(r refine.Report) string {
	var parts []string
	for _, s := range r.Steps {
		if len(s.Removed) > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", s.Label, counts(s.Removed)))
		}
	}
	if len(parts) == 0 {
		return "there are none in the files"
	}
	return strings.Join(parts, "; ")
}

// writeCard writes the data card, if one is asked for.
func writeCard(ctx context.Context, env *stages.Env, j job, result *refine.Result) error {
	dir := env.String("card")
	if dir == "" {
		return nil
	}
	c, err := card.Collect(ctx, result, card.Options{
		Title: j.title, Recipe: j.recipe, Seed: env.Uint64("seed"), Tokens: j.tokens, Tokenizer: env.String("tokenizer"), Threads: env.Int("threads"),
	})
	if err != nil {
		return err
	}
	if err := c.Write(dir); err != nil {
		return err
	}
	env.Log.Info("card written", "to", dir, "fingerprint", c.Fingerprint)
	return nil
}

// listSteps prints the table of steps.
func listSteps(context.Context, *stages.Env) error { return printSteps(os.Stdout) }

func printSteps(w io.Writer) error {
	var b strings.Builder
	for _, s := range step.Specs() {
		fmt.Fprintf(&b, "%s: %s\n", s.Name, s.Usage)
		for _, o := range s.Options {
			fmt.Fprintf(&b, "    %-16s %s\n", o.Name, optionText(s, o))
		}
	}
	b.WriteString("Every step: label, its name in reports; every step but mix and order: only, the sources whose rows it looks at.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func optionText(s recipe.Spec, o recipe.Option) string {
	text := o.Usage
	if o.Type == recipe.Choice {
		text += ": " + strings.Join(o.Among, ", ")
	} else if o.Type == recipe.List && len(o.Among) > 0 {
		text += ": some of " + strings.Join(o.Among, ", ")
	}
	switch {
	case o.Required:
		text += " (required)"
	case o.Default != "":
		text += fmt.Sprintf(" (default %s)", o.Default)
	}
	if s.Main == o.Name {
		text += fmt.Sprintf("; %s: VALUE is short for it", s.Name)
	}
	return text
}
