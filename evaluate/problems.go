package main

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/benchmark"
	"openrs/evaluate/protocol"
	"openrs/schemas"
	"openrs/stages"
)

// problemsCommand writes benchmarks as problems tables.
func problemsCommand() *cli.Command {
	return stages.Command("evaluate problems", "write the problems of benchmarks", problemsFlags(), problems)
}

func problemsFlags() []cli.Flag {
	var names []string
	for _, b := range benchmark.All() {
		names = append(names, fmt.Sprintf("%s (%s)", b.Name, b.Summary))
	}
	return append(stages.RunFlags(),
		&cli.StringFlag{Name: "out", Usage: "where problems go `TO`: nats:, a file (.arrow .parquet .jsonl), or - (Arrow on standard output)"},
		&cli.StringSliceFlag{Name: "benchmark", Value: cli.NewStringSlice("synth"), Usage: "`NAME` of a benchmark, or a lighteval task; may be repeated. " + strings.Join(names, "; ")},
		&cli.StringFlag{Name: "data", Usage: "`FOLDER` with the benchmarks' files, by their usual names or as downloaded from Hugging Face, or one benchmark's file"},
		&cli.StringFlag{Name: "prompt", Usage: "`NAME` of the wording around each question: " + strings.Join(benchmark.PromptNames(), ", ") + " (default: the benchmark's own; see `evaluate prompts`)"},
		&cli.IntFlag{Name: "n", Usage: "number of problems of each benchmark (0: the benchmark's own)"},
		&cli.IntFlag{Name: "samples", Value: 1, Usage: "how often each problem is to be answered (default with --preset: what it says)"},
		&cli.StringFlag{Name: "preset", Usage: "`PROTOCOL`, a way to sample, which generate then uses whatever its flags say: " + strings.Join(protocol.Names(), ", ")},
		&cli.IntSliceFlag{Name: "level", Usage: "only problems of this level; may be repeated"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "chooses the problems of a benchmark that is drawn, and the order of options"},
		&cli.Int64Flag{Name: "batch", Value: 32, Usage: "rows a record batch"},
	)
}

// problems writes each problem once for each of its samples, as rows that follow each other and
// carry their sample's number, and how to sample it where that was said.
func problems(ctx context.Context, env *stages.Env) error {
	type part struct {
		rows    []schemas.Problem
		samples int
	}
	var parts []part
	var total int64
	named := map[string]bool{}
	for _, name := range env.StringSlice("benchmark") {
		set, err := loadBenchmark(env, name)
		if err != nil {
			return err
		}
		if named[set.Benchmark.Name] {
			return fmt.Errorf("--benchmark %s: it is named twice", set.Benchmark.Name)
		}
		named[set.Benchmark.Name] = true
		samples, asked, err := sampling(env, set)
		if err != nil {
			return err
		}
		for i := range set.Problems {
			maps.Copy(set.Problems[i].Metadata, asked)
		}
		parts = append(parts, part{set.Problems, samples})
		total += int64(len(set.Problems)) * int64(samples)
	}
	return env.WriteProblems(ctx, total, env.Int64("batch"), func(i int64) (schemas.Problem, error) {
		for _, p := range parts {
			n := int64(len(p.rows)) * int64(p.samples)
			if i < n {
				return stages.NumberSample(p.rows[i/int64(p.samples)], int(i%int64(p.samples))), nil
			}
			i -= n
		}
		return schemas.Problem{}, fmt.Errorf("there are %d", total)
	})
}

// sampling is how often a benchmark's problems are to be answered, and what its rows say about how.
func sampling(env *stages.Env, set benchmark.Set) (int, map[string]string, error) {
	asked := map[string]string{}
	if set.Prompt.System != "" {
		asked[stages.MetaSystem] = set.Prompt.System
	}
	samples := env.Int("samples")
	if name := env.String("preset"); name != "" {
		p, err := protocol.Lookup(name)
		if err != nil {
			return 0, nil, fmt.Errorf("--preset: %w", err)
		}
		s := p.For(set.Benchmark.Name)
		if !env.IsSet("samples") {
			samples = s.Samples
		}
		number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
		maps.Copy(asked, map[string]string{
			stages.MetaTemperature: number(s.Temperature), stages.MetaTopP: number(s.TopP),
			stages.MetaTopK: "0", stages.MetaMinP: "0",
			stages.MetaMaxNewTokens: strconv.Itoa(s.MaxTokens),
			stages.MetaSeed:         strconv.FormatUint(s.Seed, 10),
			stages.MetaSystem:       set.Prompt.System,
		})
	}
	if samples < 1 {
		return 0, nil, fmt.Errorf("--samples is %d, expected at least 1", samples)
	}
	return samples, asked, nil
}

// loadBenchmark loads a benchmark with the options of the command line, and logs what was loaded and what
// is to be known about it.
func loadBenchmark(env *stages.Env, name string) (benchmark.Set, error) {
	set, err := benchmark.Load(name, benchmark.Options{
		N: env.Int("n"), Seed: env.Uint64("seed"), Levels: env.IntSlice("level"),
		Data: env.String("data"), Prompt: env.String("prompt"),
	})
	if err != nil {
		return set, err
	}
	log := env.Log.With("benchmark", set.Benchmark.Name)
	if !set.Benchmark.BuiltIn() {
		log.Info("benchmark read", "problems", len(set.Problems), "prompt", set.Prompt.Name, "files", strings.Join(set.Files, ", "), "content", set.Hash)
	}
	for _, w := range set.Warnings {
		log.Warn(w)
	}
	return set, nil
}
