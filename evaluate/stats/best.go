package stats

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// ErrShape is returned for scores of models that were not given the same
// problems, or for too few of them.
var ErrShape = errors.New("scores that can't be compared")

// Best is the best of several candidates (the checkpoints of a training run,
// say) on the problems that it was chosen on. Its own mean is too high: the
// luckiest was chosen. What may be said of it is HeldOut, Interval and the p-values.
type Best struct {
	Index int     // of the candidate with the highest mean; the first of those that tie
	Mean  float64 // its mean, luck included

	// HeldOut is what choosing gives on problems that did not take part: the
	// mean, over many random halves of the problems, of the score on the other
	// half of the candidate that is best on this one. It is unbiased for a
	// choice made on half of the problems, and so a little pessimistic for the
	// one made on all.
	HeldOut float64

	// Intervals has one interval for each candidate, of such a width that all
	// of them hold the truth together with the wanted chance. So that of the
	// best holds its truth at least as often, however it was chosen.
	Intervals []Interval

	// The rest is only there with a reference.

	Difference  float64    // of the best from the reference, luck included
	HeldOutGain float64    // HeldOut less the reference on the same halves
	Differences []Interval // of each candidate from the reference, together as above
	P           []float64  // of each candidate, corrected for their number (Westfall and Young 1993)
}

// halves is how many random halves HeldOut is the mean of.
const halves = 2000

// BestOf chooses the best of candidates, all of which answered the same problems
// as the reference did; reference may be nil. Candidates may be as correlated as
// checkpoints of one run are: problems are drawn and signs flipped for all of
// them together, so what they have in common is taken into account.
func BestOf(reference Tasks, candidates []Tasks, opt Options) (Best, error) {
	if len(candidates) == 0 {
		return Best{}, fmt.Errorf("%w: no candidates", ErrShape)
	}
	shape := candidates[0]
	for i, c := range append(slices.Clone(candidates), reference) {
		if i == len(candidates) && reference == nil {
			break
		}
		if len(c) != len(shape) {
			return Best{}, fmt.Errorf("%w: model %d has %d benchmarks, the first %d", ErrShape, i, len(c), len(shape))
		}
		for t := range c {
			if len(c[t]) != len(shape[t]) || len(c[t]) < 2 {
				return Best{}, fmt.Errorf("%w: model %d has %d problems of benchmark %d, the first %d: want the same, and at least 2", ErrShape, i, len(c[t]), t, len(shape[t]))
			}
		}
	}
	b := Best{Index: argmax(candidates), Difference: math.NaN(), HeldOutGain: math.NaN()}
	b.Mean = candidates[b.Index].Mean()
	b.HeldOut, b.HeldOutGain = heldOut(reference, candidates, opt)

	c := jointQuantile(candidates, opt)
	for _, x := range candidates {
		se, df := x.spread()
		// The quantile of the largest deviation is a normal one where that of
		// one deviation would be; few problems make it as much wider.
		level := 1 - 2*normalCDF(-c)
		b.Intervals = append(b.Intervals, shareInterval(x.Mean(), se, df, math.Inf(1), level))
	}
	if reference == nil {
		return b, nil
	}
	b.Difference = b.Mean - reference.Mean()
	gains := make([]Tasks, len(candidates))
	for i, x := range candidates {
		var err error
		if gains[i], err = minus(reference, x); err != nil {
			return Best{}, fmt.Errorf("%w: %w", ErrShape, err)
		}
	}
	c = jointQuantile(gains, opt)
	for _, g := range gains {
		se, df := g.spread()
		b.Differences = append(b.Differences, studentInterval(g.Mean(), se, df, 1-2*normalCDF(-c)))
	}
	b.P = jointP(gains, opt)
	return b, nil
}

func argmax(candidates []Tasks) int {
	best := 0
	for i, c := range candidates {
		if c.Mean() > candidates[best].Mean() {
			best = i
		}
	}
	return best
}

// heldOut is Best.HeldOut, and its gain over the reference.
func heldOut(reference Tasks, candidates []Tasks, opt Options) (score, gain float64) {
	draws := rand.New(rand.NewPCG(opt.Seed, 0x68656c646f757421)) // "heldout!"
	shape := candidates[0]
	order := make([][]int, len(shape))
	for t := range shape {
		order[t] = make([]int, len(shape[t]))
		for i := range order[t] {
			order[t][i] = i
		}
	}
	// on is a model's mean over the first or the second halves.
	on := func(x Tasks, second bool) float64 {
		sum := 0.0
		for t, values := range x {
			cut := (len(values) + 1) / 2
			part := order[t][:cut]
			if second {
				part = order[t][cut:]
			}
			s := 0.0
			for _, i := range part {
				s += values[i]
			}
			sum += s / float64(len(part))
		}
		return sum / float64(len(x))
	}
	for range halves {
		for t := range order {
			draws.Shuffle(len(order[t]), func(i, j int) { order[t][i], order[t][j] = order[t][j], order[t][i] })
		}
		best, most, ties := 0, math.Inf(-1), 0
		for i, c := range candidates {
			switch m := on(c, false); {
			case m > most:
				best, most, ties = i, m, 1
			case m == most:
				// A tie is broken at random, or the first checkpoint would be
				// favoured.
				if ties++; draws.IntN(ties) == 0 {
					best = i
				}
			}
		}
		s := on(candidates[best], true)
		score += s / halves
		if reference != nil {
			gain += (s - on(reference, true)) / halves
		}
	}
	if reference == nil {
		gain = math.NaN()
	}
	return score, gain
}

