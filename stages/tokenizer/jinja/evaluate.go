package jinja

import (
	"math"
	"strings"
)

// arguments are those of a call, evaluated.
type arguments struct {
	positional []any
	named      map[string]any
}

// at is an argument by its place or its name, and whether it was given.
func (a arguments) at(i int, name string) (any, bool) {
	if i < len(a.positional) {
		return a.positional[i], true
	}
	v, ok := a.named[name]
	return v, ok
}

// or is an argument, or a fallback.
func (a arguments) or(i int, name string, fallback any) any {
	if v, ok := a.at(i, name); ok {
		return v
	}
	return fallback
}

// behind are the arguments without the first n by place.
func (a arguments) behind(n int) arguments {
	return arguments{a.positional[min(n, len(a.positional)):], a.named}
}

func (s *scope) arguments(c callArguments) (arguments, error) {
	var a arguments
	for _, x := range c.positional {
		v, err := x.eval(s)
		if err != nil {
			return a, err
		}
		a.positional = append(a.positional, v)
	}
	if c.star != nil {
		v, err := c.star.eval(s)
		if err != nil {
			return a, err
		}
		all, err := s.run.items(v)
		if err != nil {
			return a, err
		}
		a.positional = append(a.positional[:len(a.positional):len(a.positional)], all...)
	}
	if len(c.named) > 0 || c.stars != nil {
		a.named = map[string]any{}
	}
	for _, n := range c.named {
		v, err := n.value.eval(s)
		if err != nil {
			return a, err
		}
		a.named[n.name] = v
	}
	if c.stars != nil {
		v, err := c.stars.eval(s)
		if err != nil {
			return a, err
		}
		d, ok := v.(*Dict)
		if !ok {
			return a, errorf(0, "expected a dict behind **, found %s", typeName(v))
		}
		for _, k := range d.keys {
			a.named[str(k)] = d.values[k]
		}
	}
	return a, nil
}

func (c constant) eval(*scope) (any, error) { return c.value, nil }

func (v variable) eval(s *scope) (any, error) { return s.lookup(v.name), nil }

