package benchmark

import (
	"fmt"
	"strings"

	"openrs/schemas"
	"openrs/score/answer"
)

// Options of Load. A benchmark uses those that mean something to it and
// refuses the others.
type Options struct {
	N      int    // number of problems, from the first on; 0 means the benchmark's own number
	Seed   uint64 // chooses the problems of a benchmark that is drawn, and the order of the options of one that has options
	Levels []int  // levels of difficulty, for a benchmark that has them; empty means all
	Data   string // the folder with data files, or one file
	Prompt string // name of the prompt; "" means the benchmark's own
}

// Set is a benchmark that was loaded.
type Set struct {
	Benchmark Benchmark
	Prompt    Prompt
	// Problems, each once: how often each is sampled is for the sampler to
	// say. Problem is the user's message with the prompt around the question;
	// ProblemID is of source and bare question, so that a problem has the same
	// one under every prompt, and prompts can be compared problem by problem.
	Problems []schemas.Problem
	Files    []string // that were read; none for a built-in benchmark
	Rows     int      // problems in the files, before Options.N
	Hash     string   // Content of the files; "" for a built-in benchmark
	// Warnings are what a reader of the scores has to know: that the data
	// differ from the published ones, or could not be checked.
	Warnings []string
}

// Problems returns the problems of the named benchmark: those of Load.
func Problems(name string, opt Options) ([]schemas.Problem, error) {
	set, err := Load(name, opt)
	return set.Problems, err
}

// Load reads or draws the problems of a benchmark, which may be named as in
// Lookup.
func Load(name string, opt Options) (Set, error) {
	b, err := Lookup(name)
	if err != nil {
		return Set{}, err
	}
	set, err := b.load(opt)
	if err != nil {
		return Set{}, fmt.Errorf("benchmark %s: %w", b.Name, err)
	}
	return set, nil
}

func (b Benchmark) load(opt Options) (Set, error) {
	set := Set{Benchmark: b}
	if opt.N < 0 {
		return set, fmt.Errorf("%d problems: want 0 (all) or more", opt.N)
	}
	if b.level == nil && len(opt.Levels) > 0 {
		return set, fmt.Errorf("levels %v: it has no levels", opt.Levels)
	}
	if opt.Prompt == "" {
		opt.Prompt = b.Prompt
	}
	var err error
	if set.Prompt, err = LookupPrompt(opt.Prompt); err != nil {
		return set, err
	}
	if b.BuiltIn() {
		return b.drawn(set, opt)
	}
	return b.fromFiles(set, opt)
}

// drawn makes the problems of a built-in benchmark.
func (b Benchmark) drawn(set Set, opt Options) (Set, error) {
	if opt.N == 0 {
		opt.N = b.Rows
	}
	var err error
	if set.Problems, err = b.draw(b, opt); err != nil {
		return set, err
	}
	for i, p := range set.Problems {
		set.Problems[i].Problem = set.Prompt.Render(p.Problem, nil)
	}
	set.Rows = len(set.Problems)
	return set, nil
}

// fromFiles reads the problems and checks that they are the published ones.
func (b Benchmark) fromFiles(set Set, opt Options) (Set, error) {
	var err error
	if set.Files, err = b.files.find(b, opt.Data); err != nil {
		return set, err
	}
	var items []item
	for _, path := range set.Files {
		more, err := b.readFile(path)
		if err != nil {
			return set, err
		}
		items = append(items, more...)
	}
	set.Rows, set.Hash = len(items), Content(items)
	set.Warnings = b.check(set, items)
	if opt.N > len(items) {
		return set, fmt.Errorf("%d problems: %s has %d", opt.N, strings.Join(set.Files, ", "), len(items))
	}
	if opt.N > 0 {
		items = items[:opt.N]
	}
	seen := map[string]int{}
	for _, it := range items {
		set.Problems = append(set.Problems, b.problem(it, set.Prompt, opt.Seed, seen))
	}
	return set, nil
}

// check compares what was read with what the table expects.
func (b Benchmark) check(set Set, items []item) []string {
	var out []string
	warn := func(format string, args ...any) {
		out = append(out, fmt.Sprintf(format, args...))
	}
	files := strings.Join(set.Files, ", ")
	if set.Rows != b.Rows {
		warn("%s has %d problems, %s has %d: scores are not comparable with published ones", files, set.Rows, b.Name, b.Rows)
	} else if b.Hash == "" {
		warn("the content of %s can't be checked, only that it has %d problems: no hash of %s is known here; this file's is %s", files, b.Rows, b.Name, set.Hash)
	} else if set.Hash != b.Hash {
		warn("the content of %s differs from the edition of %s that is known here (hash %s, expected %s): another edition, or a changed file", files, b.Name, set.Hash, b.Hash)
	}
	profile, err := b.Metric.Answer()
	if err != nil {
		warn("%v", err)
		return out
	}
	unreadable, right := 0, 0
	for _, it := range items {
		if it.note != "" {
			if right++; right == 1 {
				warn("%s: row %d: %s", it.file, it.row, it.note)
			}
		}
		if _, err := answer.ReadGold(it.answer, profile); err != nil {
			if unreadable++; unreadable == 1 {
				warn("%s: row %d: the gold answer can't be read, so no answer to it can be right: %v", it.file, it.row, err)
			}
		}
	}
	if right > 1 {
		warn("so it is with %d rows in all", right)
	}
	if unreadable > 1 {
		warn("%d gold answers in all can't be read", unreadable)
	}
	return out
}

// problem makes the record of an item. seen counts questions that were there
// before: each problem has its own id, so that samples of two rows with the same
// text are not taken for one problem's.
func (b Benchmark) problem(it item, prompt Prompt, seed uint64, seen map[string]int) schemas.Problem {
	key := it.question
	if seen[it.question]++; seen[it.question] > 1 {
		key = fmt.Sprintf("%s\n#%d", it.question, seen[it.question])
	}
	p := schemas.Problem{
		ProblemID: schemas.ProblemID(b.Name, key),
		Source:    b.Name,
		Answer:    it.answer,
		Metadata:  it.meta,
	}
	if it.solution != "" {
		p.Solution = &it.solution
	}
	var shown []string
	if len(it.choices) > 0 {
		order := Order(seed, it.question, len(it.choices))
		shown = make([]string, len(order))
		for i, from := range order {
			shown[i] = it.choices[from]
			if from == 0 { // the right one comes first in the data
				p.Answer = letter(i)
			}
		}
	}
	p.Problem = prompt.Render(it.question, shown)
	return p
}
