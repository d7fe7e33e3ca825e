package expr

import (
	"math/big"
	"strconv"
	"strings"
)

// quotient is a rational function: num/den with den not zero.
type quotient struct{ num, den poly }

var onePoly = constantPoly(ratOne)

// normal returns the rational function that n is, if n is one in the atoms of r: symbols, π, i and
// square roots of numbers.
func (r *ring) normal(n *node) (quotient, bool) {
	r.budget.spend(1)
	none := quotient{}
	switch n.op {
	case opNumber:
		return quotient{constantPoly(n.num), onePoly}, true
	case opSymbol:
		i, ok := r.atom(foldName(n.name, r.fold), nil)
		if !ok {
			return none, false
		}
		return quotient{atomPoly(i), onePoly}, true
	case opConstant:
		var i int
		ok := false
		switch n.name {
		case "pi":
			i, ok = r.atom("\x00pi", nil)
		case "i":
			i, ok = r.atom("\x00i", big.NewRat(-1, 1))
		}
		if !ok {
			return none, false
		}
		return quotient{atomPoly(i), onePoly}, true
	case opAdd, opMul:
		total, ok := r.normal(n.args[0])
		for _, a := range n.args[1:] {
			if !ok {
				break
			}
			var x quotient
			if x, ok = r.normal(a); !ok {
				break
			}
			if n.op == opAdd {
				total, ok = r.addQ(total, x)
			} else {
				total, ok = r.mulQ(total, x)
			}
		}
		return total, ok
	case opDiv:
		x, ok := r.normal(n.args[0])
		if !ok {
			return none, false
		}
		y, ok := r.normal(n.args[1])
		if !ok || len(y.num) == 0 {
			return none, false
		}
		return r.mulQ(x, quotient{y.den, y.num})
	case opPow:
		if k, ok := n.args[1].isInt(); ok && k > -maxDegree && k < maxDegree {
			x, ok := r.normal(n.args[0])
			if !ok || k < 0 && len(x.num) == 0 {
				return none, false
			}
			if k < 0 {
				x.num, x.den, k = x.den, x.num, -k
			}
			num, ok1 := r.pow(x.num, int(k))
			den, ok2 := r.pow(x.den, int(k))
			return quotient{num, den}, ok1 && ok2
		}
		if n.args[0].isNumber() && n.args[1].isNumber() && n.args[1].num.Denom().Cmp(ratTwo.Num()) == 0 && n.args[1].num.Num().IsInt64() {
			k := n.args[1].num.Num().Int64()
			root, ok := r.sqrt(n.args[0].num)
			if ok && k > 0 && k < 64 {
				p, ok := r.pow(root.num, int(k))
				q, ok2 := r.pow(root.den, int(k))
				return quotient{p, q}, ok && ok2
			}
		}
	case opRoot:
		if k, ok := n.args[1].isInt(); ok && k == 2 && n.args[0].isNumber() {
			return r.sqrt(n.args[0].num)
		}
	}
	return none, false
}

func (r *ring) addQ(x, y quotient) (quotient, bool) {
	if x.den.equal(y.den) {
		num, ok := r.add(x.num, y.num)
		return quotient{num, x.den}, ok
	}
	a, ok1 := r.mul(x.num, y.den)
	b, ok2 := r.mul(y.num, x.den)
	den, ok3 := r.mul(x.den, y.den)
	if !ok1 || !ok2 || !ok3 {
		return quotient{}, false
	}
	num, ok := r.add(a, b)
	return quotient{num, den}, ok
}

func (r *ring) mulQ(x, y quotient) (quotient, bool) {
	num, ok1 := r.mul(x.num, y.num)
	den, ok2 := r.mul(x.den, y.den)
	return quotient{num, den}, ok1 && ok2
}

// equalQ compares by multiplying with both denominators.
func (r *ring) equalQ(x, y quotient) (equal, ok bool) {
	if x.den.equal(y.den) {
		return x.num.equal(y.num), true
	}
	a, ok1 := r.mul(x.num, y.den)
	b, ok2 := r.mul(y.num, x.den)
	return ok1 && ok2 && a.equal(b), ok1 && ok2
}

// primeBound is up to where factors of a radicand are looked for by division.
const primeBound = 2000

// sqrt writes the square root of a number as a multiple of a product of roots of primes and of i.
func (r *ring) sqrt(x *big.Rat) (quotient, bool) {
	if x.Sign() == 0 {
		return quotient{poly{}, onePoly}, true
	}
	if bits(x) > 512 {
		return quotient{}, false
	}
	// √(a/b) = √(ab)/b
	n := new(big.Int).Mul(x.Num(), x.Denom())
	out := constantPoly(ratOne)
	join := func(name string, square *big.Rat) bool {
		i, ok := r.atom(name, square)
		if ok {
			out, ok = r.mul(out, atomPoly(i))
		}
		return ok
	}
	if n.Sign() < 0 {
		n.Neg(n)
		if !join("\x00i", big.NewRat(-1, 1)) {
			return quotient{}, false
		}
	}
	outside := big.NewInt(1)
	if n.IsInt64() {
		m := n.Int64()
		r.budget.spend(20)
		for p := int64(2); p <= primeBound && p*p <= m; p++ {
			k := 0
			for m%p == 0 {
				m /= p
				k++
			}
			for range k / 2 {
				outside.Mul(outside, big.NewInt(p))
			}
			if k%2 == 1 && !join("\x00√"+strconv.FormatInt(p, 10), big.NewRat(p, 1)) {
				return quotient{}, false
			}
		}
		n.SetInt64(m)
	} else {
		p, q, m := new(big.Int), new(big.Int), new(big.Int)
		r.budget.spend(primeBound)
		for d := int64(2); d <= primeBound; d++ {
			p.SetInt64(d)
			k := 0
			for {
				if q.QuoRem(n, p, m); m.Sign() != 0 {
					break
				}
				n.Set(q)
				k++
			}
			for range k / 2 {
				outside.Mul(outside, p)
			}
			if k%2 == 1 && !join("\x00√"+p.String(), new(big.Rat).SetInt64(d)) {
				return quotient{}, false
			}
		}
	}
	if n.Cmp(big.NewInt(1)) > 0 {
		if root, square := intRoot(n, 2); square {
			outside.Mul(outside, root)
		} else if n.BitLen() <= 21 || n.ProbablyPrime(8) {
			// Below the square of the bound what is left is a prime.
			if !join("\x00√"+n.String(), new(big.Rat).SetInt(n)) {
				return quotient{}, false
			}
		} else {
			return quotient{}, false
		}
	}
	return quotient{r.scale(out, new(big.Rat).SetFrac(outside, x.Denom())), onePoly}, true
}

// foldName is a symbol's name without regard to case, if fold is set: names of one letter, with or
// without subscripts.
func foldName(name string, fold bool) string {
	if !fold || name[0] == '\\' {
		return name
	}
	return strings.ToLower(name)
}
