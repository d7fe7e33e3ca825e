package expr

import (
	"math"
	"math/big"
	"sync"
)

// Elementary functions are computed in fixed point, with guard bits more than the precision asked for:
// their own error stays below one unit in the last place, or below 2^-(prec+32) near zeros.

const (
	guard     = 64
	constBits = maxPrec + 2048 // of π and log 2
	maxAngle  = 1024           // binary exponent of an angle
)

var piFixed = sync.OnceValue(func() *big.Int {
	// Machin: π = 16 atan(1/5) − 4 atan(1/239)
	x := new(big.Int).Mul(big.NewInt(16), atanInverse(5))
	return x.Sub(x, new(big.Int).Mul(big.NewInt(4), atanInverse(239)))
})

var ln2Fixed = sync.OnceValue(func() *big.Int {
	// log 2 = 18 atanh(1/26) − 2 atanh(1/4801) + 8 atanh(1/8749)
	x := new(big.Int).Mul(big.NewInt(18), atanhInverse(26))
	x.Sub(x, new(big.Int).Mul(big.NewInt(2), atanhInverse(4801)))
	return x.Add(x, new(big.Int).Mul(big.NewInt(8), atanhInverse(8749)))
})

// Constants carry 64 bits more than constBits, for the roundings of their series.
func atanInverse(n int64) *big.Int  { return inverseSeries(n, true) }
func atanhInverse(n int64) *big.Int { return inverseSeries(n, false) }

func inverseSeries(n int64, alternate bool) *big.Int {
	term := new(big.Int).Lsh(big.NewInt(1), constBits+64)
	term.Quo(term, big.NewInt(n))
	sum, part, sq := new(big.Int), new(big.Int), big.NewInt(n*n)
	for k := int64(1); term.Sign() != 0; k += 2 {
		part.Quo(term, big.NewInt(k))
		if alternate && k%4 == 3 {
			sum.Sub(sum, part)
		} else {
			sum.Add(sum, part)
		}
		term.Quo(term, sq)
	}
	return sum
}

// fixedConst returns a constant with wp bits after the point.
func fixedConst(c *big.Int, wp uint) *big.Int { return new(big.Int).Rsh(c, constBits+64-wp) }

// fixed converts x to wp bits after the point.
func fixed(x *big.Float, wp uint) *big.Int {
	y := new(big.Float).SetPrec(x.Prec()).SetMantExp(x, int(wp))
	z, _ := y.Int(nil)
	return z
}

// unfixed converts back, rounding to the precision.
func (a *arith) unfixed(x *big.Int, wp uint) *big.Float {
	f := a.float().SetInt(x)
	return f.SetMantExp(f, -int(wp))
}

func (a *arith) pi() ball {
	return a.approx(a.unfixed(fixedConst(piFixed(), a.prec+guard), a.prec+guard), mag{})
}

// expFixed is e^r for |r| < 1.
func (a *arith) expFixed(r *big.Int, wp uint) *big.Int {
	const halvings = 12
	x := new(big.Int).Rsh(r, halvings)
	one := new(big.Int).Lsh(big.NewInt(1), wp)
	sum, term := new(big.Int).Add(one, x), new(big.Int).Set(x)
	n := new(big.Int)
	for k := int64(2); term.Sign() != 0 && k < 4000; k++ {
		a.budget.spend(a.cost())
		term.Mul(term, x)
		term.Rsh(term, wp)
		term.Quo(term, n.SetInt64(k))
		if term.IsInt64() && term.Int64() == -1 {
			break
		}
		sum.Add(sum, term)
	}
	for range halvings {
		a.budget.spend(a.cost())
		sum.Mul(sum, sum)
		sum.Rsh(sum, wp)
	}
	return sum
}

func (a *arith) exp(x ball) ball {
	if x.mid.Sign() == 0 && x.rad.f == 0 {
		return a.int(1)
	}
	if e := x.mid.MantExp(nil); x.mid.Sign() != 0 && e > 21 || x.rad.e > 0 && x.rad.f != 0 {
		panic(undefined{})
	}
	wp := a.prec + guard
	r := fixed(x.mid, wp)
	ln2 := fixedConst(ln2Fixed(), wp)
	k := new(big.Int).Quo(r, ln2)
	r.Sub(r, new(big.Int).Mul(k, ln2))
	y := a.unfixed(a.expFixed(r, wp), wp)
	y.SetMantExp(y, int(k.Int64()))
	// e^(x+d) − e^x ≤ 2d e^x for d < 1
	return a.approx(y, x.rad.mul(magOf(y)).mul(pow2(1)))
}

// ln is the logarithm of x > 0.
func (a *arith) ln(x ball) ball {
	if x.hasZero() || x.mid.Sign() < 0 {
		panic(undefined{})
	}
	wp := a.prec + guard
	m := new(big.Float)
	e := x.mid.MantExp(m)
	f, _ := m.Float64()
	y0 := fixed(big.NewFloat(math.Log(f)), wp)
	// m·e^(−y0) = 1+u with a small u
	t := a.expFixed(new(big.Int).Neg(y0), wp)
	t.Mul(t, fixed(m, wp))
	t.Rsh(t, wp)
	one := new(big.Int).Lsh(big.NewInt(1), wp)
	u := new(big.Int).Sub(t, one)
	z := new(big.Int).Lsh(u, wp)
	z.Quo(z, t.Add(t, one))
	sum := a.oddSeries(z, wp, false)
	sum.Lsh(sum, 1)
	sum.Add(sum, y0)
	sum.Add(sum, new(big.Int).Mul(fixedConst(ln2Fixed(), wp), big.NewInt(int64(e))))
	rad := pow2(-int(a.prec) - 24)
	if x.rad.f != 0 {
		low := x.lower()
		rad = rad.add(newMag(x.rad.f/low.f*up, x.rad.e-low.e))
	}
	return a.approx(a.unfixed(sum, wp), rad)
}

