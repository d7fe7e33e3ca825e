package report

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Number is a float64 that JSON can hold: NaN and the infinities, which mean
// that there is no such figure, are written as null.
type Number float64

// MarshalJSON writes the number, or null when it is not finite.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.finite() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads a number, or NaN from null.
func (n *Number) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Number(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(n))
}

func (n Number) finite() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// missing is what people see where there is no figure.
const missing = "–"

// percent writes a share as 38.1 %.
func percent(n Number) string {
	if !n.finite() {
		return missing
	}
	return tenths(n) + " %"
}

// tenths is a share in per cent to one decimal. Halves go up whichever way the share was computed: a mean of
// differences and a difference of means must not look different.
func tenths(n Number) string {
	v := 100 * float64(n)
	return strconv.FormatFloat(math.Round(10*(v+math.Copysign(1e-9, v)))/10, 'f', 1, 64)
}

// span writes an interval of shares as 35.2 to 41.0.
func span(ci [2]Number) string {
	if !ci[0].finite() || !ci[1].finite() {
		return missing
	}
	return tenths(ci[0]) + " to " + tenths(ci[1])
}

// signed writes an interval of differences as +39.8 to +46.0.
func signed(ci [2]Number) string {
	if !ci[0].finite() || !ci[1].finite() {
		return missing
	}
	return points(ci[0]) + " to " + points(ci[1])
}

// points writes a difference of shares in percentage points, with its sign.
func points(n Number) string {
	if !n.finite() {
		return missing
	}
	switch s := tenths(n); {
	case s == "-0.0":
		return "−0.0"
	case s[0] == '-':
		return "−" + s[1:]
	default:
		return "+" + s
	}
}

// compact writes a number with about three significant digits.
func compact(n Number) string {
	v := float64(n)
	abs := math.Abs(v)
	switch {
	case !n.finite():
		return missing
	case v == 0:
		return "0"
	case abs >= 1e6 || abs < 1e-3:
		return scientific(v, 3)
	case abs >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', max(0, 2-int(math.Floor(math.Log10(abs)))), 64)
}

// scientific writes a number as 1.5e-5, with at most the given digits.
func scientific(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'e', digits-1, 64)
	mantissa, exponent, found := strings.Cut(s, "e")
	if !found {
		return s // not finite
	}
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	sign := strings.TrimRight(exponent[:1], "+")
	return mantissa + "e" + sign + strings.TrimLeft(exponent[1:], "0")
}

// pValue writes a p-value. A random test that found nothing as extreme only
// says that p is below what it can resolve.
func pValue(p Number, exact bool, resamples int) string {
	switch {
	case !p.finite():
		return missing
	case !exact && float64(p) <= 1.0000001/float64(resamples+1):
		return "p < " + strconv.FormatFloat(math.Pow10(int(math.Ceil(math.Log10(float64(p))))), 'f', -1, 64)
	case p < 0.001:
		return "p = " + strconv.FormatFloat(float64(p), 'f', 4, 64)
	}
	return "p = " + strconv.FormatFloat(float64(p), 'f', 3, 64)
}
