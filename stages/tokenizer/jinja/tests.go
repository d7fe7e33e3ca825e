package jinja

import (
	"errors"
	"fmt"
	"strings"
)

// testFunc is what stands behind "is".
type testFunc func(s *scope, v any, args arguments) (bool, error)

// tests are those of Jinja.
var tests = map[string]testFunc{
	"boolean": kindTest(func(v any) bool { _, ok := v.(bool); return ok }),
	"callable": kindTest(func(v any) bool {
		_, ok := v.(function)
		return ok
	}),
	"defined":   kindTest(func(v any) bool { _, ok := v.(undefined); return !ok }),
	"undefined": kindTest(func(v any) bool { _, ok := v.(undefined); return ok }),
	"divisibleby": func(_ *scope, v any, args arguments) (bool, error) {
		n, ok1 := asInt(v)
		by, ok2 := asInt(args.or(0, "num", nil))
		if !ok1 || !ok2 || by == 0 {
			return false, errors.New("expected whole numbers, the second not 0")
		}
		return n%by == 0, nil
	},
	"even": parity(0), "odd": parity(1),
	"eq": compareTest("=="), "equalto": compareTest("=="), "==": compareTest("=="),
	"ne": compareTest("!="), "!=": compareTest("!="),
	"lt": compareTest("<"), "lessthan": compareTest("<"), "<": compareTest("<"),
	"le": compareTest("<="), "<=": compareTest("<="),
	"gt": compareTest(">"), "greaterthan": compareTest(">"), ">": compareTest(">"),
	"ge": compareTest(">="), ">=": compareTest(">="),
	"in":     compareTest("in"),
	"true":   kindTest(func(v any) bool { return v == any(true) }),
	"false":  kindTest(func(v any) bool { return v == any(false) }),
	"none":   kindTest(func(v any) bool { return v == nil }),
	"sameas": func(_ *scope, v any, args arguments) (bool, error) { return same(v, args.or(0, "other", nil)), nil },
	"string": kindTest(func(v any) bool { _, ok := v.(string); return ok }),
	"number": kindTest(func(v any) bool { _, ok := asFloat(v); return ok }),
	"integer": kindTest(func(v any) bool {
		_, ok := v.(int64)
		return ok
	}),
	"float":   kindTest(func(v any) bool { _, ok := v.(float64); return ok }),
	"mapping": kindTest(func(v any) bool { _, ok := v.(*Dict); return ok }),
	"iterable": kindTest(func(v any) bool {
		_, err := items(v)
		return err == nil
	}),
	"sequence": kindTest(func(v any) bool {
		_, err := length(v)
		return err == nil
	}),
	"lower": kindTest(func(v any) bool { s := str(v); return s == strings.ToLower(s) && s != strings.ToUpper(s) }),
	"upper": kindTest(func(v any) bool { s := str(v); return s == strings.ToUpper(s) && s != strings.ToLower(s) }),
	"filter": func(s *scope, v any, _ arguments) (bool, error) {
		_, ok := s.run.filters[str(v)]
		return ok, nil
	},
	"test": func(s *scope, v any, _ arguments) (bool, error) {
		_, ok := s.run.tests[str(v)]
		return ok, nil
	},
}

func kindTest(is func(any) bool) testFunc {
	return func(_ *scope, v any, _ arguments) (bool, error) { return is(v), nil }
}

func compareTest(op string) testFunc {
	return func(s *scope, v any, args arguments) (bool, error) {
		other, ok := args.at(0, "other")
		if !ok {
			return false, errors.New("expected a value to compare with")
		}
		return s.run.compare(op, v, other)
	}
}

func parity(rest int64) testFunc {
	return func(_ *scope, v any, _ arguments) (bool, error) {
		n, ok := asInt(v)
		if !ok {
			return false, fmt.Errorf("expected a whole number, found %s", typeName(v))
		}
		return n&1 == rest, nil
	}
}

// same is identity for what has one, equality of kind and value for the rest.
func same(a, b any) bool {
	switch a := a.(type) {
	case *Dict:
		return any(a) == b
	case list, tuple, function:
		return false
	}
	switch b.(type) {
	case list, tuple, function:
		return false
	}
	return a == b
}
