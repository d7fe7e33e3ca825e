package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"go.yaml.in/yaml/v3"

	"openrs/curate/ledger"
	"openrs/curate/load"
	"openrs/curate/recipe"
	"openrs/curate/refine"
	"openrs/curate/step"
	"openrs/schemas"
	"openrs/stages"
	"openrs/stages/model/tiny"
	"openrs/stages/pretrained"
	"openrs/stages/suggest"
	"openrs/stages/tokenizer"
)

func buildFlags() []cli.Flag {
	return append(outFlags(),
		&cli.StringSliceFlag{Name: "in", Usage: "data set `PATH`: a file (.parquet .json .jsonl .arrow, also .gz and .zst), a folder of them, or a pattern; may be repeated; instead of the recipe's sources"},
		&cli.StringFlag{Name: "column-problem", Usage: "of --in: `COLUMN` with the question; default: guessed from its name"},
		&cli.StringFlag{Name: "column-answer", Usage: "of --in: `COLUMN` with the gold answer, likewise"},
		&cli.StringFlag{Name: "column-solution", Usage: "of --in: `COLUMN` with a worked solution, likewise; - for none"},
		&cli.StringFlag{Name: "source", Usage: "of --in: source `NAME` of the rows that have none; default: the file's name"},
		&cli.BoolFlag{Name: "strict", Usage: "stop at the first row that can't be used, instead of counting it"},
		stages.NestedFlag{StringFlag: &cli.StringFlag{Name: "sources", Usage: "data sets, as a `YAML` list"}},
		stages.NestedFlag{StringFlag: &cli.StringFlag{Name: "steps", Usage: "what problems go through, as a `YAML` list; see curate steps"}},
		&cli.StringFlag{Name: "before", Usage: "stop before the step with this `LABEL`, as to make the samples that it needs"},
		&cli.StringFlag{Name: "data", Usage: "`DIR` where the relative paths in sources and steps start"},
		&cli.StringFlag{Name: "short", Usage: "what mixtures do where rows are too few: fail, keep or scale; wins over the recipe"},
		&cli.StringFlag{Name: "tokenizer", Usage: "count lengths in tokens of `NAME`: tiny, or a model folder"},
		&cli.StringFlag{Name: "ledger", Usage: "write which rows were taken out, where and why, to `FILE` (.parquet .jsonl .jsonl.gz .jsonl.zst)"},
		&cli.StringFlag{Name: "card", Usage: "write a data card to `DIR`: card.html, card.md, card.json"},
		&cli.BoolFlag{Name: "shuffle", Usage: "shuffle by --seed, after all steps"},
		&cli.IntFlag{Name: "n", Usage: "keep only the first `N` problems, after the shuffle (0: all)"},
		&cli.IntFlag{Name: "epochs", Value: 1, Usage: "how often to publish all of them; each epoch is shuffled anew"},
		&cli.IntFlag{Name: "threads", Usage: "`N` of processor cores to use (0: all); the result is the same"},
		&cli.StringFlag{Name: "spool", Usage: "`DIR` for a temporary file as large as the data; default: the system's"},
	)
}

// job is what the flags and the recipe ask for.
type job struct {
	sources []recipe.Source
	steps   []step.Step
	files   []refine.File
	tokens  func(string) int // nil without a tokenizer
	title   string           // of the card
	recipe  string           // sources and steps as they were written
}

// build builds the problems and writes them.
func build(ctx context.Context, env *stages.Env) error {
	j, err := readJob(env)
	if err != nil {
		return err
	}
	var lost func(ledger.Entry) error
	var book *ledger.Writer
	if path := env.String("ledger"); path != "" {
		if book, err = ledger.Create(path); err != nil {
			return err
		}
		defer book.Abort()
		lost = book.Add
	}
	began := time.Now()
	result, err := refine.Run(ctx, refine.Options{
		Files: j.files, Steps: j.steps, Threads: env.Int("threads"), Dir: env.String("spool"), Lost: lost,
		Order: load.Order{Shuffle: env.Bool("shuffle"), Seed: env.Uint64("seed"), Limit: env.Int("n"), Epochs: env.Int("epochs")},
	})
	if err != nil {
		return err
	}
	defer result.Close()
	report(env, result.Report, time.Since(began))

	// The output comes last: where it is, its ledger and card are, too.
	if err := writeCard(ctx, env, j, result); err != nil {
		return err
	}
	if book != nil {
		if err := book.Close(); err != nil {
			return err
		}
	}
	if result.Len() == 0 {
		return fmt.Errorf("no problem is left of %d rows: %s", result.Report.Read, losses(result.Report))
	}
	return env.WriteProblems(ctx, int64(result.Len()), env.Int64("batch"), func(i int64) (schemas.Problem, error) { return result.Problem(int(i)) })
}

