package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	end kind = iota
	data
	varBegin
	varEnd
	blockBegin
	blockEnd
	name
	text
	integer
	float
	operator
)

// token is a piece of a template; text is what it says, for strings without quotes and escapes.
type token struct {
	kind kind
	text string
	line int
}

func (t token) String() string {
	switch t.kind {
	case end:
		return "the end of the template"
	case varEnd, blockEnd:
		return "the end of the tag"
	case text:
		return strconv.Quote(t.text)
	}
	return strconv.Quote(t.text)
}

// lexer cuts a source into tokens.
type lexer struct {
	src    string
	at     int
	tokens []token
	// lineStart: what was read last ended a line, so that white space before a block is its indentation.
	lineStart bool
	// lines is how many newlines there are before counted.
	lines, counted int
}

// newlines are \r\n, \r and \n in a source; one at the end is dropped.
var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func lex(src string) ([]token, error) {
	src = strings.TrimSuffix(newlines.Replace(src), "\n")
	l := &lexer{src: src, lineStart: true}
	for l.at < len(l.src) {
		if err := l.data(); err != nil {
			return nil, err
		}
	}
	return append(l.tokens, token{kind: end, line: l.line()}), nil
}

// line is the number of the line at which it reads.
func (l *lexer) line() int {
	at := min(l.at, len(l.src))
	if at < l.counted {
		l.lines, l.counted = 0, 0
	}
	l.lines += strings.Count(l.src[l.counted:at], "\n")
	l.counted = at
	return 1 + l.lines
}

func (l *lexer) add(k kind, s string) { l.tokens = append(l.tokens, token{k, s, l.line()}) }

func (l *lexer) fail(format string, args ...any) error { return errorf(l.line(), format, args...) }

// data reads up to the next tag, and the tag.
func (l *lexer) data() error {
	rest := l.src[l.at:]
	n := len(rest)
	for i := 0; i+1 < len(rest); i++ {
		if rest[i] == '{' && (rest[i+1] == '{' || rest[i+1] == '%' || rest[i+1] == '#') {
			n = i
			break
		}
	}
	if n == len(rest) {
		l.add(data, rest)
		l.at = len(l.src)
		return nil
	}
	open := rest[n+1]
	sign := byte(0)
	if n+2 < len(rest) && (rest[n+2] == '-' || rest[n+2] == '+') {
		sign = rest[n+2]
	}
	if before := l.before(rest[:n], open, sign); before != "" {
		l.add(data, before)
	}
	l.at += n + 2
	if sign != 0 {
		l.at++
	}
	switch open {
	case '#':
		return l.comment()
	case '%':
		if done, err := l.raw(); done || err != nil {
			return err
		}
		l.add(blockBegin, "")
		return l.tag('%', blockEnd)
	}
	l.add(varBegin, "")
	return l.tag('}', varEnd)
}

// before is what stays of the text in front of a tag: "-" takes all white space, and a block or a
// comment its own indentation, unless it says "+".
func (l *lexer) before(s string, open, sign byte) string {
	if sign == '-' {
		return strings.TrimRightFunc(s, unicode.IsSpace)
	}
	if open == '{' || sign == '+' {
		return s
	}
	from := strings.LastIndexByte(s, '\n') + 1
	if (from > 0 || l.lineStart) && strings.TrimFunc(s[from:], unicode.IsSpace) == "" {
		return s[:from]
	}
	return s
}

// after passes what a tag's end takes of the text behind it: all white space with "-", and of a block
// or comment the line break, unless it says "+".
func (l *lexer) after(sign byte, block bool) {
	start := l.at
	switch {
	case sign == '-':
		l.at = len(l.src) - len(strings.TrimLeftFunc(l.src[l.at:], unicode.IsSpace))
	case block && sign != '+' && strings.HasPrefix(l.src[l.at:], "\n"):
		l.at++
	}
	l.lineStart = l.at > start && l.src[l.at-1] == '\n'
}

func (l *lexer) comment() error {
	n := strings.Index(l.src[l.at:], "#}")
	if n < 0 {
		return l.fail("a comment has no end")
	}
	sign := byte(0)
	if n > 0 {
		sign = l.src[l.at+n-1]
	}
	l.at += n + 2
	l.after(sign, true)
	return nil
}

// raw reads {% raw %}…{% endraw %}, if that is what follows.
func (l *lexer) raw() (bool, error) {
	begin, ok := word(l.src[l.at:], "raw")
	if !ok {
		return false, nil
	}
	sign := l.src[l.at+begin-3]
	l.at += begin
	l.after(sign, false)
	l.lineStart = false
	for from := l.at; ; {
		n := strings.Index(l.src[from:], "{%")
		if n < 0 {
			return true, l.fail("a raw block has no end")
		}
		inner := from + n + 2
		open := byte(0)
		if inner < len(l.src) && (l.src[inner] == '-' || l.src[inner] == '+') {
			open = l.src[inner]
			inner++
		}
		length, ok := word(l.src[inner:], "endraw")
		if !ok {
			from = inner
			continue
		}
		if s := l.before(l.src[l.at:from+n], '%', open); s != "" {
			l.add(data, s)
		}
		l.at = inner + length
		l.after(l.src[l.at-3], true)
		return true, nil
	}
}

