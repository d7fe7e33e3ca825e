package expr

import "math/big"

// angles are the functions whose argument is an angle.
var angles = set("sin", "cos", "tan", "cot", "sec", "csc")

// call evaluates a function.
func (ev *evaluator) call(n *node) complexBall {
	if angles[n.name] {
		ev.inside++
		defer func() { ev.inside-- }()
	}
	args := make([]complexBall, len(n.args))
	for i, a := range n.args {
		args[i] = ev.eval(a)
	}
	z := args[0]
	switch n.name {
	case "ln":
		return ev.lnC(z)
	case "abs":
		if z.real() {
			return realBall(ev.abs(z.re))
		}
		return realBall(ev.sqrt(ev.add(ev.mul(z.re, z.re), ev.mul(z.im, z.im))))
	case "Re":
		return realBall(z.re)
	case "Im":
		return realBall(z.im)
	case "fact":
		return ev.product(z)
	case "binom":
		return ev.binom(z, args[1])
	case "gcd", "lcm":
		return ev.divisor(n.name, args)
	}
	if !z.real() {
		return ev.complexCall(n.name, z)
	}
	if f, ok := realFunctions[n.name]; ok {
		return realBall(f(ev.arith, z.re))
	}
	switch n.name {
	case "mod":
		if q := ev.floor(ev.div(z.re, args[1].re)); args[1].real() {
			return realBall(ev.sub(z.re, ev.mul(args[1].re, q)))
		}
	case "max", "min":
		best := z.re
		for _, a := range args[1:] {
			s, known := ev.sub(a.re, best).sign()
			if !known || !a.real() {
				panic(undefined{})
			}
			if (s > 0) == (n.name == "max") {
				best = a.re
			}
		}
		return realBall(best)
	}
	panic(undefined{})
}

// realFunctions are the functions of one real number.
var realFunctions = map[string]func(*arith, ball) ball{
	"sin":    func(a *arith, x ball) ball { s, _ := a.sincos(x); return s },
	"cos":    func(a *arith, x ball) ball { _, c := a.sincos(x); return c },
	"tan":    func(a *arith, x ball) ball { s, c := a.sincos(x); return a.div(s, c) },
	"cot":    func(a *arith, x ball) ball { s, c := a.sincos(x); return a.div(c, s) },
	"sec":    func(a *arith, x ball) ball { _, c := a.sincos(x); return a.div(a.int(1), c) },
	"csc":    func(a *arith, x ball) ball { s, _ := a.sincos(x); return a.div(a.int(1), s) },
	"arcsin": (*arith).asin,
	"arccos": func(a *arith, x ball) ball { return a.sub(a.div(a.pi(), a.int(2)), a.asin(x)) },
	"arctan": (*arith).atan,
	"arccot": func(a *arith, x ball) ball { return a.sub(a.div(a.pi(), a.int(2)), a.atan(x)) },
	"arcsec": func(a *arith, x ball) ball {
		return a.sub(a.div(a.pi(), a.int(2)), a.asin(a.div(a.int(1), x)))
	},
	"arccsc": func(a *arith, x ball) ball { return a.asin(a.div(a.int(1), x)) },
	"sinh":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.sub(p, m) },
	"cosh":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.add(p, m) },
	"tanh":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.div(a.sub(p, m), a.add(p, m)) },
	"coth":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.div(a.add(p, m), a.sub(p, m)) },
	"sech":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.div(a.int(1), a.add(p, m)) },
	"csch":   func(a *arith, x ball) ball { p, m := a.halves(x); return a.div(a.int(1), a.sub(p, m)) },
	"arsinh": func(a *arith, x ball) ball { return a.ln(a.add(x, a.sqrt(a.add(a.mul(x, x), a.int(1))))) },
	"arcosh": func(a *arith, x ball) ball { return a.ln(a.add(x, a.sqrt(a.sub(a.mul(x, x), a.int(1))))) },
	"artanh": func(a *arith, x ball) ball {
		return a.div(a.ln(a.div(a.add(a.int(1), x), a.sub(a.int(1), x))), a.int(2))
	},
	"floor": (*arith).floor,
	"ceil":  func(a *arith, x ball) ball { return a.neg(a.floor(a.neg(x))) },
	"sgn": func(a *arith, x ball) ball {
		s, known := x.sign()
		if !known {
			panic(undefined{})
		}
		return a.int(int64(s))
	},
}

