package expr

import (
	"math/big"
)

// nodes compares two expressions: exactly if they are numbers, polynomials or rational functions of
// symbols and square roots, else by their values at points.
func (c *comparer) nodes(x, y *node) verdict {
	if x == y {
		return same
	}
	x, y = c.matrices(x), c.matrices(y)
	if x.op == opMatrix || y.op == opMatrix {
		return c.matrix(x, y)
	}
	if x.isNumber() && y.isNumber() {
		return c.numbers(x, y)
	}
	if a, b := infinite(x), infinite(y); a != 0 || b != 0 {
		if a == b {
			return c.because(same, "infinity")
		}
		return c.because(different, "infinity")
	}
	xs, ys := c.closed(x), c.closed(y)
	if xs && ys {
		if x.isNumber() && x.places != exact || y.isNumber() && y.places != exact {
			return c.decimal(x, y)
		}
	}
	v := undecided
	c.budget.try(60_000, func() { v = c.exactly(x, y) })
	if v != undecided {
		return v
	}
	return c.numerically(x, y)
}

// closed reports whether n has no symbols.
func (c *comparer) closed(n *node) bool { return len(n.symbols()) == 0 }

// numbers compares two numbers, of which any may be a decimal.
func (c *comparer) numbers(x, y *node) verdict {
	if x.num.Cmp(y.num) == 0 {
		return c.because(same, "numbers")
	}
	if x.places == exact && y.places == exact {
		return c.because(different, "numbers")
	}
	diff := new(big.Rat).Sub(x.num, y.num)
	return c.near(x, y, x.num, y.num, diff)
}

// near decides whether a decimal stands for a number that it is not exactly: it must give at least as
// many decimals as are compared, and agree to them, and to the significant digits of a small value.
func (c *comparer) near(x, y *node, xv, yv, diff *big.Rat) verdict {
	places := c.opt.Places
	reach := func(n *node) bool { return n.places == exact || n.places >= places }
	switch {
	case x.places != exact && y.places == x.places:
		return c.because(different, "decimals")
	case !reach(x) || !reach(y):
		return c.because(different, "decimals")
	}
	d := new(big.Rat).Abs(diff)
	half := tenth(places)
	half.Mul(half, big.NewRat(1, 2))
	if d.Cmp(half) > 0 {
		return c.because(different, "decimals")
	}
	size := new(big.Rat).Abs(xv)
	if s := new(big.Rat).Abs(yv); s.Cmp(size) > 0 {
		size = s
	}
	if d.Cmp(size.Mul(size, big.NewRat(1, 2000))) > 0 {
		return c.because(different, "small decimals")
	}
	return c.because(same, "decimals")
}

// tenth is 10^-places.
func tenth(places int) *big.Rat {
	return new(big.Rat).SetFrac(big.NewInt(1), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(min(places, 1000))), nil))
}

// decimal compares a decimal with a number that is no rational.
func (c *comparer) decimal(x, y *node) verdict {
	if !x.isNumber() {
		x, y = y, x
	}
	for _, radians := range []bool{false, true} {
		ev := &evaluator{arith: newArith(160+uint(min(bits(x.num), 2000)), c.budget), values: map[string]*big.Rat{}, radians: radians}
		z, ok := ev.value(y)
		if !ok || !z.re.rad.less(pow2(-40)) {
			return c.because(undecided, "no value")
		}
		if !z.real() && !z.im.small(100) {
			return c.because(different, "real and complex")
		}
		v, _ := z.re.mid.Rat(nil)
		if v == nil {
			v = new(big.Rat)
		}
		r := number(v)
		// A value that is the decimal to all digits is exactly that, such as cos 60°.
		diff := ev.sub(z.re, ev.rat(x.num))
		if diff.hasZero() && c.nodes(number(x.num), y) == same {
			return c.because(same, "decimals")
		}
		if c.near(x, r, x.num, v, new(big.Rat).Sub(x.num, v)) == same {
			return same
		}
		if !hasDegrees(y) {
			break
		}
	}
	return c.because(different, "decimals")
}

func hasDegrees(n *node) bool {
	found := false
	n.walk(func(m *node) bool {
		found = found || m.op == opDegree
		return !found
	})
	return found
}

// exactly compares in a ring where a difference is zero only if it is.
func (c *comparer) exactly(x, y *node) verdict {
	r := newRing(c.budget, c.fold)
	p, ok := r.normal(x)
	if !ok {
		return undecided
	}
	q, ok := r.normal(y)
	if !ok {
		return undecided
	}
	equal, ok := r.equalQ(p, q)
	what := "polynomials"
	switch {
	case len(r.atoms) == 0:
		what = "numbers"
	case len(p.den) > 1 || len(q.den) > 1:
		what = "rational functions"
	case c.closed(x) && c.closed(y):
		what = "surds"
	}
	switch {
	case !ok:
		return undecided
	case equal:
		return c.because(same, what)
	}
	return c.because(different, what)
}

// infinite returns the sign of ±∞, and zero for everything else.
func infinite(n *node) int {
	switch {
	case n.isConstant("inf"):
		return 1
	case n.op == opMul && len(n.args) == 2 && n.args[0].isNumber() && n.args[1].isConstant("inf"):
		return n.args[0].num.Sign()
	}
	return 0
}

// alike reports whether two expressions are built in the same way from the same parts.
func (c *comparer) alike(x, y *node) bool {
	c.budget.spend(1)
	if x.op != y.op || len(x.args) != len(y.args) || x.rows != y.rows {
		return false
	}
	if x.op == opNumber {
		return x.num.Cmp(y.num) == 0
	}
	if x.op == opSymbol && foldName(x.name, c.fold) != foldName(y.name, c.fold) || x.op != opSymbol && x.name != y.name {
		return false
	}
	for i := range x.args {
		if !c.alike(x.args[i], y.args[i]) {
			return false
		}
	}
	return true
}
