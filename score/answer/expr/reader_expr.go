package expr

import (
	"sort"
	"strconv"
	"strings"
)

// exprForm wraps an expression.
func exprForm(n *node) *form { return &form{kind: kindOf(n), expr: n} }

// expression reads a formula, a quantity with units, or a ratio.
func (r *reader) expression(tokens []token) *form {
	if i := colon(tokens); i > 0 {
		return r.ratio(tokens)
	}
	body, q := cutUnits(tokens)
	if len(body) == 0 {
		r.fail("units without a number")
	}
	p := r.parser(body)
	n := p.sum()
	if p.pos != len(p.tokens) {
		if strings.HasPrefix(p.peek().text, ",") {
			r.fail("a comma")
		}
		p.fail("unexpected " + p.peek().text)
	}
	if q.phrase() || q.unknown != "" && len(n.symbols()) > 0 {
		r.fail("words after a formula")
	}
	if q.size != nil && q.scale > 1 {
		n = p.mul(n, integer(q.scale))
		if len(q.powers) == 0 && q.unknown == "" {
			q = quantity{}
		}
	}
	f := plusMinus(p, n, q)
	if f.kind == KindList {
		return f
	}
	// "5 m" may be five metres.
	if k := len(body); k == 2 && q.size == nil && body[0].kind == tokNumber && body[1].kind == tokLetter && body[1].space &&
		strings.Contains(bareUnits, body[1].text) {
		var u quantity
		u.times(body[1].text, 1)
		f.alt = &form{kind: KindInteger, expr: r.parser(body[:1]).sum(), unit: u}
		f.alt.kind = kindOf(f.alt.expr)
	}
	return f
}

func (r *reader) parser(tokens []token) *parser {
	return &parser{builder: builder{budget: r.budget}, tokens: tokens, strict: r.strict, plain: r.nested}
}

// cutUnits splits the units off the end of a quantity.
func cutUnits(tokens []token) ([]token, quantity) {
	var q quantity
	first := -1
	depth := 0
	for i, t := range tokens {
		if opens(t) {
			depth++
		} else if shuts(t) {
			depth--
		}
		if t.kind == tokUnit && depth == 0 {
			first = i
			break
		}
	}
	end := len(tokens)
	// "90^\circ C", "90°": the letter after a degree sign is a scale of temperature.
	if n := len(tokens); n > 1 && first < 0 && tokens[n-1].kind == tokLetter && (tokens[n-1].text == "C" || tokens[n-1].text == "F") &&
		(tokens[n-2].is("°") || n > 3 && tokens[n-2].is("}") && tokens[n-3].is("°")) {
		q.times("deg"+tokens[n-1].text, 1)
		return tokens[:n-1], q
	}
	if first < 1 {
		return tokens, q
	}
	sign, pending := 1, ""
	for i := first; i < end; {
		t := tokens[i]
		switch {
		case t.kind == tokUnit:
			power := 1
			i++
			if i+1 < end && tokens[i].is("^") {
				e, used := unitPower(tokens[i+1:])
				if used == 0 {
					return tokens, quantity{}
				}
				power, i = e, i+1+used
			} else if i < end && tokens[i].kind == tokNumber && (tokens[i].text == "2" || tokens[i].text == "3") {
				power = int(tokens[i].text[0] - '0')
				i++
			}
			if pending != "" {
				t.text, pending = pending+" "+t.text, ""
			}
			if areal[strings.ToLower(t.text)] && i < end && tokens[i].kind == tokUnit {
				pending = t.text // "square" "units"
				continue
			}
			q.times(t.text, sign*power)
		case t.is("/"):
			sign = -1
			i++
		case t.is("*") || t.is("-"):
			i++
		case t.kind == tokLetter || t.kind == tokText || t.kind == tokWord:
			q.times(t.text, sign)
			i++
		case t.is("°"):
			i++
		case t.is("(") || t.is(")"):
			i++
		default:
			return tokens, quantity{}
		}
	}
	return tokens[:first], q
}

// unitPower reads the exponent of a unit.
func unitPower(t []token) (power, used int) {
	braces := t[0].is("{")
	if braces {
		t = t[1:]
	}
	sign := 1
	if len(t) > 0 && t[0].is("-") {
		sign, t, used = -1, t[1:], used+1
	}
	if len(t) == 0 || t[0].kind != tokNumber {
		return 0, 0
	}
	n, err := strconv.Atoi(t[0].text)
	if err != nil || n > 6 {
		return 0, 0
	}
	used++
	if braces {
		if len(t) < 2 || !t[1].is("}") {
			return 0, 0
		}
		used += 2
	}
	return sign * n, used
}

