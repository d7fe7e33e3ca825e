package expr

import (
	"math/big"
	"strconv"
	"strings"
)

// primary reads what stands for a value by itself.
func (p *parser) primary() *node {
	p.enter()
	defer p.leave()
	t := p.peek()
	switch t.kind {
	case tokNumber:
		return p.numeral()
	case tokLetter:
		p.pos++
		switch t.text {
		case "e", "E", "i", "I":
			if !p.peek().is("_") && !p.peek().is("'") {
				return constant(strings.ToLower(t.text))
			}
		}
		return symbol(p.subscripts(t.text))
	case tokText:
		if t.cmd == "name" {
			p.pos++
			return symbol(p.subscripts(t.text))
		}
	case tokCommand:
		return p.command()
	case tokPunct:
		switch t.text {
		case "(":
			if n := p.at(1); n.kind == tokNumber && p.at(2).is(")") && p.at(3).is("_") {
				p.pos += 3
				return p.based(n.text) // (101)_2
			}
			return p.bracketed(")")
		case "[":
			return p.bracketed("]")
		case "{":
			if p.at(1).is("}") {
				p.pos += 2
				return p.primary()
			}
			return p.group()
		case "|", "|(":
			p.pos++
			p.bars++
			x := p.sum()
			p.bars--
			if !p.accept("|") {
				p.expect("|)")
			}
			if x.op == opMatrix {
				return call("det", x)
			}
			return p.count(call("abs", x))
		case `\{`:
			// Braces that only group, as in \{x+1\}: not read, a set is no number.
		}
	}
	p.fail("no value at " + t.text)
	return nil
}

// subscripts adds subscripts and primes to a symbol's name.
func (p *parser) subscripts(name string) string {
	for {
		switch {
		case p.accept("'"):
			name += "'"
		case p.peek().is("^") && p.at(1).is("'"):
			p.pos += 2
			name += "'"
		case p.peek().is("^") && p.at(1).is("{") && p.at(2).is("'"):
			p.pos += 2
			for p.accept("'") {
				name += "'"
			}
			p.expect("}")
		case p.peek().is("_"):
			p.pos++
			name += "_" + p.raw()
		default:
			return name
		}
	}
}

// raw returns the text of a group or token as it is, without braces.
func (p *parser) raw() string {
	t := p.peek()
	if !t.is("{") {
		if t.kind == tokEnd {
			p.fail("nothing follows")
		}
		p.pos++
		return t.text
	}
	var b strings.Builder
	depth := 0
	for p.pos < len(p.tokens) {
		t := p.tokens[p.pos]
		p.pos++
		p.budget.spend(1)
		switch {
		case t.is("{"):
			depth++
		case t.is("}"):
			if depth--; depth == 0 {
				return b.String()
			}
		default:
			b.WriteString(t.text)
		}
	}
	p.fail("an open brace")
	return ""
}

// numeral reads a number with its thousands separators, exponent, base or repeating part.
func (p *parser) numeral() *node {
	t := p.peek()
	p.pos++
	text := t.text
	if p.strict && text[0] == '.' {
		p.fail("strict: a decimal without a leading zero")
	}
	if len(text) <= 3 && strings.IndexByte(text, '.') < 0 && text[0] != '0' {
		text += p.thousands()
	}
	next := p.peek()
	switch {
	case strings.HasSuffix(text, ".") || strings.Contains(text, ".") && (next.command("overline") || next.command("bar") || next.command("dot")):
		return p.repeating(text)
	case next.is("_"):
		return p.based(text)
	case next.kind == tokLetter && (next.text == "e" || next.text == "E") && !next.space:
		if x := p.scientific(text); x != nil {
			return x
		}
	}
	return p.decimal(text)
}

// thousands reads the groups of three digits that follow the first of a number.
func (p *parser) thousands() string {
	var b strings.Builder
	for range 200 {
		used := 0
		switch {
		case p.peek().is("{") && p.at(1).is(",") && p.at(2).is("}"):
			used = 3
		case p.peek().is(",") && (p.peek().joint || !p.plain && !p.peek().space && !p.at(1).space):
			used = 1
		case p.peek().kind == tokNumber && p.peek().space:
		default:
			return b.String()
		}
		n := p.at(used)
		whole, frac, dot := strings.Cut(n.text, ".")
		if n.kind != tokNumber || len(whole) != 3 || used == 0 && p.at(1).is("/") {
			return b.String()
		}
		p.pos += used + 1
		b.WriteString(n.text)
		if dot && frac != "" {
			return b.String()
		}
	}
	return b.String()
}

