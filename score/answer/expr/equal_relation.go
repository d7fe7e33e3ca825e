package expr

import "math/big"

// assigned compares a formula with the right side of an assignment.
func (c *comparer) assigned(x, y *form) verdict { return c.compare(x, y.items[1]) }

// assigned2 compares the right side of an assignment with a structure.
func (c *comparer) assigned2(x, y *form) verdict {
	// (x, y) = (1, 2) against x = 1, y = 2
	left, right := x.items[0], x.items[1]
	if y.kind == KindList && left.kind == KindTuple && right.kind == KindTuple && len(left.items) == len(right.items) {
		l := &form{kind: KindList}
		for i, m := range left.items {
			if m.kind != KindLetter && !m.isExpr() {
				return c.compare(right, y)
			}
			l.items = append(l.items, assign(m.String(), m, right.items[i]))
		}
		if len(y.items) > 0 && y.items[0].kind == KindAssignment {
			return c.members(l, y)
		}
	}
	return c.compare(right, y)
}

// assignments compares names and right sides; where these differ, the two as equations.
func (c *comparer) assignments(x, y *form) verdict {
	if x.name == y.name {
		return c.compare(x.items[1], y.items[1])
	}
	return c.equations(x, y)
}

// identity compares a formula with an equation that has no unknown, or whose sides are the same formula,
// (x+1)^2 = x^2+2x+1: with its last side, or with either side of an approximation.
func (c *comparer) identity(x, y *form) verdict {
	left, right := y.items[0], y.items[1]
	if !left.isExpr() || !right.isExpr() {
		return c.because(different, "an equation and a value")
	}
	if !c.closed(left.expr) && !y.approx && (c.closed(x.expr) || c.compare(left, right) != same) {
		return c.because(different, "an equation and a value")
	}
	v := c.compare(x, right)
	if v != same && y.approx && c.compare(x, left) == same {
		return same
	}
	return v
}

// equations compares sides, and else the differences of the sides up to a factor.
func (c *comparer) equations(x, y *form) verdict {
	a, b := x.items, y.items
	if c.compare(a[0], b[0]) == same && c.compare(a[1], b[1]) == same || c.compare(a[0], b[1]) == same && c.compare(a[1], b[0]) == same {
		return c.because(same, "sides")
	}
	for _, m := range []*form{a[0], a[1], b[0], b[1]} {
		if !m.isExpr() || m.expr.op == opMatrix {
			return c.because(different, "sides")
		}
	}
	bld := &builder{budget: c.budget}
	f := bld.add(a[0].expr, bld.neg(a[1].expr))
	g := bld.add(b[0].expr, bld.neg(b[1].expr))
	if c.closed(f) || c.closed(g) {
		return c.because(different, "sides")
	}
	v, _ := c.factor(f, g)
	return v
}

// factor decides whether g is a number times f, and returns the number's sign.
func (c *comparer) factor(f, g *node) (verdict, int) {
	v, sign := undecided, 0
	c.budget.try(60_000, func() {
		r := newRing(c.budget, c.fold)
		p, ok := r.normal(f)
		if !ok {
			return
		}
		q, ok := r.normal(g)
		if !ok || len(p.num) == 0 || len(q.num) == 0 {
			return
		}
		// The denominators go: an equation is as good without them.
		a, ok1 := r.mul(p.num, q.den)
		b, ok2 := r.mul(q.num, p.den)
		if !ok1 || !ok2 {
			return
		}
		k, found := r.proportional(a, b)
		if !found && !(len(r.square) == 0 && len(p.den) == 1 && len(q.den) == 1) {
			if k, found = r.proportional(p.num, q.num); found && (len(p.den) != 1 || len(q.den) != 1) {
				k.SetInt64(0) // of no known sign
			}
		}
		if found {
			v, sign = same, k.Sign()
		} else if len(r.square) == 0 {
			v = different
		}
	})
	if v != undecided {
		return c.because(v, "equations"), sign
	}
	return c.factorAtPoints(f, g)
}

