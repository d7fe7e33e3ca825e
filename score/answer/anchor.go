package answer

import "strings"

// anchor is a place where a text says "answer".
type anchor struct {
	at    int  // after the word
	start int  // of the word, with "final" before it
	rank  int  // 0: "final answer … is" or "final answer:", 1: "answer:", 2: "answer … is", 3: neither
	x     int  // where the answer should begin: after the colon or verb; at when there is none
	head  bool // a line of its own: the answer is in the next one
}

// How far after an anchor the verb or the answer may come, in bytes.
const (
	windowFinal = 100
	windowOther = 50
)

// maxAnchors is the most anchors of a text that are looked at, the last ones.
const maxAnchors = 16

// anchors are the section's anchors, the most telling first and among equals the last first.
func (s *section) anchors() []anchor {
	var ranks [4][]anchor
	n := 0
	for end := len(s.text); n < maxAnchors; n++ {
		at := lastIndexFold(s.text[:end], "answer")
		if at < 0 {
			break
		}
		end = at
		if strings.HasSuffix(s.text[:at], "</") {
			continue
		}
		a := s.anchor(at)
		ranks[a.rank] = append(ranks[a.rank], a)
	}
	var out []anchor
	for _, r := range ranks {
		out = append(out, r...)
	}
	return out
}

func (s *section) anchor(at int) anchor {
	a := anchor{at: at + len("answer"), start: at, rank: 3}
	final := false
	if before := strings.TrimRight(s.text[max(0, at-12):at], " *_\n"); len(before) >= 5 && strings.EqualFold(before[len(before)-5:], "final") {
		final = true
	}
	a.x = a.at
	rest := s.text[a.at:]
	window := windowOther
	if final {
		window = windowFinal
	}
	rest = rest[:min(len(rest), window+8)]
	if strings.HasPrefix(rest, "s") { // answers
		rest, a.x = rest[1:], a.x+1
	}
	marks := len(rest) - len(strings.TrimLeft(rest, "*_ \t)\"'"))
	switch after := rest[marks:]; {
	case strings.HasPrefix(after, ">"):
		a.rank, a.x = 1, a.x+marks+1
	case strings.HasPrefix(after, "= "), strings.HasPrefix(after, "=$"), strings.HasPrefix(after, "} "), strings.HasPrefix(after, ":}"):
		a.rank, a.x = 2, a.x+marks+1
	case strings.HasPrefix(after, ":"), strings.HasPrefix(after, "："):
		a.rank, a.x = 1, a.x+marks+1
		if after[0] != ':' {
			a.x += 2
		}
	case strings.HasPrefix(after, "\n"), strings.HasPrefix(after, "\r\n"), strings.HasPrefix(after, `\n`):
		a.rank, a.x, a.head = 1, a.x+marks+1, true
		if after[0] == '\\' {
			a.x++
		}
	default:
		if v, ok := verbAt(rest); ok {
			a.rank, a.x = 2, a.x+v
		}
	}
	if final && a.rank < 3 {
		a.rank = 0
	}
	return a
}

// verbAt is the offset after the first "is", "are" or ":" of a sentence.
func verbAt(s string) (int, bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ':':
			return i + 1, true
		case c == '$' || c == '\n' && strings.HasPrefix(s[i:], "\n\n"):
			if c == '\n' {
				return 0, false
			}
		case c == '.' && i+1 < len(s) && (s[i+1] == ' ' || s[i+1] == '\n'):
			return 0, false
		case c == ' ' || c == '\n':
			for _, v := range []string{"is", "are", "equals", "must be", "will be", "would be", "should be"} {
				if n := i + 1 + len(v); n <= len(s) && strings.EqualFold(s[i+1:n], v) && (n == len(s) || strings.IndexByte(" :\n*$", s[n]) >= 0) {
					if n < len(s) && s[n] == ':' {
						n++
					}
					return n, true
				}
			}
		}
	}
	return 0, false
}