// joinPowers writes units with their powers in order.
func joinPowers(names []string, powers map[string]int) string {
	sort.Strings(names)
	var b strings.Builder
	for _, n := range names {
		if powers[n] == 0 {
			continue
		}
		b.WriteString(n)
		if powers[n] != 1 {
			b.WriteString("^" + strconv.Itoa(powers[n]))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

// relation reads sides between relation signs.
func (r *reader) relation(sides [][]token, rels []string) *form {
	equalities, approx := 0, 0
	for _, rel := range rels {
		switch rel {
		case "=", "∈":
			equalities++
		case "≈":
			approx++
		case "≡":
			r.fail("a congruence")
		}
	}
	if equalities+approx == len(rels) {
		return r.equality(sides, rels, approx > 0)
	}
	if equalities+approx > 0 {
		// x = a < b, and the like.
		r.fail("an equality in a chain of inequalities")
	}
	f := &form{kind: KindInequality, rels: rels}
	for _, s := range sides {
		m := r.expression(s)
		if !m.isExpr() {
			r.fail("a list in an inequality")
		}
		f.items = append(f.items, m)
	}
	return f
}

// equality reads a = b, an assignment where one side is a name, and chains, of which the first and the
// last side count.
func (r *reader) equality(sides [][]token, rels []string, approx bool) *form {
	first, last := sides[0], sides[len(sides)-1]
	if len(first) == 0 || len(last) == 0 {
		r.fail("an empty side")
	}
	left, right := nameOf(first), nameOf(last)
	if left == "" && right != "" && len(rels) == 1 {
		first, last = last, first
		left = right // 5 = x
	}
	if left != "" {
		var l *form
		if f, _ := attempt(func() *form { return r.side(first) }); f != nil {
			l = f
		} else {
			l = &form{kind: KindNotation, key: spelling(first)}
		}
		v := r.side(last)
		v.key = spelling(last)
		f := assign(left, l, v)
		f.approx = approx
		return f
	}
	f := &form{kind: KindEquation, rels: rels[:1], approx: approx}
	f.items = []*form{r.side(first), r.side(last)}
	if len(rels) > 1 && approx {
		f.rels = []string{"≈"}
	}
	return f
}

// nameOf returns one spelling of the left side of an assignment, or "" where it is not a name: one or
// more symbols, with subscripts, arguments and accents, but without operations or numbers of its own.
func nameOf(tokens []token) string {
	var b strings.Builder
	depth := 0
	symbols := 0
	for i, t := range tokens {
		inArgument := depth > 0
		switch t.kind {
		case tokLetter:
			symbols++
			b.WriteString(strings.ToLower(t.text))
		case tokText, tokUnit:
			symbols++
			b.WriteString(strings.ToLower(strings.ReplaceAll(t.text, " ", "")))
		case tokNumber:
			if !inArgument && (i == 0 || !tokens[i-1].is("_")) {
				return ""
			}
			b.WriteString(t.text)
		case tokCommand:
			switch {
			case t.text == "pi" && len(tokens) == 1, t.text == "infty":
				return ""
			case greek[t.text] || accents[t.text] || t.text == "pi":
				b.WriteString(`\` + t.text)
				symbols++
			case inArgument && (t.text == "frac" || t.text == "sqrt"):
				b.WriteString(`\` + t.text)
			default:
				return ""
			}
		case tokPunct:
			switch t.text {
			case "(", "[", "{":
				depth++
				if t.text != "{" {
					b.WriteString(t.text)
				}
			case ")", "]", "}":
				depth--
				if t.text != "}" {
					b.WriteString(t.text)
				}
			case "'", "_", "|(", "|)", "|":
				b.WriteString(t.text[:1])
			case ",", "+", "-", "=", "≤", "≥", "<", ">", "^", "/":
				// f(x+1) is a name, x(y+1) is a product
				if !inArgument || tokens[0].is("(") && t.text != "," || tokens[0].kind == tokLetter && !strings.Contains("fghpqFGHPETVSaxyuvCr", tokens[0].text) ||
					strings.Contains("+-^/", t.text) && !strings.Contains("fghpqFGHPETVS", tokens[0].text) && !subscripted(tokens, i) {
					return ""
				}
				b.WriteString(t.text)
			default:
				return ""
			}
		default:
			return ""
		}
	}
	if symbols == 0 || tokens[0].is("(") && !tuplelike(tokens) {
		return ""
	}
	return b.String()
}

// subscripted reports whether the token at i is in a subscript.
func subscripted(tokens []token, i int) bool {
	for ; i > 0; i-- {
		if tokens[i].is("{") {
			return tokens[i-1].is("_")
		}
		if tokens[i].is("}") || tokens[i].is("(") {
			return false
		}
	}
	return false
}

// tuplelike reports whether tokens are (x, y, …).
func tuplelike(tokens []token) bool {
	for _, t := range tokens {
		if t.is(",") {
			return whole(tokens)
		}
	}
	return false
}