// factorAtPoints compares the ratio of f and g at points.
func (c *comparer) factorAtPoints(f, g *node) (verdict, int) {
	p := c.pair(f, g)
	if len(p.names) == 0 || len(p.names) > maxAtoms {
		return c.because(undecided, "equations"), 0
	}
	count, sign := 0, 0
	var x0, y0 *node
	bld := &builder{budget: c.budget}
	for k := range allPoints {
		if scales[k].whole && !p.whole {
			break
		}
		at := point(k, p.names)
		fk, gk := substitute(bld, f, at, c.fold), substitute(bld, g, at, c.fold)
		if x0 == nil {
			ev := &evaluator{arith: newArith(firstPrec, c.budget), values: map[string]*big.Rat{}, reals: p.reals}
			x, ok1 := ev.value(fk)
			y, ok2 := ev.value(gk)
			if !ok1 || !ok2 {
				continue
			}
			if x.re.hasZero() || y.re.hasZero() {
				if x.re.hasZero() != y.re.hasZero() {
					return c.because(different, "equations"), 0
				}
				continue
			}
			x0, y0 = fk, gk
			sign = x.re.mid.Sign() * y.re.mid.Sign()
			continue
		}
		q := pair{x: bld.mul(x0, gk), y: bld.mul(fk, y0), reals: p.reals}
		switch c.atPoint(q, nil, false) {
		case agree:
			count++
		case apart:
			return c.because(different, "equations"), 0
		}
	}
	if count < needPoint {
		return c.because(undecided, "equations"), 0
	}
	return c.because(same, "equations"), sign
}

// substitute puts numbers for symbols.
func substitute(b *builder, n *node, at map[string]*big.Rat, fold bool) *node {
	b.budget.spend(1)
	if n.op == opSymbol {
		if r, ok := at[foldName(n.name, fold)]; ok {
			return number(r)
		}
		return n
	}
	if len(n.args) == 0 {
		return n
	}
	m := *n
	m.args = make([]*node, len(n.args))
	for i, a := range n.args {
		if n.op == opSeries && (i == 0 || i == 3) {
			inner := make(map[string]*big.Rat, len(at))
			for name, v := range at {
				if name != foldName(n.args[0].name, fold) {
					inner[name] = v
				}
			}
			m.args[i] = substitute(b, a, inner, fold)
			continue
		}
		m.args[i] = substitute(b, a, at, fold)
	}
	return &m
}

// inequalities compares the sets that they describe in one symbol, and else the chains, read from
// either end, side by side up to a factor.
func (c *comparer) inequalities(x, y *form) verdict {
	a, va, ok1 := c.region(x)
	b, vb, ok2 := c.region(y)
	if ok1 && ok2 {
		if va != vb {
			return c.because(different, "variables")
		}
		return c.samePieces(a, b)
	}
	v := c.chain(x, y, false)
	if v != same {
		if w := c.chain(x, y, true); w == same {
			return same
		}
	}
	return v
}

func (c *comparer) chain(x, y *form, reverse bool) verdict {
	n := len(x.rels)
	if n != len(y.rels) {
		return c.because(different, "inequalities")
	}
	bld := &builder{budget: c.budget}
	worst := same
	for i := range n {
		l, rel, r := y.items[i].expr, y.rels[i], y.items[i+1].expr
		if reverse {
			l, rel, r = y.items[n-i].expr, flipped[y.rels[n-1-i]], y.items[n-i-1].expr
		}
		xl, xr := x.items[i].expr, x.items[i+1].expr
		if x.rels[i] == rel && c.nodes(xl, l) == same && c.nodes(xr, r) == same {
			continue
		}
		v, sign := c.factor(bld.add(xl, bld.neg(xr)), bld.add(l, bld.neg(r)))
		if v == same {
			want := rel
			if sign < 0 {
				want = flipped[rel]
			}
			if sign == 0 || want != x.rels[i] {
				return c.because(different, "direction or strictness")
			}
			continue
		}
		if v == different {
			return c.because(different, "inequalities")
		}
		worst = undecided
	}
	return c.because(worst, "inequalities")
}

// inequalityList compares a chain with a list of inequalities that all hold.
func (c *comparer) inequalityList(x, y *form) verdict {
	u := &form{kind: KindUnion, items: y.items}
	for i, m := range y.items {
		if m.kind != KindInequality {
			return c.because(different, "inequality and list")
		}
		if i > 0 {
			u.rels = append(u.rels, "∩")
		}
	}
	if c.regions(x, u) == same {
		return same
	}
	for i := range u.rels {
		u.rels[i] = "∪"
	}
	return c.regions(x, u)
}
