package summary

import "math"

// Moments are the count, mean, spread and extremes of numbers (Welford's recurrence).
type Moments struct {
	N        int64
	Mean     float64
	Min, Max float64
	m2       float64 // sum of squared distances from the mean
}

// Add counts one more number.
func (m *Moments) Add(x float64) {
	if m.N == 0 {
		m.Min, m.Max = x, x
	}
	m.N++
	d := x - m.Mean
	m.Mean += d / float64(m.N)
	m.m2 += d * (x - m.Mean)
	m.Min, m.Max = min(m.Min, x), max(m.Max, x)
}

// Merge adds the numbers of o (Chan et al.).
func (m *Moments) Merge(o Moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = o
		return
	}
	n := m.N + o.N
	d := o.Mean - m.Mean
	m.Mean += d * float64(o.N) / float64(n)
	m.m2 += o.m2 + d*d*float64(m.N)*float64(o.N)/float64(n)
	m.N, m.Min, m.Max = n, min(m.Min, o.Min), max(m.Max, o.Max)
}

// Std is the standard deviation with n − 1 in the denominator, 0 of fewer than two numbers.
func (m *Moments) Std() float64 {
	if m.N < 2 || m.Constant() {
		return 0
	}
	return math.Sqrt(m.m2 / float64(m.N-1))
}

// Constant reports whether all numbers are the same.
func (m *Moments) Constant() bool { return m.Min == m.Max }
