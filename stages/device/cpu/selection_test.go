package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestBorder compares the border of top-k and top-p with that of a sorted list, down to tokens that can
// not be drawn and bins that hold one token or all.
func TestBorder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for trial := range 3000 {
		n := 1 + rng.IntN(300)
		x := &logitRow{z: make([]float32, n), e: make([]float32, n)}
		spread := []float64{0.01, 1, 20, 300}[trial%4]
		for i := range x.z {
			x.z[i] = float32(math.Round(rng.NormFloat64()*20) / 20 * spread)
		}
		x.top = slices.Max(x.z)
		var sorted []candidate
		for i, z := range x.z {
			if x.e[i] = float32(math.Exp(float64(z - x.top))); x.e[i] > 0 {
				sorted = append(sorted, candidate{z: z, e: x.e[i], id: int32(i)})
			}
		}
		slices.SortFunc(sorted, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		topK, mass := rng.IntN(n+2), math.Inf(1)
		var total float64
		for _, c := range sorted {
			total += float64(c.e)
		}
		if trial%2 == 0 {
			mass = total * min(1, rng.Float64()*1.2)
		}
		want, sum := 0, 0.0
		near := false // rounding decides
		for {
			sum += float64(sorted[want].e)
			near = near || math.Abs(sum-mass) < 1e-12*total
			if want+1 == len(sorted) || want+1 == topK || sum >= mass {
				break
			}
			want++
		}
		got, kept := x.border(&worker{}, topK, mass)
		if got != sorted[want] && !near {
			t.Fatalf("trial %d: the border of top-k %d and mass %v of %v is %v, want %v", trial, topK, mass, total, got, sorted[want])
		}
		if math.Abs(kept-sum) > 1e-9*total && !near {
			t.Fatalf("trial %d: the mass down to the border of top-k %d and mass %v is %v, want %v", trial, topK, mass, kept, sum)
		}
	}
}

// TestTruncate has top-k and top-p together: e is in the ratio 4 : 3 : 2 : 1, of which top-k 2 leaves
// 4 : 3, so that 0.5 is reached by the first alone, though it is only 0.4 of all.
func TestTruncate(t *testing.T) {
	x := &logitRow{e: []float32{0.5, 1, 0.25, 0.75}, masses: []float64{2.5}}
	for _, e := range x.e {
		x.z = append(x.z, float32(math.Log(float64(e))))
	}
	for _, c := range []struct {
		topK int
		topP float64
		want int32 // the last token kept; 4: all are
	}{
		{0, 0, 4}, {4, 0, 4}, {9, 1, 4}, {2, 0, 3}, {2, 1, 3}, {0, 0.5, 3}, {2, 0.5, 1}, {2, 0.6, 3}, {3, 0.75, 3}, {3, 0.8, 0}, {9, 0.75, 0},
	} {
		if got := x.truncate(&worker{}, c.topK, c.topP); got.id != c.want {
			t.Errorf("top-k %d and top-p %v keep down to token %d, want %d", c.topK, c.topP, got.id, c.want)
		}
	}
}

// TestLeading compares selection with sorting.
func TestLeading(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + rng.IntN(200)
		c := make([]candidate, n)
		for i := range c {
			z := float32(rng.IntN(1 + rng.IntN(50))) // many ties
			c[i] = candidate{z: z, e: float32(math.Exp(float64(z - 50))), id: int32(i)}
		}
		sorted := slices.Clone(c)
		slices.SortFunc(sorted, func(a, b candidate) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		count := 1 + rng.IntN(n+2)
		want := min(count, n)
		got := leading(c, func(n int, _ float64) bool { return n >= count })
		if got != want {
			t.Fatalf("leading %d of %d returns %d", count, n, got)
		}
		same := func(got int) {
			t.Helper()
			front := slices.Clone(c[:got])
			slices.SortFunc(front, func(a, b candidate) int { return int(a.id) - int(b.id) })
			ref := slices.Clone(sorted[:got])
			slices.SortFunc(ref, func(a, b candidate) int { return int(a.id) - int(b.id) })
			if !slices.Equal(front, ref) {
				t.Fatalf("the leading %d of %d are %v, want %v", got, n, front, ref)
			}
		}
		same(got)
		// By mass: the border is within rounding of the sorted one.
		var total, sum float64
		for _, x := range sorted {
			total += float64(x.e)
		}
		mass := total * rng.Float64()
		if mass == 0 {
			continue
		}
		got = leading(c, func(_ int, s float64) bool { return s >= mass })
		for _, x := range sorted[:got] {
			sum += float64(x.e)
		}
		if sum < mass*(1-1e-12) || sum-float64(sorted[got-1].e) > mass*(1+1e-12) {
			t.Fatalf("leading mass %v of %d takes %d with mass %v", mass, n, got, sum)
		}
		same(got)
	}
}
