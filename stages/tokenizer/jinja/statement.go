package jinja

import (
	"slices"
	"strings"
)

// statement is a node of the tree that writes text or sets variables.
type statement interface {
	exec(s *scope, out *strings.Builder) (flow, error)
}

// flow is how a block ended.
type flow uint8

const (
	onward flow = iota
	breaking
	continuing
)

// The nodes.
type (
	output  struct{ text string }
	printed struct{ of expression }
	branch  struct {
		tests  []expression
		bodies [][]statement // one more than tests where there is an else
	}
	forLoop struct {
		line       int
		target     target
		of, filter expression // filter may be nil
		body, none []statement
	}
	jump       struct{ flow flow }
	assignment struct {
		target target
		value  expression
	}
	blockSet struct {
		target  target
		body    []statement
		filters []filtered
	}
	withBlock struct {
		targets []target
		values  []expression
		body    []statement
	}
	filterBlock struct {
		filters []filtered
		body    []statement
	}
	scoped struct{ body []statement } // {% generation %}: its text, in a scope of its own
	macro  struct {
		name     string
		params   []string
		defaults []expression // of the last parameters
		body     []statement
	}
	callBlock struct {
		line   int
		call   expression
		caller macro
	}
)

// target is what a value is bound to: a name, a field of a namespace, or several of them.
type target struct {
	name, field string
	several     []target
}

func execAll(s *scope, body []statement, out *strings.Builder) (flow, error) {
	for _, st := range body {
		if err := s.run.step(); err != nil {
			return onward, err
		}
		if f, err := st.exec(s, out); f != onward || err != nil {
			return f, err
		}
	}
	return onward, nil
}

// captured is what a body writes, in a scope of its own.
func captured(s *scope, body []statement) (string, error) {
	var out strings.Builder
	_, err := execAll(s.inner(), body, &out)
	return out.String(), err
}

func (o output) exec(s *scope, out *strings.Builder) (flow, error) {
	out.WriteString(o.text)
	return onward, s.run.use(len(o.text))
}

func (p printed) exec(s *scope, out *strings.Builder) (flow, error) {
	v, err := p.of.eval(s)
	if err != nil {
		return onward, err
	}
	text := str(v)
	out.WriteString(text)
	return onward, s.run.use(len(text))
}

func (b branch) exec(s *scope, out *strings.Builder) (flow, error) {
	for i, test := range b.tests {
		v, err := test.eval(s)
		if err != nil {
			return onward, err
		}
		if truth(v) {
			return execAll(s, b.bodies[i], out)
		}
	}
	if len(b.bodies) > len(b.tests) {
		return execAll(s, b.bodies[len(b.tests)], out)
	}
	return onward, nil
}

func (j jump) exec(*scope, *strings.Builder) (flow, error) { return j.flow, nil }

func (f forLoop) exec(s *scope, out *strings.Builder) (flow, error) {
	v, err := f.of.eval(s)
	if err != nil {
		return onward, err
	}
	all, err := s.run.items(v)
	if err != nil {
		return onward, at(f.line, err)
	}
	if f.filter != nil {
		var kept []any
		for _, v := range all {
			inner := s.inner()
			if err := f.target.bind(inner, v); err != nil {
				return onward, at(f.line, err)
			}
			ok, err := f.filter.eval(inner)
			if err != nil {
				return onward, err
			}
			if truth(ok) {
				kept = append(kept, v)
			}
		}
		all = kept
	}
	if len(all) == 0 {
		return execAll(s.inner(), f.none, out)
	}
	l := &loop{all: all, depth: 1}
	if outer, ok := s.lookup("loop").(*loop); ok {
		l.depth = outer.depth // only recursive loops are deeper
	}
	for i, v := range all {
		if err := s.run.step(); err != nil {
			return onward, at(f.line, err)
		}
		inner := s.inner()
		l.index = i
		inner.set("loop", l)
		if err := f.target.bind(inner, v); err != nil {
			return onward, at(f.line, err)
		}
		switch flow, err := execAll(inner, f.body, out); {
		case err != nil:
			return onward, err
		case flow == breaking:
			return onward, nil
		}
	}
	return onward, nil
}

// loop is the variable of that name.
type loop struct {
	all          []any
	index, depth int
	last         []any // of loop.changed
	changed      bool
}

