package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// part is a stretch of mathematics in a sentence, such as "x = 5" in "so x = 5 holds.".
type part struct {
	text   string // as written, with the marks of formulas
	tail   string // the words between it and the end of its sentence, at most maxTail of them
	formal bool   // it is one formula, or formulas that make a list, and nothing else
	first  bool   // no word stands before it in its sentence
	remark bool   // it stands in a remark in brackets, such as (see step 2)
}

// maxTail is the most words after a number that may be its unit.
const maxTail = 4

// tokenKind is what a word of a sentence is.
type tokenKind uint8

const (
	prose   tokenKind = iota
	math              // a number, a sign, a variable, a command
	joiner            // "and", "or": mathematics between mathematics
	formal            // a whole formula in its marks
	nothing           // a mark of markdown
)

type token struct {
	start, end int
	kind       tokenKind
	stop       bool // a sentence ends after it
}

// tokens splits text[from:to] at spaces outside of braces; formulas stay whole. forms are all
// formulas of text.
func tokens(text string, from, to int, forms []formula) []token {
	var out []token
	f := firstFormula(forms, from)
	for i := from; i < to; {
		if c := text[i]; c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~' {
			i++
			continue
		}
		if f < len(forms) && forms[f].start == i && forms[f].end <= to {
			end := forms[f].end
			f++
			t := token{start: i, end: end, kind: formal}
			// A mark directly after the formula, as in $5$%. or $x$,
			for end < to && strings.IndexByte(".,;:!?)*%", text[end]) >= 0 && (f >= len(forms) || forms[f].start != end) {
				t.stop = text[end] == '.' || text[end] == '?'
				if text[end] == ',' || text[end] == '%' || text[end] == ';' {
					t.end = end + 1
				}
				end++
			}
			out = append(out, t)
			i = end
			continue
		}
		start, depth := i, 0
		for i < to && (f >= len(forms) || forms[f].start > i) {
			c := text[i]
			if depth == 0 && (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
				break
			}
			switch c {
			case '{':
				depth++
			case '}':
				depth--
			case '\\':
				if i+1 < to && !isLetter(text[i+1]) {
					i++
				}
			}
			i++
		}
		i = min(i, to)
		if i == start {
			i++ // a formula that reaches over the end
			f++
			continue
		}
		out = append(out, classify(text, start, i))
	}
	for n := range out {
		if w := text[out[n].start:out[n].end]; w == "A" && n+1 < len(out) && out[n+1].kind == prose {
			out[n].kind = prose
		}
		if w := strings.TrimRight(text[out[n].start:out[n].end], ".,;:)*"); w == "a" || w == "I" {
			// A variable after a sign, or before one or a command.
			next := ""
			if n+1 < len(out) && out[n].start+1 == out[n].end {
				next = text[out[n+1].start:out[n+1].end]
			}
			if n > 0 && operator(text[out[n-1].start:out[n-1].end]) || operator(next) || strings.HasPrefix(next, `\`) && out[n+1].kind == math {
				out[n].kind = math
			}
		}
		if out[n].stop && n+1 < len(out) && text[out[n].end-1] == '.' {
			// "approx. 5" and "vs. 6" go on; a sentence begins with a capital or a sign.
			r, _ := utf8.DecodeRuneInString(text[out[n+1].start:])
			if out[n].kind == prose && unicode.IsLower(r) {
				out[n].stop = false
			}
		}
	}
	return out
}

// operator reports whether a word is a sign that stands between two others.
func operator(w string) bool {
	switch w {
	case "=", "<", ">", "+", "-", "*", "/", "^", "≤", "≥", "≠", `\le`, `\leq`, `\ge`, `\geq`, `\ne`, `\neq`, `\cdot`, `\times`, `\in`, `\pm`:
		return true
	}
	return false
}

// firstFormula is the index of the first formula that starts at or after an offset.
func firstFormula(forms []formula, from int) int {
	lo, hi := 0, len(forms)
	for lo < hi {
		if mid := (lo + hi) / 2; forms[mid].start < from {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// mathWords are words of letters only that belong to mathematics.
var mathWords = set("sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp lim max min mod sqrt pi inf infinity theta phi alpha beta gamma lambda omega sigma mu")

// shortWords are English words of one or two letters.
var shortWords = set("a i is it of to in we so be by as at an on or if no do he me my up us am go ok vs")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// classify says what the word text[start:end] is.
func classify(text string, start, end int) token {
	t := token{start: start, end: end}
	w := text[start:end]
	core := strings.TrimRight(w, "*_`\"'”’")
	t.stop = strings.HasSuffix(core, ".") && !strings.HasSuffix(core, "..") || strings.HasSuffix(core, "?") || strings.HasSuffix(core, ":") ||
		strings.HasSuffix(core, ".)")
	core = strings.Trim(core, "*_`\"'“‘")
	if strings.Trim(core, "{}[]") == "" && core != "{}" && core != "[]" {
		t.kind = nothing
		return t
	}
	plain := strings.Trim(core, "()[],.;:!?")
	lower := strings.ToLower(plain)
	switch {
	case boxCommand(plain) > 0: // one without content
	case lower == "and" || lower == "or":
		t.kind = joiner
	case plain == "":
		t.kind = math
		if core == "..." || core == "." {
			t.kind = prose
		}
	case strings.HasPrefix(plain, `\text{`) || strings.HasPrefix(plain, `\textbf{`) || strings.HasPrefix(plain, `\mathrm{`):
		t.kind = math
	case mathWords[lower]:
		t.kind = math
	case allLetters(plain):
		n := utf8.RuneCountInString(plain)
		if n == 1 && plain != "a" && plain != "I" || n == 2 && !shortWords[lower] {
			t.kind = math
		}
	case hyphenated(plain), ordinal(lower):
	case strings.ContainsAny(plain, `0123456789\=+-*/^<>_|%`) || strings.ContainsAny(plain, "≤≥≠∞π√°−×·÷±∪∩∈ℝ½¼¾²³∅θ≈→$€£"):
		t.kind = math
		if strings.ContainsAny(plain, "→") || plain == "->" || plain == "=>" {
			t.kind = prose
			t.stop = true
		}
	case strings.ContainsAny(plain, "(){}[],") && !longWord(plain): // f(x), {a,b}
		t.kind = math
	}
	return t
}

func allLetters(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && r != '\'' && r != '’' {
			return false
		}
	}
	return true
}

