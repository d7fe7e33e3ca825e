package answer

import "strings"

// finding is what a search for boxes came to.
type finding int

const (
	missing finding = iota // no sign of an answer
	cut                    // an answer begins and does not end
	whole
)

// box is a complete \boxed{…} or \fbox{…}: text[start:end], of which inner is the content.
type box struct {
	start, end int
	inner      string
}

// boxes finds the boxes of a text in one pass: a stack holds the open braces, of which some are boxes'.
// Of boxes in each other the inner one counts; empty ones don't count; \boxed 5 needs no braces. When
// the last box is never closed the answer was cut off.
func boxes(text string) ([]box, finding) {
	first := strings.Index(text, "box")
	if first < 0 {
		return nil, missing
	}
	type brace struct {
		inner int // where its content starts
		start int // of the command; −1: no box
	}
	var open []brace
	var found []box
	keep := func(s string, start, end int) {
		if s = strings.TrimSpace(s); s != "" && (len(found) == 0 || found[len(found)-1].start < start) {
			found = append(found, box{start, end, s})
		}
	}
	// Braces before the first box can't belong to one; escapes don't reach over "box" either.
	for i := max(0, first-2); i < len(text); {
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
				open = append(open, brace{inner: at + 1, start: i})
				i = at + 1
				continue
			}
			run := bareRun(text[at:])
			keep(strings.TrimRight(run, ".,;:!?"), i, at+len(run))
			i = at + len(run)
		case c == '{':
			open = append(open, brace{inner: i + 1, start: -1})
			i++
		case c == '}':
			if n := len(open); n > 0 {
				if top := open[n-1]; top.start >= 0 {
					keep(text[top.inner:i], top.start, i+1)
				}
				open = open[:n-1]
			}
			i++
		default:
			i++
		}
	}
	end := -1
	if len(found) > 0 {
		end = found[len(found)-1].start
	}
	for _, b := range open {
		if b.start > end {
			return found, cut
		}
	}
	if len(found) == 0 {
		return nil, missing
	}
	return found, whole
}

// maxJoined is the most boxes or formulas that are read as one list.
const maxJoined = 16

// lastBoxes is the content of the last box, or of the last boxes when nothing but "," or "and" stands
// between them: \boxed{3} and \boxed{12} is the list 3, 12. The same content twice is one.
func lastBoxes(text string, found []box) (joined string, start, end int) {
	last := len(found) - 1
	from := last
	for from > 0 && last-from < maxJoined && joins(text[found[from-1].end:found[from].start]) {
		from--
	}
	var parts []string
	seen := map[string]bool{}
	for _, b := range found[from:] {
		if !seen[b.inner] {
			seen[b.inner] = true
			parts = append(parts, b.inner)
		}
	}
	return strings.Join(parts, ", "), found[from].start, found[last].end
}

// joins reports whether the text between two boxes or formulas makes a list of them.
func joins(between string) bool {
	if len(between) > 48 {
		return false
	}
	between = delimiters.Replace(between)
	words := strings.Fields(between)
	marks := 0
	for _, w := range words {
		switch strings.ToLower(strings.Trim(w, "()")) {
		case ",", ";", "and", "or", ",and", ";and", "&":
			marks++
		case "", "=":
		default: // y= between \boxed{3} and \boxed{5}
			if name := strings.TrimSuffix(w, "="); len(name) != 1 || !isLetter(name[0]) {
				return false
			}
		}
	}
	return marks > 0
}

// delimiters blanks out the marks around formulas, and the space commands between them.
var delimiters = strings.NewReplacer("$", " ", `\(`, " ", `\)`, " ", `\[`, " ", `\]`, " ", `\quad`, " ", `\qquad`, " ", `\text{and}`, " and ", `\text{ and }`, " and ",
	`\text{ or }`, " or ", `\text{or}`, " or ", `\,`, " ", `\;`, " ", "\\ ", " ", "**", " ", ",", " , ", ";", " ; ")

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

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
