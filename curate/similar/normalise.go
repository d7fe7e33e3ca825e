package similar

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of groups that is followed; braces below it are
// left out like punctuation.
const maxDepth = 64

// normaliser walks over a text once and appends words. Groups and the
// arguments of commands are followed by recursion.
type normaliser struct {
	s       string  // what is walked over: the raw text, folded to ASCII spellings where it can be
	offsets []int32 // from bytes of s to bytes of the raw text; nil when they are the same
	i       int
	depth   int
	buf     []byte
	toks    []token
	number  int  // value of the number word that was the last token, or -1
	tens    bool // that number word may take a unit: twenty
}

// token is a word under construction: its text is buf[start:end].
type token struct {
	start, end, raw int32
	kind            wordKind
}

func normalise(raw string) *Text {
	n := normaliser{s: raw, number: -1}
	if !isASCII(raw) {
		n.s, n.offsets = fold(raw)
	}
	n.buf = make([]byte, 0, len(n.s)+len(n.s)/2+16)
	n.toks = make([]token, 0, len(n.s)/3+4)
	for n.i < len(n.s) {
		n.step()
	}
	n.shouting()
	t := &Text{raw: raw, words: make([]word, len(n.toks))}
	var b strings.Builder
	size := len(n.toks)
	for _, k := range n.toks {
		size += int(k.end - k.start)
	}
	b.Grow(size)
	for i, k := range n.toks {
		if i > 0 {
			b.WriteByte(' ')
		}
		start := int32(b.Len())
		b.Write(n.buf[k.start:k.end])
		t.words[i] = word{start: start, end: int32(b.Len()), raw: k.raw, kind: k.kind}
	}
	t.norm = b.String()
	for i := range t.words {
		t.words[i].hash = hashString(t.word(i))
	}
	return t
}

// shouting takes back that words in capitals are the names of points when most
// words of the text are in capitals.
func (n *normaliser) shouting() {
	names, words := 0, 0
	for _, k := range n.toks {
		switch {
		case k.kind == kindWord:
			words++
		case k.kind == kindName && k.end-k.start > 1:
			names++
		}
	}
	if names < 4 || names <= words {
		return
	}
	for i := range n.toks {
		if k := &n.toks[i]; k.kind == kindName && k.end-k.start > 1 {
			k.kind = kindWord
		}
	}
}

// step consumes at least one byte: a word, a number, a command, a group or a
// single character.
func (n *normaliser) step() {
	c := n.s[n.i]
	switch {
	case isLetter(c) || c >= utf8.RuneSelf:
		n.letters()
	case isDigit(c), c == '.' && n.leadingPoint():
		n.digits()
	case c == '\\':
		n.command()
	case c == '{':
		n.group(true)
	case c == '[' && strings.HasPrefix(n.s[n.i:], "[asy]"):
		n.drawing()
	default:
		n.symbol(c)
	}
}

// add appends a word.
func (n *normaliser) add(w string, at int, kind wordKind) {
	start := int32(len(n.buf))
	n.buf = append(n.buf, w...)
	n.toks = append(n.toks, token{start, int32(len(n.buf)), n.raw(at), kind})
	n.number = -1
}

func (n *normaliser) raw(at int) int32 {
	if n.offsets == nil {
		return int32(at)
	}
	return n.offsets[at]
}

// last is the text of the last word, "" at the beginning.
func (n *normaliser) last() string {
	if len(n.toks) == 0 {
		return ""
	}
	k := n.toks[len(n.toks)-1]
	return string(n.buf[k.start:k.end])
}

// letters reads a run of letters, with apostrophes inside (don't, Janet's).
func (n *normaliser) letters() {
	at, start := n.i, len(n.buf)
	upper, count := true, 0
	for n.i < len(n.s) {
		c := n.s[n.i]
		switch {
		case c >= 'a' && c <= 'z':
			n.buf, upper = append(n.buf, c), false
			n.i++
		case c >= 'A' && c <= 'Z':
			n.buf = append(n.buf, c+'a'-'A')
			n.i++
		case c == '\'' && count > 0 && n.i+1 < len(n.s) && isLetter(n.s[n.i+1]) && (count > 1 && !(upper && isUpper(n.s[n.i+1])) || n.contraction(n.i+1)):
			n.i++
			continue
		case c >= utf8.RuneSelf:
			r, size := utf8.DecodeRuneInString(n.s[n.i:])
			if !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) {
				if count > 0 {
					n.word(at, start, count, upper)
					return
				}
				n.i += size
				if unicode.IsSymbol(r) {
					n.add(string(r), at, kindSymbol)
				}
				return
			}
			if unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) {
				if count > 0 {
					n.word(at, start, count, upper)
					return
				}
				n.i += size
				n.add(string(r), at, kindWord)
				return
			}
			n.buf, upper = utf8.AppendRune(n.buf, unicode.ToLower(r)), upper && unicode.IsUpper(r)
			n.i += size
		default:
			n.word(at, start, count, upper)
			return
		}
		count++
	}
	n.word(at, start, count, upper)
}

