package expr

import (
	"math/big"
)

// number of two balls: re + im·i. im is exactly zero for real values.
type complexBall struct{ re, im ball }

func (z complexBall) real() bool { return z.im.isZero() }

// evaluator computes the value of an expression at a point.
type evaluator struct {
	*arith
	values  map[string]*big.Rat
	fold    bool
	reals   bool // roots and logarithms of negative numbers have no value
	radians bool // degrees outside of functions are angles, not plain numbers
	inside  int  // in so many functions of angles
}

func realBall(x ball) complexBall { return complexBall{re: x, im: ball{mid: new(big.Float)}} }

// value evaluates n, and reports whether it has a value.
func (ev *evaluator) value(n *node) (z complexBall, ok bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case undefined:
			ok = false
		default:
			panic(r)
		}
	}()
	return ev.eval(n), true
}

func (ev *evaluator) eval(n *node) complexBall {
	ev.budget.spend(1)
	switch n.op {
	case opNumber:
		return realBall(ev.rat(n.num))
	case opSymbol:
		r, ok := ev.values[foldName(n.name, ev.fold)]
		if !ok {
			panic(undefined{})
		}
		return realBall(ev.rat(r))
	case opConstant:
		switch n.name {
		case "pi":
			return realBall(ev.pi())
		case "e":
			return realBall(ev.exp(ev.int(1)))
		case "i":
			return complexBall{ev.int(0), ev.int(1)}
		}
		panic(undefined{})
	case opAdd:
		z := ev.eval(n.args[0])
		for _, a := range n.args[1:] {
			z = ev.addC(z, ev.eval(a))
		}
		return z
	case opMul:
		z := ev.eval(n.args[0])
		for _, a := range n.args[1:] {
			z = ev.mulC(z, ev.eval(a))
		}
		return z
	case opDiv:
		return ev.divC(ev.eval(n.args[0]), ev.eval(n.args[1]))
	case opPow:
		return ev.power(n)
	case opRoot:
		return ev.root(ev.eval(n.args[0]), n.args[1])
	case opDegree:
		z := ev.eval(n.args[0])
		if ev.inside > 0 || ev.radians {
			z = ev.divC(ev.mulC(z, realBall(ev.pi())), realBall(ev.int(180)))
		}
		return z
	case opSeries:
		return ev.series(n)
	case opCall:
		return ev.call(n)
	}
	panic(undefined{})
}

func (ev *evaluator) addC(x, y complexBall) complexBall {
	z := complexBall{re: ev.add(x.re, y.re)}
	if x.real() && y.real() {
		z.im = x.im
		return z
	}
	z.im = ev.add(x.im, y.im)
	return z
}

func (ev *evaluator) negC(x complexBall) complexBall {
	return complexBall{ev.neg(x.re), ev.neg(x.im)}
}

func (ev *evaluator) mulC(x, y complexBall) complexBall {
	if x.real() && y.real() {
		return complexBall{ev.mul(x.re, y.re), x.im}
	}
	return complexBall{
		ev.sub(ev.mul(x.re, y.re), ev.mul(x.im, y.im)),
		ev.add(ev.mul(x.re, y.im), ev.mul(x.im, y.re)),
	}
}

func (ev *evaluator) divC(x, y complexBall) complexBall {
	if x.real() && y.real() {
		return complexBall{ev.div(x.re, y.re), x.im}
	}
	d := ev.add(ev.mul(y.re, y.re), ev.mul(y.im, y.im))
	z := ev.mulC(x, complexBall{y.re, ev.neg(y.im)})
	return complexBall{ev.div(z.re, d), ev.div(z.im, d)}
}

// expC is e^z.
func (ev *evaluator) expC(z complexBall) complexBall {
	m := ev.exp(z.re)
	if z.real() {
		return complexBall{m, z.im}
	}
	s, c := ev.sincos(z.im)
	return complexBall{ev.mul(m, c), ev.mul(m, s)}
}

// lnC is the principal logarithm.
func (ev *evaluator) lnC(z complexBall) complexBall {
	if z.real() {
		s, known := z.re.sign()
		switch {
		case !known || s == 0 || s < 0 && ev.reals:
			panic(undefined{})
		case s > 0:
			return complexBall{ev.ln(z.re), z.im}
		}
		return complexBall{ev.ln(ev.neg(z.re)), ev.pi()}
	}
	m := ev.ln(ev.add(ev.mul(z.re, z.re), ev.mul(z.im, z.im)))
	return complexBall{ev.div(m, ev.int(2)), ev.argument(z)}
}

