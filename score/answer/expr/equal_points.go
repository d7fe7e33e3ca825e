package expr

import (
	"math/big"
	"sort"
)

// Points at which expressions with symbols are compared: fixed, but with nothing special about them.
// Positive ones come first, since many formulas hold for those only; then all signs, then whole numbers
// where a formula asks for some.
var scales = []struct {
	low, high int64 // in 2^-20
	signs     bool
	whole     bool
}{
	{low: 1 << 17, high: 1 << 20}, {low: 1 << 19, high: 3 << 20}, {low: 1 << 20, high: 5 << 20}, {low: 1 << 17, high: 1 << 21}, {low: 4 << 20, high: 19 << 20},
	{low: 1 << 17, high: 1 << 20, signs: true}, {low: 1 << 19, high: 3 << 20, signs: true}, {low: 1 << 20, high: 6 << 20, signs: true}, {low: 1 << 18, high: 9 << 20, signs: true},
	{low: 2, high: 7, whole: true}, {low: 3, high: 11, whole: true}, {low: 4, high: 16, whole: true}, {low: 5, high: 23, whole: true}, {low: 8, high: 31, whole: true},
}

// point returns the k-th point for some symbols.
func point(k int, names []string) map[string]*big.Rat {
	s := scales[k]
	state := uint64(k)*0x9E3779B97F4A7C15 + 0x1234567
	next := func() uint64 { // splitmix64
		state += 0x9E3779B97F4A7C15
		z := state
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		return z ^ z>>31
	}
	values := make(map[string]*big.Rat, len(names))
	for i, name := range names {
		v := s.low + int64(next()%uint64(s.high-s.low))
		if s.whole {
			values[name] = big.NewRat(v, 1)
			continue
		}
		if s.signs && (next()&1 == 1 || i == 0) {
			v = -v
		}
		values[name] = big.NewRat(v, 1<<20)
	}
	return values
}

const (
	firstPrec = 128 // bits of the first evaluation
	needPoint = 3   // points that two expressions must agree at
	allPoints = 14
)

// pair is two expressions to be evaluated at the same points.
type pair struct {
	x, y   *node
	names  []string
	reals  bool // complex values count as no value
	whole  bool // whole numbers are points as well
	strict bool // both must have values at the same points
	deg    bool
}

func (c *comparer) pair(x, y *node) pair {
	p := pair{x: x, y: y}
	seen := map[string]bool{}
	hasI := false
	for _, n := range []*node{x, y} {
		for _, name := range n.symbols() {
			seen[foldName(name, c.fold)] = true
		}
		n.walk(func(m *node) bool {
			switch {
			case m.isConstant("i"):
				hasI = true
			case m.op == opDegree:
				p.deg = true
			case m.op == opSeries:
				p.whole = true
			case m.op == opCall:
				switch m.name {
				case "fact", "binom", "floor", "ceil", "mod", "gcd", "lcm":
					p.whole = true
				case "abs", "sgn":
					p.strict = true
				}
			case m.op == opPow && m.args[0].isNumber() && m.args[0].num.Sign() < 0:
				p.whole = true
			}
			return true
		})
	}
	for name := range seen {
		p.names = append(p.names, name)
	}
	sort.Strings(p.names)
	p.reals = len(p.names) > 0 && !hasI
	return p
}

// numerically compares values at points, each with its bounds of error.
func (c *comparer) numerically(x, y *node) verdict {
	if c.alike(x, y) {
		return c.because(same, "expressions")
	}
	p := c.pair(x, y)
	if len(p.names) > maxAtoms {
		return c.because(undecided, "too many symbols")
	}
	v := c.atPoints(p, false)
	if v != same && p.deg {
		// An angle in degrees is a number of degrees, or that of radians.
		if w := c.atPoints(p, true); w == same {
			v = w
		}
	}
	return v
}

func (c *comparer) atPoints(p pair, radians bool) verdict {
	if len(p.names) == 0 {
		switch v := c.atPoint(p, nil, radians); v {
		case agree:
			return c.because(same, "values")
		case apart:
			return c.because(different, "values")
		default:
			return c.because(undecided, "no value")
		}
	}
	count := 0
	for k := range allPoints {
		if scales[k].whole && !p.whole {
			break
		}
		switch c.atPoint(p, point(k, p.names), radians) {
		case agree:
			count++
		case apart:
			return c.because(different, "values")
		case oneSided:
			if p.strict {
				return c.because(different, "domains")
			}
		}
	}
	if count < needPoint {
		return c.because(undecided, "too few values")
	}
	return c.because(same, "values")
}

// meeting is how two expressions compare at one point.
type meeting int

const (
	noValue meeting = iota
	oneSided
	agree
	apart
	vague
)

// atPoint evaluates with as many bits as it takes to tell the values apart, or to say that they agree
// to all of the bits that the sizes in the expressions ask for.
func (c *comparer) atPoint(p pair, at map[string]*big.Rat, radians bool) meeting {
	prec := uint(firstPrec)
	for range 4 {
		a := newArith(prec, c.budget)
		ev := &evaluator{arith: a, values: at, fold: c.fold, reals: p.reals, radians: radians}
		if at == nil {
			ev.values = map[string]*big.Rat{}
		}
		x, ok1 := ev.value(p.x)
		y, ok2 := ev.value(p.y)
		if !ok1 || !ok2 {
			if ok1 != ok2 {
				return oneSided
			}
			return noValue
		}
		d, ok := ev.difference(x, y)
		if !ok {
			return vague
		}
		if !d.re.hasZero() || !d.im.isZero() && !d.im.hasZero() {
			return apart
		}
		span := max(0, a.high-a.low)
		want := uint(64 + span)
		if len(p.names) == 0 {
			want += 128
		}
		size := magOf(x.re.mid).add(magOf(x.im.mid)).add(magOf(y.re.mid)).add(magOf(y.im.mid))
		fine := d.re.rad.add(d.im.rad).less(mag{0.5, size.e - 48}) || d.re.isZero() && d.im.isZero()
		if prec >= want && fine {
			return agree
		}
		if want > maxPrec {
			return vague
		}
		prec = max(want, prec*2)
		if prec > maxPrec {
			return vague
		}
	}
	return vague
}

// difference is x − y, if its parts have values.
func (ev *evaluator) difference(x, y complexBall) (z complexBall, ok bool) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case undefined:
			ok = false
		default:
			panic(r)
		}
	}()
	return ev.addC(x, ev.negC(y)), true
}