// contraction reports whether the letters from i are what follows an
// apostrophe in English, so that it isn't a prime.
func (n *normaliser) contraction(i int) bool {
	j := i
	for j < len(n.s) && isLetter(n.s[j]) {
		j++
	}
	switch strings.ToLower(n.s[i:j]) {
	case "s", "m", "t", "d", "ll", "re", "ve":
		return true
	}
	return false
}

// word finishes the word in buf[start:]; number words become numbers.
func (n *normaliser) word(at, start, count int, upper bool) {
	kind := kindWord
	if count == 1 || upper && count <= 5 {
		kind = kindName
	}
	if count >= 3 && count <= 9 {
		if w, ok := numberWords[string(n.buf[start:])]; ok && n.numberWord(w, at, start) {
			return
		}
	}
	if string(n.buf[start:]) == "circ" && n.last() == "^" {
		n.buf = n.buf[:start]
		n.degrees()
		return
	}
	n.toks = append(n.toks, token{int32(start), int32(len(n.buf)), n.raw(at), kind})
	n.number = -1
}

// numberWord replaces the number word in buf[start:] by digits, taken together
// with the number word before it where the two make one number.
func (n *normaliser) numberWord(w numberWord, at, start int) bool {
	value, joined := w.value, false
	switch {
	case w.scale && (n.number < 1 || n.number > 1e6):
		return false
	case w.scale:
		value, joined = n.number*w.value, true
	case n.tens && n.number >= 0 && w.value >= 1 && w.value <= 9:
		value, joined = n.number+w.value, true
	}
	if joined {
		k := n.toks[len(n.toks)-1]
		at, start = -1, int(k.start)
		n.toks = n.toks[:len(n.toks)-1]
		n.buf = strconv.AppendInt(n.buf[:start], int64(value), 10)
		n.toks = append(n.toks, token{int32(start), int32(len(n.buf)), k.raw, kindNumber})
	} else {
		n.buf = strconv.AppendInt(n.buf[:start], int64(value), 10)
		n.toks = append(n.toks, token{int32(start), int32(len(n.buf)), n.raw(at), kindNumber})
	}
	n.number, n.tens = value, w.tens
	return true
}

