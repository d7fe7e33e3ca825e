package expr

import (
	"encoding/binary"
	"math/big"
)

// A poly is a polynomial with rational coefficients in the atoms of a ring: the sum of its terms, by
// monomial. A monomial is the exponents of the atoms, four bytes each, without trailing zeros.
type poly map[string]*big.Rat

// ring is what the atoms of polynomials are. Symbols and π are independent; i and the roots of primes
// have squares that are numbers, and are independent otherwise: sums of products of roots of different
// primes are zero only if all coefficients are. So a polynomial is zero only if it has no terms.
type ring struct {
	budget *budget
	atoms  []string
	index  map[string]int
	square map[int]*big.Rat // of i and of roots
	fold   bool             // symbols without regard to case
}

func newRing(b *budget, fold bool) *ring {
	return &ring{budget: b, index: map[string]int{}, square: map[int]*big.Rat{}, fold: fold}
}

// maxAtoms bounds the symbols and roots of one comparison.
const maxAtoms = 24

func (r *ring) atom(name string, square *big.Rat) (int, bool) {
	if i, ok := r.index[name]; ok {
		return i, true
	}
	if len(r.atoms) == maxAtoms {
		return 0, false
	}
	i := len(r.atoms)
	r.atoms = append(r.atoms, name)
	r.index[name] = i
	if square != nil {
		r.square[i] = square
	}
	return i, true
}

func constantPoly(c *big.Rat) poly {
	if c.Sign() == 0 {
		return poly{}
	}
	return poly{"": c}
}

func atomPoly(i int) poly {
	key := make([]byte, 4*i+4)
	binary.BigEndian.PutUint32(key[4*i:], 1)
	return poly{string(key): ratOne}
}

func (r *ring) add(p, q poly) (poly, bool) {
	if len(p)+len(q) > 2*maxTerms {
		return nil, false
	}
	r.budget.spend(1 + len(p) + len(q))
	sum := make(poly, len(p)+len(q))
	for k, c := range p {
		sum[k] = c
	}
	for k, c := range q {
		r.accumulate(sum, k, c)
	}
	return sum, len(sum) <= maxTerms
}

func (r *ring) accumulate(p poly, key string, c *big.Rat) {
	if old, ok := p[key]; ok {
		c = new(big.Rat).Add(old, c)
		r.budget.spend(1 + bits(c)/256)
	}
	if c.Sign() == 0 {
		delete(p, key)
	} else {
		p[key] = c
	}
}

func (r *ring) scale(p poly, c *big.Rat) poly {
	out := make(poly, len(p))
	for k, v := range p {
		r.budget.spend(1 + bits(v)/64)
		out[k] = new(big.Rat).Mul(v, c)
	}
	return out
}

func (r *ring) mul(p, q poly) (poly, bool) {
	if len(p) > len(q) {
		p, q = q, p
	}
	if len(p) == 1 {
		if c, ok := p[""]; ok {
			if c.Cmp(ratOne) == 0 {
				return q, true
			}
			return r.scale(q, c), true
		}
	}
	if len(p)*len(q) > 40*maxTerms {
		return nil, false
	}
	out := make(poly, len(p)+len(q))
	for k1, c1 := range p {
		for k2, c2 := range q {
			if bits(c1)+bits(c2) > maxBits {
				return nil, false
			}
			r.budget.spend(2 + (bits(c1)+bits(c2))/64)
			c := c1
			if c2.Cmp(ratOne) != 0 {
				c = new(big.Rat).Mul(c1, c2)
			}
			key, c, ok := r.monomial(k1, k2, c)
			if !ok {
				return nil, false
			}
			r.accumulate(out, key, c)
			if len(out) > maxTerms {
				return nil, false
			}
		}
	}
	return out, true
}

// monomial multiplies two monomials and puts in the squares that are numbers.
func (r *ring) monomial(a, b string, c *big.Rat) (string, *big.Rat, bool) {
	if a == "" {
		return b, c, true
	}
	if b == "" {
		return a, c, true
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	key := []byte(a)
	for i := 0; i < len(b); i += 4 {
		e := binary.BigEndian.Uint32(key[i:]) + binary.BigEndian.Uint32([]byte(b[i:i+4]))
		if sq, ok := r.square[i/4]; ok && e > 1 {
			e -= 2
			c = new(big.Rat).Mul(c, sq)
		}
		if e > maxDegree {
			return "", nil, false
		}
		binary.BigEndian.PutUint32(key[i:], e)
	}
	n := len(key)
	for n > 0 && binary.BigEndian.Uint32(key[n-4:]) == 0 {
		n -= 4
	}
	return string(key[:n]), c, true
}

func (r *ring) pow(p poly, k int) (poly, bool) {
	if k > maxDegree {
		return nil, false
	}
	out, ok := constantPoly(ratOne), true
	for ; k > 0; k >>= 1 {
		if k&1 == 1 {
			if out, ok = r.mul(out, p); !ok {
				return nil, false
			}
		}
		if k > 1 {
			if p, ok = r.mul(p, p); !ok {
				return nil, false
			}
		}
	}
	return out, true
}

// equal reports whether p and q are the same polynomial.
func (p poly) equal(q poly) bool {
	if len(p) != len(q) {
		return false
	}
	for k, c := range p {
		if d, ok := q[k]; !ok || c.Cmp(d) != 0 {
			return false
		}
	}
	return true
}

// proportional returns the number that q is of p, if it is one.
func (r *ring) proportional(p, q poly) (*big.Rat, bool) {
	if len(p) != len(q) || len(p) == 0 {
		return nil, false
	}
	var factor *big.Rat
	for k, c := range p {
		d, ok := q[k]
		if !ok {
			return nil, false
		}
		r.budget.spend(1 + bits(c)/64 + bits(d)/64)
		f := new(big.Rat).Quo(d, c)
		if factor == nil {
			factor = f
		} else if factor.Cmp(f) != 0 {
			return nil, false
		}
	}
	return factor, true
}
