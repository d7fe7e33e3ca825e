package synth

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"openrs/schemas"
)

// Source is the source column of the problems made here.
const Source = "synth"

// Split names a part of the task. A problem is held out when the first byte of
// SHA-256(expression) is 0 modulo 8, so about one expression in eight is.
type Split string

// The parts of the task.
const (
	Train Split = "train" // seven eighths of all expressions
	Test  Split = "test"  // held out: never drawn by Train
)

// InSplit reports which part an expression belongs to.
func InSplit(expression string) Split {
	if sha256.Sum256([]byte(expression))[0]%8 == 0 {
		return Test
	}
	return Train
}

// ErrExhausted is returned by Distinct when the chosen levels do not hold as
// many different problems as were asked for.
var ErrExhausted = errors.New("not enough different problems")

// Options choose a stream of problems. The zero value is the whole training
// part with every solution fully worked.
type Options struct {
	Seed   uint64
	Split  Split // "" means Train
	Levels []int // numbers of operations, drawn uniformly; empty means 1, 2, 3 and 4

	// Direct is the probability that a solution skips the working and gives
	// only the answer. Hurry is the probability that an intermediate result of
	// a worked solution is left unwritten. Neither changes which problems are
	// drawn: they make careless students, not other questions.
	Direct, Hurry float64
}

// Generator makes the problems of one stream. It holds no state: it may be
// used by several goroutines at once.
type Generator struct{ opt Options }

// New checks the options and returns the generator of that stream.
func New(opt Options) (*Generator, error) {
	switch opt.Split {
	case "":
		opt.Split = Train
	case Train, Test:
	default:
		return nil, fmt.Errorf("synth: split %q: want %q or %q", opt.Split, Train, Test)
	}
	opt.Levels = slices.Clone(opt.Levels)
	if len(opt.Levels) == 0 {
		for l := MinLevel; l <= MaxLevel; l++ {
			opt.Levels = append(opt.Levels, l)
		}
	}
	slices.Sort(opt.Levels)
	opt.Levels = slices.Compact(opt.Levels)
	for _, l := range opt.Levels {
		if l < MinLevel || l > MaxLevel {
			return nil, fmt.Errorf("synth: level %d: want %d to %d", l, MinLevel, MaxLevel)
		}
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{"direct", opt.Direct}, {"hurry", opt.Hurry}} {
		if math.IsNaN(p.value) || p.value < 0 || p.value > 1 {
			return nil, fmt.Errorf("synth: %s %v: want a probability from 0 to 1", p.name, p.value)
		}
	}
	return &Generator{opt}, nil
}

// Problem returns problem i of the stream. The same options and i give the
// same problem, whatever was asked for before.
//
// A stream may repeat itself: level 1 has only some 15,000 different
// expressions in all. Use Distinct where that matters.
func (g *Generator) Problem(i uint64) schemas.Problem {
	e, text, level, _ := g.expression(i, nil)
	return g.problem(i, e, text, level)
}

// problem writes problem i, whose expression has been drawn.
func (g *Generator) problem(i uint64, e expression, text string, level int) schemas.Problem {
	r := newRandom(forSolution, g.opt.Seed, i, g.opt.Split)
	direct := r.chance(g.opt.Direct)
	lines, answer, _ := e.solve(func() bool { return r.chance(g.opt.Hurry) })
	if direct {
		lines = nil
	}
	solution := Solution(lines, strconv.Itoa(answer))
	return schemas.Problem{
		ProblemID: schemas.ProblemID(Source, text),
		Source:    Source,
		Problem:   text,
		Solution:  &solution,
		Answer:    strconv.Itoa(answer),
		Metadata:  map[string]string{"level": strconv.Itoa(level)},
	}
}

// expression draws problem i: the level once, and then expressions of that
// level until one is within the limits, in the right split, and not refused.
// Keeping the level makes the levels come equally often, although long
// expressions leave the limits more often and short ones repeat. ok is false
// when a long search found only refused ones; without refused it is true.
func (g *Generator) expression(i uint64, refused map[string]bool) (e expression, text string, level int, ok bool) {
	const patience = 20_000 // refused draws in a row
	r := newRandom(forExpression, g.opt.Seed, i, g.opt.Split)
	level = g.opt.Levels[r.below(len(g.opt.Levels))]
	write := func() bool { return false }
	for misses := 0; misses < patience; {
		e = draw(r, level)
		if _, _, ok := e.solve(write); !ok {
			continue
		}
		if text = e.String(); InSplit(text) != g.opt.Split {
			continue
		}
		if !refused[text] {
			return e, text, level, true
		}
		misses++
	}
	return e, text, level, false
}

// Distinct returns n different problems: an evaluation set. It is the stream's
// first n problems, each repetition replaced by another problem of the same
// level, so the levels stay equally frequent. Asking for more keeps the
// earlier ones. It fails with ErrExhausted when a level has no more.
func (g *Generator) Distinct(n int) ([]schemas.Problem, error) {
	if n < 0 {
		return nil, fmt.Errorf("synth: %d problems: want 0 or more", n)
	}
	var problems []schemas.Problem
	seen := make(map[string]bool)
	for i := range uint64(n) {
		e, text, level, ok := g.expression(i, seen)
		if !ok {
			return nil, fmt.Errorf("synth: %w: split %s has no more of level %d after %d of %d problems", ErrExhausted, g.opt.Split, level, len(problems), n)
		}
		seen[text] = true
		problems = append(problems, g.problem(i, e, text, level))
	}
	return problems, nil
}

// Solution writes lines of working and an answer in the form that the format
// reward looks for. No lines give the direct form, with nothing between the
// think tags.
func Solution(lines []string, answer string) string {
	var b strings.Builder
	b.WriteString("<think>\n")
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	b.WriteString("</think>\n\\boxed{" + answer + "}")
	return b.String()
}