// degrees replaces a caret, the last word, by the word for what stands above it.
func (n *normaliser) degrees() {
	k := &n.toks[len(n.toks)-1]
	n.buf = append(n.buf[:k.start], "degrees"...)
	k.end, k.kind = int32(len(n.buf)), kindWord
	n.number = -1
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// leadingPoint reports whether the point at i begins a number such as .5.
func (n *normaliser) leadingPoint() bool {
	if n.i+1 >= len(n.s) || !isDigit(n.s[n.i+1]) {
		return false
	}
	if n.i == 0 {
		return true
	}
	p := n.s[n.i-1]
	return !isLetter(p) && !isDigit(p) && p != '.' && p != ')' && p != '}' && p < utf8.RuneSelf
}

// digits reads a number: groups of thousands are joined and zeros at the end
// of a decimal fraction dropped.
func (n *normaliser) digits() {
	at, start := n.i, len(n.buf)
	if n.s[n.i] == '.' {
		n.buf = append(n.buf, '0')
	}
	n.run()
	for lead := n.i - at; lead >= 1 && lead <= 3; {
		skip := n.thousands()
		if skip == 0 {
			break
		}
		n.i += skip
		n.run()
	}
	if n.i+1 < len(n.s) && n.s[n.i] == '.' && isDigit(n.s[n.i+1]) {
		point := len(n.buf)
		n.buf = append(n.buf, '.')
		n.i++
		n.run()
		for n.buf[len(n.buf)-1] == '0' {
			n.buf = n.buf[:len(n.buf)-1]
		}
		if len(n.buf) == point+1 {
			n.buf = n.buf[:point]
		}
	}
	n.toks = append(n.toks, token{int32(start), int32(len(n.buf)), n.raw(at), kindNumber})
	n.number = -1
}

// run appends the digits from i on.
func (n *normaliser) run() {
	for n.i < len(n.s) && isDigit(n.s[n.i]) {
		n.buf = append(n.buf, n.s[n.i])
		n.i++
	}
}

// thousands is the length of a separator of thousands at i that three digits
// and no fourth follow, or 0.
func (n *normaliser) thousands() int {
	for _, sep := range [...]string{",", "{,}", `\,`, `,\!`, `\!,`} {
		rest, ok := strings.CutPrefix(n.s[n.i:], sep)
		if ok && len(rest) >= 3 && isDigit(rest[0]) && isDigit(rest[1]) && isDigit(rest[2]) && (len(rest) == 3 || !isDigit(rest[3])) {
			return len(sep)
		}
	}
	return 0
}

// symbol reads one character that isn't part of a word or a command.
func (n *normaliser) symbol(c byte) {
	at := n.i
	n.i++
	next := byte(0)
	if n.i < len(n.s) {
		next = n.s[n.i]
	}
	switch c {
	case '+', '^', '|', '[', ']', '(', ')', '/':
		n.add(n.s[at:at+1], at, kindSymbol)
	case '=':
		if next == '=' {
			n.i++
		}
		n.add("=", at, kindSymbol)
	case '<', '>':
		if next == '=' {
			n.i++
		}
		n.add(n.s[at:n.i], at, kindSymbol)
	case '!':
		if next == '=' {
			n.i++
			n.add("!=", at, kindSymbol)
			return
		}
		// a factorial stands after a number, a variable or a bracket
		if len(n.toks) > 0 {
			if k := n.toks[len(n.toks)-1]; k.kind == kindNumber || k.end-k.start == 1 && (k.kind == kindName || n.buf[k.start] == ')') {
				n.add("!", at, kindSymbol)
			}
		}
	case '*':
		if at > 0 && next == '*' && n.i+1 < len(n.s) && operand(n.s[at-1], ')') && operand(n.s[n.i+1], '(') {
			n.i++
			n.add("^", at, kindSymbol) // 2**3; two stars at the edge of a word are Markdown
		}
	case '-':
		n.hyphen(at)
	case '%':
		n.add("percent", at, kindWord)
	case '\'':
		n.prime(at)
	case '.':
		if next == '.' && n.i+1 < len(n.s) && n.s[n.i+1] == '.' {
			for n.i < len(n.s) && n.s[n.i] == '.' {
				n.i++
			}
			n.add("dots", at, kindWord)
		}
	}
}

// operand reports whether c may be at the end of an operand: a letter, a digit or the bracket.
func operand(c, bracket byte) bool { return isLetter(c) || isDigit(c) || c == bracket }

// hyphen adds a minus sign unless the dash only joins words (nine-digit,
// x-axis) or separates clauses (--).
func (n *normaliser) hyphen(at int) {
	if n.i < len(n.s) && n.s[n.i] == '-' {
		for n.i < len(n.s) && n.s[n.i] == '-' {
			n.i++
		}
		return
	}
	if at > 0 && n.i+1 < len(n.s) {
		p, a, b := n.s[at-1], n.s[n.i], n.s[n.i+1]
		if (isLetter(p) || isDigit(p) || p >= utf8.RuneSelf || p == '$') && isLetter(a) && isLetter(b) {
			return
		}
	}
	n.add("-", at, kindSymbol)
}

// prime adds a word for a prime (f', A'B') and nothing for an apostrophe or a
// quotation mark.
func (n *normaliser) prime(at int) {
	if at == 0 || len(n.toks) == 0 {
		return
	}
	k := n.toks[len(n.toks)-1]
	switch p := n.s[at-1]; {
	case isLetter(p) && k.kind == kindName && !n.quoted(at-int(k.end-k.start)), p == ')', p == '}':
	case p == '\'' && n.last() == "prime":
	default:
		return
	}
	n.add("prime", at, kindWord)
}

// quoted reports whether a quotation mark stands before the last word, which begins at i.
func (n *normaliser) quoted(i int) bool {
	if i < 1 || n.s[i-1] != '\'' {
		return false
	}
	if len(n.toks) < 2 {
		return true
	}
	k := n.toks[len(n.toks)-2]
	return string(n.buf[k.start:k.end]) != "prime"
}

// drawing replaces an [asy] drawing by one word that is the same for the same
// code, so that problems that differ by their figure only stay different.
func (n *normaliser) drawing() {
	at := n.i
	code := n.s[n.i+len("[asy]"):]
	if end := strings.Index(code, "[/asy]"); end >= 0 {
		n.i += len("[asy]") + end + len("[/asy]")
		code = code[:end]
	} else {
		n.i = len(n.s)
	}
	h := uint64(fnvOffset)
	for i := range len(code) {
		if code[i] > ' ' {
			h = (h ^ uint64(code[i])) * fnvPrime
		}
	}
	name := []byte("drawing")
	for h = mix(h); len(name) < len("drawing")+12; h >>= 4 {
		name = append(name, 'a'+byte(h&15))
	}
	n.add(string(name), at, kindWord)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