// oddSeries is z ± z³/3 + z⁵/5 ± …, alternating for the arc tangent.
func (a *arith) oddSeries(z *big.Int, wp uint, alternate bool) *big.Int {
	sq := new(big.Int).Mul(z, z)
	sq.Rsh(sq, wp)
	sum, term, part := new(big.Int), new(big.Int).Set(z), new(big.Int)
	for k := int64(1); term.Sign() != 0 && k < 8000; k += 2 {
		a.budget.spend(a.cost())
		part.Quo(term, big.NewInt(k))
		if alternate && k%4 == 3 {
			sum.Sub(sum, part)
		} else {
			sum.Add(sum, part)
		}
		neg := term.Sign() < 0
		term.Abs(term)
		term.Mul(term, sq)
		term.Rsh(term, wp)
		if neg {
			term.Neg(term)
		}
	}
	return sum
}

// sincos returns sine and cosine.
func (a *arith) sincos(x ball) (sin, cos ball) {
	e := 0
	if x.mid.Sign() != 0 {
		e = max(0, x.mid.MantExp(nil))
	}
	if e > maxAngle || x.rad.f != 0 && x.rad.e > 0 {
		panic(undefined{})
	}
	wp := a.prec + guard + uint(e)
	r := fixed(x.mid, wp)
	half := new(big.Int).Rsh(fixedConst(piFixed(), wp), 1)
	k := new(big.Int).Add(r, new(big.Int).Rsh(half, 1))
	k.Div(k, half)
	r.Sub(r, new(big.Int).Mul(k, half))
	s, c := a.taylor(r, wp)
	switch new(big.Int).And(k, big.NewInt(3)).Int64() {
	case 1:
		s, c = c, s.Neg(s)
	case 2:
		s.Neg(s)
		c.Neg(c)
	case 3:
		s, c = c.Neg(c), s
	}
	rad := pow2(-int(a.prec) - 24).add(x.rad)
	return a.approx(a.unfixed(s, wp), rad), a.approx(a.unfixed(c, wp), rad)
}

// taylor sums the series of sine and cosine for |r| < 1.
func (a *arith) taylor(r *big.Int, wp uint) (sin, cos *big.Int) {
	cos = new(big.Int).Lsh(big.NewInt(1), wp)
	sin = new(big.Int).Set(r)
	neg := r.Sign() < 0
	x := new(big.Int).Abs(r)
	sin.Abs(sin)
	term, n := new(big.Int).Set(x), new(big.Int)
	for k := int64(2); term.Sign() != 0 && k < 8000; k++ {
		a.budget.spend(a.cost())
		term.Mul(term, x)
		term.Rsh(term, wp)
		term.Quo(term, n.SetInt64(k))
		switch k % 4 {
		case 0:
			cos.Add(cos, term)
		case 1:
			sin.Add(sin, term)
		case 2:
			cos.Sub(cos, term)
		case 3:
			sin.Sub(sin, term)
		}
	}
	if neg {
		sin.Neg(sin)
	}
	return sin, cos
}

func (a *arith) atan(x ball) ball {
	if x.isZero() {
		return x
	}
	if x.mid.MantExp(nil) > 1 && !x.hasZero() { // |x| ≥ 2
		y := a.atan(a.div(a.int(1), x))
		h := a.pi()
		h.mid.SetMantExp(h.mid, -1)
		if x.mid.Sign() < 0 {
			h = a.neg(h)
		}
		return a.sub(h, y)
	}
	f, _ := x.mid.Float64()
	wp := a.prec + guard
	y0 := fixed(big.NewFloat(math.Atan(f)), wp)
	s, c := a.taylor(y0, wp)
	t := fixed(x.mid, wp)
	// u = (x c − s)/(c + x s)
	num := new(big.Int).Mul(t, c)
	num.Rsh(num, wp)
	num.Sub(num, s)
	den := new(big.Int).Mul(t, s)
	den.Rsh(den, wp)
	den.Add(den, c)
	num.Lsh(num, wp)
	num.Quo(num, den)
	sum := a.oddSeries(num, wp, true)
	sum.Add(sum, y0)
	return a.approx(a.unfixed(sum, wp), x.rad.add(pow2(-int(a.prec)-24)))
}

func (a *arith) asin(x ball) ball {
	d := a.sub(a.int(1), a.mul(x, x))
	if d.isZero() {
		h := a.pi()
		h.mid.SetMantExp(h.mid, -1)
		if x.mid.Sign() < 0 {
			h = a.neg(h)
		}
		return h
	}
	if s, ok := d.sign(); !ok || s < 0 {
		panic(undefined{})
	}
	return a.atan(a.div(x, a.sqrt(d)))
}