// argument is the angle of z, which is not real.
func (ev *evaluator) argument(z complexBall) ball {
	half := ev.div(ev.pi(), ev.int(2))
	si, known := z.im.sign()
	if !known || si == 0 {
		panic(undefined{})
	}
	// angle = ±π/2 − atan(re/im)
	t := ev.atan(ev.div(z.re, z.im))
	if si < 0 {
		half = ev.neg(half)
	}
	return ev.sub(half, t)
}

// power is x^y: a product for whole y, real roots of negative numbers for odd denominators.
func (ev *evaluator) power(n *node) complexBall {
	y := n.args[1]
	if k, ok := y.isInt(); ok && k >= -4096 && k <= 4096 {
		return ev.whole(ev.eval(n.args[0]), k)
	}
	if n.args[0].isConstant("e") {
		return ev.expC(ev.eval(y))
	}
	x := ev.eval(n.args[0])
	if y.isNumber() && y.num.Denom().IsInt64() && y.num.Num().IsInt64() && y.num.Denom().Int64() < 1<<16 {
		q := y.num.Denom().Int64()
		if p := y.num.Num().Int64(); p >= -4096 && p <= 4096 {
			return ev.whole(ev.root(x, integer(q)), p)
		}
	}
	if x.re.isZero() && x.real() {
		if e := ev.eval(y); e.real() {
			if s, known := e.re.sign(); known && s > 0 {
				return realBall(ev.int(0))
			}
		}
		panic(undefined{})
	}
	e := ev.eval(y)
	// A whole exponent at this point, such as n in (-1)^n.
	if e.real() && e.re.rad.f == 0 && e.re.mid.IsInt() {
		if k, _ := e.re.mid.Int64(); k >= -4096 && k <= 4096 {
			return ev.whole(x, k)
		}
	}
	return ev.expC(ev.mulC(e, ev.lnC(x)))
}

// whole is x^k by repeated squaring.
func (ev *evaluator) whole(x complexBall, k int64) complexBall {
	if k < 0 {
		return ev.divC(realBall(ev.int(1)), ev.whole(x, -k))
	}
	z := realBall(ev.int(1))
	for ; k > 0; k >>= 1 {
		if k&1 == 1 {
			z = ev.mulC(z, x)
		}
		if k > 1 {
			x = ev.mulC(x, x)
		}
	}
	return z
}

// root is the k-th root: of a negative number the real one for odd k, else the principal one.
func (ev *evaluator) root(x complexBall, degree *node) complexBall {
	k, ok := degree.isInt()
	if !ok {
		return ev.expC(ev.divC(ev.lnC(x), ev.eval(degree)))
	}
	if k == 0 {
		panic(undefined{})
	}
	if k < 0 {
		return ev.divC(realBall(ev.int(1)), ev.root(x, integer(-k)))
	}
	if k == 1 {
		return x
	}
	if !x.real() {
		return ev.expC(ev.divC(ev.lnC(x), realBall(ev.int(k))))
	}
	s, known := x.re.sign()
	if known && s < 0 {
		if k%2 == 1 {
			return ev.negC(ev.root(ev.negC(x), degree))
		}
		if ev.reals {
			panic(undefined{})
		}
		r := ev.root(ev.negC(x), degree)
		if k == 2 {
			return complexBall{ev.int(0), r.re}
		}
		return ev.expC(ev.divC(ev.lnC(x), realBall(ev.int(k))))
	}
	if k == 2 {
		return realBall(ev.sqrt(x.re))
	}
	if !known {
		panic(undefined{})
	}
	if s == 0 {
		return x
	}
	return realBall(ev.exp(ev.div(ev.ln(x.re), ev.int(k))))
}

// maxSeries is how many terms of a sum or product are added up.
const maxSeries = 300

func (ev *evaluator) series(n *node) complexBall {
	from, to := ev.eval(n.args[1]), ev.eval(n.args[2])
	lo, ok1 := ev.index(from)
	hi, ok2 := ev.index(to)
	if !ok1 || !ok2 || hi-lo >= maxSeries {
		panic(undefined{})
	}
	name := foldName(n.args[0].name, ev.fold)
	old, had := ev.values[name]
	total := realBall(ev.int(0))
	if n.name == "prod" {
		total = realBall(ev.int(1))
	}
	for k := lo; k <= hi; k++ {
		ev.values[name] = new(big.Rat).SetInt64(k)
		x := ev.eval(n.args[3])
		if n.name == "prod" {
			total = ev.mulC(total, x)
		} else {
			total = ev.addC(total, x)
		}
	}
	if had {
		ev.values[name] = old
	} else {
		delete(ev.values, name)
	}
	return total
}

// index returns the whole number that z is, exactly.
func (ev *evaluator) index(z complexBall) (int64, bool) {
	if !z.real() || z.re.rad.f != 0 || !z.re.mid.IsInt() {
		return 0, false
	}
	k, acc := z.re.mid.Int64()
	return k, acc == big.Exact
}