// readJob reads the recipe and the flags that win over it.
func readJob(env *stages.Env) (j job, err error) {
	for flag, least := range map[string]int{"epochs": 1, "n": 0, "threads": 0} {
		if n := env.Int(flag); n < least {
			return j, fmt.Errorf("--%s is %d, expected at least %d", flag, n, least)
		}
	}
	if j.tokens, err = countTokens(env.String("tokenizer")); err != nil {
		return j, err
	}
	if short := env.String("short"); !slices.Contains([]string{"", "fail", "keep", "scale"}, short) {
		return j, fmt.Errorf("--short is %q, expected fail, keep or scale", short)
	}
	steps := &step.Env{Seed: env.Uint64("seed"), Data: env.String("data"), Tokens: j.tokens, Short: env.String("short"), Warn: func(text string) { env.Log.Warn(text) }}
	resolve := steps.Path
	if in := env.StringSlice("in"); len(in) > 0 {
		resolve = func(path string) string { return path }
		for _, path := range in {
			j.sources = append(j.sources, recipe.Source{Path: path, Columns: load.Columns{
				Problem: env.String("column-problem"), Answer: env.String("column-answer"), Solution: env.String("column-solution"),
			}})
		}
	} else {
		node, file, err := env.Nested("sources")
		if err == nil {
			j.sources, err = recipe.ReadSources(node)
		}
		if err != nil {
			return j, fmt.Errorf("%s: %w", file, err)
		}
	}
	if len(j.sources) == 0 {
		return j, errors.New("expected --in FILE, a recipe with sources (--config FILE), or the command synth")
	}
	node, file, err := env.Nested("steps")
	var asked []recipe.Step
	if err == nil {
		asked, err = recipe.ReadSteps(node, step.Specs())
	}
	if err != nil {
		return j, fmt.Errorf("%s: %w", file, err)
	}
	if asked, err = before(asked, env.String("before")); err != nil {
		return j, err
	}
	opt := load.Options{Strict: env.Bool("strict")}
	for _, s := range asked {
		opt.NoAnswer = opt.NoAnswer || s.Name == "extract-answer"
	}
	for i := range j.sources {
		if j.sources[i].Name == "" && len(env.StringSlice("in")) > 0 {
			j.sources[i].Name = env.String("source")
		}
	}
	files, notes, err := refine.Files(j.sources, resolve, opt)
	if err != nil {
		return j, err
	}
	for _, note := range notes {
		env.Log.Warn(note)
	}
	if len(files) == 0 {
		return j, errors.New("none of the sources is there")
	}
	for _, s := range asked {
		made, err := step.New(s, steps)
		if err != nil {
			if file != "" {
				err = fmt.Errorf("%s: %w", file, err)
			}
			return j, err
		}
		j.steps = append(j.steps, made)
	}
	j.files, j.steps = files, refine.WithAnswers(j.steps)
	j.title = "Problems of " + filepath.Base(j.sources[0].Path)
	if path := env.String("config"); path != "" {
		j.title = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	j.recipe, err = recipeText(env)
	return j, err
}

// before leaves out a step and those after it.
func before(steps []recipe.Step, label string) ([]recipe.Step, error) {
	if label == "" {
		return steps, nil
	}
	var labels []string
	for i, s := range steps {
		if s.Label == label {
			return steps[:i], nil
		}
		labels = append(labels, s.Label)
	}
	return nil, fmt.Errorf("--before: no step %q%s, the recipe has %s", label, suggest.From(label, labels), strings.Join(labels, ", "))
}

// recipeText is the sources and steps as YAML.
func recipeText(env *stages.Env) (string, error) {
	var b strings.Builder
	for _, name := range []string{"sources", "steps"} {
		node, _, err := env.Nested(name)
		if err != nil {
			return "", err
		}
		if node == nil || name == "sources" && len(env.StringSlice("in")) > 0 {
			continue
		}
		text, err := yaml.Marshal(map[string]*yaml.Node{name: node})
		if err != nil {
			return "", err
		}
		b.Write(text)
	}
	return b.String(), nil
}

// countTokens opens the tokenizer of --tokenizer.
func countTokens(name string) (func(string) int, error) {
	var fsys fs.FS
	switch name {
	case "":
		return nil, nil
	case pretrained.Tiny:
		fsys = tiny.FS()
	default:
		if st, err := os.Stat(name); err != nil {
			return nil, fmt.Errorf("--tokenizer: %w", err)
		} else if !st.IsDir() {
			name = filepath.Dir(name) // tokenizer.json itself
		}
		fsys = os.DirFS(name)
	}
	t, err := tokenizer.Load(fsys)
	if err != nil {
		return nil, fmt.Errorf("--tokenizer %s: %w", name, err)
	}
	return func(text string) int { return len(t.Encode(text)) }, nil
}