// longWord reports whether s has three letters in a row that are no command.
func longWord(s string) bool {
	run := 0
	for i := range len(s) {
		if !isLetter(s[i]) {
			run = 0
			continue
		}
		if run++; run == 3 {
			return true
		}
	}
	return false
}

// hyphenated reports whether s is words joined by "-" or "/": well-known, and/or, 3-digit, n-gon.
func hyphenated(s string) bool {
	if strings.ContainsAny(s, `\^_=+*<>{}()|%`) {
		return false
	}
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '/' || r == '–' || r == '—' })
	if len(parts) < 2 {
		return len(parts) == 0 && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "/")
	}
	long := false
	for i, p := range parts {
		if !allLetters(p) && i > 0 {
			return false
		}
		long = long || allLetters(p) && len(p) >= 3
	}
	return long
}

// ordinal reports whether s is 1st, 2nd, 14th and so on.
func ordinal(s string) bool {
	n := len(s)
	return n > 2 && isDigit(s[0]) && isDigit(s[n-3]) && (strings.HasSuffix(s, "st") || strings.HasSuffix(s, "nd") || strings.HasSuffix(s, "rd") || strings.HasSuffix(s, "th"))
}

// parts finds the mathematics in text[from:to]. A number at the start of a line that only counts it,
// as in "3. Then", is none.
func parts(text string, from, to int, forms []formula) []part {
	list := tokens(text, from, to, forms)
	var out []part
	words := false  // before the token, in its sentence
	remark := false // inside "(see …)"
	for i := 0; i < len(list); {
		t := list[i]
		if w := text[t.start:t.end]; t.kind == prose && w[0] == '(' {
			remark = true
		}
		if t.kind != math && t.kind != formal || i+1 < len(list) && enumerates(text, t, list[i+1].kind) {
			words = words && !t.stop || !t.stop && t.kind == prose
			remark = remark && !closesRemark(text, t)
			i++
			continue
		}
		// The run of mathematics from here, without operators at its end.
		run := i
		last := i
		for j := i; j < len(list); j++ {
			k := list[j]
			if k.kind == joiner {
				if j+1 < len(list) && (list[j+1].kind == math || list[j+1].kind == formal) && !list[j].stop {
					continue
				}
				break
			}
			if k.kind != math && k.kind != formal {
				break
			}
			last = j
			if k.stop {
				break
			}
		}
		if i := commas(list[run : last+1]); i > 0 && last+1 < len(list) && !list[last].stop {
			last = run + i - 1 // $5$, $x$ being a number
		}
		p := part{text: strings.TrimSpace(text[list[run].start:list[last].end]), first: !words, remark: remark}
		p.formal = onlyFormulas(list[run : last+1])
		if !list[last].stop {
			p.tail = tail(text, list[last+1:])
		}
		if p.text = trimMarks(p.text); p.text != "" {
			out = append(out, p)
		}
		for _, t := range list[run : last+1] {
			remark = remark && !closesRemark(text, t)
		}
		words = !list[last].stop
		i = last + 1
	}
	return out
}

