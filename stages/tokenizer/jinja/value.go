package jinja

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A value is nil (None), bool, int64, float64, string, list, tuple, *Dict, undefined, *namespace, *loop or
// function.
type (
	list  []any
	tuple []any
	// function is what can be called.
	function func(r *run, args arguments) (any, error)
	// undefined stands for a variable or an attribute that does not exist: it prints as nothing, and
	// what else is done with it is an error that says what.
	undefined struct{ what string }
	// namespace is what {% set ns.name = … %} changes.
	namespace struct{ *Dict }
)

// Func is a function that a caller gives to a template as a variable.
type Func func(args []any, named map[string]any) (any, error)

// Dict is a mapping that keeps the order in which its keys were set.
type Dict struct {
	keys   []any
	values map[any]any
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{values: map[any]any{}} }

// Set adds or replaces a value, which [Value] converts.
func (d *Dict) Set(key string, value any) { d.set(key, Value(value)) }

func (d *Dict) set(key, value any) {
	if _, ok := d.values[key]; !ok {
		d.keys = append(d.keys, key)
	}
	d.values[key] = value
}

// Map are the values by the text of their keys, for [Template.Render].
func (d *Dict) Map() map[string]any {
	m := make(map[string]any, len(d.keys))
	for _, k := range d.keys {
		m[str(k)] = d.values[k]
	}
	return m
}

// get is the value of a key; keys that can't be one (lists) are never there.
func (d *Dict) get(key any) (any, bool) {
	switch k := key.(type) {
	case string, int64, bool, nil:
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<53 {
			key = int64(k)
		}
	default:
		return nil, false
	}
	v, ok := d.values[key]
	return v, ok
}

// Value converts a Go value: maps with string keys in alphabetical order, slices, numbers, strings, and what
// this package made. Anything else becomes its text.
func Value(v any) any {
	switch v := v.(type) {
	case nil, bool, int64, float64, string, list, tuple, undefined, *Dict, *namespace, *loop, function:
		return v
	case Func:
		return function(func(_ *run, args arguments) (any, error) {
			out, err := v(args.positional, args.named)
			return Value(out), err
		})
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float32:
		return float64(v)
	case json.Number:
		return number(v)
	case map[string]any:
		d := NewDict()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			d.Set(key, v[key])
		}
		return d
	case []any:
		return convertAll(v)
	case []string:
		return convertAll(v)
	case []map[string]any:
		return convertAll(v)
	case []*Dict:
		return convertAll(v)
	}
	return fmt.Sprint(v)
}

func convertAll[T any](in []T) list {
	out := make(list, len(in))
	for i, v := range in {
		out[i] = Value(v)
	}
	return out
}

func number(n json.Number) any {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		return i
	}
	f, _ := n.Float64()
	return f
}

// Decode reads a JSON value, objects as [*Dict] with their keys in order.
func Decode(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	v, err := decode(dec, 0)
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("read JSON: expected nothing behind the value")
	}
	return v, nil
}

func decode(dec *json.Decoder, depth int) (any, error) {
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("expected at most %d values in one another", maxDepth)
	}
	switch t {
	case json.Delim('['):
		out := list{}
		for dec.More() {
			v, err := decode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err = dec.Token()
		return out, err
	case json.Delim('{'):
		out := NewDict()
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			v, err := decode(dec, depth+1)
			if err != nil {
				return nil, err
			}
			out.set(key, v)
		}
		_, err = dec.Token()
		return out, err
	}
	return Value(t), nil
}

// truth is Python's bool().
func truth(v any) bool {
	switch v := v.(type) {
	case nil, undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case list:
		return len(v) > 0
	case tuple:
		return len(v) > 0
	case *Dict:
		return len(v.keys) > 0
	}
	return true
}

// items are the elements of what can be iterated: characters, elements, keys.
func items(v any) ([]any, error) {
	switch v := v.(type) {
	case list:
		return v, nil
	case tuple:
		return v, nil
	case *Dict:
		return v.keys, nil
	case undefined:
		return nil, nil
	case string:
		if len(v) > maxCharacters {
			return nil, fmt.Errorf("a text of %d bytes is too long to be taken apart", len(v))
		}
		out := make([]any, 0, len(v))
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s can't be iterated", typeName(v))
}

// length is Python's len().
func length(v any) (int, error) {
	switch v := v.(type) {
	case string:
		return utf8.RuneCountInString(v), nil
	case list, tuple, *Dict, undefined:
		all, err := items(v)
		return len(all), err
	}
	return 0, fmt.Errorf("%s has no length", typeName(v))
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "an int"
	case float64:
		return "a float"
	case string:
		return "a str"
	case list:
		return "a list"
	case tuple:
		return "a tuple"
	case *Dict:
		return "a dict"
	case undefined:
		return v.what
	}
	return "an object"
}

// asFloat is a number as a float; bools are numbers, as in Python.
func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

func asInt(v any) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	}
	return 0, false
}

// equal is Python's ==. A list of the same list twice, and so on, has more elements than memory could hold, so
// each counts as a step; after the last nothing is equal, and the rendering fails.
func (r *run) equal(a, b any) bool {
	if r.step() != nil {
		return false
	}
	if x, ok := asFloat(a); ok {
		y, ok := asFloat(b)
		return ok && x == y
	}
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && a == b && r.look(a) == nil
	case undefined:
		_, ok := b.(undefined)
		return ok
	case list:
		b, ok := b.(list)
		return ok && slices.EqualFunc(a, b, r.equal)
	case tuple:
		b, ok := b.(tuple)
		return ok && slices.EqualFunc(a, b, r.equal)
	case *Dict:
		b, ok := b.(*Dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false
		}
		for _, k := range a.keys {
			v, ok := b.get(k)
			if !ok || !r.equal(a.values[k], v) {
				return false
			}
		}
		return true
	case *namespace:
		return any(a) == b
	case *loop:
		return any(a) == b
	}
	return false
}

// order is negative, 0 or positive as Python's < has it; not everything has an order.
func (r *run) order(a, b any) (int, error) {
	x, ok1 := asFloat(a)
	y, ok2 := asFloat(b)
	if ok1 && ok2 {
		switch {
		case x < y:
			return -1, nil
		case x > y:
			return 1, nil
		}
		return 0, nil
	}
	if a, ok := a.(string); ok {
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), nil
		}
	}
	p, ok1 := sequence(a)
	q, ok2 := sequence(b)
	if ok1 && ok2 {
		for i := range min(len(p), len(q)) {
			if !r.equal(p[i], q[i]) {
				return r.order(p[i], q[i])
			}
		}
		return len(p) - len(q), nil
	}
	return 0, fmt.Errorf("%s and %s can't be ordered", typeName(a), typeName(b))
}

func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case list:
		return v, true
	case tuple:
		return v, true
	}
	return nil, false
}

// contains is Python's in.
func (r *run) contains(all, v any) (bool, error) {
	switch all := all.(type) {
	case string:
		s, ok := v.(string)
		if !ok {
			return false, fmt.Errorf("only a str can be in a str, not %s", typeName(v))
		}
		return strings.Contains(all, s), r.look(all)
	case *Dict:
		_, ok := all.get(v)
		return ok, nil
	}
	elements, err := items(all)
	return slices.ContainsFunc(elements, func(e any) bool { return r.equal(e, v) }), err
}
