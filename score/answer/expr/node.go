package expr

import (
	"math/big"
	"sort"
	"strconv"
	"strings"
)

// op is what a node does with its arguments.
type op uint8

const (
	opNumber   op = iota // num
	opSymbol             // name
	opConstant           // name: pi, e, i, inf
	opAdd                // all arguments
	opMul                // all arguments
	opDiv                // the first by the second
	opPow                // the first to the second
	opRoot               // the second argument's root of the first
	opCall               // name of one argument, or of several
	opDegree             // an angle in degrees
	opMatrix             // rows × cols arguments, by rows
	opSeries             // name sum or prod; variable, from, to, term
)

// exact is the number of decimals of a number that is not written as a decimal.
const exact = -1 << 30

// node is an expression. Nodes are not changed once they are built, so that they may be shared.
type node struct {
	op     op
	num    *big.Rat // of opNumber
	places int      // of opNumber: decimals as written, or exact
	name   string
	args   []*node
	rows   int // of opMatrix
}

var (
	ratOne = big.NewRat(1, 1)
	ratTwo = big.NewRat(2, 1)
)

func number(r *big.Rat) *node { return &node{op: opNumber, num: r, places: exact} }

func integer(n int64) *node { return number(big.NewRat(n, 1)) }

func symbol(name string) *node { return &node{op: opSymbol, name: name} }

func constant(name string) *node { return &node{op: opConstant, name: name} }

func call(name string, args ...*node) *node { return &node{op: opCall, name: name, args: args} }

func (n *node) isNumber() bool { return n.op == opNumber }

func (n *node) isConstant(name string) bool { return n.op == opConstant && n.name == name }

// isInt reports whether n is a whole number that fits in an int, and which.
func (n *node) isInt() (int64, bool) {
	if n.op != opNumber || !n.num.IsInt() || !n.num.Num().IsInt64() {
		return 0, false
	}
	return n.num.Num().Int64(), true
}

// bits is the size of a number.
func bits(r *big.Rat) int { return r.Num().BitLen() + r.Denom().BitLen() }

// builder makes nodes, folding arithmetic of numbers within bounds.
type builder struct {
	budget *budget
	nodes  int
}

func (b *builder) count(n *node) *node {
	b.budget.spend(1)
	if b.nodes++; b.nodes > maxNodes {
		panic(exhausted{})
	}
	return n
}

func (b *builder) add(x, y *node) *node {
	if x.isNumber() && y.isNumber() && bits(x.num)+bits(y.num) < maxBits {
		b.budget.spend(1 + (bits(x.num)+bits(y.num))/512)
		return number(new(big.Rat).Add(x.num, y.num))
	}
	if x.op == opAdd && len(x.args) < 1000 {
		return b.count(&node{op: opAdd, args: append(x.args[:len(x.args):len(x.args)], y)})
	}
	return b.count(&node{op: opAdd, args: []*node{x, y}})
}

func (b *builder) neg(x *node) *node {
	if x.isNumber() {
		return &node{op: opNumber, num: new(big.Rat).Neg(x.num), places: x.places}
	}
	if x.op == opMul && x.args[0].isNumber() {
		args := append([]*node{b.neg(x.args[0])}, x.args[1:]...)
		return b.count(&node{op: opMul, args: args})
	}
	return b.count(&node{op: opMul, args: []*node{integer(-1), x}})
}

func (b *builder) mul(x, y *node) *node {
	if x.isNumber() && y.isNumber() && bits(x.num)+bits(y.num) < maxBits {
		b.budget.spend(1 + (bits(x.num)+bits(y.num))/64)
		n := number(new(big.Rat).Mul(x.num, y.num))
		// A decimal times a power of ten is a decimal still: scientific notation.
		if k, ok := powerOfTen(y.num); ok && x.places != exact {
			n.places = x.places - k
		}
		return n
	}
	if x.op == opMul && len(x.args) < 1000 {
		return b.count(&node{op: opMul, args: append(x.args[:len(x.args):len(x.args)], y)})
	}
	return b.count(&node{op: opMul, args: []*node{x, y}})
}

func (b *builder) div(x, y *node) *node {
	if x.isNumber() && y.isNumber() && y.num.Sign() != 0 && bits(x.num)+bits(y.num) < maxBits {
		b.budget.spend(1 + (bits(x.num)+bits(y.num))/64)
		return number(new(big.Rat).Quo(x.num, y.num))
	}
	return b.count(&node{op: opDiv, args: []*node{x, y}})
}

func (b *builder) pow(x, y *node) *node {
	if k, ok := y.isInt(); ok && x.isNumber() && k > -maxBits && k < maxBits && (k >= 0 || x.num.Sign() != 0) {
		if r, ok := ratPow(b.budget, x.num, int(k)); ok {
			return number(r)
		}
	}
	return b.count(&node{op: opPow, args: []*node{x, y}})
}

// ratPow returns x to the k if its size is within bounds.
func ratPow(b *budget, x *big.Rat, k int) (*big.Rat, bool) {
	m := k
	if m < 0 {
		m = -m
	}
	if size := bits(x); size > 2 && size*m > 2*maxBits {
		return nil, false
	}
	b.spend(1 + bits(x)*m/64)
	e := big.NewInt(int64(m))
	num, den := new(big.Int).Exp(x.Num(), e, nil), new(big.Int).Exp(x.Denom(), e, nil)
	if k < 0 {
		if num.Sign() == 0 {
			return nil, false
		}
		num, den = den, num
	}
	return new(big.Rat).SetFrac(num, den), true
}