func (l *loop) attribute(name string) any {
	n := len(l.all)
	switch name {
	case "index":
		return int64(l.index + 1)
	case "index0":
		return int64(l.index)
	case "revindex":
		return int64(n - l.index)
	case "revindex0":
		return int64(n - l.index - 1)
	case "first":
		return l.index == 0
	case "last":
		return l.index == n-1
	case "length":
		return int64(n)
	case "depth":
		return int64(l.depth)
	case "depth0":
		return int64(l.depth - 1)
	case "previtem":
		if l.index > 0 {
			return l.all[l.index-1]
		}
		return undefined{"there is no previous item"}
	case "nextitem":
		if l.index < n-1 {
			return l.all[l.index+1]
		}
		return undefined{"there is no next item"}
	case "cycle":
		return function(func(_ *run, args arguments) (any, error) {
			if len(args.positional) == 0 {
				return nil, errorf(0, "cycle: expected a value")
			}
			return args.positional[l.index%len(args.positional)], nil
		})
	case "changed":
		return function(func(r *run, args arguments) (any, error) {
			same := l.changed && slices.EqualFunc(l.last, args.positional, r.equal)
			l.last, l.changed = args.positional, true
			return !same, nil
		})
	}
	return undefined{"loop has no attribute " + name}
}

func (t target) bind(s *scope, v any) error {
	switch {
	case t.several != nil:
		all, err := s.run.items(v)
		if err != nil {
			return err
		}
		if len(all) != len(t.several) {
			return errorf(0, "expected %d values, found %d", len(t.several), len(all))
		}
		for i, inner := range t.several {
			if err := inner.bind(s, all[i]); err != nil {
				return err
			}
		}
	case t.field != "":
		ns, ok := s.lookup(t.name).(*namespace)
		if !ok {
			return errorf(0, "%s is not a namespace: its fields can't be set", t.name)
		}
		ns.set(t.field, v)
	default:
		s.set(t.name, v)
	}
	return nil
}

func (a assignment) exec(s *scope, _ *strings.Builder) (flow, error) {
	v, err := a.value.eval(s)
	if err != nil {
		return onward, err
	}
	return onward, a.target.bind(s, v)
}

func (b blockSet) exec(s *scope, _ *strings.Builder) (flow, error) {
	text, err := captured(s, b.body)
	if err != nil {
		return onward, err
	}
	v, err := applyAll(s, b.filters, text)
	if err != nil {
		return onward, err
	}
	return onward, b.target.bind(s, v)
}

func applyAll(s *scope, filters []filtered, v any) (_ any, err error) {
	for _, f := range filters {
		if v, err = f.apply(s, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (w withBlock) exec(s *scope, out *strings.Builder) (flow, error) {
	inner := s.inner()
	for i, x := range w.values {
		v, err := x.eval(s)
		if err == nil {
			err = w.targets[i].bind(inner, v)
		}
		if err != nil {
			return onward, err
		}
	}
	return execAll(inner, w.body, out)
}

func (f filterBlock) exec(s *scope, out *strings.Builder) (flow, error) {
	text, err := captured(s, f.body)
	if err != nil {
		return onward, err
	}
	v, err := applyAll(s, f.filters, text)
	out.WriteString(str(v))
	return onward, err
}

func (b scoped) exec(s *scope, out *strings.Builder) (flow, error) {
	text, err := captured(s, b.body)
	out.WriteString(text)
	return onward, err
}

func (m macro) exec(s *scope, _ *strings.Builder) (flow, error) {
	s.set(m.name, m.function(s))
	return onward, nil
}

// function is what calling a macro does: its body in a scope of its own inside that of its definition.
func (m macro) function(s *scope) function {
	return func(r *run, args arguments) (any, error) {
		inner := s.inner()
		for i, name := range m.params {
			v, ok := args.at(i, name)
			if from := i - (len(m.params) - len(m.defaults)); !ok && from >= 0 {
				var err error
				if v, err = m.defaults[from].eval(inner); err != nil {
					return nil, err
				}
				ok = true
			}
			if !ok {
				v = undefined{"parameter " + name + " was not given"}
			}
			inner.set(name, v)
		}
		inner.set("varargs", tuple(args.behind(len(m.params)).positional))
		extra := NewDict()
		for _, name := range sortedNames(args.named) {
			switch {
			case name == "caller":
				inner.set(name, args.named[name])
			case !slices.Contains(m.params, name):
				extra.set(name, args.named[name])
			}
		}
		inner.set("kwargs", extra)
		var out strings.Builder
		_, err := execAll(inner, m.body, &out)
		return out.String(), err
	}
}

func (c callBlock) exec(s *scope, out *strings.Builder) (flow, error) {
	x, ok := c.call.(call)
	if !ok {
		return onward, errorf(c.line, "expected a call")
	}
	f, err := x.of.eval(s)
	if err != nil {
		return onward, err
	}
	fn, ok := f.(function)
	if !ok {
		return onward, errorf(c.line, "%s can't be called", typeName(f))
	}
	args, err := s.arguments(x.args)
	if err != nil {
		return onward, at(c.line, err)
	}
	if args.named == nil {
		args.named = map[string]any{}
	}
	args.named["caller"] = c.caller.function(s)
	v, err := s.run.call(fn, args)
	if err != nil {
		return onward, at(c.line, err)
	}
	out.WriteString(str(v))
	return onward, nil
}
