package device

import (
	"fmt"
	"math"
)

// Mismatch panics with the shapes of an operation that do not fit, in pairs of name and value.
func Mismatch(op string, pairs ...any) {
	s := "device: " + op + ":"
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			s += ","
		}
		s += fmt.Sprintf(" %v %v", pairs[i], pairs[i+1])
	}
	panic(s)
}

// CheckIndices panics unless there are want indices, all in [0, limit).
func CheckIndices(op, name string, ids []int32, want, limit int) {
	if len(ids) != want {
		panic(fmt.Sprintf("device: %s: %d %s for %d rows", op, len(ids), name, want))
	}
	for i, id := range ids {
		if id < 0 || int(id) >= limit {
			panic(fmt.Sprintf("device: %s: %s[%d] = %d is outside [0, %d)", op, name, i, id, limit))
		}
	}
}

// Check says which parameter is out of range.
func (p Sampling) Check() error {
	in01 := func(x float64) bool { return x >= 0 && x <= 1 }
	switch {
	case !(p.Temperature >= 0) || math.IsInf(float64(p.Temperature), 1):
		return fmt.Errorf("temperature %v is not 0 or a positive number", p.Temperature)
	case p.TopK < 0:
		return fmt.Errorf("top-k %d is negative", p.TopK)
	case !in01(float64(p.TopP)):
		return fmt.Errorf("top-p %v is outside [0, 1]", p.TopP)
	case !in01(float64(p.MinP)):
		return fmt.Errorf("min-p %v is outside [0, 1]", p.MinP)
	case !(p.U >= 0 && p.U < 1):
		return fmt.Errorf("u %v is outside [0, 1)", p.U)
	}
	return nil
}
