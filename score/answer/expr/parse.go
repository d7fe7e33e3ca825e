package expr

import (
	"fmt"
	"sort"
	"strings"
)

// Parse reads an extracted answer: without its box, but possibly with dollar signs, text, units and
// spacing in it. What is balanced and not empty is always read as something, as [KindNotation] in the
// end, which is compared as it is written.
func Parse(text string, o Options) (v Value, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case exhausted:
			v, err = Value{}, fmt.Errorf("%w: the answer is too large", ErrBudget)
		default:
			panic(r)
		}
	}()
	if len(text) > maxText {
		return Value{}, fmt.Errorf("%w: %d bytes, at most %d are read", ErrBudget, len(text), maxText)
	}
	b := newBudget(o)
	f, err := read(unwrap(text), o, b, 0)
	if err != nil {
		return Value{}, err
	}
	return Value{f}, nil
}

// read reads a whole answer.
func read(text string, o Options, b *budget, depth int) (*form, error) {
	if text == "" {
		return nil, fmt.Errorf("%w: empty", ErrUnreadable)
	}
	if f := readText(text); f != nil {
		return f, nil
	}
	tokens, err := lex(text, b)
	if err != nil {
		return nil, err
	}
	tokens = trimEnd(tokens)
	if err := balanced(tokens); err != nil {
		return nil, err
	}
	tokens = classify(infix(tokens, b), b)
	if len(tokens) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrUnreadable)
	}
	if len(tokens) == 1 && tokens[0].kind == tokText {
		// All of it is one text, like \text{13} or \text{blue}.
		if depth < 3 && tokens[0].cmd == "name" && (strings.ContainsAny(tokens[0].text, "0123456789") || strings.ContainsAny(tokens[0].text, ",;")) && tokens[0].text != text {
			return read(tokens[0].text, o, b, depth+1)
		}
		f := textForm(tokens[0].text)
		if f.key == "" {
			return nil, fmt.Errorf("%w: nothing but punctuation", ErrUnreadable)
		}
		return f, nil
	}
	if f := choice(tokens); f != nil {
		return f, nil
	}
	if letter, rest := lettered(tokens); letter != "" {
		f := letterForm(letter)
		f.key = spelling(tokens)
		f.content, _ = attempt(func() *form { return (&reader{tokens: rest, strict: o.Strict, budget: b}).answer() })
		return f, nil
	}
	f, why := attempt(func() *form { return (&reader{tokens: tokens, strict: o.Strict, budget: b}).answer() })
	if f == nil {
		if strings.HasPrefix(why, "strict: ") {
			return nil, fmt.Errorf("%w: %s", ErrUnreadable, why)
		}
		f = &form{kind: KindNotation}
	}
	f.key = spelling(tokens)
	if f.key == "" {
		return nil, fmt.Errorf("%w: no content", ErrUnreadable)
	}
	return f, nil
}

// attempt runs f, and returns nil and why where the notation makes no sense.
func attempt(f func() *form) (result *form, why string) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case unreadable:
			result, why = nil, r.why
		default:
			panic(r)
		}
	}()
	return f(), ""
}

