package expr

import (
	"encoding/binary"
	"math/big"
	"slices"
)

// solve returns the numbers that satisfy a chain of inequalities in one symbol: linear and quadratic
// ones with rational coefficients, ones with the symbol alone on a side, and absolute values of these
// against numbers.
func (c *comparer) solve(f *form) (pieces []piece, variable string, ok bool) {
	seen := map[string]bool{}
	for _, m := range f.items {
		for _, name := range m.expr.symbols() {
			seen[foldName(name, c.fold)] = true
		}
	}
	if len(seen) != 1 {
		return nil, "", false
	}
	for name := range seen {
		variable = name
	}
	pieces = []piece{{}}
	for i, rel := range f.rels {
		q, ok := c.solveOne(f.items[i].expr, rel, f.items[i+1].expr, 0)
		if !ok {
			return nil, "", false
		}
		if pieces, ok = c.intersect(pieces, q); !ok {
			return nil, "", false
		}
	}
	return pieces, variable, true
}

// flipped is the relation read from the right.
var flipped = map[string]string{"<": ">", ">": "<", "≤": "≥", "≥": "≤", "≠": "≠"}

func (c *comparer) solveOne(x *node, rel string, y *node, depth int) ([]piece, bool) {
	if c.closed(x) {
		x, y, rel = y, x, flipped[rel]
	}
	if y.isConstant("inf") || y.op == opMul && y.args[len(y.args)-1].isConstant("inf") {
		return []piece{{}}, true // x < ∞ says nothing
	}
	if c.closed(y) && x.op == opSymbol {
		return c.ray(rel, y)
	}
	if c.closed(y) && x.op == opCall && x.name == "abs" && depth < 3 {
		return c.solveAbs(x.args[0], rel, y, depth)
	}
	r := newRing(c.budget, c.fold)
	p, ok := r.normal(x)
	if !ok {
		return nil, false
	}
	q, ok := r.normal(y)
	if !ok || len(r.atoms) != 1 || len(r.square) > 0 {
		return nil, false
	}
	q.num = r.scale(q.num, big.NewRat(-1, 1))
	d, ok := r.addQ(p, q)
	if !ok || len(d.den) != 1 || d.den[""] == nil {
		return nil, false
	}
	if d.den[""].Sign() < 0 {
		rel = flipped[rel]
	}
	var coef [3]*big.Rat
	for i := range coef {
		coef[i] = new(big.Rat)
	}
	for k, v := range d.num {
		e := uint32(0)
		if k != "" {
			e = binary.BigEndian.Uint32([]byte(k))
		}
		if e > 2 {
			return nil, false
		}
		coef[e] = v
	}
	if coef[2].Sign() == 0 {
		if coef[1].Sign() == 0 {
			return nil, false
		}
		if coef[1].Sign() < 0 {
			rel = flipped[rel]
		}
		root := new(big.Rat).Quo(coef[0], coef[1])
		return c.ray(rel, number(root.Neg(root)))
	}
	return c.quadratic(coef, rel)
}

// ray is the numbers in a relation to an end.
func (c *comparer) ray(rel string, end *node) ([]piece, bool) {
	switch rel {
	case "<", "≤":
		return []piece{{high: end, closedHigh: rel == "≤"}}, true
	case ">", "≥":
		return []piece{{low: end, closedLow: rel == "≥"}}, true
	case "≠":
		return []piece{{high: end}, {low: end}}, true
	}
	return nil, false
}

// solveAbs splits |x| < y into −y < x < y, and |x| > y into its two parts.
func (c *comparer) solveAbs(x *node, rel string, y *node, depth int) ([]piece, bool) {
	b := &builder{budget: c.budget}
	minus := b.neg(y)
	if s, ok := c.order(y, integer(0)); !ok || s <= 0 {
		return nil, false
	}
	lower, ok1 := c.solveOne(x, flipped[rel], minus, depth+1)
	upper, ok2 := c.solveOne(x, rel, y, depth+1)
	if !ok1 || !ok2 {
		return nil, false
	}
	switch rel {
	case "<", "≤", "≠":
		return c.intersect(lower, upper)
	}
	return c.tidy(append(slices.Clone(lower), upper...))
}

// quadratic solves a x² + b x + c against zero.
func (c *comparer) quadratic(coef [3]*big.Rat, rel string) ([]piece, bool) {
	b := &parser{builder: builder{budget: c.budget}}
	if coef[2].Sign() < 0 {
		rel = flipped[rel]
		for i := range coef {
			coef[i] = new(big.Rat).Neg(coef[i])
		}
	}
	disc := new(big.Rat).Mul(coef[1], coef[1])
	disc.Sub(disc, new(big.Rat).Mul(big.NewRat(4, 1), new(big.Rat).Mul(coef[2], coef[0])))
	if disc.Sign() <= 0 {
		return nil, false
	}
	root := b.rootOf(number(disc), integer(2))
	double := number(new(big.Rat).Mul(ratTwo, coef[2]))
	minus := number(new(big.Rat).Neg(coef[1]))
	low := b.div(b.add(minus, b.neg(root)), double)
	high := b.div(b.add(minus, root), double)
	switch rel {
	case "<", "≤":
		return []piece{{low, high, rel == "≤", rel == "≤"}}, true
	case ">", "≥":
		return []piece{{high: low, closedHigh: rel == "≥"}, {low: high, closedLow: rel == "≥"}}, true
	}
	return []piece{{high: low}, {low: low, high: high}, {low: high}}, true
}
