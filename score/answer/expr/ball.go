package expr

import (
	"math"
	"math/big"
)

// mag is a bound from above: f·2^e with f in [½, 1), or zero.
type mag struct {
	f float64
	e int
}

func newMag(f float64, e int) mag {
	if f == 0 {
		return mag{}
	}
	g, k := math.Frexp(f)
	return mag{g, e + k}
}

// up makes good for the rounding of one operation.
const up = 1 + 1e-14

func (m mag) add(n mag) mag {
	if m.f == 0 {
		return n
	}
	if n.f == 0 {
		return m
	}
	if m.e < n.e {
		m, n = n, m
	}
	if m.e-n.e > 60 {
		return newMag(m.f*up, m.e)
	}
	return newMag((m.f+math.Ldexp(n.f, n.e-m.e))*up, m.e)
}

func (m mag) mul(n mag) mag {
	if m.f == 0 || n.f == 0 {
		return mag{}
	}
	return newMag(m.f*n.f*up, m.e+n.e)
}

func (m mag) less(n mag) bool {
	if m.f == 0 || n.f == 0 {
		return m.f == 0 && n.f != 0
	}
	return m.e < n.e || m.e == n.e && m.f < n.f
}

// magOf bounds |x| from above.
func magOf(x *big.Float) mag {
	if x.Sign() == 0 {
		return mag{}
	}
	e := x.MantExp(nil)
	f, _ := new(big.Float).SetMantExp(x, -e).Float64()
	return newMag(math.Abs(f)*up, e)
}

func pow2(e int) mag { return mag{0.5, e + 1} }

// ball is a real number that is within rad of mid.
type ball struct {
	mid *big.Float
	rad mag
}

// arith computes with balls of one precision.
type arith struct {
	prec   uint
	budget *budget
	low    int // the smallest and the largest exponent of a value so far: how far apart values are
	high   int
}

func newArith(prec uint, b *budget) *arith {
	return &arith{prec: prec, budget: b, low: math.MaxInt32, high: math.MinInt32}
}

// cost is the steps of one multiplication.
func (a *arith) cost() int { w := int(a.prec) / 64; return 2 + w*w/16 }

func (a *arith) float() *big.Float { return new(big.Float).SetPrec(a.prec) }

// round makes a ball of a result that is off by at most one unit in the last place, and rad.
func (a *arith) round(x *big.Float, rad mag) ball {
	if x.Sign() != 0 {
		e := x.MantExp(nil)
		if e > maxExp || e < -maxExp {
			panic(undefined{})
		}
		if rad.f == 0 || e > rad.e+1 { // else it may be zero, and its size says nothing
			a.low, a.high = min(a.low, e), max(a.high, e)
		}
		if x.Acc() != big.Exact {
			rad = rad.add(pow2(e - int(a.prec)))
		}
	}
	if rad.e > maxExp {
		panic(undefined{})
	}
	return ball{x, rad}
}

// approx is round for an x that does not know whether it was rounded.
func (a *arith) approx(x *big.Float, rad mag) ball {
	if x.Sign() != 0 {
		rad = rad.add(pow2(x.MantExp(nil) - int(a.prec) + 1))
	}
	return a.round(x, rad)
}

// undefined is thrown where an expression has no value at a point, and caught by evaluate.
type undefined struct{}

func (a *arith) rat(r *big.Rat) ball {
	a.budget.spend(a.cost() + bits(r)/64)
	x := a.float().SetRat(r)
	return a.round(x, mag{})
}

func (a *arith) int(n int64) ball { return ball{a.float().SetInt64(n), mag{}} }

func (a *arith) neg(x ball) ball { return ball{a.float().Neg(x.mid), x.rad} }

func (a *arith) add(x, y ball) ball {
	a.budget.spend(a.cost())
	if d := x.mid.MantExp(nil) - y.mid.MantExp(nil); x.mid.Sign() != 0 && y.mid.Sign() != 0 && (d > 2*int(a.prec) || -d > 2*int(a.prec)) {
		// One is lost in the other's rounding.
		if d < 0 {
			x, y = y, x
		}
		return a.round(x.mid, x.rad.add(y.rad).add(magOf(y.mid)))
	}
	return a.round(a.float().Add(x.mid, y.mid), x.rad.add(y.rad))
}

