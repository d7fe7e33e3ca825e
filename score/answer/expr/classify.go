package expr

import (
	"slices"
	"strings"
)

// tokUnit is a token that classify made: a unit of measurement after a quantity.
const tokUnit tokenKind = 100

// separators are words and marks between the members of a list.
func (t token) separator() bool {
	return t.kind == tokPunct && (t.text == "," || t.text == ";" || t.text == "and" || t.text == "or")
}

// endsOperand reports whether a quantity may end at t, so that a unit may follow.
func (t token) endsOperand() bool {
	switch t.kind {
	case tokNumber, tokLetter, tokUnit:
		return true
	case tokCommand:
		return t.text == "pi" || t.text == "infty" || greek[t.text]
	case tokPunct:
		return t.text == ")" || t.text == "}" || t.text == "]" || t.text == "°" || t.text == "%" || t.text == "!"
	}
	return false
}

// classify decides for each word and text what it is: a function, a separator, a unit, a symbol, or
// letters next to each other.
func classify(in []token, b *budget) []token {
	out := make([]token, 0, len(in)+8)
	related := slices.ContainsFunc(in, func(t token) bool { return t.kind == tokPunct && relations[t.text] })
	for i, t := range in {
		b.spend(1)
		// Between equations and inequalities the signs of logic are "or" and "and".
		if related && t.is("∨") {
			t.text = "or"
		} else if related && t.is("∧") {
			t.text = "and"
		}
		var prev, next token
		if len(out) > 0 {
			prev = out[len(out)-1]
		}
		if i+1 < len(in) {
			next = in[i+1]
		}
		switch t.kind {
		case tokWord:
			out = word(out, t, prev, next)
		case tokText:
			if len(out) > 0 && (prev.command("begin") || prev.command("end")) {
				out = append(out, t)
				continue
			}
			out = words(out, t, prev, next, b)
		default:
			out = append(out, t)
		}
	}
	return out
}

// plainWords are the words outside of commands that stand for a sign.
var plainWords = map[string]token{
	"and": {kind: tokPunct, text: "and"}, "or": {kind: tokPunct, text: "or"}, "percent": {kind: tokPunct, text: "%"},
	"sqrt": {kind: tokCommand, text: "sqrt"}, "pi": {kind: tokCommand, text: "pi"}, "infinity": {kind: tokCommand, text: "infty"},
	"inf": {kind: tokCommand, text: "infty"}, "infty": {kind: tokCommand, text: "infty"}, "oo": {kind: tokCommand, text: "infty"},
	"mod": {kind: tokCommand, text: "bmod"}, "union": {kind: tokPunct, text: "∪"}, "frac": {kind: tokCommand, text: "frac"},
	"cup": {kind: tokPunct, text: "∪"}, "times": {kind: tokPunct, text: "*"}, "cdot": {kind: tokPunct, text: "*"}, "pm": {kind: tokPunct, text: "±"},
	"emptyset": {kind: tokCommand, text: "emptyset"},
}

// word reads a run of letters that is no command's argument.
func word(out []token, t, prev, next token) []token {
	lower := strings.ToLower(t.text)
	to, plain := plainWords[lower]
	_, known := units[t.text]
	if !known {
		_, known = units[lower]
		known = known && len(lower) > 2
	}
	after := prev.endsOperand() && (prev.kind != tokLetter || t.space)
	if known && prev.is("/") && len(out) > 1 && out[len(out)-2].kind == tokUnit {
		return append(out, token{kind: tokUnit, text: t.text, space: t.space})
	}
	switch {
	case (lower == "square" || lower == "sq" || lower == "cubic") && after && t.space && next.kind == tokWord:
		return append(out, token{kind: tokUnit, text: t.text, space: t.space})
	case (lower == "am" || lower == "pm") && prev.kind == tokNumber && len(out) > 1 && out[len(out)-2].is(":"):
		return append(out, token{kind: tokUnit, text: lower, space: t.space})
	case plain && !(lower == "pm" && prev.kind == tokNumber):
		to.space = t.space
		return append(out, to)
	case (lower == "degrees" || lower == "degree" || lower == "deg") && prev.endsOperand():
		return append(out, token{kind: tokPunct, text: "°"})
	case known && after && !needsText[t.text]:
		return append(out, token{kind: tokUnit, text: t.text, space: t.space})
	case prev.kind == tokUnit && t.space && len(t.text) > 2:
		return append(out, token{kind: tokUnit, text: t.text, space: t.space})
	case functions[lower]:
		return append(out, token{kind: tokCommand, text: lower, space: t.space})
	case greek[t.text]:
		return append(out, token{kind: tokCommand, text: t.text, space: t.space})
	case len(t.text) > 3 && t.space && after && (prev.kind == tokNumber || prev.is("}") || prev.is("%")) && !startsFunction(lower) && !next.is("("):
		return append(out, token{kind: tokUnit, text: t.text, space: t.space})
	}
	if _, ok := aliases[lower]; ok && len(lower) > 3 && functions[aliases[lower]] {
		return append(out, token{kind: tokCommand, text: aliases[lower], space: t.space})
	}
	return letters(out, t)
}

