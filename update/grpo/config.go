package grpo

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"openrs/stages/suggest"
)

// ErrConfig marks a setting that can't be used.
var ErrConfig = errors.New("grpo: bad setting")

// Ratio levels.
const (
	RatioToken    = "token"    // one importance ratio a token
	RatioSequence = "sequence" // one a completion, the geometric mean of its tokens' (GSPO, arXiv 2507.18071)
)

// Config names an objective. The zero value of an optional setting switches it off.
type Config struct {
	// Loss is the reduction over tokens: "grpo", "bnpo", "dr_grpo" or "dapo" (see [LossTypes]).
	Loss string
	// Beta weighs the divergence from the reference model. With 0 no reference is needed.
	Beta float64
	// EpsLow and EpsHigh bound the importance ratio to [1 − EpsLow, 1 + EpsHigh]. An EpsHigh above
	// EpsLow is DAPO's "clip higher" (arXiv 2503.14476).
	EpsLow, EpsHigh float64
	// Delta bounds the ratio from above also where the advantage is negative, where the clip does
	// not act ("two-sided" clipping, arXiv 2505.07291). 0: no bound.
	Delta float64
	// RatioLevel is RatioToken (also the meaning of "") or RatioSequence.
	RatioLevel string
	// TruncatedIS is the cap of the weight exp(ℓ_old − ℓ_sampling) that corrects for a sampler whose
	// probabilities differ from the trainer's. 0: no correction.
	TruncatedIS float64
	// MaxCompletionLength is the constant of dr_grpo, in tokens.
	MaxCompletionLength int
}

// OpenRS returns the objective of the open-rs study: TRL's defaults at the commit it pinned.
func OpenRS() Config {
	return Config{Loss: "bnpo", Beta: 0.04, EpsLow: 0.2, EpsHigh: 0.2, RatioLevel: RatioToken}
}

// Validate returns an error, wrapping [ErrConfig], that names the first setting that can't be used.
func (c Config) Validate() error {
	finite := func(name string, v float64) error {
		if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return fmt.Errorf("%w: %s is %v, expected a finite number of at least 0", ErrConfig, name, v)
		}
		return nil
	}
	for _, s := range []struct {
		name  string
		value float64
	}{{"beta", c.Beta}, {"eps_low", c.EpsLow}, {"eps_high", c.EpsHigh}, {"delta", c.Delta}, {"truncated_is", c.TruncatedIS}} {
		if err := finite(s.name, s.value); err != nil {
			return err
		}
	}
	row, ok := lossTypes[c.Loss]
	switch {
	case !ok:
		return fmt.Errorf("%w: loss %q%s, expected one of %s", ErrConfig, c.Loss, suggest.From(c.Loss, LossTypes()), strings.Join(LossTypes(), ", "))
	case c.RatioLevel != "" && c.RatioLevel != RatioToken && c.RatioLevel != RatioSequence:
		return fmt.Errorf("%w: ratio_level %q, expected token or sequence", ErrConfig, c.RatioLevel)
	case c.EpsLow > 1:
		return fmt.Errorf("%w: eps_low is %v, expected at most 1 (a ratio is never negative)", ErrConfig, c.EpsLow)
	case c.Delta != 0 && c.Delta <= 1+c.EpsHigh:
		return fmt.Errorf("%w: delta is %v, expected more than 1 + eps_high = %v", ErrConfig, c.Delta, 1+c.EpsHigh)
	case row.needsMaxLength && c.MaxCompletionLength <= 0:
		return fmt.Errorf("%w: loss %s needs max_completion_length, found %d", ErrConfig, c.Loss, c.MaxCompletionLength)
	}
	return nil
}

// LossTypes returns the names of the loss types, sorted.
func LossTypes() []string { return slices.Sorted(maps.Keys(lossTypes)) }