// word is the length of a word alone in a tag, with the tag's end.
func word(s, want string) (int, bool) {
	trimmed := strings.TrimLeftFunc(s, unicode.IsSpace)
	rest, ok := strings.CutPrefix(trimmed, want)
	if !ok {
		return 0, false
	}
	rest = strings.TrimLeftFunc(rest, unicode.IsSpace)
	if len(rest) > 2 && (rest[0] == '-' || rest[0] == '+') {
		rest = rest[1:]
	}
	rest, ok = strings.CutPrefix(rest, "%}")
	return len(s) - len(rest), ok
}

// operators, the longer ones first.
var operators = []string{"**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".", ":", ",", "|"}

// tag reads the tokens of a tag and its end, close and "}".
func (l *lexer) tag(close byte, k kind) error {
	var open []byte // brackets: inside of them nothing ends the tag
	for {
		l.at = len(l.src) - len(strings.TrimLeftFunc(l.src[l.at:], unicode.IsSpace))
		rest := l.src[l.at:]
		if rest == "" {
			return l.fail("a tag has no end")
		}
		if len(open) == 0 {
			sign, body := byte(0), rest
			if rest[0] == '-' || rest[0] == '+' && k == blockEnd {
				sign, body = rest[0], rest[1:]
			}
			if len(body) > 1 && body[0] == close && body[1] == '}' {
				l.add(k, "")
				l.at += len(rest) - len(body) + 2
				l.after(sign, k == blockEnd)
				return nil
			}
		}
		switch c := rest[0]; {
		case c == '"' || c == '\'':
			if err := l.str(c); err != nil {
				return err
			}
			continue
		case c >= '0' && c <= '9':
			if err := l.number(); err != nil {
				return err
			}
			continue
		}
		if n := nameLength(rest); n > 0 {
			l.add(name, rest[:n])
			l.at += n
			continue
		}
		op := ""
		for _, o := range operators {
			if strings.HasPrefix(rest, o) {
				op = o
				break
			}
		}
		switch op {
		case "":
			r, _ := utf8.DecodeRuneInString(rest)
			return l.fail("unexpected character %q", r)
		case "(", "[", "{":
			open = append(open, map[string]byte{"(": ')', "[": ']', "{": '}'}[op])
		case ")", "]", "}":
			if len(open) == 0 || open[len(open)-1] != op[0] {
				return l.fail("unexpected %q", op)
			}
			open = open[:len(open)-1]
		}
		l.add(operator, op)
		l.at += len(op)
	}
}

func nameLength(s string) int {
	for i, r := range s {
		if !(r == '_' || unicode.IsLetter(r) || i > 0 && unicode.IsDigit(r)) {
			return i
		}
	}
	return len(s)
}

// number reads an integer or a float, digits grouped by "_" or not.
func (l *lexer) number() error {
	s := l.src[l.at:]
	digits := func(from int) int {
		for from < len(s) && (s[from] >= '0' && s[from] <= '9' || s[from] == '_') {
			from++
		}
		return from
	}
	n, k := digits(0), integer
	if n+1 < len(s) && s[n] == '.' && s[n+1] >= '0' && s[n+1] <= '9' {
		n, k = digits(n+1), float
	}
	if n+1 < len(s) && (s[n] == 'e' || s[n] == 'E') {
		from := n + 1
		if s[from] == '+' || s[from] == '-' {
			from++
		}
		if to := digits(from); to > from {
			n, k = to, float
		}
	}
	if k == integer && n == 1 && s[0] == '0' && len(s) > 2 && strings.IndexByte("xXoObB", s[1]) >= 0 {
		n = 2
		for n < len(s) && (s[n] == '_' || strings.IndexByte("0123456789abcdefABCDEF", s[n]) >= 0) {
			n++
		}
	}
	l.add(k, strings.ReplaceAll(s[:n], "_", ""))
	l.at += n
	return nil
}

// str reads a string with Python's escapes; one that is unknown stays as it is.
func (l *lexer) str(quote byte) error {
	var b strings.Builder
	for i := l.at + 1; i < len(l.src); i++ {
		c := l.src[i]
		if c == quote {
			l.add(text, b.String())
			l.at = i + 1
			return nil
		}
		if c != '\\' || i+1 == len(l.src) {
			b.WriteByte(c)
			continue
		}
		i++
		if r, ok := simpleEscapes[l.src[i]]; ok {
			b.WriteString(r)
			continue
		}
		digits, base, from := map[byte]int{'x': 2, 'u': 4, 'U': 8}[l.src[i]], 16, i+1
		if l.src[i] >= '0' && l.src[i] <= '7' {
			digits, base, from = 1, 8, i
			for digits < 3 && from+digits < len(l.src) && l.src[from+digits] >= '0' && l.src[from+digits] <= '7' {
				digits++
			}
		}
		if digits == 0 {
			b.WriteByte('\\')
			i--
			if _, n := utf8.DecodeRuneInString(l.src[i+1:]); n > 0 {
				b.WriteString(l.src[i+1 : i+1+n])
				i += n
			}
			continue
		}
		if from+digits > len(l.src) {
			return l.fail("a string has no end")
		}
		v, err := strconv.ParseUint(l.src[from:from+digits], base, 32)
		if err != nil || v > unicode.MaxRune {
			return l.fail("not an escape: \\%s", l.src[i:from+digits])
		}
		b.WriteRune(rune(v))
		i = from + digits - 1
	}
	return l.fail("a string has no end")
}

var simpleEscapes = map[byte]string{'n': "\n", 't': "\t", 'r': "\r", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'v': "\v", '\n': ""}
