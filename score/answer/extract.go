package answer

import (
	"iter"
	"slices"
	"strings"
)

// endOfThinking separates a reasoning model's thoughts from its answer.
const endOfThinking = "</think>"

// candidate is a part of a text that may be its final answer.
type candidate struct {
	text string
	// weak candidates were not marked as the answer; they count only if they are mathematics, not words.
	weak bool
	// words is set for text that is taken for an answer in words.
	words bool
	from  string // where it stands, for people
}

// Extract returns the final answer of a text as it is written there, without marks of formulas around
// it, and whether there is one: the first candidate (see the package comment for their order) that can
// be read as one.
func Extract(text string, p Profile) (string, bool) {
	p = p.orDefault()
	_, c, _ := firstReadable(text, p, sought{})
	return c, c != ""
}

// sought is what is known of the answer that is looked for, from the gold answer.
type sought struct {
	words    bool // it is words
	notation bool // it is mathematics that is only compared as it is written
	choice   bool // it is the letter of a choice
}

// candidates yields what may be the final answer of a text, the most likely first: first of the part
// after the last </think>, then of the whole text. The text is scanned as far as candidates are asked for.
func candidates(text string, p Profile, want sought) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		if at := strings.LastIndex(text, endOfThinking); at >= 0 && !p.Swapped {
			final := &section{text: text[at+len(endOfThinking):], formal: p.Formal, wordy: want.words || want.choice}
			if !final.marked(yield) || final.cut || !p.Formal && !final.unmarked(yield) {
				return
			}
			thought := &section{text: text, formal: p.Formal, wordy: want.words || want.choice}
			thought.marked(yield)
			return
		}
		all := &section{text: text, formal: p.Formal, wordy: want.words || want.choice}
		// Thoughts that don't end were cut off: what stands at their end is no conclusion.
		if all.marked(yield) && !all.cut && !p.Formal && !strings.Contains(text, "<think>") {
			all.unmarked(yield)
		}
	}
}

// section is a text that is searched for an answer.
type section struct {
	text   string
	formal bool
	wordy  bool // the answer that is looked for is in words
	cut    bool // the text ends inside a box

	scanned bool
	found   []formula
}

// formulas finds the section's formulas, once.
func (s *section) formulas() []formula {
	if !s.scanned {
		s.found, s.scanned = formulas(s.text), true
	}
	return s.found
}

// marked yields the candidates that the text marks as its answer. It returns false when no more are
// wanted.
func (s *section) marked(yield func(candidate) bool) bool {
	found, how := boxes(s.text)
	if how == cut {
		s.cut = true
		return true
	}
	if how == whole {
		joined, _, end := lastBoxes(s.text, found)
		if hope, ok := s.hope(end); ok && !yield(candidate{text: hope, from: "final answer, I hope"}) {
			return false
		}
		if percentAfter(s.text[end:]) {
			joined += `\%`
		}
		if !yield(candidate{text: joined, from: "box"}) {
			return false
		}
	}
	for _, a := range s.anchors() {
		for _, c := range s.after(a) {
			if !yield(c) {
				return false
			}
		}
	}
	if s.formal {
		return true
	}
	if at := strings.LastIndex(s.text, "####"); at >= 0 {
		line, _, _ := strings.Cut(strings.TrimLeft(s.text[at+4:], " \t"), "\n")
		words := s.wordy && wordCount(line) <= 3
		if onlyMath(line, formulas(line)) || words || isMeasure(line) {
			if !yield(candidate{text: line, weak: true, words: words, from: "after ####"}) {
				return false
			}
		}
	}
	return true
}

// Prose yields the stretches of a text between its formulas.
func Prose(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		from := 0
		for _, f := range formulas(text) {
			if f.start > from && !yield(text[from:f.start]) {
				return
			}
			from = f.end
		}
		if from < len(text) {
			yield(text[from:])
		}
	}
}

// percentAfter reports whether a percent sign comes right after a box.
func percentAfter(rest string) bool {
	rest = strings.TrimLeft(rest, " ")
	for _, mark := range []string{"$", `\)`, `\]`} {
		rest = strings.TrimPrefix(rest, mark)
	}
	rest = strings.TrimLeft(rest, " ")
	return strings.HasPrefix(rest, "%") || strings.HasPrefix(rest, `\%`) || strings.HasPrefix(rest, "percent")
}

// hope is the answer in "the final answer is X. I hope it is correct", which counts before a box when
// it comes after it.
func (s *section) hope(after int) (string, bool) {
	rest := s.text[after:]
	at := lastIndexFold(rest, "i hope")
	if at < 0 {
		return "", false
	}
	from := lastIndexFold(rest[:at], "final answer is")
	if from < 0 || at-from > 1024 {
		return "", false
	}
	x := trimMarks(rest[from+len("final answer is") : at])
	return x, x != ""
}

