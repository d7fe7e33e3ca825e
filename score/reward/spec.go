package reward

import (
	"errors"
	"fmt"
	"maps"
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

// Weighted is a reward function by name, its weight in the sum and its parameters.
type Weighted struct {
	Name   string
	Weight float64
	// Params are the parameters that were given, by name; the others have their defaults.
	Params map[string]string
	// Command is what to run for an external reward, "" for those of the table.
	Command string
}

// external begins the names of rewards that another process computes.
const external = "exec"

// Parse reads rewards as they are given on a command line or in a recipe. Each of specs is one or more
// rewards with commas between them:
//
//	accuracy                               weight 1
//	format=0.1                             a weight; 0 only measures
//	cosine=2:max_len=3584,min_correct=0.5  a weight and parameters
//	cosine:max_len=3584                    parameters, weight 1
//	exec:COMMAND                           a process; all that follows the colon is its command line
//	exec/NAME=0.5:COMMAND                  with a name, to tell several apart, and a weight
//
// A parameter belongs to the last reward before it that was given with a colon, also across specs, so
// it does not matter whether a list was already divided at its commas. Unknown names and parameters,
// names given twice and weights that are no finite numbers are errors that wrap [ErrConfig].
func Parse(specs ...string) ([]Weighted, error) {
	var out []Weighted
	open := false // the last reward takes parameters
	for _, spec := range specs {
		if isExternal(spec) {
			w, err := parseExternal(strings.TrimSpace(spec))
			if err != nil {
				return nil, err
			}
			out, open = append(out, w), false
			continue
		}
		for piece := range strings.SplitSeq(spec, ",") {
			piece = strings.TrimSpace(piece)
			if piece == "" {
				return nil, fmt.Errorf("%w: empty name in %q, expected name=weight", ErrConfig, spec)
			}
			if isExternal(piece) {
				return nil, fmt.Errorf("%w: %q stands in a list; give %s rewards one by one", ErrConfig, piece, external)
			}
			key, value, isPair := strings.Cut(piece, "=")
			key = strings.TrimSpace(key)
			if open && isPair && !strings.Contains(key, ":") && !slices.Contains(names(), key) {
				if err := out[len(out)-1].setParam(key, value); err != nil {
					return nil, err
				}
				continue
			}
			w, takes, err := parseOne(piece)
			if err != nil {
				return nil, err
			}
			out, open = append(out, w), takes
		}
	}
	if err := check(out); err != nil {
		return nil, err
	}
	return out, nil
}

// parseOne reads "name", "name=weight", "name:weight", "name:param=value" or "name=weight:param=value".
func parseOne(piece string) (w Weighted, takes bool, err error) {
	w.Weight = 1
	head, param, takes := strings.Cut(piece, ":")
	name, weight, given := strings.Cut(head, "=")
	w.Name = strings.TrimSpace(name)
	if takes && !given && !strings.Contains(param, "=") { // name:weight
		weight, given, takes = param, true, false
	}
	if given {
		if w.Weight, err = strconv.ParseFloat(strings.TrimSpace(weight), 64); err != nil {
			return w, false, fmt.Errorf("%w: weight %q of reward %q, expected a number", ErrConfig, weight, w.Name)
		}
	}
	if takes {
		key, value, ok := strings.Cut(param, "=")
		if !ok {
			return w, false, fmt.Errorf("%w: %q after reward %q, expected parameter=value", ErrConfig, param, w.Name)
		}
		err = w.setParam(strings.TrimSpace(key), value)
	}
	return w, takes, err
}

func (w *Weighted) setParam(key, value string) error {
	d, ok := definition(w.Name)
	if !ok {
		return unknown(w.Name)
	}
	if _, twice := w.Params[key]; twice {
		return fmt.Errorf("%w: parameter %q of reward %s is given twice", ErrConfig, key, w.Name)
	}
	if _, err := d.param(key); err != nil {
		return err
	}
	if w.Params == nil {
		w.Params = map[string]string{}
	}
	w.Params[key] = strings.TrimSpace(value)
	return nil
}

// isExternal reports whether a spec or name is that of an external reward.
func isExternal(s string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(s), external)
	return ok && (rest == "" || strings.IndexByte(":=/", rest[0]) >= 0)
}

func parseExternal(spec string) (Weighted, error) {
	w := Weighted{Weight: 1}
	head, command, ok := strings.Cut(spec, ":")
	if w.Command = strings.TrimSpace(command); !ok || w.Command == "" {
		return w, fmt.Errorf("%w: %q, expected %s:COMMAND", ErrConfig, spec, external)
	}
	name, weight, given := strings.Cut(head, "=")
	if w.Name = strings.TrimSpace(name); given {
		var err error
		if w.Weight, err = strconv.ParseFloat(strings.TrimSpace(weight), 64); err != nil {
			return w, fmt.Errorf("%w: weight %q of reward %q, expected a number", ErrConfig, weight, w.Name)
		}
	}
	if suffix, ok := strings.CutPrefix(w.Name, external+"/"); ok && (suffix == "" || strings.ContainsAny(suffix, " \t,/")) {
		return w, fmt.Errorf("%w: name %q, expected %s/NAME without spaces, commas and slashes", ErrConfig, w.Name, external)
	}
	return w, nil
}

// String is the reward as Parse reads it, parameters in the order of their names.
func (w Weighted) String() string {
	s := fmt.Sprintf("%s=%v", w.Name, w.Weight)
	if w.Command != "" {
		return s + ":" + w.Command
	}
	mark := ":"
	for _, k := range slices.Sorted(maps.Keys(w.Params)) {
		s += mark + k + "=" + w.Params[k]
		mark = ","
	}
	return s
}

// check returns what is wrong with the names, weights and parameters.
func check(rewards []Weighted) error {
	if len(rewards) == 0 {
		return fmt.Errorf("%w: no reward function, expected at least one of %s", ErrConfig, strings.Join(names(), ", "))
	}
	seen := map[string]bool{}
	for _, w := range rewards {
		d, known := definition(w.Name)
		switch {
		case !known && !isExternal(w.Name):
			return unknown(w.Name)
		case seen[w.Name]:
			return fmt.Errorf("%w: reward %q is given twice", ErrConfig, w.Name)
		case !(math.Abs(w.Weight) <= maxWeight):
			return fmt.Errorf("%w: weight %v of reward %q, expected a finite number of at most %g", ErrConfig, w.Weight, w.Name, maxWeight)
		case known != (w.Command == ""):
			return fmt.Errorf("%w: reward %q and command %q", ErrConfig, w.Name, w.Command)
		}
		seen[w.Name] = true
		if known {
			if _, err := d.make(w.Params, false); err != nil {
				return err
			}
		}
	}
	return nil
}

func unknown(name string) error {
	return fmt.Errorf("%w: no reward function %q%s, expected one of %s, or %s:COMMAND", ErrConfig, name, suggest.From(strings.ToLower(name), names()), strings.Join(names(), ", "), external)
}

func names() []string {
	var out []string
	for _, d := range Definitions() {
		out = append(out, d.Name)
	}
	return out
}
