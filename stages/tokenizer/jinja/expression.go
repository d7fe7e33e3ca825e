package jinja

import (
	"math"
	"strconv"
)

// maxDepth bounds how deep anything may lie in something of its kind: brackets, blocks, values, calls.
const maxDepth = 200

// parser reads tokens into a tree.
type parser struct {
	tokens []token
	at     int
	depth  int
	loops  int // for break and continue
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != end {
		p.at++
	}
	return t
}

// is reports whether an operator or a name is next, take passes it if so.
func (p *parser) is(k kind, s string) bool { t := p.peek(); return t.kind == k && t.text == s }

func (p *parser) take(k kind, s string) bool {
	if !p.is(k, s) {
		return false
	}
	p.at++
	return true
}

func (p *parser) expect(k kind, s string) error {
	if !p.take(k, s) {
		return p.unexpected(strconv.Quote(s))
	}
	return nil
}

func (p *parser) unexpected(expected string) error {
	t := p.peek()
	return errorf(t.line, "expected %s, found %s", expected, t)
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return errorf(p.peek().line, "more than %d brackets or blocks in one another", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// expression is a conditional, the widest kind.
func (p *parser) expression() (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.or()
	for err == nil && p.take(name, "if") {
		c := condition{yes: x}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.take(name, "else") {
			if c.no, err = p.expression(); err != nil {
				return nil, err
			}
		}
		x = c
	}
	return x, err
}

func (p *parser) or() (expression, error) { return p.junction("or", p.and) }

func (p *parser) and() (expression, error) { return p.junction("and", p.not) }

func (p *parser) junction(word string, inner func() (expression, error)) (expression, error) {
	x, err := inner()
	for err == nil && p.take(name, word) {
		var y expression
		y, err = inner()
		x = junction{or: word == "or", left: x, right: y}
	}
	return x, err
}

func (p *parser) not() (expression, error) {
	if !p.take(name, "not") {
		return p.comparison()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.not()
	return negation{x}, err
}

func (p *parser) comparison() (expression, error) {
	x, err := p.sum()
	c := comparison{line: p.peek().line, first: x}
	for err == nil {
		t := p.peek()
		op := ""
		switch {
		case t.kind == operator && (t.text == "==" || t.text == "!=" || t.text == "<" || t.text == "<=" || t.text == ">" || t.text == ">="):
			op = t.text
		case p.is(name, "in"):
			op = "in"
		case p.is(name, "not") && p.tokens[p.at+1].kind == name && p.tokens[p.at+1].text == "in":
			op = "not in"
			p.at++
		}
		if op == "" {
			break
		}
		p.at++
		var y expression
		y, err = p.sum()
		c.ops, c.rest = append(c.ops, op), append(c.rest, y)
	}
	if len(c.ops) == 0 {
		return x, err
	}
	return c, err
}

// binary reads operators of one rank, from left to right.
func (p *parser) binary(inner func() (expression, error), ops ...string) (expression, error) {
	x, err := inner()
next:
	for err == nil {
		for _, op := range ops {
			if t := p.peek(); p.take(operator, op) {
				var y expression
				y, err = inner()
				x = operation{t.line, op, x, y}
				continue next
			}
		}
		break
	}
	return x, err
}

func (p *parser) sum() (expression, error)    { return p.binary(p.concat, "+", "-") }
func (p *parser) concat() (expression, error) { return p.binary(p.product, "~") }
func (p *parser) product() (expression, error) {
	return p.binary(p.power, "*", "/", "//", "%")
}
func (p *parser) power() (expression, error) {
	return p.binary(func() (expression, error) { return p.unary(true) }, "**")
}

// unary is a primary with what follows it; the filters belong to the whole of a signed number.
func (p *parser) unary(filters bool) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	t := p.peek()
	var x expression
	var err error
	switch {
	case p.take(operator, "-"), p.take(operator, "+"):
		x, err = p.unary(false)
		x = sign{t.line, t.text == "-", x}
	default:
		x, err = p.primary()
	}
	if err == nil {
		x, err = p.postfix(x)
	}
	if err == nil && filters {
		x, err = p.filters(x)
	}
	return x, err
}

func (p *parser) primary() (expression, error) {
	t := p.peek()
	switch t.kind {
	case name:
		p.at++
		switch t.text {
		case "true", "True":
			return constant{true}, nil
		case "false", "False":
			return constant{false}, nil
		case "none", "None":
			return constant{nil}, nil
		}
		return variable{t.text}, nil
	case text:
		p.at++
		s := t.text
		for p.peek().kind == text { // strings next to one another are one
			s += p.next().text
		}
		return constant{s}, nil
	case integer:
		p.at++
		n, err := strconv.ParseInt(t.text, 0, 64)
		if err != nil {
			if n, err = strconv.ParseInt(t.text, 10, 64); err != nil {
				return nil, errorf(t.line, "number %s: expected at most %d", t.text, int64(math.MaxInt64))
			}
		}
		return constant{n}, nil
	case float:
		p.at++
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, errorf(t.line, "number %s: %v", t.text, err)
		}
		return constant{f}, nil
	case operator:
		switch t.text {
		case "(":
			p.at++
			x, err := p.tuple(")")
			if err == nil {
				err = p.expect(operator, ")")
			}
			return x, err
		case "[":
			p.at++
			items, err := p.items("]")
			return listOf{items}, err
		case "{":
			p.at++
			return p.dict()
		}
	}
	return nil, p.unexpected("an expression")
}

// items reads expressions up to a closing bracket, and the bracket.
func (p *parser) items(close string) ([]expression, error) {
	var out []expression
	for !p.take(operator, close) {
		if len(out) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
			if p.take(operator, close) {
				break
			}
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// tuple reads one expression, or several with commas between, up to an operator or a tag's end; with
// close = ")" it may be empty.
func (p *parser) tuple(close string) (expression, error) {
	var items []expression
	comma := false
	for {
		if t := p.peek(); t.kind == operator && (t.text == close || t.text == "=") || t.kind == blockEnd || t.kind == varEnd || t.kind == end {
			break
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
		if !p.take(operator, ",") {
			break
		}
		comma = true
	}
	if len(items) == 1 && !comma {
		return items[0], nil
	}
	if len(items) == 0 && close != ")" {
		return nil, p.unexpected("an expression")
	}
	return tupleOf{items}, nil
}

func (p *parser) dict() (expression, error) {
	d := dictOf{}
	for !p.take(operator, "}") {
		if len(d.keys) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
			if p.take(operator, "}") {
				break
			}
		}
		key, err := p.expression()
		if err == nil {
			err = p.expect(operator, ":")
		}
		if err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	return d, nil
}