// halves returns e^x/2 and e^-x/2.
func (a *arith) halves(x ball) (plus, minus ball) {
	e := a.exp(x)
	return a.div(e, a.int(2)), a.div(a.int(1), a.mul(a.int(2), e))
}

// floor needs to know on which side of a whole number x is.
func (a *arith) floor(x ball) ball {
	if x.mid.Sign() != 0 && x.mid.MantExp(nil) > int(a.prec) {
		panic(undefined{})
	}
	k, _ := x.mid.Int(nil)
	y := a.float().SetInt(k)
	if x.mid.Sign() < 0 && x.mid.Cmp(y) != 0 {
		y.Sub(y, big.NewFloat(1))
	}
	if x.rad.f != 0 {
		down := a.sub(x, ball{y, mag{}})
		top := a.sub(ball{a.float().Add(y, big.NewFloat(1)), mag{}}, x)
		if down.hasZero() || top.hasZero() || down.mid.Sign() < 0 || top.mid.Sign() < 0 {
			panic(undefined{})
		}
	}
	return ball{y, mag{}}
}

// product is the factorial of a whole number.
func (ev *evaluator) product(z complexBall) complexBall {
	k, ok := ev.index(z)
	if !ok || k < 0 || k > 2000 {
		panic(undefined{})
	}
	ev.budget.spend(int(k) * 2)
	return realBall(ev.rat(new(big.Rat).SetInt(new(big.Int).MulRange(1, k))))
}

// binom is n(n−1)…(n−k+1)/k! for a whole k.
func (ev *evaluator) binom(n, k complexBall) complexBall {
	m, ok := ev.index(k)
	if !ok || m < 0 || m > 200 || !n.real() {
		panic(undefined{})
	}
	z := ev.int(1)
	for j := int64(0); j < m; j++ {
		z = ev.div(ev.mul(z, ev.sub(n.re, ev.int(j))), ev.int(j+1))
	}
	return realBall(z)
}

func (ev *evaluator) divisor(name string, args []complexBall) complexBall {
	total := new(big.Int)
	for i, a := range args {
		k, ok := ev.index(a)
		if !ok || k <= 0 {
			panic(undefined{})
		}
		x := big.NewInt(k)
		g := new(big.Int).GCD(nil, nil, total, x)
		switch {
		case i == 0:
			total = x
		case name == "gcd":
			total = g
		default:
			total.Mul(total, x).Quo(total, g)
		}
	}
	ev.budget.spend(10 * len(args))
	return realBall(ev.rat(new(big.Rat).SetInt(total)))
}

// complexCall evaluates the functions that have their usual formula for complex arguments.
func (ev *evaluator) complexCall(name string, z complexBall) complexBall {
	i := complexBall{ev.int(0), ev.int(1)}
	two := realBall(ev.int(2))
	switch name {
	case "arg":
		return realBall(ev.argument(z))
	case "sin", "cos", "tan":
		p := ev.expC(ev.mulC(i, z))
		m := ev.divC(realBall(ev.int(1)), p)
		s := ev.divC(ev.addC(p, ev.negC(m)), ev.mulC(two, i))
		c := ev.divC(ev.addC(p, m), two)
		switch name {
		case "sin":
			return s
		case "cos":
			return c
		}
		return ev.divC(s, c)
	case "sinh", "cosh":
		p := ev.expC(z)
		m := ev.divC(realBall(ev.int(1)), p)
		if name == "sinh" {
			m = ev.negC(m)
		}
		return ev.divC(ev.addC(p, m), two)
	}
	panic(undefined{})
}
