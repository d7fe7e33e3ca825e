package stats

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestPassAtKAgainstAllSubsets(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for c := 0; c <= n; c++ {
			for k := 1; k <= n; k++ {
				hit, all := 0, 0
				for set := range 1 << n {
					size, right := 0, false
					for i := range n {
						if set>>i&1 == 1 {
							size++
							right = right || i < c
						}
					}
					if size == k {
						all++
						if right {
							hit++
						}
					}
				}
				near(t, "pass@k", PassAtK(n, c, k), float64(hit)/float64(all), 1e-12)
			}
		}
	}
	for _, bad := range [][3]int{{4, 2, 0}, {4, 2, 5}, {4, 5, 1}, {4, -1, 1}, {0, 0, 1}} {
		near(t, "pass@k out of range", PassAtK(bad[0], bad[1], bad[2]), math.NaN(), 0)
	}
	// Large numbers must not overflow: 1 - (1 - 0.5)^k nearly.
	near(t, "pass@10 of 10,000", PassAtK(10_000, 5_000, 10), 1-math.Pow(0.5, 10), 1e-5)
}

// The formula with whole numbers of any size: 1 - C(n-c, k) / C(n, k).
func TestPassAtKAgainstBigIntegers(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	check := func(n, c, k int) {
		t.Helper()
		all, miss := new(big.Int).Binomial(int64(n), int64(k)), new(big.Int)
		if n-c >= k {
			miss.Binomial(int64(n-c), int64(k))
		}
		want, _ := new(big.Rat).SetFrac(new(big.Int).Sub(all, miss), all).Float64()
		got := PassAtK(n, c, k)
		if math.Abs(got-want) > 1e-12 || want < 1e-3 && math.Abs(got-want) > 1e-9*want && math.Abs(got-want) > 1e-15 {
			t.Errorf("pass@%d with %d of %d right: got %v, want %v", k, c, n, got, want)
		}
	}
	for _, n := range []int{1, 2, 10, 16, 64, 256} {
		for c := 0; c <= n; c += max(1, n/16) {
			for k := 1; k <= n; k *= 2 {
				check(n, c, k)
			}
		}
	}
	for range 300 {
		n := 1 + r.IntN(4000)
		check(n, r.IntN(n+1), 1+r.IntN(n))
	}
}
