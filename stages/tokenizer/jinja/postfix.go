package jinja

import "strconv"

// postfix reads attributes, subscripts and calls.
func (p *parser) postfix(x expression) (expression, error) {
	for {
		t := p.peek()
		switch {
		case p.take(operator, "."):
			switch t := p.next(); t.kind {
			case name:
				x = attribute{t.line, x, t.text}
			case integer:
				n, err := strconv.ParseInt(t.text, 10, 64)
				if err != nil {
					return nil, errorf(t.line, "expected a number, found %s", t)
				}
				x = item{t.line, x, constant{n}}
			default:
				return nil, errorf(t.line, "expected a name, found %s", t)
			}
		case p.take(operator, "["):
			var err error
			if x, err = p.subscript(x, t.line); err != nil {
				return nil, err
			}
		case p.is(operator, "("):
			args, err := p.arguments()
			if err != nil {
				return nil, err
			}
			x = call{t.line, x, args}
		default:
			return x, nil
		}
	}
}

// subscript reads an index or a slice, and the bracket behind it.
func (p *parser) subscript(x expression, line int) (expression, error) {
	s := slice{line: line, of: x}
	colons := 0
	parts := [3]*expression{&s.start, &s.stop, &s.step}
	for !p.is(operator, "]") {
		if p.take(operator, ":") {
			if colons++; colons > 2 {
				return nil, p.unexpected(`"]"`)
			}
			continue
		}
		if *parts[colons] != nil {
			return nil, p.unexpected(`"]"`)
		}
		var err error
		if *parts[colons], err = p.expression(); err != nil {
			return nil, err
		}
	}
	p.at++
	if colons > 0 {
		return s, nil
	}
	if s.start == nil {
		return nil, errorf(line, "expected an index between the brackets")
	}
	return item{line, x, s.start}, nil
}

// arguments reads what a call has between its brackets.
func (p *parser) arguments() (callArguments, error) {
	var a callArguments
	if err := p.expect(operator, "("); err != nil {
		return a, err
	}
	for first := true; !p.take(operator, ")"); first = false {
		if !first {
			if err := p.expect(operator, ","); err != nil {
				return a, err
			}
			if p.take(operator, ")") {
				break
			}
		}
		var err error
		switch t := p.peek(); {
		case p.take(operator, "**"):
			a.stars, err = p.expression()
		case p.take(operator, "*"):
			a.star, err = p.expression()
		case t.kind == name && p.tokens[p.at+1].kind == operator && p.tokens[p.at+1].text == "=":
			p.at += 2
			n := namedExpression{name: t.text}
			n.value, err = p.expression()
			a.named = append(a.named, n)
		default:
			if len(a.named) > 0 {
				return a, p.unexpected("a named argument")
			}
			var x expression
			x, err = p.expression()
			a.positional = append(a.positional, x)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// filters reads filters, tests and calls behind an expression.
func (p *parser) filters(x expression) (expression, error) {
	for {
		switch {
		case p.is(operator, "|"):
			p.at++
			f, err := p.filter(x)
			if err != nil {
				return nil, err
			}
			x = f
		case p.is(name, "is"):
			p.at++
			t, err := p.test(x)
			if err != nil {
				return nil, err
			}
			x = t
		case p.is(operator, "("):
			line := p.peek().line
			args, err := p.arguments()
			if err != nil {
				return nil, err
			}
			x = call{line, x, args}
		default:
			return x, nil
		}
	}
}

func (p *parser) filter(x expression) (expression, error) {
	t := p.next()
	if t.kind != name {
		return nil, errorf(t.line, "expected the name of a filter, found %s", t)
	}
	if _, ok := filters[t.text]; !ok {
		return nil, errorf(t.line, "no filter named %q", t.text)
	}
	f := filtered{line: t.line, name: t.text, of: x}
	var err error
	if p.is(operator, "(") {
		f.args, err = p.arguments()
	}
	return f, err
}

func (p *parser) test(x expression) (expression, error) {
	not := p.take(name, "not")
	t := p.next()
	if t.kind != name && t.kind != operator {
		return nil, errorf(t.line, "expected the name of a test, found %s", t)
	}
	if _, ok := tests[t.text]; !ok {
		return nil, errorf(t.line, "no test named %q", t.text)
	}
	n := tested{line: t.line, not: not, name: t.text, of: x}
	switch arg := p.peek(); {
	case p.is(operator, "("):
		var err error
		n.args, err = p.arguments()
		return n, err
	case arg.kind == text, arg.kind == integer, arg.kind == float, p.is(operator, "["), p.is(operator, "{"),
		arg.kind == name && arg.text != "else" && arg.text != "or" && arg.text != "and" && arg.text != "is" && arg.text != "if":
		// A single argument needs no brackets.
		y, err := p.primary()
		if err == nil {
			y, err = p.postfix(y)
		}
		n.args.positional = []expression{y}
		return n, err
	}
	return n, nil
}
