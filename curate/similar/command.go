package similar

import (
	"strings"
	"unicode/utf8"
)

// The part of the normaliser that follows TeX: groups, commands and their
// arguments.

// group reads {...}. When brackets is set and more than one word is inside,
// they stay together in brackets.
func (n *normaliser) group(brackets bool) {
	at := n.i
	n.i++
	if n.depth >= maxDepth {
		return
	}
	n.depth++
	open := len(n.toks)
	if brackets {
		n.add("(", at, kindSymbol)
	}
	for n.i < len(n.s) && n.s[n.i] != '}' {
		n.step()
	}
	n.depth--
	if n.i < len(n.s) {
		n.i++
	}
	if !brackets {
		return
	}
	switch inside := len(n.toks) - open - 1; {
	case inside > 1:
		n.add(")", n.i-1, kindSymbol)
	default: // nothing or one word: the bracket goes
		n.toks = append(n.toks[:open], n.toks[open+1:]...)
		n.number = -1
		if open == 0 {
			return
		}
		if k := n.toks[open-1]; string(n.buf[k.start:k.end]) == "^" {
			switch {
			case inside == 0: // x^{}_{}, a habit of some typists
				n.toks = n.toks[:open-1]
			case n.last() == "circ":
				n.toks = n.toks[:open]
				n.degrees()
			}
		}
	}
}

// argument reads one argument of a command: a group, a digit, a letter, or
// whatever comes next.
func (n *normaliser) argument(brackets bool) {
	n.space()
	if n.i >= len(n.s) {
		return
	}
	switch c := n.s[n.i]; {
	case c == '}': // the argument is missing
	case c == '{':
		n.group(brackets)
	case isDigit(c):
		n.add(n.s[n.i:n.i+1], n.i, kindNumber)
		n.i++
	case isLetter(c):
		n.add(strings.ToLower(n.s[n.i:n.i+1]), n.i, kindName)
		n.i++
	case n.depth < maxDepth:
		n.depth++
		n.step()
		n.depth--
	default:
		n.i++
	}
}

func (n *normaliser) space() {
	for n.i < len(n.s) && (n.s[n.i] == ' ' || n.s[n.i] == '\n' || n.s[n.i] == '\t' || n.s[n.i] == '\r') {
		n.i++
	}
}

// skipGroup leaves out a group if one comes next and ends soon; of another one
// only the brace. It returns what was in it.
func (n *normaliser) skipGroup() string {
	const most = 400 // bytes: these are lengths, colours and names
	n.space()
	if n.i >= len(n.s) || n.s[n.i] != '{' {
		return ""
	}
	depth := 0
	for j := n.i; j < min(len(n.s), n.i+most); j++ {
		switch n.s[j] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				inside := n.s[n.i+1 : j]
				n.i = j + 1
				return inside
			}
		}
	}
	n.i++
	return ""
}

// command reads a backslash and what it stands for.
func (n *normaliser) command() {
	at := n.i
	n.i++
	start := n.i
	for n.i < len(n.s) && isLetter(n.s[n.i]) {
		n.i++
	}
	if n.i == start {
		if n.i < len(n.s) {
			n.escaped(at)
		}
		return
	}
	name := n.s[start:n.i]
	cmd, known := texCommands[name]
	switch {
	case !known:
		n.name(name, at)
	case cmd.action == texWord:
		if cmd.word == "degrees" && n.last() == "^" {
			n.degrees()
			return
		}
		n.named(cmd.word, at)
	case cmd.action == texInside:
		n.space()
		if n.i < len(n.s) && n.s[n.i] == '{' {
			n.group(false)
		}
	case cmd.action == texSkip, cmd.action == texRecase:
		n.skipGroup()
		if cmd.action == texRecase {
			n.space()
			if n.i < len(n.s) && n.s[n.i] == '{' {
				n.group(false)
			}
		}
	case cmd.action == texBegin:
		if env := n.skipGroup(); env == "array" || env == "tabular" {
			n.skipGroup()
		}
	case cmd.action == texFrac:
		n.argument(true)
		n.add("/", at, kindSymbol)
		n.argument(true)
	case cmd.action == texBinom:
		n.add("(", at, kindSymbol)
		n.argument(true)
		n.add("choose", at, kindWord)
		n.argument(true)
		n.add(")", n.i-1, kindSymbol)
	}
}

// name adds a command's own name as a word, as if it stood there without its
// backslash (so that normalising again changes nothing).
func (n *normaliser) name(name string, at int) {
	start := len(n.buf)
	for i := range len(name) {
		c := name[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		n.buf = append(n.buf, c)
	}
	n.word(at, start, max(len(name), 2), false)
}

// named adds the word that a table gives for a command.
func (n *normaliser) named(w string, at int) {
	kind := kindSymbol
	if isLetter(w[0]) {
		kind = kindWord
		if len(w) == 1 {
			kind = kindName
		}
	}
	n.add(w, at, kind)
}

// escaped reads the character after a backslash that no letter follows.
func (n *normaliser) escaped(at int) {
	switch c := n.s[n.i]; c {
	case '{':
		n.add("[", at, kindSymbol)
	case '}':
		n.add("]", at, kindSymbol)
	case '%':
		n.add("percent", at, kindWord)
	case '|':
		n.add("|", at, kindSymbol)
	default:
		if c >= utf8.RuneSelf {
			return // only the backslash goes
		}
		// \$ \, \; \! \( \) \[ \] \\ \& \# \_ and a backslash before a blank
	}
	n.i++
}
