package reward

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"openrs/stages/suggest"
)

// ErrConfig marks a setting that can't be used.
var ErrConfig = errors.New("reward: bad setting")

// maxWeight keeps sums well within float32.
const maxWeight = 1e9

// Weighted is a reward function by name and its weight in the sum.
type Weighted struct {
	Name   string
	Weight float64
}

// Parse reads weights as they are given on a command line: each of specs is one or more of "name",
// "name=weight" or "name:weight", separated by commas. The weight is 1 if not given; 0 only measures.
// Unknown names, names given twice and weights that are no finite numbers are errors that wrap
// [ErrConfig].
func Parse(specs ...string) ([]Weighted, error) {
	var out []Weighted
	for _, spec := range specs {
		for part := range strings.SplitSeq(spec, ",") {
			part = strings.TrimSpace(part)
			if part == "" {
				return nil, fmt.Errorf("%w: empty name in %q, expected name=weight", ErrConfig, spec)
			}
			w := Weighted{Name: part, Weight: 1}
			if at := strings.IndexAny(part, "=:"); at >= 0 {
				weight, err := strconv.ParseFloat(strings.TrimSpace(part[at+1:]), 64)
				if err != nil {
					return nil, fmt.Errorf("%w: weight %q of reward %q, expected a number", ErrConfig, part[at+1:], part[:at])
				}
				w = Weighted{Name: strings.TrimSpace(part[:at]), Weight: weight}
			}
			out = append(out, w)
		}
	}
	if err := check(out); err != nil {
		return nil, err
	}
	return out, nil
}

// check returns what is wrong with the names and weights.
func check(rewards []Weighted) error {
	if len(rewards) == 0 {
		return fmt.Errorf("%w: no reward function, expected at least one of %s", ErrConfig, strings.Join(names(), ", "))
	}
	seen := map[string]bool{}
	for _, w := range rewards {
		switch {
		case !slices.Contains(names(), w.Name):
			return fmt.Errorf("%w: no reward function %q%s, expected one of %s", ErrConfig, w.Name, suggest.From(strings.ToLower(w.Name), names()), strings.Join(names(), ", "))
		case seen[w.Name]:
			return fmt.Errorf("%w: reward %q is given twice", ErrConfig, w.Name)
		case !(math.Abs(w.Weight) <= maxWeight):
			return fmt.Errorf("%w: weight %v of reward %q, expected a finite number of at most %g", ErrConfig, w.Weight, w.Name, maxWeight)
		}
		seen[w.Name] = true
	}
	return nil
}

func names() []string {
	var out []string
	for _, d := range Definitions() {
		out = append(out, d.Name)
	}
	return out
}
