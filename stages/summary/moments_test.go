package summary

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestMoments compares adding and merging with the two-pass definition.
func TestMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 200 {
		x := make([]float64, r.IntN(9))
		var sum float64
		for i := range x {
			x[i] = 1000 + r.NormFloat64()
			sum += x[i]
		}
		var squares float64
		for _, v := range x {
			squares += (v - sum/float64(len(x))) * (v - sum/float64(len(x)))
		}
		cut := r.IntN(len(x) + 1)
		var all, head, tail Moments
		for i, v := range x {
			all.Add(v)
			if i < cut {
				head.Add(v)
			} else {
				tail.Add(v)
			}
		}
		head.Merge(tail)
		for _, m := range []Moments{all, head} {
			if m.N != int64(len(x)) {
				t.Fatalf("%d numbers, want %d", m.N, len(x))
			}
			if len(x) == 0 {
				continue
			}
			near(t, "mean", m.Mean, sum/float64(len(x)), 1e-9)
			near(t, "min", m.Min, slices.Min(x), 0)
			near(t, "max", m.Max, slices.Max(x), 0)
			if len(x) > 1 {
				near(t, "std", m.Std(), math.Sqrt(squares/float64(len(x)-1)), 1e-9)
			} else {
				near(t, "std", m.Std(), 0, 0)
			}
		}
	}
}
