package expr

import "strings"

// colon returns the index of a ratio's first colon, or −1.
func colon(tokens []token) int {
	depth := 0
	for i, t := range tokens {
		switch {
		case opens(t):
			depth++
		case shuts(t):
			depth--
		case t.is(":") && depth == 0:
			return i
		}
	}
	return -1
}

// ratio reads a:b as a quotient, and longer ones as a tuple up to a factor. A time of the day with AM
// or PM after it is a notation.
func (r *reader) ratio(tokens []token) *form {
	t, sure := clock(tokens)
	if sure {
		return &form{kind: KindTime, text: t}
	}
	var terms []*node
	from := 0
	b := r.parser(nil)
	for i := 0; i <= len(tokens); i++ {
		if i < len(tokens) && !tokens[i].is(":") {
			continue
		}
		if i == from {
			r.fail("an empty term of a ratio")
		}
		p := r.parser(tokens[from:i])
		terms = append(terms, p.sum())
		if p.pos != len(p.tokens) {
			p.fail("unexpected in a ratio")
		}
		from = i + 1
	}
	last := terms[len(terms)-1]
	if last.isNumber() && last.num.Sign() == 0 {
		r.fail("a ratio to zero")
	}
	if len(terms) == 2 {
		f := exprForm(b.div(terms[0], terms[1]))
		f.text = t // the time of the day that it may be
		return f
	}
	f := &form{kind: KindTuple, left: "(", right: ")"}
	for _, t := range terms {
		f.items = append(f.items, exprForm(b.div(t, last)))
	}
	return f
}

// plusMinus makes the list of values of an expression with ± in it.
func plusMinus(p *parser, n *node, q quantity) *form {
	signs := false
	n.walk(func(m *node) bool {
		signs = signs || m.op == opCall && (m.name == "±" || m.name == "∓")
		return !signs
	})
	if !signs {
		f := exprForm(n)
		f.unit = q
		return f
	}
	l := &form{kind: KindList}
	for _, positive := range []bool{true, false} {
		f := exprForm(p.withSign(n, positive))
		f.unit = q
		l.items = append(l.items, f)
	}
	return l
}

// withSign rebuilds n with all ± replaced by one sign and all ∓ by the other.
func (p *parser) withSign(n *node, positive bool) *node {
	p.budget.spend(1)
	if len(n.args) == 0 {
		return n
	}
	args := make([]*node, len(n.args))
	for i, a := range n.args {
		args[i] = p.withSign(a, positive)
	}
	if n.op == opCall && (n.name == "±" || n.name == "∓") {
		if (n.name == "±") == positive {
			return args[0]
		}
		return p.neg(args[0])
	}
	switch {
	case n.op == opAdd:
		total := args[0]
		for _, a := range args[1:] {
			total = p.add(total, a)
		}
		return total
	case n.op == opMul:
		total := args[0]
		for _, a := range args[1:] {
			total = p.mul(total, a)
		}
		return total
	case n.op == opDiv:
		return p.div(args[0], args[1])
	case n.op == opPow:
		return p.pow(args[0], args[1])
	}
	m := *n
	m.args = args
	return &m
}

// clock returns the time of the day that tokens may be, and whether they can be nothing else: for a
// leading zero in the minutes, seconds, or AM or PM.
func clock(tokens []token) (text string, sure bool) {
	half := ""
	if n := len(tokens); n > 0 && tokens[n-1].kind == tokUnit {
		half = strings.ToLower(strings.NewReplacer(".", "", " ", "").Replace(tokens[n-1].text))
		if half != "am" && half != "pm" {
			return "", false
		}
		tokens = tokens[:n-1]
	}
	if len(tokens) != 3 && len(tokens) != 5 {
		return "", false
	}
	var b strings.Builder
	for i, t := range tokens {
		switch {
		case i%2 == 1 && !t.is(":"), i%2 == 0 && t.kind != tokNumber, i == 0 && len(t.text) > 2, i > 0 && i%2 == 0 && (len(t.text) != 2 || t.text > "59"):
			return "", false
		case i == 0 && len(t.text) == 2 && t.text > "24":
			return "", false
		case i == 0:
			b.WriteString(strings.TrimPrefix(t.text, "0"))
		default:
			b.WriteString(t.text)
		}
	}
	return b.String() + half, half != "" || tokens[2].text[0] == '0' || len(tokens) == 5
}
