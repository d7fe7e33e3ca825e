package expr

// Bounds on what is read and computed. Beyond them an answer is refused ([ErrBudget]) or a comparison
// is undecided; nothing here looks at a clock.
const (
	maxText   = 8192    // bytes of an answer
	maxTokens = 3000    // tokens of an answer
	maxDepth  = 60      // nesting of groups
	maxNodes  = 4000    // nodes of an expression
	maxItems  = 256     // members of a list, set or matrix
	maxBits   = 1 << 15 // size of an exact numerator or denominator
	maxTerms  = 600     // terms of a polynomial
	maxDegree = 1 << 20 // degree of a polynomial in one variable
	maxPrec   = 4096    // bits of a floating point number
	maxExp    = 1 << 22 // binary exponent of a floating point number
)

// exhausted is thrown by budget.spend and caught at the package's border.
type exhausted struct{}

// budget counts the steps that one call may still take. A step is worth some tens of nanoseconds.
type budget struct{ left int }

func newBudget(o Options) *budget {
	if o.Steps > 0 {
		return &budget{left: o.Steps}
	}
	return &budget{left: DefaultSteps}
}

// spend takes n steps, and leaves the call when there are none left.
func (b *budget) spend(n int) {
	if b.left -= n; b.left < 0 || n < 0 {
		panic(exhausted{})
	}
}

// try runs f with at most n of the steps that are left, and reports whether it came to its end.
func (b *budget) try(n int, f func()) (done bool) {
	n = min(n, b.left)
	rest := b.left - n
	b.left = n
	defer func() {
		b.left = rest + max(b.left, 0)
		if r := recover(); r != nil {
			if _, ok := r.(exhausted); !ok {
				panic(r)
			}
		}
	}()
	f()
	return true
}
