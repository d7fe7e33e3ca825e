package benchmark

import (
	"errors"
	"strconv"

	"openrs/schemas"
	"openrs/score/answer"
	"openrs/stages/synth"
)

// Errors that a caller may want to tell apart.
var (
	ErrUnknown = errors.New("unknown benchmark")
	ErrPrompt  = errors.New("unknown prompt")
	ErrNoData  = errors.New("no data for the benchmark") // no folder was named, or nothing in it has the benchmark's name
	ErrData    = errors.New("malformed benchmark data")  // a row that is no problem of the benchmark
)

// Benchmark is one row of the table.
type Benchmark struct {
	Name    string
	Aliases []string // other names people use; case and punctuation don't matter
	Summary string   // one line for --help
	Rows    int      // number of problems when Options.N is 0
	Prompt  string   // name of the prompt that Options.Prompt "" means
	Metric  Metric
	Hash    string // Content of the published data, "" where it is not known; see content.go

	// Where the data come from: draw makes the problems of a built-in
	// benchmark, files and read are those of one that is read.
	draw  func(b Benchmark, opt Options) ([]schemas.Problem, error)
	files fileNames
	read  func(r row) (item, error)
	level func(question string) (string, bool) // nil: no levels
}

// Metric is how answers are judged and summed up.
type Metric struct {
	Name    string // of the figure, as lighteval calls it
	Profile string // of score/answer: what counts as an answer
	Places  int    // decimals that must agree
}

// Answer is the metric's profile for score/answer, with its precision. The
// profiles that score offers by name are used as they are: a row whose
// precision is another one would be judged differently by `score --profile`,
// and a test says so.
func (m Metric) Answer() (answer.Profile, error) {
	p, err := answer.ProfileByName(m.Profile)
	if err != nil {
		return p, err
	}
	p.Math.Places = m.Places
	return p, nil
}

// extractive is lighteval's metric with open-rs' settings: the last answer of
// the completion, a box first, compared to 5 decimals.
var extractive = Metric{Name: "extractive_match", Profile: "benchmark", Places: 5}

// benchmarks returns the rows of the table. It is a function because Go has no constant slices.
//
// The hashes of files are those of the editions that Qwen2.5-Math (aime24,
// amc23, olympiadbench, gsm8k) and rllm (math_500, minerva) keep in their
// repositories; aime25 and gpqa could not be had, so their number of rows is
// all that is checked.
func benchmarks() []Benchmark {
	return []Benchmark{
		{
			Name:    synth.Source,
			Summary: "held-out arithmetic: the built-in task, different problems, levels 1 to 4",
			Rows:    512, Prompt: Plain, Metric: extractive,
			draw: heldOut,
			level: func(question string) (string, bool) {
				l, ok := synth.Level(question)
				return strconv.Itoa(l), ok
			},
		},
		{
			Name:    "aime24",
			Aliases: []string{"aime2024", "HuggingFaceH4/aime_2024", "aime24_avg"},
			Summary: "AIME 2024, both papers",
			Rows:    30, Prompt: Lighteval, Metric: extractive,
			Hash:  "53b0dc17110785de",
			files: fileNames{stem: `^aime(20)?24(i|ii|train|test)?$`, folder: `aime(20)?24$`, split: "train"},
			read:  aime,
		},
		{
			Name:    "aime25",
			Aliases: []string{"aime2025", "yentinglin/aime_2025", "aime25_avg"},
			Summary: "AIME 2025, both papers",
			Rows:    30, Prompt: Lighteval, Metric: extractive,
			files: fileNames{stem: `^aime(20)?25(i|ii|train|test)?$`, folder: `aime(20)?25$`, split: "train"},
			read:  aime,
		},
		{
			Name:    "amc23",
			Aliases: []string{"amc2023", "amc", "knoveleng/AMC-23"},
			Summary: "AMC 12 2023, both papers, answers that are numbers",
			Rows:    40, Prompt: Lighteval, Metric: extractive,
			Hash:  "9903064e21282f51",
			files: fileNames{stem: `^amc(20)?23(train|test)?$`, folder: `amc(20)?23$`, split: "train"},
			read:  amc,
		},
		{
			Name:    "math_500",
			Aliases: []string{"math500", "math", "HuggingFaceH4/MATH-500"},
			Summary: "500 problems of MATH's test part",
			Rows:    500, Prompt: Lighteval, Metric: extractive,
			Hash:  "eefcc84e9d6a4831",
			files: fileNames{stem: `^math500(test)?$`, folder: `math500$`, split: "test"},
			read:  latex,
		},
		{
			Name:    "minerva",
			Aliases: []string{"minerva_math", "knoveleng/Minerva-Math"},
			Summary: "272 problems of MIT courses (OCWCourses)",
			Rows:    272, Prompt: Lighteval, Metric: extractive,
			Hash:  "7cc708042557d053",
			files: fileNames{stem: `^(minerva(math)?|ocwcourses)(train|test)?$`, folder: `(minerva(math)?|ocwcourses)$`, split: "train"},
			read:  minerva,
		},
		{
			Name:    "olympiadbench",
			Aliases: []string{"olympiad_bench", "olympiad", "knoveleng/OlympiadBench"},
			Summary: "OlympiadBench: open-ended mathematics in English, text only",
			Rows:    675, Prompt: Lighteval, Metric: extractive,
			Hash:  "5aea1b449dd7d7c6",
			files: fileNames{stem: `^(olympiad(bench)?(train|test)?|oetomathsencomp)$`, folder: `olympiad(bench)?$`, split: "train"},
			read:  olympiad,
		},
		{
			Name:    "gpqa:diamond",
			Aliases: []string{"gpqa_diamond", "gpqa", "Idavidrein/gpqa"},
			Summary: "GPQA Diamond: graduate-level science, four options",
			Rows:    198, Prompt: Lighteval, Metric: extractive,
			files: fileNames{stem: `^gpqadiamond(train|test)?$`, folder: `gpqa(diamond)?$`, split: "train"},
			read:  gpqa,
		},
		{
			Name:    "gsm8k",
			Aliases: []string{"openai/gsm8k", "grade-school-math"},
			Summary: "grade-school word problems, the test part",
			Rows:    1319, Prompt: Lighteval, Metric: extractive,
			Hash:  "805b1641645399d6",
			files: fileNames{stem: `^gsm8k(test)?$`, folder: `gsm8k$`, split: "test", part: "main"},
			read:  gsm8k,
		},
	}
}

// All returns every benchmark in the order of the table.
func All() []Benchmark { return benchmarks() }

// Names returns the name of every benchmark in the order of the table.
func Names() []string {
	var names []string
	for _, b := range benchmarks() {
		names = append(names, b.Name)
	}
	return names
}

// BuiltIn reports whether the benchmark needs no data files.
func (b Benchmark) BuiltIn() bool { return b.draw != nil }

// Level is the level of difficulty of a problem, given its source and text
// (the question, or the question within a prompt). false means that the source
// has no levels or the text is not one of its problems. Rollouts carry no
// metadata, so the text has to say it.
func Level(source, problem string) (string, bool) {
	for _, b := range benchmarks() {
		if b.Name == source && b.level != nil {
			return b.level(unrender(problem))
		}
	}
	return "", false
}

// heldOut draws from the part of the arithmetic task that training never sees.
func heldOut(_ Benchmark, opt Options) ([]schemas.Problem, error) {
	g, err := synth.New(synth.Options{Seed: opt.Seed, Split: synth.Test, Levels: opt.Levels})
	if err != nil {
		return nil, err
	}
	return g.Distinct(opt.N)
}
