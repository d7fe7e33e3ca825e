package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"openrs/evaluate/benchmark"
	"openrs/evaluate/job"
	"openrs/evaluate/protocol"
	"openrs/evaluate/report"
	"openrs/stages"
)

// taskFlags say what is asked, and how: the flags of every command that has samples made.
func taskFlags(samples string) []cli.Flag {
	var presets []string
	for _, p := range protocol.All() {
		presets = append(presets, p.Name+" ("+p.Summary+")")
	}
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "task", Value: cli.NewStringSlice("synth"), Usage: "`BENCHMARK` to answer; may be repeated. " + strings.Join(benchmark.Names(), ", ")},
		&cli.StringFlag{Name: "data", Usage: "`FOLDER` with the benchmarks' files, or one benchmark's file"},
		&cli.StringFlag{Name: "prompt", Usage: "`NAME` of the wording around each question (default: the benchmark's own; see `evaluate prompts`)"},
		&cli.IntFlag{Name: "n", Usage: "the first `N` problems of each benchmark only (0: all)"},
		&cli.IntSliceFlag{Name: "level", Usage: "only problems of this level; may be repeated"},
		&cli.StringFlag{Name: "preset", Value: protocol.Sober, Usage: "`PROTOCOL`: " + strings.Join(presets, "; ")},
		&cli.IntFlag{Name: "samples", Usage: samples},
		&cli.Float64Flag{Name: "temperature", Usage: "0 is greedy (default: the protocol's)"},
		&cli.Float64Flag{Name: "top-p", Usage: "nucleus sampling (default: the protocol's)"},
		&cli.IntFlag{Name: "max-new-tokens", Usage: "longest completion (default: the protocol's)"},
		&cli.Uint64Flag{Name: "seed", Value: 1, Usage: "of sampling (default: the protocol's), and of what benchmarks draw. The seeds of a protocol are samples here"},
		&cli.StringFlag{Name: "profile", Value: "benchmark", Usage: "what counts as an answer: benchmark (whatever a reader would take for it), reward or open-rs; must be score's"},
	}
}

// workFlags say what samples are made with on this machine: they go to generate as they are.
func workFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "device", Value: "cpu", Usage: "`DEVICE` that runs the model: cpu, cuda, or several that share the work: cuda:0-3"},
		&cli.StringFlag{Name: "dtype", Value: "f32", Usage: "`TYPE` in which matrices are stored and multiplied: f32, or bf16"},
		&cli.IntFlag{Name: "threads", Usage: "processor cores to use (0: all)"},
		&cli.IntFlag{Name: "max-sequences", Value: 256, Usage: "sequences that decode together"},
		&cli.IntFlag{Name: "cache-tokens", Usage: "positions in the key-value cache (0: enough for --max-sequences of 1,024, or what fits into memory)"},
		&cli.StringFlag{Name: "bin", Usage: "`DIR` with the binaries generate and score (default: where evaluate is)"},
	}
}

// pageFlags are those of what is written, without the one that tells here how answers are judged too.
func pageFlags() []cli.Flag {
	return slices.DeleteFunc(outputFlags(), func(f cli.Flag) bool { return f.Names()[0] == "profile" })
}

// tasks are the benchmarks that the flags name, as the protocol asks them.
func tasks(env *stages.Env) (all []job.Task, asked protocol.Protocol, err error) {
	if asked, err = protocol.Lookup(env.String("preset")); err != nil {
		return nil, asked, fmt.Errorf("--preset: %w", err)
	}
	if asked, err = asked.With(override(env)); err != nil {
		return nil, asked, err
	}
	for _, name := range env.StringSlice("task") {
		set, err := loadTask(env, name)
		if err != nil {
			return nil, asked, fmt.Errorf("--task: %w", err)
		}
		log := env.Log.With("task", set.Benchmark.Name)
		for _, w := range set.Warnings {
			log.Warn(w)
		}
		s := asked.For(set.Benchmark.Name)
		log.Info("task", "problems", len(set.Problems), "samples", s.Samples, "temperature", s.Temperature, "top_p", s.TopP,
			"max_new_tokens", s.MaxTokens, "prompt", set.Prompt.Name, "files", strings.Join(set.Files, ", "))
		all = append(all, job.Task{
			Name: set.Benchmark.Name, Problems: set.Problems, Samples: s.Samples, System: set.Prompt.System,
			Sampling: job.Sampling{Temperature: s.Temperature, TopP: s.TopP, MaxTokens: s.MaxTokens, Seed: int64(s.Seed)},
		})
	}
	return all, asked, nil
}

