package synth

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"openrs/schemas"
)

// evaluate is a plain parser of the task's grammar, written apart from the
// generator: expr = product {("+"|"-") product}; product = number {"*" number}.
// It also reports the extremes of all values on the way.
func evaluate(s string) (value, low, high int, err error) {
	pos := 0
	seen := func(v int) { low, high = min(low, v), max(high, v) }
	number := func() (int, error) {
		start := pos
		for pos < len(s) && s[pos] >= '0' && s[pos] <= '9' {
			pos++
		}
		if start == pos || s[start] == '0' {
			return 0, fmt.Errorf("%q: no number at %d", s, start)
		}
		return strconv.Atoi(s[start:pos])
	}
	product := func() (int, error) {
		v, err := number()
		for err == nil && pos < len(s) && s[pos] == '*' {
			pos++
			var w int
			if w, err = number(); err == nil {
				v *= w
				seen(v)
			}
		}
		return v, err
	}
	if value, err = product(); err != nil {
		return
	}
	for pos < len(s) {
		op := s[pos]
		if op != '+' && op != '-' {
			return 0, 0, 0, fmt.Errorf("%q: operator %q", s, op)
		}
		pos++
		var w int
		if w, err = product(); err != nil {
			return
		}
		if op == '-' {
			w = -w
		}
		value += w
		seen(value)
	}
	return value, low, high, nil
}

