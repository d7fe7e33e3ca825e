package expr

import "math/big"

// unreadable is thrown where the notation makes no sense, and caught by form.
type unreadable struct{ why string }

// parser reads expressions by recursive descent from classified tokens.
type parser struct {
	builder
	tokens []token
	pos    int
	depth  int
	bars   int // open absolute values
	strict bool
	plain  bool // inside of brackets or a list, where a comma never groups digits
}

func (p *parser) fail(why string) { panic(unreadable{why}) }

func (p *parser) peek() token {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos]
	}
	return token{}
}

func (p *parser) at(n int) token {
	if p.pos+n < len(p.tokens) {
		return p.tokens[p.pos+n]
	}
	return token{}
}

func (p *parser) accept(punct string) bool {
	if p.peek().is(punct) {
		p.pos++
		return true
	}
	return false
}

func (p *parser) expect(punct string) {
	if !p.accept(punct) {
		p.fail("expected " + punct)
	}
}

func (p *parser) enter() {
	p.budget.spend(1)
	if p.depth++; p.depth > maxDepth {
		panic(exhausted{})
	}
}

func (p *parser) leave() { p.depth-- }

// sum = ["±"] term {("+" | "-" | "±") term}
func (p *parser) sum() *node {
	p.enter()
	defer p.leave()
	var total *node
	for first := true; ; first = false {
		t := p.peek()
		var sign string
		switch {
		case t.is("+") || t.is("-") || t.is("±") || t.is("∓"):
			sign = t.text
			p.pos++
		case !first:
			return total
		}
		x := p.term()
		switch sign {
		case "-":
			x = p.neg(x)
		case "±", "∓":
			x = call(sign, x)
		}
		if total == nil {
			total = x
		} else {
			total = p.add(total, x)
		}
	}
}

// term = product {("*" | "/" | "mod") product}, where what stands next to each other belongs together:
// 1/2x is 1/(2x).
func (p *parser) term() *node {
	p.enter()
	defer p.leave()
	x := p.product()
	for {
		t := p.peek()
		switch {
		case t.is("*"):
			p.pos++
			x = p.mul(x, p.signed())
		case t.is("/") || t.is("÷"):
			p.pos++
			x = p.div(x, p.signed())
		case t.command("bmod"):
			p.pos++
			x = call("mod", x, p.signed())
		default:
			return x
		}
	}
}

// signed reads a product that may have a sign of its own: 2 \cdot -3.
func (p *parser) signed() *node {
	p.enter()
	defer p.leave()
	if p.accept("-") {
		return p.neg(p.signed())
	}
	p.accept("+")
	return p.product()
}

// product = factor {factor}
func (p *parser) product() *node {
	if p.peek().is("-") || p.peek().is("+") {
		return p.signed()
	}
	literal := p.peek().kind == tokNumber
	x := p.factor()
	if literal && x.isNumber() {
		x = p.mixed(x)
	}
	for p.startsFactor() {
		last := p.tokens[p.pos-1]
		if p.peek().kind == tokNumber && last.kind == tokNumber {
			p.fail("two numbers next to each other")
		}
		x = p.mul(x, p.factor())
	}
	return x
}

// mixed reads the fraction of a mixed number: 3\frac{1}{2}, 3 1/2.
func (p *parser) mixed(x *node) *node {
	if !x.num.IsInt() || x.places != exact || x.name != "" || p.tokens[p.pos-1].kind != tokNumber {
		return x
	}
	part := func(n, d token) *node {
		num, ok1 := new(big.Int).SetString(n.text, 10)
		den, ok2 := new(big.Int).SetString(d.text, 10)
		if !ok1 || !ok2 || num.Sign() <= 0 || num.Cmp(den) >= 0 || len(n.text)+len(d.text) > 100 {
			return nil
		}
		return p.add(x, number(new(big.Rat).SetFrac(num, den)))
	}
	t := p.peek()
	if t.command("frac") {
		n, d, used := token{}, token{}, 0
		switch {
		case p.at(1).is("{") && p.at(3).is("}") && p.at(4).is("{") && p.at(6).is("}"):
			n, d, used = p.at(2), p.at(5), 7
		case p.at(1).kind == tokNumber && len(p.at(1).text) == 2 && !p.strict:
			n, d, used = token{kind: tokNumber, text: p.at(1).text[:1]}, token{kind: tokNumber, text: p.at(1).text[1:]}, 2
		}
		if n.kind == tokNumber && d.kind == tokNumber {
			if y := part(n, d); y != nil {
				p.pos += used
				return y
			}
		}
		return x
	}
	if t.kind == tokNumber && t.space && p.at(1).is("/") && p.at(2).kind == tokNumber && !p.at(3).is("^") {
		if y := part(t, p.at(2)); y != nil {
			p.pos += 3
			return y
		}
	}
	return x
}

