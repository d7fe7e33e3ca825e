package expr

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestElementary compares with float64 and with the same function at more bits: the ball must hold the
// better value.
func TestElementary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	reference := map[string]func(float64) float64{
		"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "arctan": math.Atan, "arcsin": math.Asin, "arccos": math.Acos, "sinh": math.Sinh, "cosh": math.Cosh,
		"tanh": math.Tanh, "arsinh": math.Asinh, "arcosh": math.Acosh, "artanh": math.Atanh, "floor": math.Floor, "ceil": math.Ceil, "exp": math.Exp, "ln": math.Log, "sqrt": math.Sqrt,
	}
	all := map[string]func(*arith, ball) ball{"exp": (*arith).exp, "ln": (*arith).ln, "sqrt": (*arith).sqrt}
	for name, f := range realFunctions {
		all[name] = f
	}
	for name, want := range reference {
		f := all[name]
		for range 200 {
			x := (r.Float64() - 0.5) * math.Pow(2, float64(r.IntN(12)-6))
			w := want(x)
			if math.IsNaN(w) || math.IsInf(w, 0) {
				continue
			}
			low, ok1 := apply(f, x, 64+uint(r.IntN(100)))
			high, ok2 := apply(f, x, 700)
			if !ok1 || !ok2 {
				t.Errorf("%s(%v) has no value", name, x)
				continue
			}
			d := new(big.Float).SetPrec(800).Sub(low.mid, high.mid)
			if low.rad.add(high.rad).less(magOf(d)) {
				t.Errorf("%s(%v) = %v ± %v·2^%d, but %v", name, x, low.mid, low.rad.f, low.rad.e, high.mid)
			}
			got, _ := high.mid.Float64()
			if math.Abs(got-w) > 1e-12*math.Max(1, math.Abs(w)) {
				t.Errorf("%s(%v) = %v, want %v", name, x, got, w)
			}
			if low.rad.f != 0 && low.rad.e > max(0, low.mid.MantExp(nil))-40 && name != "tan" {
				t.Errorf("%s(%v) has an error of 2^%d", name, x, low.rad.e)
			}
		}
	}
}

func apply(f func(*arith, ball) ball, x float64, prec uint) (y ball, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, is := r.(undefined); !is {
				panic(r)
			}
			ok = false
		}
	}()
	a := newArith(prec, newBudget(Options{}))
	return f(a, ball{new(big.Float).SetPrec(prec).SetFloat64(x), mag{}}), true
}

// TestArithmeticHolds does random exact arithmetic in fractions and in balls: the ball holds the fraction.
func TestArithmeticHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		a := newArith(64, &budget{left: 1 << 30})
		exact := big.NewRat(r.Int64N(1000)-500, 1+r.Int64N(99))
		x := a.rat(exact)
		for range 30 {
			y := big.NewRat(r.Int64N(1000)-500, 1+r.Int64N(99))
			b := a.rat(y)
			switch op := r.IntN(4); {
			case op == 0:
				exact, x = new(big.Rat).Add(exact, y), a.add(x, b)
			case op == 1:
				exact, x = new(big.Rat).Sub(exact, y), a.sub(x, b)
			case op == 2:
				exact, x = new(big.Rat).Mul(exact, y), a.mul(x, b)
			case y.Sign() != 0:
				exact, x = new(big.Rat).Quo(exact, y), a.div(x, b)
			}
		}
		d := new(big.Float).SetPrec(4000).SetRat(exact)
		d.Sub(d, x.mid)
		if x.rad.add(pow2(x.mid.MantExp(nil) - 3000)).less(magOf(d)) {
			t.Errorf("%v is not in %v ± %v·2^%d", exact, x.mid, x.rad.f, x.rad.e)
		}
	}
}

// TestPolynomialsByValue compares the ring's verdicts on random expressions with exact evaluation.
func TestPolynomialsByValue(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var make func(b *builder, depth int) *node
	make = func(b *builder, depth int) *node {
		if depth == 0 {
			switch r.IntN(3) {
			case 0:
				return integer(r.Int64N(7) - 3)
			case 1:
				return symbol("x")
			}
			return symbol("y")
		}
		x, y := make(b, depth-1), make(b, depth-1)
		switch r.IntN(4) {
		case 0:
			return b.add(x, y)
		case 1:
			return b.add(x, b.neg(y))
		case 2:
			return b.mul(x, y)
		}
		return b.pow(x, integer(r.Int64N(3)))
	}
	agreed := 0
	for range 400 {
		bud := &budget{left: 1 << 30}
		b := &builder{budget: bud}
		x, y := make(b, 3), make(b, 3)
		if r.IntN(2) == 0 { // often the same in another order
			z := make(b, 2)
			y = b.add(z, x)
			x = b.add(b.mul(x, integer(3)), b.add(z, b.mul(x, integer(-2))))
		}
		c := &comparer{budget: bud, opt: Options{Places: 6}}
		v := c.exactly(x, y)
		w := c.atPoints(c.pair(x, y), false)
		if v == undecided {
			continue
		}
		if len(c.pair(x, y).names) > 0 && v != w {
			t.Errorf("%s and %s: %v by normal forms, %v by values", x, y, v, w)
		}
		if v == same {
			agreed++
		}
	}
	if agreed < 100 {
		t.Errorf("only %d of 400 pairs are the same", agreed)
	}
}
