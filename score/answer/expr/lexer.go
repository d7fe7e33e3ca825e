package expr

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind tells what a token is.
type tokenKind uint8

const (
	tokEnd     tokenKind = iota
	tokNumber            // digits with at most one decimal point
	tokLetter            // one letter that is a symbol
	tokWord              // a run of two or more letters outside of commands
	tokCommand           // \name, without the backslash
	tokText              // what \text{…} holds
	tokPunct             // everything else, one or two characters
)

// token is one unit of an answer's notation.
type token struct {
	kind  tokenKind
	text  string
	space bool   // white space comes before it
	cmd   string // of tokText: the command that it is the argument of
	joint bool   // a comma that can only separate thousands: {,} or ",\!"
}

func (t token) is(punct string) bool { return t.kind == tokPunct && t.text == punct }

func (t token) command(name string) bool { return t.kind == tokCommand && t.text == name }

// lexer cuts an answer into tokens. Commands that only change the looks of a formula are dropped,
// variants of one command become one, Unicode mathematics becomes commands.
type lexer struct {
	src    string
	pos    int
	tokens []token
	space  bool
	budget *budget
}

// lex returns the tokens of src, without an end token.
func lex(src string, b *budget) ([]token, error) {
	l := &lexer{src: src, budget: b, tokens: make([]token, 0, len(src)/2+4)}
	for l.pos < len(l.src) {
		b.spend(1)
		if len(l.tokens) > maxTokens {
			return nil, fmt.Errorf("%w: more than %d tokens", ErrBudget, maxTokens)
		}
		if err := l.next(); err != nil {
			return nil, err
		}
	}
	return l.tokens, nil
}

func (l *lexer) emit(kind tokenKind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, space: l.space})
	l.space = false
}

func (l *lexer) next() error {
	c := l.src[l.pos]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '~':
		l.space = true
		l.pos++
	case isDigit(c) || c == '.' && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]):
		l.number()
	case isLetter(c):
		end := l.pos + 1
		for end < len(l.src) && isLetter(l.src[end]) {
			end++
		}
		if end == l.pos+1 {
			l.emit(tokLetter, l.src[l.pos:end])
		} else {
			l.emit(tokWord, l.src[l.pos:end])
		}
		l.pos = end
	case c == '\\':
		return l.command()
	case c == '$':
		l.pos++ // a delimiter of mathematics or a currency sign: neither changes the value
	case c < utf8.RuneSelf:
		l.punct()
	default:
		r, n := utf8.DecodeRuneInString(l.src[l.pos:])
		if r == utf8.RuneError && n <= 1 {
			return fmt.Errorf("%w: not UTF-8", ErrUnreadable)
		}
		l.pos += n
		l.unicode(r)
	}
	return nil
}

func (l *lexer) number() {
	start, dot := l.pos, false
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if c == '.' && !dot && l.pos+1 < len(l.src) && isDigit(l.src[l.pos+1]) {
			dot = true
		} else if !isDigit(c) {
			break
		}
		l.pos++
	}
	text := l.src[start:l.pos]
	// "12." at the end of a clause, or "5.\%": the point says nothing.
	if rest := l.src[l.pos:]; !dot && strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "..") {
		l.pos++
		if strings.HasPrefix(rest[1:], `\overline`) || strings.HasPrefix(rest[1:], `\bar`) || strings.HasPrefix(rest[1:], `\dot`) {
			text += "."
		}
	}
	l.emit(tokNumber, text)
}

// pairs are the plain operators of two characters.
var pairs = map[string]string{
	"<=": "≤", ">=": "≥", "!=": "≠", "=<": "≤", "=>": "⇒", "==": "=", "**": "^", "->": "→", "~=": "≈", ":=": "=",
}

func (l *lexer) punct() {
	if l.pos+1 < len(l.src) {
		if p, ok := pairs[l.src[l.pos:l.pos+2]]; ok {
			// "5!=120" is a factorial and an equality, "x != 3" an inequality.
			n := len(l.tokens)
			if p != "≠" || n == 0 || l.space || l.tokens[n-1].kind == tokLetter {
				l.pos += 2
				l.emit(tokPunct, p)
				return
			}
		}
	}
	c := l.src[l.pos]
	l.pos++
	switch c {
	case '"', '`', '#':
		l.space = true
		return
	}
	l.emit(tokPunct, string(c))
	if c == ',' && strings.HasPrefix(strings.TrimLeft(l.src[l.pos:], " "), `\!`) {
		l.tokens[len(l.tokens)-1].joint = true
	}
}

