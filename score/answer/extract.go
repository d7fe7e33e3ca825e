package answer

import "strings"

// endOfThinking separates a reasoning model's thoughts from its answer.
const endOfThinking = "</think>"

// Extract returns the final answer of a text as it is written there, and whether there is one.
//
// The part after the last </think> is searched first, then the whole text. In each, the last \boxed{…}
// or \fbox{…} wins (braces may nest; of boxes in each other the outer one), also \boxed 5 without
// braces; without a box what follows the last "final answer is", else the last "####". Empty boxes
// don't count. A last box that is never closed means that the answer was cut off: then there is none,
// whatever came before.
func Extract(text string) (string, bool) {
	if at := strings.LastIndex(text, endOfThinking); at >= 0 {
		if s, found := extractFrom(text[at+len(endOfThinking):]); found != missing {
			return s, found == whole
		}
	}
	s, found := extractFrom(text)
	return s, found == whole
}

// finding is what a search came to.
type finding int

const (
	missing finding = iota // no sign of an answer
	cut                    // an answer begins and does not end
	whole
)

func extractFrom(text string) (string, finding) {
	if s, found := lastBox(text); found != missing {
		return s, found
	}
	for _, anchor := range []string{"final answer is", "####"} {
		if at := lastIndexFold(text, anchor); at >= 0 {
			if s := afterAnchor(text[at+len(anchor):]); s != "" {
				return s, whole
			}
		}
	}
	return "", missing
}

// lastBox finds the last box in one pass: a stack holds the open braces, of which some are boxes'.
func lastBox(text string) (string, finding) {
	type brace struct {
		inner int  // where its content starts
		box   bool // opened by \boxed or \fbox
		start int  // of the command
	}
	var open []brace
	content, end := "", -1 // of the closed box that ends last
	keep := func(s string, to int) {
		if s = strings.TrimSpace(s); s != "" {
			content, end = s, to
		}
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\':
			n := boxCommand(text[i:])
			if n == 0 {
				i += escape(text[i:])
				continue
			}
			at := i + n
			for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n') {
				at++
			}
			if at < len(text) && text[at] == '{' {
				open = append(open, brace{inner: at + 1, box: true, start: i})
				i = at + 1
				continue
			}
			run := bareRun(text[at:])
			keep(strings.TrimRight(run, ".,;:!?"), at+len(run))
			i = at + len(run)
		case c == '{':
			open = append(open, brace{inner: i + 1})
			i++
		case c == '}':
			if n := len(open); n > 0 {
				if top := open[n-1]; top.box {
					keep(text[top.inner:i], i)
				}
				open = open[:n-1]
			}
			i++
		default:
			i++
		}
	}
	for _, b := range open {
		if b.box && b.start > end {
			return "", cut
		}
	}
	if end < 0 {
		return "", missing
	}
	return content, whole
}

// boxCommand returns the length of the box command that s starts with, or 0.
func boxCommand(s string) int {
	for _, name := range []string{`\boxed`, `\fbox`} {
		if strings.HasPrefix(s, name) && (len(s) == len(name) || !isLetter(s[len(name)])) {
			return len(name)
		}
	}
	return 0
}

// escape returns how much of s, which starts with a backslash that begins no box, to step over: with
// the brace or backslash that it escapes, but not with a backslash that begins a box.
func escape(s string) int {
	if len(s) > 1 && (s[1] == '{' || s[1] == '}' || s[1] == '\\' && boxCommand(s[1:]) == 0) {
		return 2
	}
	return 1
}

// bareRun is what \boxed without braces holds: a number, a command or a single character, up to the
// next space or dollar sign. A longer word is prose about the command.
func bareRun(s string) string {
	if n := strings.IndexAny(s, " \t\r\n$}"); n >= 0 {
		s = s[:n]
	}
	if len(s) > 1 && isLetter(s[0]) {
		return ""
	}
	return s
}

// afterAnchor returns the answer that follows "final answer is": a formula in dollar signs, or else
// the rest of the sentence or line.
func afterAnchor(s string) string {
	s = strings.TrimLeft(s, " \t:*")
	s = strings.TrimLeft(s, "\r\n ")
	if strings.HasPrefix(s, "$") {
		mark := s[:1+strings.Count(s[:min(2, len(s))], "$")-1]
		if end := strings.Index(s[len(mark):], mark); end > 0 {
			return strings.TrimSpace(s[len(mark) : len(mark)+end])
		}
	}
	if n := strings.IndexAny(s, "\r\n"); n >= 0 {
		s = s[:n]
	}
	if n := strings.Index(s, ". "); n >= 0 {
		s = s[:n]
	}
	return strings.Trim(s, " \t.*")
}

// lastIndexFold is strings.LastIndex without regard to the case of ASCII letters; sub is in lower case.
func lastIndexFold(s, sub string) int {
	for i := len(s) - len(sub); i >= 0; i-- {
		if strings.EqualFold(s[i:i+len(sub)], sub) {
			return i
		}
	}
	return -1
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
