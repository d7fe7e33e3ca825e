package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestMatchersAgainstPatterns compares the matchers that are written by hand with a matcher that reads
// the pattern and tries every way, as a backtracking engine does.
func TestMatchersAgainstPatterns(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	special := []string{"'ſ", "'RE", "゛", "・", "龥", "龦", "\u3040", "\u30ff", "$a", "a$", "[b", "`z{", "\\x", "@A", "éa", "_é", "\U00011380"}
	for pattern, match := range patterns {
		plain := parsePattern(t, pattern)
		for range 1200 {
			text := randomText(r, special)
			if r.IntN(10) == 0 {
				text += "\xff" + text
			}
			text = text[:min(len(text), 120)]
			for at := 0; at < len(text); {
				want := plain.match(text, at)
				if got := match(text, at); max(got, at) != max(want, at) {
					t.Fatalf("%s\nat %d of %+q: expected %d, found %d", pattern, at, text, want, got)
				}
				_, n := utf8.DecodeRuneInString(text[at:])
				at += n
			}
		}
	}
}

// The fast splitters give the pieces of the steps they stand for.
func TestSplittersAgainstSteps(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	for _, names := range [][]string{{qwenPattern}, {numberPattern, cjkPattern, deepPattern}, {numberPattern, deepPattern}, {cjkPattern, numberPattern}} {
		var steps []step
		for _, p := range names {
			steps = append(steps, step{pattern: p, match: patterns[p]})
		}
		fast := newSplitter(steps)
		for range 1200 {
			text := randomText(r, []string{"゛", "・", "ー", "龥", "龦", "\u3040", "\u30fb1", "\xff"})
			var got, want []string
			fast(text, func(p string) { got = append(got, p) })
			splitPieces(steps, text, func(p string) { want = append(want, p) })
			if !slices.Equal(got, want) {
				t.Fatalf("%v: %+q:\nexpected %+q\nfound %+q", names, text, want, got)
			}
			if strings.Join(got, "") != text || slices.Contains(got, "") {
				t.Fatalf("%v: %+q: the pieces %+q are not the text", names, text, got)
			}
		}
	}
}

// regex is a pattern as a tree, with the syntax that the patterns of tokenizer.json use.
type regex struct {
	any []*regex          // alternatives
	all []*regex          // one behind the other
	one func(r rune) bool // a character
	not *regex            // (?!…)
	min int               // of and its repetitions, greedy
	max int
	of  *regex
}

// match is the end of the match that begins at a position, −1 for none.
func (x *regex) match(text string, at int) int {
	end := -1
	x.try(text, at, func(to int) bool { end = to; return true })
	return end
}

// try calls then with the end of each way to match, the preferred first, until it returns true.
func (x *regex) try(text string, at int, then func(int) bool) bool {
	switch {
	case x.any != nil:
		for _, a := range x.any {
			if a.try(text, at, then) {
				return true
			}
		}
		return false
	case x.all != nil:
		return tryAll(x.all, text, at, then)
	case x.not != nil:
		return x.not.match(text, at) < 0 && then(at)
	case x.of != nil:
		return x.repeat(text, at, 0, then)
	case x.one != nil:
		if at >= len(text) {
			return false
		}
		r, n := utf8.DecodeRuneInString(text[at:])
		if r == utf8.RuneError && n == 1 {
			r = -1
		}
		return x.one(r) && then(at+n)
	}
	return then(at)
}

func tryAll(all []*regex, text string, at int, then func(int) bool) bool {
	if len(all) == 0 {
		return then(at)
	}
	return all[0].try(text, at, func(to int) bool { return tryAll(all[1:], text, to, then) })
}

func (x *regex) repeat(text string, at, n int, then func(int) bool) bool {
	if n < x.max && x.of.try(text, at, func(to int) bool { return to > at && x.repeat(text, to, n+1, then) }) {
		return true
	}
	return n >= x.min && then(at)
}

// patternParser reads a pattern from left to right.
type patternParser struct {
	t    *testing.T
	left []rune
	fold bool
}

