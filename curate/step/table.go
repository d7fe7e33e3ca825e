package step

import "openrs/curate/recipe"

// Options that several steps have.
var (
	minimum = recipe.Option{Name: "min", Type: recipe.Number, Usage: "smallest value kept"}
	maximum = recipe.Option{Name: "max", Type: recipe.Number, Usage: "largest value kept"}
	above   = recipe.Option{Name: "above", Type: recipe.Number, Usage: "keep larger values only"}
	below   = recipe.Option{Name: "below", Type: recipe.Number, Usage: "keep smaller values only"}
	seed    = recipe.Option{Name: "seed", Type: recipe.Count, Usage: "default: that of the command"}
)

func of(def, usage string) recipe.Option {
	return recipe.Option{Name: "of", Type: recipe.Text, Default: def, Usage: usage}
}

func profile(def string) recipe.Option {
	return recipe.Option{Name: "profile", Type: recipe.Choice, Among: []string{"reward", "benchmark", "open-rs"}, Default: def, Usage: "how answers are read (score/answer)"}
}

func choice(name, usage string, among ...string) recipe.Option {
	return recipe.Option{Name: name, Type: recipe.Choice, Among: among, Default: among[0], Usage: usage}
}

func yes(name, def, usage string) recipe.Option {
	return recipe.Option{Name: name, Type: recipe.Bool, Default: def, Usage: usage}
}

func files(name, usage string) recipe.Option {
	return recipe.Option{Name: name, Type: recipe.List, Required: true, Usage: usage}
}