// onlyFormulas reports whether a run is formulas, joined or not.
func onlyFormulas(run []token) bool {
	for _, t := range run {
		if t.kind != formal && t.kind != joiner {
			return false
		}
	}
	return true
}

// closesRemark reports whether a bracket closes at the end of a word of a remark.
func closesRemark(text string, t token) bool {
	return strings.HasSuffix(strings.TrimRight(text[t.start:t.end], ".,;:*"), ")")
}

// commas is how many tokens of a run come before the second of its formulas, if nothing but a comma
// divides the first two; else 0.
func commas(run []token) int {
	if len(run) > 1 && run[0].kind == formal && run[1].kind == formal {
		return 1
	}
	return 0
}

// tail is the words up to the end of the sentence, "" when there are too many.
func tail(text string, rest []token) string {
	for n, t := range rest {
		if n == maxTail || t.kind != prose {
			return ""
		}
		if t.stop || n+1 == len(rest) {
			return strings.TrimRight(text[rest[0].start:t.end], ".*_ \"'?:)")
		}
	}
	return ""
}

// enumerates reports whether a token at the start of its line counts it: "3.", "2)", and "-" where it is no sign.
func enumerates(text string, t token, next tokenKind) bool {
	if before := strings.TrimRight(text[max(0, t.start-8):t.start], " \t"); before != "" && before[len(before)-1] != '\n' {
		return false
	}
	w := strings.Trim(text[t.start:t.end], "*")
	if w == "-" || w == "+" {
		return next != math
	}
	n := len(w) - 1
	return n > 0 && n <= 3 && (w[n] == '.' || w[n] == ')' || w[n] == ':') && strings.Trim(w[:n], "0123456789(") == ""
}

// trimMarks takes away what a sentence puts around its mathematics.
func trimMarks(s string) string {
	for {
		before := s
		s = strings.Trim(s, " \t\r\n*`\"“”")
		s = strings.TrimRight(s, ",;:?")
		if strings.HasSuffix(s, ".") && !strings.HasSuffix(s, "..") {
			s = s[:len(s)-1]
		}
		if strings.HasSuffix(s, "}") && !strings.Contains(s, "{") {
			s = strings.TrimRight(s, "}") // of an object around it
		}
		s = strings.TrimLeft(s, "=:,;")
		if s == before {
			return s
		}
	}
}

// units are words that measure the number before them.
var units = set(`percent degrees degree dollars dollar cents cent euros pounds pound meters meter metres metre centimeters centimeter kilometers kilometer millimeters
inches inch feet foot yards yard miles mile seconds second minutes minute hours hour days day weeks week months month years year grams gram kilograms kilogram
liters liter litres litre gallons gallon quarts pints ounces square cubic sq units unit per radians times people ways students cookies books cards marbles points`)

// unitWords reports whether all of some words measure a number.
func unitWords(s string) bool {
	for _, w := range strings.Fields(s) {
		if !units[strings.ToLower(w)] {
			return false
		}
	}
	return true
}

// onlyMath reports whether a text has no words in it.
func onlyMath(text string, forms []formula) bool {
	for _, t := range tokens(text, 0, len(text), forms) {
		if t.kind == prose {
			return false
		}
	}
	return true
}
