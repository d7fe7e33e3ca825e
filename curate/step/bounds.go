package step

import (
	"math"
	"strconv"
	"strings"

	"openrs/curate/recipe"
)

// bounds are limits of a number: from and to inclusive, above and below exclusive.
type bounds struct{ from, to, above, below float64 }

// readBounds reads the options min, max, above and below, as far as a step has them.
func readBounds(v recipe.Values) bounds {
	inf := math.Inf(1)
	return bounds{v.Number("min", -inf), v.Number("max", inf), v.Number("above", -inf), v.Number("below", inf)}
}

func (b bounds) none() bool {
	inf := math.Inf(1)
	return b == bounds{-inf, inf, -inf, inf}
}

// outside says on which side of the bounds a number is, "" when it is between them.
func (b bounds) outside(x float64) string {
	switch {
	case x < b.from || x <= b.above:
		return "too small"
	case x > b.to || x >= b.below:
		return "too large"
	}
	return ""
}

// parseNumber reads a finite number, the way a person writes it.
func parseNumber(text string) (float64, bool) {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	return x, err == nil && !math.IsNaN(x) && !math.IsInf(x, 0)
}

// decimal is the number that a float32 is written as: a rate of 1 in 10 is 0.1 and not 0.10000000149, so that it is
// neither above a bound of 0.1 nor below it.
func decimal(x float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64) // what was just written
	return d
}
