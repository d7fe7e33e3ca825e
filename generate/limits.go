package main

import (
	"fmt"
	"math"

	"openrs/stages"
)

// limits are the lowest and highest values of the flags of sampling.
func limits() []limit {
	return []limit{
		{"group-size", 1, math.Inf(1)}, {"groups-per-step", 1, math.Inf(1)}, {"max-lag", 0, math.Inf(1)}, {"steps", 0, math.Inf(1)},
		{"max-new-tokens", 1, math.Inf(1)}, {"max-sequences", 1, math.Inf(1)},
		{"temperature", 0, math.MaxFloat32}, {"top-p", 0, 1}, {"top-k", 0, math.Inf(1)}, {"min-p", 0, 1},
	}
}

type limit struct {
	flag      string
	low, high float64
}

// checkLimits refuses values with which no problem could be sampled.
func checkLimits(env *stages.Env) error {
	for _, l := range limits() {
		var value float64
		switch v := env.Value(l.flag).(type) {
		case int:
			value = float64(v)
		case int64:
			value = float64(v)
		case float64:
			value = v
		}
		switch {
		case value >= l.low && value <= l.high:
		case l.high >= math.MaxFloat32:
			return fmt.Errorf("--%s is %v, expected at least %v", l.flag, value, l.low)
		default:
			return fmt.Errorf("--%s is %v, expected %v to %v", l.flag, value, l.low, l.high)
		}
	}
	return nil
}