// unmarked yields what a reader takes for the answer of a text without marks: the whole of a short text, else
// what is in bold near the end, else the last mathematics of the last lines. It returns false when no
// more are wanted.
func (s *section) unmarked(yield func(candidate) bool) bool {
	text := strings.TrimSpace(s.text)
	if text == "" {
		return true
	}
	forms := s.formulas()
	if len(text) <= maxWhole {
		words := s.wordy && wordCount(text) <= 3
		if (words || onlyMath(text, formulas(text))) && !yield(candidate{text: text, weak: true, words: words, from: "whole text"}) {
			return false
		}
	}
	end := len(s.text)
	for n := 0; n < maxLines && end > 0; n++ {
		start := lineStart(s.text, end, forms)
		for _, c := range s.conclusion(start, end, forms) {
			if !yield(c) {
				return false
			}
		}
		end = start - 1
	}
	return true
}

const (
	maxWhole = 512 // bytes of a text that may be an answer as a whole
	maxLines = 12  // lines from the end that are searched for unmarked answers
)

// lineStart is where the line that ends at text[end] starts; formulas that reach over lines are not
// divided. Empty lines belong to the line after them.
func lineStart(text string, end int, forms []formula) int {
	for {
		end = len(strings.TrimRight(text[:end], " \t\r\n"))
		at := strings.LastIndexByte(text[:end], '\n') + 1
		// The formula that begins before at and ends after it.
		f := firstFormula(forms, at) - 1
		if at == 0 || f < 0 || forms[f].end <= at {
			return at
		}
		end = forms[f].start + 1
		if strings.LastIndexByte(text[:end], '\n') < 0 {
			return 0
		}
		if at = strings.LastIndexByte(text[:end], '\n') + 1; at <= forms[f].start {
			if g := firstFormula(forms, at) - 1; g < 0 || forms[g].end <= at {
				return at
			}
		}
	}
}

// conclusion is what one line concludes with.
func (s *section) conclusion(start, end int, forms []formula) []candidate {
	var out []candidate
	line := s.text[start:end]
	found := parts(s.text, start, end, forms)
	if s.wordy {
		if n := len(found); n > 0 && found[n-1].formal && !found[n-1].remark {
			out = append(out, candidate{text: found[n-1].text, words: true, from: "last formula"})
		}
		if words := afterVerb(line); words != "" {
			out = append(out, candidate{text: words, words: true, from: "last words"})
		}
	}
	if bold := lastBold(line); bold != "" {
		out = append(out, candidate{text: bold, weak: true, from: "bold"})
	}
	slices.SortStableFunc(found, func(a, b part) int { // remarks and lone letters count last
		switch x, y := a.remark || len(a.text) == 1 && isLetter(a.text[0]), b.remark || len(b.text) == 1 && isLetter(b.text[0]); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	for n := len(found) - 1; n >= 0 && n >= len(found)-3; n-- {
		out = append(out, readings(found[n], true, "last mathematics")...)
	}
	return out
}

// readings are a part with the words after it, which may be its unit, and without.
func readings(p part, weak bool, from string) []candidate {
	var out []candidate
	if p.tail != "" && unitWords(p.tail) {
		out = append(out, candidate{text: p.text + " " + p.tail, weak: true, from: from})
	}
	return append(out, candidate{text: p.text, weak: weak, from: from})
}

// isMeasure reports whether a line is a number and its unit.
func isMeasure(line string) bool {
	found := parts(line, 0, len(line), formulas(line))
	return len(found) == 1 && found[0].first && (found[0].tail == "" || unitWords(found[0].tail)) && len(found[0].text)+len(found[0].tail)+2 >= len(trimMarks(line))
}

// lastBold is the last text between double asterisks in a line, unless the line begins with it and goes on.
func lastBold(line string) string {
	end := strings.LastIndex(line, "**")
	if end < 0 {
		return ""
	}
	start := strings.LastIndex(line[:end], "**")
	if start < 0 {
		return ""
	}
	inner := strings.TrimSpace(line[start+2 : end])
	if strings.TrimSpace(line[:start]) == "" && strings.Trim(line[end+2:], " .") != "" {
		return ""
	}
	return trimMarks(inner)
}

// verbs come before an answer in words.
var verbs = set("is are be was equals obtain get gets gives yields have has becomes find conclude choose therefore thus so hence answer result")

// afterVerb is the few words that end a line after a verb of conclusion, or the line when it is that short.
func afterVerb(line string) string {
	words := strings.Fields(line)
	for n := 1; n <= 6 && n <= len(words); n++ {
		w := strings.ToLower(strings.Trim(words[len(words)-n], "*:,"))
		if verbs[w] {
			return trimMarks(strings.Join(words[len(words)-n+1:], " "))
		}
	}
	if len(words) <= 4 {
		return trimMarks(line)
	}
	return ""
}

func wordCount(s string) int { return len(strings.Fields(s)) }

// lastIndexFold is strings.LastIndex without regard to the case of ASCII letters; sub is in lower case.
func lastIndexFold(s, sub string) int {
	for i := len(s) - len(sub); i >= 0; i-- {
		if s[i]|0x20 == sub[0]|0x20 && strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}
