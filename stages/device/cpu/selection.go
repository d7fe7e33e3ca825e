package cpu

// candidate is a token on its way through top-k and top-p.
type candidate struct {
	z  float32
	e  float32 // exp(z − top)
	id int32
}

// before reports whether a is more probable than b, or as probable with the lower id.
func (a candidate) before(b candidate) bool { return a.z > b.z || a.z == b.z && a.id < b.id }

// Tokens are counted in bins of equal width below the largest logit before any is looked at closely:
// bin i holds those with (top − z)·binsPerNat in [i, i+1), the last bin all the others.
const (
	bins       = 256
	binsPerNat = 16
)

func binOf(top, z float32) int { return int(min((top-z)*binsPerNat, bins-1)) }

// border returns the last token, from the most to the least probable, that top-k (0: all) and top-p
// keep, and the sum of e down to it; mass is the sum that top-p asks for, +Inf for none. It does not
// sort: the bins tell in which of them the border is, and within that one it narrows down, in linear
// time on average. Tokens with e = 0 are left out: they can not be drawn, nor do they add to the mass.
func (x *logitRow) border(t *worker, topK int, mass float64) (last candidate, kept float64) {
	if topK == 0 {
		topK = len(x.z)
	}
	var counts [bins]int
	var masses [bins]float64
	for i, e := range x.e {
		if e > 0 {
			b := binOf(x.top, x.z[i])
			counts[b]++
			masses[b] += float64(e)
		}
	}
	// bin is where the border is: the first that reaches it, or the last that is not empty. Those before
	// it hold count tokens and a mass of sum.
	bin, count, sum := -1, 0, 0.0
	for b, n := range counts {
		if n == 0 {
			continue
		}
		if bin >= 0 {
			count += counts[bin]
			sum += masses[bin]
		}
		bin = b
		if count+n >= topK || sum+masses[b] >= mass {
			break
		}
	}
	all := t.cand[:0]
	for i, e := range x.e {
		if e > 0 && binOf(x.top, x.z[i]) == bin {
			all = append(all, candidate{z: x.z[i], e: e, id: int32(i)})
		}
	}
	t.cand = all
	n := leading(all, func(n int, s float64) bool { return count+n >= topK || sum+s >= mass })
	last = all[0]
	for _, c := range all[:n] {
		sum += float64(c.e)
		if last.before(c) {
			last = c
		}
	}
	return last, sum
}

// sortBelow is the size from which leading sorts instead of partitioning.
const sortBelow = 12

// leading moves the n most probable of c to its front and returns n, the smallest count for which enough
// holds, given that count and the sum of e, or len(c). enough must not hold for nothing and must stay
// true for more.
func leading(c []candidate, enough func(count int, sum float64) bool) int {
	lo, hi := 0, len(c) // n is in (lo, hi]
	var sum float64     // of c[:lo]
	for hi-lo > sortBelow {
		mid, left := partition(c[lo:hi])
		mid += lo
		switch {
		case enough(mid, sum+left):
			hi = mid
		case enough(mid+1, sum+left+float64(c[mid].e)):
			return mid + 1
		default:
			lo, sum = mid+1, sum+left+float64(c[mid].e)
		}
	}
	for i := lo; i < hi; i++ {
		best := i
		for j := i + 1; j < hi; j++ {
			if c[j].before(c[best]) {
				best = j
			}
		}
		c[i], c[best] = c[best], c[i]
		if sum += float64(c[i].e); enough(i+1, sum) {
			return i + 1
		}
	}
	return hi
}

// partition picks the median of three as pivot, moves what is before it to the front, and returns the
// pivot's place and the sum of e before it.
func partition(c []candidate) (mid int, sum float64) {
	last := len(c) - 1
	a, b := 0, len(c)/2
	if c[b].before(c[a]) {
		a, b = b, a
	}
	pivot := b // a is before b
	if c[last].before(c[a]) {
		pivot = a
	} else if c[last].before(c[b]) {
		pivot = last
	}
	c[pivot], c[last] = c[last], c[pivot]
	p := c[last]
	for i := range last {
		if x := c[i]; x.before(p) {
			c[i], c[mid] = c[mid], x
			sum += float64(x.e)
			mid++
		}
	}
	c[mid], c[last] = c[last], c[mid]
	return mid, sum
}