// after is what may be the answer that an anchor announces.
func (s *section) after(a anchor) []candidate {
	forms := s.formulas()
	from := a.x
	from += len(s.text[from:]) - len(strings.TrimLeft(s.text[from:], " \t\r\n*_:=`#\""))
	if dash := s.text[min(from, len(s.text)):]; strings.HasPrefix(dash, "- $") || strings.HasPrefix(dash, "– ") || strings.HasPrefix(dash, "— ") {
		from += len(dash) - len(strings.TrimLeft(dash, "-–— "))
	}
	end := lineEnd(s.text, from, forms)
	if at := strings.Index(s.text[from:end], "</"); at >= 0 && (at == 0 || s.text[from+at-1] != '<') {
		end = from + at
	}
	window := windowOther
	if a.rank == 0 {
		window = windowFinal
	}
	var found []part
	if from < end {
		found = parts(s.text, from, end, forms)
	}
	var out []candidate
	if s.formal {
		// The first formula, or list of formulas, that starts near enough.
		f := firstFormula(forms, a.at)
		for f < len(forms) && forms[f].start < from && forms[f].end <= from {
			f++
		}
		if f < len(forms) && forms[f].start-a.x <= window {
			out = append(out, candidate{text: s.joined(f), from: "after \"answer\""})
		} else if strings.HasPrefix(s.text[min(from, len(s.text)):], `\frac{`) && len(found) > 0 {
			out = append(out, candidate{text: found[0].text, from: "after \"answer\""})
		}
		return out
	}
	if a.rank == 3 {
		// "12 is the answer": what comes before in the line.
		if rest := strings.TrimLeft(s.text[a.at:min(len(s.text), a.at+4)], "*_) "); rest == "" || strings.IndexByte(".!,\n", rest[0]) >= 0 {
			before := strings.LastIndexByte(s.text[:a.start], '\n') + 1
			if b := parts(s.text, before, a.start, forms); len(b) > 0 {
				out = append(out, readings(b[len(b)-1], true, "before \"answer\"")...)
			}
		}
		if f := firstFormula(forms, a.at); f < len(forms) && forms[f].start-a.at <= window {
			out = append(out, candidate{text: s.joined(f), weak: true, from: "after \"answer\""})
		}
		return out
	}
	words := s.sentence(from, end)
	switch {
	case s.wordy && len(found) > 0 && found[0].formal && found[0].first:
	case s.wordy && words != "" && wordCount(words) <= 8:
		out = append(out, candidate{text: words, words: true, from: "after \"answer\""})
	case len(found) == 0 && words != "" && wordCount(words) <= 8:
		return append(out, candidate{text: words, from: "after \"answer\""})
	}
	if len(found) == 0 {
		return out
	}
	best := found[0]
	if !best.first {
		// "The answer is that x equals 5": the last mathematics of the sentence, unless a formula comes first.
		if a.head || !best.formal {
			best = found[len(found)-1]
		}
	}
	return append(out, readings(best, false, "after \"answer\"")...)
}

// sentence is the rest of a sentence in words.
func (s *section) sentence(from, end int) string {
	if from >= end {
		return ""
	}
	line := s.text[from:min(end, from+200)]
	for i := 0; i+1 < len(line); i++ {
		if line[i] == '.' && line[i+1] == ' ' && (i+2 >= len(line) || line[i+2] < 'a' || line[i+2] > 'z') {
			line = line[:i]
			break
		}
	}
	return trimMarks(line)
}

// joined is the formula f, with those that follow it when they make a list.
func (s *section) joined(f int) string {
	forms := s.formulas()
	last := f
	for last+1 < len(forms) && last-f < maxJoined && joins(s.text[forms[last].end:forms[last+1].start]) {
		last++
	}
	if last > f {
		rest := s.text[forms[last].end:]
		between := strings.ToLower(s.text[forms[last-1].end:forms[last].start])
		// A list ends its sentence; after a comma another one may begin.
		if strings.Contains(between, "and") || strings.Contains(between, "or") || rest == "" || strings.IndexByte(".\n;", rest[0]) >= 0 {
			var list []string
			for _, g := range forms[f : last+1] {
				list = append(list, g.inner)
			}
			return strings.Join(list, ", ")
		}
	}
	out := forms[f].inner
	if percentAfter(s.text[forms[f].end:]) {
		out += `\%`
	}
	return out
}

// lineEnd is the end of the line that text[from] is in; formulas that reach over lines are not divided.
func lineEnd(text string, from int, forms []formula) int {
	from = min(from, len(text))
	at := from
	for {
		n := strings.IndexByte(text[at:], '\n')
		if n < 0 {
			return len(text)
		}
		at += n
		f := firstFormula(forms, at) - 1
		if f < 0 || forms[f].end <= at {
			return at
		}
		at = forms[f].end
	}
}