// unwrap removes what surrounds the whole of an answer: mathematics delimiters, emphasis, a box.
func unwrap(s string) string {
	for range 8 {
		before := s
		s = strings.TrimSpace(s)
		for _, w := range [][2]string{{"$$", "$$"}, {"$", "$"}, {`\(`, `\)`}, {`\[`, `\]`}, {"**", "**"}, {"`", "`"}, {"{", "}"}, {`\boxed{`, "}"}, {`\fbox{`, "}"}, {`"`, `"`}} {
			if len(s) > len(w[0])+len(w[1]) && strings.HasPrefix(s, w[0]) && strings.HasSuffix(s, w[1]) && !strings.HasSuffix(s, `\`+w[1]) {
				inner := s[len(w[0]) : len(s)-len(w[1])]
				if strings.HasSuffix(w[0], "{") {
					if closes(s, len(w[0])-1) == len(s)-1 {
						s = inner
					}
				} else if !strings.Contains(inner, w[0]) {
					s = inner
				}
			}
		}
		if s == before {
			break
		}
	}
	return s
}

// closes returns the index of the brace that closes the one at s[at], or −1.
func closes(s string, at int) int {
	depth := 0
	for i := at; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// trimEnd drops marks at the end of a sentence.
func trimEnd(tokens []token) []token {
	for len(tokens) > 0 {
		t := tokens[len(tokens)-1]
		if !t.is(".") && !t.is(",") && !t.is(";") && !t.is("?") && !t.is(":") && !t.is(`\\`) {
			break
		}
		tokens = tokens[:len(tokens)-1]
	}
	return tokens
}

// balanced checks that braces and environments close.
func balanced(tokens []token) error {
	depth, envs := 0, 0
	for _, t := range tokens {
		switch {
		case t.is("{"):
			depth++
		case t.is("}"):
			if depth--; depth < 0 {
				return fmt.Errorf("%w: a brace closes that was not opened", ErrUnreadable)
			}
		case t.command("begin"):
			envs++
		case t.command("end"):
			if envs--; envs < 0 {
				return fmt.Errorf("%w: an environment ends that was not begun", ErrUnreadable)
			}
		}
	}
	if depth != 0 || envs != 0 {
		return fmt.Errorf("%w: an open brace or environment", ErrUnreadable)
	}
	return nil
}

// spelling writes tokens so that answers that differ only in spaces, dots for products and the like
// come out the same.
func spelling(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		switch {
		case t.is("*"):
			if i == 0 || i+1 == len(tokens) || tokens[i-1].kind == tokNumber && tokens[i+1].kind == tokNumber {
				b.WriteString("* ")
			}
			continue
		case t.is("|(") || t.is("|)"):
			b.WriteByte('|')
		case t.is("and") || t.is("or"):
			b.WriteByte(',')
		case t.is("{") && i+2 < len(tokens) && tokens[i+2].is("}") && !tokens[i+1].is("{"), t.is("}") && i > 1 && tokens[i-2].is("{") && !tokens[i-1].is("}"):
			continue
		case t.kind == tokCommand:
			b.WriteByte('\\')
			b.WriteString(t.text)
		case t.kind == tokText:
			b.WriteString(strings.ToLower(t.text))
		default:
			b.WriteString(t.text)
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

// readText recognises an answer that is words and no mathematics.
func readText(s string) *form {
	s = strings.TrimRight(s, ".!")
	plain := cleanText(s)
	explicit := false
	for _, cmd := range []string{`\text`, `\textbf`, `\mathrm`, `\textit`, `\textrm`, `\mbox`, `\operatorname`, `\mathbf`, `\emph`} {
		if strings.HasPrefix(s, cmd+"{") && closes(s, len(cmd)) == len(s)-1 {
			plain, explicit = cleanText(s[len(cmd)+1:len(s)-1]), true
			break
		}
	}
	plain = strings.Trim(plain, " .,;:!?")
	if plain == "" || strings.ContainsAny(plain, `\0123456789^_=<>+*/|[]$&%`) {
		return nil
	}
	long := false
	fields := strings.FieldsFunc(plain, func(r rune) bool {
		return r == ' ' || r == ',' || r == '-' || r == '(' || r == ')' || r == '\'' || r == '.' || r == ';'
	})
	if strings.ContainsAny(plain, "()-,;.'") && !explicit && len(fields) < 2 {
		return nil
	}
	for _, w := range fields {
		for _, r := range w {
			if r < 128 && !isLetter(byte(r)) {
				return nil
			}
			if _, special := characters[r]; special {
				return nil
			}
		}
		lower := strings.ToLower(w)
		_, sign := plainWords[lower]
		if !explicit && (functions[lower] || greek[lower] || sign && lower != "and" && lower != "or" && lower != "times") {
			return nil
		}
		long = long || len(w) > 2 && !sign
	}
	if len(fields) == 0 || !long && !(explicit && len(plain) > 1) {
		return nil
	}
	if explicit && len(fields) > 1 && strings.ContainsAny(plain, ",;") && allSingle(fields) {
		return nil // choices
	}
	if explicit && len(fields) == 1 && len(fields[0]) == 1 {
		return letterForm(fields[0]) // a choice
	}
	f := textForm(plain)
	if !explicit && len(fields) == 1 && len(plain) <= 4 || !explicit && allShort(fields) {
		f.letters = sortedLetters(plain)
	}
	return f
}

func allSingle(fields []string) bool {
	for _, w := range fields {
		if len(w) > 1 && w != "and" && w != "or" {
			return false
		}
	}
	return true
}

func allShort(fields []string) bool {
	for _, w := range fields {
		if len(w) > 2 {
			return false
		}
	}
	return true
}

func sortedLetters(s string) string {
	l := strings.Split(strings.ReplaceAll(strings.ToLower(s), " ", ""), "")
	sort.Strings(l)
	return strings.Join(l, "")
}

// synonyms are texts that say the same.
var synonyms = map[string]string{
	"dne": "does not exist", "doesnt exist": "does not exist", "doesn t exist": "does not exist", "no solutions": "no solution", "no real solutions": "no real solution",
	"none of these": "none of the above", "true.": "true", "infinitely many solutions": "infinitely many",
}

func textForm(s string) *form {
	s = strings.ToLower(strings.Trim(strings.Join(strings.Fields(strings.NewReplacer("-", " ", "'", " ", "’", " ").Replace(cleanText(s))), " "), " .,;:!?"))
	if to, ok := synonyms[s]; ok {
		s = to
	}
	return &form{kind: KindText, text: s, key: s}
}

// choice recognises a lettered choice, (B), alone or before its content.
func choice(tokens []token) *form {
	t := tokens
	if len(t) == 3 && t[0].is("(") && t[2].is(")") && len(t[1].text) == 1 && isLetter(t[1].text[0]) {
		return letterForm(t[1].text)
	}
	if len(t) == 1 && t[0].kind == tokText && len(t[0].text) == 1 {
		return letterForm(t[0].text)
	}
	return nil
}

// lettered splits "(B) 12" and "B. 12" into the letter of a choice and what it says. A letter before a
// bracket or an operator is a factor.
func lettered(t []token) (letter string, rest []token) {
	choice := func(x token) bool {
		return (x.kind == tokLetter || x.kind == tokText) && len(x.text) == 1 && x.text[0] >= 'A' && x.text[0] <= 'H'
	}
	after := func(x token) bool {
		return x.kind == tokNumber || x.kind == tokCommand && x.text != "bmod" || x.kind == tokText || x.kind == tokLetter && x.space || x.is("-") && x.space
	}
	switch {
	case len(t) > 3 && t[0].is("(") && choice(t[1]) && t[2].is(")") && after(t[3]) && t[3].space:
		return t[1].text, t[3:]
	case len(t) > 1 && t[0].kind == tokText && len(t[0].text) == 3 && t[0].text[0] == '(' && t[0].text[2] == ')' && choice(token{kind: tokText, text: t[0].text[1:2]}) && (after(t[1]) || t[1].is("(") || t[1].is("-")):
		return t[0].text[1:2], t[1:]
	case len(t) > 2 && choice(t[0]) && (t[1].is(".") || t[1].is(")") || t[1].is(":") && t[2].space) && after(t[2]):
		return t[0].text, t[2:]
	}
	return "", nil
}

func letterForm(s string) *form {
	f := &form{kind: KindLetter, expr: symbol(s), key: s}
	switch s {
	case "e", "E", "i", "I":
		f.expr = constant(strings.ToLower(s))
	}
	return f
}