// command reads a command or an escaped character.
func (l *lexer) command() error {
	l.pos++
	if l.pos == len(l.src) {
		return fmt.Errorf("%w: ends in a backslash", ErrUnreadable)
	}
	c := l.src[l.pos]
	if !isLetter(c) {
		l.pos++
		switch c {
		case ',', ';', ':', ' ', '/', '\n':
			l.space = true
		case '!', '$', '#', '-', '"', '\'':
		case '(', ')', '[', ']':
			// delimiters of mathematics inside of an answer
			l.space = true
		case '{', '}':
			l.emit(tokPunct, `\`+string(c))
		case '\\':
			// A doubled backslash before a letter is an escaped one, except between the rows of a matrix.
			if l.pos < len(l.src) && isLetter(l.src[l.pos]) && !l.inMatrix() {
				l.pos--
				return l.command2()
			}
			l.emit(tokPunct, `\\`)
			l.rowSpace()
		case '|':
			l.emit(tokPunct, "‖")
		case '&':
			l.emit(tokPunct, "and")
		case '%', '_':
			l.emit(tokPunct, string(c))
		default:
			if c >= utf8.RuneSelf {
				l.pos--
				return nil
			}
			l.emit(tokPunct, string(c))
		}
		return nil
	}
	return l.command2()
}

// rowSpace skips the length that may come after the end of a row: \\[6pt].
func (l *lexer) rowSpace() {
	length, ok := strings.CutPrefix(l.src[l.pos:], "[")
	if !ok || !l.inMatrix() {
		return
	}
	length, _, ok = strings.Cut(length, "]")
	unit := strings.TrimLeft(length, "-.0123456789 ")
	if ok && unit != length && (unit == "pt" || unit == "em" || unit == "ex" || unit == "mm" || unit == "cm" || unit == "in" || unit == "mu") {
		l.pos += len(length) + 2
	}
}

// inMatrix reports whether an environment is open.
func (l *lexer) inMatrix() bool {
	depth := 0
	for _, t := range l.tokens {
		if t.command("begin") {
			depth++
		} else if t.command("end") {
			depth--
		}
	}
	return depth > 0
}

// command2 reads a command whose name starts at pos, or one character before it.
func (l *lexer) command2() error {
	if l.src[l.pos] == '\\' {
		l.pos++
	}
	end := l.pos
	for end < len(l.src) && isLetter(l.src[end]) {
		end++
	}
	name := l.src[l.pos:end]
	l.pos = end
	if looks[name] {
		l.space = true
		return nil
	}
	if to, ok := aliases[name]; ok {
		if isLetter(to[0]) {
			l.emit(tokCommand, to)
		} else {
			l.emit(tokPunct, to)
		}
		return nil
	}
	switch name {
	case "left", "right":
		l.delimiter(name)
		return nil
	case "begin", "end":
		l.emit(tokCommand, name)
		env, ok := l.group()
		if !ok {
			return fmt.Errorf(`%w: \%s without a name`, ErrUnreadable, name)
		}
		l.emit(tokText, strings.TrimSuffix(strings.TrimSpace(env), "*"))
		if env == "array" || env == "tabular" {
			if name == "begin" {
				l.group() // the columns
			}
		}
		return nil
	}
	if hidden[name] {
		if _, ok := l.group(); !ok {
			l.pos = min(len(l.src), l.pos+len(l.src[l.pos:])-len(strings.TrimLeft(l.src[l.pos:], " ")))
			if l.pos < len(l.src) && l.src[l.pos] < utf8.RuneSelf && l.src[l.pos] != '\\' {
				l.pos++
			}
		}
		return nil
	}
	if texts[name] {
		if inner, ok := l.group(); ok {
			l.emit(tokText, inner)
			l.tokens[len(l.tokens)-1].cmd = name
			return nil
		}
		// \mathbb R
		if rest := strings.TrimLeft(l.src[l.pos:], " "); rest != "" && isLetter(rest[0]) && (len(rest) == 1 || !isLetter(rest[1])) {
			l.pos = len(l.src) - len(rest) + 1
			l.emit(tokText, rest[:1])
			l.tokens[len(l.tokens)-1].cmd = name
			return nil
		}
	}
	l.emit(tokCommand, name)
	return nil
}

// delimiter reads what \left or \right stretches.
func (l *lexer) delimiter(side string) {
	for l.pos < len(l.src) && l.src[l.pos] == ' ' {
		l.pos++
	}
	rest := l.src[l.pos:]
	bar := map[string]string{"left": "|(", "right": "|)"}[side]
	switch {
	case strings.HasPrefix(rest, "."):
		l.pos++
	case strings.HasPrefix(rest, "|"):
		l.pos++
		l.emit(tokPunct, bar)
	case strings.HasPrefix(rest, `\|`):
		l.pos += 2
		l.emit(tokPunct, "‖")
	}
}

// group reads {…} and returns what is in it.
func (l *lexer) group() (string, bool) {
	at := l.pos
	for at < len(l.src) && (l.src[at] == ' ' || l.src[at] == '\n') {
		at++
	}
	if at == len(l.src) || l.src[at] != '{' {
		return "", false
	}
	depth := 0
	for i := at; i < len(l.src); i++ {
		l.budget.spend(1)
		switch l.src[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				l.pos = i + 1
				return l.src[at+1 : i], true
			}
		}
	}
	return "", false
}

// unicode emits the command that a character outside of ASCII stands for.
func (l *lexer) unicode(r rune) {
	to, ok := characters[r]
	switch {
	case ok && to == "":
		l.space = true
	case ok:
		// The table holds short pieces of LaTeX: read them in place of the character.
		sub := &lexer{src: to, budget: l.budget, space: l.space}
		for sub.pos < len(sub.src) {
			if sub.next() != nil {
				break
			}
		}
		l.tokens = append(l.tokens, sub.tokens...)
		l.space = sub.space
		if r == '√' {
			l.tokens[len(l.tokens)-1].cmd = "√"
		}
	case unicode.IsSpace(r):
		l.space = true
	case unicode.IsLetter(r):
		l.emit(tokLetter, string(r))
	default:
		l.emit(tokPunct, string(r))
	}
}

func isLetter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