// startsFunction reports whether a run of letters is a function's name and its argument: sinx.
func startsFunction(s string) bool {
	for n := min(len(s), 7); n >= 3; n-- {
		if functions[s[:n]] {
			return true
		}
	}
	return false
}

// letters cuts a run of letters into symbols, and function names of three letters and more.
func letters(out []token, t token) []token {
	s := t.text
	space := t.space
	for len(s) > 0 {
		n := 0
		for m := min(len(s), 7); m >= 3 && n == 0; m-- {
			if functions[s[:m]] {
				n = m
			}
		}
		switch {
		case n > 0:
			out = append(out, token{kind: tokCommand, text: s[:n], space: space})
		case strings.HasPrefix(s, "sqrt"):
			n = 4
			out = append(out, token{kind: tokCommand, text: "sqrt", space: space})
		case strings.HasPrefix(s, "pi"):
			n = 2
			out = append(out, token{kind: tokCommand, text: "pi", space: space})
		default:
			n = 1
			out = append(out, token{kind: tokLetter, text: s[:1], space: space})
		}
		s, space = s[n:], false
	}
	return out
}

// words reads the argument of \text and its like.
func words(out []token, t, prev, next token, b *budget) []token {
	inner := cleanText(t.text)
	lower := strings.ToLower(strings.Trim(inner, " ,.;:"))
	space := t.space || strings.HasPrefix(t.text, " ") || strings.HasPrefix(t.text, "~")
	bold := t.cmd == "mathbf" || t.cmd == "boldsymbol" || t.cmd == "pmb" || t.cmd == "mathit" || t.cmd == "bold"
	switch {
	case inner == "":
		return out
	case prev.is("/") && len(out) > 1 && out[len(out)-2].kind == tokUnit:
		return append(out, token{kind: tokUnit, text: inner, cmd: t.cmd, space: space})
	case t.cmd == "mathbb" && (inner == "R"):
		return append(out, token{kind: tokCommand, text: "reals", space: space})
	case t.cmd == "mathbb" || t.cmd == "mathcal" || t.cmd == "mathscr" || t.cmd == "mathfrak":
		return append(out, token{kind: tokText, text: t.cmd + " " + inner, cmd: "name", space: space})
	case lower == "and" || lower == "or" || lower == "":
		if lower == "" {
			lower = ","
		}
		return append(out, token{kind: tokPunct, text: lower, space: space})
	case lower == "percent" || inner == "%":
		return append(out, token{kind: tokPunct, text: "%"})
	case (lower == "degrees" || lower == "degree" || lower == "deg") && prev.endsOperand():
		return append(out, token{kind: tokPunct, text: "°"})
	case lower == "mod":
		return append(out, token{kind: tokCommand, text: "bmod", space: space})
	case functions[lower] && !(prev.kind == tokNumber && units[lower].name != ""):
		return append(out, token{kind: tokCommand, text: lower, space: space})
	case functions[aliases[lower]]:
		return append(out, token{kind: tokCommand, text: aliases[lower], space: space})
	case len(inner) == 1 && isLetter(inner[0]) && (bold || strings.Contains("eidEI", inner) || !prev.endsOperand() || prev.kind == tokLetter && !space):
		return append(out, token{kind: tokLetter, text: inner, space: space})
	case !bold && prev.endsOperand() && !next.is("_") && !next.is("("):
		return append(out, token{kind: tokUnit, text: inner, cmd: t.cmd, space: true})
	case strings.ContainsAny(inner, `0123456789=<>\$+*/^`):
		if strings.Contains(inner, `\`) {
			inner = t.text // with the braces of its commands
		}
		if sub, err := lex(inner, b); err == nil && depthOf(inner) < 4 {
			return append(out, classify(sub, b)...)
		}
	}
	return append(out, token{kind: tokText, text: inner, cmd: "name", space: space})
}

// depthOf bounds how deep texts in texts are read.
func depthOf(s string) int { return strings.Count(s, `\text`) + strings.Count(s, `\math`) }

// cleanText makes single spaces of white space and of the commands for it.
func cleanText(s string) string {
	s = spacing.Replace(s)
	return strings.Join(strings.Fields(s), " ")
}

var spacing = strings.NewReplacer("~", " ", `\ `, " ", `\,`, " ", `\;`, " ", `\:`, " ", `\!`, "", `\quad`, " ", "{", "", "}", "", `\-`, "", "\u00a0", " ",
	`\$`, "", "“", "", "”", "", `"`, "")