func evalAll(s *scope, all []expression) ([]any, error) {
	out := make([]any, len(all))
	for i, x := range all {
		v, err := x.eval(s)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (l listOf) eval(s *scope) (any, error) {
	all, err := evalAll(s, l.items)
	return list(all), err
}

func (t tupleOf) eval(s *scope) (any, error) {
	all, err := evalAll(s, t.items)
	return tuple(all), err
}

func (d dictOf) eval(s *scope) (any, error) {
	out := NewDict()
	for i := range d.keys {
		k, err := d.keys[i].eval(s)
		if err != nil {
			return nil, err
		}
		v, err := d.values[i].eval(s)
		if err != nil {
			return nil, err
		}
		if err := out.put(k, v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// put is set for a key that may be none.
func (d *Dict) put(key, value any) error {
	switch k := key.(type) {
	case string, int64, bool, nil:
		d.set(key, value)
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			key = int64(k)
		}
		d.set(key, value)
	default:
		return errorf(0, "%s can't be the key of a dict", typeName(key))
	}
	return nil
}

func (c condition) eval(s *scope) (any, error) {
	test, err := c.test.eval(s)
	switch {
	case err != nil:
		return nil, err
	case truth(test):
		return c.yes.eval(s)
	case c.no == nil:
		return undefined{"the value of an if without else"}, nil
	}
	return c.no.eval(s)
}

func (j junction) eval(s *scope) (any, error) {
	v, err := j.left.eval(s)
	if err != nil || truth(v) == j.or {
		return v, err
	}
	return j.right.eval(s)
}

func (n negation) eval(s *scope) (any, error) {
	v, err := n.of.eval(s)
	return !truth(v), err
}

func (n sign) eval(s *scope) (any, error) {
	v, err := n.of.eval(s)
	if err != nil {
		return nil, err
	}
	if i, ok := asInt(v); ok {
		if n.minus {
			i = -i
		}
		return i, nil
	}
	f, ok := v.(float64)
	if !ok {
		return nil, errorf(n.line, "%s has no sign", typeName(v))
	}
	if n.minus {
		f = -f
	}
	return f, nil
}

func (c comparison) eval(s *scope) (any, error) {
	left, err := c.first.eval(s)
	if err != nil {
		return nil, err
	}
	for i, op := range c.ops {
		right, err := c.rest[i].eval(s)
		if err != nil {
			return nil, err
		}
		ok, err := s.run.compare(op, left, right)
		if err != nil {
			return nil, at(c.line, err)
		}
		if !ok {
			return false, nil
		}
		left = right
	}
	return true, nil
}

func (o operation) eval(s *scope) (any, error) {
	if err := s.run.step(); err != nil {
		return nil, at(o.line, err)
	}
	a, err := o.left.eval(s)
	if err != nil {
		return nil, err
	}
	b, err := o.right.eval(s)
	if err != nil {
		return nil, err
	}
	v, err := arithmetic(s.run, o.op, a, b)
	return v, at(o.line, err)
}

// attributeOf is v.name: a method or a field, else the value of the key.
func attributeOf(s *scope, v any, name string) (any, error) {
	if u, ok := v.(undefined); ok {
		return nil, errorf(0, "%s", u.what)
	}
	if strings.HasPrefix(name, "_") {
		return nil, errorf(0, "attribute %q can't be reached from a template", name)
	}
	if m := method(v, name); m != nil {
		return m, nil
	}
	switch v := v.(type) {
	case *Dict:
		if x, ok := v.get(name); ok {
			return x, nil
		}
	case *namespace:
		if x, ok := v.get(name); ok {
			return x, nil
		}
	case *loop:
		return v.attribute(name), nil
	}
	return undefined{typeName(v) + " has no attribute " + name}, nil
}

func (a attribute) eval(s *scope) (any, error) {
	v, err := a.of.eval(s)
	if err != nil {
		return nil, err
	}
	x, err := attributeOf(s, v, a.name)
	return x, at(a.line, err)
}

func (i item) eval(s *scope) (any, error) {
	v, err := i.of.eval(s)
	if err != nil {
		return nil, err
	}
	key, err := i.key.eval(s)
	if err != nil {
		return nil, err
	}
	x, err := itemOf(s, v, key)
	return x, at(i.line, err)
}

// itemOf is v[key], and for a name that is no key, the attribute.
func itemOf(s *scope, v, key any) (any, error) {
	switch v := v.(type) {
	case undefined:
		return nil, errorf(0, "%s", v.what)
	case *Dict:
		if x, ok := v.get(key); ok {
			return x, nil
		}
	case string, list, tuple:
		if n, ok := asInt(key); ok {
			all, err := s.run.items(v)
			if n < 0 {
				n += int64(len(all))
			}
			if err != nil || n < 0 || n >= int64(len(all)) {
				return undefined{typeName(v) + " has no element " + str(key)}, err
			}
			return all[n], nil
		}
	}
	if name, ok := key.(string); ok {
		return attributeOf(s, v, name)
	}
	return undefined{typeName(v) + " has no element " + str(key)}, nil
}

func (x slice) eval(s *scope) (any, error) {
	v, err := x.of.eval(s)
	if err != nil {
		return nil, err
	}
	if u, ok := v.(undefined); ok {
		return nil, errorf(x.line, "%s", u.what)
	}
	all, err := s.run.items(v)
	if _, mapping := v.(*Dict); err != nil || mapping {
		return nil, errorf(x.line, "%s can't be sliced", typeName(v))
	}
	var bounds [3]int64
	var given [3]bool
	for i, part := range []expression{x.start, x.stop, x.step} {
		if part == nil {
			continue
		}
		b, err := part.eval(s)
		if err != nil {
			return nil, err
		}
		if b == nil {
			continue
		}
		if bounds[i], given[i] = asInt(b); !given[i] {
			return nil, errorf(x.line, "expected a number in a slice, found %s", typeName(b))
		}
	}
	picked, err := pick(all, bounds, given)
	if err != nil {
		return nil, at(x.line, err)
	}
	switch v.(type) {
	case string:
		var b strings.Builder
		for _, c := range picked {
			b.WriteString(c.(string))
		}
		return s.run.grown(b.String())
	case tuple:
		return tuple(picked), s.run.use(16 * len(picked))
	}
	return s.run.grownList(picked)
}

func (c call) eval(s *scope) (any, error) {
	f, err := c.of.eval(s)
	if err != nil {
		return nil, err
	}
	if u, ok := f.(undefined); ok {
		return nil, errorf(c.line, "%s", u.what)
	}
	fn, ok := f.(function)
	if !ok {
		return nil, errorf(c.line, "%s can't be called", typeName(f))
	}
	args, err := s.arguments(c.args)
	if err != nil {
		return nil, at(c.line, err)
	}
	v, err := s.run.call(fn, args)
	return v, at(c.line, err)
}

func (f filtered) eval(s *scope) (any, error) {
	v, err := f.of.eval(s)
	if err != nil {
		return nil, err
	}
	return f.apply(s, v)
}

func (f filtered) apply(s *scope, v any) (any, error) {
	if err := s.run.step(); err != nil {
		return nil, at(f.line, err)
	}
	args, err := s.arguments(f.args)
	if err == nil {
		err = s.run.look(v)
	}
	if err != nil {
		return nil, at(f.line, err)
	}
	out, err := s.run.filters[f.name](s, v, args)
	if err != nil {
		return nil, at(f.line, wrap("filter "+f.name, err))
	}
	return out, nil
}

func (t tested) eval(s *scope) (any, error) {
	v, err := t.of.eval(s)
	if err != nil {
		return nil, err
	}
	args, err := s.arguments(t.args)
	if err == nil {
		err = s.run.look(v)
	}
	if err != nil {
		return nil, at(t.line, err)
	}
	ok, err := s.run.tests[t.name](s, v, args)
	if err != nil {
		return nil, at(t.line, wrap("test "+t.name, err))
	}
	return ok != t.not, nil
}
