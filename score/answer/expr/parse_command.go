package expr

import (
	"math/big"
	"strings"
)

// command reads what starts with a command, or with the plain name of a function.
func (p *parser) command() *node {
	t := p.peek()
	p.pos++
	switch t.text {
	case "frac":
		if p.peek().is("(") { // frac(1)(2) is no LaTeX
			p.fail("no fraction")
		}
		x := p.digit()
		return p.div(x, p.digit())
	case "sqrt":
		return p.root(t.cmd == "√")
	case "binom", "choose":
		x := p.digit()
		return p.binomial(x, p.digit())
	case "pi":
		return constant("pi")
	case "infty":
		return constant("inf")
	case "i":
		return constant("i")
	case "lfloor", "lceil":
		name, end := "floor", "rfloor"
		if t.text == "lceil" {
			name, end = "ceil", "rceil"
		}
		bars := p.bars
		p.bars = 0
		x := p.sum()
		p.bars = bars
		if !p.peek().command(end) {
			p.fail("an open " + t.text)
		}
		p.pos++
		return p.count(call(name, x))
	case "begin":
		return p.matrix()
	case "sum", "prod":
		return p.series(t.text)
	case "log", "lg":
		return p.logarithm()
	case "gcd", "lcm", "max", "min":
		if p.peek().is("(") {
			return p.count(call(t.text, p.list()...))
		}
	case "overline", "bar", "vec", "hat", "tilde", "widehat", "dot", "ddot", "overrightarrow", "underline", "widetilde", "mathring", "overleftrightarrow", "overarc", "wideparen":
		name := t.text
		if name == "overline" {
			name = "bar"
		}
		return symbol(p.subscripts(name + " " + p.raw()))
	case "boxed", "fbox", "cancel":
		return p.argument()
	case "angle", "triangle", "square":
		return symbol(p.subscripts(t.text))
	case "reals":
		return symbol("reals")
	}
	if functions[t.text] {
		return p.function(t.text)
	}
	if greek[t.text] {
		return symbol(p.subscripts(`\` + t.text))
	}
	p.fail("unknown command " + t.text)
	return nil
}

// root reads \sqrt[n]{x}. The sign √ takes a whole number, where \sqrt takes one digit.
func (p *parser) root(sign bool) *node {
	degree := integer(2)
	if p.peek().is("[") {
		degree = p.bracketed("]")
	}
	var x *node
	if p.peek().is("(") {
		x = p.primary() // plain sqrt(2)
	} else if sign && p.peek().kind == tokNumber {
		x = p.numeral()
	} else {
		x = p.digit()
	}
	return p.rootOf(x, degree)
}

func (p *parser) rootOf(x, degree *node) *node {
	k, ok := degree.isInt()
	if ok && k >= 2 && k <= 64 && x.isNumber() && x.num.Sign() >= 0 && bits(x.num) < 4096 {
		p.budget.spend(4 + bits(x.num)/16)
		num, ok1 := intRoot(x.num.Num(), int(k))
		den, ok2 := intRoot(x.num.Denom(), int(k))
		if ok1 && ok2 {
			return number(new(big.Rat).SetFrac(num, den))
		}
	}
	return p.count(&node{op: opRoot, args: []*node{x, degree}})
}

// intRoot returns the k-th root of n ≥ 0 if it is whole.
func intRoot(n *big.Int, k int) (*big.Int, bool) {
	if k == 2 {
		r := new(big.Int).Sqrt(n)
		return r, new(big.Int).Mul(r, r).Cmp(n) == 0
	}
	lo, hi := new(big.Int), new(big.Int).Lsh(big.NewInt(1), uint(n.BitLen()/k+1))
	e := big.NewInt(int64(k))
	for lo.Cmp(hi) < 0 {
		mid := new(big.Int).Add(lo, hi)
		mid.Add(mid, big.NewInt(1)).Rsh(mid, 1)
		if new(big.Int).Exp(mid, e, nil).Cmp(n) <= 0 {
			lo = mid
		} else {
			hi = mid.Sub(mid, big.NewInt(1))
		}
	}
	return lo, new(big.Int).Exp(lo, e, nil).Cmp(n) == 0
}

// binomial folds small binomial coefficients.
func (p *parser) binomial(n, k *node) *node {
	a, ok1 := n.isInt()
	b, ok2 := k.isInt()
	if ok1 && ok2 && b >= 0 && a >= 0 && a <= 3000 {
		p.budget.spend(4 + int(min(b, a)))
		return number(new(big.Rat).SetInt(new(big.Int).Binomial(a, b)))
	}
	return p.count(call("binom", n, k))
}

// logarithm reads \log with its base; ten without one.
func (p *parser) logarithm() *node {
	base := integer(10)
	power := (*node)(nil)
	for {
		if p.peek().is("_") {
			p.pos++
			if t := p.peek(); t.kind == tokNumber && !t.space && len(t.text) > 1 && !p.strict {
				p.pos++ // plain log_10 x, as well as LaTeX's \log_2 8
				base = p.decimal(t.text)
			} else {
				base = p.argument()
			}
			continue
		}
		if p.peek().is("^") && power == nil {
			p.pos++
			power = p.argument()
			continue
		}
		break
	}
	x := p.div(p.count(call("ln", p.functionArgument())), p.count(call("ln", base)))
	if power != nil {
		x = p.pow(x, power)
	}
	return x
}

// inverses are the functions that \sin^{-1} and its like stand for.
var inverses = map[string]string{
	"sin": "arcsin", "cos": "arccos", "tan": "arctan", "cot": "arccot", "sec": "arcsec", "csc": "arccsc",
	"sinh": "arsinh", "cosh": "arcosh", "tanh": "artanh",
}

var canonicalFunction = map[string]string{"arcsinh": "arsinh", "arccosh": "arcosh", "arctanh": "artanh"}

// function reads a function's power and argument.
func (p *parser) function(name string) *node {
	if to, ok := canonicalFunction[name]; ok {
		name = to
	}
	var power *node
	if p.peek().is("^") {
		p.pos++
		power = p.argument()
		if k, ok := power.isInt(); ok && k == -1 && inverses[name] != "" {
			name, power = inverses[name], nil
		}
	}
	arg := p.functionArgument()
	var x *node
	switch name {
	case "exp":
		x = p.pow(constant("e"), arg)
	default:
		x = p.count(call(name, arg))
	}
	if power != nil {
		x = p.pow(x, power)
	}
	return x
}

// functionArgument reads the argument of a function without or with brackets: in \sin 2x\cos x it is 2x.
func (p *parser) functionArgument() *node {
	p.enter()
	defer p.leave()
	t := p.peek()
	switch {
	case t.is("(") || t.is("[") || t.is("{") || t.is("|") || t.is("|("):
		x := p.primary()
		// \sin(x)^2 is the square of the sine to some and not to others: take the argument's.
		for p.peek().is("^") && t.is("{") {
			p.pos++
			x = p.pow(x, p.argument())
		}
		if p.peek().is("°") || p.peek().is("^") && (p.at(1).is("°") || p.at(1).is("{") && p.at(2).is("°")) {
			if p.accept("^") {
				p.degree()
			} else {
				p.pos++
			}
			x = &node{op: opDegree, args: []*node{x}}
		}
		return x
	case t.is("-") || t.is("+"):
		p.pos++
		x := p.functionArgument()
		if t.is("-") {
			x = p.neg(x)
		}
		return x
	}
	x := p.factor()
	for {
		t := p.peek()
		number := t.kind == tokNumber && p.tokens[p.pos-1].kind == tokNumber
		if t.kind == tokLetter || t.kind == tokNumber && !number || t.kind == tokCommand && (greek[t.text] || t.text == "pi" || t.text == "frac" || t.text == "sqrt") {
			x = p.mul(x, p.factor())
			continue
		}
		// \sin k*pi is written, \sin x * y is not meant so: stop at a sign.
		return x
	}
}

// series reads \sum_{k=1}^{n} term.
func (p *parser) series(name string) *node {
	p.expect("_")
	p.expect("{")
	v := p.primary()
	if v.isConstant("i") {
		v = symbol("i")
	}
	if v.op != opSymbol {
		p.fail("no summation variable")
	}
	p.expect("=")
	from := p.sum()
	p.expect("}")
	p.expect("^")
	to := p.argument()
	term := p.term()
	if v.name == "i" {
		term = replaceConstant(term, "i", v)
	}
	return p.count(&node{op: opSeries, name: name, args: []*node{v, from, to, term}})
}

// replaceConstant puts v where a constant is.
func replaceConstant(n *node, name string, v *node) *node {
	if n.isConstant(name) {
		return v
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		m.args[i] = replaceConstant(a, name, v)
	}
	return &m
}

// environments are the ones that hold a matrix.
var environments = set("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "Vmatrix", "array", "smallmatrix")

// matrix reads \begin{…} rows \end{…}.
func (p *parser) matrix() *node {
	env := p.peek()
	p.pos++
	if env.kind != tokText || !environments[strings.TrimSpace(env.text)] {
		p.fail("unknown environment")
	}
	m := &node{op: opMatrix}
	cols, n := -1, 0
	bars := p.bars
	p.bars = 0
	endRow := func() {
		if n == 0 {
			return
		}
		if cols >= 0 && n != cols {
			p.fail("rows of different lengths")
		}
		cols, n = n, 0
		m.rows++
	}
	for {
		t := p.peek()
		switch {
		case t.is(`\\`):
			p.pos++
			endRow()
			continue
		case t.command("end"):
			p.pos += 2
			endRow()
			p.bars = bars
			if m.rows == 0 {
				p.fail("an empty matrix")
			}
			p.count(m)
			if env.text == "vmatrix" {
				return p.count(call("det", m))
			}
			return m
		case t.is("&"):
			if n == 0 {
				p.fail("an empty entry")
			}
			p.pos++
		}
		m.args = append(m.args, p.sum())
		if n++; len(m.args) > maxItems {
			panic(exhausted{})
		}
		if t := p.peek(); !t.is("&") && !t.is(`\\`) && !t.command("end") {
			p.fail("no end of an entry")
		}
	}
}