// jointQuantile is the quantile of the largest of all deviations, each in its
// own standard errors, found by drawing problems again for all together (max-t
// bootstrap; Romano and Wolf 2005).
func jointQuantile(xs []Tasks, opt Options) float64 {
	draws := rand.NewPCG(opt.Seed, 0x6d61782d74202020) // "max-t"
	shape := xs[0]
	means, errs := make([]float64, len(xs)), make([]float64, len(xs))
	flat := make([][]float64, len(xs))
	for i, x := range xs {
		means[i] = x.Mean()
		errs[i], _ = x.spread()
		flat[i] = x.weighted()
	}
	picked := make([]float64, shape.problems()) // how often each problem was drawn
	largest := make([]float64, opt.resamples())
	for r := range largest {
		clear(picked)
		first := 0
		for _, values := range shape {
			n := len(values)
			for range n {
				i, _ := bits.Mul64(draws.Uint64(), uint64(n))
				picked[first+int(i)]++
			}
			first += n
		}
		for i := range xs {
			if errs[i] == 0 {
				continue
			}
			sum := 0.0
			for j, times := range picked {
				sum += times * flat[i][j]
			}
			largest[r] = max(largest[r], math.Abs(sum-means[i])/errs[i])
		}
	}
	slices.Sort(largest)
	return max(Quantile(largest, opt.level()), NormalQuantile((1+opt.level())/2))
}

// jointP is the corrected p-value of each candidate's gain: the share of sign
// patterns, the same for all candidates, under which the largest of all gains,
// each in units of its own spread, is at least as large as this one's.
func jointP(gains []Tasks, opt Options) []float64 {
	draws := rand.NewPCG(opt.Seed, 0x6a6f696e742d7021) // "joint-p!"
	flat := make([][]float64, len(gains))
	unit := make([]float64, len(gains))
	seen := make([]float64, len(gains))
	for i, g := range gains {
		flat[i] = g.weighted()
		sum := 0.0
		for _, v := range flat[i] {
			unit[i] += v * v
			sum += v
		}
		unit[i] = math.Sqrt(unit[i])
		if unit[i] > 0 {
			seen[i] = math.Abs(sum) / unit[i] * (1 - 1e-12) // a tie must count as one
		}
	}
	n, extreme := opt.resamples(), make([]int, len(gains))
	signs := make([]uint64, (len(flat[0])+63)/64)
	for range n {
		for i := range signs {
			signs[i] = draws.Uint64()
		}
		largest := 0.0
		for i := range gains {
			if unit[i] == 0 {
				continue
			}
			total := 0.0
			for w, rest := 0, flat[i]; len(rest) > 0; w++ {
				k := min(64, len(rest))
				total += flipped(rest[:k], signs[w])
				rest = rest[k:]
			}
			largest = max(largest, math.Abs(total)/unit[i])
		}
		for i := range gains {
			if largest >= seen[i] {
				extreme[i]++
			}
		}
	}
	p := make([]float64, len(gains))
	for i := range p {
		p[i] = float64(extreme[i]+1) / float64(n+1)
	}
	return p
}

// Held is a choice that was made on one part of the problems and measured on the
// other.
type Held struct {
	Index    int      // of the candidate that was chosen
	Chosen   float64  // its mean on the part it was chosen on, luck included
	Estimate Estimate // its mean on the other part: without
	Problems []int    // the positions of the part it was chosen on, in order
}

// SelectHeldOut chooses the best of candidates (candidates[c][i] is candidate c
// on problem i) on a random part of the problems, share of them, and measures
// it on the rest. The split depends on the seed only: name it before looking.
func SelectHeldOut(candidates [][]float64, share float64, opt Options) (Held, error) {
	if len(candidates) == 0 {
		return Held{}, fmt.Errorf("%w: no candidates", ErrShape)
	}
	n := len(candidates[0])
	for i, c := range candidates {
		if len(c) != n {
			return Held{}, fmt.Errorf("%w: candidate %d has %d problems, the first %d", ErrShape, i, len(c), n)
		}
	}
	k := int(math.Round(share * float64(n)))
	if math.IsNaN(share) || k < 1 || n-k < 2 {
		return Held{}, fmt.Errorf("%w: a share of %v of %d problems to choose on: want at least one of them, and two for the rest", ErrShape, share, n)
	}
	order := rand.New(rand.NewPCG(opt.Seed, 0x73706c6974202020)).Perm(n) // "split"
	h := Held{Chosen: math.Inf(-1), Problems: slices.Sorted(slices.Values(order[:k]))}
	pick := func(values []float64, at []int) []float64 {
		out := make([]float64, len(at))
		for i, j := range at {
			out[i] = values[j]
		}
		return out
	}
	for i, c := range candidates {
		if m := Mean(pick(c, order[:k])); m > h.Chosen {
			h.Index, h.Chosen = i, m
		}
	}
	rest := slices.Sorted(slices.Values(order[k:]))
	h.Estimate = Share(pick(candidates[h.Index], rest), opt)
	return h, nil
}
