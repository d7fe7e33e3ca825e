package stats

import "slices"

// Holm adjusts the p-values of several comparisons (Holm 1979): the chance that
// any of those below a level is false is at most that level, whatever the
// comparisons have to do with each other. The result is in the order of p. NaN
// stays and does not count.
func Holm(p []float64) []float64 {
	out := slices.Clone(p)
	var order []int
	for i, v := range p {
		if v == v {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	most := 0.0
	for rank, i := range order {
		most = max(most, p[i]*float64(len(order)-rank))
		out[i] = min(1, most)
	}
	return out
}