func mustNew(t testing.TB, opt Options) *Generator {
	t.Helper()
	g, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var (
	shape = regexp.MustCompile(`^<think>\n((?:[0-9+*-]+=[0-9]+\n)*)</think>\n\\boxed\{([0-9]+)\}$`)
	terms = regexp.MustCompile(`[0-9]+`)
)

// checkProblem holds a problem against the task's definition.
func checkProblem(t testing.TB, p schemas.Problem) (level, lines int) {
	t.Helper()
	value, low, high, err := evaluate(p.Problem)
	if err != nil {
		t.Fatal(err)
	}
	if strconv.Itoa(value) != p.Answer {
		t.Fatalf("%s: answer %s, want %d", p.Problem, p.Answer, value)
	}
	if low < 0 || high > 999 {
		t.Fatalf("%s: values from %d to %d, want 0 to 999", p.Problem, low, high)
	}
	level = strings.Count(p.Problem, "+") + strings.Count(p.Problem, "-") + strings.Count(p.Problem, "*")
	if got, ok := Level(p.Problem); !ok || got != level || p.Metadata["level"] != strconv.Itoa(level) {
		t.Fatalf("%s: Level says %d (%v), metadata %q, want %d", p.Problem, got, ok, p.Metadata["level"], level)
	}
	if strings.Count(p.Problem, "*") > 1 {
		t.Fatalf("%s: more than one product", p.Problem)
	}
	for _, at := range terms.FindAllStringIndex(p.Problem, -1) {
		n, _ := strconv.Atoi(p.Problem[at[0]:at[1]])
		factor := at[0] > 0 && p.Problem[at[0]-1] == '*' || at[1] < len(p.Problem) && p.Problem[at[1]] == '*'
		if n < 1 || n > 99 || factor && (n < 2 || n > 9) {
			t.Fatalf("%s: operand %d out of range", p.Problem, n)
		}
	}
	if p.Source != "synth" || p.ProblemID != schemas.ProblemID("synth", p.Problem) {
		t.Fatalf("%s: source %q, id %q", p.Problem, p.Source, p.ProblemID)
	}

	m := shape.FindStringSubmatch(*p.Solution)
	if m == nil || m[2] != p.Answer {
		t.Fatalf("%s: solution %q does not have the form with answer %s", p.Problem, *p.Solution, p.Answer)
	}
	written := strings.Split(strings.TrimSuffix(m[1], "\n"), "\n")
	if m[1] == "" {
		written = nil
	}
	for i, line := range written {
		left, right, _ := strings.Cut(line, "=")
		v, _, _, err := evaluateLine(left)
		if err != nil || strconv.Itoa(v) != right {
			t.Fatalf("%s: line %q is wrong (%v)", p.Problem, line, err)
		}
		if i == len(written)-1 && right != p.Answer {
			t.Fatalf("%s: the last line is %q, the answer %s", p.Problem, line, p.Answer)
		}
	}
	return level, len(written)
}

// evaluateLine allows a result of 0 as a term, which problems do not have.
func evaluateLine(s string) (int, int, int, error) {
	if rest, ok := strings.CutPrefix(s, "0+"); ok {
		return evaluate(rest)
	}
	if rest, ok := strings.CutPrefix(s, "0-"); ok {
		v, low, high, err := evaluate(rest)
		return -v, low, high, err
	}
	if left, ok := strings.CutSuffix(s, "+0"); ok {
		return evaluate(left)
	}
	if left, ok := strings.CutSuffix(s, "-0"); ok {
		return evaluate(left)
	}
	return evaluate(s)
}

func TestProblemsAreWhatTheTaskSays(t *testing.T) {
	const n = 20_000
	g := mustNew(t, Options{Seed: 3})
	levels, products, answers := map[int]int{}, 0, map[string]int{}
	length := 0
	for i := range uint64(n) {
		p := g.Problem(i)
		level, lines := checkProblem(t, p)
		if lines != level {
			t.Fatalf("%s: %d lines of working, want one an operation", p.Problem, lines)
		}
		levels[level]++
		answers[p.Answer]++
		length += len(*p.Solution)
		if strings.Contains(p.Problem, "*") {
			products++
		}
	}
	for l := MinLevel; l <= MaxLevel; l++ {
		if got := levels[l]; math.Abs(float64(got)-n/4) > 300 { // 5 standard deviations
			t.Errorf("level %d: %d of %d problems, want a quarter", l, got, n)
		}
	}
	// Products are drawn half of the time; the limits remove some of either
	// kind, so only the neighbourhood can be said.
	if products < n*40/100 || products > n*60/100 {
		t.Errorf("%d of %d problems have a product, want about half", products, n)
	}
	if most := slices.Max(mapValues(answers)); most > n*3/100 || len(answers) < 250 {
		t.Errorf("%d different answers, the most frequent %d times: guessing would pay", len(answers), most)
	}
	t.Logf("levels %v, products %d, answers %d, mean solution %.1f bytes", levels, products, len(answers), float64(length)/n)
}

func mapValues(m map[string]int) (v []int) {
	for _, n := range m {
		v = append(v, n)
	}
	return v
}

func TestSplitsAreDisjoint(t *testing.T) {
	seen := map[string]Split{}
	for _, split := range []Split{Train, Test} {
		for seed := range uint64(3) {
			g := mustNew(t, Options{Seed: seed, Split: split})
			for i := range uint64(4_000) {
				text := g.Problem(i).Problem
				if other, ok := seen[text]; ok && other != split {
					t.Fatalf("%s is in both splits", text)
				}
				seen[text] = split
				if InSplit(text) != split {
					t.Fatalf("%s: drawn for %s but belongs to %s", text, split, InSplit(text))
				}
			}
		}
	}
}

func TestEighthIsHeldOut(t *testing.T) {
	held := 0
	for a := 1; a <= 99; a++ {
		for b := 1; b <= 99; b++ {
			if InSplit(fmt.Sprintf("%d+%d", a, b)) == Test {
				held++
			}
		}
	}
	if held < 1100 || held > 1350 { // 1225 expected, standard deviation 33
		t.Errorf("%d of 9801 sums are held out, want about an eighth", held)
	}
}

// The bytes of a stream are a promise: these rows must never change.
func TestStreamIsStable(t *testing.T) {
	for _, c := range []struct {
		opt      Options
		i        uint64
		problem  string
		solution string
	}{
		{Options{}, 0, "4*6+43+48", "<think>\n4*6=24\n24+43=67\n67+48=115\n</think>\n\\boxed{115}"},
		{Options{}, 1, "43+95-9*6", "<think>\n9*6=54\n43+95=138\n138-54=84\n</think>\n\\boxed{84}"},
		{Options{Seed: 42, Split: Test}, 0, "8*4", "<think>\n8*4=32\n</think>\n\\boxed{32}"},
		{Options{Seed: 42, Split: Test, Direct: 0.5, Hurry: 0.3}, 1, "37+7*2-44", "<think>\n</think>\n\\boxed{7}"},
		{Options{Seed: 1, Levels: []int{4}, Hurry: 0.5}, 1000000, "3*5+31-34+66", "<think>\n3*5+31-34+66=78\n</think>\n\\boxed{78}"},
	} {
		p := mustNew(t, c.opt).Problem(c.i)
		if p.Problem != c.problem || *p.Solution != c.solution {
			t.Errorf("%+v problem %d:\n got %q %q\nwant %q %q", c.opt, c.i, p.Problem, *p.Solution, c.problem, c.solution)
		}
	}
}

func TestProblemDependsOnItsIndexOnly(t *testing.T) {
	opt := Options{Seed: 11, Split: Test, Levels: []int{2, 3}, Direct: 0.3, Hurry: 0.3}
	forward := make([]schemas.Problem, 200)
	g := mustNew(t, opt)
	for i := range forward {
		forward[i] = g.Problem(uint64(i))
	}
	again := mustNew(t, opt)
	for i := len(forward) - 1; i >= 0; i-- {
		if got := again.Problem(uint64(i)); !reflect.DeepEqual(got, forward[i]) {
			t.Fatalf("problem %d in another order: got %+v, want %+v", i, got, forward[i])
		}
	}
	opt.Seed++
	if got := mustNew(t, opt).Problem(0); got.Problem == forward[0].Problem && mustNew(t, opt).Problem(1).Problem == forward[1].Problem {
		t.Error("another seed gave the same problems")
	}
}

func TestCarelessSolutions(t *testing.T) {
	const n = 8_000
	full := mustNew(t, Options{Seed: 5})
	for _, c := range []struct{ direct, hurry float64 }{{0.5, 0}, {0, 0.3}, {0.1, 0.3}, {1, 0}, {0, 1}} {
		g := mustNew(t, Options{Seed: 5, Direct: c.direct, Hurry: c.hurry})
		direct, unwritten, could := 0, 0, 0
		for i := range uint64(n) {
			p := g.Problem(i)
			if want := full.Problem(i); p.Problem != want.Problem || p.Answer != want.Answer {
				t.Fatalf("carelessness changed problem %d from %s to %s", i, want.Problem, p.Problem)
			}
			level, lines := checkProblem(t, p)
			if lines == 0 {
				direct++
				continue
			}
			unwritten += level - lines
			could += level - 1
		}
		near := func(what string, got int, of int, want float64) {
			if of > 0 && math.Abs(float64(got)/float64(of)-want) > 0.03 {
				t.Errorf("direct %v, hurry %v: %s: %d of %d, want a share of %v", c.direct, c.hurry, what, got, of, want)
			}
		}
		near("direct", direct, n, c.direct)
		near("unwritten", unwritten, could, c.hurry)
	}
}

func TestSolveWritesWhatTheTaskShows(t *testing.T) {
	e := expression{[]int{12, 7, 8, 30}, []byte("+*-")}
	for _, c := range []struct {
		skip []bool // the answers to the questions, in order
		want string
	}{
		{[]bool{false, false}, "7*8=56 12+56=68 68-30=38"},
		{[]bool{true, false}, "12+7*8=68 68-30=38"},
		{[]bool{false, true}, "7*8=56 12+56-30=38"},
		{[]bool{true, true}, "12+7*8-30=38"},
	} {
		asked := 0
		lines, answer, ok := e.solve(func() bool { asked++; return c.skip[asked-1] })
		if got := strings.Join(lines, " "); got != c.want || answer != 38 || !ok || asked != 2 {
			t.Errorf("skip %v: got %q = %d (%v, asked %d times), want %q", c.skip, got, answer, ok, asked, c.want)
		}
	}
	if got := e.String(); got != "12+7*8-30" {
		t.Errorf("text: %q", got)
	}
	late := expression{[]int{50, 9, 3, 4}, []byte("-+*")}
	lines, _, _ := late.solve(func() bool { return false })
	if got := strings.Join(lines, " "); got != "3*4=12 50-9=41 41+12=53" {
		t.Errorf("product first: %q", got)
	}
	for _, e := range []expression{
		{[]int{1, 2, 99}, []byte("-+")},        // 1-2 is negative although the answer is not
		{[]int{3, 9, 9, 99}, []byte("-*+")},    // 3-81
		{[]int{999, 1, 5}, []byte("+-")},       // 1000 on the way
		{[]int{40, 41}, []byte("-")},           // negative answer
		{[]int{99, 99, 99, 99}, []byte("--+")}, // 99-99-99
	} {
		if _, answer, ok := e.solve(func() bool { return false }); ok {
			t.Errorf("%s = %d was accepted", e, answer)
		}
	}
}

func TestDistinct(t *testing.T) {
	g := mustNew(t, Options{Seed: 7, Split: Test})
	long, err := g.Distinct(2_000)
	if err != nil {
		t.Fatal(err)
	}
	seen, levels := map[string]bool{}, map[string]int{}
	for i, p := range long {
		checkProblem(t, p)
		levels[p.Metadata["level"]]++
		if q := g.Problem(uint64(i)); q.Metadata["level"] != p.Metadata["level"] || !seen[q.Problem] && q.Problem != p.Problem {
			t.Fatalf("problem %d is %s, in the stream %s, which had not come before", i, p.Problem, q.Problem)
		}
		if seen[p.Problem] {
			t.Fatalf("%s came twice", p.Problem)
		}
		seen[p.Problem] = true
	}
	for level, n := range levels {
		if n < 400 || n > 600 { // 500 expected, standard deviation 19
			t.Errorf("%d of 2000 problems are of level %s, want about a quarter", n, level)
		}
	}
	short, err := g.Distinct(500)
	if err != nil || !reflect.DeepEqual(short, long[:500]) {
		t.Errorf("500 problems are not the first of 2000 (%v)", err)
	}
	if none, err := g.Distinct(0); err != nil || len(none) != 0 {
		t.Errorf("no problems: got %d, %v", len(none), err)
	}
	if _, err := g.Distinct(-1); err == nil {
		t.Error("a negative number was accepted")
	}
	// Level 1 held out has fewer than 2,500 expressions.
	if _, err := mustNew(t, Options{Split: Test, Levels: []int{1}}).Distinct(5_000); !errors.Is(err, ErrExhausted) {
		t.Errorf("level 1: got %v, want ErrExhausted", err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		opt  Options
		want string
	}{
		{Options{Split: "dev"}, `split "dev"`},
		{Options{Levels: []int{0}}, "level 0"},
		{Options{Levels: []int{2, 5}}, "level 5"},
		{Options{Direct: -0.1}, "direct -0.1"},
		{Options{Direct: math.NaN()}, "direct NaN"},
		{Options{Hurry: 1.5}, "hurry 1.5"},
	} {
		if _, err := New(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want an error with %q", c.opt, err, c.want)
		}
	}
	levels := []int{3, 1, 3}
	g := mustNew(t, Options{Levels: levels})
	for i := range uint64(200) {
		if l, _ := Level(g.Problem(i).Problem); l != 1 && l != 3 {
			t.Fatalf("level %d was drawn, want 1 or 3", l)
		}
	}
	if !slices.Equal(levels, []int{3, 1, 3}) {
		t.Errorf("the caller's levels were changed to %v", levels)
	}
}

func TestLevelOfOtherTexts(t *testing.T) {
	for _, s := range []string{"", "7", "+", "1+", "+1", "1++2", "1+2+3+4+5+6", "1 + 2", "1/2", "What is 1+2?", "1+２"} {
		if l, ok := Level(s); ok {
			t.Errorf("%q: level %d, want none", s, l)
		}
	}
}

func FuzzProblem(f *testing.F) {
	f.Add(uint64(0), uint64(0), false, byte(15), 0.0, 0.0)
	f.Add(uint64(1), uint64(math.MaxUint64), true, byte(1), 0.5, 0.3)
	f.Fuzz(func(t *testing.T, seed, i uint64, test bool, levels byte, direct, hurry float64) {
		opt := Options{Seed: seed, Direct: direct, Hurry: hurry}
		if test {
			opt.Split = Test
		}
		for l := MinLevel; l <= MaxLevel; l++ {
			if levels>>(l-1)&1 == 1 {
				opt.Levels = append(opt.Levels, l)
			}
		}
		g, err := New(opt)
		if err != nil {
			if direct >= 0 && direct <= 1 && hurry >= 0 && hurry <= 1 {
				t.Fatal(err)
			}
			return
		}
		p := g.Problem(i)
		level, _ := checkProblem(t, p)
		if len(opt.Levels) > 0 && !slices.Contains(opt.Levels, level) {
			t.Fatalf("%s: level %d of %v", p.Problem, level, opt.Levels)
		}
		if test != (InSplit(p.Problem) == Test) {
			t.Fatalf("%s is in the wrong split", p.Problem)
		}
	})
}

func FuzzLevel(f *testing.F) {
	f.Add("12+7*8-30")
	f.Fuzz(func(t *testing.T, s string) {
		if l, ok := Level(s); ok && (l < MinLevel || l > MaxLevel) {
			t.Fatalf("%q: level %d", s, l)
		}
	})
}

func BenchmarkProblem(b *testing.B) {
	g := mustNew(b, Options{})
	for i := uint64(0); b.Loop(); i++ {
		g.Problem(i)
	}
}