func (a *arith) sub(x, y ball) ball { return a.add(x, a.neg(y)) }

func (a *arith) mul(x, y ball) ball {
	a.budget.spend(a.cost())
	rad := x.rad.mul(y.rad).add(x.rad.mul(magOf(y.mid))).add(y.rad.mul(magOf(x.mid)))
	return a.round(a.float().Mul(x.mid, y.mid), rad)
}

func (a *arith) div(x, y ball) ball {
	a.budget.spend(2 * a.cost())
	if y.hasZero() {
		panic(undefined{})
	}
	q := a.float().Quo(x.mid, y.mid)
	// |x/y − q| ≤ (rad x + |q| rad y) / (|y| − rad y)
	low := y.lower()
	num := x.rad.add(magOf(q).mul(y.rad))
	rad := mag{}
	if num.f != 0 {
		rad = newMag(num.f/low.f*up, num.e-low.e)
	}
	return a.round(q, rad)
}

// lower bounds |x| from below, for an x that is not zero.
func (x ball) lower() mag {
	m := magOf(x.mid)
	m = newMag(m.f*(1-4e-14), m.e)
	if x.rad.f == 0 {
		return m
	}
	if m.e-x.rad.e > 60 {
		return newMag(m.f*(1-1e-14), m.e)
	}
	d := m.f - math.Ldexp(x.rad.f, x.rad.e-m.e)*up
	if d <= 0 {
		return mag{1, -maxExp}
	}
	return newMag(d*(1-1e-14), m.e)
}

// hasZero reports whether x may be zero.
func (x ball) hasZero() bool {
	if x.mid.Sign() == 0 {
		return true
	}
	m := magOf(x.mid)
	return !x.rad.less(newMag(m.f*(1-4e-14), m.e))
}

// isZero reports whether x is zero exactly.
func (x ball) isZero() bool { return x.mid.Sign() == 0 && x.rad.f == 0 }

// sign returns the sign of x, and whether it is known.
func (x ball) sign() (int, bool) {
	if x.isZero() {
		return 0, true
	}
	if x.hasZero() {
		return 0, false
	}
	return x.mid.Sign(), true
}

// small reports whether x is zero to all of the precision that counts: an interval around zero whose
// size is below 2^-bits.
func (x ball) small(bits int) bool {
	return x.hasZero() && x.rad.less(pow2(-bits)) && magOf(x.mid).less(pow2(-bits))
}

// sqrt is the root of x ≥ 0.
func (a *arith) sqrt(x ball) ball {
	a.budget.spend(6 * a.cost())
	if x.isZero() {
		return x
	}
	if x.hasZero() {
		// Somewhere in [0, √(|mid|+rad)].
		top := magOf(x.mid).add(x.rad)
		e := top.e
		if e%2 != 0 {
			e++
		}
		return ball{a.float(), mag{0.5, e/2 + 2}}
	}
	if x.mid.Sign() < 0 {
		panic(undefined{})
	}
	r := a.float().Sqrt(x.mid)
	low := x.lower()
	rad := mag{}
	if x.rad.f != 0 {
		// rad/(√low) bounds the change.
		s := math.Sqrt(low.f)
		e := low.e
		if e%2 != 0 {
			s, e = math.Sqrt(low.f/2), e+1
		}
		rad = newMag(x.rad.f/s*up*up, x.rad.e-e/2)
	}
	if x.rad.f == 0 && new(big.Float).SetPrec(2*a.prec).Mul(r, r).Cmp(x.mid) == 0 {
		return ball{r, mag{}}
	}
	return a.approx(r, rad)
}

func (a *arith) abs(x ball) ball {
	if x.mid.Sign() < 0 {
		return a.neg(x)
	}
	return x
}
