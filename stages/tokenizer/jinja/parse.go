package jinja

import "slices"

// body reads statements up to a tag whose first word is one of those in until, and returns the word. The
// word is read, the rest of its tag is not. With until = "" the body ends with the template.
func (p *parser) body(until ...string) ([]statement, string, error) {
	if err := p.enter(); err != nil {
		return nil, "", err
	}
	defer p.leave()
	var out []statement
	for {
		switch t := p.next(); t.kind {
		case end:
			if until[0] != "" {
				return nil, "", errorf(t.line, "expected a tag %s, found the end of the template", until[len(until)-1])
			}
			return out, "", nil
		case data:
			out = append(out, output{t.text})
		case varBegin:
			x, err := p.tuple("")
			if err == nil {
				err = p.tagEnd(varEnd)
			}
			if err != nil {
				return nil, "", err
			}
			out = append(out, printed{x})
		case blockBegin:
			word := p.next()
			if word.kind != name {
				return nil, "", errorf(word.line, "expected the name of a tag, found %s", word)
			}
			if slices.Contains(until, word.text) {
				return out, word.text, nil
			}
			read, ok := tags[word.text]
			if !ok {
				return nil, "", errorf(word.line, "unknown tag %q", word.text)
			}
			s, err := read(p)
			if err != nil {
				return nil, "", err
			}
			if s != nil {
				out = append(out, s)
			}
		}
	}
}

func (p *parser) tagEnd(k kind) error {
	if p.peek().kind != k {
		return p.unexpected("the end of the tag")
	}
	p.at++
	return nil
}

// until reads a body, and the whole of the tag that ends it.
func (p *parser) until(word string) ([]statement, error) {
	body, _, err := p.body(word)
	if err == nil {
		err = p.tagEnd(blockEnd)
	}
	return body, err
}

// tags are the statements by the first word of their tag; what follows the word is theirs to read.
var tags map[string]func(p *parser) (statement, error)

func init() { // not in the declaration: the functions need the table
	tags = map[string]func(p *parser) (statement, error){
		"if": (*parser).ifTag, "for": (*parser).forTag, "set": (*parser).setTag, "with": (*parser).withTag, "macro": (*parser).macroTag,
		"call": (*parser).callTag, "filter": (*parser).filterTag, "generation": (*parser).generationTag,
		"break":    func(p *parser) (statement, error) { return p.jumpTag(breaking) },
		"continue": func(p *parser) (statement, error) { return p.jumpTag(continuing) },
	}
}

func (p *parser) ifTag() (statement, error) {
	b := branch{}
	for word := "elif"; ; {
		if word == "elif" {
			test, err := p.tuple("")
			if err != nil {
				return nil, err
			}
			b.tests = append(b.tests, test)
		}
		if err := p.tagEnd(blockEnd); err != nil {
			return nil, err
		}
		if word == "endif" {
			return b, nil
		}
		ends := []string{"elif", "else", "endif"}
		if word == "else" {
			ends = ends[2:]
		}
		body, next, err := p.body(ends...)
		if err != nil {
			return nil, err
		}
		b.bodies = append(b.bodies, body)
		word = next
	}
}

func (p *parser) forTag() (statement, error) {
	f := forLoop{line: p.peek().line}
	var err error
	if f.target, err = p.target(false); err != nil {
		return nil, err
	}
	if err := p.expect(name, "in"); err != nil {
		return nil, err
	}
	// No conditional: an "if" here filters the items.
	if f.of, err = p.or(); err != nil {
		return nil, err
	}
	if p.is(operator, ",") {
		t := tupleOf{items: []expression{f.of}}
		for p.take(operator, ",") && p.peek().kind != blockEnd && !p.is(name, "if") {
			x, err := p.or()
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, x)
		}
		f.of = t
	}
	if p.take(name, "if") {
		if f.filter, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.is(name, "recursive") {
		return nil, errorf(f.line, "recursive loops are not supported")
	}
	if err := p.tagEnd(blockEnd); err != nil {
		return nil, err
	}
	p.loops++
	body, word, err := p.body("else", "endfor")
	p.loops--
	f.body = body
	if err == nil && word == "else" {
		if err = p.tagEnd(blockEnd); err == nil {
			f.none, _, err = p.body("endfor")
		}
	}
	if err == nil {
		err = p.tagEnd(blockEnd)
	}
	return f, err
}

func (p *parser) jumpTag(f flow) (statement, error) {
	if p.loops == 0 {
		return nil, errorf(p.peek().line, "break and continue belong into a loop")
	}
	return jump{f}, p.tagEnd(blockEnd)
}

