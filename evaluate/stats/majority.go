package stats

import "math"

// Vote is one sample's answer for Majority. A sample without an answer has an
// empty one and does not vote.
type Vote struct {
	Answer string
	Right  bool
}

// Majority is the chance that the most frequent answer of a problem's samples
// is right, a tie being broken at random: maj@n (self-consistency) of these n
// samples. Answers are the same when their texts are; a text whose samples
// were judged differently counts by its share of right ones. Without any
// answer it is 0.
func Majority(votes []Vote) float64 {
	candidates, _ := count(votes)
	most := 0
	for _, c := range candidates {
		most = max(most, c.all)
	}
	tied, right := 0, 0.0
	for _, c := range candidates {
		if c.all == most {
			tied++
			right += c.right()
		}
	}
	if tied == 0 {
		return 0
	}
	return right / float64(tied)
}

// maxVotes bounds the samples of MajorityAtK: beyond them the number of ways to
// choose half of them is no float64.
const maxVotes = 1000

// MajorityAtK is maj@k from n samples, n at least k: the mean of Majority over
// all ways to choose k of the samples. It is exact, by counting the ways rather
// than trying them, and unbiased: using all n samples makes it steadier than the
// vote of the first k. NaN when k is below 1 or above n, or n above 1,000.
//
// For each size t that a winner may have, the ways are counted in which no
// answer has more than t of the k samples, by the number of answers that have
// exactly t (those that tie). Answers are added one by one to two sums over
// (samples used, answers tied): the number of ways, and the number of ways
// weighted by how right the tied ones are in all.
func MajorityAtK(votes []Vote, k int) float64 {
	n := len(votes)
	if k < 1 || k > n || n > maxVotes {
		return math.NaN()
	}
	candidates, blank := count(votes)
	most := 0
	for i, c := range candidates {
		candidates[i].ways = ways(c.all, k)
		most = max(most, c.all)
	}
	blanks := ways(blank, k)
	won := 0.0
	for t := 1; t <= min(k, most); t++ {
		won += wonWith(candidates, blanks, t, k)
	}
	return won / choose(n, k)
}

// wonWith is the number of ways to choose k samples in which the winner has t
// of them, each way counted by the chance that the winner is right. blanks[i] is the
// number of ways to choose i of the samples without an answer.
func wonWith(candidates []candidate, blanks []float64, t, k int) float64 {
	// sums[used*width+tied]: used samples of the answers so far, of which tied
	// answers have t.
	type sum struct{ ways, right float64 }
	width := k/t + 1
	now, next := make([]sum, (k+1)*width), make([]sum, (k+1)*width)
	now[0].ways = 1
	reach := 0 // the most that the answers so far can use
	for _, c := range candidates {
		clear(next)
		for used := range reach + 1 {
			for tied, s := range now[used*width : (used+1)*width] {
				if s.ways == 0 {
					continue
				}
				for j := range min(t, len(c.ways), k-used+1) {
					to := &next[(used+j)*width+tied]
					to.ways += c.ways[j] * s.ways
					to.right += c.ways[j] * s.right
				}
				if t < len(c.ways) && t <= k-used && tied+1 < width {
					to := &next[(used+t)*width+tied+1]
					to.ways += c.ways[t] * s.ways
					to.right += c.ways[t] * (s.right + s.ways*c.right())
				}
			}
		}
		now, next = next, now
		reach = min(k, reach+min(t, c.all))
	}
	won := 0.0
	for used := range reach + 1 {
		if left := k - used; left < len(blanks) {
			for tied := 1; tied < width; tied++ {
				won += blanks[left] * now[used*width+tied].right / float64(tied)
			}
		}
	}
	return won
}

// candidate is an answer that samples voted for.
type candidate struct {
	all, good int
	ways      []float64 // ways[j]: to choose j of its samples
}

func (c candidate) right() float64 { return float64(c.good) / float64(c.all) }

// count collects the answers in the order in which they first come, so that
// sums have the same bits every time, and the number of samples without one.
func count(votes []Vote) (candidates []candidate, blank int) {
	place := map[string]int{}
	for _, v := range votes {
		if v.Answer == "" {
			blank++
			continue
		}
		i, known := place[v.Answer]
		if !known {
			i = len(candidates)
			place[v.Answer] = i
			candidates = append(candidates, candidate{})
		}
		candidates[i].all++
		if v.Right {
			candidates[i].good++
		}
	}
	return candidates, blank
}

// ways are the numbers of ways to choose 0, 1, … of n, up to k of them.
func ways(n, k int) []float64 {
	out := make([]float64, min(n, k)+1)
	for j := range out {
		out[j] = choose(n, j)
	}
	return out
}

// choose is the number of ways to choose k of n, 0 where there are none. It is
// exact while it is below 2^53, and correct to some 1e-13 above.
func choose(n, k int) float64 {
	if k < 0 || k > n {
		return 0
	}
	k = min(k, n-k)
	c := 1.0
	for i := 1; i <= k; i++ {
		c = c * float64(n-k+i) / float64(i)
	}
	return c
}
