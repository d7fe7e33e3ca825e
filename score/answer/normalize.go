package answer

import (
	"strings"
	"unicode"
)

// same maps commands that only change the looks to what they stand for; the empty string drops them.
var same = map[string]string{
	"left": "", "right": "", "big": "", "Big": "", "bigl": "", "bigr": "", "displaystyle": "", "textstyle": "", "limits": "",
	"quad": " ", "qquad": " ", "dfrac": `\frac`, "tfrac": `\frac`, "cfrac": `\frac`,
	"mathrm": `\text`, "mathbf": `\text`, "textbf": `\text`, "textrm": `\text`, "textit": `\text`, "mbox": `\text`, "operatorname": `\text`,
	"circ": "°", "degree": "°", "cdot": `\times`, "percent": "%", "le": `\leq`, "ge": `\geq`, "ne": `\neq`,
}

// symbols maps escaped characters likewise.
var symbols = map[byte]string{'!': "", ',': "", ';': "", ':': "", ' ': " ", '$': "$", '%': "%", '#': "#", '&': "&"}

var plain = strings.NewReplacer("{,}", ",", "−", "-", "–", "-", "×", `\times `, "·", `\times `, "^{°}", "°", "^°", "°", "~", " ",
	"\u00a0", " ", "\u202f", " ", "\u2009", " ", "％", "%")

// normalize removes what only changes the looks of an answer: surrounding dollar signs, spacing and
// sizing commands, variants of \frac and \text, a full stop at the end.
func normalize(s string) string {
	s = unwrap(s)
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			i++
			continue
		}
		end := i + 1
		for end < len(s) && isLetter(s[end]) {
			end++
		}
		if name := s[i+1 : end]; name != "" {
			to, ok := same[name]
			if !ok {
				to = s[i:end]
			}
			b.WriteString(to)
			// "\cdot x" must not become a command "\timesx", nor "\left x" lose its space.
			if ok && len(to) > 1 && to[0] == '\\' && end < len(s) && isLetter(s[end]) {
				b.WriteByte(' ')
			}
			i = end
			continue
		}
		if to, ok := symbols[s[i+1]]; ok {
			b.WriteString(to)
		} else {
			b.WriteString(s[i : i+2])
		}
		i += 2
	}
	s = strings.TrimSpace(plain.Replace(b.String()))
	s = strings.TrimSpace(strings.TrimSuffix(s, "."))
	if strings.HasPrefix(s, `\text{`) && closing(s, len(`\text`)) == len(s)-1 {
		s = strings.TrimSpace(s[len(`\text{`) : len(s)-1])
	}
	return s
}

// unwrap removes mathematics delimiters and emphasis that surround the whole of s.
func unwrap(s string) string {
	for range 8 {
		before := s
		s = strings.TrimSpace(s)
		for _, w := range [][2]string{{"$$", "$$"}, {"$", "$"}, {`\(`, `\)`}, {`\[`, `\]`}, {"**", "**"}} {
			if len(s) > len(w[0])+len(w[1]) && strings.HasPrefix(s, w[0]) && strings.HasSuffix(s, w[1]) && !strings.HasSuffix(s, `\$`) {
				if inner := s[len(w[0]) : len(s)-len(w[1])]; !strings.Contains(inner, w[0]) {
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

// key is the form in which answers that are no numbers are compared.
func key(s string) string {
	s = strings.ReplaceAll(s, `\text`, "")
	s = wrapArguments(s)
	var b strings.Builder
	for _, r := range s {
		if !unicode.IsSpace(r) && r != '$' {
			b.WriteRune(r)
		}
	}
	s = plainBraces(b.String())
	if n := len(s); n == 3 && s[0] == '(' && s[2] == ')' && isLetter(s[1]) {
		s = s[1:2] // (A) is choice A
	}
	words := strings.IndexFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }) < 0
	if words {
		s = strings.ToLower(s)
	}
	return s
}

// wrapArguments puts braces around one-character arguments: \frac12 and \sqrt2 become \frac{1}{2} and
// \sqrt{2}.
func wrapArguments(s string) string {
	var b strings.Builder
	pending := 0 // arguments still to come
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], `\frac`):
			b.WriteString(`\frac`)
			i, pending = i+len(`\frac`), 2
		case strings.HasPrefix(s[i:], `\sqrt`):
			b.WriteString(`\sqrt`)
			i, pending = i+len(`\sqrt`), 1
		case pending > 0 && s[i] == ' ':
			i++
		case pending > 0 && s[i] == '{':
			end := closing(s, i)
			if end < 0 || strings.Contains(s[i:end], `\`) { // what is inside is done on its own
				pending = 0
				continue
			}
			b.WriteString(s[i : end+1])
			i, pending = end+1, pending-1
		case pending > 0 && (isDigit(s[i]) || isLetter(s[i])):
			b.WriteString("{" + s[i:i+1] + "}")
			i, pending = i+1, pending-1
		default:
			pending = 0
			b.WriteByte(s[i])
			i++
		}
	}
	return b.String()
}

// plainBraces drops the braces around one character after ^ and _, and around the whole.
func plainBraces(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+3 < len(s) && (s[i] == '^' || s[i] == '_') && s[i+1] == '{' && s[i+3] == '}' {
			b.WriteByte(s[i])
			b.WriteByte(s[i+2])
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	s = b.String()
	if len(s) > 2 && s[0] == '{' && closing(s, 0) == len(s)-1 {
		s = s[1 : len(s)-1]
	}
	return s
}

// closing returns the index of the brace that closes the one at s[at], or −1.
func closing(s string, at int) int {
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

// balanced reports whether every brace is closed.
func balanced(s string) bool {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '{':
			depth++
		case '}':
			if depth--; depth < 0 {
				return false
			}
		}
	}
	return depth == 0
}

// elements splits a list at its commas outside of brackets, and returns the brackets around it, both
// empty without. A text without such a comma is no list.
func elements(s string) (left, right string, items []string) {
	if n := len(s); n > 2 && strings.IndexByte("([", s[0]) >= 0 && strings.IndexByte(")]", s[n-1]) >= 0 {
		left, right, s = s[:1], s[n-1:], s[1:n-1]
	} else if n > 4 && strings.HasPrefix(s, `\{`) && strings.HasSuffix(s, `\}`) {
		left, right, s = `\{`, `\}`, s[2:n-2]
	}
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth < 0 {
				return "", "", nil
			}
		case ',':
			if depth == 0 {
				items = append(items, s[from:i])
				from = i + 1
			}
		}
	}
	if items == nil || depth != 0 {
		return "", "", nil
	}
	return left, right, append(items, s[from:])
}