// decimal is the number that a text of digits and at most one point stands for.
func (p *parser) decimal(text string) *node {
	if len(text) > 4*maxBits/13 {
		panic(exhausted{})
	}
	p.budget.spend(1 + len(text)*len(text)/4096)
	whole, frac, dot := strings.Cut(text, ".")
	places := exact
	if dot {
		places = len(frac)
	}
	if n := len(whole) + len(frac); n <= 18 {
		v, err := strconv.ParseInt("0"+whole+frac, 10, 64)
		if err != nil {
			p.fail("no number")
		}
		d := int64(1)
		for range len(frac) {
			d *= 10
		}
		return &node{op: opNumber, num: big.NewRat(v, d), places: places}
	}
	v, ok := new(big.Int).SetString("0"+whole+frac, 10)
	if !ok {
		p.fail("no number")
	}
	d := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(frac))), nil)
	return p.count(&node{op: opNumber, num: new(big.Rat).SetFrac(v, d), places: places})
}

// repeating reads 0.1\overline{6}.
func (p *parser) repeating(text string) *node {
	x := p.decimal(strings.TrimSuffix(text, "."))
	if t := p.peek(); t.kind != tokCommand {
		return x
	}
	p.pos++
	digits := p.raw()
	if digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 100 {
		p.fail("no digits under a bar")
	}
	_, frac, _ := strings.Cut(text, ".")
	period, _ := new(big.Int).SetString(digits, 10)
	nines := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(digits))), nil)
	nines.Sub(nines, big.NewInt(1))
	nines.Mul(nines, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(len(frac))), nil))
	return number(new(big.Rat).Add(x.num, new(big.Rat).SetFrac(period, nines)))
}

// based reads 101_2. The notation stays with the number: see form.
func (p *parser) based(text string) *node {
	p.pos++
	sub := strings.ToLower(p.raw())
	sub = strings.Trim(strings.TrimPrefix(sub, "base"), " ()")
	base, err := strconv.Atoi(sub)
	if n, ok := numberWords[sub]; ok {
		base, err = n, nil
	}
	if err != nil || base < 2 || base > 36 || len(text) > 400 {
		p.fail("no base")
	}
	v, ok := new(big.Int).SetString(text, base)
	if !ok {
		p.fail("a digit beyond the base")
	}
	p.budget.spend(len(text))
	return p.count(&node{op: opNumber, num: new(big.Rat).SetInt(v), places: exact, name: text + "_" + strconv.Itoa(base)})
}

var numberWords = map[string]int{"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "twelve": 12, "sixteen": 16}

// scientific reads 1.5e3, written without spaces. Without a point in it, 2e-3 is a multiple of e; 1e-3 is not,
// since nobody writes a single e with a one before it.
func (p *parser) scientific(text string) *node {
	k := 1
	sign := ""
	if s := p.at(k); (s.is("-") || s.is("+")) && !s.space {
		sign = s.text
		k++
	}
	exp := p.at(k)
	if exp.kind != tokNumber || exp.space || strings.Contains(exp.text, ".") || sign != "" && text != "1" && !strings.Contains(text, ".") && len(exp.text) < 2 {
		return nil
	}
	if len(exp.text) > 5 {
		panic(exhausted{})
	}
	p.pos += k + 1
	n, _ := strconv.Atoi(sign + exp.text)
	ten, ok := ratPow(p.budget, big.NewRat(10, 1), n)
	if !ok {
		panic(exhausted{})
	}
	x := p.decimal(text)
	if x.places == exact {
		x.places = 0
	}
	return p.mul(x, number(ten))
}

// list reads "(" sum {"," sum} ")" as arguments.
func (p *parser) list() []*node {
	p.expect("(")
	args := []*node{p.sum()}
	for p.accept(",") {
		args = append(args, p.sum())
		if len(args) > maxItems {
			panic(exhausted{})
		}
	}
	p.expect(")")
	return args
}
