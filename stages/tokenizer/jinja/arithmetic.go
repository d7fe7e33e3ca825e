package jinja

import "math"

func (r *run) compare(op string, a, b any) (bool, error) {
	switch op {
	case "==":
		return r.equal(a, b), nil
	case "!=":
		return !r.equal(a, b), nil
	case "in":
		return r.contains(b, a)
	case "not in":
		ok, err := r.contains(b, a)
		return !ok, err
	}
	n, err := r.order(a, b)
	switch op {
	case "<":
		return n < 0, err
	case "<=":
		return n <= 0, err
	case ">":
		return n > 0, err
	}
	return n >= 0, err
}

func arithmetic(r *run, op string, a, b any) (any, error) {
	if op == "~" {
		left, right := str(a), str(b)
		if err := r.use(len(left) + len(right)); err != nil {
			return nil, err
		}
		return left + right, nil
	}
	x, ok1 := asInt(a)
	y, ok2 := asInt(b)
	if ok1 && ok2 {
		return integers(op, x, y)
	}
	p, ok1 := asFloat(a)
	q, ok2 := asFloat(b)
	if ok1 && ok2 {
		return floats(op, p, q)
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok && op == "+" {
			return r.grown(a + b)
		}
		if op == "%" {
			return printf(r, a, b)
		}
		if n, ok := asInt(b); ok && op == "*" {
			return r.repeat(a, n)
		}
	case list:
		if b, ok := b.(list); ok && op == "+" {
			return r.grownList(append(a[:len(a):len(a)], b...))
		}
	case tuple:
		if b, ok := b.(tuple); ok && op == "+" {
			both := append(a[:len(a):len(a)], b...)
			return both, r.use(16 * len(both))
		}
	case int64:
		if b, ok := b.(string); ok && op == "*" {
			return r.repeat(b, a)
		}
	}
	for _, v := range []any{a, b} {
		if u, ok := v.(undefined); ok {
			return nil, errorf(0, "%s", u.what)
		}
	}
	return nil, errorf(0, "%s %s %s is not possible", typeName(a), op, typeName(b))
}

func integers(op string, x, y int64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		if y < 0 {
			return math.Pow(float64(x), float64(y)), nil
		}
		out, base := int64(1), x
		for ; y > 0; y >>= 1 {
			if y&1 == 1 {
				out *= base
			}
			base *= base
		}
		return out, nil
	}
	if y == 0 {
		return nil, errorf(0, "division by zero")
	}
	switch op {
	case "/":
		return float64(x) / float64(y), nil
	case "//": // rounded down
		q := x / y
		if x%y != 0 && (x < 0) != (y < 0) {
			q--
		}
		return q, nil
	}
	m := x % y // of the divisor's sign
	if m != 0 && (m < 0) != (y < 0) {
		m += y
	}
	return m, nil
}

func floats(op string, x, y float64) (any, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, errorf(0, "division by zero")
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	return x - y*math.Floor(x/y), nil
}

// pick are the elements of a slice, as Python counts them.
func pick(all []any, bounds [3]int64, given [3]bool) ([]any, error) {
	n, step := int64(len(all)), int64(1)
	if given[2] {
		if step = bounds[2]; step == 0 {
			return nil, errorf(0, "the step of a slice is 0")
		}
	}
	lowest, highest := int64(0), n
	if step < 0 {
		lowest, highest = -1, n-1
	}
	clamp := func(i int, fallback int64) int64 {
		if !given[i] {
			return fallback
		}
		b := bounds[i]
		if b < 0 {
			b = max(b+n, lowest)
		}
		return min(b, highest)
	}
	start, stop := clamp(0, lowest), clamp(1, highest)
	if step < 0 {
		start, stop = clamp(0, highest), clamp(1, lowest)
	}
	var out []any
	if step > 0 {
		for i := start; i < stop; i += step {
			out = append(out, all[i])
			if i > n-step {
				break
			}
		}
		return out, nil
	}
	for i := start; i > stop; i += step {
		out = append(out, all[i])
		if step < -n {
			break
		}
	}
	return out, nil
}