// loadTask reads a benchmark, or as much of it as --n says.
func loadTask(env *stages.Env, name string) (benchmark.Set, error) {
	b, err := benchmark.Lookup(name)
	if err != nil {
		return benchmark.Set{}, err
	}
	n := env.Int("n")
	if n < 0 {
		return benchmark.Set{}, fmt.Errorf("--n is %d, expected 0 (all) or more", n)
	}
	opt := benchmark.Options{Seed: env.Uint64("seed"), Levels: env.IntSlice("level"), Data: env.String("data"), Prompt: env.String("prompt")}
	if b.BuiltIn() {
		opt.N = n // it has as many as one likes
	}
	set, err := benchmark.Load(name, opt)
	if err == nil && n > 0 && n < len(set.Problems) {
		set.Problems = set.Problems[:n]
	}
	return set, err
}

// override is what the flags change of a protocol.
func override(env *stages.Env) (o protocol.Override) {
	if env.IsSet("samples") {
		n := env.Int("samples")
		o.Samples = &n
	}
	if env.IsSet("max-new-tokens") {
		n := env.Int("max-new-tokens")
		o.MaxTokens = &n
	}
	if env.IsSet("temperature") {
		x := env.Float64("temperature")
		o.Temperature = &x
	}
	if env.IsSet("top-p") {
		x := env.Float64("top-p")
		o.TopP = &x
	}
	if env.IsSet("seed") {
		n := env.Uint64("seed")
		o.Seed = &n
	}
	return o
}

// local makes samples as the flags say; what it keeps of its work goes to dir.
func local(env *stages.Env, dir string) (*job.Local, error) {
	tools, err := job.FindTools(env.String("bin"))
	if err != nil {
		return nil, err
	}
	l := &job.Local{Tools: tools, Dir: dir, Log: env.Log}
	for _, name := range []string{"device", "dtype", "threads", "max-sequences", "cache-tokens", "seed"} {
		l.Generate = append(l.Generate, "--"+name, fmt.Sprint(env.Value(name)))
	}
	l.Score = []string{"--reward", "accuracy", "--profile", env.String("profile"), "--preflight=false"}
	return l, nil
}

// kept are the settings that finished samples depend on.
func kept(env *stages.Env, p *job.Plan, models ...job.Model) job.Settings {
	kind, _, _ := strings.Cut(env.String("device"), ":")
	all := append(p.Settings(), job.Setting{Name: "profile", Value: env.String("profile")},
		// Kinds of devices and types differ by rounding, and so do completions.
		job.Setting{Name: "device", Value: kind}, job.Setting{Name: "dtype", Value: env.String("dtype")})
	for _, m := range models {
		all = append(all, m.Setting())
		if strings.HasPrefix(m.Path, "shape:") {
			all = append(all, job.Setting{Name: "seed of the weights of " + m.Name, Value: fmt.Sprint(env.Uint64("seed"))})
		}
	}
	return all
}

// shown are the settings as a report shows them.
func shown(asked protocol.Protocol, p *job.Plan, more ...report.Setting) []report.Setting {
	all := []report.Setting{{Name: "protocol", Value: asked.String()}}
	for _, t := range p.Tasks() {
		all = append(all, report.Setting{Name: t.Name, Value: fmt.Sprintf("%d problems, %d samples each", len(t.Problems), t.Samples)})
	}
	return slices.Concat(all, more)
}