// target reads names with commas between, brackets around some of them; fields of a namespace where they
// may be.
func (p *parser) target(fields bool) (target, error) {
	if err := p.enter(); err != nil {
		return target{}, err
	}
	defer p.leave()
	var all []target
	comma := false
	for {
		var one target
		t := p.peek()
		switch {
		case p.take(operator, "("):
			var err error
			if one, err = p.target(fields); err == nil {
				err = p.expect(operator, ")")
			}
			if err != nil {
				return one, err
			}
		case t.kind == name && t.text != "in":
			p.at++
			one.name = t.text
			if fields && p.take(operator, ".") {
				field := p.next()
				if field.kind != name {
					return one, errorf(field.line, "expected a name, found %s", field)
				}
				one.field = field.text
			}
		default:
			return one, p.unexpected("a name")
		}
		all = append(all, one)
		if !p.take(operator, ",") {
			break
		}
		comma = true
		if t := p.peek(); t.kind != name && !p.is(operator, "(") || p.is(name, "in") {
			break
		}
	}
	if len(all) == 1 && !comma {
		return all[0], nil
	}
	return target{several: all}, nil
}

func (p *parser) setTag() (statement, error) {
	t, err := p.target(true)
	if err != nil {
		return nil, err
	}
	if p.take(operator, "=") {
		a := assignment{target: t}
		if a.value, err = p.tuple(""); err != nil {
			return nil, err
		}
		return a, p.tagEnd(blockEnd)
	}
	b := blockSet{target: t}
	if b.filters, err = p.filterNames(); err != nil {
		return nil, err
	}
	b.body, err = p.isolated("endset")
	return b, err
}

// filterNames reads filters without what they are applied to, each with a "|" in front.
func (p *parser) filterNames() ([]filtered, error) {
	var out []filtered
	for p.take(operator, "|") {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		out = append(out, f.(filtered))
	}
	return out, nil
}

// isolated reads the end of a tag and a body that no break or continue leaves.
func (p *parser) isolated(word string) ([]statement, error) {
	if err := p.tagEnd(blockEnd); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	defer func() { p.loops = loops }()
	return p.until(word)
}

func (p *parser) withTag() (statement, error) {
	w := withBlock{}
	for p.peek().kind != blockEnd {
		if len(w.targets) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return nil, err
			}
		}
		t := p.next()
		if t.kind != name {
			return nil, errorf(t.line, "expected a name, found %s", t)
		}
		if err := p.expect(operator, "="); err != nil {
			return nil, err
		}
		x, err := p.expression()
		if err != nil {
			return nil, err
		}
		w.targets, w.values = append(w.targets, target{name: t.text}), append(w.values, x)
	}
	p.at++
	var err error
	w.body, err = p.until("endwith")
	return w, err
}

func (p *parser) macroTag() (statement, error) {
	t := p.next()
	if t.kind != name {
		return nil, errorf(t.line, "expected the name of a macro, found %s", t)
	}
	m := macro{name: t.text}
	if err := p.parameters(&m); err != nil {
		return nil, err
	}
	var err error
	m.body, err = p.isolated("endmacro")
	return m, err
}

func (p *parser) parameters(m *macro) error {
	if err := p.expect(operator, "("); err != nil {
		return err
	}
	for !p.take(operator, ")") {
		if len(m.params) > 0 {
			if err := p.expect(operator, ","); err != nil {
				return err
			}
		}
		t := p.next()
		if t.kind != name {
			return errorf(t.line, "expected a parameter, found %s", t)
		}
		m.params = append(m.params, t.text)
		if p.take(operator, "=") {
			x, err := p.expression()
			if err != nil {
				return err
			}
			m.defaults = append(m.defaults, x)
		} else if len(m.defaults) > 0 {
			return errorf(t.line, "parameter %s: expected a default, as the one before has", t.text)
		}
	}
	return nil
}

func (p *parser) callTag() (statement, error) {
	c := callBlock{line: p.peek().line}
	if p.is(operator, "(") {
		if err := p.parameters(&c.caller); err != nil {
			return nil, err
		}
	}
	var err error
	if c.call, err = p.expression(); err != nil {
		return nil, err
	}
	if _, ok := c.call.(call); !ok {
		return nil, errorf(c.line, "expected a call")
	}
	c.caller.body, err = p.isolated("endcall")
	return c, err
}

func (p *parser) filterTag() (statement, error) {
	first, err := p.filter(nil)
	if err != nil {
		return nil, err
	}
	rest, err := p.filterNames()
	if err != nil {
		return nil, err
	}
	f := filterBlock{filters: append([]filtered{first.(filtered)}, rest...)}
	f.body, err = p.isolated("endfilter")
	return f, err
}

func (p *parser) generationTag() (statement, error) {
	body, err := p.isolated("endgeneration")
	return scoped{body}, err
}