func parsePattern(t *testing.T, pattern string) *regex {
	p := &patternParser{t: t, left: []rune(pattern)}
	x := p.alternatives()
	if len(p.left) > 0 {
		t.Fatalf("%s: not understood from %q on", pattern, string(p.left))
	}
	return x
}

func (p *patternParser) next() rune {
	r := p.left[0]
	p.left = p.left[1:]
	return r
}

func (p *patternParser) has(s string) bool {
	if !strings.HasPrefix(string(p.left), s) {
		return false
	}
	p.left = p.left[len([]rune(s)):]
	return true
}

func (p *patternParser) alternatives() *regex {
	x := &regex{any: []*regex{p.sequence()}}
	for p.has("|") {
		x.any = append(x.any, p.sequence())
	}
	return x
}

func (p *patternParser) sequence() *regex {
	x := &regex{all: []*regex{}}
	for len(p.left) > 0 && p.left[0] != '|' && p.left[0] != ')' {
		x.all = append(x.all, p.repeated())
	}
	return x
}

func (p *patternParser) repeated() *regex {
	x := p.atom()
	switch {
	case p.has("?"):
		return &regex{of: x, max: 1}
	case p.has("*"):
		return &regex{of: x, max: 1 << 30}
	case p.has("+"):
		return &regex{of: x, min: 1, max: 1 << 30}
	case p.has("{"):
		limits, rest, _ := strings.Cut(string(p.left), "}")
		p.left = []rune(rest)
		low, high, _ := strings.Cut(limits, ",")
		least, err1 := strconv.Atoi(low)
		most, err2 := strconv.Atoi(high)
		if err1 != nil || err2 != nil {
			p.t.Fatalf("repetition %q", limits)
		}
		return &regex{of: x, min: least, max: most}
	}
	return x
}

func (p *patternParser) atom() *regex {
	switch {
	case p.has("(?i:"):
		p.fold = true
		x := p.alternatives()
		p.fold = false
		p.has(")")
		return x
	case p.has("(?!"):
		x := p.alternatives()
		p.has(")")
		return &regex{not: x}
	case p.has("[^"):
		inside := p.set()
		return &regex{one: func(r rune) bool { return !inside(r) }}
	case p.has("["):
		return &regex{one: p.set()}
	}
	return &regex{one: p.character()}
}

// set reads the rest of a [set].
func (p *patternParser) set() func(rune) bool {
	var parts []func(rune) bool
	for !p.has("]") {
		first := p.left[0]
		part := p.character()
		if len(p.left) > 1 && p.left[0] == '-' && p.left[1] != ']' && first != '\\' {
			p.next()
			last := p.next()
			part = func(r rune) bool { return r >= first && r <= last }
		}
		parts = append(parts, part)
	}
	return func(r rune) bool {
		return slices.ContainsFunc(parts, func(f func(rune) bool) bool { return f(r) })
	}
}

// character reads one character or class.
func (p *patternParser) character() func(rune) bool {
	c := p.next()
	if c != '\\' {
		fold := p.fold
		return func(r rune) bool { return r == c || fold && r > 0 && folds(r, c) }
	}
	is := func(set class) func(rune) bool { return func(r rune) bool { return r >= 0 && classOf(r)&set != 0 } }
	switch e := p.next(); e {
	case 'p':
		name, rest, _ := strings.Cut(string(p.left), "}")
		p.left = []rune(rest)
		return map[string]func(rune) bool{
			"{L": is(letter), "{M": is(mark), "{N": is(digit),
			"{P": func(r rune) bool { return r >= 0 && classOf(r) == symbol }, "{S": func(r rune) bool { return r >= 0 && classOf(r) == symbol },
		}[name]
	case 's':
		return is(anySpace)
	case 'S':
		return func(r rune) bool { return r < 0 || classOf(r)&anySpace == 0 }
	case 'r':
		return func(r rune) bool { return r == '\r' }
	case 'n':
		return func(r rune) bool { return r == '\n' }
	default:
		return func(r rune) bool { return r == e }
	}
}