// kinds is the table of steps.
func kinds() []kind {
	const anyField = "problem, solution, answer, source, difficulty or metadata.KEY"
	return []kind{
		{Spec: recipe.Spec{Name: "extract-answer", Main: "from", Usage: "take the answer out of worked text, where there is none", Options: []recipe.Option{
			choice("from", "where it is looked for", "solution", "answer"),
			yes("always", "false", "also where there is an answer"), profile("benchmark"),
		}}, filter: newExtractAnswer},
		{Spec: recipe.Spec{Name: "readable-answer", Main: "profile", Usage: "keep rows whose answer can be read", Options: []recipe.Option{
			profile("reward"), {Name: "not", Type: recipe.List, Among: answerKinds(), Usage: "kinds of answers that are dropped all the same"},
		}}, filter: newReadableAnswer},
		{Spec: recipe.Spec{Name: "boxed-only", Main: "of", Usage: `keep rows with an answer in \boxed{}`, Options: []recipe.Option{
			of("solution", "solution, answer or problem"),
		}}, filter: newBoxed},
		{Spec: recipe.Spec{Name: "no-figures", Usage: "drop problems with pictures", Options: []recipe.Option{
			yes("asy", "true", "drawn in the text: asymptote, TikZ"), yes("images", "true", "linked images"), yes("references", "true", `"the figure below"`),
		}}, filter: newFigures},
		{Spec: recipe.Spec{Name: "no-multi-part", Usage: "drop problems that ask for several things: (a) … (b) …"}, filter: patternFilter(parts)},
		{Spec: recipe.Spec{Name: "no-proofs", Usage: "drop problems that ask for a proof"}, filter: patternFilter(proofs)},
		{Spec: recipe.Spec{Name: "no-choices", Usage: "drop problems with answers to choose from: (A) … (B) …"}, filter: patternFilter(choices)},
		{Spec: recipe.Spec{Name: "no-leaked-answer", Usage: `drop problems that state their own answer: in a box, or after "answer"`}, filter: newNoLeak},
		{Spec: recipe.Spec{Name: "match", Main: "pattern", Usage: "keep rows with a text that fits an expression", Options: []recipe.Option{
			{Name: "pattern", Type: recipe.Text, Required: true, Usage: "regular expression (RE2)"}, of("problem", anyField), yes("keep", "true", "false: drop them"),
		}}, filter: newMatch},
		{Spec: recipe.Spec{Name: "where", Usage: "keep rows by a value", Options: []recipe.Option{
			{Name: "of", Type: recipe.Text, Required: true, Usage: anyField}, {Name: "in", Type: recipe.List, Usage: "values kept"},
			minimum, maximum, above, below, choice("missing", "rows without the value", "drop", "keep"),
		}}, filter: newWhere},
		{Spec: recipe.Spec{Name: "language", Main: "is", Usage: "keep problems in some languages", Options: []recipe.Option{
			{Name: "is", Type: recipe.List, Default: "en", Usage: "ISO 639-1 codes"}, choice("unknown", "problems of too few words to tell", "keep", "drop"),
		}}, filter: newLanguage},
		{Spec: recipe.Spec{Name: "length", Main: "max", Usage: "keep rows by the length of a text", Options: []recipe.Option{
			of("problem", "problem, solution or answer"), minimum, maximum,
			{Name: "unit", Type: recipe.Choice, Among: []string{"tokens", "characters", "words"}, Usage: "default: tokens with --tokenizer, else characters"},
		}}, filter: newLength},
		{Spec: recipe.Spec{Name: "exact-duplicates", Usage: "drop problems that came before, written alike", Options: []recipe.Option{
			choice("answers", "whether answers that differ are reported", "report", "ignore"),
		}}, judge: newExactDuplicates},
		{Spec: recipe.Spec{Name: "near-duplicates", Main: "threshold", Usage: "drop problems that nearly came before (MinHash, verified)", Options: []recipe.Option{
			{Name: "threshold", Type: recipe.Number, Usage: "Jaccard similarity of word n-grams, default 0.8"}, {Name: "ngram", Type: recipe.Count, Usage: "words of an n-gram, default 3"},
			{Name: "numbers", Type: recipe.Number, Usage: "share of the numbers that must agree, default 0: problems that differ in numbers only may be duplicates"},
		}}, judge: newNearDuplicates},
		{Spec: recipe.Spec{Name: "decontaminate", Main: "against", Usage: "drop problems that repeat, contain or reword an item of a benchmark", Options: []recipe.Option{
			files("against", "the benchmarks' files"), {Name: "methods", Type: recipe.List, Among: methodNames(), Usage: "how to look, default: exact, near and reworded"},
			{Name: "report", Type: recipe.List, Among: methodNames(), Usage: "methods whose finds are counted but stay"},
			{Name: "near", Type: recipe.Number, Usage: "threshold of method near"}, {Name: "reworded", Type: recipe.Number, Usage: "threshold of method reworded"},
			{Name: "column", Type: recipe.Text, Usage: "the benchmarks' column with the problem, default: guessed"},
		}}, judge: newContamination},
		{Spec: recipe.Spec{Name: "majority", Main: "scored", Usage: "check answers by what most samples of a model say", Options: []recipe.Option{
			files("scored", "files of generate or score"), {Name: "min-samples", Type: recipe.Count, Default: "4", Usage: "fewer don't tell"},
			{Name: "share", Type: recipe.Number, Default: "0.5", Usage: "of the samples that must agree"}, profile("benchmark"),
			choice("on-disagreement", "what becomes of the row", "drop", "mark", "replace"), choice("missing", "rows without enough samples", "keep", "drop"),
		}}, filter: newMajority},
		{Spec: recipe.Spec{Name: "pass-rate", Main: "scored", Usage: "measure difficulty by the samples of a model, and keep rows between bounds", Options: []recipe.Option{
			files("scored", "files of score"), minimum, maximum, above, below, {Name: "min-samples", Type: recipe.Count, Default: "1", Usage: "fewer don't tell"},
			choice("by", "share of right samples, or mean reward", "correct", "reward"), choice("missing", "rows without enough samples", "drop", "keep", "fail"),
		}}, filter: newPassRate},
		{Spec: recipe.Spec{Name: "mix", Whole: true, Usage: "draw so many rows of each source", Options: []recipe.Option{
			{Name: "counts", Type: recipe.Numbers, Usage: "rows of each"}, {Name: "weights", Type: recipe.Numbers, Usage: "or shares of each"},
			{Name: "total", Type: recipe.Count, Usage: "rows, with weights; default: as many as there are"},
			{Name: "by", Type: recipe.Text, Default: "source", Usage: "source or metadata.KEY"},
			choice("short", "where there are too few rows", "fail", "keep", "scale"), choice("others", "rows of other sources", "drop", "keep"), seed,
		}}, arranger: newMix},
		{Spec: recipe.Spec{Name: "order", Main: "by", Whole: true, Usage: "sort all rows", Options: []recipe.Option{
			{Name: "by", Type: recipe.Text, Required: true, Usage: "shuffle, easy-to-hard, hard-to-easy, source or metadata.KEY"},
			choice("missing", "rows without a value", "last", "first"), seed,
		}}, arranger: newOrder},
		{Spec: recipe.Spec{Name: "limit", Main: "rows", Usage: "keep the first rows", Options: []recipe.Option{
			{Name: "rows", Type: recipe.Count, Required: true, Usage: "how many"},
		}}, judge: newLimit},
	}
}
