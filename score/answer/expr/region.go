package expr

import (
	"math/big"
	"slices"
)

// A piece is an interval of the real line; a nil end is infinite.
type piece struct {
	low, high             *node
	closedLow, closedHigh bool
}

// maxPieces bounds a region.
const maxPieces = 64

// region returns the set of real numbers that f stands for as disjoint pieces in order, and the name of
// its variable if it has one.
func (c *comparer) region(f *form) (pieces []piece, variable string, ok bool) {
	c.budget.spend(10)
	switch f.kind {
	case KindInterval, KindTuple:
		if len(f.items) != 2 || !f.items[0].isExpr() || !f.items[1].isExpr() || f.kind == KindTuple && f.left != "(" {
			return nil, "", false
		}
		if infinite(f.items[0].expr) > 0 || infinite(f.items[1].expr) < 0 {
			return nil, "", false
		}
		p := piece{c.end(f.items[0].expr), c.end(f.items[1].expr), f.left == "[", f.right == "]"}
		p.closedLow = p.closedLow && p.low != nil
		p.closedHigh = p.closedHigh && p.high != nil
		pieces, ok = c.tidy([]piece{p})
		return pieces, "", ok
	case KindSet, KindList:
		for _, m := range f.items {
			if !m.isExpr() {
				return nil, "", false
			}
			pieces = append(pieces, piece{m.expr, m.expr, true, true})
		}
		pieces, ok = c.tidy(pieces)
		return pieces, "", ok
	case KindAssignment:
		return c.region(f.items[1])
	case KindInequality:
		return c.solve(f)
	case KindUnion:
		pieces, variable, ok = c.region(f.items[0])
		for i, m := range f.items[1:] {
			if !ok {
				return nil, "", false
			}
			q, v, okq := c.region(m)
			if !okq || v != "" && variable != "" && v != variable {
				return nil, "", false
			}
			if v != "" {
				variable = v
			}
			switch f.rels[i] {
			case "∪":
				pieces, ok = c.tidy(append(slices.Clone(pieces), q...))
			case "∩":
				pieces, ok = c.intersect(pieces, q)
			case "∖":
				pieces, ok = c.intersect(pieces, c.complement(q))
			default:
				ok = false
			}
		}
		return pieces, variable, ok
	}
	return nil, "", false
}

// end returns an end of an interval, nil for an infinite one.
func (c *comparer) end(n *node) *node {
	if infinite(n) != 0 {
		return nil
	}
	return n
}

// order returns the sign of x − y for ends without symbols.
func (c *comparer) order(x, y *node) (int, bool) {
	if x.isNumber() && y.isNumber() {
		return x.num.Cmp(y.num), true
	}
	if !c.closed(x) || !c.closed(y) {
		return 0, false
	}
	ev := &evaluator{arith: newArith(128, c.budget), values: map[string]*big.Rat{}}
	a, ok1 := ev.value(x)
	b, ok2 := ev.value(y)
	if !ok1 || !ok2 || !a.real() || !b.real() {
		return 0, false
	}
	d, ok := ev.difference(a, b)
	if !ok {
		return 0, false
	}
	if s, known := d.re.sign(); known {
		return s, true
	}
	if c.identical(x, y) {
		return 0, true
	}
	return 0, false
}

// tidy puts pieces in order and joins those that touch.
func (c *comparer) tidy(pieces []piece) ([]piece, bool) {
	if len(pieces) > maxPieces {
		return nil, false
	}
	ok := true
	compare := func(x, y *node, missing int) int {
		switch {
		case x == nil && y == nil:
			return 0
		case x == nil:
			return missing
		case y == nil:
			return -missing
		}
		s, known := c.order(x, y)
		ok = ok && known
		return s
	}
	var kept []piece
	for _, p := range pieces {
		if p.low != nil && p.high != nil {
			s := compare(p.low, p.high, 0)
			if s > 0 || s == 0 && !(p.closedLow && p.closedHigh) {
				if len(pieces) == 1 {
					return nil, false // (3, 1) is no interval
				}
				continue
			}
		}
		kept = append(kept, p)
	}
	if !ok {
		return nil, false
	}
	slices.SortStableFunc(kept, func(a, b piece) int {
		if s := compare(a.low, b.low, -1); s != 0 {
			return s
		}
		if a.closedLow != b.closedLow {
			if a.closedLow {
				return -1
			}
			return 1
		}
		return 0
	})
	var out []piece
	for _, p := range kept {
		if n := len(out); n > 0 {
			last := &out[n-1]
			touch := last.high == nil || p.low == nil
			if !touch {
				s := compare(p.low, last.high, 0)
				touch = s < 0 || s == 0 && (p.closedLow || last.closedHigh)
			}
			if touch {
				if last.high != nil {
					s := compare(p.high, last.high, 1)
					if s > 0 {
						last.high, last.closedHigh = p.high, p.closedHigh
					} else if s == 0 {
						last.closedHigh = last.closedHigh || p.closedHigh
					}
				}
				continue
			}
		}
		out = append(out, p)
	}
	return out, ok
}

// complement is the rest of the line.
func (c *comparer) complement(pieces []piece) []piece {
	var out []piece
	low, closed := (*node)(nil), false
	open := true // whether there is anything below the next piece
	for i, p := range pieces {
		if i > 0 || p.low != nil {
			if open {
				out = append(out, piece{low, p.low, closed && low != nil, !p.closedLow && p.low != nil})
			}
		}
		low, closed = p.high, !p.closedHigh
		open = p.high != nil
	}
	if open {
		out = append(out, piece{low, nil, closed && low != nil, false})
	}
	return out
}

// intersect is the complement of the union of the complements.
func (c *comparer) intersect(a, b []piece) ([]piece, bool) {
	u, ok := c.tidy(append(c.complement(a), c.complement(b)...))
	if !ok {
		return nil, false
	}
	return c.complement(u), true
}

// eitherSet is the union in "x ∈ A or x ∈ B", or nil where items are not that.
func eitherSet(items []*form) *form {
	u := &form{kind: KindUnion}
	for i, m := range items {
		if m.kind != KindAssignment || m.name != items[0].name {
			return nil
		}
		switch s := m.items[1]; s.kind {
		case KindInterval, KindUnion, KindTuple:
			u.items = append(u.items, s)
		default:
			return nil
		}
		if i > 0 {
			u.rels = append(u.rels, "∪")
		}
	}
	if len(items) < 2 || !slices.ContainsFunc(u.items, func(s *form) bool { return s.kind != KindTuple || unbounded(s) }) {
		return nil
	}
	return assign(items[0].name, items[0].items[0], u)
}

// unbounded reports whether a pair can only be an interval, for an infinite end.
func unbounded(f *form) bool {
	return slices.ContainsFunc(f.items, func(m *form) bool {
		return m.expr != nil && (m.expr.isConstant("inf") || len(m.expr.args) > 0 && slices.ContainsFunc(m.expr.args, func(a *node) bool { return a.isConstant("inf") }))
	})
}
