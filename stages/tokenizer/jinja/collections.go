package jinja

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// attributeKey reads an attribute of each element: a name, several with dots between, or an index. Nil
// stands for the element itself.
func attributeKey(s *scope, name any) (func(any) (any, error), error) {
	switch name := name.(type) {
	case nil:
		return nil, nil
	case int64:
		return func(v any) (any, error) { return itemOf(s, v, name) }, nil
	case string:
		parts := strings.Split(name, ".")
		return func(v any) (_ any, err error) {
			for _, part := range parts {
				var key any = part
				if n, err := strconv.ParseInt(part, 10, 64); err == nil {
					key = n
				}
				if v, err = itemOf(s, v, key); err != nil {
					return nil, err
				}
			}
			return v, nil
		}, nil
	}
	return nil, fmt.Errorf("attribute: expected a name, found %s", typeName(name))
}

func mapFilter(s *scope, v any, args arguments) (any, error) {
	all, err := s.run.items(v)
	if err != nil {
		return nil, err
	}
	var of func(any) (any, error)
	if name, ok := args.named["attribute"]; ok {
		key, err := attributeKey(s, name)
		if err != nil {
			return nil, err
		}
		fallback, has := args.named["default"]
		of = func(v any) (any, error) {
			v, err := key(v)
			if _, none := v.(undefined); none && has {
				return fallback, err
			}
			return v, err
		}
	} else {
		name := str(args.or(0, "filter", ""))
		f, ok := s.run.filters[name]
		if !ok {
			return nil, fmt.Errorf("no filter named %q", name)
		}
		of = func(v any) (any, error) { return f(s, v, args.behind(1)) }
	}
	out := make(list, len(all))
	if err := s.run.use(16 * len(out)); err != nil {
		return nil, err
	}
	for i, v := range all {
		if err := s.run.step(); err != nil {
			return nil, err
		}
		if out[i], err = of(v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// choose keeps the elements, or those with an attribute, that pass a test, or that do not.
func choose(s *scope, v any, args arguments, attribute, want bool) (any, error) {
	all, err := s.run.items(v)
	if err != nil {
		return nil, err
	}
	key := func(v any) (any, error) { return v, nil }
	if attribute {
		if len(args.positional) == 0 {
			return nil, errors.New("expected the name of an attribute")
		}
		if key, err = attributeKey(s, args.positional[0]); err != nil {
			return nil, err
		}
		args = args.behind(1)
	}
	test := func(_ *scope, v any, _ arguments) (bool, error) { return truth(v), nil }
	if len(args.positional) > 0 {
		name := str(args.positional[0])
		named, ok := s.run.tests[name]
		if !ok {
			return nil, fmt.Errorf("no test named %q", name)
		}
		test = named
		args = args.behind(1)
	}
	out := list{}
	for _, v := range all {
		if err := s.run.step(); err != nil {
			return nil, err
		}
		k, err := key(v)
		if err != nil {
			return nil, err
		}
		ok, err := test(s, k, args)
		if err != nil {
			return nil, err
		}
		if ok == want {
			out = append(out, v)
		}
	}
	return s.run.grownList(out)
}

// sorted orders values, by a key and without regard to case if asked to.
func (r *run) sorted(all []any, key func(any) (any, error), reverse, fold bool) ([]any, error) {
	keys := make([]any, len(all))
	places := make([]int, len(all))
	for i, v := range all {
		places[i] = i
		if key != nil {
			var err error
			if v, err = key(v); err != nil {
				return nil, err
			}
		}
		if text, ok := v.(string); ok && fold {
			v = strings.ToLower(text)
		}
		keys[i] = v
		if err := r.look(v); err != nil { // its comparisons
			return nil, err
		}
	}
	var failed error
	slices.SortStableFunc(places, func(i, j int) int {
		n, err := r.order(keys[i], keys[j])
		if err != nil {
			failed = err
		}
		if reverse {
			return -n
		}
		return n
	})
	out := make([]any, len(all))
	for i, p := range places {
		out[i] = all[p]
	}
	return out, failed
}

func sortedNames(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func dictsort(s *scope, v any, args arguments) (any, error) {
	d, ok := v.(*Dict)
	if !ok {
		return nil, fmt.Errorf("expected a dict, found %s", typeName(v))
	}
	place := 0
	if str(args.or(1, "by", "key")) == "value" {
		place = 1
	}
	all, err := s.run.sorted(d.pairs(), func(v any) (any, error) { return v.(tuple)[place], nil }, truth(args.or(2, "reverse", false)), !truth(args.or(0, "case_sensitive", false)))
	if err != nil {
		return nil, err
	}
	return s.run.grownList(all)
}

func extreme(s *scope, v any, args arguments, sign int) (any, error) {
	all, err := s.run.items(v)
	if err != nil || len(all) == 0 {
		return undefined{"there is no item"}, err
	}
	key, err := attributeKey(s, args.or(1, "attribute", nil))
	if err != nil {
		return nil, err
	}
	all, err = s.run.sorted(all, key, sign > 0, !truth(args.or(0, "case_sensitive", false)))
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func sum(s *scope, v any, args arguments) (any, error) {
	all, err := s.run.items(v)
	if err != nil {
		return nil, err
	}
	key, err := attributeKey(s, args.or(0, "attribute", nil))
	if err != nil {
		return nil, err
	}
	total := args.or(1, "start", int64(0))
	for _, v := range all {
		if key != nil {
			if v, err = key(v); err != nil {
				return nil, err
			}
		}
		if total, err = arithmetic(s.run, "+", total, v); err != nil {
			return nil, err
		}
	}
	return total, nil
}

func unique(s *scope, v any, args arguments) (any, error) {
	all, err := s.run.items(v)
	if err != nil {
		return nil, err
	}
	key, err := attributeKey(s, args.or(1, "attribute", nil))
	if err != nil {
		return nil, err
	}
	fold := !truth(args.or(0, "case_sensitive", false))
	var out, seen list
	for _, v := range all {
		k := v
		if key != nil {
			if k, err = key(v); err != nil {
				return nil, err
			}
		}
		if text, ok := k.(string); ok && fold {
			k = strings.ToLower(text)
		}
		if err := s.run.use(8 * len(seen)); err != nil { // each is compared with all
			return nil, err
		}
		if ok, _ := s.run.contains(seen, k); !ok {
			out, seen = append(out, v), append(seen, k)
		}
	}
	return out, nil
}