// startsFactor reports whether what comes next is multiplied with what stands before it.
func (p *parser) startsFactor() bool {
	t := p.peek()
	switch t.kind {
	case tokNumber, tokLetter:
		return true
	case tokText:
		return t.cmd == "name"
	case tokCommand:
		return t.text != "end" && t.text != "rfloor" && t.text != "rceil" && t.text != "rangle" && t.text != "bmod" && t.text != "pmod" && t.text != "int" && t.text != "lim"
	case tokPunct:
		switch t.text {
		case "(", "[", "{", "|(":
			return true
		case "|":
			return p.bars == 0
		}
	}
	return false
}

// factor = primary {"^" argument | "!" | "%" | "°"}
func (p *parser) factor() *node {
	p.enter()
	defer p.leave()
	x := p.primary()
	for {
		t := p.peek()
		switch {
		case t.is("^"):
			p.pos++
			if p.degree() {
				x = &node{op: opDegree, args: []*node{x}}
				continue
			}
			x = p.pow(x, p.argument())
		case t.is("!"):
			p.pos++
			if p.peek().is("!") {
				p.fail("double factorial")
			}
			x = p.factorial(x)
		case t.is("%"):
			p.pos++
			places := x.places
			hundredth := x.isNumber()
			x = p.mul(x, number(big.NewRat(1, 100)))
			if hundredth && x.isNumber() && places != exact {
				x.places = places + 2
			}
		case t.is("°"):
			p.pos++
			x = &node{op: opDegree, args: []*node{x}}
		default:
			return x
		}
	}
}

// degree reads the sign of a degree after "^", in braces or not.
func (p *parser) degree() bool {
	switch {
	case p.peek().is("°"):
		p.pos++
	case p.peek().is("{") && p.at(1).is("°") && p.at(2).is("}"):
		p.pos += 3
	case p.peek().is("{") && p.at(1).is("{") && p.at(2).is("}") && p.at(3).is("°") && p.at(4).is("}"):
		p.pos += 5
	default:
		return false
	}
	return true
}

// factorial folds small factorials.
func (p *parser) factorial(x *node) *node {
	if k, ok := x.isInt(); ok && k >= 0 && k <= 3000 {
		p.budget.spend(1 + int(k)*4)
		return number(new(big.Rat).SetInt(new(big.Int).MulRange(1, k)))
	}
	return p.count(call("fact", x))
}

// argument reads what a command or "^" applies to: a group, or one token.
func (p *parser) argument() *node {
	p.enter()
	defer p.leave()
	t := p.peek()
	switch {
	case t.is("{"):
		return p.group()
	case t.is("-"):
		p.pos++
		return p.neg(p.argument())
	case t.is("+"):
		p.pos++
		return p.argument()
	}
	return p.primary()
}

// digit reads an argument that may be one digit of a longer number: \frac12.
func (p *parser) digit() *node {
	p.enter()
	defer p.leave()
	t := p.peek()
	if t.is("{") {
		return p.group()
	}
	if p.strict {
		p.fail("strict: an argument without braces")
	}
	if t.kind == tokNumber {
		if t.text[0] == '.' {
			p.fail("a decimal without braces")
		}
		if len(t.text) > 1 {
			p.tokens = append(p.tokens[:p.pos:p.pos], append([]token{{kind: tokNumber, text: t.text[:1]}, {kind: tokNumber, text: t.text[1:]}}, p.tokens[p.pos+1:]...)...)
			p.budget.spend(len(p.tokens))
		}
		p.pos++
		return p.decimal(t.text[:1])
	}
	return p.primary()
}

// group = "{" sum "}"
func (p *parser) group() *node {
	p.enter()
	defer p.leave()
	p.expect("{")
	bars, plain := p.bars, p.plain
	p.bars = 0
	x := p.sum()
	p.bars, p.plain = bars, plain
	p.expect("}")
	return x
}

// bracketed reads an expression in brackets of any kind.
func (p *parser) bracketed(close string) *node {
	p.enter()
	defer p.leave()
	p.pos++
	bars := p.bars
	p.bars = 0
	x := p.sum()
	p.bars = bars
	p.expect(close)
	return x
}
