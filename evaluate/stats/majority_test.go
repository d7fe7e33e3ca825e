package stats

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

func TestMajority(t *testing.T) {
	right, wrong, none := Vote{"7", true}, Vote{"8", false}, Vote{}
	for _, c := range []struct {
		name  string
		votes []Vote
		want  float64
	}{
		{"nothing", nil, 0},
		{"no answers", []Vote{none, none}, 0},
		{"right wins", []Vote{right, right, wrong}, 1},
		{"wrong wins", []Vote{right, wrong, wrong}, 0},
		{"a tie of two", []Vote{right, wrong}, 0.5},
		{"a tie of three", []Vote{right, wrong, {"9", false}}, 1. / 3},
		{"samples without an answer don't vote", []Vote{none, none, none, right}, 1},
		{"one text judged twice", []Vote{right, {"7", false}}, 0.5},
	} {
		if got := Majority(c.votes); math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// All ways to choose k of n samples, each voted on by Majority.
func TestMajorityAtKAgainstAllSubsets(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for trial := range 200 {
		n := 1 + r.IntN(9)
		votes := make([]Vote, n)
		for i := range votes {
			if r.IntN(5) > 0 { // else no answer
				votes[i].Answer = strconv.Itoa(r.IntN(1 + trial%5))
			}
			// The same text is usually judged alike, but not always.
			votes[i].Right = votes[i].Answer == "0" != (r.IntN(10) == 0)
		}
		for k := 1; k <= n; k++ {
			sum, ways := 0.0, 0
			for set := range 1 << n {
				var chosen []Vote
				for i := range n {
					if set>>i&1 == 1 {
						chosen = append(chosen, votes[i])
					}
				}
				if len(chosen) == k {
					sum += Majority(chosen)
					ways++
				}
			}
			if got, want := MajorityAtK(votes, k), sum/float64(ways); math.Abs(got-want) > 1e-12 {
				t.Fatalf("maj@%d of %v: got %v, want %v", k, votes, got, want)
			}
		}
	}
}

func TestMajorityAtKEnds(t *testing.T) {
	votes := make([]Vote, 256)
	right := 0
	for i := range votes {
		votes[i] = Vote{Answer: strconv.Itoa(i % 7), Right: i%7 == 0}
		if i%7 == 0 {
			right++
		}
	}
	near(t, "maj@1 is the accuracy", MajorityAtK(votes, 1), float64(right)/256, 1e-12)
	near(t, "maj@n is the vote of all", MajorityAtK(votes, 256), Majority(votes), 1e-9)
	mostly := make([]Vote, 1000)
	for i := range mostly {
		mostly[i] = Vote{Answer: strconv.Itoa(i % 3 / 2), Right: i%3 < 2} // two in three right
	}
	if got := MajorityAtK(mostly, 500); !(got > 0.999 && got <= 1+1e-9) {
		t.Errorf("maj@500 of 1,000 samples, two in three right: got %v, want nearly 1", got)
	}
	for _, k := range []int{-1, 0, 257} {
		near(t, "maj@k out of range", MajorityAtK(votes, k), math.NaN(), 0)
	}
	near(t, "more samples than can be counted", MajorityAtK(make([]Vote, 1001), 3), math.NaN(), 0)
	near(t, "no answers", MajorityAtK(make([]Vote, 8), 4), 0, 0)
}

func BenchmarkMajorityAt16Of64(b *testing.B) {
	votes := make([]Vote, 64)
	for i := range votes {
		votes[i] = Vote{Answer: strconv.Itoa(i * i % 13), Right: i*i%13 == 4}
	}
	for b.Loop() {
		MajorityAtK(votes, 16)
	}
}
