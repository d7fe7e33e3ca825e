package checkpoint

import (
	"fmt"
	"math"
)

// RopeScaling says how the rotary frequencies of a model are changed so that it reads sequences longer
// than those it was trained on. The zero value changes nothing. The formulas are in stages/model.
type RopeScaling struct {
	// Type is "" for none, "linear", "llama3" or "yarn".
	Type string
	// Factor is how many times longer the sequences may be, at least 1.
	Factor float64
	// OriginalPositions is the length that the model was trained on (llama3 and yarn).
	OriginalPositions int
	// LowFreq and HighFreq (llama3) are numbers of turns within the original length: frequencies with
	// fewer turns than LowFreq are divided by Factor, those with more than HighFreq stay.
	LowFreq, HighFreq float64
	// BetaFast and BetaSlow (yarn) are such numbers too: dimensions with more turns than BetaFast
	// stay, those with fewer than BetaSlow are divided by Factor. Exact: the dimensions in which this
	// happens are not rounded to whole ones.
	BetaFast, BetaSlow float64
	Exact              bool
	// Attention (yarn) multiplies the cosines and sines, and so, squared, the attention's scores.
	Attention float64
}

// ropeTypes are the supported types and their keys beside "factor".
var ropeTypes = map[string]func(o *object, maxPositions int, r *RopeScaling){
	"linear": func(*object, int, *RopeScaling) {},
	"llama3": func(o *object, _ int, r *RopeScaling) {
		r.OriginalPositions = o.size("original_max_position_embeddings", 0)
		r.LowFreq, r.HighFreq = o.number("low_freq_factor"), o.number("high_freq_factor")
	},
	"yarn": func(o *object, maxPositions int, r *RopeScaling) {
		r.OriginalPositions = o.size("original_max_position_embeddings", maxPositions)
		// transformers takes a zero for a missing value.
		or := func(key string, fallback float64) float64 {
			if v := o.float(key, 0); v != 0 {
				return v
			}
			return fallback
		}
		r.BetaFast, r.BetaSlow = or("beta_fast", 32), or("beta_slow", 1)
		r.Exact = !o.boolean("truncate", true)
		mscale, all := o.float("mscale", 0), o.float("mscale_all_dim", 0)
		r.Attention = yarnScale(r.Factor, 1)
		if mscale != 0 && all != 0 {
			r.Attention = yarnScale(r.Factor, mscale) / yarnScale(r.Factor, all)
		}
		r.Attention = o.float("attention_factor", r.Attention)
	},
}

// yarnScale is the square root of 1/t in YaRN (Peng et al. 2023, section 3.4): 0.1 ln(s) + 1.
func yarnScale(factor, weight float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*weight*math.Log(factor) + 1
}

// ropeScaling reads rope_scaling or, in newer files, rope_parameters. Where a yarn has no factor it is the
// ratio of the two lengths. (Some versions of transformers take the ratio in any case, which turns the
// scaling off in files that keep max_position_embeddings at the original length.) Types without an implementation
// (dynamic, longrope, mrope, …) are errors wrapping [ErrUnsupported].
func ropeScaling(o *object, maxPositions int) (RopeScaling, error) {
	var found RopeScaling
	for _, key := range []string{"rope_scaling", "rope_parameters"} {
		if !o.has(key) {
			continue
		}
		rope := o.object(key)
		typ := rope.str("rope_type", rope.str("type", "default"))
		if f := rope.float("partial_rotary_factor", 1); rope.err == nil && f != 1 {
			return found, unsupported(key+".partial_rotary_factor", "1", f)
		}
		for inner, v := range rope.m {
			if _, nested := v.(map[string]any); nested {
				return found, unsupported(key, "one set of parameters for all layers", inner)
			}
		}
		if rope.err != nil || typ == "default" {
			o.keep(rope.err)
			continue
		}
		read, ok := ropeTypes[typ]
		if !ok {
			return found, unsupported(key, `the type "default", "linear", "llama3" or "yarn"`, typ)
		}
		r := RopeScaling{Type: typ}
		switch {
		case rope.has("factor"):
			r.Factor = rope.number("factor")
		case typ == "yarn" && rope.has("original_max_position_embeddings"):
			r.Factor = float64(maxPositions) / float64(rope.size("original_max_position_embeddings", 0))
		default:
			rope.number("factor") // an error: it must be there
		}
		read(rope, maxPositions, &r)
		if rope.err != nil {
			return found, fmt.Errorf("%s: %w", key, rope.err)
		}
		if found.Type != "" && found != r {
			return found, fmt.Errorf("%w: rope_scaling and rope_parameters contradict each other", ErrFormat)
		}
		found = r
	}
	return found, o.err
}

// reach is the longest sequence of a model whose config.json says positions: YaRN's files leave
// max_position_embeddings at what the model was trained on, as vLLM and SGLang read them.
func (r RopeScaling) reach(positions int) int {
	if longer := float64(r.OriginalPositions) * r.Factor; r.Type == "yarn" && longer > float64(positions) {
		return int(min(longer, maxSize+1))
	}
	return positions
}

// number is a float that must be there.
func (o *object) number(key string) float64 {
	if !o.has(key) {
		o.want(key, "a number", o.m[key])
	}
	return o.float(key, 0)
}

// check returns what is wrong with the values, "" for nothing.
func (r RopeScaling) check() string {
	positive := func(v float64) bool { return v > 0 && !math.IsInf(v, 0) }
	switch {
	case r.Type == "":
		if r != (RopeScaling{}) {
			return "expected a type beside the other values"
		}
		return ""
	case ropeTypes[r.Type] == nil:
		return fmt.Sprintf("unknown type %q", r.Type)
	case !(r.Factor >= 1) || math.IsInf(r.Factor, 0):
		return fmt.Sprintf("factor: expected a number from 1, found %v", r.Factor)
	case r.Type == "linear":
		return ""
	case r.OriginalPositions < 1 || r.OriginalPositions > maxSize:
		return fmt.Sprintf("original_max_position_embeddings: expected 1 to %d, found %d", maxSize, r.OriginalPositions)
	case r.Type == "llama3" && !(positive(r.LowFreq) && positive(r.HighFreq) && r.LowFreq < r.HighFreq):
		return fmt.Sprintf("expected a positive low_freq_factor below high_freq_factor, found %v and %v", r.LowFreq, r.HighFreq)
	case r.Type == "yarn" && !(positive(r.BetaFast) && positive(r.BetaSlow) && r.BetaSlow <= r.BetaFast):
		return fmt.Sprintf("expected a positive beta_slow not above beta_fast, found %v and %v", r.BetaSlow, r.BetaFast)
	case r.Type == "yarn" && !positive(r.Attention):
		return fmt.Sprintf("attention_factor: expected a positive number, found %v", r.Attention)
	}
	return ""
}

// json is the scaling under the keys of config.json, nil for none.
func (r RopeScaling) json() map[string]any {
	if r.Type == "" {
		return nil
	}
	m := map[string]any{"rope_type": r.Type, "factor": r.Factor}
	switch r.Type {
	case "llama3":
		m["low_freq_factor"], m["high_freq_factor"] = r.LowFreq, r.HighFreq
		m["original_max_position_embeddings"] = r.OriginalPositions
	case "yarn":
		m["beta_fast"], m["beta_slow"], m["attention_factor"] = r.BetaFast, r.BetaSlow, r.Attention
		m["original_max_position_embeddings"] = r.OriginalPositions
		if r.Exact {
			m["truncate"] = false
		}
	}
	return m
}