// powerOfTen returns k where r is 10^k.
func powerOfTen(r *big.Rat) (int, bool) {
	if r.Sign() <= 0 || bits(r) > 4096 {
		return 0, false
	}
	num, den := r.Num().String(), r.Denom().String()
	zeros := func(s string) bool { return s[0] == '1' && strings.Trim(s[1:], "0") == "" }
	switch {
	case den == "1" && zeros(num):
		return len(num) - 1, true
	case num == "1" && zeros(den):
		return 1 - len(den), true
	}
	return 0, false
}

// walk calls f on n and everything below it, until f says to stop descending.
func (n *node) walk(f func(*node) bool) {
	if !f(n) {
		return
	}
	for _, a := range n.args {
		a.walk(f)
	}
}

// symbols returns the names of the symbols in n, sorted.
func (n *node) symbols() []string {
	seen := map[string]bool{}
	n.collect(seen)
	names := make([]string, 0, len(seen))
	for name := range seen {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// collect adds the free symbols of n to seen.
func (n *node) collect(seen map[string]bool) {
	switch n.op {
	case opSymbol:
		seen[n.name] = true
	case opSeries:
		inner := map[string]bool{}
		n.args[3].collect(inner)
		delete(inner, n.args[0].name)
		for name := range inner {
			seen[name] = true
		}
		n.args[1].collect(seen)
		n.args[2].collect(seen)
	default:
		for _, a := range n.args {
			a.collect(seen)
		}
	}
}

// String writes n in plain notation, with brackets where precedence asks for them.
func (n *node) String() string {
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

// Precedence of what write is in.
const (
	inSum = iota
	inProduct
	inPower
)

func (n *node) write(b *strings.Builder, in int) {
	if b.Len() > 4*maxText {
		return
	}
	list := func(open string, args []*node, sep, end string, in int) {
		b.WriteString(open)
		for i, a := range args {
			if i > 0 {
				b.WriteString(sep)
			}
			a.write(b, in)
		}
		b.WriteString(end)
	}
	wrapped := func(min int, args []*node, sep string, inner int) {
		if in >= min {
			list("(", args, sep, ")", inner)
		} else {
			list("", args, sep, "", inner)
		}
	}
	switch n.op {
	case opNumber:
		s := ratString(n.num, n.places)
		if in > inSum && s[0] == '-' || in == inPower && strings.Contains(s, "/") {
			s = "(" + s + ")"
		}
		b.WriteString(s)
	case opSymbol, opConstant:
		b.WriteString(n.name)
	case opAdd:
		if in > inSum {
			b.WriteByte('(')
		}
		for i, a := range n.args {
			if i > 0 {
				if m, ok := a.negated(); ok {
					b.WriteString(" - ")
					m.write(b, inProduct)
					continue
				}
				b.WriteString(" + ")
			}
			a.write(b, inSum)
		}
		if in > inSum {
			b.WriteByte(')')
		}
	case opMul:
		if m, ok := n.negated(); ok {
			if in > inSum {
				b.WriteByte('(')
			}
			b.WriteByte('-')
			m.write(b, inProduct)
			if in > inSum {
				b.WriteByte(')')
			}
			return
		}
		wrapped(inPower, n.args, "*", inProduct)
	case opDiv:
		wrapped(inProduct, n.args, "/", inPower)
	case opPow:
		wrapped(inPower, n.args, "^", inPower)
	case opRoot:
		if k, ok := n.args[1].isInt(); ok && k == 2 {
			list("sqrt(", n.args[:1], "", ")", inSum)
			return
		}
		list("root(", n.args, ", ", ")", inSum)
	case opDegree:
		n.args[0].write(b, inPower)
		b.WriteString("°")
	case opMatrix:
		b.WriteString("[")
		cols := len(n.args) / max(n.rows, 1)
		for r := range n.rows {
			if r > 0 {
				b.WriteString(", ")
			}
			list("[", n.args[r*cols:(r+1)*cols], ", ", "]", inSum)
		}
		b.WriteString("]")
	default:
		list(n.name+"(", n.args, ", ", ")", inSum)
	}
}

// negated returns −n for writing, where n is written with a minus sign.
func (n *node) negated() (*node, bool) {
	if n.op == opNumber && n.num.Sign() < 0 {
		return &node{op: opNumber, num: new(big.Rat).Neg(n.num), places: n.places}, true
	}
	if n.op != opMul || n.args[0].op != opNumber || n.args[0].num.Sign() >= 0 {
		return n, false
	}
	first, _ := n.args[0].negated()
	switch {
	case first.num.Cmp(ratOne) != 0:
		return &node{op: opMul, args: append([]*node{first}, n.args[1:]...)}, true
	case len(n.args) == 2:
		return n.args[1], true
	}
	return &node{op: opMul, args: n.args[1:]}, true
}

// ratString writes a number: as a decimal when it was one, else as a fraction.
func ratString(r *big.Rat, places int) string {
	if bits(r) > 4096 {
		return "number of " + strconv.Itoa(bits(r)) + " bits"
	}
	if places > 0 && places < 1000 {
		return r.FloatString(places)
	}
	return r.RatString()
}
